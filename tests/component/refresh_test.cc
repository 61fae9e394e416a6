// RefreshOutput: one read of a final job's record a minute, for all who ask (protocol.md section
// 1).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/stepped_world.h"

namespace lumaedit {
namespace {

using enum JobState;
using testing::ElementsAre;

struct Answer {
  std::optional<absl::StatusOr<JobSnapshot>> result;
};

std::shared_ptr<Answer> Begin(SteppedWorld& world, const std::string& job_id,
                              const std::string& caller = "caller-1") {
  auto answer = std::make_shared<Answer>();
  world.engine().calls().RefreshOutput(caller, job_id,
                                       Reply<JobSnapshot>([answer](absl::StatusOr<JobSnapshot> r) {
                                         answer->result = std::move(r);
                                       }));
  return answer;
}

absl::StatusOr<Job> Refresh(SteppedWorld& world, const std::string& job_id,
                            const std::string& caller = "caller-1") {
  const auto answer = Begin(world, job_id, caller);
  EXPECT_TRUE(world.RunUntil([&] { return answer->result.has_value(); }, absl::Minutes(1)));
  if (!answer->result) return absl::DeadlineExceededError("no answer");
  if (!answer->result->ok()) return answer->result->status();
  return (*answer->result)->job;
}

std::string Succeeded(SteppedWorld& world) {
  const std::string job = world.Submit("a");
  EXPECT_TRUE(world.RunToEnd(job));
  EXPECT_EQ(world.State(job), kSucceeded);
  return job;
}

// As the store keeps it.
absl::Time StoredNow(SteppedWorld& world) {
  return absl::FromUnixMicros(absl::ToUnixMicros(world.clock.Now()));
}

TEST(Refresh, ReadsFreshUrlsAtMostOnceAMinute) {
  SteppedWorld world;
  const std::string job = Succeeded(world);
  const int sequence = world.Get(job).sequence;
  world.RunFor(absl::Hours(1));
  const int gets = world.upstream.gets();
  const auto first = Refresh(world, job);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->outcome->read_time, StoredNow(world));
  EXPECT_FALSE(IsSet(first->late_outcome_time));
  world.RunFor(absl::Seconds(59));
  const auto second = Refresh(world, job);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->outcome->read_time, first->outcome->read_time);
  EXPECT_EQ(world.upstream.gets(), gets + 1);
  world.RunFor(absl::Seconds(2));
  ASSERT_TRUE(Refresh(world, job).ok());
  EXPECT_EQ(world.upstream.gets(), gets + 2);
  EXPECT_EQ(world.Get(job).sequence, sequence);
}

TEST(Refresh, AllWhoAskAtOnceShareOneRead) {
  SteppedWorld world;
  const std::string job = Succeeded(world);
  world.upstream.get_takes = absl::Seconds(3);
  const int gets = world.upstream.gets();
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 10; ++i) answers.push_back(Begin(world, job));
  ASSERT_TRUE(world.RunUntil(
      [&] {
        return std::all_of(answers.begin(), answers.end(),
                           [](const auto& a) { return a->result.has_value(); });
      },
      absl::Seconds(4)));
  for (const auto& answer : answers) {
    ASSERT_TRUE(answer->result->ok());
    EXPECT_EQ((*answer->result)->job.outcome->read_time, StoredNow(world));
  }
  EXPECT_EQ(world.upstream.gets(), gets + 1);
}

