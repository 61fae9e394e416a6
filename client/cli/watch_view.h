// What is known of a watched job at this moment, and the live line made of it.
//
// Written by the watching thread, read by the live line's: every method may be called from any
// thread.
#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "lumaedit/v1/edit_service.pb.h"

namespace lumaedit::client::cli {

class WatchView {
 public:
  void Take(const v1::Transition& transition);
  void Take(const v1::Job& job);
  void Take(const v1::Heartbeat& heartbeat);

  // The stream broke; the next try is at `next_try`.
  void Interrupted(absl::Time next_try);

  // "PROCESSING  1m05s  polled 3s ago", with the parts that `columns` leaves room for.
  std::string Line(absl::Time now, int columns) const;

 private:
  mutable std::mutex mutex_;
  v1::Job::State state_ = v1::Job::STATE_UNSPECIFIED;  // under mutex_, as is what follows
  std::optional<absl::Time> began_;                    // the job's creation
  std::optional<absl::Time> last_poll_;
  std::optional<absl::Time> next_try_;
  int jobs_ahead_ = 0;
  bool stalled_ = false;
};

}  // namespace lumaedit::client::cli
