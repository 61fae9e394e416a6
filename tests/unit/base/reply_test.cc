#include "server/base/reply.h"

#include <gtest/gtest.h>

#include <optional>
#include <utility>

namespace lumaedit {
namespace {

TEST(Reply, AnswersOnce) {
  int calls = 0;
  {
    Reply<int> reply([&](absl::StatusOr<int> answer) {
      ++calls;
      EXPECT_EQ(*answer, 7);
    });
    std::move(reply)(7);
  }
  EXPECT_EQ(calls, 1);
}

TEST(Reply, ADroppedOneAnswersUnavailable) {
  std::optional<absl::Status> seen;
  {
    Reply<int> reply([&](absl::StatusOr<int> answer) { seen = answer.status(); });
  }
  ASSERT_TRUE(seen.has_value());
  EXPECT_TRUE(absl::IsUnavailable(*seen));
}

TEST(Reply, AMovedOneAnswersOnlyAtItsNewPlace) {
  int calls = 0;
  {
    Reply<int> reply([&](absl::StatusOr<int>) { ++calls; });
    Reply<int> moved = std::move(reply);
    EXPECT_EQ(calls, 0);
  }
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace lumaedit
