// SqliteJobStore and its files: who may open them, and what is left alone.
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/contract/sqlite_fixture.h"

namespace lumaedit {
namespace {

class SqliteFilesTest : public SqliteFixture {
 protected:
  static std::string BytesOf(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  void Write(const std::string& bytes) {
    std::ofstream(DatabasePath(), std::ios::binary | std::ios::trunc) << bytes;
  }

  void RunSql(const std::string& sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(DatabasePath().c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(database);
  }

  // Opening must answer this code and leave the file as it is.
  void ExpectRefused(absl::StatusCode code) {
    const std::string before = BytesOf(DatabasePath());
    const auto store = TryOpen();
    EXPECT_EQ(store.status().code(), code) << store.status();
    EXPECT_NE(store.status().message().find(DatabasePath()), absl::string_view::npos)
        << store.status();
    EXPECT_TRUE(BytesOf(DatabasePath()) == before);
  }
};

TEST_F(SqliteFilesTest, ANewerDatabaseIsRefusedAndUntouched) {
  Opened().reset();
  RunSql("PRAGMA user_version = 999");
  ExpectRefused(absl::StatusCode::kFailedPrecondition);
}

TEST_F(SqliteFilesTest, ANewerVersionThatIsOnlyInTheLogIsRefusedToo) {
  Opened().reset();
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(DatabasePath().c_str(), &database), SQLITE_OK);
  ASSERT_EQ(sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(database, "PRAGMA user_version = 999", nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(database);
  const std::string log = BytesOf(DatabasePath() + "-wal");
  EXPECT_FALSE(log.empty());
  ExpectRefused(absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(BytesOf(DatabasePath() + "-wal") == log);
}

TEST_F(SqliteFilesTest, AnotherProgramsDatabaseIsRefused) {
  RunSql("CREATE TABLE theirs (x)");
  ExpectRefused(absl::StatusCode::kFailedPrecondition);
}

TEST_F(SqliteFilesTest, WhatIsNoDatabaseIsRefused) {
  for (const std::string& bytes : {std::string(), std::string("short"), std::string(9000, 'x')}) {
    Write(bytes);
    ExpectRefused(absl::StatusCode::kDataLoss);
  }
}

TEST_F(SqliteFilesTest, ATruncatedDatabaseIsRefused) {
  Opened().reset();
  const std::string whole = BytesOf(DatabasePath());
  Write(whole.substr(0, whole.size() / 2));
  ExpectRefused(absl::StatusCode::kDataLoss);
}

TEST_F(SqliteFilesTest, ADamagedPageIsRefused) {
  auto store = Opened();
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(store->Insert(Fresh()).ok());
  store.reset();
  std::string bytes = BytesOf(DatabasePath());
  for (std::size_t at = 4096 * 3; at < bytes.size(); at += 4096) bytes.replace(at, 64, 64, '\xFF');
  Write(bytes);
  ExpectRefused(absl::StatusCode::kDataLoss);
}

TEST_F(SqliteFilesTest, ALogWithoutItsDatabaseIsNotDestroyed) {
  std::ofstream(DatabasePath() + "-wal") << "commits";
  EXPECT_TRUE(absl::IsDataLoss(TryOpen().status()));
  EXPECT_EQ(BytesOf(DatabasePath() + "-wal"), "commits");
}

TEST_F(SqliteFilesTest, ADraftThatAKillLeftIsNoObstacle) {
  std::ofstream(DatabasePath() + ".new") << "half a database";
  auto store = Opened();
  ASSERT_TRUE(store);
  EXPECT_TRUE(store->Insert(Fresh()).ok());
}

TEST_F(SqliteFilesTest, ABadRowIsAnErrorAndNoCrash) {
  auto store = Opened();
  NewJob fresh = Fresh();
  ASSERT_TRUE(store->Insert(fresh).ok());
  const NewJob healthy = Fresh();
  ASSERT_TRUE(store->Insert(healthy).ok());
  for (const char* change :
       {"edit = '{'", "edit = '[]'", "edit = '{\"prompt\":7}'", "edit = '{\"output_format\":99}'",
        "options = '{\"labels\":{\"a\":1}}'", "outcome = 'null'", "error = '{\"reason\":-1}'",
        "candidate_upstream_ids = '[1]'", "sequence = 9999999999", "edit = '{\"stored\":[]}'"}) {
    store.reset();
    RunSql(
        "UPDATE jobs SET edit = '{}', options = '{}', outcome = NULL, error = NULL, sequence = 1,"
        " candidate_upstream_ids = '[]' WHERE id = '" +
        fresh.job.id + "'; UPDATE jobs SET " + std::string(change) + " WHERE id = '" +
        fresh.job.id + "'");
    store = Opened();
    const auto job = store->Get("caller-a", fresh.job.id);
    EXPECT_TRUE(absl::IsDataLoss(job.status())) << change << job.status();
    EXPECT_TRUE(store->Get("caller-a", healthy.job.id).ok());
  }
}

TEST_F(SqliteFilesTest, ASecondOpenerIsRefusedWithTheHoldersPid) {
  const auto store = Opened();
  const auto second = TryOpen();
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(second.status().message().find(folder_.path()), absl::string_view::npos);
  EXPECT_NE(second.status().message().find(std::to_string(getpid())), absl::string_view::npos);
}

TEST_F(SqliteFilesTest, AnotherProcessIsRefusedUntilTheHolderIsGone) {
  int answers[2];
  int go[2];
  ASSERT_EQ(pipe(answers), 0);
  ASSERT_EQ(pipe(go), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto store = TryOpen();
    char opened = store.ok() ? 'y' : 'n';
    if (write(answers[1], &opened, 1) != 1) _exit(1);
    if (read(go[0], &opened, 1) != 1) _exit(2);
    _exit(0);  // without closing anything, as a crash would
  }
  char answer = 0;
  ASSERT_EQ(read(answers[0], &answer, 1), 1);
  ASSERT_EQ(answer, 'y');
  const auto refused = TryOpen();
  EXPECT_NE(refused.status().message().find("process " + std::to_string(child)),
            absl::string_view::npos)
      << refused.status();
  ASSERT_EQ(write(go[1], "g", 1), 1);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(TryOpen().ok());
}

TEST_F(SqliteFilesTest, FilesAreForTheirOwnerAlone) {
  const auto store = Opened();
  ASSERT_TRUE(store->Insert(Fresh()).ok());
  for (const char* name : {"/jobs.db", "/jobs.db-wal", "/lock"}) {
    struct stat file;
    ASSERT_EQ(stat((folder_.path() + name).c_str(), &file), 0) << name;
    EXPECT_EQ(file.st_mode & 077, 0U) << name;
  }
}

}  // namespace
}  // namespace lumaedit
