// POSTs: the last byte is given when the gate says so and never else.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>

#include "tests/wire/upstream/wire_fixture.h"

namespace lumaedit {
namespace {

namespace asio = boost::asio;

class PiecesBody final : public HttpBody {
 public:
  PiecesBody(std::int64_t size, std::size_t piece) : size_(size), piece_(piece) {}
  std::int64_t size() const override { return size_ + announced_more; }
  asio::awaitable<absl::StatusOr<std::string>> Next() override {
    if (fail_at >= 0 && given_ >= fail_at) co_return absl::UnavailableError("gone");
    const auto left = static_cast<std::size_t>(size_ - given_);
    const std::string slice(std::min(piece_, left), 'b');
    given_ += static_cast<std::int64_t>(slice.size());
    co_return slice;
  }

  std::int64_t fail_at = -1;
  std::int64_t announced_more = 0;

 private:
  const std::int64_t size_;
  const std::size_t piece_;
  std::int64_t given_ = 0;
};

// Does in Seal what a test wants, and counts.
class ScriptedGate final : public LastByteGate {
 public:
  asio::awaitable<bool> Seal() override {
    ++seals;
    if (in_seal) co_return co_await in_seal();
    co_return true;
  }
  bool MayGiveLastByte() override {
    ++asked;
    return may_give;
  }
  void LastByteGiven() override { ++given; }

  std::function<asio::awaitable<bool>()> in_seal;
  bool may_give = true;
  int seals = 0;
  int asked = 0;
  int given = 0;
};

class HttpPostTest : public WireTest {
 protected:
  HttpPost Post(HttpBody& body) {
    return Await(transport().Post("/requests", Secret(kWireKey), body, gate_));
  }
  HttpPost Post(std::int64_t size = 1000) {
    PiecesBody body(size, 64 * 1024);
    return Post(body);
  }

  // Reads the whole request, then does `then`.
  void ServeAfterTheBody(ScriptedServer::Script then) {
    Serve([then](ServerPeer& peer) {
      const std::string head = peer.ReadHead();
      if (head.empty()) return;
      const std::int64_t size = std::stoll(HeaderOf(head, "content-length"));
      if (static_cast<std::int64_t>(peer.ReadBody(size).size()) == size) then(peer);
    });
  }

