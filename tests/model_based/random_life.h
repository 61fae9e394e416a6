// A life of one gateway, chosen by a seed: random operations of callers, time, kills and restarts,
// under an upstream that fails at random. After every operation the reference model is asked.
//
// Owned by the test; one thread. The same seed and the same number of operations give the same
// life.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "tests/fakes/stepped_world.h"
#include "tests/model_based/reference_model.h"

namespace lumaedit {

class RandomLife {
 public:
  explicit RandomLife(std::uint64_t seed);

  // Runs `operations`, then lets everything come to rest without faults. Answers what was violated;
  // stops at the first.
  std::vector<std::string> Run(int operations);

  // What was done, one line an operation, for whoever looks into a failure.
  const std::deque<std::string>& done() const { return done_; }

  // Every job and record as they stand, and the log's warnings.
  std::string Story();

  struct Counts {
    long jobs = 0, accepted = 0, in_doubt = 0, held = 0, cancelled = 0, resolved = 0, restarts = 0,
         posts = 0;
  };
  Counts counts() const;

 private:
  // --- Operations -------------------------------------------------------------------------------
  void Step();
  void Submit();
  void Repeat();
  void Cancel();
  void Resolve();
  void Watch();
  void LetTimePass();
  void EndProcess();
  void ChangeWeather();
  void Rest();

  // --- Faults -----------------------------------------------------------------------------------
  PostScript SomePost();
  FakeRecord SomeRecord();
  std::optional<GetResult> SomeGetFailure();
  std::optional<ListResult> SomeListFailure();

  // --- Chance -----------------------------------------------------------------------------------
  bool Chance(double probability) { return random_.Uniform() < probability; }
  int Below(int n) { return static_cast<int>(random_.NextBits() % static_cast<unsigned>(n)); }
  // In whole nanoseconds, as durations come over the wire.
  absl::Duration UpTo(absl::Duration most) {
    return absl::Nanoseconds(1 + absl::ToInt64Nanoseconds(most * random_.Uniform()));
  }
  const std::string* SomeJob();
  void Say(std::string line);
  void TakeWhatWatchersSaw();
  void OpenWatches();

  static WorldOptions OptionsFor(std::uint64_t seed);

  SeededRandom random_;  // apart from the world's own, whose use differs between versions
  SteppedWorld world_;
  ReferenceModel model_;
  std::map<std::string, std::shared_ptr<ReadingWatcher>> watchers_;  // by job
  std::deque<std::string> done_;
  double post_faults_ = 0.3;
  double read_faults_ = 0.1;
  bool empty_echoes_ = false;
  int prompts_ = 0;
  Counts counts_;
};

}  // namespace lumaedit
