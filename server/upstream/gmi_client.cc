#include "server/upstream/gmi_client.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/base/hash.h"
#include "server/upstream/answer.h"
#include "server/upstream/record_reader.h"
#include "server/upstream/source_body.h"
#include "server/upstream/upstream_text.h"

namespace lumaedit {

namespace asio = boost::asio;

namespace {

// Of an answer that is no record and no list: enough for the reason in words.
constexpr std::size_t kErrorBodyBytes = 64 * 1024;

bool IsPlain(const HttpHead& head) {
  return head.content_encoding.empty() || absl::EqualsIgnoreCase(head.content_encoding, "identity");
}

// Hands a 2xx body to a reader and keeps a bounded part of any other.
template <typename Reader>
class ReaderSink final : public HttpSink {
 public:
  // `enough` is asked after each piece of a 2xx body.
  ReaderSink(Reader& reader, std::function<bool(const HttpHead&, std::int64_t)> enough)
      : reader_(reader), enough_(std::move(enough)) {}

  bool Head(const HttpHead& head) override {
    head_ = head;
    if (is_success() && !IsPlain(head)) {
      status_ = absl::InvalidArgumentError("a compressed answer, not asked for");
    }
    return status_.ok();
  }

  bool Body(std::string_view bytes) override {
    if (!is_success()) {
      error_body_.append(bytes.substr(0, kErrorBodyBytes - error_body_.size()));
      return error_body_.size() < kErrorBodyBytes;
    }
    size_ += static_cast<std::int64_t>(bytes.size());
    status_ = reader_.Write(bytes);
    return status_.ok() && !enough_(head_, size_);
  }

  bool is_success() const { return head_.status >= 200 && head_.status <= 299; }
  const absl::Status& status() const { return status_; }
  const std::string& error_body() const { return error_body_; }

 private:
  Reader& reader_;
  const std::function<bool(const HttpHead&, std::int64_t)> enough_;
  HttpHead head_;
  std::int64_t size_ = 0;
  absl::Status status_;
  std::string error_body_;
};

ReadFailure FailureOf(int http_status) {
  if (http_status == 404) return ReadFailure::kNotFound;
  if (http_status == 401 || http_status == 403) return ReadFailure::kKeyRefused;
  if (http_status == 429 || (http_status >= 500 && http_status <= 599)) return ReadFailure::kBusy;
  return ReadFailure::kOther;
}

// What GetResult and ListResult have in common. True: the body was read by its reader.
template <typename Result, typename Reader>
bool Judge(const HttpRead& read, const ReaderSink<Reader>& sink, Reader& reader, const Secret& key,
           absl::Time now, Result& result) {
  result.http_status = read.head.status;
  if (read.head.status == 0 || (sink.is_success() && sink.status().ok() && read.failure)) {
    result.failure = ReadFailure::kBroken;
    result.note = read.failure ? read.failure->ToString() : "no answer";
    return false;
  }
  if (!sink.is_success()) {
    result.failure = FailureOf(read.head.status);
    const std::optional<ErrorBody> body =
        IsPlain(read.head) ? ReadErrorBody(sink.error_body()) : std::nullopt;
    result.retry_after = ReadRetryAfter(read.head.retry_after, now);
    if (body) {
      result.retry_after = std::max(result.retry_after, body->retry_after);
      result.note = CleanText(body->message, key, kMaxUpstreamTextBytes);
    }
    return false;
  }
  absl::Status status = sink.status();
  if (status.ok() && !read.was_enough) status = reader.Finish();
  if (!status.ok()) {
    result.failure = ReadFailure::kUnreadable;
    result.note = std::string(status.message());
    return false;
  }
  return true;
}

// A model name goes into a query: everything but unreserved characters is escaped (RFC 3986).
std::string QueryText(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (IsUpstreamId(std::string_view(&c, 1)) || c == '.' || c == '~') {
      out += c;
    } else {
      absl::StrAppend(&out, "%", absl::Hex(static_cast<unsigned char>(c), absl::kZeroPad2));
    }
  }
  return out;
}

std::string NameOf(const Secret& key) {
  return absl::StrCat(kKeyNamePrefix, Sha256Hex(key.Reveal()).substr(0, 16));
}

Fact NotSent(std::string_view note) {
  Fact fact;
  fact.kind = FactKind::kNotAccepted;
  fact.note = std::string(note);
  return fact;
}

}  // namespace

GmiClient::GmiClient(Parts parts) : parts_(std::move(parts)) {}

std::string GmiClient::Account() const { return NameOf(parts_.key()); }

absl::Time GmiClient::DateOr(const HttpHead& head, absl::Time otherwise) const {
  const absl::Time date = ReadHttpDate(head.date);
  return IsSet(date) ? date : otherwise;
}

