// What callers ask about money: quotes and their budget. Reads only, on store threads.
//
// Owned by `app`. Each method may be called from any thread, returns at once, and gives its reply
// on a store thread (a probe thread, where an inline source is refused). When the store's queue is
// full the reply is RESOURCE_EXHAUSTED kOverloaded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/reply.h"
#include "server/base/worker.h"
#include "server/job/budget.h"
#include "server/job/job_store.h"
#include "server/job/quote.h"
#include "server/job/source_measurer.h"
#include "server/job/source_store.h"
#include "server/job/validation.h"

namespace lumaedit {

struct BudgetStatement {
  std::optional<std::int64_t> limit_usd_micros;
  Budget used;
  BudgetPeriod period;
};

class PriceService {
 public:
  struct Deps {
    JobStore& store;
    SourceStore& sources;
    Worker& store_worker;
    SourceMeasurer& measurer;
    Clock& clock;
  };
  PriceService(Deps deps, BudgetSettings budget) : deps_(deps), budget_(budget) {}

  // The price as SubmitEdit would reckon it now. The request was validated before; its request id,
  // labels and limits are not looked at. Inline bytes are measured and not kept. Errors of
  // ResolveSource and of ProbeSource.
  void QuoteEdit(SubmitRequest request, Reply<Quote> reply);

  // The caller's budget in the window that is now.
  void GetBudget(std::string caller, Reply<BudgetStatement> reply);

 private:
  void QuoteMeasured(SubmitRequest request, std::optional<absl::Duration> measured,
                     Reply<Quote> reply);

  const Deps deps_;
  const BudgetSettings budget_;
};

}  // namespace lumaedit