TEST(Refresh, ReadsUnderTheCapForAll) {
  SteppedWorld world;
  std::vector<std::string> jobs;
  for (int i = 0; i < 30; ++i) jobs.push_back(world.Submit("a" + std::to_string(i)));
  for (const std::string& job : jobs) ASSERT_TRUE(world.RunToEnd(job));
  // Some are 404 by id meanwhile, and looked for in the list.
  world.RunFor(absl::Hours(1));
  for (std::size_t i = 0; i < jobs.size(); i += 3) {
    world.upstream.Find(world.Get(jobs[i]).upstream_id)->found_by_id = false;
  }
  const std::size_t before = world.upstream.get_times().size();
  std::vector<std::shared_ptr<Answer>> answers;
  for (const std::string& job : jobs) answers.push_back(Begin(world, job));
  ASSERT_TRUE(world.RunUntil(
      [&] {
        return std::all_of(answers.begin(), answers.end(),
                           [](const auto& a) { return a->result.has_value(); });
      },
      absl::Seconds(20)));
  for (const auto& answer : answers) EXPECT_TRUE(answer->result->ok());
  std::vector<absl::Duration> times(
      world.upstream.get_times().begin() + static_cast<std::ptrdiff_t>(before),
      world.upstream.get_times().end());
  times.insert(times.end(), world.upstream.list_times().begin(), world.upstream.list_times().end());
  std::sort(times.begin(), times.end());
  EXPECT_GE(times.size(), 40u);
  for (std::size_t i = 0; i + 21 < times.size(); ++i) {
    EXPECT_GE(times[i + 21] - times[i], absl::Seconds(1)) << i;
  }
}

TEST(Refresh, WhoWouldWaitLongForATurnIsToldSo) {
  WorldOptions options;
  options.settings.poll.requests_per_second = 1;
  SteppedWorld world(options);
  std::vector<std::string> jobs;
  for (int i = 0; i < 10; ++i) jobs.push_back(world.Submit("a" + std::to_string(i)));
  for (const std::string& job : jobs) ASSERT_TRUE(world.RunToEnd(job));
  world.RunFor(absl::Minutes(5));
  std::vector<std::shared_ptr<Answer>> answers;
  for (const std::string& job : jobs) answers.push_back(Begin(world, job));
  world.RunFor(absl::Seconds(11));
  int refreshed = 0;
  for (const auto& answer : answers) {
    ASSERT_TRUE(answer->result.has_value());
    if (answer->result->ok()) {
      ++refreshed;
      continue;
    }
    EXPECT_EQ(DetailOf(answer->result->status()).reason, ErrorReason::kUpstreamUnavailable);
    EXPECT_GT(DetailOf(answer->result->status()).retry_after, absl::Seconds(10));
  }
  // One each two seconds.
  EXPECT_EQ(refreshed, 6);
  // Who was refused had no look: the next is one.
  world.RunFor(absl::Seconds(2));
  EXPECT_TRUE(Refresh(world, jobs.back()).ok());
}

TEST(Refresh, SettlesAnExpiredJobWithoutATransition) {
  WorldOptions options;
  options.settings.poll.job_deadline = absl::Minutes(1);
  SteppedWorld world(options);
  world.upstream.usual.record.course = {{absl::ZeroDuration(), "processing"},
                                        {absl::Minutes(3), "success"}};
  const std::string job = world.Submit("a");
  ASSERT_TRUE(world.RunToEnd(job));
  ASSERT_EQ(world.State(job), kExpired);
  EXPECT_EQ(world.Get(job).charge.state, ChargeState::kUncertain);
  world.RunFor(absl::Minutes(3));
  const auto learned = Refresh(world, job);
  ASSERT_TRUE(learned.ok()) << learned.status();
  EXPECT_EQ(learned->state, kExpired);
  EXPECT_TRUE(learned->outcome.has_value());
  EXPECT_TRUE(IsSet(learned->late_outcome_time));
  EXPECT_EQ(learned->charge.state, ChargeState::kIncurred);
  EXPECT_THAT(world.Path(job), ElementsAre(kPending, kSubmitting, kProcessing, kExpired));
}

TEST(Refresh, OnlyForFinalJobsThatWereAccepted) {
  SteppedWorld world;
  const auto refused = [&](const std::string& job) {
    const int gets = world.upstream.gets();
    const absl::Status status = Refresh(world, job).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_TRUE(HasReason(status, ErrorReason::kNotAccepted));
    EXPECT_EQ(world.upstream.gets(), gets);
  };
  const std::string running = world.Submit("a");
  refused(running);
  ASSERT_TRUE(world.RunToState(running, kQueued));
  refused(running);
  PostScript no;
  no.kind = PostScript::Kind::kEditRefused;
  world.upstream.Script(no);
  const std::string unsent = world.Submit("b");
  ASSERT_TRUE(world.RunToEnd(unsent));
  refused(unsent);

  const absl::Status foreign = Refresh(world, running, "caller-2").status();
  EXPECT_TRUE(absl::IsNotFound(foreign)) << foreign;
  EXPECT_EQ(foreign, Refresh(world, "00000000-0000-4000-8000-000000000000").status());
}

