// A store that was restored from a backup: protocol.md section 5.
#include "server/job/restore_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <filesystem>

#include "tests/fakes/stepped_world.h"

namespace lumaedit {
namespace {

using enum JobState;
namespace fs = std::filesystem;

// A world on a folder of its own that can go back to how it was.
class Restored : public testing::Test {
 protected:
  Restored() {
    WorldOptions options;
    options.data_folder = Data();
    world_ = std::make_unique<SteppedWorld>(options);
  }

  std::string Data() const { return folder_.path() + "/data"; }
  std::string Backup() const { return folder_.path() + "/backup"; }

  void BackUp() {
    world_->Stop();
    fs::copy(Data(), Backup(), fs::copy_options::recursive);
    world_->Start();
  }

  // As a person does it: the gateway is ended, the folder replaced, restore-check run.
  void Restore(bool marked = true) {
    world_->Stop();
    fs::remove_all(Data());
    fs::copy(Backup(), Data(), fs::copy_options::recursive);
    world_->Start();
    if (!marked) return;
    ASSERT_TRUE(MarkRestored(world_->store()).ok());
    world_->Restart();
  }

  void Resume() {
    absl::Status resumed = absl::UnknownError("not called");
    boost::asio::co_spawn(
        world_->io,
        [&]() -> boost::asio::awaitable<void> {
          resumed = co_await world_->engine().ResumeDispatch();
        },
        boost::asio::detached);
    world_->Settle();
    EXPECT_TRUE(resumed.ok()) << resumed;
  }

  void SetPaused() {
    boost::asio::co_spawn(
        world_->io,
        [&]() -> boost::asio::awaitable<void> {
          (co_await world_->engine().PauseDispatch()).IgnoreError();
        },
        boost::asio::detached);
    world_->Settle();
  }

