#!/usr/bin/env python3
"""A storm of watchers on the real gateway, which is killed once and drained once in the middle of it; what they
saw is judged by one validator a guarantee.

  storm.py --seed 1                exit code 1 on any violation; the run is kept then
  storm.py --judge FOLDER          judges a kept run again"""

import argparse
import collections
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "e2e"), str(HERE.parent / "history")]
from harness import Gateway, Simulator, wait_for  # noqa: E402

import guarantees  # noqa: E402
import recorded  # noqa: E402

FLAGS = {"--poll-first": "50ms", "--poll-most": "300ms", "--poll-rate": "300", "--heartbeat": "5s",
         "--stream-age": "6s", "--stalled-write": "5s", "--confirm-window": "8s", "--visibility-time": "2s",
         "--most-refusals": "1000", "--log-level": "warning"}
# Refusals make transitions: SUBMITTING and back to PENDING.
FAULTS = [
    {"fault": "rate_limit_429", "on": "post", "probability": 0.35,
     "args": {"retry_after_ms": 100, "limit": 1000, "interval_seconds": 1}},
    {"fault": "lost", "on": "get", "probability": 0.05},
    {"fault": "server_error", "on": "get", "probability": 0.05, "args": {"status": 502, "body": "html"}},
    {"fault": "sync_failure", "on": "post", "probability": 0.05, "args": {"style": "200"}},
]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Storm:
    def __init__(self, folder, options):
        self.folder = folder
        self.options = options
        self.rng = random.Random(options.seed)
        self.simulator = Simulator(folder, "--time-factor", "20", "--queue-seconds", "10", "--run-seconds", "60")
        for rule in FAULTS:
            self.simulator.control("faults", rule)
        self.listen = f"127.0.0.1:{free_port()}"
        self.gateway = None
        self.recorder = None

    def start(self):
        flags = [word for flag in {**FLAGS, "--listen": self.listen}.items() for word in flag]
        self.gateway = Gateway(self.folder, self.simulator, *flags)
        self.gateway.ready()

    def run(self):
        self.start()
        options = self.options
        with open(self.folder / "recorder.log", "wb") as log:
            self.recorder = subprocess.Popen(
                [os.environ["WATCH_RECORDER"], "--address", self.listen, "--out", str(self.folder / "seen.tsv"),
                 "--seed", str(options.seed), "--submit", str(options.jobs), "--spread", str(options.seconds),
                 "--job-watches", str(options.job_watches), "--jobs-watches", str(options.jobs_watches),
                 "--limit", str(options.limit)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        # Once by force and once in peace, both in the middle of the load.
        self.let_it_rage(options.seconds * self.rng.uniform(0.2, 0.4))
        if self.gateway.end(signal.SIGKILL) != -signal.SIGKILL:
            raise AssertionError(f"the gateway ended by itself:\n{self.gateway.log()[-3000:]}")
        self.start()
        self.let_it_rage(options.seconds * self.rng.uniform(0.2, 0.4))
        if self.gateway.end() != 0:
            raise AssertionError(f"the gateway did not stop well:\n{self.gateway.log()[-3000:]}")
        self.start()
        self.recorder.wait(timeout=options.limit + options.seconds + 60)
        if self.gateway.end() != 0:
            raise AssertionError(f"the last gateway did not stop well:\n{self.gateway.log()[-3000:]}")

    def let_it_rage(self, seconds):
        end = time.monotonic() + seconds
        wait_for("the storm rages", lambda: time.monotonic() > end or self.recorder.poll() is not None)
        if self.recorder.poll() is not None:
            raise AssertionError(f"the recorder is gone:\n{(self.folder / 'recorder.log').read_text()[-3000:]}")

    def close(self):
        if self.recorder is not None and self.recorder.poll() is None:
            self.recorder.kill()
            self.recorder.wait()
        for program in (self.gateway, self.simulator):
            if program is not None and program.process.poll() is None:
                program.end(signal.SIGKILL)


def judge(folder):
    run = recorded.Recorded(folder / "seen.tsv")
    heard = run.heard()
    passed, failed = guarantees.judge(guarantees.ALL, heard)
    more = guarantees.judge([recorded.everybody_came_to_an_end, recorded.the_list_agrees], run)
    kinds = collections.Counter(f"{kind} {behaviour}" for kind, behaviour in run.watchers.values())
    ends = collections.Counter(f"{kind} {reason if reason != '-' else 'code ' + code}"
                               for kind, code, reason in run.ends.elements())
    print("watchers: " + ", ".join(f"{name} {count}" for name, count in sorted(kinds.items())))
    print("calls ended: " + ", ".join(f"{name} {count}" for name, count in sorted(ends.items())))
    print(f"{len(run.listed)} jobs, {sum(map(len, heard.store.values()))} transitions, {len(run.watchers)} watchers, "
          f"{len(heard.streams)} streams and polls, {run.deliveries} deliveries")
    return passed + more[0], failed + more[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=60)
    parser.add_argument("--job-watches", type=int, default=4, help="a job")
    parser.add_argument("--jobs-watches", type=int, default=40, help="of all jobs")
    parser.add_argument("--seconds", type=float, default=20, help="over which jobs are submitted")
    parser.add_argument("--limit", type=float, default=240, help="seconds after which all must be over")
    parser.add_argument("--judge", type=pathlib.Path, help="judge the kept run in this folder again")
    parser.add_argument("--keep", action="store_true", help="keep the run also when nothing is wrong")
    options = parser.parse_args()
    if options.judge:
        passed, failed = judge(options.judge)
        print(f"{passed} passed, {failed} failed")
        return 1 if failed else 0
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lumaedit-storm-"))
    began = time.monotonic()
    storm = Storm(folder, options)
    passed, failed = 0, 1
    try:
        storm.run()
        passed, failed = judge(folder)
    except (AssertionError, subprocess.TimeoutExpired) as error:
        print(f"the run broke: {error}")
    finally:
        storm.close()
    print(f"seed {options.seed}, {time.monotonic() - began:.0f} s")
    if failed or options.keep:
        print(f"kept for replay: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
