// Contract of JobStore: submitting, budgets, and what callers read.
#include <gmock/gmock.h>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "tests/contract/job_store_suite.h"

namespace lumaedit {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST_P(JobStoreSuite, KeepsEveryFieldOfASubmission) {
  NewJob fresh = Fresh();
  fresh.job.edit.prompt = "snow\n\"quoted\" \xE2\x80\xA8 \xF0\x9F\x8E\xAC";
  fresh.job.edit.source = StoredSource{"src-1", "video/mp4", "ab12", 123456789012, true};
  fresh.job.edit.output_format = OutputFormat::kHdrExr1080p;
  fresh.job.edit.manual =
      ManualConditioning{Strength::kFlex2, Pose::kCoarse, 0.1, 0.0, 0.30000000000000004, true};
  fresh.job.edit.start_frame_url = "https://example.com/a.png?x=1&y=%20";
  fresh.job.options.labels = {{"team", "blue"}, {"kind.of", ""}};
  fresh.job.options.max_price_usd_micros = 5'000'000;
  fresh.job.options.declared_source_duration = absl::Seconds(4) + absl::Nanoseconds(999999999);
  fresh.job.options.start_within = absl::Hours(24 * 365 * 1000);
  fresh.job.quote = {1, 2};
  fresh.job.source_length = {absl::Microseconds(4'999'999), DurationBasis::kLineage};

  const auto inserted = store().Insert(fresh);
  ASSERT_TRUE(inserted.ok()) << inserted.status();
  EXPECT_TRUE(inserted->created);
  harness_->Reopen();
  const auto job = store().Get(kCaller, fresh.job.id);
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->edit, fresh.job.edit);
  EXPECT_EQ(job->options, fresh.job.options);
  EXPECT_EQ(job->quote, fresh.job.quote);
  EXPECT_EQ(job->source_length, fresh.job.source_length);
  EXPECT_EQ(job->charge, fresh.job.charge);
  EXPECT_EQ(job->request_id, fresh.job.request_id);
  EXPECT_EQ(job->create_time, fresh.job.create_time);
  EXPECT_EQ(job->state, JobState::kPending);
  EXPECT_EQ(job->sequence, 1);
  EXPECT_FALSE(IsSet(job->end_time));
  const auto transitions = store().Transitions(kCaller, job->id, 0, 10);
  ASSERT_TRUE(transitions.ok());
  EXPECT_THAT(*transitions, ElementsAre(*inserted->transition));
  EXPECT_FALSE(transitions->front().previous_state.has_value());
}

TEST_P(JobStoreSuite, KeepsEveryKindOfSource) {
  for (const Source& source : {Source{}, Source{GenerationSource{"g"}}, Source{JobSource{"j", "g"}},
                               Source{StoredSource{"s", "video/webm", "00", 1, false}}}) {
    NewJob fresh = Fresh();
    fresh.job.edit.source = source;
    EXPECT_EQ(Inserted(fresh).edit.source, source);
  }
}

TEST_P(JobStoreSuite, TheFirstTransitionIsPendingWithTheFirstChange) {
  const auto result = store().Insert(Fresh());
  ASSERT_TRUE(result.ok());
  ASSERT_TRUE(result->transition.has_value());
  EXPECT_EQ(result->transition->sequence, 1);
  EXPECT_EQ(result->transition->state, JobState::kPending);
  EXPECT_EQ(result->transition->change, 1);
  EXPECT_EQ(result->transition->record_time, result->job.state_time);
  EXPECT_EQ(result->transition->charge.state, ChargeState::kReserved);
}

TEST_P(JobStoreSuite, ARepeatAnswersTheJobAsItIsNow) {
  const NewJob fresh = Fresh();
  Inserted(fresh);
  ASSERT_TRUE(Move(fresh.job.id, nullptr, JobState::kCancelled).ok());
  NewJob repeat = Fresh();
  repeat.job.request_id = fresh.job.request_id;
  const auto result = store().Insert(repeat);
  ASSERT_TRUE(result.ok());
  EXPECT_FALSE(result->created);
  EXPECT_FALSE(result->transition.has_value());
  EXPECT_EQ(result->job.id, fresh.job.id);
  EXPECT_EQ(result->job.state, JobState::kCancelled);
  EXPECT_EQ(store().FindByRequestId(kCaller, fresh.job.request_id)->id, fresh.job.id);
}

TEST_P(JobStoreSuite, ARequestIdBelongsToItsCaller) {
  const NewJob fresh = Fresh();
  Inserted(fresh);
  NewJob other = Fresh(kOtherCaller);
  other.job.request_id = fresh.job.request_id;
  const auto result = store().Insert(other);
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result->created);
  EXPECT_TRUE(absl::IsNotFound(store().FindByRequestId("caller-c", fresh.job.request_id).status()));
}

