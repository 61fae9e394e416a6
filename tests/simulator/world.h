// Everything the simulator remembers, shared by the parts that answer requests. Owned by main.cc;
// only the I/O thread touches it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "faults.h"
#include "options.h"
#include "random_source.h"
#include "records.h"
#include "virtual_clock.h"

namespace lumaedit::simulator {

struct ApiKey {
  std::string secret;
  std::string org;
  std::string user;
  // HTTP status that the key gets instead of service; 0 = the key is good.
  int refused_with = 0;
  uint64_t posts_started = 0;
  uint64_t posts_seen = 0;
  uint64_t posts_accepted = 0;
  int64_t charged_usd_micros = 0;
  int64_t refunded_usd_micros = 0;
  // Virtual times of calls that the limiter let through, by model.
  std::map<std::string, std::vector<double>> limiter_calls;
};

struct RequestCount {
  uint64_t count = 0;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;   // taken by sockets
  uint64_t bytes_sent = 0;  // gone out of them, TLS's bytes among them
  std::map<int, uint64_t> by_status;
};

struct Upload {
  std::string content_type;
  double expires = 0.0;
  bool stored = false;
  std::shared_ptr<const std::string> bytes;
};

struct World {
  explicit World(const Options& settings);

  // Adds or replaces a key; an empty org gets a new one.
  ApiKey& AddKey(const std::string& secret, const std::string& org);
  ApiKey* FindKey(const std::string& secret);
  // Refunds what has failed by now.
  void Settle();

  const Options initial_options;
  Options options;
  VirtualClock clock;
  RandomSource random;
  FaultBook faults;
  RecordBook records;
  std::vector<std::unique_ptr<ApiKey>> keys;
  std::map<std::string, Upload> uploads;
  std::map<std::string, RequestCount> requests;
  uint64_t connections = 0;
  // Prefix of URLs that lead back here.
  std::string public_url;
  // Lets go of answers held by the fault "slow" with until_released.
  std::function<void()> release_held;
};

}  // namespace lumaedit::simulator
