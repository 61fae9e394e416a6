// The text of every migration, oldest first. A released one is never edited: a change is a new one.
#pragma once

#include <array>

namespace lumaedit {

// Times are microseconds UTC, NULL = unset. Money is micro-dollars. Numbers of states, charges and
// results equal those of server/job/job.h. Every table carries the caller, but for those of the
// whole store (lease, settings); budgets of all callers together have the caller ''.
inline constexpr std::array kMigrations = {
    R"sql(
CREATE TABLE settings (
  name TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE lease (
  only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
  owner TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  held INTEGER NOT NULL CHECK (held IN (0, 1))
) STRICT;

CREATE TABLE callers (
  caller TEXT NOT NULL PRIMARY KEY CHECK (caller <> ''),
  change INTEGER NOT NULL,
  purged_change INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE request_ids (
  caller TEXT NOT NULL REFERENCES callers (caller),
  request_id TEXT NOT NULL CHECK (request_id <> ''),
  job_id TEXT NOT NULL,
  request_time INTEGER NOT NULL,
  PRIMARY KEY (caller, request_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX request_ids_by_time ON request_ids (request_time);

CREATE TABLE budgets (
  caller TEXT NOT NULL,
  window_start INTEGER NOT NULL,
  reserved INTEGER NOT NULL DEFAULT 0,
  incurred INTEGER NOT NULL DEFAULT 0,
  uncertain INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (caller, window_start)
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
  id TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
  caller TEXT NOT NULL REFERENCES callers (caller),
  request_id TEXT NOT NULL,
  state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 10),
  sequence INTEGER NOT NULL CHECK (sequence >= 1),
  edit TEXT NOT NULL,
  options TEXT NOT NULL,
  quote_min INTEGER NOT NULL,
  quote_max INTEGER NOT NULL,
  charge_state INTEGER NOT NULL CHECK (charge_state BETWEEN 1 AND 4),
  charge_min INTEGER NOT NULL,
  charge_max INTEGER NOT NULL CHECK (charge_max >= 0),
  budget_window INTEGER NOT NULL,
  budget_day INTEGER NOT NULL,
  outcome TEXT,
  generation_id TEXT NOT NULL DEFAULT '',
  error TEXT,
  upstream_account TEXT NOT NULL DEFAULT '',
  upstream_id TEXT NOT NULL DEFAULT '',
  upstream_status TEXT NOT NULL DEFAULT '',
  candidate_upstream_ids TEXT NOT NULL DEFAULT '[]',
  stalled INTEGER NOT NULL DEFAULT 0,
  unreachable INTEGER NOT NULL DEFAULT 0,
  refusals INTEGER NOT NULL DEFAULT 0,
  cancel_result INTEGER NOT NULL DEFAULT 0 CHECK (cancel_result BETWEEN 0 AND 3),
  cancel_actor TEXT NOT NULL DEFAULT '',
  create_time INTEGER NOT NULL,
  accept_time INTEGER,
  end_time INTEGER,
  cancel_request_time INTEGER,
  next_attempt_time INTEGER,
  late_outcome_time INTEGER,
  state_time INTEGER NOT NULL,
  change_time INTEGER
) STRICT;
-- The state is part of it so that a filter by state does not read the rows it leaves out.
CREATE INDEX jobs_by_time ON jobs (caller, create_time, id, state);
CREATE INDEX jobs_live ON jobs (id) WHERE state < 7;
CREATE INDEX jobs_by_end ON jobs (end_time) WHERE end_time IS NOT NULL;
CREATE INDEX jobs_by_generation ON jobs (generation_id) WHERE generation_id <> '';
CREATE UNIQUE INDEX jobs_own_upstream_id ON jobs (upstream_account, upstream_id)
  WHERE upstream_id <> '';

CREATE TABLE job_labels (
  caller TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  create_time INTEGER NOT NULL,
  job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  PRIMARY KEY (caller, name, value, create_time, job_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_labels_by_job ON job_labels (job_id);

CREATE TABLE transitions (
  caller TEXT NOT NULL,
  change INTEGER NOT NULL,
  job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  sequence INTEGER NOT NULL CHECK (sequence >= 1),
  previous_state INTEGER CHECK (previous_state BETWEEN 1 AND 10),
  state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 10),
  record_time INTEGER NOT NULL,
  not_before INTEGER,
  not_after INTEGER,
  upstream_status TEXT NOT NULL,
  charge_state INTEGER NOT NULL CHECK (charge_state BETWEEN 1 AND 4),
  charge_min INTEGER NOT NULL,
  charge_max INTEGER NOT NULL,
  outcome TEXT,
  error TEXT,
  actor TEXT NOT NULL,
  PRIMARY KEY (caller, change),
  UNIQUE (job_id, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempts (
  job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  number INTEGER NOT NULL CHECK (number >= 1),
  caller TEXT NOT NULL,
  account TEXT NOT NULL CHECK (account <> ''),
  model TEXT NOT NULL,
  fingerprint TEXT NOT NULL CHECK (fingerprint <> ''),
  seal_time INTEGER NOT NULL,
  end_time INTEGER,
  upstream_id TEXT NOT NULL DEFAULT '',
  open INTEGER NOT NULL CHECK (open IN (0, 1)),
  not_accepted INTEGER NOT NULL DEFAULT 0 CHECK (not_accepted IN (0, 1)),
  PRIMARY KEY (job_id, number)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX attempts_block_equals ON attempts (account, fingerprint) WHERE open = 1;
CREATE INDEX attempts_unbound ON attempts (account) WHERE upstream_id = '' AND not_accepted = 0;

CREATE TABLE facts (
  job_id TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  number INTEGER NOT NULL CHECK (number >= 1),
  caller TEXT NOT NULL,
  record_time INTEGER NOT NULL,
  fact TEXT NOT NULL,
  PRIMARY KEY (job_id, attempt, number),
  FOREIGN KEY (job_id, attempt) REFERENCES attempts (job_id, number) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
)sql",
    R"sql(
ALTER TABLE attempts ADD COLUMN by_hand INTEGER NOT NULL DEFAULT 0
  CHECK (by_hand BETWEEN 0 AND 3);
CREATE INDEX attempts_by_hand ON attempts (account) WHERE by_hand <> 0;
)sql",
    // The length of the source as it was known at submission, in microseconds, and how.
    R"sql(
ALTER TABLE jobs ADD COLUMN source_length INTEGER CHECK (source_length > 0);
ALTER TABLE jobs ADD COLUMN duration_basis INTEGER NOT NULL DEFAULT 4
  CHECK (duration_basis BETWEEN 1 AND 4);
)sql",
    R"sql(
CREATE TABLE account_names (
  name TEXT NOT NULL PRIMARY KEY CHECK (name <> ''),
  account TEXT NOT NULL CHECK (account <> '')
) STRICT, WITHOUT ROWID;
-- Also of accounts that are not learned yet: an id belongs to one job, whatever its account.
CREATE INDEX jobs_by_upstream_id ON jobs (upstream_id) WHERE upstream_id <> '';
CREATE INDEX jobs_expired ON jobs (id, end_time) WHERE state = 10 AND late_outcome_time IS NULL;
)sql",
};

}  // namespace lumaedit
