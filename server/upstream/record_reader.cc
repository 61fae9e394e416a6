#include "server/upstream/record_reader.h"

#include <utility>

#include "server/upstream/upstream_text.h"

namespace lumaedit {

namespace {

// What stands around a key and its value, about.
constexpr std::int64_t kQuotesAndColon = 6;

}  // namespace

RecordReader::RecordReader(Secret key, bool want_echo)
    : builder_(std::move(key), want_echo), stream_(builder_) {}

absl::Status RecordReader::Write(std::string_view bytes) { return stream_.Write(bytes); }

absl::Status RecordReader::Finish() {
  if (absl::Status status = stream_.Finish(); !status.ok()) return status;
  if (!builder_.looks_like_a_record()) {
    return absl::InvalidArgumentError("not a record: neither an id nor a status");
  }
  return absl::OkStatus();
}

bool RecordReader::rest_is_worthless() const {
  return builder_.has_status() && !IsFinal(builder_.status());
}

ListReader::ListReader(Secret key, bool want_echo, int limit, std::shared_ptr<const ListStop> stop,
                       std::shared_ptr<const ListSweep> sweep)
    : secret_(std::move(key)),
      want_echo_(want_echo),
      limit_(static_cast<std::size_t>(std::max(limit, 0))),
      stop_(std::move(stop)),
      sweep_(std::move(sweep)),
      stream_(*this) {
  if (sweep_) waited_for_ = sweep_->waited_for;
}

absl::Status ListReader::Write(std::string_view bytes) {
  return full_ ? absl::OkStatus() : stream_.Write(bytes);
}

absl::Status ListReader::Finish() {
  if (!full_) {
    if (absl::Status status = stream_.Finish(); !status.ok()) return status;
  }
  // A null list is an empty one only where the count says so too: an absence proves much.
  const bool empty = requests_is_null_ && total_ == 0.0;
  if (!has_requests_ && !empty) return absl::InvalidArgumentError("not a list: no requests");
  if (odd_entry_) return absl::InvalidArgumentError("an entry of the list is no record with an id");
  return absl::OkStatus();
}

bool ListReader::rest_is_worthless() const {
  if (!sweep_) return record_ && record_->rest_is_worthless();
  if (waited_for_.empty() && !sweep_->waited_for.empty()) return true;
  if (!record_) return false;
  if (record_bytes_ > sweep_->fat_bytes) return true;
  return record_->has_status() && sweep_->is_fat(record_->id());
}

void ListReader::RecordEnded() {
  UpstreamRecord record = record_->Build();
  record.bytes = record_bytes_;
  record_.reset();
  odd_entry_ = odd_entry_ || (!sweep_ && record.id.empty());
  waited_for_.erase(record.id);
  records_.push_back(std::move(record));
}

void ListReader::EndEarly() {
  full_ = true;
  // All that was waited for was read: this one was only begun, and says nothing.
  const bool is_enough = sweep_ && waited_for_.empty() && !sweep_->waited_for.empty();
  if (is_enough) record_.reset();
  if (!record_) return;
  UpstreamRecord partial;
  if (sweep_) {
    partial = record_->Build();
    partial.outcome.reset();
    partial.error.reset();
  } else {
    partial.id = record_->Build().id;
    odd_entry_ = odd_entry_ || partial.id.empty();
  }
  partial.is_partial = true;
  partial.bytes = record_bytes_;
  record_.reset();
  records_.push_back(std::move(partial));
}

void ListReader::Other() {
  if (!InRequests()) return;
  if (!sweep_) {
    odd_entry_ = true;
    return;
  }
  // It counts as a record, so that those behind it keep their places.
  full_ = records_.size() >= limit_;
  if (!full_) records_.emplace_back();
}

void ListReader::BeginObject() {
  if (full_) return;
  if (record_) return record_->BeginObject();
  if (InRequests()) {
    full_ = records_.size() >= limit_;
    if (full_) return;
    record_.emplace(secret_, want_echo_, stop_);
    record_bytes_ = 0;
    return record_->BeginObject();
  }
  if (depth_ == 0) root_is_object_ = true;
  ++depth_;
}

void ListReader::EndObject() {
  if (full_) return;
  if (!record_) {
    --depth_;
    return;
  }
  record_->EndObject();
  if (record_->complete()) RecordEnded();
}

void ListReader::BeginArray() {
  if (full_) return;
  if (record_) return record_->BeginArray();
  Other();
  if (AtKey("requests")) {
    in_requests_ = true;
    has_requests_ = true;
  }
  ++depth_;
}

void ListReader::EndArray() {
  if (full_) return;
  if (record_) return record_->EndArray();
  --depth_;
  if (depth_ == 1) in_requests_ = false;
}

void ListReader::Key(std::string_view key) {
  if (full_) return;
  if (record_) {
    record_bytes_ += static_cast<std::int64_t>(key.size()) + kQuotesAndColon;
    return record_->Key(key);
  }
  if (depth_ == 1) key_ = key;
}

void ListReader::StringPart(std::string_view part) {
  if (!record_ || full_) return;
  record_bytes_ += static_cast<std::int64_t>(part.size());
  record_->StringPart(part);
}

void ListReader::EndString() {
  if (full_) return;
  if (record_) return record_->EndString();
  Other();
}

void ListReader::Number(double value) {
  if (full_) return;
  if (record_) return record_->Number(value);
  if (AtKey("total")) total_ = value;
  Other();
}

void ListReader::Bool(bool value) {
  if (full_) return;
  if (record_) return record_->Bool(value);
  if (AtKey("has_more")) has_more_ = value;
  Other();
}

void ListReader::Null() {
  if (full_) return;
  if (record_) return record_->Null();
  if (AtKey("requests")) requests_is_null_ = true;
  Other();
}

}  // namespace lumaedit
