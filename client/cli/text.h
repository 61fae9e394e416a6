// How values look on a terminal: money, times, states; and what of a foreign text may reach one.
//
// Pure functions, for any thread.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"
#include "lumaedit/v1/job.pb.h"

namespace lumaedit::client::cli {

// `text` without anything that a terminal would act on or that hides what is there: control
// characters (C0, DEL, C1), line and paragraph separators, marks that change the direction of
// writing. A run of them becomes one space; bytes that are not UTF-8 become U+FFFD. Everything that
// the gateway, the upstream or a file said goes through here before it is printed.
std::string Clean(absl::string_view text);

// "$1.08"; further digits only when there are such: "$0.0725".
std::string Money(std::int64_t usd_micros);

// "$1.08", or "$1.08 – $6.48" when the bounds differ.
std::string Price(const v1::PriceRange& price);

// "$1.08 incurred", with the word in lower case.
std::string ChargeText(const v1::Charge& charge);

// "no candidate", "1 candidate", "3 candidates": records that a HELD job may be.
std::string CandidatesText(const v1::Job& job);

// "2026-11-23T02:40:01Z"; "-" when unset.
std::string TimeText(const google::protobuf::Timestamp& time);

absl::Time ToTime(const google::protobuf::Timestamp& time);

// "7s", "2m05s", "1h02m": for people, in whole seconds. Negative is "0s".
std::string Elapsed(absl::Duration duration);

// The first part of `text` that fits into `columns`, a code point counted as one.
std::string Fit(absl::string_view text, int columns);

// The name of a reason without its prefix, "CONTENT_MODERATED".
std::string ReasonName(v1::ErrorReason reason);

}  // namespace lumaedit::client::cli
