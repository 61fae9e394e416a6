#include "server/upstream/gmi_client.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "server/base/hash.h"
#include "server/upstream/base64.h"

namespace lumaedit {
namespace {

namespace asio = boost::asio;

constexpr char kKey[] = "canary-key-0123456789";

template <typename T>
T Await(asio::awaitable<T> work) {
  asio::io_context io;
  std::optional<T> result;
  asio::co_spawn(
      io, [&]() -> asio::awaitable<void> { result = co_await std::move(work); }, asio::detached);
  io.run();
  return std::move(*result);
}

// Answers with what a test put in, and writes down what was asked.
class ScriptedTransport final : public HttpTransport {
 public:
  asio::awaitable<HttpRead> Get(std::string target, Secret key, HttpSink& sink) override {
    asked.push_back(target);
    keys.push_back(key.Reveal());
    if (meanwhile) meanwhile();
    HttpRead read;
    read.failure = failure;
    read.head = head;
    if (head.status == 0 || !sink.Head(head)) {
      read.was_enough = head.status != 0;
      co_return read;
    }
    for (std::size_t at = 0; at < body.size(); at += piece) {
      const std::string_view part = std::string_view(body).substr(at, piece);
      read.body_bytes += static_cast<std::int64_t>(part.size());
      if (!sink.Body(part)) {
        read.was_enough = true;
        read.failure.reset();
        break;
      }
    }
    co_return read;
  }

  asio::awaitable<HttpPost> Post(std::string target, Secret, HttpBody& request,
                                 LastByteGate& gate) override {
    asked.push_back(target);
    HttpPost post;
    while (true) {
      absl::StatusOr<std::string> slice = co_await request.Next();
      if (!slice.ok()) {
        post.failure =
            HttpFailure{.step = HttpStep::kBody, .text = std::string(slice.status().message())};
        co_return post;
      }
      if (slice->empty()) break;
      EXPECT_LE(slice->size(), 64U * 1024);
      sent += *slice;
    }
    EXPECT_EQ(static_cast<std::int64_t>(sent.size()), request.size());
    co_await gate.Seal();
    post.last_byte_given = true;
    post.head = head;
    post.body = body;
    post.failure = failure;
    co_return post;
  }

  std::optional<HttpFailure> failure;
  HttpHead head;
  std::string body;
  std::size_t piece = 1000;
  std::vector<std::string> asked;
  std::vector<std::string> keys;
  std::function<void()> meanwhile;  // called while a read is under way
  std::string sent;
};

class OpenGate final : public LastByteGate {
 public:
  asio::awaitable<bool> Seal() override { co_return true; }
  bool MayGiveLastByte() override { return true; }
  void LastByteGiven() override {}
};

class StringReader final : public SourceReader {
 public:
  explicit StringReader(std::string bytes) : bytes_(std::move(bytes)) {}
  std::int64_t size_bytes() const override { return static_cast<std::int64_t>(bytes_.size()); }
  absl::StatusOr<std::string> Read(std::int64_t offset, std::int64_t most) override {
    return bytes_.substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(most));
  }

 private:
  const std::string bytes_;
};

// Only what a client asks of a store.
class OneSource final : public SourceStore {
 public:
  absl::StatusOr<std::unique_ptr<SourceReader>> Read(const std::string& caller,
                                                     const std::string& id) override {
    if (caller != "caller" || id != "source") return absl::NotFoundError("no source");
    return std::make_unique<StringReader>(bytes);
  }
  absl::StatusOr<SourceInfo> Open(const SourceInfo&) override { return Unused(); }
  absl::Status Append(const std::string&, const std::string&, std::int64_t,
                      std::string_view) override {
    return Unused();
  }
  absl::StatusOr<SourceInfo> Finish(const std::string&, const std::string&,
                                    absl::Duration) override {
    return Unused();
  }
  absl::StatusOr<SourceInfo> Reject(const std::string&, const std::string&, ErrorReason) override {
    return Unused();
  }
  absl::StatusOr<SourceInfo> Get(const std::string&, const std::string&) override {
    return Unused();
  }
  absl::Status KeepUntil(const std::string&, const std::string&, absl::Time) override {
    return Unused();
  }
  absl::StatusOr<int> RemoveExpired(absl::Time) override { return Unused(); }

  std::string bytes;

 private:
  static absl::Status Unused() { return absl::UnimplementedError("not asked for here"); }
};

class GmiClientTest : public testing::Test {
 protected:
  GmiClientTest() {
    auto transport = std::make_unique<ScriptedTransport>();
    wire_ = transport.get();
    client_ = std::make_unique<GmiClient>(GmiClient::Parts{.transport = std::move(transport),
                                                           .key = [this] { return Secret(key_); },
                                                           .sources = sources_,
                                                           .sources_worker = worker_,
                                                           .clock = clock_});
  }

