#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>

#include "server/media/container_summary.h"

namespace lumaedit {
namespace {

// Element ids (RFC 9559 section 5).
enum Id : std::uint32_t {
  kEbml = 0x1A45DFA3,
  kSegment = 0x18538067,
  kInfo = 0x1549A966,
  kTimestampScale = 0x2AD7B1,
  kTracks = 0x1654AE6B,
  kTrackEntry = 0xAE,
  kTrackNumber = 0xD7,
  kTrackType = 0x83,
  kDefaultDuration = 0x23E383,
  kCluster = 0x1F43B675,
  kTimestamp = 0xE7,
  kSimpleBlock = 0xA3,
  kBlockGroup = 0xA0,
  kBlock = 0xA1,
  kBlockDuration = 0x9B,
};

constexpr std::int64_t kVideoTrack = 1;
// A tick of a second, the coarsest that makes sense; and 2^40 ticks: both keep sums within bounds.
constexpr std::int64_t kCoarsestTick = 1'000'000'000;
constexpr std::int64_t kMostTicks = std::int64_t{1} << 40;

constexpr std::int64_t kMostDescriptionBytes = std::int64_t{1} << 20;

struct Element {
  std::uint32_t id = 0;
  std::int64_t body = 0;
  std::int64_t end = 0;
};

struct Track {
  std::int64_t number = 0;
  std::int64_t type = 0;
  std::int64_t default_duration = 0;  // nanoseconds; 0: not given
  bool has_frames = false;
  std::int64_t newest = 0;           // ticks
  std::int64_t second = -1;          // ticks; -1: only one frame so far
  std::int64_t newest_duration = 0;  // ticks; 0: not given
  std::int64_t newest_frames = 1;    // laced frames in the newest block
  std::int64_t frames = 0;
};

bool IsMaster(std::uint32_t id) {
  return id == kSegment || id == kInfo || id == kTracks || id == kCluster;
}

class Walk {
 public:
  explicit Walk(ByteWindow& window) : window_(window) {}

  absl::Status Run();
  Timings Result() const;
  absl::StatusOr<std::string> Describe();

 private:
  absl::StatusOr<Element> ReadElement(std::int64_t offset);
  absl::StatusOr<std::uint64_t> ReadNumber(std::int64_t offset, std::int64_t& length, bool is_id);
  absl::StatusOr<std::int64_t> ReadValue(const Element& element);
  absl::Status ReadTrackEntry(const Element& entry);
  absl::Status ReadGroup(const Element& group);
  absl::Status ReadBlock(const Element& block, std::int64_t duration);
  absl::Status CountElement();

