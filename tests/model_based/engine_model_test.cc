// Random operations against the engine and a small reference model (hardening.md section 4), life
// after life on the stepped clock.
//
//   engine_model_test --operations 1000000 --seed 7     many lives, each with a seed of its own
//   engine_model_test --life SEED                       one of them again
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>

#include "absl/strings/numbers.h"
#include "tests/model_based/random_life.h"

namespace lumaedit {
namespace {

constexpr int kOperationsOfALife = 250;

struct Flags {
  std::uint64_t seed = 1;
  std::int64_t operations = 10'000;
  std::optional<std::uint64_t> life;
} flags;

RandomLife::Counts LiveOnce(std::uint64_t seed) {
  RandomLife life(seed);
  const std::vector<std::string> problems = life.Run(kOperationsOfALife);
  if (!problems.empty() || testing::Test::HasFailure()) {
    for (const std::string& line : life.done()) std::cerr << line << "\n";
    std::cerr << life.Story();
    for (const std::string& problem : problems) ADD_FAILURE() << problem;
    ADD_FAILURE() << "again with: engine_model_test --life " << seed;
  }
  return life.counts();
}

TEST(EngineModel, RandomLivesKeepEveryRule) {
  if (flags.life) {
    LiveOnce(*flags.life);
    return;
  }
  std::cout << "seed " << flags.seed << std::endl;
  const auto began = std::chrono::steady_clock::now();
  RandomLife::Counts all;
  std::int64_t done = 0;
  SeededRandom seeds(flags.seed);
  for (int lives = 1; done < flags.operations && !HasFailure(); ++lives) {
    const RandomLife::Counts counts = LiveOnce(seeds.NextBits() >> 1);
    all.jobs += counts.jobs, all.accepted += counts.accepted, all.in_doubt += counts.in_doubt;
    all.held += counts.held, all.cancelled += counts.cancelled, all.restarts += counts.restarts;
    all.posts += counts.posts, all.resolved += counts.resolved;
    done += kOperationsOfALife;
    if (lives % 400 == 0) std::cout << done << " operations" << std::endl;
  }
  // A run in which nothing was ever in doubt would prove nothing.
  EXPECT_GT(all.in_doubt, 0);
  EXPECT_GT(all.held, 0);
  EXPECT_GT(all.restarts, 0);
  EXPECT_GT(all.resolved, 0);
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - began);
  std::cout << done << " operations, seed " << flags.seed << ", " << seconds.count() << " s: jobs "
            << all.jobs << ", POSTs begun " << all.posts << ", accepted " << all.accepted
            << ", once in doubt " << all.in_doubt << ", held at the end " << all.held
            << ", cancelled " << all.cancelled << ", resolved " << all.resolved << ", process ends "
            << all.restarts << std::endl;
}

}  // namespace
}  // namespace lumaedit

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    std::uint64_t value = 0;
    if (!absl::SimpleAtoi(argv[i + 1], &value)) return 2;
    if (name == "--seed") {
      lumaedit::flags.seed = value;
    } else if (name == "--operations") {
      lumaedit::flags.operations = static_cast<std::int64_t>(value);
    } else if (name == "--life") {
      lumaedit::flags.life = value;
    } else {
      std::cerr << "unknown: " << name << "\n";
      return 2;
    }
  }
  // Thousands of databases, each synced: in memory where there is a place for that.
  if (std::getenv("TMPDIR") == nullptr && std::filesystem::exists("/dev/shm")) {
    setenv("TMPDIR", "/dev/shm", 1);
  }
  return RUN_ALL_TESTS();
}
