// FolderSourceStore under the contract of SourceStore, and what only a folder can do.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "server/base/hash.h"
#include "server/store/folder_source_store.h"
#include "tests/contract/source_store_suite.h"
#include "tests/fakes/temp_folder.h"

namespace lumaedit {
namespace {

class FolderHarness final : public SourceStoreHarness {
 public:
  FolderHarness() { Reopen(); }

  SourceStore& store() override { return *store_; }
  SettableClock& clock() override { return clock_; }

  void Reopen() override {
    store_.reset();
    auto opened = OpenFolderSourceStore({folder_.path(), kSourceQuota, kMostSources, clock_, log_});
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }

 private:
  TempFolder folder_;
  SettableClock clock_;
  SilentLog log_;
  std::unique_ptr<SourceStore> store_;
};

INSTANTIATE_TEST_SUITE_P(Folder, SourceStoreSuite,
                         testing::Values([] { return std::make_unique<FolderHarness>(); }));

class FolderSourceStoreTest : public testing::Test {
 protected:
  FolderSourceStoreTest() {
    auto opened = OpenFolderSourceStore({folder_.path(), 1 << 30, 1000, clock_, log_});
    store_ = *std::move(opened);
    info_.caller = "caller-a";
    info_.id = "11111111-2222-4333-8444-555555555555";
    info_.size_bytes = 1 << 20;
    info_.expire_time = clock_.Now() + absl::Hours(1);
  }

  std::string PathOf(const std::string& extension) {
    return folder_.path() + "/sources/" + Sha256Hex("caller-a") + "/" + info_.id + extension;
  }

  TempFolder folder_;
  SettableClock clock_;
  SilentLog log_;
  std::unique_ptr<SourceStore> store_;
  SourceInfo info_;
};

TEST_F(FolderSourceStoreTest, AFullDiskLeavesTheUploadAsItWas) {
  // In a process of its own: the limit holds for all its files.
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    if (!store_->Open(info_).ok()) _exit(1);
    if (!store_->Append("caller-a", info_.id, 0, std::string(5000, 'a')).ok()) _exit(2);
    const rlimit small{10'000, RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &small);
    const absl::Status full = store_->Append("caller-a", info_.id, 5000, std::string(9000, 'b'));
    if (!HasReason(full, ErrorReason::kStorageFull)) _exit(3);
    if (store_->Get("caller-a", info_.id)->received_bytes != 5000) _exit(4);
    const rlimit large{RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &large);
    if (!store_->Append("caller-a", info_.id, 5000, std::string(9000, 'b')).ok()) _exit(5);
    _exit(store_->Get("caller-a", info_.id)->received_bytes == 14'000 ? 0 : 6);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << WEXITSTATUS(status);
}

TEST_F(FolderSourceStoreTest, AKillInAnUploadLeavesItAtWhatIsOnTheDisk) {
  int acknowledged[2];
  ASSERT_EQ(pipe(acknowledged), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (!store_->Open(info_).ok()) _exit(1);
    for (std::int64_t offset = 0;; offset += 100) {
      if (!store_->Append("caller-a", info_.id, offset, std::string(100, 'a')).ok()) _exit(2);
      const std::int64_t end = offset + 100;
      if (write(acknowledged[1], &end, sizeof(end)) != sizeof(end)) _exit(3);
    }
  }
  close(acknowledged[1]);
  std::int64_t last = 0;
  std::int64_t end = 0;
  while (read(acknowledged[0], &end, sizeof(end)) == sizeof(end)) {
    last = end;
    if (last == 20'000) kill(child, SIGKILL);
  }
  close(acknowledged[0]);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  const auto info = store_->Open(info_);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_GE(info->received_bytes, last);
  EXPECT_EQ(info->received_bytes,
            static_cast<std::int64_t>(std::filesystem::file_size(PathOf(".bin"))));
}

TEST_F(FolderSourceStoreTest, TornMetadataIsNoCrash) {
  ASSERT_TRUE(store_->Open(info_).ok());
  for (const std::string text : {"", "{", "[]", "{\"size_bytes\":\"x\"}", "{\"state\":9}"}) {
    std::ofstream(PathOf(".json"), std::ios::trunc) << text;
    EXPECT_TRUE(absl::IsDataLoss(store_->Get("caller-a", info_.id).status())) << text;
    EXPECT_TRUE(store_->RemoveExpired(clock_.Now()).ok());
  }
  const auto again = store_->Open(info_);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->received_bytes, 0);
}

TEST_F(FolderSourceStoreTest, LostBytesOfAReadySourceAreDataLoss) {
  info_.size_bytes = 3;
  info_.sha256 = Sha256Hex("abc");
  ASSERT_TRUE(store_->Open(info_).ok());
  ASSERT_TRUE(store_->Append("caller-a", info_.id, 0, "abc").ok());
  ASSERT_TRUE(store_->Finish("caller-a", info_.id, absl::ZeroDuration()).ok());
  std::filesystem::resize_file(PathOf(".bin"), 2);
  EXPECT_TRUE(absl::IsDataLoss(store_->Read("caller-a", info_.id).status()));
  std::filesystem::remove(PathOf(".bin"));
  EXPECT_TRUE(absl::IsDataLoss(store_->Read("caller-a", info_.id).status()));
}

TEST_F(FolderSourceStoreTest, LeftoversOfAKillAreRemoved) {
  ASSERT_TRUE(store_->Open(info_).ok());
  std::filesystem::remove(PathOf(".json"));
  std::ofstream(PathOf(".bin")) << "orphan";
  std::ofstream(PathOf(".json.tmp")) << "draft";
  ASSERT_TRUE(store_->RemoveExpired(clock_.Now()).ok());
  EXPECT_FALSE(std::filesystem::exists(PathOf(".bin")));
  EXPECT_FALSE(std::filesystem::exists(PathOf(".json.tmp")));
}

}  // namespace
}  // namespace lumaedit
