// A text that must not be seen: it prints as *** and its bytes come out by one name only.
#pragma once

#include <ostream>
#include <string>
#include <utility>

namespace lumaedit {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}

  // The only way to the bytes; each use is meant to be found by its name.
  const std::string& Reveal() const { return value_; }
  bool empty() const { return value_.empty(); }

  friend bool operator==(const Secret& a, const Secret& b) { return a.value_ == b.value_; }
  friend std::ostream& operator<<(std::ostream& out, const Secret&) { return out << "***"; }

  template <typename Sink>
  friend void AbslStringify(Sink& sink, const Secret&) {
    sink.Append("***");
  }

 private:
  std::string value_;
};

}  // namespace lumaedit
