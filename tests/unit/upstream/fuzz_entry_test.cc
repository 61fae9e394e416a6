#include "tests/unit/upstream/fuzz_entry.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace lumaedit {
namespace {

constexpr const char* kSeeds[] = {
    R"({"request_id":"a-1","status":"success","payload":{"prompt":"x","source_data":"QUJD"},)"
    R"("outcome":{"media_urls":[{"id":"0","url":"https://h.test/o.mp4"}]},"created_at":1790000000})",
    R"({"requests":[{"request_id":"a","status":"failed","outcome":{"error":{"code":400}}}],"has_more":false})",
    R"({"error":"Rate limit exceeded","rate_limit":{"limit":2,"retry_after_ms":29970}})",
    "Wed, 21 Oct 2026 07:28:00 GMT",
    "120",
};

// The targets keep their promises on every cut, flip and insertion of good bodies.
TEST(FuzzEntryTest, StandsMutationsOfGoodBodies) {
  std::mt19937 random(20261123);
  for (const char* seed : kSeeds) {
    for (int round = 0; round < 3000; ++round) {
      std::string bytes = seed;
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
      const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
      EXPECT_EQ(FuzzRecord(data, bytes.size()), 0);
      EXPECT_EQ(FuzzList(data, bytes.size()), 0);
      EXPECT_EQ(FuzzPostAnswer(data, bytes.size()), 0);
      EXPECT_EQ(FuzzRetryAfter(data, bytes.size()), 0);
    }
  }
}

}  // namespace
}  // namespace lumaedit
