#include "server/media/mp4_track.h"

#include <algorithm>
#include <limits>

#include "server/media/box_reader.h"

namespace lumaedit {
namespace {

constexpr std::uint32_t kMostEdits = 10'000;
// About 300 years in the finest timescale that is in use; keeps all sums within 64 bits.
constexpr std::int64_t kMostTicks = std::int64_t{1} << 53;

std::int64_t Clamp(std::int64_t ticks) { return std::clamp(ticks, -kMostTicks, kMostTicks); }

absl::Duration FromTicks(std::int64_t ticks, std::int64_t timescale) {
  return absl::Seconds(ticks) / timescale;
}

bool ReadEdits(std::string_view elst, std::vector<Edit>& edits) {
  FieldReader reader(elst);
  const bool wide = reader.U32() >> 24 == 1;
  const std::uint32_t count = reader.U32();
  if (count > kMostEdits) return false;
  for (std::uint32_t i = 0; i < count; ++i) {
    Edit edit;
    edit.duration = wide ? reader.U64() : reader.U32();
    edit.media_time = wide ? static_cast<std::int64_t>(reader.U64()) : reader.S32();
    const std::uint32_t rate = reader.U32();
    if (!reader.ok()) return false;
    edit.duration = std::min<std::uint64_t>(edit.duration, kMostTicks);
    edit.media_time = Clamp(edit.media_time);
    edit.still = rate == 0 && edit.media_time >= 0;
    edits.push_back(edit);
  }
  return true;
}

// The decode times (stts) and the offsets to them (ctts) are runs of different lengths.
bool ReadSamples(std::string_view stts, std::string_view ctts, SampleClock& samples) {
  FieldReader times(stts);
  times.Skip(4);
  std::uint32_t runs = times.U32();
  FieldReader offsets(ctts);
  offsets.Skip(4);
  std::uint32_t offset_runs = ctts.empty() ? 0 : offsets.U32();
  std::int64_t offset = 0;
  std::int64_t offset_left = 0;
  for (; runs > 0; --runs) {
    std::int64_t left = times.U32();
    const std::int64_t delta = times.U32();
    if (!times.ok() || samples.samples() + left > kMostFrames) return false;
    while (left > 0) {
      if (offset_left == 0 && offset_runs > 0) {
        --offset_runs;
        offset_left = offsets.U32();
        offset = offsets.S32();
        if (!offsets.ok()) return false;
        continue;
      }
      // Samples after the last run of offsets have none.
      if (offset_left == 0) offset = 0;
      const std::int64_t count = offset_left == 0 ? left : std::min(left, offset_left);
      samples.Add(count, delta, offset);
      left -= count;
      if (offset_left > 0) offset_left -= count;
    }
  }
  return true;
}

bool ReadRun(std::string_view trun, std::int64_t default_delta, SampleClock& samples) {
  FieldReader reader(trun);
  const std::uint32_t flags = reader.U32();
  const std::int64_t count = reader.U32();
  if (flags & 0x1) reader.Skip(4);
  if (flags & 0x4) reader.Skip(4);
  if (!reader.ok() || samples.samples() + count > kMostFrames) return false;
  if ((flags & 0xf00) == 0) {
    samples.Add(count, default_delta, 0);
    return true;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t delta = flags & 0x100 ? std::int64_t{reader.U32()} : default_delta;
    if (flags & 0x200) reader.Skip(4);
    if (flags & 0x400) reader.Skip(4);
    const std::int64_t offset = flags & 0x800 ? reader.S32() : 0;
    if (!reader.ok()) return false;
    samples.Add(1, delta, offset);
  }
  return true;
}

}  // namespace

void SampleClock::Add(std::int64_t count, std::int64_t delta, std::int64_t offset) {
  if (count <= 0) return;
  samples_ += count;
  decode_time_ = Clamp(decode_time_ + count * delta);
  const std::int64_t end = Clamp(decode_time_ + offset);
  if (end < end_) return;
  end_ = end;
  last_delta_ = delta;
}

TrackTiming Mp4Track::Timing(std::int64_t movie_timescale) const {
  TrackTiming timing;
  if (!is_video || timescale <= 0 || samples.samples() == 0) return timing;
  timing.frame_duration = FromTicks(samples.last_delta(), timescale);
  if (edits.empty() || movie_timescale <= 0) {
    timing.end = FromTicks(samples.end(), timescale);
    return timing;
  }
  const absl::Duration tick = FromTicks(1, movie_timescale);
  for (const Edit& edit : edits) {
    const absl::Duration asked =
        FromTicks(static_cast<std::int64_t>(edit.duration), movie_timescale);
    if (edit.media_time < 0 || edit.still) {
      timing.end += asked;
      continue;
    }
    const absl::Duration there =
        std::max(absl::ZeroDuration(), FromTicks(samples.end() - edit.media_time, timescale));
    // The movie's ticks are coarse (often milliseconds): an edit that ends within one of them of
    // the last sample means that sample's end, which the track's own ticks tell exactly.
    const bool to_the_end = edit.duration == 0 || asked + tick > there;
    timing.end += to_the_end ? there : asked;
  }
  return timing;
}

bool ReadTrack(std::string_view trak, Mp4Track& track) {
  FieldReader header(FindBox(trak, BoxType("tkhd")));
  const bool wide_header = header.U32() >> 24 == 1;
  header.Skip(wide_header ? 16 : 8);
  track.id = header.U32();
  const std::string_view mdia = FindBox(trak, BoxType("mdia"));
  FieldReader media(FindBox(mdia, BoxType("mdhd")));
  const bool wide_media = media.U32() >> 24 == 1;
  media.Skip(wide_media ? 16 : 8);
  track.timescale = media.U32();
  FieldReader handler(FindBox(mdia, BoxType("hdlr")));
  handler.Skip(8);
  track.is_video = handler.U32() == BoxType("vide");
  if (!header.ok() || !media.ok() || !handler.ok()) return false;

  const std::string_view stbl = FindBox(FindBox(mdia, BoxType("minf")), BoxType("stbl"));
  const std::string_view elst = FindBox(FindBox(trak, BoxType("edts")), BoxType("elst"));
  if (!elst.empty() && !ReadEdits(elst, track.edits)) return false;
  if (!track.is_video) return true;
  const std::string_view stts = FindBox(stbl, BoxType("stts"));
  return stts.empty() || ReadSamples(stts, FindBox(stbl, BoxType("ctts")), track.samples);
}

bool ReadFragment(std::string_view moof, std::vector<Mp4Track>& tracks) {
  FieldReader fragment(moof);
  while (const std::optional<Box> traf = NextBox(fragment)) {
    if (traf->type != BoxType("traf")) continue;
    FieldReader header(FindBox(traf->body, BoxType("tfhd")));
    const std::uint32_t flags = header.U32();
    const std::int64_t id = header.U32();
    const auto track = std::find_if(tracks.begin(), tracks.end(),
                                    [id](const Mp4Track& known) { return known.id == id; });
    if (track == tracks.end()) continue;
    if (flags & 0x1) header.Skip(8);
    if (flags & 0x2) header.Skip(4);
    const std::int64_t delta = flags & 0x8 ? std::int64_t{header.U32()} : track->default_delta;
    if (!header.ok()) return false;
    const std::string_view tfdt = FindBox(traf->body, BoxType("tfdt"));
    if (!tfdt.empty()) {
      FieldReader base(tfdt);
      const bool wide = base.U32() >> 24 == 1;
      const std::uint64_t time = wide ? base.U64() : base.U32();
      if (!base.ok()) return false;
      track->samples.MoveTo(static_cast<std::int64_t>(std::min<std::uint64_t>(time, kMostTicks)));
    }
    FieldReader runs(traf->body);
    while (const std::optional<Box> run = NextBox(runs)) {
      if (run->type == BoxType("trun") && !ReadRun(run->body, delta, track->samples)) return false;
    }
  }
  return true;
}

}  // namespace lumaedit
