// One list of settings: how each is named, read, checked and described.
//
// The command line, the environment, the configuration file, --help, --print-config and the table
// of README.md all come from this list, so they cannot disagree. Built and read by config.cc while
// the process has one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"

namespace lumaedit {

struct Setting {
  std::string name;  // without dashes: "job-deadline"
  std::string group;
  std::string default_text;
  std::string range;
  std::string meaning;
  // Sets the value. Answers what is wrong with `text`; empty: nothing.
  std::function<std::string(const std::string& text)> read;
  // The value as `read` would take it.
  std::function<std::string()> print;

  // LUMAEDIT_JOB_DEADLINE for "job-deadline".
  std::string EnvironmentName() const;
};

// "host:port" or "[ipv6]:port".
struct Address {
  std::string host;  // without brackets
  int port = 0;

  bool empty() const { return host.empty(); }
  // 127.0.0.0/8, ::1 or localhost: nobody on another machine can connect.
  bool IsLoopback() const;
  // As gRPC takes it.
  std::string ToString() const;
};

// Answers what is wrong; empty: nothing. An empty text is an empty address.
std::string ReadAddress(const std::string& text, Address* address);

// "12", "0.72" or "12.000001" as micro-dollars: exact, at most six decimals, up to a billion
// dollars. Unset for anything else.
std::optional<std::int64_t> ReadUsdMicros(std::string_view text);

// The shortest text that ReadUsdMicros reads as `micros`, which is at least 0.
std::string PrintUsd(std::int64_t micros);

class SettingList {
 public:
  // The settings added from here on belong to `group`.
  void Group(std::string_view group) { group_ = group; }

  // Each keeps `target`, whose present value is the default.
  void Text(std::string_view name, std::string* target, std::string_view range,
            std::string_view meaning);
  void Listen(std::string_view name, Address* target, std::string_view meaning);
  // A file that must be readable when named.
  void File(std::string_view name, std::string* target, std::string_view meaning);
  void Duration(std::string_view name, absl::Duration* target, absl::Duration least,
                absl::Duration most, std::string_view meaning);
  void Integer(std::string_view name, int* target, int least, int most, std::string_view meaning);
  void Number(std::string_view name, double* target, double least, double most,
              std::string_view meaning);
  // US dollars with at most six decimals, kept in micro-dollars; empty: no limit.
  void Usd(std::string_view name, std::optional<std::int64_t>* target, std::string_view meaning);
  void Choice(std::string_view name, std::string* target, std::vector<std::string> choices,
              std::string_view meaning);

  const std::vector<Setting>& all() const { return settings_; }

 private:
  void Add(std::string_view name, std::string range, std::string_view meaning,
           std::function<std::string(const std::string&)> read, std::function<std::string()> print);

  std::string group_;
  std::vector<Setting> settings_;
};

}  // namespace lumaedit
