#include "server.h"

#include <algorithm>
#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/url.hpp>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <exception>
#include <set>
#include <stdexcept>
#include <utility>

#include "tcp_line.h"

namespace lumaedit::simulator {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;

constexpr size_t kWriteSlice = 256 * 1024;
// Copied rather than written by itself.
constexpr size_t kSmallPart = 16 * 1024;
constexpr uint32_t kHeaderLimit = 64 * 1024;
// Real seconds without progress until a read or write is given up.
constexpr int kStallSeconds = 900;

std::chrono::nanoseconds Seconds(double seconds) {
  return std::chrono::nanoseconds(static_cast<int64_t>(seconds * 1e9));
}

beast::tcp_stream& Lowest(beast::tcp_stream& stream) { return stream; }
beast::tcp_stream& Lowest(TlsStream& stream) { return stream.next_layer(); }

void Reset(beast::tcp_stream& stream) {
  error_code ignored;
  stream.socket().set_option(asio::socket_base::linger(true, 0), ignored);
  stream.socket().close(ignored);
}

Request MakeRequest(const http::request<http::string_body>& message) {
  Request out;
  out.method = std::string(message.method_string());
  for (const auto& field : message) {
    std::string name(field.name_string());
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    out.headers[name] = std::string(field.value());
  }
  const auto target = boost::urls::parse_origin_form(
      boost::urls::string_view(message.target().data(), message.target().size()));
  if (!target) {
    out.path = std::string(message.target());
    return out;
  }
  boost::urls::decode_view path(target->encoded_path());
  out.path.assign(path.begin(), path.end());
  for (const auto& param : target->params()) out.query[param.key] = param.value;
  return out;
}

const char* Reason(int status) {
  const auto text = http::obsolete_reason(static_cast<http::status>(status));
  return text.data();
}

// A bug in one session must not pass for a fault that was asked for.
void Report(std::exception_ptr failure) {
  if (!failure) return;
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gmi-simulator: a session failed: %s\n", error.what());
  }
}

}  // namespace

