"""How soon it is known what happened upstream, by the simulator's own clock, and the bounds exported for it."""

import datetime
import typing
import unittest

from harness import LIMIT, Cli, EndToEndTest, transitions_of, wait_for
from metrics_text import parse, total

STATES = {"processing": "STATE_PROCESSING", "success": "STATE_SUCCEEDED"}

POLL_MOST = 1.0
# The wait between two polls with its jitter; then a read, a commit and a loaded machine.
LONGEST = 1.1 * POLL_MOST + 4 * LIMIT / 60
# The simulator's clock shows whole milliseconds of a start that is cut to one.
ROUNDING = 0.002


class Delay(typing.NamedTuple):
    """From the change at the upstream to its commit, in seconds, and what the gateway knew of that."""

    what: str
    real: float
    lower: float
    upper: float


def seconds(text):
    return datetime.datetime.fromisoformat(text).timestamp()


class Detection(EndToEndTest):
    def start(self, *flags):
        self.upstream = self.simulator()
        self.served_by = self.gateway(
            self.upstream, "--poll-first", "200ms", "--poll-most", f"{POLL_MOST:g}s", *flags)
        self.cli = Cli(self.served_by.address())
        self.happened = {}
        self.jobs = {}

    def submit(self, count):
        submitted = []
        for number in range(count):
            code, lines, err = self.cli.run(
                "submit", "--prompt", f"{number} [sim:stuck]", "--generation-id", "g")
            self.assertEqual(code, 0, err)
            submitted.append(lines[-1]["id"])
        return submitted

    def accepted(self, submitted):
        self.wait_for_transitions("queued", len(submitted))
        for job in submitted:
            self.jobs[self.cli.job(job)["upstreamId"]] = job

    def metrics(self):
        code, text = self.served_by.admin("/metrics")
        self.assertEqual(code, 200, text)
        return parse(text)[0]

    def wait_for_transitions(self, state, count):
        wait_for(f"{count} transitions to {state}", lambda: total(
            self.metrics(), "lumaedit_transitions_total", state=state) >= count)

    def change(self, record, status):
        answer = self.upstream.control(f"records/{record}", {"status": status})
        self.assertEqual(answer["steps"][-1]["status"], status)
        self.happened[record, status] = answer["steps"][-1]["unix_ms"] / 1000

    def change_all(self, status, known_as):
        """Some one by one, each right after the one before was known; the rest at once."""
        records = list(self.jobs)
        half = len(records) // 2
        for count, record in enumerate(records[:half], 1):
            self.change(record, status)
            self.wait_for_transitions(known_as, count)
        for record in records[half:]:
            self.change(record, status)
        self.wait_for_transitions(known_as, len(records))

    def delays(self):
        found = []
        for record, job in self.jobs.items():
            code, lines, err = self.cli.run("watch", job)
            self.assertEqual(code, 0, err)
            transitions = transitions_of(lines)
            self.assert_whole(transitions, "STATE_SUCCEEDED")
            for status, state in STATES.items():
                (seen,) = [transition for transition in transitions if transition["state"] == state]
                known = seconds(seen["recordTime"])
                found.append(Delay(f"{state} of {job}", known - self.happened[record, status],
                                   known - seconds(seen["notAfter"]), known - seconds(seen["notBefore"])))
        return found

    def check_bounds(self, delays):
        for delay in delays:
            self.assertGreaterEqual(delay.real, -ROUNDING, delay)
            self.assertGreaterEqual(delay.lower, 0, delay)
            self.assertLessEqual(delay.lower, delay.real + ROUNDING, delay)
            self.assertGreaterEqual(delay.upper, delay.real - ROUNDING, delay)

    def check_histogram(self, delays):
        name = "lumaedit_detection_delay_seconds"
        series = self.metrics()
        for bound in ("lower", "upper"):
            values = [getattr(delay, bound) for delay in delays]
            self.assertEqual(total(series, f"{name}_count", bound=bound), len(values))
            self.assertAlmostEqual(total(series, f"{name}_sum", bound=bound), sum(values),
                                   delta=1e-5 * len(values))
            buckets = {dict(key)["le"]: value for key, value in series[f"{name}_bucket"].items()
                       if dict(key)["bound"] == bound}
            self.assertGreater(len(buckets), 5)
            for least, value in buckets.items():
                self.assertEqual(value, sum(one <= float(least) for one in values), f"{bound} {least}")

    def follow(self, count, *flags):
        """How many reads of each kind it took."""
        self.start(*flags)
        self.accepted(self.submit(count))
        self.change_all("processing", "processing")
        self.change_all("success", "succeeded")
        delays = self.delays()
        self.assertEqual(len(delays), 2 * count)
        self.check_bounds(delays)
        self.check_histogram(delays)
        for delay in delays:
            self.assertLessEqual(delay.real, LONGEST, delay)
        kinds = self.upstream.control("requests")["kinds"]
        return {kind: kinds.get(kind, {}).get("count", 0) for kind in ("get", "list")}

    def test_of_jobs_that_are_polled_one_by_one(self):
        reads = self.follow(6, "--list-polls-from", "0")
        self.assertEqual(reads["list"], 0)

    def test_of_jobs_that_pages_of_the_list_show(self):
        reads = self.follow(10, "--list-polls-from", "1")
        self.assertGreater(reads["list"], reads["get"])

    def test_of_a_change_before_the_post_was_answered(self):
        self.start()
        self.upstream.control("faults", {"fault": "slow", "on": "post", "args": {"until_released": True}})
        submitted = self.submit(1)
        wait_for("the record", lambda: self.upstream.accepted() == 1)
        (record,) = self.upstream.control("records")["records"]
        self.change(record["request_id"], "processing")
        late = self.happened[record["request_id"], "processing"] + 0.3
        wait_for("time has passed", lambda: self.upstream.control("requests")["now_unix_ms"] / 1000 > late)
        self.upstream.control("release", {})
        self.accepted(submitted)
        self.wait_for_transitions("processing", 1)
        self.change(record["request_id"], "success")
        delays = self.delays()
        self.check_bounds(delays)
        self.check_histogram(delays)


if __name__ == "__main__":
    unittest.main()
