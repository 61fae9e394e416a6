// One record of the upstream, built from JSON events while its payload passes by unstored.
//
// Reads by name only, tolerant as upstream.md sections 2, 3 and 5.1 ask: media_urls before
// video_url, the places of an error in order, odd times and types. Bounded whatever comes.
// Owned by a reader; one thread.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/secret.h"
#include "server/job/upstream.h"
#include "server/upstream/echo_reader.h"
#include "server/upstream/json_stream.h"

namespace lumaedit {

class RecordBuilder final : public JsonEvents {
 public:
  // `key` is taken out of every text.
  // With a `stop` it is known when the rest is worthless.
  RecordBuilder(Secret key, bool want_echo, std::shared_ptr<const ListStop> stop = nullptr);

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

  // The record's own braces are closed.
  bool complete() const { return begun_ && path_.empty(); }
  // As it was written; empty: not read yet.
  const std::string& id() const { return texts_[kId]; }
  // `status` was read; it may be a word we do not know.
  bool has_status() const { return has_status_; }
  UpstreamStatus status() const;
  // Neither an id nor a status: this is some other JSON.
  bool looks_like_a_record() const { return has_id_ || has_status_; }

  // By `stop`: a job owns it, or it differs from every payload that is looked for.
  bool rest_is_worthless() const { return stop_ && has_id_ && (is_owned_ || echo_.differs()); }

  UpstreamRecord Build() const;

 private:
  enum Slot {
    kIgnored,
    kId,
    kOrgId,
    kModel,
    kStatus,
    kCreatedAt,
    kUpdatedAt,
    kTopErrorMessage,
    kTopErrorCode,
    kTopErrorStatus,
    kReason,
    kMediaUrl,
    kVideoUrl,
    kThumbnailUrl,
    kGenerationId,
    kErrorMessage,
    kErrorCode,
    kErrorStatus,
    kOutcomeMessage,
    kFailureReason,
    kFailureCode,
    kOtherUrl,
    kSlotCount,
  };

  struct Level {
    bool is_array = false;
    std::string key;  // of an object: the key whose value comes or is open
    int index = 0;    // of an array
  };

  void Begin(bool is_array);
  void End();
  void ValueEnded();
  Slot SlotHere() const;
  Slot OutcomeSlot() const;
  bool InPayload() const { return !path_.empty() && path_.front().key == "payload"; }
  std::optional<Outcome> BuildOutcome() const;
  JobError BuildError() const;

  const Secret key_;
  const bool want_echo_;
  const std::shared_ptr<const ListStop> stop_;
  bool is_owned_ = false;
  bool begun_ = false;
  std::vector<Level> path_;  // at most as deep as JsonStream allows
  std::array<std::string, kSlotCount> texts_;
  std::vector<std::string> other_urls_;
  std::string text_;
  std::optional<Slot> text_slot_;  // of the string that is being read
  bool has_id_ = false;
  bool has_status_ = false;
  EchoReader echo_;
};

}  // namespace lumaedit
