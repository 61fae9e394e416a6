#include "server/media/av_input.h"

#include <algorithm>
#include <cstring>

extern "C" {
#include <libavformat/avio.h>
#include <libavutil/error.h>
#include <libavutil/mem.h>
}

namespace lumaedit {
namespace {

constexpr int kBufferBytes = 64 * 1024;

}  // namespace

AvInput::AvInput(SourceReader& reader, Clock& clock, absl::Duration until, std::int64_t most_bytes)
    : reader_(reader),
      clock_(clock),
      until_(until),
      size_(reader.size_bytes()),
      bytes_left_(most_bytes) {
  auto* buffer = static_cast<unsigned char*>(av_malloc(kBufferBytes));
  if (buffer == nullptr) return;
  context_ = avio_alloc_context(buffer, kBufferBytes, /*write_flag=*/0, this, &AvInput::Read,
                                /*write_packet=*/nullptr, &AvInput::Seek);
  if (context_ == nullptr) av_free(buffer);
}

AvInput::~AvInput() {
  if (context_ == nullptr) return;
  // libavformat may have replaced the buffer by another.
  av_freep(&context_->buffer);
  avio_context_free(&context_);
}

bool AvInput::IsLate() {
  if (clock_.Uptime() > until_) spent_ = true;
  return spent_;
}

int AvInput::Read(void* self, std::uint8_t* buffer, int size) {
  return static_cast<AvInput*>(self)->ReadSome(buffer, size);
}

std::int64_t AvInput::Seek(void* self, std::int64_t offset, int whence) {
  return static_cast<AvInput*>(self)->SeekTo(offset, whence);
}

int AvInput::ReadSome(std::uint8_t* buffer, int size) {
  if (IsLate() || !failure_.ok()) return AVERROR_EXIT;
  if (offset_ > size_) wanted_more_ = true;
  if (offset_ >= size_ || size <= 0) return AVERROR_EOF;
  if (bytes_left_ <= 0) {
    spent_ = true;
    return AVERROR_EXIT;
  }
  const auto bytes = reader_.Read(offset_, std::min<std::int64_t>(size, size_ - offset_));
  if (!bytes.ok()) {
    failure_ = bytes.status();
    return AVERROR_EXIT;
  }
  if (bytes->empty()) return AVERROR_EOF;
  std::memcpy(buffer, bytes->data(), bytes->size());
  offset_ += static_cast<std::int64_t>(bytes->size());
  bytes_left_ -= static_cast<std::int64_t>(bytes->size());
  return static_cast<int>(bytes->size());
}

std::int64_t AvInput::SeekTo(std::int64_t offset, int whence) {
  if ((whence & AVSEEK_SIZE) != 0) return size_;
  switch (whence & ~AVSEEK_FORCE) {
    case SEEK_SET:
      break;
    case SEEK_CUR:
      if (__builtin_add_overflow(offset, offset_, &offset)) return AVERROR(EINVAL);
      break;
    case SEEK_END:
      if (__builtin_add_overflow(offset, size_, &offset)) return AVERROR(EINVAL);
      break;
    default:
      return AVERROR(EINVAL);
  }
  if (offset < 0) return AVERROR(EINVAL);
  if (offset > size_) wanted_more_ = true;
  offset_ = offset;
  return offset;
}

}  // namespace lumaedit
