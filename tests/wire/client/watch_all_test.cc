// The watch of all jobs against every way its stream and its list can break.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "client/client.h"
#include "tests/wire/client/scripted_gateway.h"

namespace lumaedit::client {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

constexpr auto kPending = v1::Job::STATE_PENDING;
constexpr auto kQueued = v1::Job::STATE_QUEUED;
constexpr auto kProcessing = v1::Job::STATE_PROCESSING;
constexpr auto kSucceeded = v1::Job::STATE_SUCCEEDED;

using Delivered = std::vector<std::pair<std::string, int>>;

v1::WatchJobsResponse Told(const std::string& job, v1::Transition transition,
                           const std::string& token) {
  v1::WatchJobsResponse message;
  *message.mutable_transition() = std::move(transition);
  message.set_job_id(job);
  message.set_resume_token(token);
  return message;
}

v1::WatchJobsResponse Told(const std::string& job, int sequence, v1::Job::State state,
                           const std::string& token) {
  return Told(job, MakeTransition(sequence, state), token);
}

v1::WatchJobsResponse JobsCaughtUp(const std::string& token) {
  v1::WatchJobsResponse message;
  message.mutable_caught_up();
  message.set_resume_token(token);
  return message;
}

v1::Job Listed(const std::string& id, int sequence, v1::Job::State state) {
  v1::Job job = MakeJob(sequence, state);
  job.set_id(id);
  job.mutable_end_time()->set_seconds(1790000000 + sequence);
  return job;
}

class WatchAllTest : public ::testing::Test {
 protected:
  // One stream: its messages, then its status; with kStay it stays open.
  struct Script {
    std::vector<v1::WatchJobsResponse> messages;
    grpc::Status status;
    bool stay = false;
  };

  void SetUp() override {
    ClientOptions client;
    client.connection.address = gateway_.address();
    client.connection.connect_timeout = absl::Seconds(5);
    client.backoff = {absl::Milliseconds(2), absl::Milliseconds(20)};
    auto made = Client::Create(client);
    ASSERT_TRUE(made.ok());
    client_ = std::move(*made);
    options_.backoff = client.backoff;
    options_.timeout = absl::Seconds(20);  // should the watch never end
    options_.on_position = [this](const std::string& token) { positions_.push_back(token); };
    options_.on_interrupted = [this](const ClientError& error, absl::Duration) {
      interruptions_.push_back(error);
    };
    gateway_.on_list = [this](const v1::ListJobsRequest& request, v1::ListJobsResponse* response) {
      const std::lock_guard lock(mutex_);
      lists_.push_back(request);
      if (pages_.empty()) return grpc::Status::OK;
      *response = pages_.front();
      pages_.pop_front();
      return grpc::Status::OK;
    };
    gateway_.on_watch_jobs = [this](grpc::ServerContext& context,
                                    const v1::WatchJobsRequest& request,
                                    ScriptedGateway::JobsWriter& writer) {
      Script script;
      script.stay = true;
      {
        const std::lock_guard lock(mutex_);
        streams_.push_back(request);
        if (!scripts_.empty()) {
          script = std::move(scripts_.front());
          scripts_.pop_front();
        }
      }
      for (const auto& message : script.messages) {
        if (!writer.Write(message)) return grpc::Status::CANCELLED;
      }
      if (script.stay) gateway_.AwaitGone(context);
      return script.status;
    };
  }

  void Page(std::vector<v1::Job> jobs, const std::string& token, const std::string& next = "") {
    v1::ListJobsResponse page;
    for (v1::Job& job : jobs) *page.add_jobs() = std::move(job);
    page.set_watch_token(token);
    page.set_next_page_token(next);
    pages_.push_back(std::move(page));
  }
  void Stream(std::vector<v1::WatchJobsResponse> messages, grpc::Status status) {
    scripts_.push_back({std::move(messages), std::move(status), false});
  }
  void LastStream(std::vector<v1::WatchJobsResponse> messages) {
    scripts_.push_back({std::move(messages), grpc::Status::OK, true});
  }

