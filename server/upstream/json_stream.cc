#include "server/upstream/json_stream.h"

#include <boost/json/basic_parser_impl.hpp>
#include <cmath>
#include <string>
#include <system_error>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/hash/hash.h"
#include "absl/strings/charconv.h"
#include "absl/strings/str_cat.h"

namespace lumaedit {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDepth = 32;
constexpr std::size_t kMaxKeyBytes = 4096;
constexpr std::size_t kMaxKeysOfObject = 4096;
constexpr std::size_t kMaxNumberBytes = 512;

std::string_view View(json::string_view text) { return {text.data(), text.size()}; }

// What Boost's parser calls. A refusal of ours is a text in `refusal` and boost's `syntax` code.
struct Handler {
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

  explicit Handler(JsonEvents& e) : events(e) {}

  bool Refuse(const char* why, json::error_code& ec) {
    refusal = why;
    ec = json::error::syntax;
    return false;
  }

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_object_begin(json::error_code&) {
    keys_seen.emplace_back();
    events.BeginObject();
    return true;
  }
  bool on_object_end(std::size_t, json::error_code&) {
    keys_seen.pop_back();
    events.EndObject();
    return true;
  }
  bool on_array_begin(json::error_code&) {
    events.BeginArray();
    return true;
  }
  bool on_array_end(std::size_t, json::error_code&) {
    events.EndArray();
    return true;
  }
  bool on_key_part(json::string_view part, std::size_t, json::error_code& ec) {
    key.append(part.data(), part.size());
    return key.size() <= kMaxKeyBytes || Refuse("a key is too long", ec);
  }
  bool on_key(json::string_view part, std::size_t size, json::error_code& ec) {
    if (!on_key_part(part, size, ec)) return false;
    // A hash with a seed of this process stands for the key, so that memory stays small.
    auto& seen = keys_seen.back();
    if (!seen.insert(absl::HashOf(key)).second) return Refuse("a key occurs twice", ec);
    if (seen.size() > kMaxKeysOfObject) return Refuse("an object has too many keys", ec);
    events.Key(key);
    key.clear();
    return true;
  }
  bool on_string_part(json::string_view part, std::size_t, json::error_code&) {
    if (!part.empty()) events.StringPart(View(part));
    return true;
  }
  bool on_string(json::string_view part, std::size_t size, json::error_code& ec) {
    on_string_part(part, size, ec);
    events.EndString();
    return true;
  }
  bool on_number_part(json::string_view part, json::error_code& ec) {
    number.append(part.data(), part.size());
    return number.size() <= kMaxNumberBytes || Refuse("a number is too long", ec);
  }
  bool EndNumber(json::string_view part, json::error_code& ec) {
    if (!on_number_part(part, ec)) return false;
    double value = 0;
    const auto result = absl::from_chars(number.data(), number.data() + number.size(), value);
    // Out of range downwards is zero for us; upwards there is no such double.
    if (result.ec == std::errc::result_out_of_range && std::abs(value) > 1) {
      return Refuse("a number is out of range", ec);
    }
    number.clear();
    events.Number(value);
    return true;
  }
  bool on_int64(std::int64_t, json::string_view part, json::error_code& ec) {
    return EndNumber(part, ec);
  }
  bool on_uint64(std::uint64_t, json::string_view part, json::error_code& ec) {
    return EndNumber(part, ec);
  }
  bool on_double(double, json::string_view part, json::error_code& ec) {
    return EndNumber(part, ec);
  }
  bool on_bool(bool value, json::error_code&) {
    events.Bool(value);
    return true;
  }
  bool on_null(json::error_code&) {
    events.Null();
    return true;
  }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

  JsonEvents& events;
  std::string key;
  std::string number;
  std::vector<std::unordered_set<std::size_t>> keys_seen;  // of the open objects
  const char* refusal = nullptr;
};

json::parse_options Options() {
  json::parse_options options;
  options.max_depth = kMaxDepth;
  return options;
}

bool IsJsonSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

}  // namespace

class JsonStream::Impl {
 public:
  explicit Impl(JsonEvents& events) : parser_(Options(), events) {}

  absl::Status Write(bool more, std::string_view bytes) {
    if (!status_.ok()) return status_;
    std::size_t used = 0;
    if (!parser_.done()) {
      json::error_code ec;
      used = parser_.write_some(more, bytes.data(), bytes.size(), ec);
      if (ec) {
        const char* refusal = parser_.handler().refusal;
        status_ = absl::InvalidArgumentError(
            absl::StrCat("not the JSON expected: ", refusal ? refusal : ec.message()));
        return status_;
      }
    }
    for (const char c : bytes.substr(used)) {
      if (IsJsonSpace(c)) continue;
      status_ = absl::InvalidArgumentError("not the JSON expected: bytes after the document");
      break;
    }
    return status_;
  }

 private:
  json::basic_parser<Handler> parser_;
  absl::Status status_;
};

JsonStream::JsonStream(JsonEvents& events) : impl_(std::make_unique<Impl>(events)) {}
JsonStream::~JsonStream() = default;

absl::Status JsonStream::Write(std::string_view bytes) { return impl_->Write(true, bytes); }
absl::Status JsonStream::Finish() { return impl_->Write(false, {}); }

}  // namespace lumaedit
