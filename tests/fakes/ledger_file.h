// What the upstream accepted, kept in a file, so that a test that kills its process still sees it.
//
// One line a POST: id, time, prompt and generation id of the payload. Only payloads of plain edits
// (automatic, SDR 720p, a generation as the source) can be written down. One process at a time.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/job/payload.h"

namespace lumaedit {

struct LedgerEntry {
  std::string id;
  absl::Time time;  // the upstream's
  UpstreamPayload payload;
};

class LedgerFile {
 public:
  explicit LedgerFile(std::string path) : path_(std::move(path)) {}

  // Survives a SIGKILL of this process from here on.
  void Add(const LedgerEntry& entry);
  std::vector<LedgerEntry> Read() const;

 private:
  const std::string path_;
};

}  // namespace lumaedit
