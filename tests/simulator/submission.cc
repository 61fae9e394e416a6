#include "submission.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "digest.h"
#include "json_get.h"

namespace lumaedit::simulator {
namespace {

namespace json = boost::json;

constexpr size_t kFail = std::string_view::npos;

struct Spans {
  size_t payload_begin = 0;
  size_t payload_end = 0;
  // Between the quotes.
  size_t data_begin = 0;
  size_t data_end = 0;
};

// Finds where values begin and end; whether they are legal JSON is for the real parser to say.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool Find(Spans& spans) {
    const auto visit_data = [&](std::string_view key, size_t begin, size_t end) {
      if (key != "source_data" || text_[begin] != '"') return;
      spans.data_begin = begin + 1;
      spans.data_end = end - 1;
    };
    const auto visit_root = [&](std::string_view key, size_t begin, size_t end) {
      if (key != "payload") return;
      spans.payload_begin = begin;
      spans.payload_end = end;
      ForEachMember(begin, visit_data);
    };
    return ForEachMember(SkipSpace(0), visit_root) != kFail;
  }

 private:
  size_t SkipSpace(size_t at) const {
    while (at < text_.size() && std::strchr(" \t\r\n", text_[at]) != nullptr && text_[at] != 0) {
      ++at;
    }
    return at;
  }

  // From behind the opening quote to the closing one. memchr keeps 270 MB of base64 cheap.
  size_t StringEnd(size_t at) const {
    for (;;) {
      const size_t quote = text_.find('"', at);
      if (quote == kFail) return kFail;
      const void* escape = std::memchr(text_.data() + at, '\\', quote - at);
      if (escape == nullptr) return quote;
      at = static_cast<size_t>(static_cast<const char*>(escape) - text_.data()) + 2;
      if (at > text_.size()) return kFail;
    }
  }

  size_t ValueEnd(size_t at) const {
    int depth = 0;
    while (at < text_.size()) {
      const char c = text_[at];
      if (c == '"') {
        at = StringEnd(at + 1);
        if (at == kFail) return kFail;
      } else if (c == '{' || c == '[') {
        ++depth;
      } else if (c == '}' || c == ']') {
        if (depth == 0) return at;
        --depth;
        if (depth == 0) return at + 1;
      } else if (depth == 0 && c == ',') {
        return at;
      }
      ++at;
      if (depth == 0 && c == '"') return at;
    }
    return kFail;
  }

  template <typename Visit>
  size_t ForEachMember(size_t at, Visit visit) const {
    if (at >= text_.size() || text_[at] != '{') return kFail;
    at = SkipSpace(at + 1);
    if (at < text_.size() && text_[at] == '}') return at + 1;
    for (;;) {
      if (at >= text_.size() || text_[at] != '"') return kFail;
      const size_t key_end = StringEnd(at + 1);
      if (key_end == kFail) return kFail;
      const std::string_view key = text_.substr(at + 1, key_end - at - 1);
      at = SkipSpace(key_end + 1);
      if (at >= text_.size() || text_[at] != ':') return kFail;
      const size_t begin = SkipSpace(at + 1);
      const size_t end = ValueEnd(begin);
      if (end == kFail || end == begin) return kFail;
      visit(key, begin, end);
      at = SkipSpace(end);
      if (at >= text_.size()) return kFail;
      if (text_[at] == '}') return at + 1;
      if (text_[at] != ',') return kFail;
      at = SkipSpace(at + 1);
    }
  }

  std::string_view text_;
};

void ReadSourceData(std::string_view text, Submission& out) {
  out.has_source_data = !text.empty();
  out.source_data_chars = text.size();
  bool alphabet[256] = {};
  for (const char c :
       std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")) {
    alphabet[static_cast<unsigned char>(c)] = true;
  }
  Sha256 hash;
  size_t from = 0;
  while (from < text.size()) {
    const size_t escape = std::min(text.find('\\', from), text.size());
    const std::string_view piece = text.substr(from, escape - from);
    hash.Update(piece);
    bool good = true;
    for (const char c : piece) good &= alphabet[static_cast<unsigned char>(c)];
    out.source_data_is_base64 = out.source_data_is_base64 && good;
    from = escape;
    if (escape == text.size()) break;
    // "\/" is the one escape an encoder may put into base64.
    if (text.substr(escape, 2) == "\\/") {
      hash.Update("/");
    } else {
      out.source_data_is_base64 = false;
    }
    from = escape + 2;
  }
  out.source_data_sha256 = hash.Hex();
}

std::optional<Submission> Parse(std::shared_ptr<const std::string> body, std::string* error) {
  const std::string_view text = *body;
  Spans spans;
  if (!Scanner(text).Find(spans)) {
    *error = "request body is not valid JSON";
    return std::nullopt;
  }
  std::string reduced(text.substr(0, spans.data_begin));
  if (spans.data_end != 0) {
    reduced.append(text.substr(spans.data_end));
  } else {
    reduced = text;
  }
  json::error_code code;
  const json::value root = json::parse(reduced, code);
  if (code || !root.is_object()) {
    *error = "request body is not valid JSON";
    return std::nullopt;
  }
  const json::object& object = root.get_object();
  const json::value* payload = object.if_contains("payload");
  Submission out;
  out.model = GetString(object, "model");
  if (out.model.empty()) {
    *error = "model is required";
    return std::nullopt;
  }
  if (payload == nullptr || !payload->is_object()) {
    *error = "payload is required";
    return std::nullopt;
  }
  out.payload = payload->get_object();
  out.prompt = GetString(out.payload, "prompt");
  out.raw = text.substr(spans.payload_begin, spans.payload_end - spans.payload_begin);
  out.payload_sha256 = Sha256Hex(out.raw);
  json::object comparable = out.payload;
  if (spans.data_end != 0) {
    ReadSourceData(text.substr(spans.data_begin, spans.data_end - spans.data_begin), out);
    comparable["source_data"] = "sha256:" + out.source_data_sha256;
  }
  out.fingerprint = Sha256Hex(CanonicalJson(comparable));
  out.raw_owner = std::move(body);
  return out;
}

}  // namespace

std::string CanonicalJson(const json::value& value) {
  if (value.is_object()) {
    std::map<std::string, std::string> members;
    for (const auto& member : value.get_object()) {
      members[std::string(member.key())] = CanonicalJson(member.value());
    }
    std::string text = "{";
    for (const auto& [key, member] : members) {
      if (text.size() > 1) text += ",";
      text += json::serialize(json::string(key)) + ":" + member;
    }
    return text + "}";
  }
  if (value.is_array()) {
    std::string text = "[";
    for (const auto& item : value.get_array()) {
      if (text.size() > 1) text += ",";
      text += CanonicalJson(item);
    }
    return text + "]";
  }
  // 1 and 1.0 mean the same to the upstream.
  if (value.is_number()) return json::serialize(json::value(value.to_number<double>()));
  return json::serialize(value);
}

std::optional<Submission> ParseSubmission(std::shared_ptr<const std::string> body, bool short_body,
                                          std::string* error) {
  std::optional<Submission> found = Parse(body, error);
  if (found || !short_body) return found;
  for (const char* ending : {"}", "}}", "\"}}", "\"}"}) {
    found = Parse(std::make_shared<const std::string>(*body + ending), error);
    if (found) return found;
  }
  return std::nullopt;
}

}  // namespace lumaedit::simulator
