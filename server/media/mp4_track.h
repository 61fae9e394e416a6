// One video track of an MP4: its sample times and edit list, and when it ends. Values; any thread.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "server/media/container_summary.h"

namespace lumaedit {

struct Edit {
  std::uint64_t duration = 0;    // in the movie's ticks; 0: all that is left
  std::int64_t media_time = -1;  // in the track's ticks; -1: nothing is shown
  bool still = false;            // rate 0: one frame stands for the whole duration
};

// Where samples end on the track's own timeline, in its ticks, before edit lists.
class SampleClock {
 public:
  // `count` samples in a row, `delta` ticks each, shown `offset` ticks after they are decoded.
  void Add(std::int64_t count, std::int64_t delta, std::int64_t offset);
  void MoveTo(std::int64_t decode_time) { decode_time_ = decode_time; }

  std::int64_t end() const { return end_; }
  std::int64_t last_delta() const { return last_delta_; }
  std::int64_t samples() const { return samples_; }

 private:
  std::int64_t decode_time_ = 0;
  std::int64_t end_ = 0;
  std::int64_t last_delta_ = 0;
  std::int64_t samples_ = 0;
};

struct Mp4Track {
  std::int64_t id = 0;
  bool is_video = false;
  std::int64_t timescale = 0;  // ticks a second
  std::vector<Edit> edits;
  SampleClock samples;
  std::int64_t default_delta = 0;  // of fragments

  TrackTiming Timing(std::int64_t movie_timescale) const;
};

// Reads a `trak` box. `samples` is filled from the sample tables; false: malformed or too large.
bool ReadTrack(std::string_view trak, Mp4Track& track);

// Adds what a `moof` box tells about `tracks`; false: malformed or too large.
bool ReadFragment(std::string_view moof, std::vector<Mp4Track>& tracks);

}  // namespace lumaedit
