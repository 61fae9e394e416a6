// The upstream key changes while something is under way: what was read with another key says
// nothing, neither whose a key is, nor what became of a job, nor that it was never accepted
// (protocol.md section 4, "Upstream account").
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/fakes/stepped_world.h"

namespace lumaedit {
namespace {

using enum JobState;
using Kind = PostScript::Kind;

constexpr absl::Duration kUnreadable = absl::Minutes(3);

WorldOptions PageByPage() {
  WorldOptions options;
  options.settings.reconcile.page_limit = 1;
  options.settings.poll.job_deadline = absl::Minutes(40);
  return options;
}

// Two keys of two accounts, of which neither shows what the other's holds. The first is used, and
// its account is known.
class KeyChange : public testing::Test {
 protected:
  KeyChange() : world_(PageByPage()) {
    world_.upstream.isolates_accounts = true;
    UseOld();
    EXPECT_TRUE(world_.RunToEnd(world_.Submit("done")));
    EXPECT_EQ(Learned(), 1);
  }

  FakeUpstream& upstream() { return world_.upstream; }
  void UseOld() { upstream().key = "key:1", upstream().account = "account-1"; }
  void UseNew() { upstream().key = "key:2", upstream().account = "account-2"; }
  int Learned() { return world_.log.Count("upstream_account_learned"); }

  // Reads are made with the new key, though the old one is named before and after: as `record`
  // says where that is set, else as the new key's account has it.
  void ReadByTheNewKey(std::optional<UpstreamRecord> record = std::nullopt) {
    upstream().before_read = [this] { UseNew(); };
    upstream().on_get = [this, record](const std::string& id) -> std::optional<GetResult> {
      UseOld();
      if (!record) return std::nullopt;
      GetResult answer;
      answer.http_status = 200;
      answer.record = *record;
      answer.record.id = id;
      return answer;
    };
    upstream().on_list = [this](const ListQuery&) -> std::optional<ListResult> {
      UseOld();
      return std::nullopt;
    };
  }
  void ReadAsEver() {
    upstream().before_read = nullptr;
    upstream().on_get = nullptr;
    upstream().on_list = nullptr;
    UseOld();
  }

  // Refused in words, and yet there is a live record of it, on the second page of the list, which
  // cannot be read before absence may be believed: the next pass is the first that tells.
  std::string RefusedInWords() {
    const absl::Duration readable = world_.clock.Uptime() + kUnreadable;
    upstream().on_list = [this, readable](const ListQuery&) -> std::optional<ListResult> {
      if (world_.clock.Uptime() >= readable) return std::nullopt;
      ListResult busy;
      busy.failure = ReadFailure::kBusy;
      return busy;
    };
    PostScript refused;
    refused.kind = Kind::kCapacity;
    refused.leaves.emplace();
    upstream().Script(refused);
    const std::string job = world_.Submit("refused");
    EXPECT_TRUE(world_.RunToState(job, kUnconfirmed));
    EXPECT_TRUE(world_.RunToEnd(world_.Submit("newer")));
    world_.RunFor(readable - world_.clock.Uptime());
    EXPECT_EQ(world_.State(job), kUnconfirmed);
    upstream().on_list = nullptr;
    lists_ = upstream().lists();
    return job;
  }
  void ExpectOnePass() {
    ASSERT_TRUE(world_.RunUntil([&] { return upstream().lists() > lists_; }, absl::Minutes(3)));
    world_.RunFor(absl::Seconds(30));
  }
  // It was left in doubt, nothing was learned, and the old key finds it: posted once.
  void ExpectUntouched(const std::string& job) {
    EXPECT_EQ(world_.State(job), kUnconfirmed);
    EXPECT_EQ(Learned(), 1);
    EXPECT_EQ(world_.log.Count("upstream_account_differs"), 0);
    EXPECT_EQ(world_.log.Count("job_unreachable"), 0);
    ReadAsEver();
    ASSERT_TRUE(world_.RunToEnd(job));
    EXPECT_EQ(world_.State(job), kSucceeded);
    EXPECT_EQ(world_.Get(job).upstream_account, "account-1");
    int posts = 0;
    for (const auto& post : upstream().posts()) posts += post.prompt == "refused";
    EXPECT_EQ(posts, 1);
  }

