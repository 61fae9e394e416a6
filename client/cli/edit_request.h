// The command line's edit as the gateway's request. Reads the files it names; sends nothing.
#pragma once

#include <cstdint>

#include "client/cli/arguments.h"
#include "client/result.h"
#include "lumaedit/v1/edit_service.pb.h"

namespace lumaedit::client::cli {

// The gateway's limit of one message. A source sent with the call must fit into it.
inline constexpr std::int64_t kMessageLimit = 4 * 1024 * 1024;

// INVALID_ARGUMENT when a file cannot be read, or its media type cannot be guessed. A source file
// that is too large for one call is left out. What the gateway judges (prompt, ranges, sources) is
// not judged here: one place knows the rules. request_id is filled in when none was given.
Result<v1::SubmitEditRequest> MakeSubmitRequest(const Arguments& arguments);

// Was the source file left out, so that it must be uploaded first?
bool NeedsUpload(const Arguments& arguments, const v1::SubmitEditRequest& request);

}  // namespace lumaedit::client::cli
