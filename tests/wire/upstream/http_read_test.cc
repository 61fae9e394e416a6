// Reads: kept connections, limits, and answers that are broken in every way.
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <thread>
#include <vector>

#include "server/base/clock.h"
#include "server/base/worker.h"
#include "server/upstream/gmi_client.h"
#include "tests/wire/upstream/wire_fixture.h"

namespace lumaedit {
namespace {

class HttpReadTest : public WireTest {
 protected:
  // A client over the transport; reads need no source store.
  std::unique_ptr<GmiClient> Client() {
    auto made = MakeHttpTransport(io_.get_executor(), options_);
    EXPECT_TRUE(made.ok());
    return std::make_unique<GmiClient>(GmiClient::Parts{.transport = *std::move(made),
                                                        .key = [] { return Secret(kWireKey); },
                                                        .sources = no_sources_,
                                                        .sources_worker = worker_,
                                                        .clock = clock_});
  }

  class NoSources final : public SourceStore {
   public:
    absl::StatusOr<SourceInfo> Open(const SourceInfo&) override { return None(); }
    absl::Status Append(const std::string&, const std::string&, std::int64_t,
                        std::string_view) override {
      return None();
    }
    absl::StatusOr<SourceInfo> Finish(const std::string&, const std::string&,
                                      absl::Duration) override {
      return None();
    }
    absl::StatusOr<SourceInfo> Reject(const std::string&, const std::string&,
                                      ErrorReason) override {
      return None();
    }
    absl::StatusOr<SourceInfo> Get(const std::string&, const std::string&) override {
      return None();
    }
    absl::StatusOr<std::unique_ptr<SourceReader>> Read(const std::string&,
                                                       const std::string&) override {
      return None();
    }
    absl::Status KeepUntil(const std::string&, const std::string&, absl::Time) override {
      return None();
    }
    absl::StatusOr<int> RemoveExpired(absl::Time) override { return None(); }

   private:
    static absl::Status None() { return absl::NotFoundError("no sources here"); }
  };

  // What the answer to one read does, written as a script for every connection.
  HttpRead GetAnswered(std::string bytes, bool then_close = true) {
    Serve([bytes, then_close](ServerPeer& peer) {
      peer.ReadHead();
      peer.Write(bytes);
      if (!then_close) peer.WaitUntilClosed();
    });
    transport_.reset();
    return Get(sink_ = TextSink());
  }

