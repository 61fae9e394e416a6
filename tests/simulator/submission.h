// The body of a POST /requests, understood without copying a large source_data: the raw payload
// stays where it was received, and only a reduced copy (source_data emptied) is parsed as JSON.
// Stateless functions; facts from upstream.md sections 1 and 6.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace lumaedit::simulator {

struct Submission {
  std::string model;
  // With source_data replaced by the empty string.
  boost::json::object payload;
  // The payload as sent, in `*raw_owner`; the owner is null once the echo cap was exceeded.
  std::shared_ptr<const std::string> raw_owner;
  std::string_view raw;
  std::string payload_sha256;
  // SHA-256 of the payload with sorted keys and source_data as its own SHA-256: equal for payloads
  // of equal meaning.
  std::string fingerprint;
  std::string prompt;
  bool has_source_data = false;
  bool source_data_is_base64 = true;
  uint64_t source_data_chars = 0;
  std::string source_data_sha256;
};

// Nullopt when the text is no JSON object with a string "model" and an object "payload"; `error`
// then says why. `short_body` allows closing brackets to be missing (assumption A1 broken).
std::optional<Submission> ParseSubmission(std::shared_ptr<const std::string> body, bool short_body,
                                          std::string* error);

// Text with sorted keys, equal for values of equal meaning.
std::string CanonicalJson(const boost::json::value& value);

}  // namespace lumaedit::simulator
