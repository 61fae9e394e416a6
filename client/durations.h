// absl::Duration into protobuf's. Pure, for any thread.
#pragma once

#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"

namespace lumaedit::client {

inline void SetDuration(absl::Duration from, google::protobuf::Duration* to) {
  to->set_seconds(absl::IDivDuration(from, absl::Seconds(1), &from));
  to->set_nanos(static_cast<std::int32_t>(absl::ToInt64Nanoseconds(from)));
}

}  // namespace lumaedit::client
