#include "server/upstream/http_connection.h"

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/url/parse.hpp>
#include <utility>

#include "absl/strings/str_cat.h"

namespace lumaedit {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

bool IsLoopback(const std::string& host) {
  boost::system::error_code ec;
  const auto address = asio::ip::make_address(host, ec);
  return !ec && address.is_loopback();
}

std::chrono::steady_clock::time_point After(absl::Duration limit) {
  return std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(limit);
}

// A resolution that nobody may wait for any more: getaddrinfo cannot be interrupted.
struct Resolution {
  explicit Resolution(const asio::any_io_executor& executor) : resolver(executor), done(executor) {}
  tcp::resolver resolver;
  asio::steady_timer done;
  bool is_done = false;
  boost::system::error_code error;
  tcp::resolver::results_type endpoints;
};

}  // namespace

absl::StatusOr<HttpTarget> ReadBaseUrl(const HttpOptions& options) {
  const auto url = boost::urls::parse_uri(options.base_url);
  if (!url.has_value() || url->encoded_host().empty() || url->has_userinfo() || url->has_query() ||
      url->has_fragment()) {
    return absl::InvalidArgumentError("the upstream's base URL is not a plain https URL");
  }
  HttpTarget target;
  target.tls = url->scheme_id() == boost::urls::scheme::https;
  const auto host = url->host_address();
  target.host.assign(host.data(), host.size());
  const auto authority = url->encoded_host_and_port();
  target.host_header.assign(authority.data(), authority.size());
  const auto port = url->port();
  target.port = port.empty() ? (target.tls ? "443" : "80") : std::string(port.data(), port.size());
  const auto path = url->encoded_path();
  target.path.assign(path.data(), path.size());
  while (!target.path.empty() && target.path.back() == '/') target.path.pop_back();
  if (target.tls) return target;
  // A name would do for the system's resolver, but not for proving that nothing leaves the machine.
  const bool plain_allowed = url->scheme_id() == boost::urls::scheme::http &&
                             options.allow_plaintext_loopback && IsLoopback(target.host);
  if (!plain_allowed) {
    return absl::InvalidArgumentError(
        "the upstream's base URL must be https; http is for loopback addresses when allowed");
  }
  return target;
}

absl::StatusOr<std::unique_ptr<asio::ssl::context>> MakeTlsContext(const std::string& ca_file) {
  auto context = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_client);
  SSL_CTX* native = context->native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  SSL_CTX_set_options(native, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_verify(native, SSL_VERIFY_PEER, nullptr);
  const int loaded = ca_file.empty() ? SSL_CTX_set_default_verify_paths(native)
                                     : SSL_CTX_load_verify_file(native, ca_file.c_str());
  if (loaded != 1) return absl::InvalidArgumentError("the CA file cannot be read");
  return context;
}

HttpConnection::HttpConnection(const asio::any_io_executor& executor, asio::ssl::context* tls)
    : socket_(executor), timer_(executor) {
  if (tls != nullptr) tls_.emplace(socket_, *tls);
}

void HttpConnection::Limit(absl::Duration limit) {
  step_deadline_ = After(limit);
  ArmTimer();
}

void HttpConnection::LimitWhole(absl::Duration limit) {
  whole_deadline_ = After(limit);
  ArmTimer();
}

void HttpConnection::EndStep() {
  step_deadline_.reset();
  ArmTimer();
}

void HttpConnection::NoLimits() {
  step_deadline_.reset();
  whole_deadline_.reset();
  ArmTimer();
}

void HttpConnection::ArmTimer() {
  if (!step_deadline_ && !whole_deadline_) {
    ++arming_;
    timer_.cancel();
    return;
  }
  const auto never = std::chrono::steady_clock::time_point::max();
  const auto due = std::min(step_deadline_.value_or(never), whole_deadline_.value_or(never));
  if (due <= std::chrono::steady_clock::now()) {
    // A peer that never pauses arms the timer anew with every read: its handler would not get a
    // turn.
    late_ = true;
    Close();
    return;
  }
  timer_.expires_at(due);
  timer_.async_wait(
      [weak = weak_from_this(), arming = ++arming_](const boost::system::error_code& error) {
        const auto self = weak.lock();
        if (error || self == nullptr || self->arming_ != arming) return;
        self->late_ = true;
        self->Close();
      });
}

void HttpConnection::Close() {
  boost::system::error_code ignored;  // of a connection that is given up anyway
  socket_.close(ignored);
  NoLimits();
}

