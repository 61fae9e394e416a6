// The engine's times and limits, with the defaults of protocol.md. Durations are of uptime, but for
// those that are compared with recorded times, which are of wall time.
#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "server/base/backoff.h"
#include "server/job/retention_settings.h"

namespace lumaedit {

struct DispatchSettings {
  int posts_in_flight = 8;
  // How long an answer is awaited before the job is UNCONFIRMED. The connection is read on.
  absl::Duration answer_wait = absl::Seconds(120);
  // How long the lease must be good for at the seal.
  absl::Duration lease_margin = absl::Seconds(5);
  BackoffRange retry = {absl::Milliseconds(500), absl::Minutes(5)};
  int most_refusals = 100;
  // After an answer that perhaps refuses everybody: dispatch pauses, then probes with one job.
  absl::Duration pause_first = absl::Minutes(1);
  absl::Duration pause_most = absl::Minutes(5);
  // So many answers in a row that leave a job UNCONFIRMED pause dispatch too.
  int unclear_in_a_row = 3;
  absl::Duration unclear_pause_first = absl::Seconds(30);
  absl::Duration unclear_pause_most = absl::Minutes(5);
  // How soon a job is looked at again whose equal payload is in doubt elsewhere.
  absl::Duration equal_payload_wait = absl::Seconds(2);
};

struct PollSettings {
  absl::Duration first = absl::Seconds(2);
  double growth = 1.3;
  absl::Duration most = absl::Seconds(10);
  double jitter = 0.1;
  absl::Duration old_age = absl::Minutes(30);
  absl::Duration old_interval = absl::Seconds(30);
  double requests_per_second = 20;
  int in_flight = 16;
  // With so many running jobs, pages of the list serve many of them at once. 0: never.
  int list_from = 20;
  // accept_time + this: EXPIRED.
  absl::Duration job_deadline = absl::Hours(4);
  // A success without a video URL is asked again for this long.
  absl::Duration output_wait = absl::Seconds(60);
  absl::Duration stalled_after = absl::Minutes(15);
};

struct ReconcileSettings {
  // The visibility time v: an accepted record shows in the list within it (assumption A3).
  absl::Duration visibility = absl::Minutes(2);
  // The doubt about clocks, s, before and after the upstream's time is learned.
  absl::Duration clock_doubt_unlearned = absl::Minutes(5);
  absl::Duration clock_doubt = absl::Seconds(10);
  // Where neither answer nor break was seen, an attempt ends this long after its seal.
  absl::Duration longest_attempt = absl::Seconds(330);
  absl::Duration confirm_window = absl::Minutes(10);
  absl::Duration held_interval = absl::Minutes(10);
  absl::Duration held_day = absl::Hours(24);
  absl::Duration held_old_interval = absl::Hours(1);
  int page_limit = 20;
  // Fresh jobs need a page or two. How far back held ones are looked for: 5,000 records.
  int most_pages = 250;
  // With inline jobs about, pages have one record each.
  int most_single_pages = 1000;
  // More of list bodies in one pass, and the pass proves nothing.
  std::int64_t most_bytes = std::int64_t{512} << 20;
  // A pass with a larger mean record is followed by one that reads one record at a time.
  std::int64_t fat_record_bytes = std::int64_t{1} << 20;
  // --on-capacity-refusal: true = retry, false = hold.
  bool retry_capacity_refusal = true;
};

// EXPIRED jobs are asked about again (protocol.md section 1).
struct LateSettings {
  absl::Duration interval = absl::Minutes(10);
  absl::Duration look_for = absl::Hours(24);  // from their end
};

struct LeaseSettings {
  absl::Duration renew_every = absl::Seconds(5);
};

struct HouseSettings {
  // A source stays at least this long after a job was seen to need it; looked at each hour.
  absl::Duration source_kept = absl::Hours(24);
};

struct EngineSettings {
  DispatchSettings dispatch;
  PollSettings poll;
  ReconcileSettings reconcile;
  LateSettings late;
  RetentionSettings retention;
  LeaseSettings lease;
  HouseSettings house;
};

}  // namespace lumaedit