  TextSink sink_;
  NoSources no_sources_;
  InlineWorker worker_;
  SystemClock clock_;
};

TEST_F(HttpReadTest, ConnectionsAreKept) {
  Serve([](ServerPeer& peer) {
    while (!peer.ReadHead().empty()) peer.Write(Answer("{}"));
  });
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(Get().failure);
  EXPECT_EQ(server_->connections(), 1);
}

TEST_F(HttpReadTest, ConnectionsAreNotKeptBeyondTheirTime) {
  options_.idle_limit = absl::ZeroDuration();
  Serve([](ServerPeer& peer) {
    while (!peer.ReadHead().empty()) peer.Write(Answer("{}"));
  });
  EXPECT_FALSE(Get().failure);
  EXPECT_FALSE(Get().failure);
  EXPECT_EQ(server_->connections(), 2);
}

TEST_F(HttpReadTest, AServerThatSaysCloseIsNotAskedAgainOverTheSameConnection) {
  Serve([](ServerPeer& peer) {
    peer.ReadHead();
    peer.Write(Answer("{}", "Connection: close\r\n"));
    peer.WaitUntilClosed();
  });
  EXPECT_FALSE(Get().failure);
  EXPECT_FALSE(Get().failure);
  EXPECT_EQ(server_->connections(), 2);
}

TEST_F(HttpReadTest, ADeadKeptConnectionIsReplacedOnce) {
  // The first connection answers once and dies when asked again; the second answers.
  Serve([](ServerPeer& peer) {
    peer.ReadHead();
    peer.Write(Answer("{}"));
    if (peer.ReadHead().empty()) return;
    if (peer.number() == 0) return peer.Reset();
    peer.Write(Answer("{}"));
    peer.WaitUntilClosed();
  });
  EXPECT_FALSE(Get().failure);
  EXPECT_FALSE(Get().failure);
  EXPECT_EQ(server_->connections(), 2);
}

TEST_F(HttpReadTest, AFreshConnectionThatDiesIsNotTriedAgain) {
  Serve([](ServerPeer& peer) { peer.ReadHead(); });
  const HttpRead read = Get();
  ASSERT_TRUE(read.failure.has_value());
  EXPECT_EQ(read.failure->step, HttpStep::kRead);
  EXPECT_EQ(server_->connections(), 1);
}

TEST_F(HttpReadTest, RedirectsAreNotFollowed) {
  const HttpRead read = GetAnswered(
      "HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1:1/x\r\nContent-Length: 0\r\n\r\n");
  EXPECT_FALSE(read.failure);
  EXPECT_EQ(read.head.status, 302);
  EXPECT_EQ(server_->connections(), 1);
}

TEST_F(HttpReadTest, BodiesOfEveryFraming) {
  EXPECT_FALSE(GetAnswered(Answer("hello")).failure);
  EXPECT_EQ(sink_.body, "hello");
  EXPECT_FALSE(GetAnswered("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                           "3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n")
                   .failure);
  EXPECT_EQ(sink_.body, "hello");
  EXPECT_FALSE(GetAnswered("HTTP/1.0 200 OK\r\n\r\nhello").failure);
  EXPECT_EQ(sink_.body, "hello");
  EXPECT_FALSE(GetAnswered("HTTP/1.1 204 No Content\r\n\r\n", false).failure);
  EXPECT_FALSE(
      GetAnswered("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + Answer("hello")).failure);
  EXPECT_EQ(sink_.body, "hello");
}

TEST_F(HttpReadTest, BrokenAnswers) {
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::vector<std::string> broken = {
      "",
      "HTTP/1.1 200 OK\r\nContent-Le",
      "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
      "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n",
      chunked + "5\r\nhello",
      chunked + "5\r\nhello\r\n",
      chunked + "zz\r\nhello\r\n0\r\n\r\n",
      chunked + "5\r\nhelloXX0\r\n\r\n",
      "HTTP/9.9 200 OK\r\n\r\n",
      "SMTP ready\r\n\r\n",
      "\x16\x03\x01 binary",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
      "HTTP/1.1 200 OK\r\nX: " + std::string(70000, 'h') + "\r\n\r\n",
  };
  for (const std::string& bytes : broken) {
    const HttpRead read = GetAnswered(bytes);
    ASSERT_TRUE(read.failure.has_value()) << bytes.substr(0, 80);
    EXPECT_EQ(read.failure->step, HttpStep::kRead) << read.failure->ToString();
  }
  EXPECT_FALSE(GetAnswered("HTTP/1.1 200 OK\r\nX: " + std::string(60000, 'h') +
                           "\r\nContent-Length: 0\r\n\r\n")
                   .failure);
}

TEST_F(HttpReadTest, TheByteCapHolds) {
  options_.read_bytes_limit = 1000;
  EXPECT_FALSE(GetAnswered(Answer(std::string(1000, 'x'))).failure);
  EXPECT_TRUE(GetAnswered(Answer(std::string(1001, 'x'))).failure.has_value());
  EXPECT_TRUE(GetAnswered("HTTP/1.1 200 OK\r\n\r\n" + std::string(1001, 'x')).failure.has_value());
}

TEST_F(HttpReadTest, SilenceAndDripMeetTheirLimits) {
  options_.first_byte_limit = absl::Milliseconds(100);
  HttpRead read = GetAnswered("", false);
  ASSERT_TRUE(read.failure.has_value());
  EXPECT_EQ(read.failure->ToString(), "read: deadline");

  options_.first_byte_limit = absl::Seconds(30);
  options_.pause_limit = absl::Milliseconds(100);
  read = GetAnswered("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhel", false);
  ASSERT_TRUE(read.failure.has_value());
  EXPECT_EQ(read.failure->ToString(), "read: deadline");

  // A drip that keeps every pause short is ended by the limit of the whole.
  options_.pause_limit = absl::Seconds(30);
  options_.read_limit = absl::Milliseconds(200);
  Serve([](ServerPeer& peer) {
    peer.ReadHead();
    peer.Write("HTTP/1.1 200 OK\r\n\r\n");
    while (peer.Write("x")) std::this_thread::yield();
  });
  transport_.reset();
  read = Get();
  ASSERT_TRUE(read.failure.has_value());
  EXPECT_TRUE(read.failure->was_deadline);
}

TEST_F(HttpReadTest, ASinkThatHasEnoughEndsTheReading) {
  Serve([](ServerPeer& peer) {
    peer.ReadHead();
    peer.Write("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\nhello");
    peer.WaitUntilClosed();
  });
  TextSink sink;
  sink.most = 5;
  const HttpRead read = Get(sink);
  EXPECT_FALSE(read.failure);
  EXPECT_TRUE(read.was_enough);
  EXPECT_EQ(read.body_bytes, 5);
}

TEST_F(HttpReadTest, CompressedAnswersAreUnreadable) {
  Serve([](ServerPeer& peer) {
    peer.ReadHead();
    peer.Write(Answer("\x1f\x8b\x08", "Content-Encoding: gzip\r\n"));
  });
  const GetResult result = Await(Client()->Get("a"));
  EXPECT_EQ(result.failure, ReadFailure::kUnreadable);
}

TEST_F(HttpReadTest, TruncatedRecordsAreBrokenAndHtmlIsUnreadable) {
  Serve([](ServerPeer& peer) {
    peer.ReadHead();
    if (peer.number() == 0) {
      peer.Write(
          "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"request_id\":\"a\",\"status\":\"q");
    } else {
      peer.Write(Answer("<html>hello</html>"));
    }
  });
  const auto client = Client();
  EXPECT_EQ(Await(client->Get("a")).failure, ReadFailure::kBroken);
  EXPECT_EQ(Await(client->Get("a")).failure, ReadFailure::kUnreadable);
}

// What reading may add to the process's peak. AddressSanitizer keeps freed memory back for a while.
#if defined(__SANITIZE_ADDRESS__)
constexpr long kMostKilobytesMore = 400 * 1024;
#else
constexpr long kMostKilobytesMore = 10 * 1024;
#endif

long PeakKilobytes() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    long kilobytes = 0;
    if (word == "VmHWM:" && status >> kilobytes) return kilobytes;
  }
  return 0;
}

// Streams a record whose payload holds `megabytes` of base64.
void WriteHugeRecord(ServerPeer& peer, const std::string& status, int megabytes) {
  const std::string head =
      R"({"request_id":"a","status":")" + status + R"(","payload":{"prompt":"p","source_data":")";
  const std::string tail = R"("},"outcome":{"video_url":"https://h.test/v.mp4"}})";
  const std::string piece(1 << 16, 'Q');
  const std::size_t size = head.size() + tail.size() + piece.size() * 16 * megabytes;
  peer.Write(absl::StrCat("HTTP/1.1 200 OK\r\nContent-Length: ", size, "\r\n\r\n", head));
  for (int i = 0; i < megabytes * 16; ++i) peer.Write(piece);
  peer.Write(tail);
}

