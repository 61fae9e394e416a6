#!/usr/bin/env python3
"""Kills the gateway again and again under load and faults, and judges the end by the ledger.

  kill_test.py --rounds 200 --seed 1       exit code 1 on any violation; the run is kept then
  kill_test.py --judge FOLDER              judges a kept run again"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "e2e"), str(TESTS / "history")]
from harness import CRASH_POINTS, Gateway, Simulator, wait_for  # noqa: E402

import certificates  # noqa: E402
import faults  # noqa: E402
import guarantees  # noqa: E402
import validators  # noqa: E402
from callers import Caller, Edits  # noqa: E402
from history import History  # noqa: E402
from judge import FINAL, Evidence, state_of  # noqa: E402

CALLERS = ("ada", "bo", "cy")
# The windows of the protocol, as short as its settings allow.
FLAGS = {"--poll-first": "50ms", "--poll-most": "300ms", "--poll-rate": "200", "--answer-wait": "2s",
         "--visibility-time": "1s", "--confirm-window": "18s", "--held-interval": "5s",
         "--pause-first": "100ms", "--pause-most": "200ms",
         "--doubt-pause-first": "100ms", "--doubt-pause-most": "200ms", "--log-level": "warning"}
PASSED_BY = 2.0   # seconds within which a crash point should be passed
LIVES_FOR = 1.0   # seconds at most, where a random instant ends it
REST = 180        # seconds within which everything must come to rest


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Turn:
    """Callers act once a round, and go on with a call across the gateway's death."""

    def __init__(self):
        self._changed = threading.Condition()
        self._number = 0
        self._over = False

    def next(self):
        with self._changed:
            self._number += 1
            self._changed.notify_all()

    def end(self):
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def follow(self, step):
        done = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._over or self._number > done)
                if self._over:
                    return
                done = self._number
            step()


class Run:
    def __init__(self, folder, seed):
        self.folder = folder
        self.rng = random.Random(seed)
        self.history = History(folder / "history.jsonl")
        certs = certificates.make(folder / "certificates", CALLERS)
        (folder / "watches").mkdir()
        (folder / "replays").mkdir()
        self.simulator = Simulator(folder, "--time-factor", "20", "--queue-seconds", "4", "--run-seconds", "12")
        self.listen = f"127.0.0.1:{free_port()}"
        self.flags = [word for flag in {
            **FLAGS, "--listen": self.listen, "--admin-listen": "127.0.0.1:0", "--tls-cert-file": str(certs / "gateway.pem"),
            "--tls-key-file": str(certs / "gateway.key"), "--client-ca-file": str(certs / "ca.pem")}.items()
            for word in flag]
        edits = Edits(random.Random(f"{seed} edits"))
        self.callers = [Caller(name, self.listen, certs, folder / "watches", edits, self.history, seed)
                        for name in CALLERS]
        self.gateway = None
        self.struck = collections.Counter()  # crash point → how often it was struck

    def start(self, crash_at=None):
        self.gateway = Gateway(self.folder, self.simulator, *self.flags, crash_at=crash_at)
        self.history.write("started", pid=self.gateway.process.pid, crash_at=crash_at)

    def kill_within(self, seconds, at, served):
        """Waits for the crash point, if there is one; kills when the time is over. `served`: the time begins when
        the gateway is ready."""
        process = self.gateway.process
        if served:
            wait_for("the gateway is ready or dead",
                     lambda: self.gateway.ready_path.exists() or process.poll() is not None)
        try:
            process.wait(timeout=seconds)
            passed = True
        except subprocess.TimeoutExpired:
            passed = False
        code = self.gateway.end(signal.SIGKILL)
        if code != -signal.SIGKILL:
            raise AssertionError(f"the gateway ended by itself with {code}:\n{self.gateway.log()[-3000:]}")
        if passed:
            self.struck[at] += 1
        self.history.write("killed", point=at if passed else "an instant", time=time.time(),
                           served=self.gateway.ready_path.exists())

    def rounds(self, count):
        for rule in faults.rules():
            self.simulator.control("faults", rule)
        began = time.monotonic()
        turn = Turn()
        with concurrent.futures.ThreadPoolExecutor(len(self.callers)) as pool:
            work = [pool.submit(turn.follow, caller.step) for caller in self.callers]
            try:
                for number in range(count):
                    # A random instant, a crash point, a random instant, the next crash point, … Every other
                    # random instant may come before the gateway serves; every other crash point is the one
                    # that was struck least.
                    point, times = None, self.rng.randint(1, 2)
                    if number % 4 == 1:
                        point = CRASH_POINTS[number // 4 % len(CRASH_POINTS)]
                    elif number % 4 == 3:
                        point, times = min(CRASH_POINTS, key=lambda name: self.struck[name]), 1
                    self.start(crash_at=f"{point}:{times}" if point else None)
                    turn.next()
                    self.kill_within(PASSED_BY if point else self.rng.uniform(0.2, LIVES_FOR), point,
                                     served=number % 4 != 0)
                    if number % 50 == 49:
                        print(f"{number + 1} rounds, {time.monotonic() - began:.0f} s", flush=True)
            finally:
                turn.end()
            for done in work:
                done.result()

    def rest(self):
        """No more faults: what can be found is found, and every watch is brought to its end."""
        told = self.simulator.control("faults")["faults"]
        struck = faults.unclear_answers(told)
        for rule in told:
            self.history.write("struck", **{key: rule[key] for key in ("fault", "args", "struck")})
        request_faults_off(self.simulator)
        self.start()
        self.gateway.ready()
        wait_for("every submission is heard", lambda: all(c.repeat_unheard() for c in self.callers))

        pause, end = threading.Event(), time.monotonic() + REST
        while time.monotonic() < end:
            run = self.evidence(struck)
            states = [state_of(job) for job in run.jobs.values()]
            if all(state in FINAL or state == "HELD" for state in states) and not any(
                    validators.is_adoptable(run, job) for job in run.jobs.values() if state_of(job) == "HELD"):
                break
            pause.wait(1)

        # A held job whose failed record becomes its own meanwhile moves on: then all is read once more.
        for _ in range(10):
            self.finish_watches()
            run = self.evidence(struck)
            if all(len(run.replayed[job_id]) >= job["sequence"] <= len(run.watched[job_id])
                   for job_id, job in run.jobs.items()):
                break
        code = self.gateway.end()
        if code != 0:
            raise AssertionError(f"the last gateway ended with {code}:\n{self.gateway.log()[-3000:]}")

    def evidence(self, struck):
        # A charge that moves between the two readings would be no contradiction.
        for _ in range(10):
            jobs = {caller.name: caller.jobs() for caller in self.callers}
            budgets = {caller.name: caller.budget() for caller in self.callers}
            if jobs == {caller.name: caller.jobs() for caller in self.callers}:
                break
        (self.folder / "end.json").write_text(json.dumps({
            "time": time.time(), "struck": struck, "jobs": jobs, "budgets": budgets,
            "records": self.simulator.control("records")["records"]}))
        return Evidence(self.folder)

    def finish_watches(self):
        """Each watch to the job's last transition, and a second one of the whole from the start."""
        def finish(caller, job):
            watch = caller.watches[job["id"]]
            path = self.folder / "replays" / f"{job['id']}.jsonl"

            def replayed():
                return path.exists() and path.read_bytes().count(b'"sequence"') >= job["sequence"]

            if replayed() and watch.ended_well():
                return

            def whole():
                if len(watch.seen()) >= job["sequence"]:
                    return True
                if not watch.running():  # it never reached the gateway
                    watch.start(caller.cli)
                return False
            wait_for(f"the watch of {job['id']} is whole", whole)
            with open(path, "wb") as out:
                replay = caller.cli.replay(job["id"], out)
                wait_for(f"the replay of {job['id']} is whole", replayed)
                replay.terminate()
                replay.wait(timeout=30)
            if state_of(job) in FINAL:
                wait_for(f"the watch of {job['id']} ends by itself", watch.ended_well)
            else:
                watch.stop()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(finish, caller, job) for caller in self.callers for job in caller.jobs()]:
                done.result()

    def close(self):
        for caller in self.callers:
            caller.stop_watches()
        for program in (self.gateway, self.simulator):
            if program is not None and program.process.poll() is None:
                program.end(signal.SIGKILL)
        self.history.close()