struct Server::State {
  State(const ServerSettings& settings, Handler& queue_handler, Handler& control_handler)
      : keep_alive(settings.keep_alive_seconds),
        line_rate(settings.line_bytes_per_second),
        verbose(settings.verbose),
        queue(queue_handler),
        control(control_handler),
        acceptor(Listen(settings.listen)),
        control_acceptor(Listen(settings.control_listen)) {
    if (line_rate > 0) UseNetworkSegments(acceptor.native_handle());
    tls.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                    asio::ssl::context::no_tlsv1_1);
    tls.use_certificate_chain(asio::buffer(settings.certificate));
    tls.use_private_key(asio::buffer(settings.key), asio::ssl::context::pem);
  }

  tcp::acceptor Listen(const std::string& address) {
    const size_t colon = address.rfind(':');
    if (colon == std::string::npos) throw std::runtime_error("no port in " + address);
    const auto found =
        tcp::resolver(io).resolve(address.substr(0, colon), address.substr(colon + 1));
    return tcp::acceptor(io, *found.begin());
  }

  asio::awaitable<void> AcceptTls() {
    for (;;) {
      error_code error;
      tcp::socket socket =
          co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
      if (error) continue;
      asio::co_spawn(io, TlsSession(std::move(socket)), Report);
    }
  }

  asio::awaitable<void> AcceptControl() {
    for (;;) {
      error_code error;
      tcp::socket socket =
          co_await control_acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
      if (error) continue;
      asio::co_spawn(io, PlainSession(std::move(socket)), Report);
    }
  }

  asio::awaitable<void> TlsSession(tcp::socket socket) {
    TlsStream stream(beast::tcp_stream(std::move(socket)), tls);
    error_code error;
    Lowest(stream).socket().set_option(tcp::no_delay(true), error);
    if (line_rate > 0) LimitLine(Lowest(stream).socket().native_handle(), line_rate);
    queue.OnConnection();
    Lowest(stream).expires_after(std::chrono::seconds(30));
    co_await stream.async_handshake(asio::ssl::stream_base::server,
                                    asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
    co_await Serve(stream, queue);
    if (!Lowest(stream).socket().is_open()) co_return;
    Lowest(stream).expires_after(std::chrono::seconds(2));
    co_await stream.async_shutdown(asio::redirect_error(asio::use_awaitable, error));
  }

  asio::awaitable<void> PlainSession(tcp::socket socket) {
    beast::tcp_stream stream(std::move(socket));
    error_code ignored;
    stream.socket().set_option(tcp::no_delay(true), ignored);
    co_await Serve(stream, control);
    stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
  }

  // Requests on one connection until it ends.
  template <typename Stream>
  asio::awaitable<void> Serve(Stream& stream, Handler& handler) {
    beast::flat_buffer buffer;
    Delivery before;
    uint64_t sent_before = 0;
    for (;;) {
      error_code error;
      if (before.reset_on_next_request) {
        Lowest(stream).expires_after(Seconds(keep_alive));
        // Whatever arrives, arrives too late.
        co_await stream.async_read_some(buffer.prepare(1),
                                        asio::redirect_error(asio::use_awaitable, error));
        Reset(Lowest(stream));
        co_return;
      }
      const double idle = before.idle_close_seconds >= 0.0 ? before.idle_close_seconds : keep_alive;
      http::request_parser<http::string_body> parser;
      parser.body_limit(boost::none);
      parser.header_limit(kHeaderLimit);
      Lowest(stream).expires_after(Seconds(idle));
      co_await http::async_read_header(stream, buffer, parser,
                                       asio::redirect_error(asio::use_awaitable, error));
      if (error) co_return;
      Request request = MakeRequest(parser.get());
      const bool keep = parser.keep_alive();
      const bool went_well =
          co_await Exchange(stream, buffer, parser, request, handler, before, sent_before);
      if (!went_well || !keep) co_return;
    }
  }

  // One request and its answer; false when the connection is to end.
  template <typename Stream>
  asio::awaitable<bool> Exchange(Stream& stream, beast::flat_buffer& buffer,
                                 http::request_parser<http::string_body>& parser, Request& request,
                                 Handler& handler, Delivery& delivery, uint64_t& sent_before) {
    const BodyPlan plan = handler.OnHead(request);
    Traffic traffic;
    const auto done = [&](const Reply& reply) {
      const uint64_t sent = SentBytes(Lowest(stream).socket().native_handle());
      traffic.sent = std::max(sent, sent_before) - sent_before;
      sent_before += traffic.sent;
      handler.OnDone(reply, traffic);
    };
    const Arrival arrival =
        co_await ReadBody(stream, buffer, parser, plan, request, traffic.body_in);
    if (arrival == Arrival::kLost) {
      done(Reply());
      co_return false;
    }
    if (arrival == Arrival::kTooLarge) {
      const Reply refusal = co_await Refuse(stream, plan, handler, traffic.written);
      done(refusal);
      co_return false;
    }
    request.short_body = arrival == Arrival::kShort;
    request.body = std::make_shared<const std::string>(std::move(parser.get().body()));
    Reply reply = handler.OnRequest(request);
    request.body.reset();
    if (!co_await Hold(stream, reply.delivery)) {
      done(reply);
      co_return false;
    }
    if (reply.after_hold) {
      const std::string kind = reply.kind;
      reply = reply.after_hold();
      reply.kind = kind;
    }
    delivery = reply.delivery;
    if (verbose) {
      std::fprintf(stderr, "%s %s %d\n", request.method.c_str(), request.path.c_str(),
                   reply.status);
    }
    const bool head_only = request.method == "HEAD";
    const bool sent = co_await Send(stream, handler, reply, head_only, traffic.written);
    done(reply);
    if (sent && arrival == Arrival::kShort) co_await Drain(stream);
    co_return sent&& arrival == Arrival::kWhole && !delivery.close_after;
  }

  enum class Arrival { kWhole, kShort, kLost, kTooLarge };

  template <typename Stream>
  asio::awaitable<Arrival> ReadBody(Stream& stream, beast::flat_buffer& buffer,
                                    http::request_parser<http::string_body>& parser,
                                    const BodyPlan& plan, const Request& request,
                                    uint64_t& bytes_in) {
    error_code error;
    if (request.Header("expect") == "100-continue") {
      static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
      co_await asio::async_write(stream, asio::buffer(kContinue),
                                 asio::redirect_error(asio::use_awaitable, error));
      if (error) co_return Arrival::kLost;
    }
    while (!parser.is_done()) {
      const std::string& body = parser.get().body();
      const auto remaining = parser.content_length_remaining();
      const bool nearly = plan.accept_missing && remaining && *remaining <= *plan.accept_missing;
      if (nearly && !plan.accept_on_close) co_return Arrival::kShort;
      Lowest(stream).expires_after(std::chrono::seconds(kStallSeconds));
      co_await http::async_read_some(stream, buffer, parser,
                                     asio::redirect_error(asio::use_awaitable, error));
      bytes_in = body.size();
      if (error) co_return nearly ? Arrival::kShort : Arrival::kLost;
      if (plan.refuse_after && bytes_in > *plan.refuse_after) co_return Arrival::kTooLarge;
    }
    co_return Arrival::kWhole;
  }

  // Fault 27: the answer, or the reset, meets a client that still uploads.
  template <typename Stream>
  asio::awaitable<Reply> Refuse(Stream& stream, const BodyPlan& plan, Handler& handler,
                                uint64_t& written) {
    Reply reply;
    reply.status = plan.refuse_by_reset ? 0 : 413;
    if (plan.refuse_by_reset) {
      Reset(Lowest(stream));
    } else {
      reply.headers.emplace_back("Content-Type", "application/json");
      reply.body = Body("{\"error\":\"request body too large\"}");
      reply.delivery.close_after = true;
      co_await Send(stream, handler, reply, false, written);
      co_await Drain(stream);
    }
    co_return reply;
  }

  // Unread bytes at close would turn into a reset that destroys the answer on its way.
  template <typename Stream>
  asio::awaitable<void> Drain(Stream& stream) {
    char sink[16 * 1024];
    error_code error;
    Lowest(stream).expires_after(std::chrono::seconds(2));
    while (!error) {
      co_await stream.async_read_some(asio::buffer(sink),
                                      asio::redirect_error(asio::use_awaitable, error));
    }
  }

  // False when the client went away during an endless hold.
  template <typename Stream>
  asio::awaitable<bool> Hold(Stream& stream, const Delivery& delivery) {
    error_code error;
    if (delivery.never) {
      char byte = 0;
      Lowest(stream).expires_never();
      co_await stream.async_read_some(asio::buffer(&byte, 1),
                                      asio::redirect_error(asio::use_awaitable, error));
      co_return false;
    }
    if (delivery.until_released || delivery.hold_seconds > 0.0) {
      asio::steady_timer timer(io);
      if (delivery.until_released) {
        timer.expires_at(std::chrono::steady_clock::time_point::max());
        held.insert(&timer);
      } else {
        timer.expires_after(Seconds(delivery.hold_seconds));
      }
      co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
      held.erase(&timer);
    }
    co_return true;
  }

  template <typename Stream>
  asio::awaitable<bool> Send(Stream& stream, Handler& handler, const Reply& reply, bool head_only,
                             uint64_t& written) {
    const Delivery& delivery = reply.delivery;
    if (delivery.cut == Cut::kBeforeHeaders) co_return EndAbruptly(stream, delivery);
    std::string head = "HTTP/1.1 " + std::to_string(reply.status) + " " + Reason(reply.status) +
                       "\r\nDate: " + handler.HttpDate() + "\r\nServer: nginx\r\n";
    for (const auto& [name, value] : reply.headers) head += name + ": " + value + "\r\n";
    if (delivery.close_after) head += "Connection: close\r\n";
    Body body = reply.body;
    if (delivery.broken_chunks) {
      head += "Transfer-Encoding: chunked\r\n\r\n";
      body.Truncate(body.size() / 2);
      char size[32];
      std::snprintf(size, sizeof size, "%zx\r\n", body.size());
      body.Prepend(size);
      body.Append("\r\nZZ\r\n");
    } else {
      head += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
      if (delivery.cut == Cut::kAfterHeaders) body.Truncate(0);
      if (delivery.cut == Cut::kMidBody) body.Truncate(body.size() / 2);
      body.Truncate(body.size() - std::min<uint64_t>(delivery.missing_bytes, body.size()));
    }
    if (head_only) body.Truncate(0);
    // What is small goes out together, so that headers and records share a write and a TLS record.
    std::string small = std::move(head);
    for (const Body::Part& part : body.parts()) {
      const bool is_small = part.bytes.size() <= kSmallPart && delivery.bytes_per_second == 0;
      if (is_small) small += part.bytes;
      if (is_small && small.size() <= kWriteSlice) continue;
      if (!co_await Write(stream, std::exchange(small, ""), delivery, written)) co_return false;
      if (!is_small && !co_await Write(stream, part.bytes, delivery, written)) co_return false;
    }
    if (!co_await Write(stream, small, delivery, written)) co_return false;
    if (delivery.cut != Cut::kNone || delivery.broken_chunks || delivery.missing_bytes > 0) {
      // Give the bytes time to be read before the connection breaks under them.
      asio::steady_timer pause(io, std::chrono::milliseconds(20));
      co_await pause.async_wait(asio::use_awaitable);
      co_return EndAbruptly(stream, delivery);
    }
    co_return true;
  }

  template <typename Stream>
  bool EndAbruptly(Stream& stream, const Delivery& delivery) {
    error_code ignored;
    if (delivery.reset && delivery.cut != Cut::kNone) {
      Reset(Lowest(stream));
    } else {
      Lowest(stream).socket().shutdown(tcp::socket::shutdown_send, ignored);
      Lowest(stream).socket().close(ignored);
    }
    return false;
  }

  template <typename Stream>
  asio::awaitable<bool> Write(Stream& stream, std::string_view bytes, const Delivery& delivery,
                              uint64_t& written) {
    // A slow body goes out in tenths of a second.
    const size_t slice = delivery.bytes_per_second == 0
                             ? kWriteSlice
                             : std::max<size_t>(1, delivery.bytes_per_second / 10);
    while (!bytes.empty()) {
      error_code error;
      const std::string_view piece = bytes.substr(0, slice);
      Lowest(stream).expires_after(std::chrono::seconds(kStallSeconds));
      written += co_await asio::async_write(stream, asio::buffer(piece),
                                            asio::redirect_error(asio::use_awaitable, error));
      if (error) co_return false;
      bytes.remove_prefix(piece.size());
      if (delivery.bytes_per_second != 0 && !bytes.empty()) {
        asio::steady_timer pause(io, std::chrono::milliseconds(100));
        co_await pause.async_wait(asio::use_awaitable);
      }
    }
    co_return true;
  }

  asio::io_context io{1};
  asio::ssl::context tls{asio::ssl::context::tls_server};
  double keep_alive;
  uint64_t line_rate;
  bool verbose;
  Handler& queue;
  Handler& control;
  tcp::acceptor acceptor;
  tcp::acceptor control_acceptor;
  std::set<asio::steady_timer*> held;
};

Server::Server(const ServerSettings& settings, Handler& queue, Handler& control)
    : state_(std::make_unique<State>(settings, queue, control)) {}

Server::~Server() = default;

uint16_t Server::port() const { return state_->acceptor.local_endpoint().port(); }

uint16_t Server::control_port() const { return state_->control_acceptor.local_endpoint().port(); }

void Server::ReleaseHeld() {
  for (asio::steady_timer* timer : state_->held) timer->cancel();
}

void Server::Run() {
  asio::signal_set signals(state_->io, SIGTERM, SIGINT);
  signals.async_wait([this](const error_code& error, int) {
    if (!error) state_->io.stop();
  });
  asio::co_spawn(state_->io, state_->AcceptTls(), Report);
  asio::co_spawn(state_->io, state_->AcceptControl(), Report);
  state_->io.run();
}

}  // namespace lumaedit::simulator
