// The upstream queue as the engine sees it, in memory: a ledger of accepted POSTs, records that age
// with the clock, and faults that a test scripts (upstream.md sections 2 to 5 and 9).
//
// Owned by the test; the thread that steps the io_context. Times are those of the given clock; the
// upstream's own clock is `skew` ahead.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "server/base/clock.h"
#include "server/job/upstream.h"
#include "tests/fakes/ledger_file.h"

namespace lumaedit {

// What a record reads from `after` its creation on.
struct RecordStep {
  absl::Duration after;
  std::string word;
  bool has_outcome = true;  // for "success"
};

// queued, after 3 s processing, after 8 s success.
std::vector<RecordStep> UsualCourse();

struct FakeRecord {
  std::string id;
  UpstreamPayload payload;
  std::string model = kEditModel;
  absl::Time created_at;  // the upstream's time
  std::vector<RecordStep> course = UsualCourse();
  std::optional<JobError> error;  // when it reads "failed"
  bool empty_echo = false;
  bool without_time = false;
  bool listed = true;
  bool found_by_id = true;
  absl::Duration shows_after = absl::ZeroDuration();  // in the list, from its creation
  std::string account;                                // under which it was made; set by AddRecord
};

// What happens to one POST. The defaults: accepted, answered at once.
struct PostScript {
  enum class Kind {
    kAccept,
    kNotSent,          // no connection
    kBreaksUnsent,     // sealed, and the connection is gone before the last byte
    kLoseAnswer,       // accepted; the connection breaks instead of an answer
    kLoseRequest,      // the last byte was given, nothing was accepted, the connection breaks
    kRateLimited,      // a recognised 429
    kCapacity,         // 503 "capacity"
    kEditRefused,      // 400
    kEveryoneRefused,  // `http_status`
    kThrows,           // a bug in the transport
  };
  enum class Origin { kUsual, kNext, kPrompt };  // set by FakeUpstream
  Kind kind = Kind::kAccept;
  Origin origin = Origin::kUsual;
  bool early = false;                                  // answered before the seal, or in it
  absl::Duration upload = absl::ZeroDuration();        // before the last byte
  absl::Duration answer_after = absl::ZeroDuration();  // after it; early: so long, and in the seal
  int http_status = 0;
  absl::Duration retry_after = absl::ZeroDuration();   // kRateLimited
  std::optional<RateLimit> rate_limit = std::nullopt;  // kRateLimited: what it tells
  bool names_id = false;                               // kCapacity: the answer names its record
  std::optional<FakeRecord> leaves;                    // kCapacity: the record it leaves behind
  std::string answer_id;                               // kAccept: another id than the record's
  FakeRecord record;                                   // how the accepted record behaves
};

class FakeUpstream final : public Upstream {
 public:
  FakeUpstream(const boost::asio::any_io_executor& executor, Clock& clock);

  // --- Script -----------------------------------------------------------------------------------
  // For the next POSTs, in this order; then `usual`.
  void Script(PostScript script) { scripts_.push_back(std::move(script)); }
  // For the POSTs with this prompt, before the others.
  void ScriptFor(const std::string& prompt, PostScript script);
  void Forget() { scripts_.clear(), scripts_by_prompt_.clear(); }

  PostScript usual;
  std::string account = "account-1";
  // The name of the key; empty: that of the account, as where it is learned already. Records name
  // the account as their organisation.
  std::string key;
  // Set: whose records these are, so that another account's key sees none of them.
  bool isolates_accounts = false;
  absl::Duration skew = absl::ZeroDuration();
  bool sends_date = true;
  absl::Duration get_takes = absl::ZeroDuration();
  absl::Duration list_takes = absl::ZeroDuration();
  bool says_has_more = true;
  bool list_unordered = false;
  // Set: what becomes of each POST that no script is for, in the place of `usual`.
  std::function<PostScript(const std::string& prompt)> on_post;
  // Set: may answer in the place of the records; unset answers leave it to them.
  std::function<std::optional<GetResult>(const std::string& id)> on_get;
  std::function<std::optional<ListResult>(const ListQuery& query)> on_list;

  // A record that no POST of this process made; the answer is its id.
  std::string AddRecord(FakeRecord record);
  FakeRecord* Find(const std::string& id);

  // Keeps the ledger in a file too, and begins with what is in it.
  void KeepLedger(LedgerFile file);

  // --- What was seen ----------------------------------------------------------------------------
  struct Post {
    std::string prompt;
    absl::Duration time;  // uptime at which it began
    std::string fingerprint;
  };
  const std::vector<LedgerEntry>& accepted() const { return accepted_; }
  const std::deque<FakeRecord>& records() const { return records_; }  // oldest first
  const std::vector<Post>& posts() const { return posts_; }
  const std::vector<absl::Duration>& get_times() const { return get_times_; }
  const std::vector<absl::Duration>& list_times() const { return list_times_; }
  const std::vector<ListQuery>& list_queries() const { return list_queries_; }
  int gets() const { return static_cast<int>(get_times_.size()); }
  int lists() const { return static_cast<int>(list_times_.size()); }
  int posts_in_flight() const { return in_flight_; }
  int most_posts_in_flight() const { return most_in_flight_; }

  // --- Upstream ---------------------------------------------------------------------------------
  std::string Account() const override { return key.empty() ? account : key; }
  boost::asio::awaitable<PostResult> Post(PostRequest request, LastByteGate& gate) override;
  boost::asio::awaitable<GetResult> Get(std::string upstream_id) override;
  boost::asio::awaitable<ListResult> List(ListQuery query) override;

 private:
  PostScript TakeScript(const std::string& prompt);
  void GiveBack(PostScript script, const std::string& prompt);
  bool IsSeen(const FakeRecord& record) const {
    return !isolates_accounts || record.account == account;
  }
  std::string Accept(const PostScript& script, const UpstreamPayload& payload);
  PostResult AnswerTo(const PostScript& script, const std::string& accepted_id);
  static void StopEarly(const ListStop& stop, ListResult& result);
  UpstreamRecord View(const FakeRecord& record) const;
  boost::asio::awaitable<void> Sleep(absl::Duration time);
  absl::Time UpstreamNow() const { return clock_.Now() + skew; }
  absl::Time Date() const;
  std::string NewId();

  const boost::asio::any_io_executor executor_;
  Clock& clock_;
  std::deque<PostScript> scripts_;
  std::map<std::string, std::deque<PostScript>> scripts_by_prompt_;
  std::deque<FakeRecord> records_;  // oldest first
  std::optional<LedgerFile> ledger_file_;
  std::vector<LedgerEntry> accepted_;
  std::vector<struct Post> posts_;
  std::vector<absl::Duration> get_times_;
  std::vector<absl::Duration> list_times_;
  std::vector<ListQuery> list_queries_;
  int ids_ = 0;
  int in_flight_ = 0;
  int most_in_flight_ = 0;
};

}  // namespace lumaedit