  // Jobs `newest` down to `oldest` as a list shows them: each ended at its second transition.
  static std::vector<v1::Job> Ended(int newest, int oldest) {
    std::vector<v1::Job> jobs;
    for (int n = newest; n >= oldest; --n) {
      jobs.push_back(Listed("job " + std::to_string(n), 2, kSucceeded));
      jobs.back().mutable_end_time()->set_seconds(1790000000 + 10 * n);
    }
    return jobs;
  }
  void AddHistories(int newest, int oldest) {
    for (int n = newest; n >= oldest; --n) {
      v1::Transition last = MakeTransition(2, kSucceeded);
      last.mutable_record_time()->set_seconds(1790000000 + 10 * n);
      gateway_.AddWatch({Send(1, kPending), Send(last), End()});
    }
  }
  static Delivered EndedTold(int newest, int oldest) {
    Delivered told;
    for (int n = newest; n >= oldest; --n) {
      for (const int sequence : {1, 2}) told.emplace_back("job " + std::to_string(n), sequence);
    }
    return told;
  }
  static Delivered ToldThenNew(int newest, int oldest) {
    Delivered told = EndedTold(newest, oldest);
    told.emplace_back("new", 1);
    return told;
  }

  // Watches until `count` transitions have been delivered.
  Result<WatchAllEnd> Watch(std::size_t count) {
    return client_->WatchAll(
        [this, count](const std::string& job_id, const v1::Transition& transition) {
          delivered_.emplace_back(job_id, transition.sequence());
          return delivered_.size() >= count ? WatchStep::kStop : WatchStep::kGoOn;
        },
        options_);
  }

  std::vector<std::string> Resumed() {
    std::vector<std::string> tokens;
    for (const auto& request : streams_) tokens.push_back(request.resume_token());
    return tokens;
  }
  std::vector<std::pair<std::string, int>> Replays() const {
    std::vector<std::pair<std::string, int>> replays;
    for (const auto& watch : gateway_.watches()) {
      replays.emplace_back(watch.job_id(), watch.after_sequence());
    }
    return replays;
  }

