#include <optional>
#include <string>
#include <vector>

#include "server/media/box_reader.h"
#include "server/media/container_summary.h"
#include "server/media/mp4_track.h"

namespace lumaedit {
namespace {

// A moov box of an hour of video is about 5 MB; a moof box tells of seconds.
constexpr std::int64_t kMostIndexBytes = std::int64_t{16} << 20;
constexpr std::int64_t kMostBrandBytes = 4096;
constexpr std::size_t kMostTracks = 64;

struct Place {
  std::uint32_t type = 0;
  std::int64_t body = 0;
  std::int64_t end = 0;
};

bool IsKnown(std::uint32_t type) {
  switch (type) {
    case BoxType("ftyp"):
    case BoxType("styp"):
    case BoxType("moov"):
    case BoxType("moof"):
    case BoxType("mdat"):
    case BoxType("free"):
    case BoxType("skip"):
    case BoxType("wide"):
    case BoxType("udta"):
    case BoxType("uuid"):
    case BoxType("sidx"):
    case BoxType("mfra"):
    case BoxType("meta"):
      return true;
    default:
      return false;
  }
}

// Unset at the end, and at bytes that are no box: players ignore what follows the last one.
absl::StatusOr<std::optional<Place>> NextPlace(ByteWindow& window, std::int64_t offset) {
  if (window.size() - offset < 8) return std::optional<Place>();
  absl::StatusOr<std::string_view> bytes = window.Get(offset, 8);
  if (!bytes.ok()) return bytes.status();
  FieldReader reader(*bytes);
  std::uint64_t size = reader.U32();
  Place place{.type = reader.U32(), .body = offset + 8, .end = 0};
  if (!IsKnown(place.type)) {
    if (size < 8 || size > static_cast<std::uint64_t>(window.size() - offset)) {
      return std::optional<Place>();
    }
  }
  if (size == 1) {
    bytes = window.Get(place.body, 8);
    if (!bytes.ok()) {
      return absl::IsOutOfRange(bytes.status()) ? Truncated("the last box is cut off")
                                                : bytes.status();
    }
    size = FieldReader(*bytes).U64();
    place.body += 8;
  } else if (size == 0) {
    size = static_cast<std::uint64_t>(window.size() - offset);
  }
  if (size < static_cast<std::uint64_t>(place.body - offset)) {
    return NotAVideo("a box is smaller than its header");
  }
  if (size > static_cast<std::uint64_t>(window.size() - offset)) {
    return Truncated("a box announces more bytes than there are");
  }
  place.end = offset + static_cast<std::int64_t>(size);
  return std::optional<Place>(place);
}

void AppendBox(std::uint32_t type, std::string_view body, std::string& out) {
  const auto put = [&out](std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
  };
  put(static_cast<std::uint32_t>(body.size() + 8));
  put(type);
  out += body;
}

// What says which tracks there are and how they are coded; everything else is left out.
std::string DescribeTracks(std::string_view body) {
  std::string out;
  FieldReader reader(body);
  while (const std::optional<Box> box = NextBox(reader)) {
    switch (box->type) {
      case BoxType("trak"):
      case BoxType("mdia"):
      case BoxType("minf"):
      case BoxType("stbl"):
        AppendBox(box->type, DescribeTracks(box->body), out);
        break;
      case BoxType("mvhd"):
      case BoxType("tkhd"):
      case BoxType("mdhd"):
      case BoxType("hdlr"):
      case BoxType("vmhd"):
      case BoxType("stsd"):
        AppendBox(box->type, box->body, out);
        break;
      default:
        break;
    }
  }
  return out;
}

absl::StatusOr<std::string> ReadBody(ByteWindow& window, const Place& place) {
  if (place.end - place.body > kMostIndexBytes) return NotAVideo("the index is too large");
  absl::StatusOr<std::string_view> bytes = window.Get(place.body, place.end - place.body);
  if (!bytes.ok()) return bytes.status();
  return std::string(*bytes);
}

absl::Status ReadMovie(std::string_view moov, std::int64_t& timescale,
                       std::vector<Mp4Track>& tracks) {
  FieldReader movie(FindBox(moov, BoxType("mvhd")));
  movie.Skip(movie.U32() >> 24 == 1 ? 16 : 8);
  timescale = movie.U32();
  FieldReader reader(moov);
  while (const std::optional<Box> box = NextBox(reader)) {
    if (box->type != BoxType("trak")) continue;
    Mp4Track track;
    if (tracks.size() >= kMostTracks || !ReadTrack(box->body, track)) {
      return NotAVideo("a track's tables are malformed or too large");
    }
    tracks.push_back(std::move(track));
  }
  FieldReader extends(FindBox(moov, BoxType("mvex")));
  while (const std::optional<Box> box = NextBox(extends)) {
    if (box->type != BoxType("trex")) continue;
    FieldReader fields(box->body);
    fields.Skip(4);
    const std::int64_t id = fields.U32();
    fields.Skip(4);
    const std::int64_t delta = fields.U32();
    for (Mp4Track& track : tracks) {
      if (track.id == id) track.default_delta = delta;
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ContainerSummary> ReadMp4(ByteWindow& window) {
  ContainerSummary summary;
  std::int64_t timescale = 0;
  std::vector<Mp4Track> tracks;
  bool has_movie = false;
  bool has_data = false;
  std::int64_t offset = 0;
  for (int boxes = 0;; ++boxes) {
    if (boxes > kMostElements) return NotAVideo("too many boxes");
    absl::StatusOr<std::optional<Place>> next = NextPlace(window, offset);
    if (!next.ok()) return next.status();
    if (!next->has_value()) break;
    const Place& place = **next;
    offset = place.end;
    has_data = has_data || place.type == BoxType("mdat");
    if (place.type == BoxType("ftyp") && !has_movie && offset <= kMostBrandBytes) {
      // The brand decides how QuickTime's and ISO's descriptions are told apart.
      absl::StatusOr<std::string> brand = ReadBody(window, place);
      if (!brand.ok()) return brand.status();
      summary.description.clear();
      AppendBox(place.type, *brand, summary.description);
      continue;
    }
    const bool is_movie = place.type == BoxType("moov") && !has_movie;
    const bool is_fragment = place.type == BoxType("moof") && has_movie;
    if (!is_movie && !is_fragment) continue;
    absl::StatusOr<std::string> body = ReadBody(window, place);
    if (!body.ok()) return body.status();
    if (is_movie) {
      has_movie = true;
      AppendBox(BoxType("moov"), DescribeTracks(*body), summary.description);
      if (absl::Status read = ReadMovie(*body, timescale, tracks); !read.ok()) return read;
    } else if (!ReadFragment(*body, tracks)) {
      return NotAVideo("a fragment is malformed or too large");
    }
  }
  if (!has_movie) {
    return has_data ? Truncated("the index of the video is missing")
                    : NotAVideo("the container holds no movie");
  }
  for (const Mp4Track& track : tracks) {
    if (track.is_video) summary.timings[track.id] = track.Timing(timescale);
  }
  return summary;
}

}  // namespace lumaedit
