"""Every fault of the upstream against the real gateway: the state, the charge and the number of
accepted POSTs that each must end with. The rows are in fault_rows.py."""

import concurrent.futures
import json
import pathlib
import re
import shutil
import signal
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request
from datetime import datetime

from fault_rows import GROUPS
from fault_table import REFUNDED
from harness import KEY, LIMIT, Cli, Gateway, Simulator, transitions_of, wait_for, write_video

GROUPS_AT_A_TIME = 6
# A watch shows a HELD job only until it returns; a job that leaves HELD by itself is watched on.
FINAL = {"SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"}


def word(text, prefix="STATE_"):
    return text.removeprefix(prefix)


def seconds(text):
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d*Z$|Z$", lambda m: (m[1] or "") + "+00:00", text)).timestamp()


class House:
    """One simulator and one gateway, and the rows of one group against them."""

    def __init__(self, group):
        self.group = group
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lumaedit-faults-"))
        self.programs = []
        self._lock = threading.Lock()

    def run(self):
        """Problems by row; none: all is as the table says."""
        began = time.monotonic()
        try:
            self.simulator = Simulator(self.folder, "--time-factor", str(self.group.time_factor),
                                       *self.group.simulator)
            self.programs.append(self.simulator)
            gateway = Gateway(self.folder, self.simulator, *self.group.flags)
            self.programs.append(gateway)
            self.cli = Cli(gateway.address())
            with concurrent.futures.ThreadPoolExecutor(self.group.together) as pool:
                problems = dict(zip((row.mark for row in self.group.rows), pool.map(self._row, self.group.rows)))
            # A crash or a report of the sanitizers shows as a bad exit.
            code = gateway.end()
            if code != 0:
                problems["the gateway's end"] = [f"exit code {code}\n{gateway.log()[-4000:]}"]
            self.seconds = time.monotonic() - began
            return problems
        finally:
            for program in self.programs:
                if program.process.poll() is None:
                    program.end(signal.SIGKILL)
            shutil.rmtree(self.folder, ignore_errors=True)

    def _row(self, row):
        try:
            return self._check(row, *self._drive(row))
        except (AssertionError, OSError, ValueError, subprocess.SubprocessError) as error:
            return [f"{type(error).__name__}: {error}"]

    def _drive(self, row):
        if self.group.together == 1:
            self.simulator.control("reset", {})
        for n in range(self.group.filler):
            self.simulator.control("records", {"payload": {"prompt": f"elsewhere {n}"}})
        rules = [dict(rule) for rule in row.rules]
        for rule in rules:
            if not rule.pop("everybody", False):
                rule.setdefault("match_prompt", row.mark)
            self.simulator.control("faults", rule)
        source = ["--generation-id", "gen-1"]
        if row.inline_bytes:
            video = self.folder / "clip.mp4"
            write_video(video, row.inline_bytes)
            source = ["--source", str(video)]
        code, lines, err = self.cli.run("submit", "--prompt", f"{row.mark} {row.prompt}", *source, *row.submit)
        assert code == 0, err
        job_id = lines[-1]["id"]
        watch = self.cli.start("watch", job_id)
        try:
            if row.during:
                getattr(self, row.during)(job_id)
            if row.state == "HELD":
                wait_for(f"{row.mark} is held", lambda: self.cli.job(job_id)["state"] == "STATE_HELD")
                watch.send_signal(signal.SIGTERM)
            out, err = watch.communicate(timeout=LIMIT)
        finally:
            if watch.poll() is None:
                watch.kill()
                watch.communicate()
        return self.cli.job(job_id), transitions_of([json.loads(line) for line in out.splitlines()])

    def _check(self, row, job, transitions):
        problems = []

        def same(what, seen, expected):
            if seen != expected:
                problems.append(f"{what}: {seen}, not {expected}")
        states = [word(t["state"]) for t in transitions]
        same("sequence", [t["sequence"] for t in transitions], list(range(1, len(transitions) + 1)))
        same("state", word(job["state"]), row.state)
        same("last transition", states[-1:], [row.state])
        same("charge", word(job["charge"]["state"]), row.charge)
        if row.attempts is not None:
            same("attempts", states.count("SUBMITTING"), row.attempts)
        if row.reason:
            same("reason", word(job.get("error", {}).get("reason", ""), "ERROR_REASON_"), row.reason)
        if row.candidates is not None:
            same("candidates", len(job.get("candidateUpstreamIds", [])), row.candidates)
        for state in row.must_pass:
            if state not in states:
                problems.append(f"{state} is not among {states}")
        self._check_wait(row, transitions, problems)
        self._check_ledger(row, job, same)
        if problems:
            problems.append(f"states: {states}")
        return problems

    def _check_wait(self, row, transitions, problems):
        for before, after in zip(transitions, transitions[1:]):
            if (word(before["state"]), word(after["state"])) != ("PENDING", "SUBMITTING"):
                continue
            waited = seconds(after["recordTime"]) - seconds(before["recordTime"])
            if before["sequence"] > 1 and waited < row.least_wait:
                problems.append(f"sent again after {waited:.2f} s, not {row.least_wait:g} s")

    def _check_ledger(self, row, job, same):
        records = [r for key in self.simulator.ledger()["keys"] for r in key["accepted"]
                   if row.mark in r["prompt"]]
        same("accepted POSTs", len(records), row.accepted)
        refunded = REFUNDED[row.charge]
        if records and refunded is not None:
            same("refunded", records[-1]["refunded"], refunded)
        if row.state in FINAL and job.get("upstreamId"):
            everything = {r["request_id"]: r for r in self.simulator.control("records")["records"]}
            same("the record behind it is its own", row.mark in everything[job["upstreamId"]]["prompt"], True)
        for rule in self.simulator.control("faults")["faults"]:
            if rule.get("match_prompt", row.mark) == row.mark:
                same(f"{rule['fault']} struck", rule["struck"] > 0 or rule["fault"] == "output_fault", True)

    # What some rows do while their job runs.

    def key_comes_back(self, _job_id):
        wait_for("the key is revoked", lambda: any(k["refused_with"] for k in self.simulator.ledger()["keys"]))
        self.simulator.control("keys", {"key": KEY})

    def waits_two_minutes(self, job_id):
        def waiting():
            job = self.cli.job(job_id)
            return job["state"] == "STATE_PENDING" and "nextAttemptTime" in job and job
        job = wait_for("the job waits", waiting)
        wait = seconds(job["nextAttemptTime"]) - time.time()
        assert 100 < wait <= 120.5, f"waits {wait} s"

    def output_is_refused(self, job_id):
        job = wait_for("it has an outcome", lambda: (j := self.cli.job(job_id)) and "outcome" in j and j)
        context = ssl.create_default_context(cafile=self.simulator.ca_file)
        # Nobody but a reader of the output meets this fault; the gateway never fetches it.
        assert "output" not in self.simulator.control("requests")["kinds"]
        try:
            urllib.request.urlopen(job["outcome"]["videoUrl"], context=context, timeout=LIMIT)
        except urllib.error.HTTPError as error:
            assert error.code == 403, error
        else:
            raise AssertionError("the output was readable")


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pool = concurrent.futures.ThreadPoolExecutor(GROUPS_AT_A_TIME)
        cls.runs = {group.name: cls.pool.submit(House(group).run) for group in GROUPS}

    @classmethod
    def tearDownClass(cls):
        cls.pool.shutdown(cancel_futures=True)

    def test_every_fault_has_a_row(self):
        self.assertEqual({row.fault for group in GROUPS for row in group.rows}, set(range(31)))


def _add(group):
    def test(self):
        for mark, problems in self.runs[group.name].result().items():
            with self.subTest(mark):
                self.assertEqual(problems, [])
    setattr(Faults, "test_" + re.sub(r"\W+", "_", group.name), test)


for _group in GROUPS:
    _add(_group)

if __name__ == "__main__":
    unittest.main()
