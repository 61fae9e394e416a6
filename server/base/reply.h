// The one answer that a call owes: move-only, given once, and never forgotten.
//
// A reply that is dropped answers by itself: UNAVAILABLE, since work is dropped only where a queue
// is full or the process stops. May be moved between threads; the callee decides on which it runs.
#pragma once

#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lumaedit {

template <typename T>
class Reply {
 public:
  using Function = absl::AnyInvocable<void(absl::StatusOr<T>) &&>;

  Reply(Function function) : function_(std::move(function)) {}  // NOLINT: lambdas convert
  Reply(Reply&& other) noexcept : function_(std::exchange(other.function_, nullptr)) {}
  Reply& operator=(Reply&&) = delete;
  ~Reply() {
    if (function_) std::move(function_)(absl::UnavailableError("the gateway is stopping"));
  }

  void operator()(absl::StatusOr<T> result) && {
    std::exchange(function_, nullptr)(std::move(result));
  }

 private:
  Function function_;
};

}  // namespace lumaedit
