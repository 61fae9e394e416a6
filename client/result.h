// What a call of the client library gives back: a value, or a ClientError.
//
// Like absl::StatusOr, but the error keeps the gateway's typed details (reason, violations, wait),
// which a Status would flatten into text. A plain value: no thread rules of its own.
#pragma once

#include <utility>
#include <variant>

#include "client/client_error.h"

namespace lumaedit::client {

template <typename T>
class [[nodiscard]] Result {
 public:
  // Not explicit, so that either can be returned.
  Result(T value)  // NOLINT(google-explicit-constructor)
      : held_(std::in_place_index<0>, std::move(value)) {}
  Result(ClientError error)  // NOLINT(google-explicit-constructor)
      : held_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return held_.index() == 0; }

  // Only when ok().
  const T& value() const { return std::get<0>(held_); }
  T& value() { return std::get<0>(held_); }
  const T& operator*() const { return value(); }
  T& operator*() { return value(); }
  const T* operator->() const { return &value(); }
  T* operator->() { return &value(); }

  // Only when not ok().
  const ClientError& error() const { return std::get<1>(held_); }

 private:
  std::variant<T, ClientError> held_;
};

}  // namespace lumaedit::client
