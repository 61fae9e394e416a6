#include "server/upstream/http_transport.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/crash_point.h"
#include "server/upstream/http_answer.h"
#include "server/upstream/http_connection.h"

namespace lumaedit {

namespace asio = boost::asio;

namespace {

using ErrorCode = boost::system::error_code;
using Failure = std::optional<HttpFailure>;

// What the reader and the writer of one POST share.
struct PostExchange final : HttpSink {
  PostExchange(std::shared_ptr<HttpConnection> c, const asio::any_io_executor& executor)
      : connection(std::move(c)), changed(executor) {
    changed.expires_at(std::chrono::steady_clock::time_point::max());
  }

  bool Head(const HttpHead& head) override {
    result.head = head;
    return true;
  }
  bool Body(std::string_view bytes) override {
    result.body.append(bytes);
    return true;
  }
  void Wake() { changed.cancel(); }

  std::shared_ptr<HttpConnection> connection;
  asio::steady_timer changed;
  HttpPost result;
  bool answering = false;  // an answer has begun
  bool ended = false;      // it was read, or can no longer be
};

// Closes what a coroutine leaves behind, however it ends.
class Closer {
 public:
  explicit Closer(std::shared_ptr<HttpConnection> connection)
      : connection_(std::move(connection)) {}
  Closer(const Closer&) = delete;
  Closer& operator=(const Closer&) = delete;
  ~Closer() {
    if (connection_) connection_->Close();
  }
  void Keep() { connection_.reset(); }

