// What is fuzzed: one function a target. Each takes any bytes, stores nothing between two calls
// and aborts when a promise is broken. libFuzzer drives them in the preset `fuzz`; replay_test.cc
// runs their seeds and regressions as ordinary tests in every other one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lumaedit::fuzz {

// What the upstream answers (server/upstream).
void Record(std::string_view bytes);
void List(std::string_view bytes);
void ErrorBody(std::string_view bytes);
void RetryAfter(std::string_view bytes);

// What a caller sends (server/rpc, server/job).
void SubmitRequest(std::string_view bytes);
void Tokens(std::string_view bytes);
void Url(std::string_view bytes);
void Probe(std::string_view bytes);

// What a store may hold after years, and what a log line is made of.
void StoredRow(std::string_view bytes);
void LogLine(std::string_view bytes);

struct Target {
  std::string_view name;  // of its seeds' folder as well
  void (*run)(std::string_view bytes);
};

inline constexpr Target kTargets[] = {
    {"error_body", &ErrorBody}, {"list", &List},
    {"log_line", &LogLine},     {"probe", &Probe},
    {"record", &Record},        {"retry_after", &RetryAfter},
    {"stored_row", &StoredRow}, {"submit_request", &SubmitRequest},
    {"tokens", &Tokens},        {"url", &Url},
};

}  // namespace lumaedit::fuzz