TEST_F(HttpReadTest, AHugeEchoIsReadInConstantMemory) {
  constexpr int kMegabytes = 50;
  Serve([](ServerPeer& peer) {
    peer.ReadHead();
    WriteHugeRecord(peer, "success", kMegabytes);
    peer.WaitUntilClosed();
  });
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak starts anew
  const long before = PeakKilobytes();
  const GetResult result = Await(Client()->Get("a"));
  const long grown = PeakKilobytes() - before;
  EXPECT_EQ(result.failure, ReadFailure::kNone) << result.note;
  ASSERT_TRUE(result.record.outcome.has_value());
  EXPECT_LT(grown, kMostKilobytesMore) << "kilobytes more for an echo of 50 MB";
}

TEST_F(HttpReadTest, AHugeEchoOfARunningJobIsNotReadToItsEnd) {
  Serve([](ServerPeer& peer) {
    peer.ReadHead();
    WriteHugeRecord(peer, "processing", 50);
    peer.WaitUntilClosed();
  });
  const auto client = Client();
  const GetResult result = Await(client->Get("a"));
  EXPECT_EQ(result.failure, ReadFailure::kNone) << result.note;
  EXPECT_EQ(result.record.status, UpstreamStatus::kProcessing);
}

TEST_F(HttpReadTest, AHugeListIsReadInConstantMemory) {
  Serve([](ServerPeer& peer) {
    peer.ReadHead();
    peer.Write("HTTP/1.1 200 OK\r\n\r\n{\"requests\":[");
    for (int i = 0; i < 4; ++i) {
      const std::string piece(1 << 16, 'Q');
      peer.Write(absl::StrCat(i == 0 ? "" : ",", R"({"request_id":"r)", i,
                              R"(","status":"queued","payload":{"prompt":"p","source_data":")"));
      for (int k = 0; k < 160; ++k) peer.Write(piece);
      peer.Write("\"}}");
    }
    peer.Write("],\"has_more\":false}");
  });
  std::ofstream("/proc/self/clear_refs") << "5";
  const long before = PeakKilobytes();
  const auto client = Client();
  const ListResult list =
      Await(client->List({.model = "m", .offset = 0, .limit = 10, .want_echo = true}));
  EXPECT_EQ(list.failure, ReadFailure::kNone) << list.note;
  ASSERT_EQ(list.records.size(), 4U);
  EXPECT_EQ(list.records[3].echo.source_data_sha256.size(), 64U);
  EXPECT_EQ(list.records[0].echo, list.records[3].echo);
  EXPECT_LT(PeakKilobytes() - before, kMostKilobytesMore);
}

}  // namespace
}  // namespace lumaedit