  TempFolder folder_;
  std::unique_ptr<SteppedWorld> world_;
};

TEST_F(Restored, NothingIsSentBeforeTheListWasCompared) {
  SetPaused();
  const std::string sent = world_->Submit("sent since");
  const std::string unsent = world_->Submit("not sent");
  BackUp();
  ASSERT_EQ(world_->Cancel(unsent), CancelResult::kPrevented);
  Resume();
  ASSERT_TRUE(world_->RunToEnd(sent));
  Restore();
  // The backup was made while dispatch was paused; the pause is not what this is about.
  ASSERT_TRUE(world_->store().PutSetting("dispatch_paused", "0").ok());
  world_->upstream.on_list = [](const ListQuery&) {
    ListResult down;
    down.failure = ReadFailure::kBusy;
    return down;
  };
  world_->Restart();
  world_->RunFor(absl::Minutes(20));
  EXPECT_EQ(world_->State(unsent), kPending);
  EXPECT_EQ(world_->upstream.accepted().size(), 1u);
  EXPECT_TRUE(world_->engine().Status().restored);

  world_->upstream.on_list = nullptr;
  ASSERT_TRUE(world_->RunToEnd(sent));
  EXPECT_EQ(world_->State(sent), kSucceeded);
  EXPECT_EQ(world_->Get(sent).upstream_id, "record-1");
  ASSERT_TRUE(world_->RunToEnd(unsent));
  EXPECT_EQ(world_->State(unsent), kSucceeded);
  EXPECT_EQ(world_->upstream.accepted().size(), 2u);
  EXPECT_FALSE(world_->engine().Status().restored);
  // And is not compared a second time.
  const int lists = world_->upstream.lists();
  world_->Restart();
  world_->RunFor(absl::Minutes(5));
  EXPECT_EQ(world_->upstream.lists(), lists);
}

TEST_F(Restored, TwoJobsWithEqualEditsAreNeitherSentAgain) {
  SetPaused();
  const std::string first = world_->Submit("same");
  const std::string second = world_->Submit("same");
  BackUp();
  Resume();
  ASSERT_TRUE(world_->RunToEnd(first));
  ASSERT_TRUE(world_->RunToEnd(second));
  ASSERT_EQ(world_->upstream.accepted().size(), 2u);
  Restore();
  ASSERT_TRUE(world_->store().PutSetting("dispatch_paused", "0").ok());
  world_->Restart();
  world_->RunFor(absl::Hours(2));
  EXPECT_EQ(world_->upstream.accepted().size(), 2u);
  EXPECT_EQ(world_->State(first), kHeld);
  EXPECT_EQ(world_->State(second), kHeld);
}

TEST_F(Restored, RecordsOfJobsThatTheBackupDoesNotKnowWaitForAPerson) {
  const std::string known = world_->Submit("known");
  ASSERT_TRUE(world_->RunToEnd(known));
  BackUp();
  world_->RunFor(absl::Minutes(30));
  ASSERT_TRUE(world_->RunToEnd(world_->Submit("submitted since")));
  Restore();
  const std::string next = world_->Submit("next");
  world_->RunFor(absl::Hours(1));
  EXPECT_EQ(world_->State(next), kPending);
  EXPECT_EQ(world_->log.Count("restored_store_misses_records"), 1);
  Resume();
  ASSERT_TRUE(world_->RunToEnd(next));
  EXPECT_EQ(world_->State(next), kSucceeded);
  EXPECT_FALSE(world_->engine().Status().restored);
}

// The list is read with another account's key, though the right one is named before and after.
TEST_F(Restored, AnotherKeysListComparesNothing) {
  SetPaused();
  const std::string job = world_->Submit("sent since");
  BackUp();
  Resume();
  ASSERT_TRUE(world_->RunToEnd(job));
  FakeUpstream& upstream = world_->upstream;
  upstream.isolates_accounts = true;
  upstream.before_read = [&] { upstream.account = "account-2"; };
  upstream.on_list = [&](const ListQuery&) -> std::optional<ListResult> {
    upstream.account = "account-1";
    return std::nullopt;
  };
  Restore();
  ASSERT_TRUE(world_->store().PutSetting("dispatch_paused", "0").ok());
  world_->Restart();
  world_->RunFor(absl::Minutes(20));
  EXPECT_EQ(world_->State(job), kPending);
  EXPECT_TRUE(world_->engine().Status().restored);
  upstream.before_read = nullptr;
  ASSERT_TRUE(world_->RunToEnd(job));
  EXPECT_EQ(world_->State(job), kSucceeded);
  EXPECT_EQ(upstream.accepted().size(), 1u);
}

// --- Resume is no comparison -------------------------------------------------------------------

TEST_F(Restored, ResumeEndsThePauseAndNotTheComparison) {
  SetPaused();
  const std::string sent = world_->Submit("sent since");
  BackUp();
  Resume();
  ASSERT_TRUE(world_->RunToEnd(sent));
  world_->upstream.on_list = [](const ListQuery&) {
    ListResult down;
    down.failure = ReadFailure::kBusy;
    return down;
  };
  Restore();
  EXPECT_TRUE(world_->engine().Status().paused);
  Resume();
  EXPECT_FALSE(world_->engine().Status().paused);
  EXPECT_TRUE(world_->engine().Status().restored);
  EXPECT_EQ(world_->engine().Status().restore.waits_for, RestoreWait::kList);
  EXPECT_GE(world_->log.Count("restored_store_not_compared"), 1);
  world_->RunFor(absl::Hours(1));
  EXPECT_EQ(world_->State(sent), kPending);
  EXPECT_EQ(world_->upstream.accepted().size(), 1u);

  world_->upstream.on_list = nullptr;
  ASSERT_TRUE(world_->RunToEnd(sent));
  EXPECT_EQ(world_->State(sent), kSucceeded);
  EXPECT_EQ(world_->Get(sent).upstream_id, "record-1");
  EXPECT_EQ(world_->upstream.accepted().size(), 1u);
}

TEST_F(Restored, ResumeWhileTheListIsReadSendsNothing) {
  SetPaused();
  const std::string sent = world_->Submit("sent since");
  BackUp();
  Resume();
  ASSERT_TRUE(world_->RunToEnd(sent));
  world_->upstream.list_takes = absl::Seconds(40);
  Restore();
  world_->RunFor(absl::Seconds(10));
  Resume();
  world_->RunFor(absl::Hours(1));
  EXPECT_EQ(world_->upstream.accepted().size(), 1u);
  EXPECT_EQ(world_->State(sent), kSucceeded);
  EXPECT_FALSE(world_->engine().Status().restored);
}

// Said before anything was compared, it says nothing about records that were not seen yet.
TEST_F(Restored, ResumeBeforeTheComparisonDoesNotAnswerForWhatItFinds) {
  ASSERT_TRUE(world_->RunToEnd(world_->Submit("known")));
  BackUp();
  world_->RunFor(absl::Minutes(30));
  ASSERT_TRUE(world_->RunToEnd(world_->Submit("submitted since")));
  Restore();
  world_->upstream.list_takes = absl::Seconds(40);
  world_->Restart();
  const std::string next = world_->Submit("next");
  Resume();
  world_->RunFor(absl::Hours(1));
  EXPECT_EQ(world_->State(next), kPending);
  EXPECT_EQ(world_->engine().Status().restore.waits_for, RestoreWait::kPerson);
  EXPECT_EQ(world_->engine().Status().restore.count, 1);
  Resume();
  ASSERT_TRUE(world_->RunToEnd(next));
  EXPECT_EQ(world_->State(next), kSucceeded);
}

// --- Other accounts, and what does not show yet -----------------------------------------------

class RestoredWithAnotherKey : public Restored {
 protected:
  // One job is done and one PENDING in the backup; that one is sent since, with the old key. Then
  // the store is restored, together with another key.
  void SendWithTheOldKey(const std::string& new_account) {
    world_->upstream.isolates_accounts = true;
    world_->upstream.key = "key:1";
    ASSERT_TRUE(world_->RunToEnd(world_->Submit("done")));
    SetPaused();
    sent_ = world_->Submit("sent since");
    BackUp();
    Resume();
    ASSERT_TRUE(world_->RunToEnd(sent_));
    ASSERT_EQ(world_->upstream.accepted().size(), 2u);
    world_->upstream.key = "key:2";
    world_->upstream.account = new_account;
    Restore();
  }

