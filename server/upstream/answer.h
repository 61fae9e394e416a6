// What an answer to a POST means: the table of protocol.md section 3 as one function. Pure.
#pragma once

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "server/base/secret.h"
#include "server/job/job.h"
#include "server/job/upstream.h"

namespace lumaedit {

// An answer as it came, or how the exchange broke off.
struct PostAnswer {
  int http_status = 0;    // 0: no status line was read
  bool complete = false;  // the body was read to its end, within its bound
  std::string content_encoding;
  std::string retry_after;  // the header's text
  std::string body;         // bounded; worthless unless `complete`
  std::string break_note;   // for people, when not complete: "read: connection reset"
  // Against which a date in Retry-After is measured: the answer's own Date, else ours.
  absl::Time now = absl::InfinitePast();
  Secret key;  // taken out of every text
};

// What the JSON object of an error says (upstream.md 5.2); absent for any other body.
struct ErrorBody {
  std::string code;
  std::string message;  // of error, message or detail, whichever comes first
  // `request_id` is there with a value, fit or not; `named_id` only when it is fit to be used.
  bool has_request_id = false;
  std::string named_id;
  bool has_rate_limit = false;
  absl::Duration retry_after = absl::ZeroDuration();  // of rate_limit; zero: not usable
  std::optional<RateLimit> rate_limit;
};

// As strict as JsonStream; texts are raw.
std::optional<ErrorBody> ReadErrorBody(std::string_view body);

// Meaning by the table. `record_time` is left unset; notes and errors are clean and bounded.
//
// Where a row is decided by the status alone (400, 401-405, 413, 422, 3xx) the body need not be
// complete: an early 413 is often followed by a reset.
Fact MeaningOfPostAnswer(const PostAnswer& answer);

// What a recognised 429 says about the pace; absent for every other answer.
std::optional<RateLimit> RateLimitOf(const PostAnswer& answer);

}  // namespace lumaedit
