#include "tests/history/history_log.h"

#include <cstdlib>
#include <functional>

#include "absl/strings/str_cat.h"

namespace lumaedit {

HistoryLog::HistoryLog(const std::string& path) : file_(std::fopen(path.c_str(), "w")) {
  if (file_ == nullptr) std::abort();
}

HistoryLog::~HistoryLog() { std::fclose(file_); }

void HistoryLog::Write(const std::string& line) {
  const std::lock_guard lock(mutex_);
  std::fwrite(line.data(), 1, line.size(), file_);
  std::fputc('\n', file_);
}

std::string ContentOf(const v1::Transition& transition) {
  return absl::StrCat(absl::Hex(std::hash<std::string>()(transition.SerializeAsString())));
}

}  // namespace lumaedit
