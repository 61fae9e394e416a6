#include "server/job/price_service.h"

#include <memory>
#include <utility>

#include "server/job/source_resolver.h"
#include "server/job/store_call.h"

namespace lumaedit {

void PriceService::QuoteEdit(SubmitRequest request, Reply<Quote> reply) {
  if (!request.inline_source) {
    QuoteMeasured(std::move(request), std::nullopt, std::move(reply));
    return;
  }
  auto bytes = std::make_shared<const std::string>(std::move(request.inline_source->data));
  request.inline_source.reset();
  auto held = std::make_shared<Reply<Quote>>(std::move(reply));
  deps_.measurer.Measure(std::move(bytes),
                         Reply<MediaInfo>([this, request = std::move(request),
                                           held](const absl::StatusOr<MediaInfo>& media) mutable {
                           if (!media.ok()) {
                             std::move (*held)(media.status());
                           } else {
                             QuoteMeasured(std::move(request), media->duration, std::move(*held));
                           }
                         }));
}

void PriceService::QuoteMeasured(SubmitRequest request, std::optional<absl::Duration> measured,
                                 Reply<Quote> reply) {
  RunOnStore(deps_.store_worker, std::move(reply),
             [this, request = std::move(request), measured]() -> absl::StatusOr<Quote> {
               auto resolved =
                   ResolveSource(deps_.store, deps_.sources, request.caller, request.edit.source,
                                 request.options.declared_source_duration);
               if (!resolved.ok()) return resolved.status();
               if (measured) resolved->length = MeasuredLength(*measured);
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