asio::awaitable<PostResult> GmiClient::Post(PostRequest request, LastByteGate& gate) {
  PostResult result;
  const Secret key = parts_.key();
  if (!request.account.empty() && request.account != NameOf(key)) {
    result.fact = NotSent("gate: the key was changed");
    co_return result;
  }
  PayloadFrame frame = WritePayload(request.model, request.payload);
  std::unique_ptr<SourceReader> source;
  if (frame.has_source) {
    if (!request.source) {
      result.fact = NotSent("body: the source is not given");
      co_return result;
    }
    // Named: gcc 12 destroys a lambda twice that is a temporary of a co_await expression.
    auto open = [sources = &parts_.sources, caller = request.caller,
                 id = request.source->source_id] { return sources->Read(caller, id); };
    absl::StatusOr<std::unique_ptr<SourceReader>> opened =
        co_await Offload(parts_.sources_worker, std::move(open));
    if (!opened.ok() || (*opened)->size_bytes() <= 0) {
      result.fact = NotSent("body: the source could not be opened");
      co_return result;
    }
    source = *std::move(opened);
  }
  SourceBody body(std::move(frame), std::move(source), request.payload.source_data_sha256,
                  parts_.sources_worker);
  HttpPost post = co_await parts_.transport->Post("/requests", key, body, gate);

  const absl::Time now = parts_.clock.Now();
  result.last_byte_given = post.last_byte_given;
  result.upstream_date = ReadHttpDate(post.head.date);
  if (!post.last_byte_given && post.head.status == 0) {
    result.fact = NotSent(post.failure ? post.failure->ToString() : "no answer");
    result.fact.record_time = now;
    co_return result;
  }
  PostAnswer answer;
  answer.http_status = post.head.status;
  answer.complete = !post.failure.has_value();
  answer.content_encoding = post.head.content_encoding;
  answer.retry_after = post.head.retry_after;
  answer.body = std::move(post.body);
  if (post.failure) answer.break_note = post.failure->ToString();
  answer.now = DateOr(post.head, now);
  answer.key = key;
  result.fact = MeaningOfPostAnswer(answer);
  result.fact.record_time = now;
  if (result.fact.outcome) result.fact.outcome->read_time = now;
  result.rate_limit = RateLimitOf(answer);
  co_return result;
}

asio::awaitable<GetResult> GmiClient::Get(std::string upstream_id) {
  GetResult result;
  const Secret key = parts_.key();
  result.key = NameOf(key);
  if (!IsUpstreamId(upstream_id)) {
    result.failure = ReadFailure::kOther;
    result.note = "not an upstream id";
    co_return result;
  }
  RecordReader reader(key);
  ReaderSink<RecordReader> sink(reader, [&](const HttpHead& head, std::int64_t size) {
    const std::int64_t rest = head.content_length ? *head.content_length - size : size;
    return rest > parts_.long_rest_bytes && reader.rest_is_worthless();
  });
  const HttpRead read =
      co_await parts_.transport->Get(absl::StrCat("/requests/", upstream_id), key, sink);
  const absl::Time now = parts_.clock.Now();
  result.upstream_date = ReadHttpDate(read.head.date);
  if (!Judge(read, sink, reader, key, DateOr(read.head, now), result)) co_return result;
  result.record = reader.Record();
  if (result.record.id.empty()) result.record.id = upstream_id;
  if (result.record.id != upstream_id) {
    result.failure = ReadFailure::kUnreadable;
    result.note = "the answer is about another record";
    result.record = UpstreamRecord();
    co_return result;
  }
  if (result.record.outcome) result.record.outcome->read_time = now;
  co_return result;
}

asio::awaitable<ListResult> GmiClient::List(ListQuery query) {
  ListResult result;
  const Secret key = parts_.key();
  result.key = NameOf(key);
  ListReader reader(key, query.want_echo, query.limit, query.stop, query.sweep);
  ReaderSink<ListReader> sink(reader, [&](const HttpHead& head, std::int64_t size) {
    const std::int64_t rest = head.content_length ? *head.content_length - size : size;
    return reader.is_full() || (rest > parts_.long_rest_bytes && reader.rest_is_worthless());
  });
  std::string target = absl::StrCat("/requests?limit=", query.limit, "&offset=", query.offset);
  if (!query.model.empty()) absl::StrAppend(&target, "&model_id=", QueryText(query.model));
  const HttpRead read = co_await parts_.transport->Get(std::move(target), key, sink);
  const absl::Time now = parts_.clock.Now();
  result.upstream_date = ReadHttpDate(read.head.date);
  result.body_bytes = read.body_bytes;
  const bool at_fault = sink.is_success() && !sink.status().ok() && reader.may_end_at_a_fault();
  if (!at_fault && !Judge(read, sink, reader, key, DateOr(read.head, now), result)) {
    co_return result;
  }
  result.http_status = read.head.status;
  const bool ended_early = read.was_enough && !reader.is_full();
  if (ended_early) reader.EndEarly();
  if (reader.is_full()) {
    // The upstream sent more than was asked for; the next page begins where the limit stands.
    if (absl::Status status = reader.Finish(); !status.ok()) {
      result.failure = ReadFailure::kUnreadable;
      result.note = std::string(status.message());
      co_return result;
    }
    // What stood after the record that was not read on is not known.
    if (!ended_early) result.has_more = true;
  } else {
    result.has_more = reader.has_more();
  }
  result.records = reader.TakeRecords();
  for (UpstreamRecord& record : result.records) {
    if (record.outcome) record.outcome->read_time = now;
  }
  co_return result;
}

}  // namespace lumaedit
