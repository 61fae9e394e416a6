// A SQLite file layer whose n-th change of a file fails, or whose changes wait: it stands for a
// disk that breaks, fills up or hangs. It passes everything else on to the platform's own.
#pragma once

namespace lumaedit {

class FaultVfs {
 public:
  enum class Kind { kBroken, kFull };

  // The name to open the store with; registers the layer at the first call.
  static const char* Name();

  // From now on, counted from 1, change number `first` (a write, a sync, a truncation) and the
  // `more` after it fail.
  static void FailAt(int first, int more, Kind kind);
  static void Heal();

  // A disk that hangs: changes wait from Hold to Release. Any thread.
  static void Hold();
  static void Release();

  // Changes since FailAt or Heal.
  static int Changes();
};

}  // namespace lumaedit
