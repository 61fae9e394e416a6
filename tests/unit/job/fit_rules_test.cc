#include "server/job/fit_rules.h"

#include <gtest/gtest.h>

namespace lumaedit {
namespace {

const absl::Time kSeal = absl::FromUnixSeconds(1'800'000'000);
const absl::Time kEnd = kSeal + absl::Seconds(4);
const ReconcileSettings kSettings;
const UpstreamTime kUnlearned;
const UpstreamTime kLearned{absl::ZeroDuration()};

UpstreamPayload Payload(const std::string& prompt) {
  UpstreamPayload payload;
  payload.prompt = prompt;
  return payload;
}

Attempt MakeAttempt(const std::string& prompt, const std::string& job = "job") {
  Attempt attempt;
  attempt.job_id = job;
  attempt.number = 1;
  attempt.account = "account";
  attempt.model = kEditModel;
  attempt.fingerprint = PayloadFingerprint(Payload(prompt));
  attempt.seal_time = kSeal;
  attempt.end_time = kEnd;
  return attempt;
}

UpstreamRecord Record(const std::string& id, const std::string& prompt,
                      absl::Time created = kSeal + absl::Seconds(1)) {
  UpstreamRecord record;
  record.id = id;
  record.model = kEditModel;
  record.status = UpstreamStatus::kQueued;
  record.created_at = created;
  record.echo = Payload(prompt);
  record.echo_is_empty = false;
  return record;
}

Pass Complete(std::vector<UpstreamRecord> records) {
  Pass pass;
  pass.unowned = std::move(records);
  pass.complete = true;
  pass.read_time = kEnd + absl::Seconds(2);
  return pass;
}

UnboundAttempt Rival(Attempt attempt) {
  return {std::move(attempt), "caller", JobState::kUnconfirmed};
}

TEST(Fits, WindowEdges) {
  const Attempt attempt = MakeAttempt("a");
  const auto fits = [&](absl::Time created, const UpstreamTime& time) {
    return Fits(Record("r", "a", created), attempt, time, kSettings);
  };
  // Learned: s = 10 s. A record reads whole seconds, so up to one second earlier than it was made.
  EXPECT_TRUE(fits(kSeal - absl::Seconds(10), kLearned));
  EXPECT_FALSE(fits(kSeal - absl::Seconds(11), kLearned));
  EXPECT_TRUE(fits(kEnd + absl::Seconds(130), kLearned));
  EXPECT_FALSE(fits(kEnd + absl::Seconds(131), kLearned));
  EXPECT_TRUE(fits(kSeal - absl::Minutes(5), kUnlearned));
  EXPECT_FALSE(fits(kSeal - absl::Minutes(5) - absl::Seconds(1), kUnlearned));
  EXPECT_TRUE(fits(kEnd + absl::Minutes(7), kUnlearned));
  EXPECT_FALSE(fits(kEnd + absl::Minutes(7) + absl::Seconds(1), kUnlearned));
}

TEST(Fits, SecondGranularity) {
  Attempt attempt = MakeAttempt("a");
  attempt.seal_time = kSeal + absl::Milliseconds(10'900);
  attempt.end_time = attempt.seal_time;
  // The window begins at kSeal + 0.9 s; a record of 0.95 s reads 0.
  EXPECT_TRUE(Fits(Record("r", "a", kSeal), attempt, kLearned, kSettings));
  EXPECT_FALSE(Fits(Record("r", "a", kSeal - absl::Seconds(1)), attempt, kLearned, kSettings));
}

TEST(Fits, UpstreamTimeIsTheirs) {
  const UpstreamTime ahead{absl::Hours(2)};
  const Attempt attempt = MakeAttempt("a");
  EXPECT_FALSE(Fits(Record("r", "a"), attempt, ahead, kSettings));
  EXPECT_TRUE(Fits(Record("r", "a", kSeal + absl::Hours(2)), attempt, ahead, kSettings));
}

TEST(Fits, AnAttemptWithoutAnEndIsLong) {
  Attempt attempt = MakeAttempt("a");
  attempt.end_time = absl::InfinitePast();
  const absl::Time last = kSeal + absl::Seconds(330 + 120 + 10);
  EXPECT_TRUE(Fits(Record("r", "a", last), attempt, kLearned, kSettings));
  EXPECT_FALSE(Fits(Record("r", "a", last + absl::Seconds(1)), attempt, kLearned, kSettings));
}

TEST(Fits, MissingTimeFits) {
  EXPECT_TRUE(Fits(Record("r", "a", absl::InfinitePast()), MakeAttempt("a"), kLearned, kSettings));
}

TEST(Fits, ByPayloadAndModel) {
  const Attempt attempt = MakeAttempt("a");
  EXPECT_FALSE(Fits(Record("r", "b"), attempt, kLearned, kSettings));
  UpstreamRecord other = Record("r", "a");
  other.model = "another-model";
  EXPECT_FALSE(Fits(other, attempt, kLearned, kSettings));
  other.model.clear();
  EXPECT_TRUE(Fits(other, attempt, kLearned, kSettings));
  UpstreamRecord empty = Record("r", "b");
  empty.echo_is_empty = true;
  EXPECT_TRUE(Fits(empty, attempt, kLearned, kSettings));
  UpstreamRecord foreign = Record("r", "a");
  foreign.echo.has_foreign_keys = true;
  EXPECT_FALSE(Fits(foreign, attempt, kLearned, kSettings));
}

TEST(FindRecord, ExactlyOne) {
  const Attempt attempt = MakeAttempt("a");
  const Finding finding = FindRecord(Complete({Record("x", "b"), Record("r", "a")}), attempt,
                                     {Rival(attempt)}, kLearned, kSettings);
  EXPECT_EQ(finding.kind, FindingKind::kAdopt);
  EXPECT_EQ(finding.record->id, "r");
}

TEST(FindRecord, NothingListed) {
  const Attempt attempt = MakeAttempt("a");
  EXPECT_EQ(FindRecord(Complete({Record("x", "b")}), attempt, {}, kLearned, kSettings).kind,
            FindingKind::kNothing);
}

TEST(FindRecord, AnIncompletePassProvesNothing) {
  const Attempt attempt = MakeAttempt("a");
  Pass pass = Complete({Record("r", "a")});
  pass.complete = false;
  const Finding finding = FindRecord(pass, attempt, {}, kLearned, kSettings);
  EXPECT_EQ(finding.kind, FindingKind::kProvesNothing);
  EXPECT_EQ(finding.candidate_ids, std::vector<std::string>{"r"});
  EXPECT_EQ(FindRecord({}, attempt, {}, kLearned, kSettings).kind, FindingKind::kProvesNothing);
}

TEST(FindRecord, TwinsAreAmbiguous) {
  const Attempt attempt = MakeAttempt("a");
  const Finding finding =
      FindRecord(Complete({Record("r", "a"), Record("s", "a")}), attempt, {}, kLearned, kSettings);
  EXPECT_EQ(finding.kind, FindingKind::kAmbiguous);
  EXPECT_EQ(finding.candidate_ids, (std::vector<std::string>{"r", "s"}));
}

TEST(FindRecord, ARivalMakesItAmbiguous) {
  const Attempt attempt = MakeAttempt("a");
  const Finding finding =
      FindRecord(Complete({Record("r", "a")}), attempt,
                 {Rival(attempt), Rival(MakeAttempt("a", "other"))}, kLearned, kSettings);
  EXPECT_EQ(finding.kind, FindingKind::kAmbiguous);
  EXPECT_EQ(finding.candidate_ids, std::vector<std::string>{"r"});
  // One that cannot have made it is none.
  Attempt later = MakeAttempt("a", "other");
  later.seal_time += absl::Hours(1);
  later.end_time += absl::Hours(1);
  EXPECT_EQ(
      FindRecord(Complete({Record("r", "a")}), attempt, {Rival(later)}, kLearned, kSettings).kind,
      FindingKind::kAdopt);
}

TEST(FindRecord, AnEmptyEchoIsNeverAdopted) {
  const Attempt attempt = MakeAttempt("a");
  UpstreamRecord empty = Record("r", "");
  empty.echo_is_empty = true;
  Pass late = Complete({empty});
  late.read_time = kEnd + absl::Hours(1);
  const Finding finding = FindRecord(late, attempt, {Rival(attempt)}, kLearned, kSettings);
  EXPECT_EQ(finding.kind, FindingKind::kAmbiguous);
  EXPECT_EQ(finding.candidate_ids, std::vector<std::string>{"r"});
}

TEST(FindRecord, AFailedOneWaits) {
  const Attempt attempt = MakeAttempt("a");
  UpstreamRecord failed = Record("r", "a");
  failed.status = UpstreamStatus::kFailed;
  Pass pass = Complete({failed});
  const absl::Time over = kEnd + absl::Seconds(130);
  pass.read_time = over - absl::Microseconds(1);
  EXPECT_EQ(FindRecord(pass, attempt, {}, kLearned, kSettings).kind, FindingKind::kNotYet);
  pass.read_time = over;
  EXPECT_EQ(FindRecord(pass, attempt, {}, kLearned, kSettings).kind, FindingKind::kAdopt);
}

TEST(FindRecord, AFailedOneIsNotBelievedBesideOneThatMayBeMeant) {
  UpstreamRecord failed = Record("failed", "a");
  failed.status = UpstreamStatus::kFailed;
  // Outside the window of a clock that is learned, inside the widest.
  const UpstreamRecord live = Record("live", "a", kEnd + absl::Minutes(5));
  Pass pass = Complete({live, failed});
  pass.read_time = kEnd + absl::Minutes(10);
  const Finding finding = FindRecord(pass, MakeAttempt("a"), {}, kLearned, kSettings);
  EXPECT_EQ(finding.kind, FindingKind::kAmbiguous);
  EXPECT_EQ(finding.candidate_ids.size(), 2u);
}

TEST(VisibilityOver, EndPlusVPlusS) {
  const Attempt attempt = MakeAttempt("a");
  EXPECT_FALSE(VisibilityOver(attempt, kLearned, kSettings, kEnd + absl::Seconds(129)));
  EXPECT_TRUE(VisibilityOver(attempt, kLearned, kSettings, kEnd + absl::Seconds(130)));
  EXPECT_FALSE(VisibilityOver(attempt, kUnlearned, kSettings, kEnd + absl::Seconds(419)));
  EXPECT_TRUE(VisibilityOver(attempt, kUnlearned, kSettings, kEnd + absl::Seconds(420)));
}

}  // namespace
}  // namespace lumaedit
