// What passes between the socket side (server.cc, the only file that knows Beast) and the plain
// side: one request, one reply, and instructions on how to mistreat the connection. All of it lives
// on the I/O thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "body.h"

namespace lumaedit::simulator {

struct Request {
  std::string method;
  // Without the query, percent-decoded.
  std::string path;
  std::map<std::string, std::string> query;
  // Names in lower case.
  std::map<std::string, std::string> headers;
  // Never null when OnRequest is called.
  std::shared_ptr<const std::string> body;
  // The body is shorter than its Content-Length; only ever true where BodyPlan allowed it.
  bool short_body = false;

  std::string Header(const std::string& lower_case_name) const {
    const auto found = headers.find(lower_case_name);
    return found == headers.end() ? std::string() : found->second;
  }
};

// How to receive a body, decided when the headers are known.
struct BodyPlan {
  // Refuse once this many bytes have arrived (upstream.md section 9.2, fault 27).
  std::optional<uint64_t> refuse_after;
  // Refuse by a reset instead of a 413 answer.
  bool refuse_by_reset = false;
  // Breaks assumption A1 (protocol.md): process the request when at most this many bytes of the
  // declared length are still missing.
  std::optional<uint64_t> accept_missing;
  // Only once the client has given up, not while it still holds the last bytes back.
  bool accept_on_close = false;
};

enum class Cut { kNone, kBeforeHeaders, kAfterHeaders, kMidBody };

struct Delivery {
  // Real seconds before the first byte of the answer.
  double hold_seconds = 0.0;
  bool never = false;
  // Hold until the control interface releases it.
  bool until_released = false;
  Cut cut = Cut::kNone;
  // How to cut: a TCP reset, or a close without TLS shutdown.
  bool reset = true;
  bool close_after = false;
  // Reset the connection when the first byte of the next request on it arrives.
  bool reset_on_next_request = false;
  // Close the idle connection this many real seconds after the answer; negative = do not.
  double idle_close_seconds = -1.0;
  bool broken_chunks = false;
  // Declare more bytes than are sent.
  uint64_t missing_bytes = 0;
  // 0 = as fast as possible.
  uint64_t bytes_per_second = 0;
};

struct Reply {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  Body body;
  Delivery delivery;
  // Kind of the request for the counters: post, get, list, ...
  std::string kind;
  // When set, everything but the hold is taken from its result, computed after the hold.
  std::function<Reply()> after_hold;
};

// Of one exchange.
struct Traffic {
  uint64_t body_in = 0;
  uint64_t written = 0;  // of the answer: what the socket has taken
  uint64_t sent = 0;     // by the connection since its last exchange, TLS's bytes among them
};

class Handler {
 public:
  virtual ~Handler() = default;
  virtual BodyPlan OnHead(const Request& request) = 0;
  virtual Reply OnRequest(const Request& request) = 0;
  // Value of the Date header.
  virtual std::string HttpDate() const = 0;
  virtual void OnConnection() = 0;
  // After the answer was written or the connection lost; a reply without a kind = the body never
  // came whole.
  virtual void OnDone(const Reply& reply, const Traffic& traffic) = 0;
};

}  // namespace lumaedit::simulator
