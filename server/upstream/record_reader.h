// Readers of the upstream's two answers, a record and a list of records, in pieces of any size.
//
// Memory is bounded by the number of records asked for, not by their echoes (upstream.md 9.2,
// fault 22). One thread. A failure never names bytes of the body.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/base/secret.h"
#include "server/job/upstream.h"
#include "server/upstream/json_stream.h"
#include "server/upstream/record_builder.h"

namespace lumaedit {

class RecordReader {
 public:
  explicit RecordReader(Secret key, bool want_echo = false);

  absl::Status Write(std::string_view bytes);
  absl::Status Finish();

  // A status that is not final was read, so that the rest tells nothing.
  bool rest_is_worthless() const;

  // What was read: all of it after Finish, else what stood before the reading stopped.
  UpstreamRecord Record() const { return builder_.Build(); }

 private:
  RecordBuilder builder_;
  JsonStream stream_;
};

class ListReader final : private JsonEvents {
 public:
  ListReader(Secret key, bool want_echo, int limit, std::shared_ptr<const ListStop> stop = nullptr,
             std::shared_ptr<const ListSweep> sweep = nullptr);

  absl::Status Write(std::string_view bytes);
  absl::Status Finish();

  // More records came than were asked for; the rest is not looked at.
  bool is_full() const { return full_; }

  // The record that is being read is of no use, by `stop` or `sweep`: the reading may end here,
  // with EndEarly(), which adds it as a partial one. Of a sweep also when all that is waited for
  // was read; then the one that was begun is left out.
  bool rest_is_worthless() const;
  void EndEarly();
  // Of a sweep: a record that cannot be read ends the page like one that is too long to be read.
  bool may_end_at_a_fault() const { return sweep_ && (record_ || !records_.empty()); }

  std::vector<UpstreamRecord> TakeRecords() { return std::move(records_); }
  std::optional<bool> has_more() const { return has_more_; }

 private:
  void BeginObject() override;
  void EndObject() override;
  void BeginArray() override;
  void EndArray() override;
  void Key(std::string_view key) override;
  void StringPart(std::string_view part) override;
  void EndString() override;
  void Number(double value) override;
  void Bool(bool value) override;
  void Null() override;

  void RecordEnded();
  // A value that is neither an object nor anything we look for.
  void Other();
  bool AtKey(std::string_view key) const { return depth_ == 1 && root_is_object_ && key_ == key; }
  bool InRequests() const { return in_requests_ && depth_ == 2; }

  const Secret secret_;
  const bool want_echo_;
  const std::size_t limit_;
  const std::shared_ptr<const ListStop> stop_;
  const std::shared_ptr<const ListSweep> sweep_;
  std::unordered_set<std::string> waited_for_;  // of the sweep, and not read yet
  JsonStream stream_;
  int depth_ = 0;
  bool root_is_object_ = false;
  std::string key_;  // of the root object
  bool in_requests_ = false;
  bool has_requests_ = false;
  bool requests_is_null_ = false;
  std::optional<double> total_;
  std::optional<bool> has_more_;
  bool odd_entry_ = false;  // an entry that is no record with an id
  bool full_ = false;
  std::optional<RecordBuilder> record_;
  std::int64_t record_bytes_ = 0;  // of record_, so far
  std::vector<UpstreamRecord> records_;
};

}  // namespace lumaedit
