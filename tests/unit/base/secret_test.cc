#include "server/base/secret.h"

#include <gtest/gtest.h>

#include <sstream>

namespace lumaedit {
namespace {

TEST(Secret, PrintsAsStars) {
  const Secret secret("eyJhbGciOi");
  std::ostringstream out;
  out << secret;
  EXPECT_EQ(out.str(), "***");
  EXPECT_EQ(testing::PrintToString(secret).find("eyJ"), std::string::npos);
}

TEST(Secret, RevealsByNameOnly) {
  const Secret secret("key");
  EXPECT_EQ(secret.Reveal(), "key");
  EXPECT_FALSE(secret.empty());
  EXPECT_TRUE(Secret().empty());
  EXPECT_EQ(secret, Secret("key"));
  EXPECT_FALSE(secret == Secret("other"));
}

}  // namespace
}  // namespace lumaedit
