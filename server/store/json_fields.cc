#include "server/store/json_fields.h"

#include <boost/json/parse.hpp>
#include <charconv>
#include <limits>

#include "absl/strings/str_cat.h"

namespace lumaedit {
namespace json = boost::json;
namespace {

constexpr int kMostDepth = 16;

bool ReadDuration(const json::value& value, absl::Duration& target) {
  const json::array* pair = value.if_array();
  if (pair == nullptr || pair->size() != 2) return false;
  const std::int64_t* seconds = (*pair)[0].if_int64();
  const std::int64_t* nanoseconds = (*pair)[1].if_int64();
  if (seconds == nullptr || nanoseconds == nullptr) return false;
  target = absl::Seconds(*seconds) + absl::Nanoseconds(*nanoseconds);
  return true;
}

bool ReadDouble(const json::value& value, double& target) {
  const json::string* text = value.if_string();
  if (text == nullptr) return false;
  const char* end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, target);
  return error == std::errc() && stop == end;
}

}  // namespace

absl::StatusOr<json::value> ParseStoredJson(std::string_view text) {
  json::parse_options options;
  options.max_depth = kMostDepth;
  options.allow_invalid_utf8 = true;
  json::error_code error;
  json::value value = json::parse(text, error, {}, options);
  if (error) return absl::DataLossError("a stored value is not JSON");
  return value;
}

FieldReader::FieldReader(const json::value& value) : object_(value.if_object()) {
  if (object_ == nullptr) status_ = absl::DataLossError("a stored value is not a JSON object");
}

const json::value* FieldReader::Find(const char* key) const {
  return object_ == nullptr ? nullptr : object_->if_contains(key);
}

void FieldReader::Fail(const char* key) {
  if (status_.ok()) {
    status_ = absl::DataLossError(absl::StrCat("a stored value is wrong at \"", key, "\""));
  }
}

void FieldReader::Read(const char* key, std::string& target) {
  const json::value* value = Find(key);
  if (value == nullptr) return;
  const json::string* text = value->if_string();
  if (text == nullptr) return Fail(key);
  target.assign(text->data(), text->size());
}

void FieldReader::Read(const char* key, bool& target) {
  const json::value* value = Find(key);
  if (value == nullptr) return;
  const bool* flag = value->if_bool();
  if (flag == nullptr) return Fail(key);
  target = *flag;
}

void FieldReader::Read(const char* key, std::int64_t& target) {
  const json::value* value = Find(key);
  if (value == nullptr) return;
  const std::int64_t* number = value->if_int64();
  if (number == nullptr) return Fail(key);
  target = *number;
}

void FieldReader::Read(const char* key, int& target) {
  std::int64_t number = target;
  Read(key, number);
  if (number < std::numeric_limits<int>::min() || number > std::numeric_limits<int>::max()) {
    return Fail(key);
  }
  target = static_cast<int>(number);
}

void FieldReader::Read(const char* key, absl::Time& target) {
  const json::value* value = Find(key);
  if (value == nullptr || value->is_null()) return;
  const std::int64_t* micros = value->if_int64();
  if (micros == nullptr) return Fail(key);
  target = absl::FromUnixMicros(*micros);
}

void FieldReader::Read(const char* key, absl::Duration& target) {
  const json::value* value = Find(key);
  if (value != nullptr && !ReadDuration(*value, target)) Fail(key);
}

void FieldReader::Read(const char* key, std::vector<std::string>& target) {
  const json::value* value = Find(key);
  if (value == nullptr) return;
  const json::array* items = value->if_array();
  if (items == nullptr) return Fail(key);
  target.clear();
  for (const json::value& item : *items) {
    const json::string* text = item.if_string();
    if (text == nullptr) return Fail(key);
    target.emplace_back(text->data(), text->size());
  }
}

void FieldReader::Read(const char* key, std::optional<double>& target) {
  const json::value* value = Find(key);
  if (value != nullptr && !ReadDouble(*value, target.emplace())) Fail(key);
}

void FieldReader::Read(const char* key, std::optional<std::int64_t>& target) {
  if (Find(key) != nullptr) Read(key, target.emplace());
}

void FieldReader::Read(const char* key, std::optional<absl::Duration>& target) {
  if (Find(key) != nullptr) Read(key, target.emplace());
}

json::value ToJson(double number) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof(text), number);
  return json::string(text, end - text);
}

json::value ToJson(absl::Time time) {
  if (time == absl::InfinitePast()) return nullptr;
  return absl::ToUnixMicros(time);
}

json::value ToJson(absl::Duration duration) {
  absl::Duration rest;
  const std::int64_t seconds = absl::IDivDuration(duration, absl::Seconds(1), &rest);
  return json::array{seconds, absl::ToInt64Nanoseconds(rest)};
}

json::array ToJson(const std::vector<std::string>& strings) {
  json::array array;
  array.reserve(strings.size());
  for (const std::string& text : strings) array.push_back(ToJson(text));
  return array;
}

json::string ToJson(const std::string& text) { return json::string(text.data(), text.size()); }

}  // namespace lumaedit
