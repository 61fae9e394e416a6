#include <string>
#include <string_view>

#include "absl/strings/ascii.h"
#include "server/upstream/answer.h"
#include "server/upstream/record_reader.h"
#include "server/upstream/upstream_text.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/targets.h"

namespace lumaedit::fuzz {
namespace {

constexpr char kKey[] = "canary-key-0123456789";
const absl::Time kNow = absl::FromUnixSeconds(1790000000);

bool HoldsKey(std::string_view text) { return text.find(kKey) != std::string_view::npos; }

bool IsClean(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '\x7f') return false;
  }
  return !HoldsKey(text);
}

void CheckError(const JobError& error) {
  Promise(error.reason != ErrorReason::kUnspecified, "an error has a reason");
  Promise(!error.message.empty(), "an error has a message");
  Promise(error.upstream_code.size() <= kMaxStatusWordBytes, "an upstream code is bounded");
  Promise(error.upstream_message.size() <= kMaxUpstreamTextBytes, "an upstream text is bounded");
  Promise(IsClean(error.upstream_message) && IsClean(error.upstream_code), "texts are clean");
}

void CheckRecord(const UpstreamRecord& record) {
  Promise(record.status_word.size() <= kMaxStatusWordBytes, "a status word is bounded");
  Promise(IsClean(record.status_word), "a status word is clean");
  Promise(record.id.empty() || IsUpstreamId(record.id), "an id is fit to be stored");
  // Nothing but the word counts as a success, and no success without an address has an outcome.
  const std::string word = absl::AsciiStrToLower(record.status_word);
  Promise(record.status != UpstreamStatus::kSuccess || word == "success",
          "only `success` is a success");
  Promise(!record.outcome || record.status == UpstreamStatus::kSuccess,
          "only a success has an outcome");
  Promise(!record.outcome || IsOutputUrl(record.outcome->video_url, Secret(kKey)),
          "an outcome has a video URL that is one");
  Promise((record.status == UpstreamStatus::kFailed) == record.error.has_value(),
          "a failed record, and no other, has an error");
  if (record.error) CheckError(*record.error);
}

template <typename Reader>
bool Read(Reader& reader, std::string_view bytes, std::size_t step) {
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    if (!reader.Write(bytes.substr(at, step)).ok()) return false;
  }
  return reader.Finish().ok();
}

}  // namespace

void Record(std::string_view bytes) {
  RecordReader whole(Secret(kKey), true);
  RecordReader pieces(Secret(kKey), true);
  const bool ok = Read(whole, bytes, bytes.size() + 1);
  Promise(ok == Read(pieces, bytes, 3), "the size of pieces does not matter");
  CheckRecord(whole.Record());
  CheckRecord(pieces.Record());
  if (!ok) return;
  const UpstreamRecord one = whole.Record();
  const UpstreamRecord other = pieces.Record();
  Promise(one.echo == other.echo && one.id == other.id && one.status == other.status &&
              one.outcome == other.outcome && one.error == other.error,
          "the size of pieces does not matter to what is read");
}

// The first byte chooses what the page is asked for, the rest is its body.
void List(std::string_view bytes) {
  FuzzInput input(bytes);
  const int limit = 1 + input.Byte() % 5;
  ListReader reader(Secret(kKey), true, limit);
  ListReader pieces(Secret(kKey), true, limit);
  const bool ok = Read(reader, input.Rest(), input.Rest().size() + 1);
  const bool again = Read(pieces, input.Rest(), 5);
  const std::vector<UpstreamRecord> records = reader.TakeRecords();
  Promise(records.size() <= static_cast<std::size_t>(limit), "a page holds what was asked for");
  for (const UpstreamRecord& record : records) CheckRecord(record);
  // A page that is full is not looked at further, so only its records can be compared.
  Promise(ok == again || reader.is_full(), "the size of pieces does not matter");
  if (ok && again) {
    Promise(records.size() == pieces.TakeRecords().size(), "every reading finds as many");
    Promise(reader.has_more() == pieces.has_more(), "every reading knows whether there is more");
  }
}

// The first byte chooses the status, the second how it came; a line is the header Retry-After, the
// rest the body.
void ErrorBody(std::string_view bytes) {
  static constexpr int kStatuses[] = {200, 201, 204, 301, 400, 403, 404, 413,
                                      429, 500, 502, 503, 504, 0,   418, 422};
  FuzzInput input(bytes);
  PostAnswer answer;
  answer.http_status = kStatuses[input.Byte() % std::size(kStatuses)];
  const std::uint8_t how = input.Byte();
  answer.complete = how % 4 != 1;
  if (how % 8 == 2) answer.content_encoding = "gzip";
  answer.retry_after = std::string(input.Line());
  answer.body = std::string(input.Rest());
  answer.break_note = "read: connection reset";
  answer.now = kNow;
  answer.key = Secret(kKey);
  const Fact fact = MeaningOfPostAnswer(answer);
  const bool is_2xx = answer.http_status >= 200 && answer.http_status <= 299;
  Promise(fact.kind != FactKind::kAccepted || (is_2xx && answer.complete),
          "only a whole 2xx is an acceptance");
  Promise(fact.kind != FactKind::kAccepted || IsUpstreamId(fact.upstream_id),
          "an acceptance has an id");
  Promise(fact.kind != FactKind::kNotAccepted || (answer.http_status == 429 && answer.complete),
          "only a whole 429 is no acceptance");
  Promise(fact.kind != FactKind::kEditRefused || answer.http_status == 400 ||
              answer.http_status == 413 || answer.http_status == 422 || answer.http_status == 500,
          "an edit is refused by four statuses only");
  Promise(!is_2xx || fact.kind == FactKind::kAccepted || fact.kind == FactKind::kUnclear,
          "a 2xx never says that nothing was accepted");
  Promise(fact.note.size() <= kMaxUpstreamTextBytes && IsClean(fact.note), "a note is clean");
  Promise(fact.retry_after >= absl::ZeroDuration() && fact.retry_after <= absl::Seconds(120),
          "a wait is bounded");
  if (fact.error) CheckError(*fact.error);
  const auto limit = RateLimitOf(answer);
  Promise(!limit || (answer.http_status == 429 && limit->limit > 0 &&
                     limit->interval > absl::ZeroDuration() &&
                     limit->interval < absl::InfiniteDuration()),
          "a learned pace is one");
}

void RetryAfter(std::string_view bytes) {
  const absl::Duration wait = ReadRetryAfter(bytes, kNow);
  Promise(wait >= absl::ZeroDuration() && wait <= absl::Hours(1), "a wait is bounded");
  Promise(ReadRetryAfter(bytes, absl::InfinitePast()) <= absl::Hours(1),
          "a wait is bounded without a clock");
  const absl::Time date = ReadHttpDate(bytes);
  if (date == absl::InfinitePast()) return;
  // A date reads back as itself in the one form that is written today.
  const std::string again =
      absl::FormatTime("%a, %d %b %Y %H:%M:%S GMT", date, absl::UTCTimeZone());
  Promise(ReadHttpDate(again) == date, "a date comes back");
}

}  // namespace lumaedit::fuzz
