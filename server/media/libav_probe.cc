#include "server/media/libav_probe.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/log.h>
#include <libavutil/mem.h>
}

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "server/media/byte_window.h"
#include "server/media/container_summary.h"

namespace lumaedit {
namespace {

constexpr int kIoBufferBytes = 16 * 1024;
constexpr int kLargestPicture = 16384;

// What the callbacks see.
struct Input {
  std::string_view bytes;
  std::size_t position = 0;
};

int ReadBytes(void* opaque, std::uint8_t* buffer, int size) {
  auto& input = *static_cast<Input*>(opaque);
  const std::string_view part = input.bytes.substr(input.position, static_cast<std::size_t>(size));
  if (part.empty()) return AVERROR_EOF;
  std::memcpy(buffer, part.data(), part.size());
  input.position += part.size();
  return static_cast<int>(part.size());
}

std::int64_t Seek(void* opaque, std::int64_t offset, int whence) {
  auto& input = *static_cast<Input*>(opaque);
  const auto size = static_cast<std::int64_t>(input.bytes.size());
  switch (whence & ~AVSEEK_FORCE) {
    case AVSEEK_SIZE:
      return size;
    case SEEK_SET:
      break;
    case SEEK_CUR:
      offset += static_cast<std::int64_t>(input.position);
      break;
    case SEEK_END:
      offset += size;
      break;
    default:
      return AVERROR(EINVAL);
  }
  if (offset < 0 || offset > size) return AVERROR(EINVAL);
  input.position = static_cast<std::size_t>(offset);
  return offset;
}

struct Deadline {
  const Clock& clock;
  absl::Duration uptime;
};

int TimeIsUp(void* opaque) {
  const auto& deadline = *static_cast<const Deadline*>(opaque);
  return deadline.clock.Uptime() >= deadline.uptime ? 1 : 0;
}

// A container may name other files: nothing is ever opened but the source itself.
int RefuseToOpen(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
  return AVERROR(EACCES);
}

struct IoDeleter {
  void operator()(AVIOContext* io) const {
    av_freep(&io->buffer);
    avio_context_free(&io);
  }
};
struct FormatDeleter {
  void operator()(AVFormatContext* format) const { avformat_close_input(&format); }
};

enum class Container { kUnknown, kMp4, kWebm };

absl::StatusOr<Container> ReadContainer(ByteWindow& window) {
  const absl::StatusOr<std::string_view> head = window.Get(0, 8);
  if (absl::IsOutOfRange(head.status())) return Container::kUnknown;
  if (!head.ok()) return head.status();
  if (head->substr(0, 4) == "\x1A\x45\xDF\xA3") return Container::kWebm;
  for (const std::string_view type :
       {"ftyp", "moov", "mdat", "free", "skip", "wide", "styp", "pnot"}) {
    if (head->substr(4) == type) return Container::kMp4;
  }
  return Container::kUnknown;
}

bool IsPicture(const AVStream& stream) {
  return (stream.disposition & (AV_DISPOSITION_ATTACHED_PIC | AV_DISPOSITION_TIMED_THUMBNAILS)) !=
         0;
}

// Should there be more than one video track, the longest counts: which one is edited is the
// upstream's choice, and a price must not turn out too low.
TrackTiming Longest(const Timings& timings) {
  TrackTiming longest;
  for (const auto& [number, timing] : timings) {
    if (timing.end > longest.end) longest = timing;
  }
  return longest;
}

class LibavProbe final : public MediaProbe {
 public:
  LibavProbe(const Clock& clock, ProbeSettings settings) : clock_(clock), settings_(settings) {
    av_log_set_level(AV_LOG_QUIET);
  }

