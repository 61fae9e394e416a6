#include "client/source_file.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace lumaedit::client {
namespace {

constexpr std::int64_t kHashPiece = 1 << 20;

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
  }
  void Update(absl::string_view bytes) {
    EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size());
  }
  std::string Finish() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned int size = 0;
    EVP_DigestFinal_ex(context_.get(), digest.data(), &size);
    return {reinterpret_cast<const char*>(digest.data()), size};
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

ClientError CannotRead(const std::string& path) {
  return LocalError(absl::StatusCode::kInvalidArgument, absl::StrCat("cannot read ", path));
}

}  // namespace

Result<SourceFile> SourceFile::Open(const std::string& path, const std::stop_token& stop,
                                    const std::function<void(std::int64_t)>& on_hashed) {
  auto stream = std::make_unique<std::ifstream>(path, std::ios::binary);
  if (!*stream) {
    return LocalError(absl::StatusCode::kInvalidArgument, absl::StrCat("cannot open ", path));
  }
  SourceFile file(path, std::move(stream));
  Sha256 hash;
  std::string piece(kHashPiece, '\0');
  do {
    if (stop.stop_requested()) {
      return LocalError(absl::StatusCode::kCancelled, "the upload was cancelled by its caller");
    }
    file.stream_->read(piece.data(), kHashPiece);
    const auto got = static_cast<std::size_t>(file.stream_->gcount());
    hash.Update(absl::string_view(piece.data(), got));
    file.size_bytes_ += static_cast<std::int64_t>(got);
    if (on_hashed) on_hashed(file.size_bytes_);
  } while (*file.stream_);
  if (!file.stream_->eof()) return CannotRead(path);
  if (file.size_bytes_ == 0) {
    return LocalError(absl::StatusCode::kInvalidArgument, absl::StrCat(path, " is empty"));
  }
  file.sha256_ = hash.Finish();
  return file;
}

Result<std::string> SourceFile::Read(std::int64_t offset, std::int64_t most) {
  const std::int64_t wanted = std::min(most, size_bytes_ - offset);
  std::string bytes(static_cast<std::size_t>(std::max<std::int64_t>(wanted, 0)), '\0');
  stream_->clear();
  stream_->seekg(offset);
  stream_->read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (stream_->bad()) return CannotRead(path_);
  if (static_cast<std::size_t>(stream_->gcount()) != bytes.size()) {
    return LocalError(absl::StatusCode::kInvalidArgument,
                      absl::StrCat(path_, " became shorter while it was uploaded"));
  }
  return bytes;
}

std::string SourceIdOf(std::int64_t size_bytes, absl::string_view sha256,
                       absl::string_view media_type) {
  Sha256 hash;
  hash.Update(absl::StrCat("lumaedit.v1 source\n", size_bytes, "\n", absl::BytesToHexString(sha256),
                           "\n", media_type, "\n"));
  std::string id = hash.Finish().substr(0, 16);
  id[6] = static_cast<char>((id[6] & 0x0f) | 0x80);  // version 8
  id[8] = static_cast<char>((id[8] & 0x3f) | 0x80);  // the variant of RFC 9562
  const std::string hex = absl::BytesToHexString(id);
  return absl::StrCat(hex.substr(0, 8), "-", hex.substr(8, 4), "-", hex.substr(12, 4), "-",
                      hex.substr(16, 4), "-", hex.substr(20));
}

std::string MediaTypeOf(absl::string_view path) {
  constexpr std::pair<absl::string_view, absl::string_view> kTypes[] = {
      {".mp4", "video/mp4"},   {".m4v", "video/x-m4v"},      {".mov", "video/quicktime"},
      {".webm", "video/webm"}, {".mkv", "video/x-matroska"}, {".avi", "video/x-msvideo"},
      {".mpeg", "video/mpeg"}, {".mpg", "video/mpeg"}};
  const std::string lower = absl::AsciiStrToLower(path);
  for (const auto& [extension, type] : kTypes) {
    if (absl::EndsWith(lower, extension)) return std::string(type);
  }
  return "";
}

}  // namespace lumaedit::client
