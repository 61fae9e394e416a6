#include "server/upstream/answer.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/upstream/json_stream.h"
#include "server/upstream/record_reader.h"
#include "server/upstream/upstream_text.h"

namespace lumaedit {
namespace {

namespace json = boost::json;

constexpr absl::Duration kShortestWait = absl::Milliseconds(100);
constexpr absl::Duration kLongestWait = absl::Seconds(120);
// Where a recognised 429 names no usable wait: a sixth of the upstream's window (upstream.md 5.4).
constexpr absl::Duration kUnstatedWait = absl::Seconds(10);

// Only the check of JsonStream; the values are read from Boost's tree afterwards.
class NoEvents final : public JsonEvents {
 public:
  void BeginObject() override {}
  void EndObject() override {}
  void BeginArray() override {}
  void EndArray() override {}
  void Key(std::string_view) override {}
  void StringPart(std::string_view) override {}
  void EndString() override {}
  void Number(double) override {}
  void Bool(bool) override {}
  void Null() override {}
};

const json::value* Find(const json::object& object, std::string_view key) {
  return object.if_contains(json::string_view(key.data(), key.size()));
}

std::string TextOf(const json::object& object, std::string_view key) {
  const json::value* value = Find(object, key);
  if (value == nullptr) return {};
  if (const json::string* text = value->if_string()) return std::string(text->data(), text->size());
  if (const auto* number = value->if_int64()) return absl::StrCat(*number);
  return {};
}

std::optional<double> NumberOf(const json::object& object, std::string_view key) {
  const json::value* value = Find(object, key);
  if (value == nullptr) return std::nullopt;
  if (const auto* number = value->if_int64()) return static_cast<double>(*number);
  if (const auto* number = value->if_uint64()) return static_cast<double>(*number);
  if (const auto* number = value->if_double()) return *number;
  double number = 0;
  const std::string text = TextOf(object, key);
  if (text.size() <= 40 && absl::SimpleAtod(text, &number)) return number;
  return std::nullopt;
}

void ReadReason(const json::object& object, ErrorBody& body) {
  if (const json::value* error = Find(object, "error")) {
    if (const json::object* inner = error->if_object()) {
      for (const char* key : {"message", "detail"}) {
        if (body.message.empty()) body.message = TextOf(*inner, key);
      }
      for (const char* key : {"code", "status", "failure_code"}) {
        if (body.code.empty()) body.code = TextOf(*inner, key);
      }
    } else {
      body.message = TextOf(object, "error");
    }
  }
  for (const char* key : {"message", "detail"}) {
    if (body.message.empty()) body.message = TextOf(object, key);
  }
  for (const char* key : {"failure_code", "code"}) {
    if (body.code.empty()) body.code = TextOf(object, key);
  }
}

void ReadRateLimit(const json::object& object, ErrorBody& body) {
  const json::value* value = Find(object, "rate_limit");
  const json::object* limit = value == nullptr ? nullptr : value->if_object();
  if (limit == nullptr) return;
  body.has_rate_limit = true;
  const std::optional<double> wait_ms = NumberOf(*limit, "retry_after_ms");
  // Longer than any wait we keep reads as that wait; NaN and negatives as none.
  if (wait_ms && *wait_ms > 0) body.retry_after = absl::Milliseconds(std::min(*wait_ms, 3.6e6));
  const std::optional<double> count = NumberOf(*limit, "limit");
  const std::optional<double> interval = NumberOf(*limit, "interval_seconds");
  if (count && interval && *count >= 1 && *count <= 1e6 && *interval > 0 && *interval <= 86400) {
    body.rate_limit =
        RateLimit{.limit = static_cast<int>(*count), .interval = absl::Seconds(*interval)};
  }
}

bool IsReadable(const PostAnswer& answer) {
  return answer.complete && (answer.content_encoding.empty() ||
                             absl::EqualsIgnoreCase(answer.content_encoding, "identity"));
}

bool IsRecognised429(const ErrorBody& body) {
  return !body.has_request_id &&
         (body.has_rate_limit || absl::StrContains(body.message, "Rate limit exceeded"));
}

// The N of "Backend error (N)"; 0 where there is none, or where two differ.
int BackendErrorNumber(std::string_view message) {
  static constexpr std::string_view kWords = "Backend error (";
  int found = 0;
  for (std::size_t at = message.find(kWords); at != std::string_view::npos;
       at = message.find(kWords, at + 1)) {
    const std::string_view rest = message.substr(at + kWords.size());
    int number = 0;
    if (rest.size() < 4 || rest[3] != ')' ||
        !absl::SimpleAtoi(AbslView(rest.substr(0, 3)), &number) || number < 100 ||
        (found != 0 && found != number)) {
      return 0;
    }
    found = number;
  }
  return found;
}

Fact Meaning(FactKind kind, const PostAnswer& answer, std::string_view note) {
  Fact fact;
  fact.kind = kind;
  fact.http_status = answer.http_status;
  fact.note = CleanText(note, answer.key, kMaxUpstreamTextBytes);
  return fact;
}

Fact MeaningOfSuccess(const PostAnswer& answer) {
  RecordReader reader(answer.key);
  absl::Status status = reader.Write(answer.body);
  if (status.ok()) status = reader.Finish();
  if (!status.ok()) {
    return Meaning(FactKind::kUnclear, answer, std::string(status.message()));
  }
  UpstreamRecord record = reader.Record();
  if (record.id.empty()) {
    return Meaning(FactKind::kUnclear, answer, "a success without a usable request_id");
  }
  Fact fact = Meaning(FactKind::kAccepted, answer, "");
  fact.upstream_id = std::move(record.id);
  fact.upstream_status = std::move(record.status_word);
  fact.outcome = std::move(record.outcome);
  fact.error = std::move(record.error);
  return fact;
}

Fact MeaningOfRefusal(FactKind kind, ErrorReason reason, const PostAnswer& answer,
                      const std::optional<ErrorBody>& body) {
  Fact fact = Meaning(kind, answer, body ? body->message : std::string_view());
  UpstreamReason text;
  if (body) text = {.code = body->code, .message = body->message};
  fact.error = MakeUpstreamError(text, reason, false, answer.key);
  return fact;
}

Fact RefusedInWords(const PostAnswer& answer, const std::optional<ErrorBody>& body) {
  Fact fact = Meaning(FactKind::kRefusedInWords, answer,
                      body ? std::string_view(body->message) : std::string_view("no JSON"));
  if (body) fact.upstream_id = body->named_id;
  return fact;
}

absl::Duration WaitOf(const PostAnswer& answer, const ErrorBody& body) {
  const absl::Duration wait =
      std::max(body.retry_after, ReadRetryAfter(answer.retry_after, answer.now));
  if (wait <= absl::ZeroDuration()) return kUnstatedWait;
  return std::clamp(wait, kShortestWait, kLongestWait);
}

Fact MeaningOf429(const PostAnswer& answer, const std::optional<ErrorBody>& body) {
  if (!body || !IsRecognised429(*body)) return RefusedInWords(answer, body);
  Fact fact = Meaning(FactKind::kNotAccepted, answer, "the upstream's rate limit");
  fact.retry_after = WaitOf(answer, *body);
  return fact;
}

Fact MeaningOf5xx(const PostAnswer& answer, const std::optional<ErrorBody>& body) {
  const std::string_view note = body ? std::string_view(body->message)
                                     : std::string_view("a server error without readable JSON");
  if (!body) return Meaning(FactKind::kUnclear, answer, note);
  if (answer.http_status == 503 &&
      absl::StrContains(absl::AsciiStrToLower(body->message), "capacity")) {
    return RefusedInWords(answer, body);
  }
  if (answer.http_status == 500) {
    const int number = BackendErrorNumber(body->message);
    if (number == 429) return RefusedInWords(answer, body);
    if (number >= 400 && number <= 499) {
      return MeaningOfRefusal(FactKind::kEditRefused, ErrorReason::kUpstreamRefused, answer, body);
    }
  }
  return Meaning(FactKind::kUnclear, answer, note);
}

}  // namespace

std::optional<ErrorBody> ReadErrorBody(std::string_view text) {
  NoEvents events;
  JsonStream stream(events);
  if (!stream.Write(text).ok() || !stream.Finish().ok()) return std::nullopt;
  json::error_code ec;
  const json::value root = json::parse(json::string_view(text.data(), text.size()), ec);
  if (ec || !root.is_object()) return std::nullopt;
  const json::object& object = root.get_object();
  ErrorBody body;
  ReadReason(object, body);
  if (const json::value* id = Find(object, "request_id")) {
    const json::string* id_text = id->if_string();
    body.has_request_id = !id->is_null() && !(id_text != nullptr && id_text->empty());
    if (id_text != nullptr && IsUpstreamId({id_text->data(), id_text->size()})) {
      body.named_id.assign(id_text->data(), id_text->size());
    }
  }
  ReadRateLimit(object, body);
  return body;
}

Fact MeaningOfPostAnswer(const PostAnswer& answer) {
  const int status = answer.http_status;
  std::optional<ErrorBody> body;
  const bool readable = IsReadable(answer);
  if (readable && (status < 200 || status > 299)) body = ReadErrorBody(answer.body);

  switch (status) {
    case 400:
    case 413:
    case 422:
      return MeaningOfRefusal(FactKind::kEditRefused, ErrorReason::kUpstreamRefused, answer, body);
    case 401:
    case 402:
    case 404:
    case 405:
      return MeaningOfRefusal(FactKind::kEveryoneRefused, ErrorReason::kUpstreamRefused, answer,
                              body);
    case 403:
      return MeaningOfRefusal(FactKind::kEveryoneRefused, ErrorReason::kUpstreamNotEntitled, answer,
                              body);
    default:
      break;
  }
  if (status >= 300 && status <= 399) {
    return MeaningOfRefusal(FactKind::kEveryoneRefused, ErrorReason::kUpstreamRefused, answer,
                            body);
  }
  if (status == 429) return MeaningOf429(answer, body);
  if (!answer.complete) return Meaning(FactKind::kUnclear, answer, answer.break_note);
  if (!readable) return Meaning(FactKind::kUnclear, answer, "a compressed answer, not asked for");
  if (status >= 200 && status <= 299) return MeaningOfSuccess(answer);
  if (status >= 500 && status <= 599) return MeaningOf5xx(answer, body);
  return Meaning(FactKind::kUnclear, answer, body ? body->message : std::string_view());
}

std::optional<RateLimit> RateLimitOf(const PostAnswer& answer) {
  if (answer.http_status != 429 || !IsReadable(answer)) return std::nullopt;
  const std::optional<ErrorBody> body = ReadErrorBody(answer.body);
  if (!body || !IsRecognised429(*body)) return std::nullopt;
  return body->rate_limit;
}

}  // namespace lumaedit