 private:
  std::shared_ptr<HttpConnection> connection_;
};

asio::awaitable<void> ReadPostAnswer(std::shared_ptr<PostExchange> exchange, HttpOptions options) {
  AnswerReader* self = nullptr;
  AnswerReader reader(*exchange->connection, options.header_bytes_limit, options.answer_bytes_limit,
                      *exchange, [&exchange, &self, &options] {
                        const bool was_answering = exchange->answering;
                        exchange->answering = self->begun();
                        exchange->Wake();
                        if (exchange->result.last_byte_given) return;
                        if (exchange->answering && !was_answering) {
                          exchange->connection->Limit(options.early_answer_limit);
                        } else if (!exchange->answering) {
                          exchange->connection->EndStep();
                        }
                      });
  self = &reader;
  Failure failure = co_await reader.Run();
  exchange->result.failure = std::move(failure);
  exchange->ended = true;
  // A writer that waits for a peer who has stopped reading must not wait on.
  if (!exchange->result.last_byte_given) exchange->connection->Close();
  exchange->Wake();
}

asio::awaitable<void> AwaitEnd(PostExchange& exchange) {
  while (!exchange.ended) {
    co_await exchange.changed.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

// True when the exchange is over before its time; waits while an answer is coming in.
asio::awaitable<bool> IsAnsweredEarly(PostExchange& exchange) {
  while (exchange.answering && !exchange.ended) {
    co_await exchange.changed.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  co_return exchange.ended;
}

// Sends the header and all of the body but its last byte. Unset: it is out.
asio::awaitable<Failure> SendAllButLastByte(PostExchange& exchange, const HttpOptions& options,
                                            std::string head, HttpBody& body, char& last_byte) {
  HttpConnection& connection = *exchange.connection;
  std::string pending = std::move(head);
  for (std::int64_t sent = 0; sent < body.size();) {
    absl::StatusOr<std::string> slice = co_await body.Next();
    if (!slice.ok()) {
      co_return HttpFailure{.step = HttpStep::kBody, .text = std::string(slice.status().message())};
    }
    sent += static_cast<std::int64_t>(slice->size());
    if (slice->empty() || sent > body.size()) {
      co_return HttpFailure{.step = HttpStep::kBody, .text = "another length than announced"};
    }
    if (sent == body.size()) {
      last_byte = slice->back();
      slice->pop_back();
    }
    pending.append(*slice);
    if (co_await IsAnsweredEarly(exchange)) co_return std::nullopt;
    connection.Limit(options.write_limit);
    const ErrorCode error = co_await connection.Write(pending);
    if (error && !connection.is_late()) {
      // The peer may have said why before it closed.
      if (!exchange.ended) connection.Limit(options.early_answer_limit);
      co_await AwaitEnd(exchange);
      co_return std::nullopt;
    }
    if (error) co_return connection.Failure(HttpStep::kWrite, error);
    if (!exchange.answering) connection.EndStep();
    pending.clear();
  }
  co_return std::nullopt;
}

class TlsHttpTransport final : public HttpTransport {
 public:
  TlsHttpTransport(const asio::any_io_executor& executor, HttpOptions options, HttpTarget target,
                   std::unique_ptr<asio::ssl::context> tls)
      : executor_(executor),
        options_(std::move(options)),
        target_(std::move(target)),
        tls_(std::move(tls)) {}

  asio::awaitable<HttpRead> Get(std::string target, Secret key, HttpSink& sink) override;
  asio::awaitable<HttpPost> Post(std::string target, Secret key, HttpBody& body,
                                 LastByteGate& gate) override;

 private:
  struct Idle {
    std::shared_ptr<HttpConnection> connection;
    std::chrono::steady_clock::time_point until;
  };

  asio::awaitable<HttpRead> ReadOver(std::shared_ptr<HttpConnection> connection,
                                     const std::string& request, HttpSink& sink, bool& begun);
  std::shared_ptr<HttpConnection> MakeConnection() {
    return std::make_shared<HttpConnection>(executor_, tls_.get());
  }
  std::shared_ptr<HttpConnection> TakeIdle();
  void KeepIdle(std::shared_ptr<HttpConnection> connection);
  std::string RequestHead(const char* method, const std::string& target, const Secret& key) const;

  const asio::any_io_executor executor_;
  const HttpOptions options_;
  const HttpTarget target_;
  const std::unique_ptr<asio::ssl::context> tls_;
  std::vector<Idle> idle_;
};

std::string TlsHttpTransport::RequestHead(const char* method, const std::string& target,
                                          const Secret& key) const {
  return absl::StrCat(method, " ", target_.path, target, " HTTP/1.1\r\nHost: ", target_.host_header,
                      "\r\nAuthorization: Bearer ", key.Reveal(),
                      "\r\nUser-Agent: luma-edit-gateway\r\nAccept: application/json"
                      "\r\nAccept-Encoding: identity\r\n");
}

bool IsHeaderText(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7F; });
}

HttpFailure UnfitKey() {
  return HttpFailure{.step = HttpStep::kConnect, .text = "the key is empty or not printable"};
}

std::shared_ptr<HttpConnection> TlsHttpTransport::TakeIdle() {
  const auto now = std::chrono::steady_clock::now();
  while (!idle_.empty()) {
    Idle idle = std::move(idle_.back());
    idle_.pop_back();
    if (idle.until > now && idle.connection->LooksAlive()) return idle.connection;
    idle.connection->Close();
  }
  return nullptr;
}

void TlsHttpTransport::KeepIdle(std::shared_ptr<HttpConnection> connection) {
  connection->NoLimits();
  const auto now = std::chrono::steady_clock::now();
  if (static_cast<int>(idle_.size()) >= options_.idle_connections) {
    if (idle_.empty()) return;
    idle_.front().connection->Close();
    idle_.erase(idle_.begin());
  }
  idle_.push_back({std::move(connection), now + absl::ToChronoNanoseconds(options_.idle_limit)});
}

asio::awaitable<HttpRead> TlsHttpTransport::ReadOver(std::shared_ptr<HttpConnection> connection,
                                                     const std::string& request, HttpSink& sink,
                                                     bool& begun) {
  struct Recorder final : HttpSink {
    explicit Recorder(HttpSink& s) : next(s) {}
    bool Head(const HttpHead& h) override {
      head = h;
      return next.Head(h);
    }
    bool Body(std::string_view bytes) override { return next.Body(bytes); }
    HttpSink& next;
    HttpHead head;
  };
  Closer closer(connection);
  HttpRead read;
  connection->Limit(options_.write_limit);
  if (const ErrorCode error = co_await connection->Write(request)) {
    read.failure = connection->Failure(HttpStep::kWrite, error);
    co_return read;
  }
  connection->Limit(options_.first_byte_limit);
  Recorder recorder(sink);
  AnswerReader reader(*connection, options_.header_bytes_limit, options_.read_bytes_limit, recorder,
                      [&] { connection->Limit(options_.pause_limit); });
  read.failure = co_await reader.Run();
  begun = reader.begun();
  read.head = std::move(recorder.head);
  read.body_bytes = reader.body_bytes();
  read.was_enough = reader.was_enough();
  if (!read.failure && !read.was_enough && reader.may_be_kept()) {
    closer.Keep();
    KeepIdle(std::move(connection));
  }
  co_return read;
}

asio::awaitable<HttpRead> TlsHttpTransport::Get(std::string target, Secret key, HttpSink& sink) {
  HttpRead read;
  if (!IsHeaderText(key.Reveal())) {
    read.failure = UnfitKey();
    co_return read;
  }
  const std::string request = RequestHead("GET", target, key) + "\r\n";
  if (std::shared_ptr<HttpConnection> kept = TakeIdle()) {
    kept->LimitWhole(options_.read_limit);
    bool begun = false;
    read = co_await ReadOver(kept, request, sink, begun);
    const bool was_dead = read.failure && !begun && !read.failure->was_deadline;
    if (!was_dead) co_return read;
  }
  read = HttpRead();
  auto connection = MakeConnection();
  connection->LimitWhole(options_.read_limit);
  read.failure = co_await connection->Open(target_, options_);
  if (read.failure) co_return read;
  bool begun = false;
  co_return co_await ReadOver(connection, request, sink, begun);
}

asio::awaitable<HttpPost> TlsHttpTransport::Post(std::string target, Secret key, HttpBody& body,
                                                 LastByteGate& gate) {
  HttpPost failed;
  if (!IsHeaderText(key.Reveal())) {
    failed.failure = UnfitKey();
    co_return failed;
  }
  auto connection = MakeConnection();
  Closer closer(connection);
  connection->LimitWhole(options_.upload_limit);
  failed.failure = co_await connection->Open(target_, options_);
  if (failed.failure) co_return failed;

  auto exchange = std::make_shared<PostExchange>(connection, executor_);
  asio::co_spawn(executor_, ReadPostAnswer(exchange, options_),
                 [exchange](const std::exception_ptr& bug) {
                   if (!bug) return;
                   // Whoever waits for the end must not wait for ever.
                   exchange->result.failure =
                       HttpFailure{.step = HttpStep::kRead, .text = "the reader ended early"};
                   exchange->ended = true;
                   exchange->Wake();
                 });
  std::string head = absl::StrCat(RequestHead("POST", target, key),
                                  "Content-Type: application/json\r\nContent-Length: ", body.size(),
                                  "\r\nConnection: close\r\n\r\n");
  char last_byte = 0;
  failed.failure =
      co_await SendAllButLastByte(*exchange, options_, std::move(head), body, last_byte);
  if (failed.failure) co_return failed;
  if (co_await IsAnsweredEarly(*exchange)) co_return exchange->result;

  CrashPoint("dispatch.body_sent");
  const bool is_sealed = co_await gate.Seal();
  if (co_await IsAnsweredEarly(*exchange)) co_return exchange->result;
  if (!is_sealed || !gate.MayGiveLastByte()) {
    failed.failure = HttpFailure{.step = HttpStep::kGate, .text = "the last byte was kept back"};
    co_return failed;
  }
  exchange->result.last_byte_given = true;
  gate.LastByteGiven();
  connection->NoLimits();
  connection->LimitWhole(options_.answer_limit);
  const ErrorCode error = co_await connection->Write(std::string_view(&last_byte, 1));
  CrashPoint("dispatch.last_byte");
  if (error && !exchange->ended) connection->Limit(options_.early_answer_limit);
  co_await AwaitEnd(*exchange);
  if (!exchange->result.failure) CrashPoint("dispatch.answered");
  co_return exchange->result;
}

}  // namespace

std::string_view HttpStepName(HttpStep step) {
  switch (step) {
    case HttpStep::kResolve:
      return "resolve";
    case HttpStep::kConnect:
      return "connect";
    case HttpStep::kHandshake:
      return "handshake";
    case HttpStep::kCertificate:
      return "certificate";
    case HttpStep::kWrite:
      return "write";
    case HttpStep::kRead:
      return "read";
    case HttpStep::kBody:
      return "body";
    case HttpStep::kGate:
      return "gate";
  }
  return "unknown";
}

std::string HttpFailure::ToString() const { return std::string(HttpStepName(step)) + ": " + text; }

absl::StatusOr<std::unique_ptr<HttpTransport>> MakeHttpTransport(
    const asio::any_io_executor& executor, HttpOptions options) {
  absl::StatusOr<HttpTarget> target = ReadBaseUrl(options);
  if (!target.ok()) return target.status();
  std::unique_ptr<asio::ssl::context> tls;
  if (target->tls) {
    auto context = MakeTlsContext(options.ca_file);
    if (!context.ok()) return context.status();
    tls = *std::move(context);
  }
  return std::make_unique<TlsHttpTransport>(executor, std::move(options), *std::move(target),
                                            std::move(tls));
}

}  // namespace lumaedit