bool HttpConnection::LooksAlive() {
  if (!socket_.is_open()) return false;
  // Anything to read between two exchanges is the peer's farewell (an alert, an end of file).
  boost::system::error_code error;
  char byte;
  socket_.non_blocking(true, error);
  socket_.receive(asio::buffer(&byte, 1), tcp::socket::message_peek, error);
  return error == asio::error::would_block;
}

HttpFailure HttpConnection::Failure(HttpStep step, const ErrorCode& error) const {
  return HttpFailure{
      .step = step, .was_deadline = late_, .text = late_ ? "deadline" : error.message()};
}

asio::awaitable<std::optional<HttpFailure>> HttpConnection::Resolve(const HttpTarget& target,
                                                                    absl::Duration limit,
                                                                    Endpoints& endpoints) {
  auto resolution = std::make_shared<Resolution>(socket_.get_executor());
  resolution->done.expires_at(After(limit));
  resolution->resolver.async_resolve(
      target.host, target.port,
      [resolution](const boost::system::error_code& error, Endpoints results) {
        resolution->is_done = true;
        resolution->error = error;
        resolution->endpoints = std::move(results);
        resolution->done.cancel();
      });
  if (!resolution->is_done) co_await resolution->done.async_wait(kTuple);
  if (!resolution->is_done) {
    co_return HttpFailure{.step = HttpStep::kResolve, .was_deadline = true, .text = "deadline"};
  }
  if (resolution->error) co_return Failure(HttpStep::kResolve, resolution->error);
  endpoints = std::move(resolution->endpoints);
  co_return std::nullopt;
}

asio::awaitable<std::optional<HttpFailure>> HttpConnection::Handshake(const HttpTarget& target) {
  SSL* native = tls_->native_handle();
  X509_VERIFY_PARAM* rules = SSL_get0_param(native);
  boost::system::error_code not_an_address;
  asio::ip::make_address(target.host, not_an_address);
  bool prepared = false;
  if (not_an_address) {
    X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    prepared = SSL_set_tlsext_host_name(native, target.host.c_str()) == 1 &&
               X509_VERIFY_PARAM_set1_host(rules, target.host.data(), target.host.size()) == 1;
  } else {
    prepared = X509_VERIFY_PARAM_set1_ip_asc(rules, target.host.c_str()) == 1;
  }
  if (!prepared) {
    co_return HttpFailure{.step = HttpStep::kHandshake, .text = "the host cannot be verified"};
  }
  const auto [error] = co_await tls_->async_handshake(asio::ssl::stream_base::client, kTuple);
  if (!error) co_return std::nullopt;
  const long verdict = SSL_get_verify_result(native);
  if (verdict != X509_V_OK && !late_) {
    co_return HttpFailure{.step = HttpStep::kCertificate,
                          .text = X509_verify_cert_error_string(verdict)};
  }
  co_return Failure(HttpStep::kHandshake, error);
}

asio::awaitable<std::optional<HttpFailure>> HttpConnection::Open(const HttpTarget& target,
                                                                 const HttpOptions& options) {
  Endpoints endpoints;
  if (auto failure = co_await Resolve(target, options.resolve_limit, endpoints)) co_return failure;
  Limit(options.connect_limit);
  const auto [error, endpoint] = co_await asio::async_connect(socket_, endpoints, kTuple);
  if (error || late_) {
    HttpFailure failure = Failure(HttpStep::kConnect, error);
    Close();
    co_return failure;
  }
  boost::system::error_code ignored;  // slower without it, not wrong
  socket_.set_option(tcp::no_delay(true), ignored);
  if (tls_) {
    Limit(options.handshake_limit);
    if (auto failure = co_await Handshake(target)) {
      Close();
      co_return failure;
    }
  }
  co_return std::nullopt;
}

asio::awaitable<HttpConnection::Moved> HttpConnection::Read(void* data, std::size_t size) {
  const asio::mutable_buffer buffer(data, size);
  if (tls_) {
    const auto [error, moved] = co_await tls_->async_read_some(buffer, kTuple);
    co_return Moved{error, moved};
  }
  const auto [error, moved] = co_await socket_.async_read_some(buffer, kTuple);
  co_return Moved{error, moved};
}

asio::awaitable<HttpConnection::ErrorCode> HttpConnection::Write(std::string_view bytes) {
  const asio::const_buffer buffer(bytes.data(), bytes.size());
  if (tls_) {
    const auto [error, moved] = co_await asio::async_write(*tls_, buffer, kTuple);
    co_return error;
  }
  const auto [error, moved] = co_await asio::async_write(socket_, buffer, kTuple);
  co_return error;
}

}  // namespace lumaedit