  void Answer(int status, std::string body) {
    wire_->head = HttpHead();
    wire_->head.status = status;
    wire_->head.date = "Mon, 21 Sep 2026 14:13:20 GMT";
    wire_->body = std::move(body);
  }

  std::string key_ = kKey;
  OneSource sources_;
  InlineWorker worker_;
  SystemClock clock_;
  ScriptedTransport* wire_ = nullptr;
  std::unique_ptr<GmiClient> client_;
};

TEST_F(GmiClientTest, TheAccountIsAHashOfTheKeyOfNow) {
  EXPECT_EQ(client_->Account(), "key:" + Sha256Hex(kKey).substr(0, 16));
  key_ = "another-key";
  EXPECT_EQ(client_->Account(), "key:" + Sha256Hex("another-key").substr(0, 16));
}

// Whatever the key file says before or after: what was read is of the account of that key.
TEST_F(GmiClientTest, AReadNamesTheKeyThatItWasMadeWith) {
  wire_->meanwhile = [this] { key_ = "another-key"; };
  Answer(200, R"({"request_id":"a","status":"queued"})");
  EXPECT_EQ(Await(client_->Get("a")).key, "key:" + Sha256Hex(kKey).substr(0, 16));
  EXPECT_EQ(Await(client_->Get("a")).key, "key:" + Sha256Hex("another-key").substr(0, 16));
  key_ = kKey;
  Answer(200, R"({"requests":[]})");
  EXPECT_EQ(Await(client_->List({})).key, "key:" + Sha256Hex(kKey).substr(0, 16));
  // Failures too.
  key_ = kKey;
  Answer(403, "{}");
  EXPECT_EQ(Await(client_->List({})).key, "key:" + Sha256Hex(kKey).substr(0, 16));
  key_ = kKey;
  EXPECT_EQ(Await(client_->Get("not an id")).key, "key:" + Sha256Hex(kKey).substr(0, 16));
  EXPECT_EQ(wire_->keys, (std::vector<std::string>{kKey, "another-key", kKey, kKey}));
}

TEST_F(GmiClientTest, GetReadsARecord) {
  Answer(200,
         R"({"request_id":"a","status":"success","outcome":{"video_url":"https://h.test/v"}})");
  const GetResult result = Await(client_->Get("a"));
  EXPECT_EQ(result.failure, ReadFailure::kNone);
  EXPECT_EQ(result.http_status, 200);
  EXPECT_EQ(result.record.outcome->video_url, "https://h.test/v");
  EXPECT_TRUE(IsSet(result.record.outcome->read_time));
  EXPECT_EQ(result.upstream_date, absl::FromUnixSeconds(1790000000));
  EXPECT_EQ(wire_->asked, std::vector<std::string>{"/requests/a"});
}

TEST_F(GmiClientTest, GetStopsEarlyOnlyWhereALongRestIsWorthless) {
  const std::string head = R"({"request_id":"a","status":"processing","payload":{"source_data":")";
  const std::string body = head + std::string(1 << 20, 'Q') + "\"}}";
  Answer(200, body);
  wire_->head.content_length = static_cast<std::int64_t>(body.size());
  GetResult result = Await(client_->Get("a"));
  EXPECT_EQ(result.failure, ReadFailure::kNone);
  EXPECT_EQ(result.record.status, UpstreamStatus::kProcessing);

  // Cut short where it must be read to its end: nothing is known.
  Answer(200, R"({"request_id":"a","status":"processing","pay)");
  EXPECT_EQ(Await(client_->Get("a")).failure, ReadFailure::kUnreadable);
}

TEST_F(GmiClientTest, GetTellsFailuresApart) {
  const std::vector<std::pair<int, ReadFailure>> statuses = {
      {404, ReadFailure::kNotFound},   {401, ReadFailure::kKeyRefused},
      {403, ReadFailure::kKeyRefused}, {429, ReadFailure::kBusy},
      {500, ReadFailure::kBusy},       {503, ReadFailure::kBusy},
      {302, ReadFailure::kOther},      {400, ReadFailure::kOther},
      {408, ReadFailure::kOther},      {418, ReadFailure::kOther}};
  for (const auto& [status, failure] : statuses) {
    Answer(status, R"({"error":"no canary-key-0123456789"})");
    const GetResult result = Await(client_->Get("a"));
    EXPECT_EQ(result.failure, failure) << status;
    EXPECT_EQ(result.http_status, status);
    EXPECT_EQ(result.note, "no [key]");
  }
}

TEST_F(GmiClientTest, GetSaysHowLongToWait) {
  Answer(429, R"({"rate_limit":{"retry_after_ms":7000}})");
  wire_->head.retry_after = "3";
  EXPECT_EQ(Await(client_->Get("a")).retry_after, absl::Seconds(7));
  Answer(503, "");
  wire_->head.retry_after = "Mon, 21 Sep 2026 14:13:40 GMT";
  EXPECT_EQ(Await(client_->Get("a")).retry_after, absl::Seconds(20));
}

TEST_F(GmiClientTest, GetDoesNotTakeAnotherAnswerForARecord) {
  for (const char* body : {R"({"request_id":"b","status":"success"})", "{}", "<html>", "",
                           R"({"error":"x"})", R"({"status":"success","status":"failed"})"}) {
    Answer(200, body);
    EXPECT_EQ(Await(client_->Get("a")).failure, ReadFailure::kUnreadable) << body;
  }
  Answer(200, R"({"request_id":"a","status":"success"})");
  wire_->head.content_encoding = "gzip";
  EXPECT_EQ(Await(client_->Get("a")).failure, ReadFailure::kUnreadable);
  Answer(200, R"({"status":"queued"})");
  EXPECT_EQ(Await(client_->Get("a")).record.id, "a");
}

TEST_F(GmiClientTest, ABrokenConnectionIsBroken) {
  wire_->failure = HttpFailure{.step = HttpStep::kConnect, .text = "refused"};
  GetResult result = Await(client_->Get("a"));
  EXPECT_EQ(result.failure, ReadFailure::kBroken);
  EXPECT_EQ(result.note, "connect: refused");
  Answer(200, R"({"request_id":"a","sta)");
  EXPECT_EQ(Await(client_->Get("a")).failure, ReadFailure::kBroken);
}

TEST_F(GmiClientTest, AnIdThatIsNoneIsNotAskedFor) {
  EXPECT_EQ(Await(client_->Get("../models")).failure, ReadFailure::kOther);
  EXPECT_TRUE(wire_->asked.empty());
}

TEST_F(GmiClientTest, ListAsksForAPage) {
  Answer(200, R"({"requests":[{"request_id":"a","status":"queued","payload":{"prompt":"p"}}]})");
  const ListResult result =
      Await(client_->List({.model = "m x/&", .offset = 20, .limit = 10, .want_echo = true}));
  EXPECT_EQ(wire_->asked,
            std::vector<std::string>{"/requests?limit=10&offset=20&model_id=m%20x%2f%26"});
  EXPECT_EQ(result.failure, ReadFailure::kNone);
  ASSERT_EQ(result.records.size(), 1U);
  EXPECT_EQ(result.records[0].echo.prompt, "p");
  EXPECT_FALSE(result.has_more.has_value());
  EXPECT_EQ(result.body_bytes, static_cast<std::int64_t>(wire_->body.size()));
}

TEST_F(GmiClientTest, ListStopsAtItsLimit) {
  Answer(
      200,
      R"({"requests":[{"request_id":"a"},{"request_id":"b"},{"request_id":"c"}],"has_more":false})");
  const ListResult result =
      Await(client_->List({.model = "m", .offset = 0, .limit = 2, .want_echo = false}));
  EXPECT_EQ(result.failure, ReadFailure::kNone);
  EXPECT_EQ(result.records.size(), 2U);
  EXPECT_EQ(result.has_more, true);
}

TEST_F(GmiClientTest, ListStopsAtWhatIsOwnedOrDiffers) {
  const std::string video(4 << 20, 'A');
  const auto stop = std::make_shared<ListStop>();
  stop->is_owned = [](const std::string& id) { return id == "owned"; };
  stop->payloads.emplace_back().prompt = "ours";
  stop->payloads.emplace_back().prompt = "ours too";
  stop->payloads.back().source_data_sha256 = std::string(64, '0');
  const auto read = [&](const std::string& id, const std::string& payload) {
    Answer(200, R"({"requests":[{"request_id":")" + id + R"(","status":"queued","payload":{)" +
                    payload + R"(,"source_data":")" + video +
                    R"("},"created_at":1790000000}],"has_more":true})");
    ListQuery query{.model = "m", .offset = 0, .limit = 1, .want_echo = true};
    query.stop = stop;
    const ListResult result = Await(client_->List(query));
    EXPECT_EQ(result.failure, ReadFailure::kNone) << result.note;
    EXPECT_EQ(result.records.size(), 1U);
    return result;
  };
  for (const auto& [id, payload] :
       {std::pair{"owned", R"("prompt":"ours too")"}, std::pair{"b", R"("prompt":"another")"},
        std::pair{"c", R"("prompt":"ours")"}, std::pair{"d", R"("prompt":"ours too","hdr":true)"},
        std::pair{"e", R"("prompt":"ours too","size":[1])"}}) {
    const ListResult result = read(id, payload);
    EXPECT_TRUE(result.records[0].is_partial) << id;
    EXPECT_EQ(result.records[0].id, id);
    EXPECT_FALSE(result.has_more.has_value());
    EXPECT_LT(result.body_bytes, 200'000) << id;  // of 4 MB
  }
  // What may be ours is read to its end.
  const ListResult whole = read("f", R"("prompt":"ours too","resolution":"720p")");
  EXPECT_FALSE(whole.records[0].is_partial);
  EXPECT_EQ(whole.records[0].echo.prompt, "ours too");
  EXPECT_TRUE(IsSet(whole.records[0].created_at));
  EXPECT_EQ(whole.has_more, true);
}