  ByteWindow& window_;
  std::int64_t tick_ = 1'000'000;  // nanoseconds
  std::int64_t cluster_time_ = 0;
  int elements_ = 0;
  Element head_;        // with its header; end 0: not seen
  Element track_list_;  // the same
  std::map<std::int64_t, Track> tracks_;
};

absl::Status Walk::CountElement() {
  return ++elements_ > kMostElements ? NotAVideo("too many elements") : absl::OkStatus();
}

// A variable-size integer. An id keeps its length marker; a size of all ones (unknown) is
// UINT64_MAX.
absl::StatusOr<std::uint64_t> Walk::ReadNumber(std::int64_t offset, std::int64_t& length,
                                               bool is_id) {
  absl::StatusOr<std::string_view> bytes = window_.Get(offset, 1);
  if (!bytes.ok()) return bytes.status();
  const auto first = static_cast<unsigned char>(bytes->front());
  length = 1;
  while (length <= 8 && (first & (0x80 >> (length - 1))) == 0) ++length;
  if (length > (is_id ? 4 : 8)) return NotAVideo("an element's header is malformed");
  bytes = window_.Get(offset, length);
  if (!bytes.ok()) return bytes.status();
  std::uint64_t value = is_id ? first : first & (0xFF >> length);
  bool all_ones = (first & (0xFF >> length)) == (0xFF >> length);
  for (std::int64_t i = 1; i < length; ++i) {
    const auto byte = static_cast<unsigned char>((*bytes)[static_cast<std::size_t>(i)]);
    all_ones = all_ones && byte == 0xFF;
    value = value << 8 | byte;
  }
  return !is_id && all_ones ? UINT64_MAX : value;
}

// OUT_OF_RANGE: the header is cut off.
absl::StatusOr<Element> Walk::ReadElement(std::int64_t offset) {
  if (absl::Status counted = CountElement(); !counted.ok()) return counted;
  std::int64_t id_length = 0;
  absl::StatusOr<std::uint64_t> id = ReadNumber(offset, id_length, true);
  if (!id.ok()) return id.status();
  std::int64_t size_length = 0;
  absl::StatusOr<std::uint64_t> size = ReadNumber(offset + id_length, size_length, false);
  if (!size.ok()) return size.status();
  Element element{.id = static_cast<std::uint32_t>(*id),
                  .body = offset + id_length + size_length,
                  .end = window_.size()};
  if (*size == UINT64_MAX) {
    if (!IsMaster(element.id)) return NotAVideo("an element has no size");
    return element;
  }
  if (*size > static_cast<std::uint64_t>(window_.size() - element.body)) {
    return Truncated("an element announces more bytes than there are");
  }
  element.end = element.body + static_cast<std::int64_t>(*size);
  return element;
}

absl::StatusOr<std::int64_t> Walk::ReadValue(const Element& element) {
  const std::int64_t length = element.end - element.body;
  if (length > 8) return NotAVideo("a number is too long");
  absl::StatusOr<std::string_view> bytes = window_.Get(element.body, length);
  if (!bytes.ok()) return bytes.status();
  std::uint64_t value = 0;
  for (const char byte : *bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return static_cast<std::int64_t>(std::min<std::uint64_t>(value, INT64_MAX));
}

absl::Status Walk::ReadTrackEntry(const Element& entry) {
  Track track;
  for (std::int64_t offset = entry.body; offset < entry.end;) {
    absl::StatusOr<Element> child = ReadElement(offset);
    if (!child.ok()) return child.status();
    offset = child->end;
    std::int64_t* field = child->id == kTrackNumber       ? &track.number
                          : child->id == kTrackType       ? &track.type
                          : child->id == kDefaultDuration ? &track.default_duration
                                                          : nullptr;
    if (field == nullptr) continue;
    absl::StatusOr<std::int64_t> value = ReadValue(*child);
    if (!value.ok()) return value.status();
    *field = *value;
  }
  // Half a minute a frame and less: beyond that it says nothing.
  if (track.default_duration > 30 * kCoarsestTick) track.default_duration = 0;
  if (tracks_.size() < 64) tracks_.emplace(track.number, track);
  return absl::OkStatus();
}

absl::Status Walk::ReadGroup(const Element& group) {
  std::optional<Element> block;
  std::int64_t duration = 0;
  for (std::int64_t offset = group.body; offset < group.end;) {
    absl::StatusOr<Element> child = ReadElement(offset);
    if (!child.ok()) return child.status();
    offset = child->end;
    if (child->id == kBlock) block = *child;
    if (child->id != kBlockDuration) continue;
    absl::StatusOr<std::int64_t> value = ReadValue(*child);
    if (!value.ok()) return value.status();
    duration = std::min(*value, kMostTicks);
  }
  return block ? ReadBlock(*block, duration) : absl::OkStatus();
}

absl::Status Walk::ReadBlock(const Element& block, std::int64_t duration) {
  std::int64_t length = 0;
  absl::StatusOr<std::uint64_t> number = ReadNumber(block.body, length, false);
  if (!number.ok()) return number.status();
  const auto it = tracks_.find(static_cast<std::int64_t>(*number));
  if (it == tracks_.end() || it->second.type != kVideoTrack) return absl::OkStatus();
  const std::int64_t head = std::min<std::int64_t>(block.end - block.body - length, 4);
  if (head < 3) return NotAVideo("a block is too short");
  absl::StatusOr<std::string_view> bytes = window_.Get(block.body + length, head);
  if (!bytes.ok()) return bytes.status();
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>((*bytes)[i]); };
  const auto relative = static_cast<std::int16_t>(byte(0) << 8 | byte(1));
  const bool laced = (byte(2) & 0x06) != 0 && head == 4;
  const std::int64_t time = std::max<std::int64_t>(0, cluster_time_ + relative);

  Track& track = it->second;
  if (++track.frames > kMostFrames) return NotAVideo("too many frames");
  if (!track.has_frames || time > track.newest) {
    track.second = track.has_frames ? track.newest : -1;
    track.newest = time;
    track.newest_duration = duration;
    track.newest_frames = laced ? byte(3) + 1 : 1;
  } else if (time < track.newest && time > track.second) {
    track.second = time;
  }
  track.has_frames = true;
  return absl::OkStatus();
}

absl::Status Walk::Run() {
  bool in_segment = false;
  for (std::int64_t offset = 0; offset < window_.size();) {
    absl::StatusOr<Element> element = ReadElement(offset);
    if (!element.ok()) {
      if (absl::IsOutOfRange(element.status())) return Truncated("the last element is cut off");
      return element.status();
    }
    if (element->id == kEbml && head_.end == 0) head_ = {kEbml, offset, element->end};
    if (element->id == kTracks && track_list_.end == 0) {
      track_list_ = {kTracks, offset, element->end};
    }
    // Masters are entered, not skipped: a cluster without a size ends where another one begins.
    const bool enter = IsMaster(element->id) || element->id == kTrackEntry;
    offset = enter && element->id != kTrackEntry ? element->body : element->end;
    in_segment = in_segment || element->id == kSegment;
    absl::Status read;
    switch (element->id) {
      case kTimestampScale:
      case kTimestamp: {
        absl::StatusOr<std::int64_t> value = ReadValue(*element);
        if (!value.ok()) {
          read = value.status();
        } else if (element->id == kTimestamp) {
          cluster_time_ = std::min(*value, kMostTicks);
        } else {
          tick_ = std::clamp<std::int64_t>(*value, 1, kCoarsestTick);
        }
        break;
      }
      case kTrackEntry:
        read = ReadTrackEntry(*element);
        break;
      case kBlockGroup:
        read = ReadGroup(*element);
        break;
      case kSimpleBlock:
        read = ReadBlock(*element, 0);
        break;
      default:
        break;
    }
    if (absl::IsOutOfRange(read)) return Truncated("the last element is cut off");
    if (!read.ok()) return read;
  }
  return in_segment ? absl::OkStatus() : Truncated("the container ends with its header");
}

absl::StatusOr<std::string> Walk::Describe() {
  // A segment of unknown size, and an empty cluster, which ends what libavformat reads to open it.
  constexpr std::string_view kSegmentStart("\x18\x53\x80\x67\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 12);
  constexpr std::string_view kEmptyCluster("\x1F\x43\xB6\x75\x80", 5);
  if (head_.end == 0 || track_list_.end == 0) return NotAVideo("the container holds no tracks");
  std::string description;
  for (const Element& part : {head_, track_list_}) {
    if (part.end - part.body > kMostDescriptionBytes)
      return NotAVideo("the tracks' list is too large");
    absl::StatusOr<std::string_view> bytes = window_.Get(part.body, part.end - part.body);
    if (!bytes.ok()) return bytes.status();
    description += *bytes;
    description += part.id == kEbml ? kSegmentStart : kEmptyCluster;
  }
  return description;
}

// The length of a frame as the muxer meant it. It is written in whole nanoseconds, cut or rounded:
// 30 frames a second reads 33333333, and 150 of those must make 5 s, not more.
absl::Duration FrameLength(std::int64_t nanoseconds, std::int64_t frames) {
  for (const std::int64_t per : {1000, 1001}) {
    const std::int64_t rate = (per * 1'000'000 + nanoseconds / 2) / nanoseconds;  // in 1/1000 s
    if (rate <= 0 || rate % 1000 != 0) continue;
    const std::int64_t exact = per * 1'000'000 / rate;
    if (std::abs(exact - nanoseconds) <= 1) return absl::Seconds(per) * frames / rate;
  }
  return absl::Nanoseconds(nanoseconds) * frames;
}

Timings Walk::Result() const {
  Timings timings;
  for (const auto& [number, track] : tracks_) {
    if (track.type != kVideoTrack) continue;
    TrackTiming timing;
    if (track.has_frames) {
      const absl::Duration tick = absl::Nanoseconds(tick_);
      const absl::Duration newest = tick * track.newest;
      if (track.newest_duration > 0) {
        timing.frame_duration = tick * track.newest_duration;
        timing.end = newest + timing.frame_duration;
      } else if (track.default_duration > 0) {
        timing.frame_duration = FrameLength(track.default_duration, 1);
        timing.end = newest + timing.frame_duration * track.newest_frames;
      } else if (track.second >= 0) {
        timing.frame_duration = tick * (track.newest - track.second);
        timing.end = newest + timing.frame_duration;
      }
      // Times are rounded to ticks (a millisecond, as a rule). Where the frames are evenly spaced,
      // the end is a whole number of frames, and that number is exact.
      if (track.default_duration > 0 && timing.end < absl::Hours(24)) {
        const std::int64_t before =
            (track.newest * tick_ + track.default_duration / 2) / track.default_duration;
        const absl::Duration even = FrameLength(track.default_duration, before);
        const std::int64_t frames = before + track.newest_frames;
        const absl::Duration exact = FrameLength(track.default_duration, frames);
        if (absl::AbsDuration(even - newest) < tick &&
            absl::AbsDuration(exact - timing.end) < 2 * tick) {
          timing.end = exact;
        }
      }
    }
    timings[number] = timing;
  }
  return timings;
}

}  // namespace

absl::StatusOr<ContainerSummary> ReadWebm(ByteWindow& window) {
  Walk walk(window);
  if (absl::Status run = walk.Run(); !run.ok()) return run;
  absl::StatusOr<std::string> description = walk.Describe();
  if (!description.ok()) return description.status();
  return ContainerSummary{walk.Result(), *std::move(description)};
}

}  // namespace lumaedit