  absl::StatusOr<MediaInfo> Probe(SourceReader& source) override {
    Deadline deadline{clock_, clock_.Uptime() + settings_.time_limit};
    ByteWindow window(source, clock_, settings_.most_bytes, deadline.uptime);
    const absl::StatusOr<Container> container = ReadContainer(window);
    if (!container.ok()) return container.status();
    if (*container == Container::kUnknown) {
      return NotAVideo("the source is neither MP4, QuickTime nor WebM");
    }
    const bool is_mp4 = *container == Container::kMp4;
    const absl::StatusOr<ContainerSummary> summary = is_mp4 ? ReadMp4(window) : ReadWebm(window);
    if (!summary.ok()) return summary.status();
    absl::StatusOr<MediaInfo> info = Identify(*summary, is_mp4, deadline);
    if (!info.ok()) return info;
    info->container = is_mp4 ? "mp4" : "webm";
    info->size_bytes = source.size_bytes();
    if (info->duration > settings_.longest) {
      return MakeError(absl::StatusCode::kInvalidArgument, ErrorReason::kSourceTooLong,
                       "the source is longer than " + absl::FormatDuration(settings_.longest));
    }
    return info;
  }

 private:
  static absl::StatusOr<MediaInfo> Identify(const ContainerSummary& summary, bool is_mp4,
                                            Deadline& deadline) {
    Input input{.bytes = summary.description};
    auto* buffer = static_cast<unsigned char*>(av_malloc(kIoBufferBytes));
    std::unique_ptr<AVIOContext, IoDeleter> io(
        buffer == nullptr ? nullptr
                          : avio_alloc_context(buffer, kIoBufferBytes, /*write_flag=*/0, &input,
                                               ReadBytes, nullptr, Seek));
    if (io == nullptr) {
      av_free(buffer);
      return absl::ResourceExhaustedError("no memory to probe the source");
    }
    AVFormatContext* raw = avformat_alloc_context();
    if (raw == nullptr) return absl::ResourceExhaustedError("no memory to probe the source");
    raw->pb = io.get();
    raw->interrupt_callback = {.callback = TimeIsUp, .opaque = &deadline};
    raw->io_open = RefuseToOpen;
    raw->protocol_whitelist = av_strdup("");
    raw->format_whitelist = av_strdup("mov,matroska");
    raw->max_streams = 64;
    raw->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_NOPARSE;
    const AVInputFormat* format = av_find_input_format(is_mp4 ? "mov" : "matroska");
    // It frees the context itself when it fails.
    const int opened = avformat_open_input(&raw, "", format, nullptr);
    const std::unique_ptr<AVFormatContext, FormatDeleter> context(opened < 0 ? nullptr : raw);
    if (context == nullptr && TimeIsUp(&deadline) != 0) {
      return absl::UnavailableError("the source could not be probed in time");
    }
    if (context == nullptr) return NotAVideo("the container cannot be read");
    return Choose(*context, Longest(summary.timings));
  }

  static absl::StatusOr<MediaInfo> Choose(const AVFormatContext& context,
                                          const TrackTiming& timing) {
    if (timing.end <= absl::ZeroDuration())
      return NotAVideo("the container holds no video track with a length");
    for (unsigned i = 0; i < context.nb_streams; ++i) {
      const AVStream& stream = *context.streams[i];
      const AVCodecParameters& codec = *stream.codecpar;
      if (codec.codec_type != AVMEDIA_TYPE_VIDEO || IsPicture(stream)) continue;
      if (codec.width <= 0 || codec.height <= 0 ||
          std::max(codec.width, codec.height) > kLargestPicture) {
        continue;
      }
      MediaInfo info;
      info.duration = absl::Ceil(timing.end, absl::Microseconds(1));
      info.frame_duration = timing.frame_duration;
      info.width = codec.width;
      info.height = codec.height;
      info.codec = avcodec_get_name(codec.codec_id);
      return info;
    }
    return NotAVideo("the container holds no video track with a picture size");
  }

  const Clock& clock_;
  const ProbeSettings settings_;
};

}  // namespace

std::unique_ptr<MediaProbe> MakeLibavProbe(const Clock& clock, ProbeSettings settings) {
  return std::make_unique<LibavProbe>(clock, settings);
}

}  // namespace lumaedit