  ScriptedGate gate_;
};

TEST_F(HttpPostTest, TheLastByteIsWithheldUntilTheSeal) {
  std::string head;
  std::atomic<std::int64_t> extra{-1};
  constexpr std::int64_t kSize = 300000;
  Serve([&](ServerPeer& peer) {
    head = peer.ReadHead();
    peer.ReadBody(kSize);
    peer.Write(Answer("{\"request_id\":\"a\"}"));
    extra = static_cast<std::int64_t>(peer.ReadBody(10).size());
  });
  std::int64_t seen_at_seal = 0;
  gate_.in_seal = [&]() -> asio::awaitable<bool> {
    co_await Until([&] { return server_->body_bytes() == kSize - 1; });
    seen_at_seal = server_->body_bytes();
    co_return true;
  };
  const HttpPost post = Post(kSize);
  EXPECT_EQ(seen_at_seal, kSize - 1);
  EXPECT_TRUE(post.last_byte_given);
  EXPECT_FALSE(post.failure) << post.failure->ToString();
  EXPECT_EQ(post.head.status, 200);
  EXPECT_EQ(post.body, "{\"request_id\":\"a\"}");
  EXPECT_EQ(gate_.seals, 1);
  EXPECT_EQ(gate_.asked, 1);
  EXPECT_EQ(gate_.given, 1);
  server_.reset();
  EXPECT_EQ(extra, 0);
  EXPECT_TRUE(head.starts_with("POST /api/v1/requests HTTP/1.1\r\n"));
  EXPECT_EQ(HeaderOf(head, "content-type"), "application/json");
  EXPECT_EQ(HeaderOf(head, "content-length"), "300000");
  EXPECT_EQ(HeaderOf(head, "transfer-encoding"), "");
  EXPECT_EQ(HeaderOf(head, "expect"), "");
}

TEST_F(HttpPostTest, ABodyOfOneByteIsWithheldToo) {
  ServeAfterTheBody([](ServerPeer& peer) { peer.Write(Answer("{}")); });
  const HttpPost post = Post(1);
  EXPECT_TRUE(post.last_byte_given);
  EXPECT_EQ(post.head.status, 200);
}

TEST_F(HttpPostTest, AGateThatRefusesKeepsTheLastByte) {
  for (const bool at_seal : {true, false}) {
    std::atomic<std::int64_t> came{-1};
    Serve([&](ServerPeer& peer) {
      peer.ReadHead();
      came = static_cast<std::int64_t>(peer.ReadBody(1000).size());
    });
    transport_.reset();
    gate_ = ScriptedGate();
    gate_.may_give = at_seal;
    gate_.in_seal = [&]() -> asio::awaitable<bool> {
      co_await Until([&] { return server_->body_bytes() == 999; });
      co_return !at_seal;
    };
    const HttpPost post = Post(1000);
    EXPECT_FALSE(post.last_byte_given);
    ASSERT_TRUE(post.failure.has_value());
    EXPECT_EQ(post.failure->step, HttpStep::kGate);
    EXPECT_EQ(post.head.status, 0);
    EXPECT_EQ(gate_.given, 0);
    server_.reset();
    EXPECT_EQ(came, 999);
  }
}

TEST_F(HttpPostTest, AnEarly413EndsTheUpload) {
  Serve([](ServerPeer& peer) {
    peer.ReadHead();
    peer.ReadBody(100000);
    peer.Write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 15\r\n\r\n{\"error\":\"big\"}");
    peer.WaitUntilClosed();
  });
  const HttpPost post = Post(200 << 20);
  EXPECT_FALSE(post.last_byte_given);
  EXPECT_FALSE(post.failure);
  EXPECT_EQ(post.head.status, 413);
  EXPECT_EQ(post.body, "{\"error\":\"big\"}");
  EXPECT_EQ(gate_.seals, 0);
  EXPECT_LT(server_->body_bytes(), 100 << 20);
}

TEST_F(HttpPostTest, AnEarlyAnswerOfAServerThatStopsReading) {
  Serve([](ServerPeer& peer) {
    peer.ReadHead();
    peer.Write("HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\n");
    peer.Write("{}");
    // Reads nothing more and holds the connection: the upload runs against full buffers.
    peer.Hold();
  });
  const HttpPost post = Post(200 << 20);
  EXPECT_FALSE(post.last_byte_given);
  EXPECT_EQ(post.head.status, 503);
  EXPECT_EQ(gate_.seals, 0);
}

TEST_F(HttpPostTest, AnAnswerInMidSealKeepsTheLastByte) {
  std::atomic<bool> sealing{false};
  std::atomic<bool> answered{false};
  Serve([&](ServerPeer& peer) {
    peer.ReadHead();
    peer.ReadBody(999);
    while (!sealing) std::this_thread::yield();
    peer.Write(Answer("{\"request_id\":\"a\"}"));
    answered = true;
    peer.WaitUntilClosed();
  });
  gate_.in_seal = [&]() -> asio::awaitable<bool> {
    sealing = true;
    const auto is_answered = [&] { return answered.load(); };
    const bool was_answered = co_await Until(is_answered);
    EXPECT_TRUE(was_answered);
    asio::steady_timer timer(io_, std::chrono::milliseconds(50));
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    co_return true;
  };
  const HttpPost post = Post(1000);
  EXPECT_FALSE(post.last_byte_given);
  EXPECT_EQ(post.head.status, 200);
  EXPECT_EQ(gate_.asked, 0);
}

TEST_F(HttpPostTest, AResetBeforeTheLastByte) {
  Serve([](ServerPeer& peer) {
    peer.ReadHead();
    peer.ReadBody(100000);
    peer.Reset();
  });
  const HttpPost post = Post(50 << 20);
  EXPECT_FALSE(post.last_byte_given);
  ASSERT_TRUE(post.failure.has_value());
  EXPECT_EQ(post.head.status, 0);
  EXPECT_EQ(gate_.seals, 0);
}

TEST_F(HttpPostTest, ACloseWhileSealing) {
  std::atomic<bool> closed{false};
  Serve([&](ServerPeer& peer) {
    peer.ReadHead();
    peer.ReadBody(999);
    peer.Close();
    closed = true;
  });
  gate_.in_seal = [&]() -> asio::awaitable<bool> {
    co_await Until([&] { return closed.load(); });
    asio::steady_timer timer(io_, std::chrono::milliseconds(50));
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    co_return true;
  };
  const HttpPost post = Post(1000);
  EXPECT_FALSE(post.last_byte_given);
  EXPECT_TRUE(post.failure.has_value());
  EXPECT_EQ(gate_.given, 0);
}

TEST_F(HttpPostTest, AResetAfterTheLastByte) {
  ServeAfterTheBody([](ServerPeer& peer) { peer.Reset(); });
  const HttpPost post = Post(1000);
  EXPECT_TRUE(post.last_byte_given);
  ASSERT_TRUE(post.failure.has_value());
  EXPECT_EQ(post.failure->step, HttpStep::kRead);
  EXPECT_EQ(post.head.status, 0);
  EXPECT_EQ(server_->connections(), 1);
}

TEST_F(HttpPostTest, ACloseAfterTheLastByteIsNotRepeated) {
  ServeAfterTheBody([](ServerPeer& peer) { peer.Close(); });
  const HttpPost post = Post(1000);
  EXPECT_TRUE(post.last_byte_given);
  EXPECT_TRUE(post.failure.has_value());
  EXPECT_EQ(server_->connections(), 1);
}

TEST_F(HttpPostTest, AnAnswerThatNeverComes) {
  options_.answer_limit = absl::Milliseconds(150);
  ServeAfterTheBody([](ServerPeer& peer) { peer.WaitUntilClosed(); });
  const HttpPost post = Post(1000);
  EXPECT_TRUE(post.last_byte_given);
  ASSERT_TRUE(post.failure.has_value());
  EXPECT_EQ(post.failure->ToString(), "read: deadline");
}

TEST_F(HttpPostTest, AnAnswerThatDrips) {
  options_.answer_limit = absl::Milliseconds(200);
  ServeAfterTheBody([](ServerPeer& peer) {
    peer.Write("HTTP/1.1 200 OK\r\n\r\n");
    while (peer.Write(" ")) std::this_thread::yield();
  });
  options_.answer_bytes_limit = 1LL << 40;
  const HttpPost post = Post(1000);
  EXPECT_TRUE(post.last_byte_given);
  ASSERT_TRUE(post.failure.has_value());
  EXPECT_TRUE(post.failure->was_deadline);
}

TEST_F(HttpPostTest, AServerThatReadsNothingMeetsTheWriteLimit) {
  options_.write_limit = absl::Milliseconds(150);
  Serve([](ServerPeer& peer) {
    peer.ReadHead();
    peer.Hold();
  });
  const HttpPost post = Post(200 << 20);
  EXPECT_FALSE(post.last_byte_given);
  ASSERT_TRUE(post.failure.has_value());
  EXPECT_EQ(post.failure->ToString(), "write: deadline");
  EXPECT_EQ(gate_.seals, 0);
}

TEST_F(HttpPostTest, BrokenAnswersAfterTheLastByte) {
  struct Case {
    std::string answer;
    int status;
  };
  const std::vector<Case> cases = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"request_id\":", 200},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 200},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxx\r\n", 200},
      {"HTTP/1.1 200 OK\r\nX: " + std::string(70000, 'h') + "\r\n\r\n", 0},
      {"HTTP/1.1 200 OK\r\n\r\n" + std::string((1 << 20) + 1, 'x'), 200},
      {"HTTP/1.1 2", 0},
      {"garbage\r\n\r\n", 0},
      {"HTTP/1.1 100 Continue\r\n\r\n", 0},
  };
  for (const Case& c : cases) {
    ServeAfterTheBody([&c](ServerPeer& peer) { peer.Write(c.answer); });
    transport_.reset();
    const HttpPost post = Post(1000);
    EXPECT_TRUE(post.last_byte_given);
    EXPECT_TRUE(post.failure.has_value()) << c.answer.substr(0, 60);
    EXPECT_EQ(post.head.status, c.status) << c.answer.substr(0, 60);
    EXPECT_LE(post.body.size(), (1U << 20));
  }
}

