// Typed reading and exact writing of JSON fields for value_json.cc. Any thread.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace lumaedit {

// Depth is bounded; bytes of strings come back as they were written, UTF-8 or not.
absl::StatusOr<boost::json::value> ParseStoredJson(std::string_view text);

// Reads fields of one object. A missing key leaves the target as it is; a wrong type is remembered
// as the status, and the targets are then not to be used.
class FieldReader {
 public:
  explicit FieldReader(const boost::json::value& value);

  void Read(const char* key, std::string& target);
  void Read(const char* key, bool& target);
  void Read(const char* key, std::int64_t& target);
  void Read(const char* key, int& target);
  void Read(const char* key, absl::Time& target);
  void Read(const char* key, absl::Duration& target);
  void Read(const char* key, std::vector<std::string>& target);
  void Read(const char* key, std::optional<double>& target);
  void Read(const char* key, std::optional<std::int64_t>& target);
  void Read(const char* key, std::optional<absl::Duration>& target);

  // A number between `least` and `most`.
  template <typename Enum>
  void ReadEnum(const char* key, Enum least, Enum most, Enum& target) {
    int number = static_cast<int>(target);
    Read(key, number);
    if (number < static_cast<int>(least) || number > static_cast<int>(most)) {
      Fail(key);
    } else {
      target = static_cast<Enum>(number);
    }
  }

  // The value of a key, or null when it is missing.
  const boost::json::value* Find(const char* key) const;

  void Fail(const char* key);
  const absl::Status& status() const { return status_; }

 private:
  const boost::json::object* object_ = nullptr;
  absl::Status status_;
};

// A double as text that reads back to the same bits: Boost.JSON 1.81 parses numbers one unit in the
// last place off now and then, and an edit must compare equal to itself after a restart.
boost::json::value ToJson(double number);
boost::json::value ToJson(absl::Time time);          // microseconds; null for InfinitePast
boost::json::value ToJson(absl::Duration duration);  // [seconds, nanoseconds]: exact
boost::json::array ToJson(const std::vector<std::string>& strings);
boost::json::string ToJson(const std::string& text);

}  // namespace lumaedit
