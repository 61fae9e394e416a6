// The last line of a terminal, redrawn in place each second while a job is watched.
//
// Draws from a thread of its own, between construction and destruction; every method may be called
// from any thread. Nothing of the terminal is changed that must be set back: the line is erased and
// written over, the cursor stays visible, so even a kill leaves a usable terminal.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

namespace lumaedit::client::cli {

class LiveLine {
 public:
  // `text` makes the line for a width in columns; it is called on the drawing thread, once a second
  // and after Redraw. `descriptor` is the terminal's.
  LiveLine(int descriptor, std::function<std::string(int columns)> text);

  // Erases the line.
  ~LiveLine();

  LiveLine(const LiveLine&) = delete;
  LiveLine& operator=(const LiveLine&) = delete;

  // Something changed: draw now.
  void Redraw();

  // While one lives, the line is erased and others may write. `line` may be null.
  class Pause {
   public:
    explicit Pause(LiveLine* line);
    ~Pause();
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    LiveLine* const line_;
  };

 private:
  void Run(const std::stop_token& stop);
  void EraseLocked();
  void DrawLocked();

  const int descriptor_;
  const std::function<std::string(int)> text_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  bool dirty_ = true;  // under mutex_, as is what follows
  int pauses_ = 0;
  bool drawn_ = false;
  std::jthread thread_;
};

// Whether a live line can be shown on `descriptor`: a terminal, and no dumb one.
bool CanShowLiveLine(int descriptor);

}  // namespace lumaedit::client::cli
