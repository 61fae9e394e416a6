// Port: the upstream queue as the engine sees it. Meaning, not HTTP.
//
// Implemented by upstream/GmiClient and by a fake in tests. Every method runs on the I/O thread,
// is a coroutine, keeps its own deadlines on every step and reports failures as values.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "absl/time/time.h"
#include "server/job/job.h"
#include "server/job/payload.h"

namespace lumaedit {

// The upstream's words, read without regard to case (upstream.md section 3).
enum class UpstreamStatus {
  kUnknown,  // a word not in the table, empty, missing, not a string: never final
  kQueued,   // created, queued, dispatched
  kProcessing,
  kSuccess,
  kFailed,
  kCancelled,
};

// Without regard to case; `canceled` is `cancelled`; other words are kUnknown.
UpstreamStatus ReadStatusWord(std::string_view word);

struct UpstreamRecord {
  std::string id;
  std::string org_id;
  std::string model;
  UpstreamStatus status = UpstreamStatus::kUnknown;
  std::string status_word;  // as written, at most 64 bytes
  // Set when a final record has a video URL. A success without one has none.
  std::optional<Outcome> outcome;
  std::optional<JobError> error;                 // of a failed record; never empty for one
  absl::Time created_at = absl::InfinitePast();  // InfinitePast: missing, 0 or unreadable
  absl::Time updated_at = absl::InfinitePast();
  // The echo, where it was asked for. `echo_is_empty`: {} or missing.
  UpstreamPayload echo;
  bool echo_is_empty = true;
  // Its reading was stopped: a job owns it, or it differs from every payload that was looked for,
  // or (of a sweep) its echo is long. Only what stood before is set.
  bool is_partial = false;
  // In a list: how long its text is, roughly; of a partial one, as far as it was read.
  std::int64_t bytes = 0;
};

// One POST whose last byte is withheld until the engine says so (protocol.md section 3).
class LastByteGate {
 public:
  virtual ~LastByteGate() = default;

  // All but the last byte is out. One transaction; false: keep the last byte, close.
  virtual boost::asio::awaitable<bool> Seal() = 0;

  // Asked just before the last byte is given to TLS: is the lease still good?
  virtual bool MayGiveLastByte() = 0;

  // The last byte was given to TLS (crash point and bookkeeping only).
  virtual void LastByteGiven() = 0;
};

struct PostRequest {
  std::string model;
  // The Account() that the attempt stands under: under another key nothing is sent. Empty: any.
  std::string account;
  UpstreamPayload payload;
  // Set when the payload carries source_data, which is streamed from the SourceStore.
  std::optional<StoredSource> source;
  std::string caller;  // whose source it is
};

// What the upstream said about its pace in a 429 (upstream.md 5.4): `limit` POSTs an `interval`.
struct RateLimit {
  int limit = 0;
  absl::Duration interval = absl::ZeroDuration();
  friend bool operator==(const RateLimit&, const RateLimit&) = default;
};

struct PostResult {
  // False: the last byte was never given to TLS, judged by a flag set before the call.
  bool last_byte_given = false;
  // Meaning by protocol.md section 3, as if the last byte had been given.
  Fact fact;
  absl::Time upstream_date = absl::InfinitePast();  // `Date` header
  std::optional<RateLimit> rate_limit;              // of a recognised 429 that told it
};

enum class ReadFailure {
  kNone,
  kNotFound,    // 404
  kKeyRefused,  // 401, 403
  kBusy,        // 429, 5xx; retry_after may be set
  kBroken,      // no connection, reset, deadline
  kUnreadable,  // an answer that is no record or no list
  kOther,       // any other status
};

struct GetResult {
  ReadFailure failure = ReadFailure::kNone;
  UpstreamRecord record;  // failure == kNone
  int http_status = 0;
  absl::Duration retry_after = absl::ZeroDuration();
  absl::Time upstream_date = absl::InfinitePast();
  std::string note;
  std::string key;  // the Account() of the key that the request was made with; empty: of none
};

// What is looked for in a list of fat records: reading stops, and the connection is closed, at an
// id that is owned or at the first key of an echo that differs from every payload (protocol.md
// section 4). The record so far is the page's last, partial.
struct ListStop {
  std::function<bool(const std::string& upstream_id)> is_owned;
  std::vector<UpstreamPayload> payloads;
};

// Of a list that is read for the states of its records (protocol.md section 7): reading stops, and
// the connection is closed, inside a record whose echo is long, and after the last one that is
// waited for. Stopped inside one, the record so far is the page's last, partial: with its status
// where that stood before the echo, and without an id where even that did not. One that was begun
// when all that is waited for had been read is left out.
struct ListSweep {
  std::function<bool(const std::string& upstream_id)> is_fat;  // known from before
  std::int64_t fat_bytes = 0;                                  // a longer one is fat
  std::unordered_set<std::string> waited_for;                  // empty: all of the page
};

struct ListQuery {
  std::string model;
  int offset = 0;
  int limit = 10;
  bool want_echo = false;  // parse the echo of each record for comparison
  std::shared_ptr<const ListStop> stop = nullptr;
  std::shared_ptr<const ListSweep> sweep = nullptr;  // not with `stop`
};

struct ListResult {
  ReadFailure failure = ReadFailure::kNone;
  std::vector<UpstreamRecord> records;
  // Unset: the upstream did not say (upstream.md 9.2, fault 29): only an empty page is then the
  // last.
  std::optional<bool> has_more;
  int http_status = 0;
  absl::Duration retry_after = absl::ZeroDuration();
  absl::Time upstream_date = absl::InfinitePast();
  std::int64_t body_bytes = 0;
  std::string note;
  std::string key;  // as in GetResult
};

inline constexpr char kKeyNamePrefix[] = "key:";

class Upstream {
 public:
  virtual ~Upstream() = default;

  // A name for the key that is used now: kKeyNamePrefix and a hash of it. Which account it belongs
  // to is learned from records (job/accounts.h). The next request may be made with another one:
  // what was read is judged by the key that its result names.
  virtual std::string Account() const = 0;

  // Billed. Opens a fresh connection; asks `gate` before the last byte; reads the answer for up to
  // 330 s after it. `gate` outlives the call. Never repeats anything by itself.
  virtual boost::asio::awaitable<PostResult> Post(PostRequest request, LastByteGate& gate) = 0;

  // One record. `early_stop`: where a non-final status makes the rest worthless, the answer is not
  // read to its end.
  virtual boost::asio::awaitable<GetResult> Get(std::string upstream_id) = 0;

  virtual boost::asio::awaitable<ListResult> List(ListQuery query) = 0;
};

}  // namespace lumaedit
