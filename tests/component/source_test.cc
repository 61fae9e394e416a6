// Sources stay as long as a job needs them, and go when none does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "server/base/hash.h"
#include "tests/fakes/stepped_world.h"

namespace lumaedit {
namespace {

using enum JobState;

constexpr char kCaller[] = "caller-1";

// A READY source that expires after `left`.
std::string Source(SteppedWorld& world, absl::Duration left) {
  SourceInfo info;
  info.caller = kCaller;
  info.id = world.random.Uuid();
  info.media_type = "video/mp4";
  info.size_bytes = 5;
  info.sha256 = Sha256Hex("video");
  info.expire_time = world.clock.Now() + left;
  EXPECT_TRUE(world.sources.Open(info).ok());
  EXPECT_TRUE(world.sources.Append(kCaller, info.id, 0, "video").ok());
  EXPECT_TRUE(world.sources.Finish(kCaller, info.id, absl::Milliseconds(7300)).ok());
  return info.id;
}

SubmitRequest Of(SteppedWorld& world, const std::string& source_id) {
  SubmitRequest request = world.Request("rain");
  request.edit.source = StoredSource{.source_id = source_id, .media_type = {}, .sha256 = {}};
  request.options.declared_source_duration.reset();
  return request;
}

void PauseDispatch(SteppedWorld& world, bool paused) {
  absl::Status result = absl::UnknownError("not called");
  boost::asio::co_spawn(
      world.io,
      [&]() -> boost::asio::awaitable<void> {
        if (paused) {
          result = co_await world.engine().PauseDispatch();
        } else {
          result = co_await world.engine().ResumeDispatch();
        }
      },
      boost::asio::detached);
  world.Settle();
  EXPECT_TRUE(result.ok()) << result;
}

TEST(Sources, ASubmissionPutsTheExpiryOffBeforeItIsAnswered) {
  SteppedWorld world;
  world.RunFor(absl::Seconds(1));
  const std::string source = Source(world, absl::Seconds(5));
  world.Submit(Of(world, source));
  EXPECT_GE(world.sources.Get(kCaller, source)->expire_time, world.clock.Now() + absl::Hours(23));
}

TEST(Sources, AJobThatWaitsForDaysKeepsItsSourceAlsoAcrossRestarts) {
  SteppedWorld world;
  PauseDispatch(world, true);
  const std::string uploaded = Source(world, absl::Minutes(10));
  const std::string unused = Source(world, absl::Minutes(10));
  const std::string job = world.Submit(Of(world, uploaded));
  SubmitRequest with_bytes = world.Request("snow");
  with_bytes.inline_source = InlineBytes{"bytes", "video/mp4"};
  with_bytes.edit.source = std::monostate();
  const std::string inline_job = world.Submit(with_bytes);
  const std::string inline_source =
      std::get<StoredSource>(world.Get(inline_job).edit.source).source_id;

  world.RunFor(absl::Hours(2));
  EXPECT_FALSE(world.sources.Get(kCaller, unused).ok()) << "nobody needs it";
  for (int day = 0; day < 3; ++day) {
    world.RunFor(absl::Hours(24));
    world.Restart();
    world.RunFor(absl::Hours(1));
    EXPECT_TRUE(world.sources.Get(kCaller, uploaded).ok()) << day;
    EXPECT_TRUE(world.sources.Get(kCaller, inline_source).ok()) << day;
  }
  EXPECT_EQ(world.State(job), kPending);

  PauseDispatch(world, false);
  ASSERT_TRUE(world.RunToEnd(job));
  ASSERT_TRUE(world.RunToEnd(inline_job));
  EXPECT_EQ(world.State(job), kSucceeded);
  EXPECT_EQ(world.State(inline_job), kSucceeded);
  world.RunFor(absl::Hours(22));
  EXPECT_TRUE(world.sources.Get(kCaller, uploaded).ok()) << "for another edit of the day";
  world.RunFor(absl::Hours(4));
  EXPECT_FALSE(world.sources.Get(kCaller, uploaded).ok());
  EXPECT_FALSE(world.sources.Get(kCaller, inline_source).ok());
}

TEST(Sources, AClockThatWasSetForwardRemovesNothingForADay) {
  for (const bool while_off : {false, true}) {
    SteppedWorld world;
    const std::string source = Source(world, absl::Hours(24));
    world.RunFor(absl::Minutes(90));
    if (while_off) world.Stop();
    world.clock.JumpWallTime(absl::Hours(25));
    if (while_off) world.Start();
    world.RunFor(absl::Hours(20));
    EXPECT_TRUE(world.sources.Get(kCaller, source).ok()) << while_off;
    world.RunFor(absl::Hours(6));
    EXPECT_FALSE(world.sources.Get(kCaller, source).ok()) << while_off;
  }
}

TEST(Sources, AnInlineSourceIsMeasuredBeforeItsJobIsThere) {
  SteppedWorld world;
  SubmitRequest request = world.Request("rain");
  request.inline_source = InlineBytes{"bytes", "video/mp4"};
  request.edit.source = std::monostate();
  request.options.declared_source_duration = absl::Seconds(29);
  const Job job = world.Get(world.Submit(request));
  EXPECT_EQ(job.source_length.basis, DurationBasis::kProbed);
  EXPECT_EQ(job.source_length.duration, absl::Milliseconds(7300));
  EXPECT_EQ(job.quote.max_usd_micros, 2 * 1'080'000);

  // A repeat is answered without a look at the bytes; a new one is refused and leaves nothing.
  world.probe.answer =
      MakeError(absl::StatusCode::kInvalidArgument, ErrorReason::kNotAVideo, "no video");
  EXPECT_EQ(world.Submit(request), job.id);
  request.request_id = world.random.Uuid();
  const std::size_t sources = world.sources.size();
  absl::Status refused;
  world.service().Submit(request, Reply<JobSnapshot>([&](absl::StatusOr<JobSnapshot> answer) {
                           refused = answer.status();
                         }));
  EXPECT_TRUE(HasReason(refused, ErrorReason::kNotAVideo)) << refused;
  EXPECT_EQ(world.sources.size(), sources);
  EXPECT_TRUE(
      absl::IsNotFound(world.store().FindByRequestId(kCaller, request.request_id).status()));
}

}  // namespace
}  // namespace lumaedit