  SteppedWorld world_;
  int lists_ = 0;
};

TEST_F(KeyChange, WithinAPassTeachesNothingAboutTheNewKey) {
  PostScript lost;
  lost.kind = Kind::kLoseRequest;
  upstream().Script(lost);
  const std::string job = world_.Submit("lost");
  ASSERT_TRUE(world_.RunToState(job, kUnconfirmed));
  // What the list shows first is owned.
  upstream().on_list = [this](const ListQuery&) -> std::optional<ListResult> {
    UseNew();
    return std::nullopt;
  };
  world_.RunFor(absl::Minutes(1));
  EXPECT_EQ(Learned(), 1);
  const std::string next = world_.Submit("next");
  ASSERT_TRUE(world_.RunToEnd(next));
  EXPECT_EQ(world_.Get(next).upstream_account, "account-2");
  EXPECT_EQ(world_.log.Count("upstream_account_differs"), 0);
}

TEST_F(KeyChange, WhileAPageIsReadProvesNoAbsence) {
  const std::string job = RefusedInWords();
  upstream().on_list = [this](const ListQuery&) -> std::optional<ListResult> {
    UseNew();
    return std::nullopt;
  };
  ExpectOnePass();
  ExpectUntouched(job);
}

TEST_F(KeyChange, BetweenPagesProvesNoAbsence) {
  const std::string job = RefusedInWords();
  upstream().before_read = [this] {
    if (upstream().list_queries().back().offset > 0) UseNew();
  };
  ExpectOnePass();
  ExpectUntouched(job);
}

TEST_F(KeyChange, BetweenPagesAndBackProvesNoAbsence) {
  const std::string job = RefusedInWords();
  upstream().before_read = [this] {
    if (upstream().list_queries().back().offset > 0) UseNew();
  };
  upstream().on_list = [this](const ListQuery& query) -> std::optional<ListResult> {
    if (query.offset > 0) UseOld();
    return std::nullopt;
  };
  ExpectOnePass();
  ExpectUntouched(job);
}

// The reader is chosen by the name of one key, and the page read with the next.
TEST_F(KeyChange, AsTheFirstPageIsAskedProvesNoAbsence) {
  const std::string job = RefusedInWords();
  ReadByTheNewKey();
  ExpectOnePass();
  ExpectUntouched(job);
}

// A wrong key was in the file when the pass began, and is corrected before it ends.
TEST_F(KeyChange, BackToTheRightOneWithinAPassProvesNoAbsence) {
  const std::string job = RefusedInWords();
  UseNew();
  upstream().on_list = [this](const ListQuery&) -> std::optional<ListResult> {
    UseOld();
    return std::nullopt;
  };
  ASSERT_TRUE(world_.RunUntil([&] { return upstream().lists() > lists_; }, absl::Minutes(3)));
  world_.RunFor(absl::Seconds(30));
  // That key's account is another one, as far as anybody knows.
  EXPECT_EQ(world_.State(job), kUnconfirmed);
  EXPECT_EQ(Learned(), 1);
  ReadAsEver();
  ASSERT_TRUE(world_.RunToEnd(job));
  EXPECT_EQ(world_.State(job), kSucceeded);
  EXPECT_FALSE(world_.Get(job).unreachable);
  EXPECT_EQ(upstream().posts().size(), 3u);
}

TEST_F(KeyChange, AsARefusalsOwnRecordIsAskedForProvesNoAbsence) {
  PostScript refused;
  refused.kind = Kind::kCapacity;
  refused.names_id = true;
  refused.leaves.emplace();
  refused.leaves->listed = false;
  upstream().Script(refused);
  const std::string job = world_.Submit("refused");
  ASSERT_TRUE(world_.RunToState(job, kUnconfirmed));
  const int gets = upstream().gets();
  upstream().before_read = [this, gets] {
    if (upstream().gets() > gets) UseNew();
  };
  upstream().on_get = [this](const std::string&) -> std::optional<GetResult> {
    UseOld();
    return std::nullopt;
  };
  ASSERT_TRUE(world_.RunUntil([&] { return upstream().gets() > gets; }, absl::Minutes(6)));
  upstream().before_read = nullptr;
  world_.RunFor(absl::Seconds(30));
  ExpectUntouched(job);
}

TEST_F(KeyChange, WhileARecordIsPolledSaysNothingAboutTheJob) {
  upstream().usual.record.course = {{absl::ZeroDuration(), "processing"},
                                    {absl::Minutes(5), "success"}};
  std::vector<std::string> jobs;
  for (const int more : {1, 40}) {
    for (int i = 0; i < more; ++i) jobs.push_back(world_.Submit(absl::StrCat("polled ", more, i)));
    world_.RunFor(absl::Seconds(20));
    UpstreamRecord failed;
    failed.status_word = "failed";
    failed.status = UpstreamStatus::kFailed;
    failed.error.emplace();
    ReadByTheNewKey(failed);
    upstream().on_list = [&](const ListQuery&) -> std::optional<ListResult> {
      UseOld();
      ListResult all;
      all.http_status = 200;
      for (const std::string& job : jobs) {
        all.records.push_back(failed);
        all.records.back().id = world_.Get(job).upstream_id;
      }
      return all;
    };
    world_.RunFor(absl::Seconds(30));
    ReadAsEver();
    for (const std::string& job : jobs) EXPECT_EQ(world_.State(job), kProcessing);
  }
  for (const std::string& job : jobs) {
    ASSERT_TRUE(world_.RunToEnd(job));
    EXPECT_EQ(world_.State(job), kSucceeded);
  }
  EXPECT_EQ(Learned(), 1);
}

// A record that is 404 by its id is looked for in the list, and that is read with the new key.
TEST_F(KeyChange, WhileARecordIsLookedForInTheListSaysNothingAboutTheJob) {
  upstream().usual.record.found_by_id = false;
  upstream().usual.record.course = {{absl::ZeroDuration(), "processing"},
                                    {absl::Minutes(5), "success"}};
  const std::string job = world_.Submit("listed only");
  ASSERT_TRUE(world_.RunToState(job, kProcessing));
  upstream().before_read = [this, lists = upstream().lists()]() mutable {
    if (upstream().lists() == lists) return;
    lists = upstream().lists();
    UseNew();
  };
  upstream().on_list = [&](const ListQuery&) -> std::optional<ListResult> {
    UseOld();
    ListResult answer;
    answer.http_status = 200;
    UpstreamRecord& failed = answer.records.emplace_back();
    failed.id = world_.Get(job).upstream_id;
    failed.status_word = "failed";
    failed.status = UpstreamStatus::kFailed;
    failed.error.emplace();
    return answer;
  };
  const int lists = upstream().lists();
  world_.RunFor(absl::Seconds(30));
  EXPECT_GT(upstream().lists(), lists);
  EXPECT_EQ(world_.State(job), kProcessing);
  ReadAsEver();
  ASSERT_TRUE(world_.RunToEnd(job));
  EXPECT_EQ(world_.State(job), kSucceeded);
}

TEST_F(KeyChange, WhileALateOutcomeIsAskedForTeachesNothing) {
  upstream().usual.record.course = {{absl::ZeroDuration(), "processing"},
                                    {absl::Minutes(45), "success"}};
  const std::string job = world_.Submit("late");
  ASSERT_TRUE(world_.RunToEnd(job));
  ASSERT_EQ(world_.State(job), kExpired);
  UpstreamRecord failed;
  failed.status_word = "failed";
  failed.status = UpstreamStatus::kFailed;
  failed.error.emplace();
  ReadByTheNewKey(failed);
  world_.RunFor(absl::Minutes(11));
  EXPECT_EQ(world_.Get(job).charge.state, ChargeState::kUncertain);
  EXPECT_EQ(Learned(), 1);
  ReadAsEver();
  // What the old key read before the change is true of the job, and not of the new key.
  upstream().on_get = [this](const std::string&) -> std::optional<GetResult> {
    UseNew();
    return std::nullopt;
  };
  world_.RunFor(absl::Minutes(11));
  EXPECT_EQ(world_.Get(job).charge.state, ChargeState::kIncurred);
  EXPECT_EQ(Learned(), 1);
}

TEST_F(KeyChange, WhileAnOutputIsRefreshedChangesNothing) {
  const std::string job = world_.Submit("refreshed");
  ASSERT_TRUE(world_.RunToEnd(job));
  const auto refresh = [&] {
    std::optional<absl::StatusOr<JobSnapshot>> answer;
    world_.engine().calls().RefreshOutput(
        "caller-1", job, Reply<JobSnapshot>([&](absl::StatusOr<JobSnapshot> result) {
          answer = std::move(result);
        }));
    EXPECT_TRUE(world_.RunUntil([&] { return answer.has_value(); }, absl::Minutes(1)));
    return *answer;
  };
  UpstreamRecord other;
  other.status_word = "success";
  other.status = UpstreamStatus::kSuccess;
  other.outcome.emplace().video_url = "https://media.example.com/another-accounts.mp4";
  for (const auto& record :
       {std::optional<UpstreamRecord>(other), std::optional<UpstreamRecord>()}) {
    ReadByTheNewKey(record);
    const std::string url = world_.Get(job).outcome->video_url;
    const absl::Status changed = refresh().status();
    EXPECT_TRUE(absl::IsUnavailable(changed)) << changed;
    EXPECT_EQ(world_.Get(job).outcome->video_url, url);
    // And does not stand for the answer of this minute.
    ReadAsEver();
    const auto again = refresh();
    EXPECT_TRUE(again.ok()) << again.status();
    world_.RunFor(absl::Minutes(2));
  }
  EXPECT_EQ(Learned(), 1);
}

TEST_F(KeyChange, WhileAPersonDecidesDecidesNothing) {
  PostScript lost;
  lost.kind = Kind::kLoseAnswer;
  lost.record.shows_after = absl::Minutes(15);
  upstream().Script(lost);
  const std::string job = world_.Submit("held");
  ASSERT_TRUE(world_.RunToState(job, kUnconfirmed));
  // A twin from the console makes candidates of both, and shows first.
  FakeRecord twin;
  twin.payload = upstream().accepted().back().payload;
  twin.shows_after = absl::Minutes(15);
  const std::string candidate = upstream().AddRecord(twin);
  ASSERT_TRUE(world_.RunUntil([&] { return !world_.Get(job).candidate_upstream_ids.empty(); },
                              absl::Hours(1)));
  ASSERT_EQ(world_.State(job), kHeld);
  UpstreamRecord theirs;
  theirs.status_word = "processing";
  theirs.status = UpstreamStatus::kProcessing;
  ReadByTheNewKey(theirs);
  for (const std::string& adopted : {std::string(), candidate}) {
    ResolveRequest request;
    request.caller = "caller-1";
    request.job_id = job;
    request.resolution.expected_sequence = world_.Get(job).sequence;
    request.resolution.actor = "ann";
    request.resolution.adopt_upstream_id = adopted;
    std::optional<absl::StatusOr<JobSnapshot>> answer;
    world_.engine().calls().Resolve(
        request, Reply<JobSnapshot>(
                     [&](absl::StatusOr<JobSnapshot> result) { answer = std::move(result); }));
    ASSERT_TRUE(world_.RunUntil([&] { return answer.has_value(); }, absl::Minutes(1)));
    EXPECT_TRUE(absl::IsUnavailable(answer->status())) << answer->status();
    EXPECT_EQ(world_.State(job), kHeld);
  }
}

// Protocol.md section 3: a refusal that perhaps concerns everybody is looked into with the same
// key.
TEST_F(KeyChange, AfterARefusalFailsNoJob) {
  for (const bool early : {false, true}) {
    UseOld();
    PostScript refused;
    refused.kind = Kind::kEveryoneRefused;
    refused.http_status = 403;
    refused.early = early;
    (early ? refused.upload : refused.answer_after) = absl::Seconds(5);
    upstream().Script(refused);
    const absl::Duration begun = world_.clock.Uptime();
    const std::string job = world_.Submit(early ? "refused early" : "refused late");
    world_.RunFor(absl::Seconds(2));
    UseNew();  // which reads, and may send
    ASSERT_TRUE(world_.RunToEnd(job));
    EXPECT_EQ(world_.State(job), kSucceeded);
    EXPECT_EQ(world_.Get(job).upstream_account, "account-2");
    EXPECT_EQ(world_.Get(job).refusals, 0);
    // Nothing pauses for the old key.
    EXPECT_LE(upstream().posts().back().time - begun, absl::Seconds(30));
  }
}

TEST_F(KeyChange, AsARefusalIsLookedIntoFailsNoJob) {
  for (const bool early : {false, true}) {
    PostScript refused;
    refused.kind = Kind::kEveryoneRefused;
    refused.http_status = 403;
    refused.early = early;
    upstream().Script(refused);
    ReadByTheNewKey();
    const int lists = upstream().lists();
    const std::string job = world_.Submit(early ? "refused early" : "refused late");
    ASSERT_TRUE(world_.RunUntil([&] { return upstream().lists() > lists; }, absl::Minutes(1)));
    world_.Settle();
    ReadAsEver();
    EXPECT_EQ(world_.State(job), kPending);
    ASSERT_TRUE(world_.RunToEnd(job));
    EXPECT_EQ(world_.State(job), kSucceeded);
  }
}

// The change is noticed by other jobs before the old key's refusal is understood.
TEST_F(KeyChange, WhileARefusalIsLookedIntoPausesNobody) {
  upstream().key = "key:3";
  ASSERT_TRUE(world_.RunToEnd(world_.Submit("learns the third key")));
  ASSERT_EQ(Learned(), 2);
  UseOld();
  PostScript refused;
  refused.kind = Kind::kEveryoneRefused;
  refused.http_status = 401;
  upstream().Script(refused);
  upstream().list_takes = absl::Seconds(5);
  upstream().on_list = [](const ListQuery&) -> std::optional<ListResult> {
    ListResult answer;
    answer.failure = ReadFailure::kKeyRefused;
    answer.http_status = 401;
    return answer;
  };
  const std::string job = world_.Submit("refused");
  world_.RunFor(absl::Seconds(1));
  upstream().key = "key:3";
  world_.Submit("shows the change");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Get(job).state == kQueued; }, absl::Seconds(30)));
}

}  // namespace
}  // namespace lumaedit
