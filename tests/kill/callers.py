"""Callers: each with a certificate of its own, submitting, repeating, watching and cancelling."""

import collections
import os
import random
import signal
import subprocess
import threading
import uuid

from certificates import SERVER_NAME
from harness import Cli, transitions_of
from history import read_lines

MOST_WATCHES = 5
# Exit codes of luma-edit after which nobody knows whether the call was heard.
NOT_HEARD = {7}


class Edits:
    """The edits that were asked for; one in five is asked for by two callers."""

    def __init__(self, rng):
        self._rng = rng
        self._lock = threading.Lock()
        self._recent = collections.deque(maxlen=8)
        self._count = 0

    def next(self, caller):
        with self._lock:
            others = [prompt for owner, prompt in self._recent if owner != caller]
            if others and self._rng.random() < 0.2:
                return self._rng.choice(others)
            self._count += 1
            prompt = f"edit {self._count:06d}"
            self._recent.append((caller, prompt))
            return prompt


class Watch:
    """A job's watch. It may be stopped and goes on later after the last transition it has seen."""

    def __init__(self, folder, job_id):
        self.job_id = job_id
        self._folder = folder
        self._parts = 0
        self._process = None

    def _files(self):
        return [self._folder / f"{self.job_id}.{part}.jsonl" for part in range(self._parts)]

    def seen(self):
        return [t for path in self._files() for t in transitions_of(read_lines(path))]

    def start(self, cli):
        last = max((t["sequence"] for t in self.seen()), default=0)
        self._parts += 1
        with open(self._files()[-1], "wb") as out:
            self._process = subprocess.Popen(
                cli.command("--json", "watch", self.job_id, "--after", str(last)), stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.DEVNULL)

    def running(self):
        return self._process is not None and self._process.poll() is None

    def ended_well(self):
        """It saw the final transition, whatever that was."""
        return self._process is not None and self._process.poll() in (0, 1, 4, 5)

    def stop(self):
        if self.running():
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=30)


class Caller:
    def __init__(self, name, address, certificates, folder, edits, history, seed):
        self.name = name
        self.rng = random.Random(f"{seed} {name}")
        self.cli = CallerCli(address, certificates, name)
        self.watches = {}      # job id → Watch
        self._unheard = {}     # request id → prompt: submitted, and no answer came
        self._folder = folder
        self._edits = edits
        self._history = history

    def step(self):
        """What a caller does in a round, with the gateway dying under it at any instant."""
        for request_id, prompt in list(self._unheard.items()):
            self._submit(request_id, prompt)
        self._submit(str(uuid.UUID(int=self.rng.getrandbits(128), version=4)), self._edits.next(self.name))
        if self.watches and self.rng.random() < 0.25:
            self._cancel(self.rng.choice(list(self.watches)[-4:]))
        self._tend_watches()

    def repeat_unheard(self):
        for request_id, prompt in list(self._unheard.items()):
            self._submit(request_id, prompt)
        return not self._unheard

    def _submit(self, request_id, prompt):
        self._unheard[request_id] = prompt
        code, lines, err = self.cli.run("--timeout", "2s", "submit", "--prompt", prompt, "--generation-id",
                                        "gen-1", "--request-id", request_id)
        if code == 0:
            job_id = lines[-1]["id"]
            self._history.write("acknowledged", caller=self.name, request_id=request_id, prompt=prompt, job=job_id)
            del self._unheard[request_id]
            if job_id not in self.watches:
                self.watches[job_id] = Watch(self._folder, job_id)
                self.watches[job_id].start(self.cli)
        elif code in NOT_HEARD:
            self._history.write("unheard", caller=self.name, request_id=request_id, prompt=prompt)
        else:
            self._history.write("refused", caller=self.name, request_id=request_id, code=code, error=err[-2000:])

    def _cancel(self, job_id):
        code, lines, _ = self.cli.run("--timeout", "2s", "cancel", job_id)
        result = lines[-1].get("result", "") if lines else ""
        self._history.write("cancel", caller=self.name, job=job_id, code=code, result=result)

    def _tend_watches(self):
        running = [watch for watch in self.watches.values() if watch.running()]
        for watch in running[:-MOST_WATCHES]:
            watch.stop()
        paused = [w for w in self.watches.values() if not w.running() and not w.ended_well()]
        if paused and len(running) < MOST_WATCHES:
            self.rng.choice(paused).start(self.cli)

    def jobs(self):
        code, lines, err = self.cli.run("list", "--limit", "0")
        if code != 0:
            raise AssertionError(f"list of {self.name}: {code} {err}")
        return lines

    def budget(self):
        code, lines, err = self.cli.run("budget")
        if code != 0:
            raise AssertionError(f"budget of {self.name}: {code} {err}")
        return lines[-1]

    def stop_watches(self):
        for watch in self.watches.values():
            watch.stop()


class CallerCli(Cli):
    def __init__(self, address, certificates, name):
        super().__init__(address)
        self._tls = ["--tls-ca-file", str(certificates / "ca.pem"), "--tls-cert-file",
                     str(certificates / f"{name}.pem"), "--tls-key-file", str(certificates / f"{name}.key"),
                     "--tls-server-name", SERVER_NAME]

    def command(self, *arguments):
        return [os.environ["LUMA_EDIT"], "--address", self.address, *self._tls, *arguments]

    def replay(self, job_id, out):
        return subprocess.Popen(self.command("--json", "watch", job_id), stdin=subprocess.DEVNULL, stdout=out,
                                stderr=subprocess.DEVNULL)
