// How far a transfer of bytes is: a bar with rate and time left on a terminal, a plain line every
// ten seconds through a pipe, nothing when told to be quiet. Shared by upload and download.
//
// Set may be called from any thread, as often as bytes arrive; the terminal is drawn by the live
// line's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/cli/live_line.h"

namespace lumaedit::client::cli {

// Bytes of one transfer over time. The rate is that of the last seconds, so that it follows a
// connection that slows down; what an earlier run had sent is no part of it. Not thread-safe.
class TransferRate {
 public:
  // The transfer (re)starts with `done` bytes there already.
  void Start(absl::Time now, std::int64_t done);
  void Set(absl::Time now, std::int64_t done);

  // Bytes a second; unset in the first half second, and when nothing moved for ten.
  std::optional<double> PerSecond(absl::Time now) const;

 private:
  struct Point {
    absl::Time at;
    std::int64_t done = 0;
  };
  Point past_;    // between five and ten seconds ago, or the start
  Point recent_;  // less than five seconds ago: the next past_
  Point last_;
};

// "84.0 MB", "12 bytes": decimal units.
std::string Bytes(double bytes);

// "take.mp4  42%  [####      ]  84.0 MB/200.0 MB  12.3 MB/s  9s left" with the parts that `columns`
// leaves room for. `total` 0 means unknown.
std::string ProgressLine(absl::string_view what, std::int64_t done, std::int64_t total,
                         std::optional<double> rate, int columns);

class ProgressBar {
 public:
  struct Options {
    std::string what;        // shown before the bar: a file name; cleaned here
    std::int64_t total = 0;  // bytes; 0 = unknown
    int descriptor = 2;      // where it is drawn: stderr, so that stdout stays the answer's
    bool quiet = false;      // with --json
  };
  explicit ProgressBar(Options options);

  // Erases the bar and leaves nothing.
  ~ProgressBar();

  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // The transfer (re)starts at `done` bytes: after a resume the rate begins anew.
  void Start(std::int64_t done);
  void Set(std::int64_t done);
  void SetTotal(std::int64_t total);

  // After the last Set: one line that stays, "take.mp4  200.0 MB in 16s".
  void Finish();

  // For a Printer that writes meanwhile, and for LiveLine::Pause. Null when there is no terminal.
  LiveLine* line() { return line_.has_value() ? &*line_ : nullptr; }

 private:
  std::string Text(absl::Time now, int columns) const;
  void PrintLine(const std::string& text);

  const Options options_;
  mutable std::mutex mutex_;
  TransferRate rate_;  // under mutex_, as is what follows
  std::int64_t done_ = 0;
  std::int64_t total_ = 0;
  const absl::Time began_;
  absl::Time last_plain_line_;
  std::optional<LiveLine> line_;  // set by the constructor, gone with Finish
};

}  // namespace lumaedit::client::cli
