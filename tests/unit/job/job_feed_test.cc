#include "server/job/job_feed.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace lumaedit {
namespace {

Transition Numbered(int sequence) {
  Transition transition;
  transition.sequence = sequence;
  return transition;
}

class CountingEncoder final : public Encoder {
 public:
  std::shared_ptr<const void> Encode(const std::string&, const Transition& transition) override {
    ++calls;
    return std::make_shared<int>(transition.sequence);
  }
  std::size_t ByteSize(const std::shared_ptr<const void>&) const override { return 0; }
  std::atomic<int> calls = 0;
};

TEST(JobFeed, TakesTheNextOneOnly) {
  JobFeed feed("caller", "job", nullptr);
  EXPECT_EQ(feed.newest(), 0);
  EXPECT_EQ(feed.Next(0), nullptr);
  EXPECT_TRUE(feed.Append(Numbered(1)));
  EXPECT_FALSE(feed.Append(Numbered(1)));
  EXPECT_FALSE(feed.TakeBehind());
  EXPECT_FALSE(feed.Append(Numbered(3)));
  EXPECT_TRUE(feed.TakeBehind());
  EXPECT_FALSE(feed.TakeBehind());
  EXPECT_TRUE(feed.Append(Numbered(2)));
  EXPECT_TRUE(feed.Append(Numbered(3)));
  EXPECT_EQ(feed.newest(), 3);
  EXPECT_EQ(feed.Next(2)->transition.sequence, 3);
  EXPECT_EQ(feed.Next(3), nullptr);
  EXPECT_EQ(feed.Next(-1), nullptr);
}

TEST(JobFeed, EncodesOnceForAllReaders) {
  CountingEncoder encoder;
  JobFeed feed("caller", "job", &encoder);
  feed.Append(Numbered(1));
  const void* const first = feed.Next(0)->encoded.get();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(feed.Next(0)->encoded.get(), first);
  EXPECT_EQ(encoder.calls, 1);
}

TEST(JobFeed, ReadersNeverSeeAGap) {
  JobFeed feed("caller", "job", nullptr);
  constexpr int kLast = 2000;
  std::vector<std::thread> threads;
  for (int writer = 0; writer < 2; ++writer) {
    threads.emplace_back([&] {
      while (feed.newest() < kLast) feed.Append(Numbered(feed.newest() + 1));
    });
  }
  for (int reader = 0; reader < 2; ++reader) {
    threads.emplace_back([&] {
      for (int cursor = 0; cursor < kLast;) {
        const auto entry = feed.Next(cursor);
        if (!entry) continue;
        ASSERT_EQ(entry->transition.sequence, cursor + 1);
        cursor = entry->transition.sequence;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace lumaedit
