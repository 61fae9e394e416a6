#include "server/job/clock_trust.h"

#include <optional>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace lumaedit {

namespace asio = boost::asio;

namespace {

// Wall time that moved so much more or less than uptime was set by somebody.
constexpr absl::Duration kJump = absl::Minutes(10);
constexpr absl::Duration kMistrust = absl::Hours(24);
constexpr absl::Duration kFarAhead = absl::Hours(24);
constexpr absl::Duration kKeepEvery = absl::Minutes(10);

// In the store's settings: microseconds of the time at which the clock was last believed.
constexpr char kBelievedSetting[] = "clock_believed_time";

}  // namespace

ClockTrust::ClockTrust(EngineContext& context)
    : context_(context),
      looked_wall_(context.clock().Now()),
      looked_uptime_(context.clock().Uptime()) {}

asio::awaitable<absl::Status> ClockTrust::Load() {
  const auto believed =
      co_await Offload(context_.deps().store_worker, [this]() -> absl::StatusOr<absl::Time> {
        const auto setting = context_.deps().store.GetSetting(kBelievedSetting);
        std::int64_t micros = 0;
        if (setting.ok() && absl::SimpleAtoi(*setting, &micros)) {
          return absl::FromUnixMicros(micros);
        }
        if (!setting.ok() && !absl::IsNotFound(setting.status())) return setting.status();
        // A store that was not told yet.
        return context_.deps().store.NewestStateTime();
      });
  if (!believed.ok()) co_return believed.status();
  const absl::Duration ahead = context_.clock().Now() - *believed;
  // In a new store there is nothing that could be removed too early.
  if (IsSet(*believed) && ahead > kFarAhead) {
    context_.log().Warning("clock_ahead", {{"seconds", absl::ToDoubleSeconds(ahead)}});
    started_well_ = context_.clock().Uptime() + kMistrust;
  }
  co_return absl::OkStatus();
}

asio::awaitable<bool> ClockTrust::MayRemove() {
  LookForJump();
  if (!IsBelieved()) co_return false;
  const absl::Duration uptime = context_.clock().Uptime();
  if (uptime - kept_ < kKeepEvery) co_return true;
  const std::string now = absl::StrCat(absl::ToUnixMicros(context_.clock().Now()));
  const absl::Status kept = co_await Offload(context_.deps().store_worker, [this, &now] {
    return context_.deps().store.PutSetting(kBelievedSetting, now);
  });
  if (kept.ok()) kept_ = uptime;
  co_return true;
}

void ClockTrust::LookForJump() {
  const absl::Time wall = context_.clock().Now();
  const absl::Duration uptime = context_.clock().Uptime();
  const absl::Duration drift = (wall - looked_wall_) - (uptime - looked_uptime_);
  looked_wall_ = wall;
  looked_uptime_ = uptime;
  if (absl::AbsDuration(drift) <= kJump) return;
  context_.log().Warning("clock_jumped", {{"seconds", absl::ToDoubleSeconds(drift)}});
  steady_from_ = uptime + kMistrust;
}

bool ClockTrust::IsBelieved() const {
  const absl::Duration uptime = context_.clock().Uptime();
  if (uptime < steady_from_) return false;
  const std::optional<absl::Duration> offset = context_.upstream_time().offset;
  return uptime >= started_well_ || (offset && absl::AbsDuration(*offset) <= kJump);
}

}  // namespace lumaedit
