#include "tests/fakes/ledger_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace lumaedit {

void LedgerFile::Add(const LedgerEntry& entry) {
  const std::string line =
      absl::StrCat(entry.id, "\t", absl::ToUnixMicros(entry.time), "\t", entry.payload.prompt, "\t",
                   entry.payload.source_generation_id, "\n");
  const int file = open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0 || write(file, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    std::abort();
  }
  close(file);
}

std::vector<LedgerEntry> LedgerFile::Read() const {
  std::vector<LedgerEntry> entries;
  std::ifstream file(path_);
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> parts = absl::StrSplit(line, '\t');
    std::int64_t micros = 0;
    if (parts.size() != 4 || !absl::SimpleAtoi(parts[1], &micros)) std::abort();
    LedgerEntry entry{parts[0], absl::FromUnixMicros(micros), {}};
    entry.payload.prompt = parts[2];
    entry.payload.source_generation_id = parts[3];
    entry.payload.edit_auto_controls = true;
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace lumaedit
