// Where a source lies in the folder of sources, and what is said of one there. Any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "server/job/source_store.h"
#include "server/store/source_files.h"

namespace lumaedit {

struct SourcePlace {
  std::string folder;  // name of the caller's folder
  std::string id;
  std::string metadata_path;
  std::string bytes_path;
};

// A UUID in lower case, or nothing: no other text ever becomes part of a path.
std::optional<std::string> SafeSourceId(const std::string& id);

// `folder` and `id` are safe already.
SourcePlace SourcePlaceIn(const std::string& root, const std::string& folder,
                          const std::string& id);
// NOT_FOUND for what is no id.
absl::StatusOr<SourcePlace> FindSourcePlace(const std::string& root, const std::string& caller,
                                            const std::string& id);

absl::Status SourceNotFound();
// FAILED_PRECONDITION kUploadOffset.
absl::Status NotAtTheOffset(std::int64_t received_bytes);
// INVALID_ARGUMENT kTruncated, with what is missing.
absl::Status BytesMissing(const SourceInfo& info);

std::unique_ptr<SourceReader> MakeFileReader(OpenFile file, std::int64_t size);

}  // namespace lumaedit
