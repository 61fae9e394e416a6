// Reading of optional members of a JSON object by name, with a default for what is absent or of
// another type. Stateless.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <string_view>

namespace lumaedit::simulator {

inline std::string GetString(const boost::json::object& object, std::string_view key,
                             std::string fallback = "") {
  const auto* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) return fallback;
  return std::string(value->get_string());
}

inline double GetNumber(const boost::json::object& object, std::string_view key, double fallback) {
  const auto* value = object.if_contains(key);
  if (value == nullptr || !value->is_number()) return fallback;
  return value->to_number<double>();
}

inline bool GetBool(const boost::json::object& object, std::string_view key, bool fallback) {
  const auto* value = object.if_contains(key);
  if (value == nullptr || !value->is_bool()) return fallback;
  return value->get_bool();
}

// A member that may be written as a string or as a bare number, as text.
inline std::string GetWord(const boost::json::object& object, std::string_view key,
                           std::string fallback = "") {
  const auto* value = object.if_contains(key);
  if (value == nullptr) return fallback;
  if (value->is_string()) return std::string(value->get_string());
  return boost::json::serialize(*value);
}

}  // namespace lumaedit::simulator
