// Structured log: one JSON object a line on stderr, through spdlog.
//
// error = someone must act; warning = handled but odd; info = transitions, start, stop; debug =
// the rest. Never keys, prompts, video bytes, signed URLs or whole bodies: pass lengths and hashes.
// Owned by `app`, injected; any thread.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "absl/time/time.h"

namespace lumaedit {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

struct LogField {
  std::string_view name;
  std::variant<std::string, std::int64_t, double, bool> value;

  LogField(std::string_view n, std::string_view v) : name(n), value(std::string(v)) {}
  LogField(std::string_view n, const std::string& v) : name(n), value(v) {}
  LogField(std::string_view n, const char* v) : name(n), value(std::string(v)) {}
  LogField(std::string_view n, bool v) : name(n), value(v) {}
  LogField(std::string_view n, int v) : name(n), value(static_cast<std::int64_t>(v)) {}
  LogField(std::string_view n, std::int64_t v) : name(n), value(v) {}
  LogField(std::string_view n, double v) : name(n), value(v) {}
};

class Log {
 public:
  virtual ~Log() = default;

  // `event` is a fixed snake_case word; what varies goes into the fields.
  void Debug(std::string_view event, std::initializer_list<LogField> fields = {}) {
    Write(LogLevel::kDebug, event, fields);
  }
  void Info(std::string_view event, std::initializer_list<LogField> fields = {}) {
    Write(LogLevel::kInfo, event, fields);
  }
  void Warning(std::string_view event, std::initializer_list<LogField> fields = {}) {
    Write(LogLevel::kWarning, event, fields);
  }
  void Error(std::string_view event, std::initializer_list<LogField> fields = {}) {
    Write(LogLevel::kError, event, fields);
  }

  virtual void Write(LogLevel level, std::string_view event,
                     std::initializer_list<LogField> fields) = 0;
};

// Renders one line without the newline: control characters and U+2028/2029 are escaped, so that a
// line stays a line for every reader. Invalid UTF-8 is replaced.
std::string RenderLogLine(absl::Time time, LogLevel level, std::string_view event,
                          std::initializer_list<LogField> fields);

// Writes to stderr what is at or above `least`.
class StderrLog final : public Log {
 public:
  explicit StderrLog(LogLevel least);
  void Write(LogLevel level, std::string_view event,
             std::initializer_list<LogField> fields) override;

 private:
  const LogLevel least_;
};

}  // namespace lumaedit