TEST(Refresh, SaysWhyTheUpstreamCouldNotBeAsked) {
  struct Row {
    ReadFailure failure;
    int http_status;
    absl::StatusCode code;
    ErrorReason reason;
  };
  using enum absl::StatusCode;
  for (const Row& row :
       {Row{ReadFailure::kBusy, 429, kResourceExhausted, ErrorReason::kUpstreamBusy},
        Row{ReadFailure::kOther, 402, kResourceExhausted, ErrorReason::kUpstreamBusy},
        Row{ReadFailure::kBusy, 503, kUnavailable, ErrorReason::kUpstreamUnavailable},
        Row{ReadFailure::kBroken, 0, kUnavailable, ErrorReason::kUpstreamUnavailable},
        Row{ReadFailure::kKeyRefused, 401, kInternal, ErrorReason::kInternal}}) {
    SteppedWorld world;
    const std::string job = Succeeded(world);
    int asked = 0;
    world.upstream.on_get = [&](const std::string&) {
      ++asked;
      GetResult result;
      result.failure = row.failure;
      result.http_status = row.http_status;
      result.retry_after = absl::Seconds(90);
      return std::optional<GetResult>(result);
    };
    const absl::Status first = Refresh(world, job).status();
    EXPECT_EQ(first.code(), row.code) << first;
    EXPECT_TRUE(HasReason(first, row.reason)) << first;
    if (row.code != kInternal) {
      EXPECT_EQ(DetailOf(first).retry_after, absl::Seconds(90));
    }
    EXPECT_EQ(world.log.Count("upstream_key_refused"), row.code == kInternal ? 1 : 0);
    // The same answer, with what is left of the wait, and no second read.
    world.RunFor(absl::Seconds(30));
    const absl::Status second = Refresh(world, job).status();
    EXPECT_EQ(second.code(), row.code) << second;
    if (row.code != kInternal) {
      EXPECT_EQ(DetailOf(second).retry_after, absl::Seconds(60));
    }
    EXPECT_EQ(asked, 1);
    world.upstream.on_get = nullptr;
    world.RunFor(absl::Seconds(61));
    EXPECT_TRUE(Refresh(world, job).ok());
  }
}

TEST(Refresh, ARecordThatIsMissingByIdIsFoundInTheList) {
  SteppedWorld world;
  const std::string job = Succeeded(world);
  world.RunFor(absl::Hours(1));
  world.upstream.Find("record-1")->found_by_id = false;
  const auto found = Refresh(world, job);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->outcome->read_time, StoredNow(world));
  world.upstream.Find("record-1")->listed = false;
  world.RunFor(absl::Minutes(2));
  const auto gone = Refresh(world, job);
  EXPECT_TRUE(absl::IsUnavailable(gone.status())) << gone.status();
  EXPECT_EQ(world.State(job), kSucceeded);
}

TEST(Refresh, ACallUnderWayIsAnsweredWhenTheProcessStops) {
  SteppedWorld world;
  const std::string job = Succeeded(world);
  world.upstream.get_takes = absl::Hours(1);
  const auto asking = Begin(world, job);
  const auto waiting = Begin(world, job);
  world.RunFor(absl::Seconds(1));
  ASSERT_FALSE(asking->result.has_value());
  world.ShutDown(absl::Seconds(1));
  ASSERT_TRUE(asking->result.has_value());
  EXPECT_TRUE(absl::IsUnavailable(asking->result->status()));
  ASSERT_TRUE(waiting->result.has_value());
}

}  // namespace
}  // namespace lumaedit
