// What callers ask about money: quotes and their budget. Reads only, on store threads.
//
// Owned by `app`. Each method may be called from any thread, returns at once, and gives its reply
// on a store thread. When the store's queue is full the reply is RESOURCE_EXHAUSTED kOverloaded.
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
    Clock& clock;
  };
  PriceService(Deps deps, BudgetSettings budget) : deps_(deps), budget_(budget) {}

  // The price as SubmitEdit would reckon it now. The request was validated before; its request id,
  // labels and limits are not looked at. Errors of ResolveSource.
  void QuoteEdit(SubmitRequest request, Reply<Quote> reply);

  // The caller's budget in the window that is now.
  void GetBudget(std::string caller, Reply<BudgetStatement> reply);

 private:
  const Deps deps_;
  const BudgetSettings budget_;
};

}  // namespace lumaedit
