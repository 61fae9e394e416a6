// SqliteJobStore under the contract of JobStore.
#include "server/store/sqlite_job_store.h"
#include "tests/contract/job_store_suite.h"
#include "tests/fakes/temp_folder.h"

namespace lumaedit {
namespace {

class SqliteHarness final : public JobStoreHarness {
 public:
  SqliteHarness() { Reopen(); }

  JobStore& store() override { return *store_; }
  SettableClock& clock() override { return clock_; }

  void Reopen() override {
    store_.reset();
    auto opened = OpenSqliteJobStore({folder_.path(), clock_, random_, log_, 4, "", nullptr});
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }

  // The lock on the folder is the lease, and whoever asks holds it.
  void LetLeasesExpire() override {}

 private:
  TempFolder folder_;
  SettableClock clock_;
  SystemRandom random_;
  SilentLog log_;
  std::unique_ptr<JobStore> store_;
};

INSTANTIATE_TEST_SUITE_P(Sqlite, JobStoreSuite,
                         testing::Values([] { return std::make_unique<SqliteHarness>(); }));

}  // namespace
}  // namespace lumaedit