TEST_F(GmiClientTest, ASweepStopsInsideALongRecord) {
  const std::string video(4 << 20, 'A');
  const auto record = [&](const std::string& id, const std::string& status, bool is_fat) {
    return R"({"request_id":")" + id + R"(","org_id":"o","status":")" + status +
           R"(","payload":{"source_data":")" + (is_fat ? video : "AAAA") +
           R"("},"outcome":null,"created_at":1790000000})";
  };
  const auto read = [&](const std::string& first, const std::string& second,
                        std::shared_ptr<ListSweep> sweep) {
    Answer(200, R"({"requests":[)" + first + "," + second + "," + record("z", "queued", true) +
                    R"(],"has_more":true})");
    ListQuery query{.model = "m", .offset = 0, .limit = 10, .want_echo = false};
    sweep->is_fat = [](const std::string& id) { return id == "known"; };
    sweep->fat_bytes = 256 * 1024;
    query.sweep = std::move(sweep);
    ListResult result = Await(client_->List(query));
    EXPECT_EQ(result.failure, ReadFailure::kNone) << result.note;
    EXPECT_FALSE(result.has_more.has_value());
    return result;
  };
  const std::string small = record("a", "processing", false);

  const ListResult known =
      read(small, record("known", "queued", true), std::make_shared<ListSweep>());
  ASSERT_EQ(known.records.size(), 2U);
  EXPECT_FALSE(known.records[0].is_partial);
  EXPECT_EQ(known.records[0].status, UpstreamStatus::kProcessing);
  EXPECT_GT(known.records[0].bytes, 80);
  EXPECT_LT(known.records[0].bytes, 200);
  EXPECT_TRUE(known.records[1].is_partial);
  EXPECT_EQ(known.records[1].id, "known");
  EXPECT_EQ(known.records[1].org_id, "o");
  EXPECT_EQ(known.records[1].status, UpstreamStatus::kQueued);
  EXPECT_LT(known.body_bytes, 150'000);

  // One that nobody knew is read as far as it takes to know it.
  const ListResult unknown =
      read(small, record("new", "success", true), std::make_shared<ListSweep>());
  ASSERT_EQ(unknown.records.size(), 2U);
  EXPECT_TRUE(unknown.records[1].is_partial);
  EXPECT_EQ(unknown.records[1].status, UpstreamStatus::kSuccess);
  EXPECT_FALSE(unknown.records[1].outcome.has_value());
  EXPECT_GT(unknown.records[1].bytes, 256 * 1024);
  EXPECT_LT(unknown.body_bytes, 500'000);

  // Where the echo comes first, neither id nor status is known: it counts as a record all the same.
  const ListResult nameless =
      read(small, R"({"payload":{"source_data":")" + video + R"("},"request_id":"n"})",
           std::make_shared<ListSweep>());
  ASSERT_EQ(nameless.records.size(), 2U);
  EXPECT_TRUE(nameless.records[1].is_partial);
  EXPECT_EQ(nameless.records[1].id, "");

  // All that was waited for was read.
  auto waits = std::make_shared<ListSweep>();
  waits->waited_for = {"a", "b"};
  const ListResult enough = read(small, record("b", "queued", false), waits);
  ASSERT_EQ(enough.records.size(), 2U);
  EXPECT_FALSE(enough.records[1].is_partial);
  EXPECT_LT(enough.body_bytes, 150'000);
}

TEST_F(GmiClientTest, ASweepEndsAtARecordThatCannotBeRead) {
  const auto read = [&](const std::string& body) {
    Answer(200, body);
    ListQuery query{.model = "m", .offset = 0, .limit = 10, .want_echo = false};
    auto sweep = std::make_shared<ListSweep>();
    sweep->is_fat = [](const std::string&) { return false; };
    sweep->fat_bytes = 256 * 1024;
    query.sweep = std::move(sweep);
    return Await(client_->List(query));
  };
  const std::string a = R"({"requests":[{"request_id":"a","status":"queued"},)";
  const ListResult twice = read(a + R"({"request_id":"b","x":1,"x":2},{"request_id":"c"}]})");
  EXPECT_EQ(twice.failure, ReadFailure::kNone);
  ASSERT_EQ(twice.records.size(), 2U);
  EXPECT_EQ(twice.records[0].status, UpstreamStatus::kQueued);
  EXPECT_TRUE(twice.records[1].is_partial);
  EXPECT_EQ(twice.records[1].id, "b");
  // An id that is none is a stranger's.
  const ListResult odd = read(a + R"({"request_id":"b c"},{"request_id":"d"}],"has_more":false})");
  EXPECT_EQ(odd.failure, ReadFailure::kNone);
  EXPECT_EQ(odd.records.size(), 3U);
  EXPECT_EQ(odd.has_more, false);
  // So is an entry that is no record; it keeps its place.
  for (const char* entry : {"null", "7", R"("x")", "true", "[{}]"}) {
    const ListResult none = read(a + entry + R"(,{"request_id":"d"}],"has_more":false})");
    EXPECT_EQ(none.failure, ReadFailure::kNone) << entry;
    ASSERT_EQ(none.records.size(), 3U) << entry;
    EXPECT_EQ(none.records[1].id, "");
    EXPECT_EQ(none.records[2].id, "d");
  }
  for (const char* body : {"<html>", R"({"error":"x"})", R"({"requests":[x)", ""}) {
    EXPECT_EQ(read(body).failure, ReadFailure::kUnreadable) << body;
  }
}

TEST_F(GmiClientTest, NothingIsSentUnderAnotherKeyThanTheAttempts) {
  Answer(200, R"({"request_id":"a","status":"queued"})");
  PostRequest request;
  request.model = kEditModel;
  request.account = "key:0000000000000000";
  request.payload.prompt = "p";
  OpenGate gate;
  const PostResult result = Await(client_->Post(request, gate));
  EXPECT_FALSE(result.last_byte_given);
  EXPECT_EQ(result.fact.kind, FactKind::kNotAccepted);
  EXPECT_TRUE(wire_->asked.empty());
}

TEST_F(GmiClientTest, PostStreamsTheSource) {
  for (int i = 0; i < 200000; ++i) sources_.bytes.push_back(static_cast<char>(i * 7));
  Answer(200, R"({"request_id":"a","status":"queued"})");
  PostRequest request;
  request.model = kEditModel;
  request.caller = "caller";
  request.payload.prompt = "p";
  request.payload.source_media_type = "video/mp4";
  request.payload.source_data_sha256 = Sha256Hex(sources_.bytes);
  request.source.emplace().source_id = "source";
  OpenGate gate;
  const PostResult result = Await(client_->Post(request, gate));
  EXPECT_TRUE(result.last_byte_given);
  EXPECT_EQ(result.fact.kind, FactKind::kAccepted);
  EXPECT_EQ(result.fact.upstream_id, "a");
  EXPECT_TRUE(IsSet(result.fact.record_time));
  EXPECT_TRUE(wire_->sent.ends_with(Base64Encode(sources_.bytes) + "\"}}"));
}

TEST_F(GmiClientTest, ASourceThatIsNotTheOneAnnouncedIsNotSent) {
  sources_.bytes = "other bytes";
  PostRequest request;
  request.model = kEditModel;
  request.caller = "caller";
  request.payload.source_data_sha256 = Sha256Hex("announced");
  request.source.emplace().source_id = "source";
  OpenGate gate;
  PostResult result = Await(client_->Post(request, gate));
  EXPECT_FALSE(result.last_byte_given);
  EXPECT_EQ(result.fact.kind, FactKind::kNotAccepted);
  EXPECT_EQ(result.fact.note, "body: the source is not the one that was announced");

  request.caller = "somebody else";
  result = Await(client_->Post(request, gate));
  EXPECT_FALSE(result.last_byte_given);
  EXPECT_EQ(result.fact.kind, FactKind::kNotAccepted);
}

}  // namespace
}  // namespace lumaedit
