// What the tests of SQLite alone share: a folder, and jobs to put into its store.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "server/base/random.h"
#include "server/store/sqlite_job_store.h"
#include "tests/contract/settable_clock.h"
#include "tests/fakes/temp_folder.h"

namespace lumaedit {

class SqliteFixture : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<JobStore>> TryOpen(const std::string& vfs = "") {
    counters_ = std::make_shared<StoreCounters>();
    return OpenSqliteJobStore({folder_.path(), clock_, random_, log_, 4, vfs, counters_});
  }

  std::unique_ptr<JobStore> Opened(const std::string& vfs = "") {
    auto store = TryOpen(vfs);
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : nullptr;
  }

  NewJob Fresh() {
    NewJob fresh;
    fresh.job.id = random_.Uuid();
    fresh.job.caller = "caller-a";
    fresh.job.request_id = random_.Uuid();
    fresh.job.edit.prompt = std::string(300, 'p');
    fresh.job.edit.source = GenerationSource{"gen-1"};
    fresh.job.charge = {ChargeState::kReserved, {720'000, 720'000}};
    fresh.job.create_time = clock_.Now();
    fresh.budget_window_start = absl::UnixEpoch();
    fresh.day_start = absl::UnixEpoch();
    return fresh;
  }

  std::string DatabasePath() const { return folder_.path() + "/jobs.db"; }

  TempFolder folder_;
  SettableClock clock_;
  SystemRandom random_;
  SilentLog log_;
  std::shared_ptr<StoreCounters> counters_;
};

}  // namespace lumaedit
