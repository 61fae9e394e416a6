// A log that keeps its lines for the test to read. Any thread.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/log.h"
#include "server/base/mutex.h"

namespace lumaedit {

class RecordingLog final : public Log {
 public:
  struct Line {
    LogLevel level;
    std::string event;
    std::string text;  // as it would be written
  };

  void Write(LogLevel level, std::string_view event,
             std::initializer_list<LogField> fields) override;

  std::vector<Line> lines() const;
  int Count(std::string_view event) const;
  bool Contains(std::string_view text) const;

 private:
  mutable Mutex mutex_;
  std::vector<Line> lines_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lumaedit
