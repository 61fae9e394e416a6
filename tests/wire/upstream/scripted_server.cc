#include "tests/wire/upstream/scripted_server.h"

#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <cctype>
#include <list>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace lumaedit {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

struct Counts {
  std::atomic<int> connections{0};
  std::atomic<std::int64_t> received{0};
  std::atomic<std::int64_t> body{0};
};

class Peer final : public ServerPeer {
 public:
  Peer(tcp::socket socket, asio::ssl::context* tls, int number, Counts& counts)
      : socket_(std::move(socket)), number_(number), counts_(counts) {
    if (tls != nullptr) tls_.emplace(socket_, *tls);
  }

  bool Handshake() {
    if (!tls_) return true;
    boost::system::error_code error;
    tls_->handshake(asio::ssl::stream_base::server, error);
    return !error;
  }

  // From another thread: ends whatever blocks.
  void Abort() {
    ::shutdown(socket_.native_handle(), SHUT_RDWR);
    stopped_ = true;
    stopped_.notify_all();
  }

  int number() const override { return number_; }

  std::string ReadHead() override {
    for (;;) {
      if (const auto end = buffer_.find("\r\n\r\n"); end != std::string::npos) {
        std::string head = buffer_.substr(0, end + 4);
        buffer_.erase(0, end + 4);
        return head;
      }
      if (!Fill()) return {};
    }
  }

  std::string ReadBody(std::int64_t size) override {
    std::string body;
    while (static_cast<std::int64_t>(body.size()) < size) {
      if (buffer_.empty() && !Fill()) break;
      const auto most = static_cast<std::size_t>(size) - body.size();
      const std::size_t taken = std::min(buffer_.size(), most);
      body.append(buffer_, 0, taken);
      buffer_.erase(0, taken);
      counts_.body += static_cast<std::int64_t>(taken);
    }
    return body;
  }

  bool Write(std::string_view bytes) override {
    boost::system::error_code error;
    const asio::const_buffer buffer(bytes.data(), bytes.size());
    if (tls_) {
      asio::write(*tls_, buffer, error);
    } else {
      asio::write(socket_, buffer, error);
    }
    return !error;
  }

  void Hold() override { stopped_.wait(false); }

  void Reset() override {
    boost::system::error_code error;
    socket_.set_option(asio::socket_base::linger(true, 0), error);
    socket_.close(error);
  }

  void Close() override {
    boost::system::error_code error;
    socket_.shutdown(tcp::socket::shutdown_both, error);
  }

  void WaitUntilClosed() override {
    while (Fill()) buffer_.clear();
  }

 private:
  bool Fill() {
    char bytes[16 * 1024];
    boost::system::error_code error;
    const std::size_t size = tls_ ? tls_->read_some(asio::buffer(bytes), error)
                                  : socket_.read_some(asio::buffer(bytes), error);
    counts_.received += static_cast<std::int64_t>(size);
    buffer_.append(bytes, size);
    return !error;
  }

  tcp::socket socket_;
  std::optional<asio::ssl::stream<tcp::socket&>> tls_;
  const int number_;
  Counts& counts_;
  std::string buffer_;
  std::atomic<bool> stopped_{false};
};

}  // namespace

class ScriptedServer::Impl {
 public:
  Impl(ServerOptions options, Script script)
      : script_(std::move(script)),
        acceptor_(io_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
    if (options.tls) {
      tls_.emplace(asio::ssl::context::tls_server);
      tls_->use_certificate_chain(asio::buffer(options.identity.certificate));
      tls_->use_private_key(asio::buffer(options.identity.key), asio::ssl::context::pem);
      if (options.only_tls_1_1) {
        SSL_CTX* native = tls_->native_handle();
        SSL_CTX_set_security_level(native, 0);
        SSL_CTX_set_min_proto_version(native, TLS1_1_VERSION);
        SSL_CTX_set_max_proto_version(native, TLS1_1_VERSION);
        SSL_CTX_set_cipher_list(native, "ALL:@SECLEVEL=0");
      }
    }
    port_ = acceptor_.local_endpoint().port();
    accepting_ = std::thread([this] { Accept(); });
  }

  ~Impl() {
    stopping_ = true;
    ::shutdown(acceptor_.native_handle(), SHUT_RDWR);  // wakes accept
    accepting_.join();
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      for (const auto& peer : peers_) peer->Abort();
    }
    for (std::thread& thread : threads_) thread.join();
  }

  int port() const { return port_; }
  const Counts& counts() const { return counts_; }

 private:
  void Accept() {
    while (!stopping_) {
      tcp::socket socket(io_);
      boost::system::error_code error;
      acceptor_.accept(socket, error);
      if (error) return;
      const int number = counts_.connections++;
      const auto peer =
          std::make_shared<Peer>(std::move(socket), tls_ ? &*tls_ : nullptr, number, counts_);
      const std::lock_guard<std::mutex> lock(mutex_);
      peers_.push_back(peer);
      threads_.emplace_back([this, peer] {
        if (peer->Handshake()) script_(*peer);
        peer->Close();
      });
    }
  }

  const Script script_;
  asio::io_context io_;
  tcp::acceptor acceptor_;
  std::optional<asio::ssl::context> tls_;
  int port_ = 0;
  Counts counts_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::list<std::shared_ptr<Peer>> peers_;
  std::vector<std::thread> threads_;
  std::thread accepting_;
};

ScriptedServer::ScriptedServer(ServerOptions options, Script script)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(script))) {}
ScriptedServer::~ScriptedServer() = default;

int ScriptedServer::port() const { return impl_->port(); }
int ScriptedServer::connections() const { return impl_->counts().connections; }
std::int64_t ScriptedServer::received_bytes() const { return impl_->counts().received; }
std::int64_t ScriptedServer::body_bytes() const { return impl_->counts().body; }

std::string HeaderOf(const std::string& head, const std::string& name) {
  std::string lower = head;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto at = lower.find("\r\n" + name + ": ");
  if (at == std::string::npos) return {};
  const auto begin = at + name.size() + 4;
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

}  // namespace lumaedit
