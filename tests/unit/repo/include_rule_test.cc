// Keeps the include rule of design.md section 3 true, by reading the `#include` lines of the tree.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace lumaedit {
namespace {

namespace fs = std::filesystem;

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Which parts a part may include. Each may include itself; "app" may include everything.
const std::map<std::string, std::set<std::string>> kAllowed = {
    {"server/base", {}},
    {"server/job", {"server/base"}},
    {"server/store", {"server/job", "server/base"}},
    {"server/upstream", {"server/job", "server/base"}},
    {"server/media", {"server/job", "server/base"}},
    {"server/rpc", {"server/job", "server/base", "proto"}},
    {"client", {"proto"}},
    {"tests/simulator", {}},
};

// What a part must not reach for, however it is spelled: the engine is pure of SQL, HTTP and gRPC.
const std::map<std::string, std::string> kForbidden = {
    {"server/base", "grpcpp/|grpc/|google/|boost/beast|boost/url|sqlite3|openssl/ssl"},
    {"server/job", "grpcpp/|grpc/|google/|boost/beast|boost/url|boost/json|sqlite3|openssl/"},
    {"server/store", "grpcpp/|grpc/|google/|boost/beast|boost/asio/ip"},
    {"server/upstream", "grpcpp/|grpc/|google/|sqlite3"},
    {"server/media", "grpcpp/|grpc/|google/|sqlite3|boost/beast"},
    {"server/rpc", "boost/beast|sqlite3"},
    {"client", "boost/|sqlite3|spdlog"},
    {"tests/simulator", "grpcpp/|grpc/|google/|absl/"},
};

struct Include {
  std::string file;  // from the root
  std::string line;
  std::string target;
};

bool IsSource(const fs::path& path) {
  return path.extension() == ".h" || path.extension() == ".cc" || path.extension() == ".inc";
}

std::vector<fs::path> SourcesBelow(const std::string& folder) {
  std::vector<fs::path> files;
  const fs::path root = fs::path(LUMAEDIT_SOURCE_DIR);
  if (!fs::exists(root / folder)) return files;
  for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
    if (entry.is_regular_file() && IsSource(entry.path())) {
      files.push_back(fs::relative(entry.path(), root));
    }
  }
  return files;
}

