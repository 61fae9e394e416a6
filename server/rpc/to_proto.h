// Values -> messages. Unset times and empty optionals stay unset. Any thread.
//
// What came from the upstream is made well-formed UTF-8 here: a text cut in the middle of a
// character would make the whole message unreadable for the client.
#pragma once

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include "absl/time/time.h"
#include "lumaedit/v1/edit_service.pb.h"
#include "server/job/job_service.h"
#include "server/job/price_service.h"
#include "server/job/source_store.h"

namespace lumaedit {

void TimeToProto(absl::Time time, google::protobuf::Timestamp* out);
void DurationToProto(absl::Duration duration, google::protobuf::Duration* out);

// Inline bytes never come back: their source_id does.
v1::Edit EditToProto(const Edit& edit);
v1::Job JobToProto(const JobSnapshot& snapshot);
v1::Transition TransitionToProto(const Transition& transition);
v1::Heartbeat HeartbeatToProto(const LiveInfo& live);
v1::CancelJobResponse CancelToProto(const CancelAnswer& answer);
v1::QuoteEditResponse QuoteToProto(const Quote& quote);
v1::Source SourceToProto(const SourceInfo& info);
v1::Budget BudgetToProto(const BudgetStatement& statement);

}  // namespace lumaedit
