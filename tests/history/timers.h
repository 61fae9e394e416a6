// Runs functions later, on one thread of its own; they must not block.
//
// Thread-safe. What is due after the destructor has begun runs at once, so that nobody waits for
// ever.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

namespace lumaedit {

class Timers {
 public:
  Timers();
  ~Timers();

  void After(double seconds, std::function<void()> run);

 private:
  void Run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<std::chrono::steady_clock::time_point, std::function<void()>> due_;  // under mutex_
  bool stopping_ = false;                                                            // under mutex_
  std::thread thread_;
};

}  // namespace lumaedit