  std::mutex mutex_;
  std::deque<v1::ListJobsResponse> pages_;
  std::deque<Script> scripts_;
  std::vector<v1::ListJobsRequest> lists_;
  std::vector<v1::WatchJobsRequest> streams_;
  Delivered delivered_;
  std::vector<std::string> positions_;
  std::vector<ClientError> interruptions_;
  WatchAllOptions options_;
  std::unique_ptr<Client> client_;
  ScriptedGateway gateway_;  // last: its handlers are over before what they use goes
};

TEST_F(WatchAllTest, ListsThenWatchesFromTheFirstPagesToken) {
  Page({Listed("b", 3, kProcessing)}, "t0", "more");
  Page({Listed("a", 1, kPending)}, "t1");
  LastStream({JobsCaughtUp("t0"), Told("a", 2, kQueued, "t2"), Told("c", 1, kPending, "t3"),
              Told("b", 4, kSucceeded, "t4")});
  std::vector<std::string> listed;
  options_.on_listed = [&](const v1::Job& job) {
    listed.push_back(job.id());
    return WatchStep::kGoOn;
  };
  const auto end = Watch(3);
  ASSERT_TRUE(end.ok()) << end.error().ToString();
  EXPECT_THAT(listed, ElementsAre("b", "a"));
  EXPECT_THAT(delivered_, ElementsAre(Pair("a", 2), Pair("c", 1), Pair("b", 4)));
  EXPECT_THAT(Resumed(), ElementsAre("t0"));
  EXPECT_THAT(positions_, ElementsAre("t0", "t2", "t3", "t4"));
  EXPECT_EQ(end->resume_token, "t4");
  EXPECT_EQ(end->lists, 1);
}

TEST_F(WatchAllTest, WhatTheListShowedIsNotToldAgain) {
  Page({Listed("a", 3, kProcessing), Listed("b", 5, kSucceeded)}, "t0");
  LastStream({Told("a", 2, kQueued, "t1"), Told("a", 3, kProcessing, "t2"),
              Told("b", 5, kSucceeded, "t3"), Told("a", 4, kSucceeded, "t4")});
  ASSERT_TRUE(Watch(1).ok());
  EXPECT_THAT(delivered_, ElementsAre(Pair("a", 4)));
}

TEST_F(WatchAllTest, ResumesWithTheLastTokenAfterEveryBreak) {
  Page({}, "t0");
  Stream({Told("a", 1, kPending, "t1")},
         Failure(grpc::StatusCode::UNAVAILABLE, "STREAM_ROTATED", 0.01));
  Stream({Told("b", 1, kPending, "t2"), Told("a", 2, kQueued, "t3")},
         grpc::Status(grpc::StatusCode::INTERNAL, "reset"));
  Stream({}, grpc::Status::OK);  // never a good end
  LastStream({Told("a", 2, kQueued, "t3"), Told("a", 3, kSucceeded, "t4")});
  const auto end = Watch(4);
  ASSERT_TRUE(end.ok()) << end.error().ToString();
  EXPECT_THAT(delivered_, ElementsAre(Pair("a", 1), Pair("b", 1), Pair("a", 2), Pair("a", 3)));
  EXPECT_THAT(Resumed(), ElementsAre("t0", "t1", "t3", "t3"));
  EXPECT_EQ(end->resumes, 3);
}

TEST_F(WatchAllTest, ATokenThatIsTooOldLeadsToTheListAndTheHistories) {
  Page({Listed("a", 2, kQueued), Listed("b", 3, kProcessing)}, "t0");
  Stream({Told("b", 4, kSucceeded, "t1")},
         grpc::Status(grpc::StatusCode::UNAVAILABLE, "the network"));
  Stream({}, Failure(grpc::StatusCode::OUT_OF_RANGE, "TOKEN_TOO_OLD"));
  // Meanwhile: a went on, c came, d came and ended, b is known.
  Page({Listed("d", 2, kSucceeded), Listed("c", 1, kPending), Listed("b", 4, kSucceeded),
        Listed("a", 4, kSucceeded)},
       "u0");
  gateway_.AddWatch({Send(1, kPending), Send(2, kSucceeded), End()});  // d after 0
  gateway_.AddWatch({Send(1, kPending), CaughtUp(Listed("c", 1, kPending)), Silence()});
  gateway_.AddWatch({Send(3, kProcessing), Send(4, kSucceeded), End()});  // a after 2
  LastStream({Told("c", 1, kPending, "u1"), Told("c", 2, kQueued, "u2")});
  const auto end = Watch(7);
  ASSERT_TRUE(end.ok()) << end.error().ToString();
  EXPECT_THAT(delivered_, ElementsAre(Pair("b", 4), Pair("d", 1), Pair("d", 2), Pair("c", 1),
                                      Pair("a", 3), Pair("a", 4), Pair("c", 2)));
  EXPECT_THAT(Replays(), ElementsAre(Pair("d", 0), Pair("c", 0), Pair("a", 2)));
  EXPECT_THAT(Resumed(), ElementsAre("t0", "t1", "u0"));
  EXPECT_EQ(end->lists, 2);
}

TEST_F(WatchAllTest, AStopAmidTheListOfALostTokenLosesNothing) {
  options_.resume_token = "t1";
  Stream({}, Failure(grpc::StatusCode::OUT_OF_RANGE, "TOKEN_TOO_OLD"));
  Page({Listed("d", 2, kSucceeded), Listed("a", 4, kSucceeded)}, "u0");
  gateway_.AddWatch({Send(1, kPending), Send(2, kSucceeded), End()});  // d after 0
  const auto end = Watch(1);
  ASSERT_TRUE(end.ok()) << end.error().ToString();
  EXPECT_THAT(delivered_, ElementsAre(Pair("d", 1)));
  // With no token the next watch would take what the list shows for known.
  EXPECT_EQ(end->resume_token, "t1");
}

TEST_F(WatchAllTest, AnotherStoreLeadsToTheListToo) {
  Page({Listed("a", 5, kProcessing)}, "t0");
  Stream({}, Failure(grpc::StatusCode::FAILED_PRECONDITION, "TOKEN_FROM_OTHER_STORE"));
  // The restored store has lost what is known: its numbers come a second time, and are not told.
  Page({Listed("a", 3, kQueued)}, "u0");
  LastStream({Told("a", 4, kProcessing, "u1"), Told("a", 5, kProcessing, "u2"),
              Told("a", 6, kSucceeded, "u3")});
  ASSERT_TRUE(Watch(1).ok());
  EXPECT_THAT(delivered_, ElementsAre(Pair("a", 6)));
  EXPECT_THAT(Replays(), IsEmpty());
}

TEST_F(WatchAllTest, FinalJobsAreForgottenAndStillToldOnce) {
  options_.final_jobs_kept = 2;
  std::vector<v1::WatchJobsResponse> stream;
  std::vector<v1::Job> again;
  for (int n = 1; n <= 6; ++n) {
    const std::string id = "job " + std::to_string(n);
    v1::Transition last = MakeTransition(2, kSucceeded);
    last.mutable_record_time()->set_seconds(1790000000 + 10 * n);
    stream.push_back(Told(id, 1, kPending, "t" + std::to_string(2 * n)));
    stream.push_back(Told(id, last, "t" + std::to_string(2 * n + 1)));
    v1::Job job = Listed(id, 2, kSucceeded);
    job.mutable_end_time()->set_seconds(1790000000 + 10 * n);
    again.insert(again.begin(), job);
  }
  Page({}, "t0");
  Stream(stream, Failure(grpc::StatusCode::OUT_OF_RANGE, "TOKEN_TOO_OLD"));
  Stream({}, Failure(grpc::StatusCode::OUT_OF_RANGE, "TOKEN_TOO_OLD"));
  v1::Job later = Listed("later", 1, kSucceeded);
  later.mutable_end_time()->set_seconds(1790000070);
  again.insert(again.begin(), later);
  Page(again, "u0");
  v1::Transition only = MakeTransition(1, kSucceeded);
  *only.mutable_record_time() = later.end_time();
  gateway_.AddWatch({Send(only), End()});
  Page(again, "u0");
  // A stream that begins before the list was read.
  LastStream({Told("job 1", stream[1].transition(), "u1"), Told("new", 1, kPending, "u2")});
  const auto end = Watch(14);
  ASSERT_TRUE(end.ok()) << end.error().ToString();
  ASSERT_THAT(delivered_, SizeIs(14));
  EXPECT_EQ(delivered_[12], std::pair(std::string("later"), 1));
  EXPECT_EQ(delivered_[13], std::pair(std::string("new"), 1));
  EXPECT_THAT(Replays(), ElementsAre(Pair("later", 0)));
}

TEST_F(WatchAllTest, AFirstListOfMoreFinalJobsThanAreKeptIsToldWhole) {
  options_.final_jobs_kept = 2;
  options_.known_sequence = [](const v1::Job&) { return 0; };
  Page(Ended(6, 4), "t0", "more");
  Page(Ended(3, 1), "t1");
  AddHistories(6, 1);
  LastStream({Told("new", 1, kPending, "t2")});
  const auto end = Watch(13);
  ASSERT_TRUE(end.ok()) << end.error().ToString();
  EXPECT_THAT(delivered_, ElementsAreArray(ToldThenNew(6, 1)));
}

TEST_F(WatchAllTest, AListAfterALostTokenOfMoreFinalJobsThanAreKeptIsToldWhole) {
  options_.final_jobs_kept = 2;
  Page(Ended(4, 1), "t0");  // of these two are forgotten, and still known
  Stream({}, Failure(grpc::StatusCode::OUT_OF_RANGE, "TOKEN_TOO_OLD"));
  Page(Ended(10, 1), "u0");
  AddHistories(10, 5);
  LastStream({Told("new", 1, kPending, "u1")});
  const auto end = Watch(13);
  ASSERT_TRUE(end.ok()) << end.error().ToString();
  EXPECT_THAT(delivered_, ElementsAreArray(ToldThenNew(10, 5)));
}

TEST_F(WatchAllTest, AListThatBreaksOffLosesNothingOfMoreFinalJobsThanAreKept) {
  options_.final_jobs_kept = 2;
  options_.known_sequence = [](const v1::Job&) { return 0; };
  const auto good = gateway_.on_list;
  int asked = 0;
  gateway_.on_list = [&](const v1::ListJobsRequest& request, v1::ListJobsResponse* response) {
    if (++asked == 2) return Failure(grpc::StatusCode::ABORTED, "INTERNAL");
    return good(request, response);
  };
  Page(Ended(6, 3), "t0", "more");
  Page(Ended(6, 3), "u0", "more");
  Page(Ended(2, 1), "u1");
  AddHistories(6, 3);
  AddHistories(4, 1);  // 4 and 3 were forgotten meanwhile, and are told again
  LastStream({Told("new", 1, kPending, "u2")});
  const auto end = Watch(17);
  ASSERT_TRUE(end.ok()) << end.error().ToString();
  Delivered expected = ToldThenNew(4, 1);
  const Delivered before = EndedTold(6, 3);
  expected.insert(expected.begin(), before.begin(), before.end());
  EXPECT_THAT(delivered_, ElementsAreArray(expected));
}

TEST_F(WatchAllTest, AGapIsFilledFromTheJobsHistory) {
  Page({Listed("a", 1, kPending)}, "t0");
  gateway_.AddWatch({Send(2, kQueued), Send(3, kProcessing), Silence()});
  LastStream({Told("a", 3, kProcessing, "t1"), Told("a", 4, kSucceeded, "t2")});
  ASSERT_TRUE(Watch(3).ok());
  EXPECT_THAT(delivered_, ElementsAre(Pair("a", 2), Pair("a", 3), Pair("a", 4)));
}

TEST_F(WatchAllTest, AStopInsideAGapDoesNotMoveThePosition) {
  Page({Listed("a", 1, kPending)}, "t0");
  gateway_.AddWatch({Send(2, kQueued), Send(3, kProcessing), Silence()});
  LastStream({Told("a", 3, kProcessing, "t1")});
  const auto end = Watch(1);
  ASSERT_TRUE(end.ok());
  EXPECT_EQ(end->resume_token, "t0");
}

TEST_F(WatchAllTest, ACallerWhoKnowsSequencesMissesNothingOfTheFirstList) {
  Page({Listed("b", 2, kSucceeded), Listed("a", 3, kProcessing)}, "t0");
  options_.known_sequence = [](const v1::Job& job) { return job.id() == "a" ? 1 : 2; };
  gateway_.AddWatch({Send(2, kQueued), Send(3, kProcessing), Silence()});
  LastStream({Told("a", 4, kSucceeded, "t1")});
  ASSERT_TRUE(Watch(3).ok());
  EXPECT_THAT(delivered_, ElementsAre(Pair("a", 2), Pair("a", 3), Pair("a", 4)));
  EXPECT_THAT(Replays(), ElementsAre(Pair("a", 1)));
}

TEST_F(WatchAllTest, BeginsAtATokenWithoutAList) {
  options_.resume_token = "t7";
  LastStream({Told("a", 4, kProcessing, "t8"), Told("a", 5, kSucceeded, "t9")});
  ASSERT_TRUE(Watch(2).ok());
  EXPECT_THAT(delivered_, ElementsAre(Pair("a", 4), Pair("a", 5)));
  EXPECT_THAT(Resumed(), ElementsAre("t7"));
  EXPECT_THAT(lists_, IsEmpty());
}

TEST_F(WatchAllTest, FiltersByLabelsAndByIds) {
  Page({}, "t0");
  options_.labels = {{"team", "film"}};
  LastStream({Told("a", 1, kPending, "t1")});
  ASSERT_TRUE(Watch(1).ok());
  EXPECT_EQ(lists_.at(0).labels().at("team"), "film");
  EXPECT_EQ(streams_.at(0).labels().at("team"), "film");

  options_.labels.clear();
  options_.job_ids = {"a", "gone"};
  gateway_.on_get = [](const std::string& id, v1::Job* job) {
    if (id == "gone") return Failure(grpc::StatusCode::NOT_FOUND, "JOB_NOT_FOUND");
    *job = Listed(id, 2, kQueued);
    return grpc::Status::OK;
  };
  Page({Listed("other", 9, kQueued)}, "t0");
  LastStream({Told("a", 2, kQueued, "t1"), Told("a", 3, kSucceeded, "t2")});
  delivered_.clear();
  ASSERT_TRUE(Watch(1).ok());
  EXPECT_THAT(delivered_, ElementsAre(Pair("a", 3)));
  EXPECT_THAT(streams_.at(1).job_ids(), ElementsAre("a", "gone"));
  EXPECT_EQ(lists_.at(1).page_size(), 1);
}

TEST_F(WatchAllTest, AFailedListIsReadAgain) {
  const auto good = gateway_.on_list;
  int asked = 0;
  gateway_.on_list = [&](const v1::ListJobsRequest& request, v1::ListJobsResponse* response) {
    if (++asked == 2) return Failure(grpc::StatusCode::ABORTED, "INTERNAL");
    return good(request, response);
  };
  Page({Listed("b", 1, kPending)}, "t0", "more");
  Page({Listed("b", 1, kPending)}, "u0", "more");
  Page({Listed("a", 1, kPending)}, "u1");
  LastStream({Told("a", 2, kQueued, "u2")});
  ASSERT_TRUE(Watch(1).ok());
  EXPECT_THAT(Resumed(), ElementsAre("u0"));
}

TEST_F(WatchAllTest, PermanentErrorsEndIt) {
  Page({}, "t0");
  Stream({}, Failure(grpc::StatusCode::INVALID_ARGUMENT, "INVALID_FIELDS"));
  EXPECT_EQ(Watch(1).error().reason, v1::ERROR_REASON_INVALID_FIELDS);
  gateway_.on_list = [](const v1::ListJobsRequest&, v1::ListJobsResponse*) {
    return Failure(grpc::StatusCode::UNAUTHENTICATED, "UNAUTHENTICATED");
  };
  EXPECT_EQ(Watch(1).error().code, absl::StatusCode::kUnauthenticated);
}

TEST_F(WatchAllTest, ASilentStreamIsDead) {
  options_.silence_limit = absl::Seconds(1);
  Page({}, "t0");
  LastStream({JobsCaughtUp("t1")});
  LastStream({Told("a", 1, kPending, "t2")});
  ASSERT_TRUE(Watch(1).ok());
  EXPECT_THAT(Resumed(), ElementsAre("t0", "t1"));
  ASSERT_THAT(interruptions_, SizeIs(1));
}

TEST_F(WatchAllTest, AStopFromAnotherThreadIsPrompt) {
  Page({}, "t0");
  LastStream({JobsCaughtUp("t1")});
  std::stop_source stop;
  options_.stop = stop.get_token();
  std::promise<void> caught_up;
  options_.on_caught_up = [&] {
    caught_up.set_value();
    return WatchStep::kGoOn;
  };
  auto ended = std::async(std::launch::async, [this] { return Watch(1); });
  caught_up.get_future().wait();
  stop.request_stop();
  EXPECT_EQ(ended.get().error().code, absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace lumaedit::client
