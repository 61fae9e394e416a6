#include "client/cli/progress_bar.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "client/cli/text.h"

namespace lumaedit::client::cli {
namespace {

constexpr absl::Duration kRateWindow = absl::Seconds(5);
constexpr absl::Duration kFirstRate = absl::Milliseconds(500);
constexpr absl::Duration kStill = absl::Seconds(10);
constexpr absl::Duration kPlainLineInterval = absl::Seconds(10);
constexpr int kBarCells = 24;
constexpr absl::Duration kMostTimeLeft = absl::Hours(100);

std::string Bar(double share) {
  const int full = static_cast<int>(share * kBarCells);
  return absl::StrCat("[", std::string(full, '#'), std::string(kBarCells - full, ' '), "]");
}

}  // namespace

void TransferRate::Start(absl::Time now, std::int64_t done) {
  past_ = recent_ = last_ = {now, done};
}

void TransferRate::Set(absl::Time now, std::int64_t done) {
  if (now - recent_.at >= kRateWindow) {
    past_ = recent_;
    recent_ = {now, done};
  }
  if (done != last_.done) last_ = {now, done};
}

std::optional<double> TransferRate::PerSecond(absl::Time now) const {
  const absl::Duration time = now - past_.at;
  if (time < kFirstRate || now - last_.at > kStill) return std::nullopt;
  return static_cast<double>(last_.done - past_.done) / absl::ToDoubleSeconds(time);
}

std::string Bytes(double bytes) {
  if (bytes < 1000) return absl::StrFormat("%.0f bytes", bytes);
  if (bytes < 999'950) return absl::StrFormat("%.1f kB", bytes / 1e3);
  if (bytes < 999'950'000) return absl::StrFormat("%.1f MB", bytes / 1e6);
  return absl::StrFormat("%.2f GB", bytes / 1e9);
}

std::string ProgressLine(absl::string_view what, std::int64_t done, std::int64_t total,
                         std::optional<double> rate, int columns) {
  std::vector<std::string> parts;
  const double share =
      total > 0 ? std::clamp(static_cast<double>(done) / static_cast<double>(total), 0.0, 1.0)
                : 0.0;
  if (total > 0) {
    parts.push_back(absl::StrCat(static_cast<int>(share * 100), "%"));
    parts.push_back(Bar(share));
  }
  parts.push_back(total > 0 ? absl::StrCat(Bytes(static_cast<double>(done)), "/",
                                           Bytes(static_cast<double>(total)))
                            : Bytes(static_cast<double>(done)));
  if (rate.has_value()) {
    parts.push_back(absl::StrCat(Bytes(*rate), "/s"));
    if (total > done && *rate > 0) {
      const absl::Duration left = absl::Seconds(static_cast<double>(total - done) / *rate);
      if (left < kMostTimeLeft) parts.push_back(absl::StrCat(Elapsed(left), " left"));
    }
  }
  std::string line(what);
  for (const std::string& part : parts) {
    const std::string longer = line.empty() ? part : absl::StrCat(line, "  ", part);
    // Whole parts only, and a bar may be left out for the numbers behind it.
    if (!line.empty() && longer.size() > static_cast<std::size_t>(std::max(columns, 0))) continue;
    line = longer;
  }
  return line;
}

ProgressBar::ProgressBar(Options options)
    : options_([&] {
        options.what = Clean(options.what);
        return std::move(options);
      }()),
      total_(options_.total),
      began_(absl::Now()),
      last_plain_line_(began_) {
  rate_.Start(began_, 0);
  if (!options_.quiet && CanShowLiveLine(options_.descriptor)) {
    line_.emplace(options_.descriptor, [this](int columns) { return Text(absl::Now(), columns); });
  }
}

ProgressBar::~ProgressBar() = default;

void ProgressBar::Start(std::int64_t done) {
  const std::lock_guard lock(mutex_);
  done_ = done;
  rate_.Start(absl::Now(), done);
}

void ProgressBar::Set(std::int64_t done) {
  const absl::Time now = absl::Now();
  std::string plain;
  {
    const std::lock_guard lock(mutex_);
    done_ = done;
    rate_.Set(now, done);
    if (options_.quiet || line_.has_value() || now - last_plain_line_ < kPlainLineInterval) return;
    last_plain_line_ = now;
    plain = ProgressLine(options_.what, done_, total_, rate_.PerSecond(now), 1000);
  }
  PrintLine(plain);
}

void ProgressBar::SetTotal(std::int64_t total) {
  const std::lock_guard lock(mutex_);
  total_ = total;
}

void ProgressBar::Finish() {
  line_.reset();
  if (options_.quiet) return;
  const std::lock_guard lock(mutex_);
  PrintLine(absl::StrCat(options_.what, "  ", Bytes(static_cast<double>(done_)), " in ",
                         Elapsed(absl::Now() - began_)));
}

std::string ProgressBar::Text(absl::Time now, int columns) const {
  const std::lock_guard lock(mutex_);
  return ProgressLine(options_.what, done_, total_, rate_.PerSecond(now), columns);
}

void ProgressBar::PrintLine(const std::string& text) {
  const std::string line = absl::StrCat(text, "\n");
  absl::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = write(options_.descriptor, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // whoever read it has gone; the transfer goes on
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace lumaedit::client::cli
