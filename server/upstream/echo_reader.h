// The echo of a payload, brought back to the values that were sent (protocol.md section 4).
//
// Bounded memory: source_data is hashed while it passes, a prompt beyond 6000 code points is not
// ours. Owned by a RecordBuilder; one thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/hash.h"
#include "server/job/payload.h"
#include "server/upstream/base64.h"
#include "server/upstream/json_stream.h"

namespace lumaedit {

class EchoReader final : public JsonEvents {
 public:
  void BeginObject() override;
  void EndObject() override;
  void BeginArray() override;
  void EndArray() override;
  void Key(std::string_view key) override;
  void StringPart(std::string_view part) override;
  void EndString() override;
  void Number(double value) override;
  void Bool(bool value) override;
  void Null() override {}  // null is the same as absent

  // From here on every value is compared with that of each of these, which outlive the reader.
  void LookFor(const std::vector<UpstreamPayload>& payloads);
  // Some value read so far is in none of the payloads that are looked for.
  bool differs() const { return looks_ && looked_for_.empty(); }

  // {} or nothing but nulls.
  bool empty() const { return empty_; }
  const UpstreamPayload& payload() const { return payload_; }

 private:
  // True when a value stands directly under a key of the payload.
  bool AtKey() const { return depth_ == 1; }
  void Foreign();
  bool IsSourceData() const { return AtKey() && key_ == "source_data"; }

  // The value under key_ was read: what has another one there is out.
  void Compare();

  bool looks_ = false;
  std::vector<const UpstreamPayload*> looked_for_;
  UpstreamPayload payload_;
  bool empty_ = true;
  int depth_ = 0;
  std::string key_;
  std::string text_;  // of a string that is not source_data
  bool text_too_long_ = false;
  Base64Decoder base64_;
  Sha256Stream sha256_;
  bool has_source_data_ = false;
};

}  // namespace lumaedit