TEST_F(HttpPostTest, AnInterimAnswerIsNoAnswer) {
  constexpr std::int64_t kSize = 300000;
  Serve([&](ServerPeer& peer) {
    peer.ReadHead();
    peer.Write("HTTP/1.1 100 Continue\r\n\r\n");
    if (static_cast<std::int64_t>(peer.ReadBody(kSize).size()) < kSize) return;
    peer.Write("HTTP/1.1 102 Processing\r\n\r\n");
    peer.Write(Answer("{}"));
    peer.WaitUntilClosed();
  });
  const HttpPost post = Post(kSize);
  EXPECT_TRUE(post.last_byte_given);
  EXPECT_FALSE(post.failure) << post.failure->ToString();
  EXPECT_EQ(post.head.status, 200);
}

TEST_F(HttpPostTest, RedirectsAreNotFollowed) {
  ServeAfterTheBody([](ServerPeer& peer) {
    peer.Write("HTTP/1.1 307 Temporary Redirect\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n");
    peer.WaitUntilClosed();
  });
  const HttpPost post = Post(1000);
  EXPECT_EQ(post.head.status, 307);
  EXPECT_EQ(server_->connections(), 1);
}

TEST_F(HttpPostTest, EveryPostHasAConnectionOfItsOwn) {
  Serve([](ServerPeer& peer) {
    for (;;) {
      const std::string head = peer.ReadHead();
      if (head.empty()) return;
      const std::string length = HeaderOf(head, "content-length");
      if (!length.empty()) peer.ReadBody(std::stoll(length));
      peer.Write(Answer("{}"));
    }
  });
  EXPECT_FALSE(Get().failure);
  EXPECT_EQ(Post(10).head.status, 200);
  EXPECT_EQ(Post(10).head.status, 200);
  EXPECT_FALSE(Get().failure);
  EXPECT_EQ(server_->connections(), 3);
}

