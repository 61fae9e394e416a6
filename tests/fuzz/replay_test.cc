// Every seed and every regression of every target, as an ordinary test; and each seed a few hundred
// times damaged, so that a build without libFuzzer notices as well.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "tests/fuzz/targets.h"

namespace lumaedit::fuzz {
namespace {

namespace fs = std::filesystem;

struct Input {
  const Target* target;
  fs::path path;
};

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<Input> InputsOf(const std::string& folder) {
  std::vector<Input> inputs;
  for (const Target& target : kTargets) {
    const fs::path inside = fs::path(folder) / target.name;
    if (!fs::exists(inside)) continue;
    for (const auto& entry : fs::directory_iterator(inside)) {
      inputs.push_back({&target, entry.path()});
    }
  }
  std::sort(inputs.begin(), inputs.end(),
            [](const Input& a, const Input& b) { return a.path < b.path; });
  return inputs;
}

std::string TestName(const testing::TestParamInfo<Input>& info) {
  std::string name =
      std::string(info.param.target->name) + "_" + info.param.path.filename().string();
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

class Regression : public testing::TestWithParam<Input> {};

TEST_P(Regression, IsAnswered) { GetParam().target->run(ReadFile(GetParam().path)); }

INSTANTIATE_TEST_SUITE_P(Fuzz, Regression, testing::ValuesIn(InputsOf(LUMAEDIT_FUZZ_REGRESSIONS)),
                         TestName);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Regression);

class Seed : public testing::TestWithParam<Input> {};

TEST_P(Seed, StandsDamage) {
  const std::string whole = ReadFile(GetParam().path);
  GetParam().target->run(whole);
  std::mt19937 random(20261126);
  for (int round = 0; round < 300; ++round) {
    std::string bytes = whole;
    for (int change = 0; change < 3 && !bytes.empty(); ++change) {
      const std::size_t at = random() % bytes.size();
      switch (random() % 4) {
        case 0:
          bytes[at] = static_cast<char>(random());
          break;
        case 1:
          bytes.resize(at);
          break;
        case 2:
          bytes.insert(at, 1, "{}[]\",:0e\\\xC3"[random() % 11]);
          break;
        default:
          bytes.insert(at, bytes.substr(at / 2, 12));
      }
    }
    GetParam().target->run(bytes);
  }
}

INSTANTIATE_TEST_SUITE_P(Fuzz, Seed, testing::ValuesIn(InputsOf(LUMAEDIT_FUZZ_SEEDS)), TestName);

TEST(FuzzTargets, EachHasASeed) {
  for (const Target& target : kTargets) {
    // Videos are made by tests/media, never kept.
    if (target.name == "probe") continue;
    EXPECT_TRUE(fs::exists(fs::path(LUMAEDIT_FUZZ_SEEDS) / target.name)) << target.name;
  }
}

}  // namespace
}  // namespace lumaedit::fuzz
