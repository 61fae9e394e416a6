// The contract of SourceStore as a parameterised suite. A store joins with
// INSTANTIATE_TEST_SUITE_P(<Name>, SourceStoreSuite, Values(<factory>)).
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "server/base/random.h"
#include "server/job/source_store.h"
#include "tests/contract/settable_clock.h"

namespace lumaedit {

inline constexpr std::int64_t kSourceQuota = 1000;
inline constexpr int kMostSources = 20;

class SourceStoreHarness {
 public:
  virtual ~SourceStoreHarness() = default;
  virtual SourceStore& store() = 0;
  virtual SettableClock& clock() = 0;
  // Closes the store and opens it again on the same data; kSourceQuota and kMostSources hold.
  virtual void Reopen() = 0;
};

using SourceStoreFactory = std::function<std::unique_ptr<SourceStoreHarness>()>;

class SourceStoreSuite : public testing::TestWithParam<SourceStoreFactory> {
 protected:
  SourceStoreSuite() : harness_(GetParam()()) {}

  SourceStore& store() { return harness_->store(); }

  // An announced upload of these bytes that expires in an hour.
  SourceInfo Announce(std::string_view bytes, const std::string& caller = "caller-a");
  // The same, uploaded and READY.
  SourceInfo Uploaded(std::string_view bytes, const std::string& caller = "caller-a");

  SystemRandom random_;
  std::unique_ptr<SourceStoreHarness> harness_;
};

}  // namespace lumaedit
