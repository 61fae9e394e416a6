// The answers that refuse a request, and what is done to an answer on its way out (upstream.md
// sections 5 and 9.2). Single-threaded.
#pragma once

#include <boost/json.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "exchange.h"
#include "world.h"

namespace lumaedit::simulator {

Reply JsonReply(int status, const boost::json::value& body);
// {"error": text}
Reply ErrorReply(int status, const std::string& text);
// What the vendor says when the model's maker refuses with `code` (section 5.3).
std::string BackendErrorText(int code);

enum class Leaves { kNothing, kFailedRecord, kLiveRecord };

struct Refusal {
  Leaves leaves = Leaves::kNothing;
  // Called with the id of the record left behind, or with an invented one.
  std::function<Reply(const std::string& request_id)> reply;
};

// Nullopt when the fault does not refuse.
std::optional<Refusal> RefuseBy(World& world, const Fault& fault, const std::string& model);

// The sliding window of fault 2: nullopt when the call may pass, which it then counts.
std::optional<Reply> LimitBy(World& world, const Fault& fault, ApiKey& key,
                             const std::string& model);

// Applies faults 8, 10, 21 and 30 to an answer that is otherwise complete.
void ApplyDelivery(World& world, const std::vector<Fault>& faults, Reply& reply);

// Puts the hold of fault 10 into `delivery`.
void ApplyHold(World& world, const Fault& slow, Delivery& delivery);

}  // namespace lumaedit::simulator
