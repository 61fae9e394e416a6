// Strict JSON in pieces of any size, told as events; never holds more than one key or number.
//
// Stricter than Boost.JSON alone: depth <= 32, duplicate keys refused (Boost keeps the last), a
// number beyond double refused (Boost reads 1e400 as infinity), nothing after the document.
// Numbers are converted exactly: Boost 1.81 may be off in the last bit, and echoes are compared by
// value. Owned by one reader; one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/status/status.h"

namespace lumaedit {

// What JsonStream calls, in document order. Texts are valid only during the call.
class JsonEvents {
 public:
  virtual ~JsonEvents() = default;
  virtual void BeginObject() = 0;
  virtual void EndObject() = 0;
  virtual void BeginArray() = 0;
  virtual void EndArray() = 0;
  virtual void Key(std::string_view key) = 0;
  // A string comes as parts of any size, then its end.
  virtual void StringPart(std::string_view part) = 0;
  virtual void EndString() = 0;
  virtual void Number(double value) = 0;
  virtual void Bool(bool value) = 0;
  virtual void Null() = 0;
};

class JsonStream {
 public:
  // `events` outlives the stream.
  explicit JsonStream(JsonEvents& events);
  ~JsonStream();

  // The next bytes. After a failure every call answers the same status. The status never holds
  // bytes of the document.
  absl::Status Write(std::string_view bytes);

  // The document must be complete.
  absl::Status Finish();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lumaedit
