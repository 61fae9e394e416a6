#include "server/base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "tests/fakes/seeded_random.h"

namespace lumaedit {
namespace {

class FixedRandom final : public Random {
 public:
  explicit FixedRandom(std::uint64_t bits) : bits_(bits) {}
  std::uint64_t NextBits() override { return bits_; }

 private:
  const std::uint64_t bits_;
};

TEST(Random, UuidIsVersion4) {
  SystemRandom random;
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string uuid = random.Uuid();
    std::string form = uuid;
    std::replace_if(
        form.begin(), form.end(), [](char c) { return std::isdigit(c) || (c >= 'a' && c <= 'f'); },
        'h');
    EXPECT_EQ(form, "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh") << uuid;
    EXPECT_EQ(uuid[14], '4') << uuid;
    EXPECT_NE(std::string("89ab").find(uuid[19]), std::string::npos) << uuid;
    EXPECT_TRUE(seen.insert(uuid).second);
  }
  FixedRandom zeros(0);
  EXPECT_EQ(zeros.Uuid(), "00000000-0000-4000-8000-000000000000");
  FixedRandom ones(~0ULL);
  EXPECT_EQ(ones.Uuid(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
}

TEST(Random, UniformIsInRange) {
  FixedRandom zeros(0);
  EXPECT_EQ(zeros.Uniform(), 0.0);
  FixedRandom ones(~0ULL);
  EXPECT_LT(ones.Uniform(), 1.0);
  SeededRandom random(3);
  double sum = 0;
  for (int i = 0; i < 10'000; ++i) sum += random.Uniform();
  EXPECT_NEAR(sum / 10'000, 0.5, 0.02);
}

}  // namespace
}  // namespace lumaedit
