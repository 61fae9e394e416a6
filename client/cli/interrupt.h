// Ctrl-C and SIGTERM as a stop request.
//
// Made first thing in main, before any other thread: it blocks the signals for every thread made
// later, and reads them on one of its own. A second signal ends the process at once.
#pragma once

#include <atomic>
#include <stop_token>
#include <thread>

namespace lumaedit::client::cli {

class Interrupt {
 public:
  Interrupt();
  ~Interrupt();

  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  std::stop_token token() const { return source_.get_token(); }

  // SIGINT or SIGTERM; 0 when none came.
  int signal() const { return signal_; }

 private:
  void Run();

  std::stop_source source_;
  std::atomic<int> signal_ = 0;
  int signals_ = -1;  // a signalfd
  int leave_ = -1;    // an eventfd: the destructor's word to the thread
  std::thread thread_;
};

}  // namespace lumaedit::client::cli