TEST_P(JobStoreSuite, ARacedRequestIdMakesOneJob) {
  const NewJob first = Fresh();
  std::atomic<int> created{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    NewJob racer = Fresh();
    racer.job.request_id = first.job.request_id;
    threads.emplace_back([this, racer, &created] {
      const auto result = store().Insert(racer);
      ASSERT_TRUE(result.ok()) << result.status();
      if (result->created) ++created;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(created, 1);
}

TEST_P(JobStoreSuite, AForeignJobCannotBeToldFromAMissingOne) {
  const Job job = Inserted(kCaller);
  const auto foreign = store().Get(kOtherCaller, job.id);
  const auto missing = store().Get(kOtherCaller, random_.Uuid());
  EXPECT_EQ(foreign.status(), missing.status());
  EXPECT_TRUE(HasReason(foreign.status(), ErrorReason::kJobNotFound));
  const auto foreign_log = store().Transitions(kOtherCaller, job.id, 0, 10);
  const auto missing_log = store().Transitions(kOtherCaller, random_.Uuid(), 0, 10);
  EXPECT_EQ(foreign_log.status(), missing_log.status());
  EXPECT_TRUE(absl::IsNotFound(foreign_log.status()));
  EXPECT_THAT(store().List(kOtherCaller, {}, std::nullopt, 10)->jobs, IsEmpty());
  EXPECT_THAT(*store().Changes(kOtherCaller, 0, 10), IsEmpty());
}

TEST_P(JobStoreSuite, FiveHundredRacersForSevenPlacesLetExactlySevenIn) {
  constexpr int kThreads = 10;
  constexpr int kEach = 50;
  std::atomic<int> in{0};
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        NewJob fresh = Fresh();
        fresh.limits = {{kCaller, window_start(), 7 * kPrice + kPrice - 1}};
        const auto result = store().Insert(fresh);
        if (result.ok()) {
          ++in;
        } else if (HasReason(result.status(), ErrorReason::kBudgetExceeded)) {
          ++refused;
        } else {
          ADD_FAILURE() << result.status();
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(in, 7);
  EXPECT_EQ(refused, kThreads * kEach - 7);
  EXPECT_EQ(store().GetBudget(kCaller, window_start())->reserved_usd_micros, 7 * kPrice);
}

TEST_P(JobStoreSuite, ABudgetRefusalSaysWhichLimitAndKeepsTheRequestIdFree) {
  Inserted();
  NewJob fresh = Fresh(kOtherCaller);
  fresh.limits = {{kOtherCaller, window_start(), kPrice}, {"", day_start(), kPrice}};
  const auto result = store().Insert(fresh);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kResourceExhausted);
  const ErrorDetail detail = DetailOf(result.status());
  EXPECT_EQ(detail.reason, ErrorReason::kBudgetExceeded);
  EXPECT_EQ(detail.metadata.at("scope"), "all_callers");
  EXPECT_EQ(detail.metadata.at("limit_usd_micros"), std::to_string(kPrice));
  EXPECT_EQ(detail.metadata.count("used_usd_micros"), 0u) << "what others spend";
  EXPECT_TRUE(
      absl::IsNotFound(store().FindByRequestId(kOtherCaller, fresh.job.request_id).status()));
  EXPECT_EQ(*store().NewestChange(kOtherCaller), 0);
  fresh.limits.clear();
  EXPECT_TRUE(store().Insert(fresh)->created);
}

TEST_P(JobStoreSuite, ABudgetRefusalTellsTheCallerOfItsOwnUse) {
  Inserted();
  NewJob fresh = Fresh();
  fresh.limits = {{kCaller, window_start(), 2 * kPrice - 1}};
  const ErrorDetail detail = DetailOf(store().Insert(fresh).status());
  EXPECT_EQ(detail.reason, ErrorReason::kBudgetExceeded);
  EXPECT_EQ(detail.metadata.at("scope"), "caller");
  EXPECT_EQ(detail.metadata.at("used_usd_micros"), std::to_string(kPrice));
}

TEST_P(JobStoreSuite, AKnownRequestIdIsAnsweredAlsoWhenTheBudgetIsUsedUp) {
  NewJob fresh = Fresh();
  fresh.limits = {{kCaller, window_start(), kPrice}};
  Inserted(fresh);
  const auto repeat = store().Insert(fresh);
  ASSERT_TRUE(repeat.ok()) << repeat.status();
  EXPECT_FALSE(repeat->created);
}

TEST_P(JobStoreSuite, ListsNewestFirstInPagesAlsoWhenCreateTimesAreEqual) {
  std::set<std::string> ids;
  for (int i = 0; i < 11; ++i) {
    if (i == 6) clock().Advance(absl::Microseconds(1));
    ids.insert(Inserted().id);
  }
  std::set<std::string> seen;
  std::optional<JobCursor> cursor;
  absl::Time newest = absl::InfiniteFuture();
  std::string last_id = "~";
  for (int pages = 0; pages < 4; ++pages) {
    const auto page = store().List(kCaller, {}, cursor, 3);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_EQ(page->has_more, pages < 3);
    for (const Job& job : page->jobs) {
      EXPECT_TRUE(seen.insert(job.id).second);
      EXPECT_TRUE(job.create_time < newest || (job.create_time == newest && job.id < last_id));
      newest = job.create_time;
      last_id = job.id;
    }
    cursor = JobCursor{newest, last_id};
  }
  EXPECT_EQ(seen, ids);
  EXPECT_FALSE(store().List(kCaller, {}, std::nullopt, 11)->has_more);
}

TEST_P(JobStoreSuite, ListFiltersByLabelsStatesAndTimes) {
  const auto labelled = [&](std::map<std::string, std::string> labels) {
    NewJob fresh = Fresh();
    fresh.job.options.labels = std::move(labels);
    clock().Advance(absl::Seconds(1));
    return Inserted(fresh);
  };
  const Job both = labelled({{"team", "blue"}, {"stage", "prod"}});
  const Job blue = labelled({{"team", "blue"}, {"stage", "test"}});
  const Job red = labelled({{"team", "red"}, {"stage", "prod"}});
  labelled({});
  NewJob foreign = Fresh(kOtherCaller);
  foreign.job.options.labels = {{"team", "blue"}};
  Inserted(foreign);

  const auto ids = [&](const JobFilter& filter) {
    std::vector<std::string> result;
    const auto page = store().List(kCaller, filter, std::nullopt, 10);
    EXPECT_TRUE(page.ok()) << page.status();
    for (const Job& job : page->jobs) result.push_back(job.id);
    return result;
  };
  JobFilter filter;
  filter.labels = {{"team", "blue"}};
  EXPECT_THAT(ids(filter), ElementsAre(blue.id, both.id));
  filter.labels = {{"team", "blue"}, {"stage", "prod"}};
  EXPECT_THAT(ids(filter), ElementsAre(both.id));
  filter.labels = {{"team", "blu"}};
  EXPECT_THAT(ids(filter), IsEmpty());

  ASSERT_TRUE(Move(blue.id, nullptr, JobState::kCancelled).ok());
  filter.labels = {{"team", "blue"}};
  filter.states = {JobState::kCancelled, JobState::kFailed};
  EXPECT_THAT(ids(filter), ElementsAre(blue.id));
  filter.labels.clear();
  EXPECT_THAT(ids(filter), ElementsAre(blue.id));

  JobFilter times;
  times.created_after = both.create_time;  // inclusive
  times.created_before = red.create_time;  // exclusive
  EXPECT_THAT(ids(times), ElementsAre(blue.id, both.id));
  times.created_after += absl::Nanoseconds(1);
  EXPECT_THAT(ids(times), ElementsAre(blue.id));
}

TEST_P(JobStoreSuite, ChangesCarryTheLabelsOfTheirJobs) {
  NewJob labelled = Fresh();
  labelled.job.options.labels = {{"team", "blue"}, {"stage", "prod"}};
  Inserted(labelled);
  Inserted();
  ASSERT_TRUE(Move(labelled.job.id, nullptr, JobState::kCancelled).ok());
  const auto changes = store().Changes(kCaller, 0, 10);
  ASSERT_TRUE(changes.ok()) << changes.status();
  ASSERT_THAT(*changes, SizeIs(3));
  EXPECT_EQ((*changes)[0].labels, labelled.job.options.labels);
  EXPECT_THAT((*changes)[1].labels, IsEmpty());
  EXPECT_EQ((*changes)[2].labels, labelled.job.options.labels);
}

TEST_P(JobStoreSuite, ChangeNumbersHaveNoGapAndCommitInOrderAcrossThreads) {
  constexpr int kThreads = 8;
  constexpr int kEach = 40;

  std::vector<std::int64_t> seen;
  // A reader that goes on from the newest it saw must never miss one that commits later.
  std::thread reader([&] {
    while (seen.size() < kThreads * kEach * 2) {
      const std::int64_t after = seen.empty() ? 0 : seen.back();
      const auto changes = store().Changes(kCaller, after, 16);
      ASSERT_TRUE(changes.ok()) << changes.status();
      for (const JobTransition& change : *changes) seen.push_back(change.transition.change);
    }
  });
  std::vector<std::thread> writers;
  for (int t = 0; t < kThreads; ++t) {
    writers.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        const Job job = Inserted();
        EXPECT_TRUE(Move(job.id, nullptr, JobState::kCancelled).ok());
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(*store().NewestChange(kCaller), kThreads * kEach * 2);
  reader.join();
  ASSERT_THAT(seen, SizeIs(kThreads * kEach * 2));
  for (std::size_t i = 0; i < seen.size(); ++i)
    EXPECT_EQ(seen[i], static_cast<std::int64_t>(i + 1));
}

TEST_P(JobStoreSuite, SettingsAreDurable) {
  EXPECT_TRUE(absl::IsNotFound(store().GetSetting("dispatch_paused").status()));
  ASSERT_TRUE(store().PutSetting("dispatch_paused", "1").ok());
  ASSERT_TRUE(store().PutSetting("dispatch_paused", "0").ok());
  const std::string store_id = *store().GetSetting("store_id");
  EXPECT_EQ(store_id.size(), 36U);
  harness_->Reopen();
  EXPECT_EQ(*store().GetSetting("dispatch_paused"), "0");
  EXPECT_EQ(*store().GetSetting("store_id"), store_id);
}

}  // namespace
}  // namespace lumaedit
