#include "server/store/overview_rows.h"

#include <utility>

#include "server/store/status_macros.h"
#include "server/store/value_json.h"

namespace lumaedit {
namespace {

absl::Status CountLive(SqliteConnection& connection, StoreOverview& overview) {
  Statement select = connection.Prepare(
      "SELECT state, count(*), sum(charge_max) FROM jobs WHERE state < 7 GROUP BY state");
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return absl::OkStatus();
    const auto state = static_cast<JobState>(select.Int(0));
    overview.live[state] = select.Int(1);
    if (state == JobState::kHeld) overview.held_usd_micros = select.Int(2);
  }
}

absl::Status SumUncertain(SqliteConnection& connection, StoreOverview& overview) {
  Statement select =
      connection.Prepare("SELECT coalesce(sum(uncertain), 0) FROM budgets WHERE caller = ''");
  ASSIGN_OR_RETURN(const bool row, select.Step());
  if (row) overview.uncertain_usd_micros = select.Int(0);
  return absl::OkStatus();
}

absl::Status ReadHeld(SqliteConnection& connection, int most, StoreOverview& overview) {
  Statement select = connection.Prepare(
      "SELECT id, caller, state_time, charge_min, charge_max, candidate_upstream_ids FROM jobs"
      " WHERE state < 7 AND state = 4 ORDER BY state_time, id LIMIT ?");
  select.Bind(most);
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return absl::OkStatus();
    HeldJob held;
    held.id = select.Text(0);
    held.caller = select.Text(1);
    held.since = absl::FromUnixMicros(select.Int(2));
    held.amount = {select.Int(3), select.Int(4)};
    ASSIGN_OR_RETURN(held.candidate_upstream_ids, StringsFromJson(select.Text(5)));
    overview.held.push_back(std::move(held));
  }
}

}  // namespace

absl::StatusOr<StoreOverview> ReadOverview(SqliteConnection& connection, int most_held) {
  StoreOverview overview;
  RETURN_IF_ERROR(CountLive(connection, overview));
  RETURN_IF_ERROR(SumUncertain(connection, overview));
  RETURN_IF_ERROR(ReadHeld(connection, most_held, overview));
  return overview;
}

absl::StatusOr<absl::Time> ReadNewestStateTime(SqliteConnection& connection) {
  Statement select = connection.Prepare("SELECT coalesce(max(state_time), -1) FROM jobs");
  ASSIGN_OR_RETURN(const bool row, select.Step());
  if (!row || select.Int(0) < 0) return absl::InfinitePast();
  return absl::FromUnixMicros(select.Int(0));
}

}  // namespace lumaedit
