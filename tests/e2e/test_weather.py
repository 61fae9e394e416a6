"""A disk that fills up and a clock that jumps, under the real gateway. Needs root for the disk."""

import datetime
import json
import os
import subprocess
import time
import unittest
import uuid

from harness import Cli, EndToEndTest, transitions_of, wait_for

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


class FullDisk(EndToEndTest):
    def setUp(self):
        super().setUp()
        self.disk = self.folder / "disk"
        self.disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "lumaedit-e2e", str(self.disk)], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", str(self.disk)], check=True)

    def fill(self):
        """Leaves not one byte; answers the file to be removed."""
        path = self.disk / "fill"
        with open(path, "wb", buffering=0) as file:
            for size in (1 << 16, 1 << 12, 1):
                try:
                    while file.write(b"\0" * size):
                        pass
                except OSError:
                    pass
        return path

    def test_it_refuses_stays_alive_and_heals(self):
        simulator = self.simulator("--time-factor", "20")
        gateway = self.gateway(simulator, "--data-dir", str(self.disk / "data"))
        cli = Cli(gateway.address())

        def submit(prompt):
            return cli.run("--timeout", "2s", "submit", "--prompt", prompt, "--generation-id", "g",
                           "--request-id", str(uuid.uuid4()))
        code, lines, err = submit("before [sim:run=100]")
        self.assertEqual(code, 0, err)
        acknowledged = [lines[-1]["id"]]
        fill = self.fill()

        def refused():
            code, lines, err = submit("x" * 5000)
            if code == 0:
                acknowledged.append(lines[-1]["id"])
                return None
            return code, json.loads(err.splitlines()[-1])["error"]
        code, error = wait_for("the disk is full", refused)
        self.assertEqual((code, error["code"], error["reason"]), (7, "UNAVAILABLE", "STORAGE_FULL"), error)
        self.assertIn("retryAfter", error)
        self.assertEqual(gateway.admin("/healthz")[0], 200)
        self.assertIn('"storage_full"', gateway.log())
        for job in acknowledged:
            self.assertIsNotNone(cli.job(job))
        self.assertNotIn("lease_lost", gateway.log())

        fill.unlink()

        def taken():
            code, lines, _ = submit("after [sim:fast]")
            return lines[-1]["id"] if code == 0 else None
        acknowledged.append(wait_for("space is used again", taken))
        for job in acknowledged:
            code, lines, err = cli.run("watch", job)
            self.assertEqual(code, 0, err)
            self.assert_whole(transitions_of(lines), "STATE_SUCCEEDED")
        # A refusal may have become durable after all, which its caller hears by repeating it.
        self.assertGreaterEqual(simulator.accepted(), len(acknowledged))
        code, listed, err = cli.run("list", "--limit", "0")
        self.assertLessEqual(set(acknowledged), {job["id"] for job in listed})
        self.assertEqual(simulator.accepted(), len(listed))
        self.assertEqual(gateway.end(), 0)


class JumpingClock(EndToEndTest):
    POLL_MOST = 0.5

    def setUp(self):
        super().setUp()
        self.asked = 0  # jobs that only told the time
        self.offset = self.folder / "offset"
        self.jump("+0")
        self.simulator_program = self.simulator("--time-factor", "20")
        libraries = subprocess.run(["ldd", os.environ["LUMA_EDIT_GATEWAY"]], capture_output=True,
                                   text=True, check=True).stdout
        # Where the program is built with a sanitizer, its library wants to be the first.
        first = [line.split()[2] for line in libraries.splitlines() if "libasan" in line]
        self.program = self.gateway(
            self.simulator_program, "--poll-first", "200ms", "--poll-most", f"{self.POLL_MOST}s",
            "--confirm-window", "5s", "--held-interval", "2s",
            env={"LD_PRELOAD": " ".join([*first, FAKETIME]), "FAKETIME_TIMESTAMP_FILE": str(self.offset),
                 "FAKETIME_CACHE_DURATION": "1", "DONT_FAKE_MONOTONIC": "1"})
        self.cli = Cli(self.program.address())

    def jump(self, offset):
        part = self.folder / "offset.part"
        part.write_text(offset + "\n")
        part.rename(self.offset)

    def submit(self, prompt):
        code, lines, err = self.cli.run("submit", "--prompt", prompt, "--generation-id", "g")
        self.assertEqual(code, 0, err)
        return lines[-1]

    def polls(self):
        return self.simulator_program.control("requests")["kinds"]["get"]["count"]

    def jump_and_see(self, offset, seconds):
        """Jumps, and waits until the gateway's clock has."""
        self.jump(offset)

        def noticed():
            job = self.submit("what time is it [sim:fast]")
            self.asked += 1
            ahead = moment(job["createTime"]) - datetime.datetime.now(datetime.timezone.utc)
            return job["id"] if abs(ahead.total_seconds() - seconds) < 60 else None
        return wait_for(f"the clock is {offset}", noticed)

    def test_an_hour_forth_and_back(self):
        jobs = [self.submit(f"{number} [sim:run=200]")["id"] for number in range(5)]
        # One is looked for while the clock jumps: times before and after do not compare, so it may be
        # HELD until the clock is right again.
        self.simulator_program.control("faults", {"fault": "accepted_then_lost", "on": "post", "times": 1})
        jobs.append(self.submit("in doubt [sim:run=200]")["id"])
        for offset, seconds in (("+3600", 3600), ("-3500", -3500), ("+0", 0)):
            polls, began = self.polls(), time.monotonic()
            jobs.append(self.jump_and_see(offset, seconds))
            self.asked -= 1
            elapsed, seen = time.monotonic() - began, self.polls() - polls
            # Each live job at its pace, and as much again to spare: no burst.
            self.assertLessEqual(seen, 2 * (len(jobs) + 10) * (elapsed / self.POLL_MOST + 2), (seen, elapsed))
        for job in jobs:
            wait_for(f"{job} is over", lambda: self.cli.job(job)["state"] == "STATE_SUCCEEDED")
            code, lines, err = self.cli.run("watch", job)
            self.assertEqual(code, 0, f"{err}\n{self.program.log()}")
            transitions = transitions_of(lines)
            self.assert_whole(transitions, "STATE_SUCCEEDED")
            times = [moment(t["recordTime"]) for t in transitions]
            self.assertEqual(times, sorted(times), "the transitions of a job do not go back in time")
            shown = self.cli.job(job)
            self.assertGreaterEqual(moment(shown["endTime"]), moment(shown["createTime"]))
        self.assertEqual(self.simulator_program.accepted(), len(jobs) + self.asked)
        log = self.program.log()
        for event in ("lease_lost", "lease_not_renewed", "EXPIRED", "task_failed"):
            self.assertNotIn(event, log)
        for text in self.program.admin("/metrics")[1].splitlines():
            self.assertNotRegex(text, r"^lumaedit_\w*seconds_sum\S* -", "a negative duration")
        self.assertEqual(self.program.end(), 0)


if __name__ == "__main__":
    unittest.main()
