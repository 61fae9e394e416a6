// One side of the comparison: the product's streams, or a bare gRPC server that does no more than
// write one shared buffer to everybody.
//
// Owned by main, driven by main's thread alone.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace lumaedit::bench {

// Nanoseconds of the host's monotonic clock, which the client reads too.
std::int64_t Now();

class Side {
 public:
  struct Moved {
    int sequence = 0;
    std::int64_t time = 0;  // Now() when the commit had returned, before anybody was told
  };

  virtual ~Side() = default;
  virtual std::string address() const = 0;
  // What is watched.
  virtual std::string NewJob() = 0;
  // One transition of the job, told to all its watchers.
  virtual Moved Move(const std::string& job_id) = 0;
  // The job's end.
  virtual Moved End(const std::string& job_id) = 0;
  // A heartbeat to all; where heartbeats come by themselves, nothing.
  virtual void Beat() = 0;
};

std::unique_ptr<Side> MakeProduct();
std::unique_ptr<Side> MakeBare();

}  // namespace lumaedit::bench
