#include "tests/fakes/recording_log.h"

#include <algorithm>

namespace lumaedit {

void RecordingLog::Write(LogLevel level, std::string_view event,
                         std::initializer_list<LogField> fields) {
  Line line{level, std::string(event), RenderLogLine(absl::UnixEpoch(), level, event, fields)};
  MutexLock lock(mutex_);
  lines_.push_back(std::move(line));
}

std::vector<RecordingLog::Line> RecordingLog::lines() const {
  MutexLock lock(mutex_);
  return lines_;
}

int RecordingLog::Count(std::string_view event) const {
  MutexLock lock(mutex_);
  return static_cast<int>(std::count_if(lines_.begin(), lines_.end(),
                                        [&](const Line& line) { return line.event == event; }));
}

bool RecordingLog::Contains(std::string_view text) const {
  MutexLock lock(mutex_);
  return std::any_of(lines_.begin(), lines_.end(),
                     [&](const Line& line) { return line.text.find(text) != std::string::npos; });
}

}  // namespace lumaedit
