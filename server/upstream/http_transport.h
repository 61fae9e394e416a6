// HTTP/1.1 over TLS to one upstream: reads over kept connections, POSTs whose last byte is
// withheld.
//
// Knows nothing of JSON or jobs. Every method is a coroutine on the I/O thread and keeps a deadline
// on every step; failures are values that name the step and hold no byte of a request or an answer.
// Owned by `app` through GmiClient; outlives its coroutines.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/secret.h"
#include "server/job/upstream.h"

namespace lumaedit {

struct HttpOptions {
  std::string base_url;  // https; http only with allow_plaintext_loopback
  std::string ca_file;   // PEM; empty: the system's authorities
  // For a simulator on this machine: plain http to a loopback address, nothing else.
  bool allow_plaintext_loopback = false;

  absl::Duration resolve_limit = absl::Seconds(5);
  absl::Duration connect_limit = absl::Seconds(5);
  absl::Duration handshake_limit = absl::Seconds(10);
  absl::Duration write_limit = absl::Seconds(30);         // of one slice, at most 64 KiB
  absl::Duration first_byte_limit = absl::Seconds(30);    // of a read's answer
  absl::Duration pause_limit = absl::Seconds(30);         // between two bytes of an answer
  absl::Duration read_limit = absl::Seconds(120);         // of a read as a whole
  absl::Duration upload_limit = absl::Minutes(30);        // of a POST up to its last byte
  absl::Duration early_answer_limit = absl::Seconds(10);  // to read an answer that came too early
  absl::Duration answer_limit = absl::Seconds(330);  // after the last byte (protocol.md section 2)

  std::uint32_t header_bytes_limit = 64 * 1024;
  std::int64_t read_bytes_limit = 512LL * 1024 * 1024;
  std::int64_t answer_bytes_limit = 1024 * 1024;  // of the answer to a POST

  int idle_connections = 8;
  absl::Duration idle_limit = absl::Seconds(30);
};

enum class HttpStep { kResolve, kConnect, kHandshake, kCertificate, kWrite, kRead, kBody, kGate };
std::string_view HttpStepName(HttpStep step);

struct HttpFailure {
  HttpStep step = HttpStep::kConnect;
  bool was_deadline = false;
  std::string text;

  // "read: deadline", "certificate: certificate has expired".
  std::string ToString() const;
};

struct HttpHead {
  int status = 0;  // 0: no complete header was read
  std::string content_type;
  std::string content_encoding;
  std::string retry_after;
  std::string date;
  std::optional<std::int64_t> content_length;
};

// Takes an answer as it comes.
class HttpSink {
 public:
  virtual ~HttpSink() = default;
  // False: enough; the connection is closed.
  virtual bool Head(const HttpHead& head) = 0;
  virtual bool Body(std::string_view bytes) = 0;
};

// The body of a POST.
class HttpBody {
 public:
  virtual ~HttpBody() = default;
  virtual std::int64_t size() const = 0;
  // The next slice, at most 64 KiB; empty at the end only.
  virtual boost::asio::awaitable<absl::StatusOr<std::string>> Next() = 0;
};

struct HttpRead {
  std::optional<HttpFailure> failure;
  HttpHead head;
  std::int64_t body_bytes = 0;
  bool was_enough = false;  // the sink stopped the reading
};

struct HttpPost {
  // Set before the last byte is given to TLS, whatever happens then.
  bool last_byte_given = false;
  std::optional<HttpFailure> failure;  // unset: the whole answer was read
  HttpHead head;
  std::string body;
};

class HttpTransport {
 public:
  virtual ~HttpTransport() = default;

  // GET base path + `target`. Uses a kept connection where there is one; one that turns out dead
  // before a byte came back is replaced by a fresh one, once.
  virtual boost::asio::awaitable<HttpRead> Get(std::string target, Secret key, HttpSink& sink) = 0;

  // POST to base path + `target` on a fresh connection, never repeated. `body` and `gate` outlive
  // the call.
  virtual boost::asio::awaitable<HttpPost> Post(std::string target, Secret key, HttpBody& body,
                                                LastByteGate& gate) = 0;
};

// INVALID_ARGUMENT for a base URL that is not https (or plain http off loopback), or an unreadable
// CA file.
absl::StatusOr<std::unique_ptr<HttpTransport>> MakeHttpTransport(
    const boost::asio::any_io_executor& executor, HttpOptions options);

}  // namespace lumaedit