  std::string sent_;
};

TEST_F(RestoredWithAnotherKey, NothingIsSentWhileTheOldAccountIsNotRead) {
  SendWithTheOldKey("account-2");
  Resume();
  const std::string next = world_->Submit("next");
  world_->RunFor(absl::Hours(1));
  EXPECT_EQ(world_->State(sent_), kPending);
  EXPECT_EQ(world_->State(next), kPending);
  EXPECT_EQ(world_->engine().Status().restore.waits_for, RestoreWait::kKey);
  EXPECT_EQ(world_->engine().Status().restore.count, 1);
  EXPECT_EQ(world_->log.Count("restored_store_account_unread"), 1);
  Resume();
  world_->RunFor(absl::Hours(1));
  EXPECT_EQ(world_->upstream.accepted().size(), 2u) << "no word of a person makes it unsent";

  // The old key is named: its list shows what became of the job.
  FakeUpstream old(world_->io.get_executor(), world_->clock);
  old.key = "key:1";
  for (const FakeRecord& record : world_->upstream.records()) old.AddRecord(record);
  world_->previous = &old;
  world_->Restart();
  ASSERT_TRUE(world_->RunToEnd(sent_));
  EXPECT_EQ(world_->State(sent_), kSucceeded);
  EXPECT_EQ(world_->Get(sent_).upstream_id, "record-2");
  ASSERT_TRUE(world_->RunToEnd(next));
  EXPECT_EQ(world_->State(next), kSucceeded);
  EXPECT_EQ(world_->upstream.accepted().size(), 3u);
  world_->Stop();
  world_->previous = nullptr;
  world_->Start();
}

TEST_F(RestoredWithAnotherKey, WithoutTheOldKeyItsJobsAreCancelledAndAPersonSaysSo) {
  SendWithTheOldKey("account-2");
  Resume();
  const std::string next = world_->Submit("next");
  world_->RunFor(absl::Minutes(30));
  EXPECT_EQ(world_->Cancel(sent_), CancelResult::kPrevented);
  world_->RunFor(absl::Minutes(30));
  EXPECT_EQ(world_->State(next), kPending);
  EXPECT_EQ(world_->engine().Status().restore.waits_for, RestoreWait::kAccount);
  Resume();
  ASSERT_TRUE(world_->RunToEnd(next));
  EXPECT_EQ(world_->State(next), kSucceeded);
}

TEST_F(RestoredWithAnotherKey, ANewKeyOfTheSameAccountIsToldByItsList) {
  SendWithTheOldKey("account-1");
  Resume();
  ASSERT_TRUE(world_->RunToEnd(sent_));
  EXPECT_EQ(world_->State(sent_), kSucceeded);
  EXPECT_EQ(world_->upstream.accepted().size(), 2u);
  EXPECT_EQ(world_->log.Count("restored_store_account_unread"), 0);
}

// It was sent just before the restore, and the list shows it within the visibility time.
TEST_F(Restored, WhatTheListDoesNotShowYetIsNotSentAgain) {
  SetPaused();
  const std::string sent = world_->Submit("sent just now");
  BackUp();
  world_->upstream.usual.record.shows_after = absl::Seconds(100);
  Resume();
  ASSERT_TRUE(world_->RunToState(sent, kQueued));
  Restore();
  Resume();
  ASSERT_TRUE(world_->RunToEnd(sent));
  EXPECT_EQ(world_->State(sent), kSucceeded);
  EXPECT_EQ(world_->upstream.accepted().size(), 1u);
}

TEST_F(Restored, ARecordUnderAWrongTimeIsNotOverlooked) {
  SetPaused();
  const std::string job = world_->Submit("sent since");
  BackUp();
  world_->upstream.usual.record.created_at = world_->clock.Now() - absl::Minutes(4);
  Resume();
  ASSERT_TRUE(world_->RunToEnd(job));
  Restore();
  ASSERT_TRUE(world_->store().PutSetting("dispatch_paused", "0").ok());
  world_->Restart();
  world_->RunFor(absl::Hours(2));
  EXPECT_EQ(world_->State(job), kHeld);
  EXPECT_EQ(world_->upstream.accepted().size(), 1u);
}

TEST_F(Restored, AListThatDoesNotGoBackToAnOldBackupWaitsForAPerson) {
  SetPaused();
  const std::string job = world_->Submit("sent since");
  BackUp();
  Resume();
  ASSERT_TRUE(world_->RunToEnd(job));
  world_->RunFor(absl::Hours(24 * 10));
  // The upstream has forgotten it.
  FakeRecord* record = world_->upstream.Find(world_->Get(job).upstream_id);
  record->listed = record->found_by_id = false;
  Restore();
  ASSERT_TRUE(world_->store().PutSetting("dispatch_paused", "0").ok());
  world_->Restart();
  world_->RunFor(absl::Hours(2));
  EXPECT_EQ(world_->State(job), kPending);
  EXPECT_EQ(world_->upstream.accepted().size(), 1u);
  EXPECT_EQ(world_->engine().Status().restore.waits_for, RestoreWait::kShortList);
  EXPECT_EQ(world_->log.Count("restored_store_list_too_short"), 1);
  // The person knows better.
  Resume();
  ASSERT_TRUE(world_->RunToEnd(job));
  EXPECT_EQ(world_->upstream.accepted().size(), 2u);
}

// What the check is for: without it the edit is paid twice.
TEST_F(Restored, WithoutTheCheckAJobIsBilledTwice) {
  SetPaused();
  const std::string job = world_->Submit("a");
  BackUp();
  Resume();
  ASSERT_TRUE(world_->RunToEnd(job));
  Restore(/*marked=*/false);
  Resume();
  ASSERT_TRUE(world_->RunToEnd(job));
  EXPECT_EQ(world_->upstream.accepted().size(), 2u);
}

TEST_F(Restored, AnEmptyStoreIsComparedAtOnce) {
  BackUp();
  Restore();
  const std::string job = world_->Submit("a");
  ASSERT_TRUE(world_->RunToEnd(job));
  EXPECT_EQ(world_->State(job), kSucceeded);
}

}  // namespace
}  // namespace lumaedit
