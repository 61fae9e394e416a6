// One connection to the upstream, TLS or plain, with one deadline at a time. No HTTP.
//
// Held by shared pointers: a POST's reader and writer use it at once (one read and one write may be
// open). Runs on the I/O thread only.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/upstream/http_transport.h"

namespace lumaedit {

// Where a base URL leads.
struct HttpTarget {
  bool tls = true;
  std::string host;  // without the brackets of IPv6
  std::string port;
  std::string host_header;  // as it stands in the URL
  std::string path;         // without a slash at its end
};
absl::StatusOr<HttpTarget> ReadBaseUrl(const HttpOptions& options);

// TLS >= 1.2, peer verified, no session reuse (so no early data), no renegotiation.
absl::StatusOr<std::unique_ptr<boost::asio::ssl::context>> MakeTlsContext(
    const std::string& ca_file);

class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  using ErrorCode = boost::system::error_code;
  using Endpoints = boost::asio::ip::tcp::resolver::results_type;
  struct Moved {
    ErrorCode error;
    std::size_t size = 0;
  };

  // `tls` null: plain.
  HttpConnection(const boost::asio::any_io_executor& executor, boost::asio::ssl::context* tls);

  // Resolves, connects, shakes hands. Unset: open.
  boost::asio::awaitable<std::optional<HttpFailure>> Open(const HttpTarget& target,
                                                          const HttpOptions& options);

  boost::asio::awaitable<Moved> Read(void* data, std::size_t size);
  boost::asio::awaitable<ErrorCode> Write(std::string_view bytes);

  // Closes the connection when `limit` has passed; replaces the deadline before. The deadline of
  // the whole, if set, comes first where it is nearer.
  void Limit(absl::Duration limit);
  void LimitWhole(absl::Duration limit);
  // The step is over; the deadline of the whole stays.
  void EndStep();
  void NoLimits();
  bool is_late() const { return late_; }

  void Close();
  bool is_open() const { return socket_.is_open(); }

  // Nothing to read and not closed by the peer, as far as the system knows.
  bool LooksAlive();

  HttpFailure Failure(HttpStep step, const ErrorCode& error) const;

 private:
  using Stream = boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>;

  boost::asio::awaitable<std::optional<HttpFailure>> Resolve(const HttpTarget& target,
                                                             absl::Duration limit,
                                                             Endpoints& endpoints);
  boost::asio::awaitable<std::optional<HttpFailure>> Handshake(const HttpTarget& target);
  void ArmTimer();

  boost::asio::ip::tcp::socket socket_;
  std::optional<Stream> tls_;
  boost::asio::steady_timer timer_;
  std::optional<std::chrono::steady_clock::time_point> step_deadline_;
  std::optional<std::chrono::steady_clock::time_point> whole_deadline_;
  std::uint64_t arming_ = 0;  // tells the newest wait of the timer from older ones
  bool late_ = false;
};

}  // namespace lumaedit