std::vector<std::string> LinesOf(const fs::path& file) {
  std::ifstream in(fs::path(LUMAEDIT_SOURCE_DIR) / file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<Include> IncludesBelow(const std::string& folder) {
  static const std::regex kInclude(R"(^\s*#\s*include\s*[<"]([^>"]+)[>"].*)");
  std::vector<Include> includes;
  for (const fs::path& file : SourcesBelow(folder)) {
    for (const std::string& line : LinesOf(file)) {
      std::smatch match;
      if (std::regex_match(line, match, kInclude)) {
        includes.push_back({file.string(), line, match[1].str()});
      }
    }
  }
  return includes;
}

// "server/job" for "server/job/job.h"; "proto" for generated code; "" for what is not ours.
std::string PartOf(const std::string& path) {
  const auto starts = [&path](std::string_view prefix) { return path.rfind(prefix, 0) == 0; };
  if (starts("lumaedit/v1/") || starts("proto/")) return "proto";
  if (starts("client/")) return "client";
  if (starts("tests/simulator/")) return "tests/simulator";
  if (starts("tests/")) return "tests";
  if (!starts("server/")) return "";
  return path.substr(0, path.find('/', sizeof("server/") - 1));
}

// What is wrong with one include; empty: nothing.
std::string WhyForbidden(const std::string& part, const Include& include) {
  const std::string target = PartOf(include.target);
  if (!target.empty() && target != part && kAllowed.at(part).count(target) == 0) {
    return include.file + " includes " + include.target;
  }
  if (std::regex_search(include.target, std::regex("^(" + kForbidden.at(part) + ")"))) {
    return include.file + " reaches for " + include.target;
  }
  return "";
}

TEST(IncludeRuleTest, PartsIncludeOnlyWhatTheyMay) {
  std::vector<std::string> wrong;
  int seen = 0;
  for (const auto& [part, allowed] : kAllowed) {
    for (const Include& include : IncludesBelow(part)) {
      ++seen;
      const std::string why = WhyForbidden(part, include);
      if (!why.empty()) wrong.push_back(why);
    }
  }
  EXPECT_GT(seen, 100) << "the tree was not found";
  EXPECT_THAT(wrong, IsEmpty());
}

// A rule that cannot fail proves nothing.
TEST(IncludeRuleTest, TheRuleSeesWhatIsWrong) {
  EXPECT_EQ(WhyForbidden("server/rpc", {"f", "", "server/job/job.h"}), "");
  EXPECT_EQ(WhyForbidden("server/rpc", {"f", "", "lumaedit/v1/job.pb.h"}), "");
  EXPECT_NE(WhyForbidden("server/rpc", {"f", "", "server/store/sqlite_job_store.h"}), "");
  EXPECT_NE(WhyForbidden("server/base", {"f", "", "server/job/job.h"}), "");
  EXPECT_NE(WhyForbidden("server/job", {"f", "", "grpcpp/grpcpp.h"}), "");
  EXPECT_NE(WhyForbidden("server/job", {"f", "", "boost/json.hpp"}), "");
  EXPECT_NE(WhyForbidden("client", {"f", "", "server/base/secret.h"}), "");
  EXPECT_NE(WhyForbidden("tests/simulator", {"f", "", "server/job/job.h"}), "");
}

TEST(IncludeRuleTest, EveryServerFolderHasARule) {
  for (const auto& entry : fs::directory_iterator(fs::path(LUMAEDIT_SOURCE_DIR) / "server")) {
    const std::string part = "server/" + entry.path().filename().string();
    if (!entry.is_directory() || part == "server/app") continue;
    EXPECT_EQ(kAllowed.count(part), 1u) << part;
  }
}

TEST(IncludeRuleTest, NobodyIncludesTheApplicationOrTheTests) {
  for (const std::string folder : {"server", "client"}) {
    for (const Include& include : IncludesBelow(folder)) {
      if (PartOf(include.file) == "server/app") continue;
      EXPECT_NE(PartOf(include.target), "server/app") << include.file;
      EXPECT_NE(PartOf(include.target), "tests") << include.file;
    }
  }
}

TEST(IncludeRuleTest, OneSourceFileAProgramIncludesBeast) {
  std::map<std::string, std::set<std::string>> users;  // by program
  for (const std::string folder : {"server", "client", "tests"}) {
    for (const Include& include : IncludesBelow(folder)) {
      if (include.target.rfind("boost/beast", 0) != 0) continue;
      EXPECT_EQ(fs::path(include.file).extension(), ".cc") << include.file << ": " << include.line;
      users[folder == "tests" ? fs::path(include.file).parent_path().string() : folder].insert(
          include.file);
    }
  }
  for (const auto& [program, files] : users) EXPECT_THAT(files, SizeIs(1)) << program;
}

TEST(IncludeRuleTest, EveryHeaderIsGuardedAndEveryFolderHasAReadme) {
  for (const auto& [part, allowed] : kAllowed) {
    const fs::path folder = fs::path(LUMAEDIT_SOURCE_DIR) / part;
    if (!fs::exists(folder)) continue;
    EXPECT_TRUE(fs::exists(folder / "README.md")) << part;
    for (const fs::path& file : SourcesBelow(part)) {
      if (file.extension() != ".h") continue;
      EXPECT_THAT(LinesOf(file), Contains("#pragma once")) << file;
    }
  }
}

// g++ 12 miscompiles `a ? co_await b : co_await c` (both arms' temporaries are destroyed, and both
// arms may run): an if statement is needed.
TEST(IncludeRuleTest, NoCoAwaitInsideAConditionalExpression) {
  for (const std::string folder : {"server", "client", "tests"}) {
    for (const fs::path& file : SourcesBelow(folder)) {
      if (file.filename() == "include_rule_test.cc") continue;
      std::string code;
      for (const std::string& line : LinesOf(file)) code += line.substr(0, line.find("//")) + "\n";
      for (auto at = code.find("co_await"); at != std::string::npos;
           at = code.find("co_await", at + 1)) {
        // The statement up to here; a closed condition, as of `if (a && b) co_await c`, is no part.
        std::string before = code.substr(0, at);
        before = before.substr(before.find_last_of(";{}") + 1);
        int depth = 0;
        bool found = false;
        for (auto c = before.rbegin(); c != before.rend(); ++c) {
          if (*c == ')') ++depth;
          if (*c == '(') --depth;
          if (depth > 0) continue;
          const bool is_pair = c + 1 != before.rend() && *(c + 1) == *c;
          found = found || *c == '?' || (is_pair && *c == '|');
        }
        EXPECT_FALSE(found) << file << ": " << before;
      }
    }
  }
}

// A test that sleeps is slow on a fast machine and wrong on a slow one.
TEST(IncludeRuleTest, NothingSleeps) {
  // Spelled so that this file does not find itself.
  const std::regex sleeping(
      "sleep"
      "_for|sleep"
      "_until|\\busleep\\(|\\bnanosleep\\(|\\bsleep\\(");
  std::vector<std::string> wrong;
  for (const std::string folder : {"server", "client", "tests"}) {
    for (const fs::path& file : SourcesBelow(folder)) {
      for (const std::string& line : LinesOf(file)) {
        if (line.find("sleep") == std::string::npos) continue;
        if (std::regex_search(line, sleeping)) wrong.push_back(file.string() + ": " + line);
      }
    }
  }
  EXPECT_THAT(wrong, IsEmpty());
}

}  // namespace
}  // namespace lumaedit
