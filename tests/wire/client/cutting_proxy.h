// A TCP proxy on loopback that breaks its connections: after a number of bytes, when they are idle,
// every so often, on demand, or by going deaf.
//
// Owned by a test, works on a thread of its own; every method may be called from any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

namespace lumaedit::client {

class CuttingProxy {
 public:
  // Forwards to 127.0.0.1:`target_port`.
  explicit CuttingProxy(int target_port);
  ~CuttingProxy();

  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;

  int port() const { return port_; }

  // Each later connection is reset after so many bytes towards the client, a number drawn between
  // the two. 0, 0 = never.
  void CutAfterBytes(std::int64_t least, std::int64_t most);

  // Resets a connection over which nothing came from either side for so long, as load balancers do.
  // Zero = never.
  void CutIdleAfter(std::chrono::milliseconds limit);

  // Resets every connection again and again. Zero = no more.
  void CutEvery(std::chrono::milliseconds interval);

  // Resets every connection now.
  void CutAll();

  // The present connections stay open, and pass nothing on any more once this returns. Later ones
  // work.
  void Deafen();

  // Connections accepted so far.
  int accepted() const;

  // Connections that were reset for being idle, or by CutEvery, so far.
  int cuts() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Pair {
    int client = -1;
    int server = -1;
    std::int64_t bytes_left = -1;  // towards the client; -1 = no limit
    bool deaf = false;
    Clock::time_point heard = {};  // the last byte from either side
  };

  void Run();
  void Accept();
  // Milliseconds until the next connection is due to be cut; -1 = none is.
  int UntilNextCut() const;
  // Whether time is up for this one.
  bool IsDue(const Pair& pair, bool cut_round) const;
  // False when the pair is over.
  bool Forward(int from, int to, std::int64_t* bytes_left);
  static void Reset(const Pair& pair);
  void Wake();

  const int target_port_;
  int port_ = 0;
  int listener_ = -1;
  int wake_ = -1;  // an eventfd
  mutable std::mutex mutex_;
  std::vector<Pair> pairs_;  // the thread's own
  std::mt19937_64 random_;   // the thread's own; fixed seed, so that a failure comes again
  std::int64_t least_ = 0;   // under mutex_, as is what follows
  std::int64_t most_ = 0;
  std::chrono::milliseconds idle_ = {};
  std::chrono::milliseconds interval_ = {};
  Clock::time_point next_round_ = {};
  int accepted_ = 0;
  int cuts_ = 0;
  bool cut_all_ = false;
  bool deafen_ = false;
  std::condition_variable deafened_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace lumaedit::client
