#include "server/media/av_media_probe.h"

#include <algorithm>
#include <boost/endian/conversion.hpp>
#include <cerrno>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/match.h"
#include "server/job/error.h"
#include "server/media/av_input.h"
#include "server/media/track_end.h"

extern "C" {
#include <libavcodec/codec_id.h>
#include <libavformat/avformat.h>
#include <libavutil/log.h>
#include <libavutil/mem.h>
}

namespace lumaedit {
namespace {

// A container's own length may exceed what its packets come to by so much.
constexpr absl::Duration kShortByAtMost = absl::Milliseconds(500);

enum class Family { kNone, kMov, kMatroska };

// Only what these first bytes announce is shown to a demuxer.
Family FamilyOf(std::string_view start) {
  if (start.size() < 8) return Family::kNone;
  if (start.substr(0, 4) == "\x1A\x45\xDF\xA3") return Family::kMatroska;
  static constexpr std::string_view kFirstBoxes[] = {"ftyp", "moov", "mdat", "free", "skip",
                                                     "wide", "pnot", "styp", "uuid"};
  for (std::string_view box : kFirstBoxes) {
    if (start.substr(4, 4) == box) return Family::kMov;
  }
  return Family::kNone;
}

absl::Status Refused(ErrorReason reason, std::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument, reason, message);
}

absl::Status NotAVideo(std::string_view message) {
  return Refused(ErrorReason::kNotAVideo, message);
}

absl::Status Truncated() {
  return Refused(ErrorReason::kTruncated, "the file ends before its video does");
}

const unsigned char* Bytes(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// Without its index libavformat does not say whether a file was cut. The outermost boxes do: each
// tells its size (ISO/IEC 14496-12 section 4.2), and the last one of a cut file goes on.
absl::StatusOr<bool> IsCut(SourceReader& bytes) {
  static constexpr std::string_view kLongBoxes[] = {"mdat", "moov", "moof", "free", "skip"};
  constexpr int kMostBoxes = 1000;
  const std::int64_t size = bytes.size_bytes();
  std::int64_t offset = 0;
  for (int i = 0; i < kMostBoxes && offset < size; ++i) {
    const auto head = bytes.Read(offset, 16);
    if (!head.ok()) return head.status();
    if (head->size() < 8) return false;
    std::int64_t length = boost::endian::load_big_u32(Bytes(*head));
    if (length == 1 && head->size() == 16) {
      length = static_cast<std::int64_t>(boost::endian::load_big_u64(Bytes(*head) + 8));
    }
    // 0: up to the end of the file.
    if (length < 8) return false;
    if (length > size - offset) {
      const std::string_view kind = std::string_view(*head).substr(4, 4);
      return std::find(std::begin(kLongBoxes), std::end(kLongBoxes), kind) != std::end(kLongBoxes);
    }
    offset += length;
  }
  return false;
}

struct FormatCloser {
  void operator()(AVFormatContext* format) const { avformat_close_input(&format); }
};
struct PacketFree {
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
};

int RefuseToOpen(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
  return AVERROR(EACCES);
}

int IsLate(void* input) { return static_cast<AvInput*>(input)->IsLate() ? 1 : 0; }

bool IsVideo(const AVStream& stream) {
  return stream.codecpar->codec_type == AVMEDIA_TYPE_VIDEO &&
         (stream.disposition & AV_DISPOSITION_ATTACHED_PIC) == 0 && stream.time_base.num > 0 &&
         stream.time_base.den > 0;
}

bool IsSound(const AVStream& stream) {
  return stream.codecpar->codec_type == AVMEDIA_TYPE_AUDIO && stream.time_base.num > 0 &&
         stream.time_base.den > 0;
}

// One file that is being measured.
class Measuring {
 public:
  Measuring(AvInput& input, Family family, bool is_webm, const MediaProbeLimits& limits,
            std::int64_t size)
      : input_(input), family_(family), is_webm_(is_webm), limits_(limits), size_(size) {}

  absl::StatusOr<MediaInfo> Run() {
    if (absl::Status status = Open(); !status.ok()) return status;
    if (absl::Status status = ReadPackets(); !status.ok()) return status;
    if (family_ == Family::kMov && IndexGoesBeyondTheEnd()) return Truncated();
    return Conclude();
  }

 private:
  struct Track {
    explicit Track(const AVStream& stream) : times({stream.time_base.num, stream.time_base.den}) {}

    TrackEnd times;
    std::optional<std::int64_t> first_dts;
    std::int64_t packets = 0;  // also those that an edit list hides
  };

  absl::Status Open();
  absl::Status ReadPackets();
  absl::Status AfterLastPacket(int error);
  bool IndexGoesBeyondTheEnd() const;
  absl::StatusOr<MediaInfo> Conclude() const;
  absl::Duration EndOf(const AVStream& stream, const Track& track, absl::Duration begin) const;
  absl::Duration BeginOfTimeline() const;
  bool IsWhole(const AVStream& stream, const Track& track) const;

  // What stopped libavformat, where it was not the file.
  absl::Status Stopped() const {
    if (!input_.failure().ok()) return input_.failure();
    if (input_.spent()) return NotAVideo("the video cannot be measured within the bounds");
    return absl::OkStatus();
  }

  AvInput& input_;
  const Family family_;
  const bool is_webm_;
  const MediaProbeLimits& limits_;
  const std::int64_t size_;
  std::unique_ptr<AVFormatContext, FormatCloser> format_;
  std::map<int, Track> tracks_;  // of video and sound, by index of the stream
};

absl::Status Measuring::Open() {
  AVFormatContext* format = avformat_alloc_context();
  if (format == nullptr || input_.context() == nullptr) {
    avformat_free_context(format);
    return absl::ResourceExhaustedError("no memory to measure a video");
  }
  format->pb = input_.context();
  // Nothing is parsed or guessed: times are those of the container.
  format->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_NOPARSE | AVFMT_FLAG_NOFILLIN;
  format->max_streams = limits_.tracks;
  format->io_open = &RefuseToOpen;
  format->interrupt_callback = {&IsLate, &input_};
  const AVInputFormat* demuxer = av_find_input_format(family_ == Family::kMov ? "mov" : "matroska");
  // Frees the context when it fails.
  if (avformat_open_input(&format, "", demuxer, nullptr) < 0) {
    if (absl::Status stopped = Stopped(); !stopped.ok()) return stopped;
    return input_.wanted_more() ? Truncated() : NotAVideo("the container cannot be read");
  }
  format_.reset(format);
  for (unsigned i = 0; i < format_->nb_streams; ++i) {
    AVStream& stream = *format_->streams[i];
    if (IsVideo(stream) || IsSound(stream)) {
      tracks_.emplace(i, Track(stream));
    } else {
      stream.discard = AVDISCARD_ALL;
    }
  }
  return absl::OkStatus();
}

absl::Status Measuring::ReadPackets() {
  std::unique_ptr<AVPacket, PacketFree> packet(av_packet_alloc());
  if (!packet) return absl::ResourceExhaustedError("no memory to measure a video");
  for (std::int64_t count = 0;; ++count) {
    const int got = av_read_frame(format_.get(), packet.get());
    if (got < 0) return AfterLastPacket(got);
    if (count >= limits_.packets || input_.IsLate()) {
      return NotAVideo("the video cannot be measured within the bounds");
    }
    // A fragmented file may show a track late; nothing is known of it.
    const auto track = tracks_.find(packet->stream_index);
    if (track != tracks_.end()) {
      if ((packet->flags & AV_PKT_FLAG_CORRUPT) != 0) return Truncated();
      Track& to = track->second;
      ++to.packets;
      if (!to.first_dts && packet->dts != AV_NOPTS_VALUE) to.first_dts = packet->dts;
      if ((packet->flags & AV_PKT_FLAG_DISCARD) == 0) {
        const std::int64_t time = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
        const bool has_time = time != AV_NOPTS_VALUE;
        if (!to.times.Add(has_time ? std::optional(time) : std::nullopt,
                          std::max<std::int64_t>(0, packet->duration))) {
          return NotAVideo("the times of its frames make no sense");
        }
      }
    }
    av_packet_unref(packet.get());
  }
}

absl::Status Measuring::AfterLastPacket(int error) {
  if (absl::Status stopped = Stopped(); !stopped.ok()) return stopped;
  if (error == AVERROR_EOF) return absl::OkStatus();
  return input_.wanted_more() ? Truncated() : NotAVideo("the container is damaged");
}

bool Measuring::IndexGoesBeyondTheEnd() const {
  for (const auto& [index, track] : tracks_) {
    AVStream* stream = format_->streams[index];
    const int count = avformat_index_get_entries_count(stream);
    for (int i = 0; i < count; ++i) {
      const AVIndexEntry* entry = avformat_index_get_entry(stream, i);
      if (entry != nullptr && entry->pos > size_ - entry->size) return true;
    }
  }
  return false;
}

bool Measuring::IsWhole(const AVStream& stream, const Track& track) const {
  // All of the track is described by one header: a count of frames, and no more than that.
  return family_ == Family::kMov && stream.nb_frames > 0 && track.packets <= stream.nb_frames &&
         stream.duration > 0 && track.times.IsPlausible(stream.duration);
}

absl::Duration Measuring::BeginOfTimeline() const {
  absl::Duration begin = absl::InfiniteDuration();
  for (const auto& [index, track] : tracks_) {
    if (track.times.frames() == 0) continue;
    const AVStream& stream = *format_->streams[index];
    // 0, unless no edit list says what the frames' delay against their decoding is.
    const bool delayed = track.first_dts == 0 && track.times.start() > 0;
    begin = std::min(begin, IsWhole(stream, track) && !delayed
                                ? absl::ZeroDuration()
                                : track.times.ToDuration(track.times.start()));
  }
  // Sound may begin before 0, to be thrown away there (an encoder's delay).
  return std::max(begin, absl::ZeroDuration());
}

absl::Duration Measuring::EndOf(const AVStream& stream, const Track& track,
                                absl::Duration begin) const {
  std::int64_t end = track.times.end();
  if (IsWhole(stream, track)) {
    const std::int64_t header_end = track.times.start() + stream.duration;
    end = track.times.end_is_exact() ? std::min(end, header_end) : header_end;
  }
  const absl::Duration duration = track.times.ToDuration(end) - begin;
  if (family_ == Family::kMov) return duration;
  return SnapToRate(duration, track.times.frames(), stream.avg_frame_rate.num,
                    stream.avg_frame_rate.den);
}

absl::StatusOr<MediaInfo> Measuring::Conclude() const {
  const absl::Duration begin = BeginOfTimeline();
  MediaInfo info;
  absl::Duration last_of_all = absl::ZeroDuration();
  for (const auto& [index, track] : tracks_) {
    if (track.times.frames() == 0) continue;
    const AVStream& stream = *format_->streams[index];
    const absl::Duration end = EndOf(stream, track, begin);
    last_of_all = std::max(last_of_all, end);
    // Of several video tracks the longest counts: which one is edited is the upstream's choice.
    if (!IsVideo(stream) || end <= info.duration) continue;
    info.duration = end;
    info.frame_duration = absl::Floor(
        track.times.ToDuration(track.times.end() - track.times.start()) / track.times.frames(),
        absl::Microseconds(1));
    if (track.times.frames() == 1) info.frame_duration = absl::ZeroDuration();
    info.width = stream.codecpar->width;
    info.height = stream.codecpar->height;
    info.codec = avcodec_get_name(stream.codecpar->codec_id);
    if (stream.codecpar->codec_id == AV_CODEC_ID_NONE) info.codec.clear();
  }
  if (info.duration <= absl::ZeroDuration()) return NotAVideo("there is no frame of video in it");
  if (info.codec.empty() || info.width <= 0 || info.height <= 0) {
    return NotAVideo("the kind or the size of its video is not known");
  }
  if (family_ == Family::kMatroska && format_->duration > 0 &&
      absl::Microseconds(format_->duration) > last_of_all + kShortByAtMost) {
    return Truncated();
  }
  const AVDictionaryEntry* brand = av_dict_get(format_->metadata, "major_brand", nullptr, 0);
  if (family_ == Family::kMov) {
    info.container = brand == nullptr || std::string_view(brand->value) == "qt  " ? "mov" : "mp4";
  } else {
    info.container = is_webm_ ? "webm" : "matroska";
  }
  return info;
}

class AvMediaProbe final : public MediaProbe {
 public:
  AvMediaProbe(Clock& clock, const MediaProbeLimits& limits) : clock_(clock), limits_(limits) {
    // Its lines are about a caller's file, and stderr holds our log alone.
    av_log_set_level(AV_LOG_QUIET);
    av_max_alloc(static_cast<std::size_t>(limits_.allocation_bytes));
  }

  absl::StatusOr<MediaInfo> Probe(SourceReader& bytes) override {
    const auto start = bytes.Read(0, kStartBytes);
    if (!start.ok()) return start.status();
    const Family family = FamilyOf(*start);
    if (family == Family::kNone) {
      return NotAVideo("it is none of MP4, QuickTime, WebM and Matroska");
    }
    const std::int64_t size = bytes.size_bytes();
    AvInput input(bytes, clock_, clock_.Uptime() + limits_.time,
                  size * limits_.passes + limits_.more_bytes);
    // The DocType of EBML, 4 bytes long.
    const bool is_webm = absl::StrContains(*start, "\x42\x82\x84webm");
    auto media = Measuring(input, family, is_webm, limits_, size).Run();
    if (family != Family::kMov || !HasReason(media.status(), ErrorReason::kNotAVideo)) return media;
    const auto is_cut = IsCut(bytes);
    if (!is_cut.ok()) return is_cut.status();
    return *is_cut ? Truncated() : media.status();
  }

 private:
  static constexpr std::int64_t kStartBytes = 4096;

  Clock& clock_;
  const MediaProbeLimits limits_;
};

}  // namespace

std::unique_ptr<MediaProbe> MakeAvMediaProbe(Clock& clock, const MediaProbeLimits& limits) {
  return std::make_unique<AvMediaProbe>(clock, limits);
}

}  // namespace lumaedit
