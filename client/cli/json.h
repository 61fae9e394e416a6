// The JSON that luma-edit prints: protobuf's own mapping (lowerCamelCase, int64 as a string, enum
// names, unset fields left out), one object a line.
#pragma once

#include <string>

#include "client/client_error.h"
#include "lumaedit/v1/transition.pb.h"

namespace lumaedit::client::cli {

// `message` on one line.
std::string ToJson(const google::protobuf::Message& message);

// {"jobId":"…","transition":{…}}: the job's id with each line, as lines of several watches may
// meet.
std::string TransitionJson(const std::string& job_id, const v1::Transition& transition);

// {"error":{"code":"NOT_FOUND","reason":"…","message":"…","violations":[{"field":"…",
// "description":"…"}],"metadata":{…},"retryAfter":"1.5s"}}; what is empty is left out.
std::string ErrorJson(const ClientError& error);

}  // namespace lumaedit::client::cli