def request_faults_off(simulator):
    urllib.request.urlopen(urllib.request.Request(f"{simulator.control_url}/control/faults", method="DELETE"),
                           timeout=30).close()
    simulator.control("release", {})


def judge(folder):
    run = Evidence(folder)
    passed, failed = guarantees.judge(validators.ALL, run)
    more = guarantees.judge(guarantees.OF_TELLINGS, run.heard())
    passed, failed = passed + more[0], failed + more[1]
    states = [state_of(job) for job in run.jobs.values()]
    adopted = sum(1 for job_id in run.jobs if is_adopted(run.replayed[job_id]))
    crashes = {}
    for event in run.events("killed"):
        crashes[event["point"]] = crashes.get(event["point"], 0) + 1
    print("killed at: " + ", ".join(f"{name} {count}" for name, count in sorted(crashes.items()))
          + f"; before it served {sum(1 for e in run.events('killed') if not e['served'])}")
    print(f"acknowledged {len({e['job'] for e in run.events('acknowledged')})}, accepted "
          f"{sum(r['accepted'] for r in run.records.values())}, adopted {adopted}, held {states.count('HELD')}, "
          f"expired {states.count('EXPIRED')}")
    return passed, failed


def is_adopted(transitions):
    """It was in doubt, and is no longer."""
    states = [state_of(t) for t in transitions]
    return any(before in ("UNCONFIRMED", "HELD") and after not in ("UNCONFIRMED", "HELD", "PENDING")
               for before, after in zip(states, states[1:]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--judge", type=pathlib.Path, help="judge the kept run in this folder again")
    parser.add_argument("--keep", action="store_true", help="keep the run also when nothing is wrong")
    options = parser.parse_args()
    if options.judge:
        passed, failed = judge(options.judge)
        print(f"{passed} passed, {failed} failed")
        return 1 if failed else 0
    # A call that ends in the middle of a TLS handshake leaks in the library, and the sanitizer's exit
    # code would be taken for luma-edit's own.
    os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lumaedit-kill-"))
    began = time.monotonic()
    run = Run(folder, options.seed)
    passed, failed = 0, 1
    try:
        run.rounds(options.rounds)
        run.rest()
        passed, failed = judge(folder)
    except AssertionError as error:
        print(f"the run broke: {error}")
    finally:
        run.close()
    print(f"{options.rounds} rounds, seed {options.seed}, {time.monotonic() - began:.0f} s")
    if failed or options.keep:
        print(f"kept for replay: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
