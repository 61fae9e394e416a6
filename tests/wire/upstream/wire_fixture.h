// What the wire tests of the upstream share: an authority, a transport to a scripted server, and a
// way to run a coroutine to its end.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/upstream/http_transport.h"
#include "tests/fakes/temp_folder.h"
#include "tests/wire/upstream/certificates.h"
#include "tests/wire/upstream/scripted_server.h"

namespace lumaedit {

inline constexpr char kWireKey[] = "canary-key-0123456789";

// Keeps what came.
class TextSink final : public HttpSink {
 public:
  bool Head(const HttpHead&) override { return true; }
  bool Body(std::string_view bytes) override {
    body.append(bytes);
    return body.size() < most;
  }
  std::string body;
  std::size_t most = static_cast<std::size_t>(-1);
};

inline std::string Answer(const std::string& body, const std::string& headers = "") {
  return absl::StrCat("HTTP/1.1 200 OK\r\nContent-Length: ", body.size(), "\r\n", headers, "\r\n",
                      body);
}

class WireTest : public testing::Test {
 protected:
  static const Authority& authority() {
    static const Authority made("Test Authority");
    return made;
  }

  WireTest() {
    options_.ca_file = folder_ / "ca.pem";
    std::ofstream(options_.ca_file) << authority().certificate();
  }

  void Serve(ScriptedServer::Script script) {
    Serve({.tls = true, .identity = authority().Issue(LeafOptions()), .only_tls_1_1 = false},
          std::move(script));
  }
  void Serve(ServerOptions options, ScriptedServer::Script script) {
    const bool tls = options.tls;
    server_ = std::make_unique<ScriptedServer>(std::move(options), std::move(script));
    options_.base_url =
        absl::StrCat(tls ? "https" : "http", "://127.0.0.1:", server_->port(), "/api/v1");
  }

  HttpTransport& transport() {
    if (transport_ == nullptr) {
      auto made = MakeHttpTransport(io_.get_executor(), options_);
      EXPECT_TRUE(made.ok()) << made.status();
      transport_ = *std::move(made);
    }
    return *transport_;
  }

  template <typename T>
  T Await(boost::asio::awaitable<T> work) {
    std::optional<T> result;
    auto body = [&]() -> boost::asio::awaitable<void> { result = co_await std::move(work); };
    boost::asio::co_spawn(io_, body, boost::asio::detached);
    io_.restart();
    while (!result) io_.run_one();
    return std::move(*result);
  }

  HttpRead Get(TextSink& sink) {
    return Await(transport().Get("/requests/a", Secret(kWireKey), sink));
  }
  HttpRead Get() {
    TextSink sink;
    return Get(sink);
  }

  HttpOptions options_;
  boost::asio::io_context io_;
  TempFolder folder_;
  std::unique_ptr<ScriptedServer> server_;
  std::unique_ptr<HttpTransport> transport_;
};

// Waits on the I/O thread until the condition holds; false after ten seconds.
template <typename Condition>
boost::asio::awaitable<bool> Until(Condition condition) {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition() && std::chrono::steady_clock::now() < limit) {
    timer.expires_after(std::chrono::milliseconds(1));
    co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  }
  co_return condition();
}

}  // namespace lumaedit