TEST_F(HttpPostTest, ABodyThatFailsIsNotSent) {
  Serve([](ServerPeer& peer) {
    peer.ReadHead();
    peer.WaitUntilClosed();
  });
  PiecesBody failing(1 << 20, 1 << 16);
  failing.fail_at = 1 << 18;
  HttpPost post = Post(failing);
  EXPECT_FALSE(post.last_byte_given);
  EXPECT_EQ(post.failure->ToString(), "body: gone");

  PiecesBody shorter(1 << 20, 1 << 16);
  shorter.announced_more = 1;
  post = Post(shorter);
  EXPECT_FALSE(post.last_byte_given);
  EXPECT_EQ(post.failure->ToString(), "body: another length than announced");
  EXPECT_EQ(gate_.seals, 0);
}

TEST_F(HttpPostTest, OtherCoroutinesRunDuringAnUpload) {
  ServeAfterTheBody([](ServerPeer& peer) { peer.Write(Answer("{}")); });
  int turns = 0;
  bool uploaded = false;
  auto other = [&]() -> asio::awaitable<void> {
    asio::steady_timer timer(io_);
    while (!uploaded) {
      ++turns;
      timer.expires_after(std::chrono::microseconds(1));
      co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    }
  };
  asio::co_spawn(io_, other, asio::detached);
  EXPECT_EQ(Post(20 << 20).head.status, 200);
  uploaded = true;
  io_.run_one();
  EXPECT_GT(turns, 100);
}

}  // namespace
}  // namespace lumaedit
