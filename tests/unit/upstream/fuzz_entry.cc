#include "tests/unit/upstream/fuzz_entry.h"

#include <cstdlib>
#include <string_view>

#include "server/upstream/answer.h"
#include "server/upstream/record_reader.h"
#include "server/upstream/upstream_text.h"

namespace lumaedit {
namespace {

constexpr char kKey[] = "canary-key-0123456789";

std::string_view View(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

void Promise(bool kept) {
  if (!kept) std::abort();
}

void CheckRecord(const UpstreamRecord& record) {
  Promise(record.status_word.size() <= kMaxStatusWordBytes);
  Promise(record.id.empty() || IsUpstreamId(record.id));
  Promise(!record.outcome || IsOutputUrl(record.outcome->video_url, Secret(kKey)));
  Promise((record.status == UpstreamStatus::kFailed) == record.error.has_value());
  if (record.error) Promise(record.error->upstream_message.find(kKey) == std::string::npos);
}

template <typename Reader>
bool Read(Reader& reader, std::string_view bytes, std::size_t step) {
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    if (!reader.Write(bytes.substr(at, step)).ok()) return false;
  }
  return reader.Finish().ok();
}

}  // namespace

int FuzzRecord(const std::uint8_t* data, std::size_t size) {
  RecordReader whole(Secret(kKey), true);
  RecordReader pieces(Secret(kKey), true);
  const bool ok = Read(whole, View(data, size), size + 1);
  Promise(ok == Read(pieces, View(data, size), 3));
  CheckRecord(whole.Record());
  if (ok) Promise(whole.Record().echo == pieces.Record().echo);
  return 0;
}

int FuzzList(const std::uint8_t* data, std::size_t size) {
  ListReader reader(Secret(kKey), true, 3);
  Read(reader, View(data, size), 5);
  const auto records = reader.TakeRecords();
  Promise(records.size() <= 3);
  for (const UpstreamRecord& record : records) CheckRecord(record);
  return 0;
}

// The first byte chooses the status, the rest is the body.
int FuzzPostAnswer(const std::uint8_t* data, std::size_t size) {
  static constexpr int kStatuses[] = {200, 201, 204, 301, 400, 403, 404, 413,
                                      429, 500, 502, 503, 504, 0,   418, 422};
  if (size == 0) return 0;
  PostAnswer answer;
  answer.http_status = kStatuses[data[0] % std::size(kStatuses)];
  answer.complete = (data[0] & 0x80) == 0;
  answer.body = View(data + 1, size - 1);
  answer.key = Secret(kKey);
  const Fact fact = MeaningOfPostAnswer(answer);
  Promise((fact.kind != FactKind::kAccepted) || IsUpstreamId(fact.upstream_id));
  Promise(fact.note.size() <= kMaxUpstreamTextBytes);
  Promise(fact.note.find(kKey) == std::string::npos);
  Promise(fact.retry_after >= absl::ZeroDuration() && fact.retry_after <= absl::Seconds(120));
  RateLimitOf(answer);
  return 0;
}

int FuzzRetryAfter(const std::uint8_t* data, std::size_t size) {
  const absl::Duration wait = ReadRetryAfter(View(data, size), absl::FromUnixSeconds(1790000000));
  Promise(wait >= absl::ZeroDuration() && wait <= absl::Hours(1));
  return 0;
}

}  // namespace lumaedit
