#include "server/job/price_service.h"

#include <utility>

#include "server/job/source_resolver.h"
#include "server/job/store_call.h"

namespace lumaedit {

void PriceService::QuoteEdit(SubmitRequest request, Reply<Quote> reply) {
  // Nothing keeps the bytes of an inline source: they are not looked into for a quote.
  request.inline_source.reset();
  RunOnStore(deps_.store_worker, std::move(reply),
             [this, request = std::move(request)]() -> absl::StatusOr<Quote> {
               auto resolved =
                   ResolveSource(deps_.store, deps_.sources, request.caller, request.edit.source,
                                 request.options.declared_source_duration);
               if (!resolved.ok()) return resolved.status();
               return QuoteFor(request.edit.output_format, resolved->length);
             });
}

void PriceService::GetBudget(std::string caller, Reply<BudgetStatement> reply) {
  RunOnStore(deps_.store_worker, std::move(reply),
             [this, caller = std::move(caller)]() -> absl::StatusOr<BudgetStatement> {
               const BudgetPeriod period = PeriodOf(budget_.window, deps_.clock.Now());
               auto used = deps_.store.GetBudget(caller, period.start);
               if (!used.ok()) return used.status();
               return BudgetStatement{budget_.limit_usd_micros, *used, period};
             });
}

}  // namespace lumaedit
