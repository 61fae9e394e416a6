#include "server/store/source_place.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/base/hash.h"
#include "server/job/error.h"

namespace lumaedit {
namespace {

class FileReader final : public SourceReader {
 public:
  FileReader(OpenFile file, std::int64_t size) : file_(std::move(file)), size_(size) {}

  std::int64_t size_bytes() const override { return size_; }

  absl::StatusOr<std::string> Read(std::int64_t offset, std::int64_t most) override {
    if (offset < 0 || most < 0) return absl::InvalidArgumentError("a negative offset or length");
    const std::int64_t left = std::max<std::int64_t>(0, size_ - offset);
    return file_.ReadAt(offset, std::min(most, left));
  }

 private:
  const OpenFile file_;
  const std::int64_t size_;
};

}  // namespace

std::optional<std::string> SafeSourceId(const std::string& id) {
  if (id.size() != 36) return std::nullopt;
  std::string safe = absl::AsciiStrToLower(id);
  for (std::size_t i = 0; i < safe.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? safe[i] != '-' : !absl::ascii_isxdigit(safe[i])) return std::nullopt;
  }
  return safe;
}

SourcePlace SourcePlaceIn(const std::string& root, const std::string& folder,
                          const std::string& id) {
  const std::string stem = absl::StrCat(root, "/", folder, "/", id);
  return {folder, id, absl::StrCat(stem, ".json"), absl::StrCat(stem, ".bin")};
}

absl::StatusOr<SourcePlace> FindSourcePlace(const std::string& root, const std::string& caller,
                                            const std::string& id) {
  const std::optional<std::string> safe = SafeSourceId(id);
  if (!safe) return SourceNotFound();
  return SourcePlaceIn(root, Sha256Hex(caller), *safe);
}

absl::Status SourceNotFound() {
  return MakeError(absl::StatusCode::kNotFound, ErrorReason::kSourceNotFound,
                   "there is no such source");
}

absl::Status NotAtTheOffset(std::int64_t received_bytes) {
  ErrorDetail detail;
  detail.reason = ErrorReason::kUploadOffset;
  detail.metadata = {{"received_bytes", absl::StrCat(received_bytes)}};
  return MakeError(absl::StatusCode::kFailedPrecondition, std::move(detail),
                   absl::StrCat("the upload goes on at offset ", received_bytes));
}

absl::Status BytesMissing(const SourceInfo& info) {
  ErrorDetail detail;
  detail.reason = ErrorReason::kTruncated;
  detail.metadata = {{"received_bytes", absl::StrCat(info.received_bytes)},
                     {"size_bytes", absl::StrCat(info.size_bytes)}};
  return MakeError(absl::StatusCode::kInvalidArgument, std::move(detail),
                   "the upload ended before the announced size_bytes; it can go on");
}

std::unique_ptr<SourceReader> MakeFileReader(OpenFile file, std::int64_t size) {
  return std::make_unique<FileReader>(std::move(file), size);
}

}  // namespace lumaedit
