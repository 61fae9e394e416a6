"""The real programs on loopback ports: simulator, gateway, command line.

Every wait is for a condition, with a limit. Only processes that were started here are ended.
"""

import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
import unittest
import urllib.error
import urllib.request

LIMIT = float(os.environ.get("LUMAEDIT_E2E_LIMIT", "60"))
KEY = "e2e-upstream-key-7d1f"

CRASH_POINTS = (
    "submit.committed dispatch.body_sent dispatch.sealed dispatch.last_byte dispatch.answered "
    "dispatch.recorded reconcile.matched reconcile.adopted poll.answered poll.committed "
    "publish.committed"
).split()


def wait_for(what, condition, limit=LIMIT):
    """Asks `condition` until it answers something true; returns that."""
    pause = threading.Event()
    deadline = threading.Event()
    timer = threading.Timer(limit, deadline.set)
    timer.daemon = True
    timer.start()
    try:
        while not deadline.is_set():
            answer = condition()
            if answer:
                return answer
            pause.wait(0.02)
    finally:
        timer.cancel()
    raise AssertionError(f"not within {limit:g} s: {what}")


def write_video(path, size, name="moov-front.mp4"):
    """A real video of the corpus, made `size` bytes long by a box that means nothing. Answers the bytes."""
    video = (pathlib.Path(os.environ["LUMAEDIT_CORPUS"]) / name).read_bytes()
    rest = size - len(video)
    assert rest >= 8, f"{name} has {len(video)} bytes"
    # Pieces that differ, so that one in the wrong place is noticed.
    pattern = b"".join(number.to_bytes(4, "big") for number in range(rest // 4 + 1))
    video += struct.pack(">I4s", rest, b"free") + pattern[: rest - 8]
    path.write_bytes(video)
    return video


class Program:
    """A started process with its stderr in a file."""

    def __init__(self, arguments, folder, name, env=None):
        self.log_path = folder / f"{name}.log"
        self.ready_path = folder / f"{name}.ready.json"
        self.ready_path.unlink(missing_ok=True)
        self.name = name
        self._log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            arguments + ["--ready-file", str(self.ready_path)],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
            env={**os.environ, **(env or {})})

    def ready(self):
        def look():
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n{self.log()}")
            return self.ready_path.exists()
        wait_for(f"{self.name} is ready", look)
        return json.loads(self.ready_path.read_text())

    def log(self):
        return self.log_path.read_text(errors="replace")

    def end(self, signal_number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        return self.wait()

    def wait(self):
        code = self.process.wait(timeout=LIMIT)
        self._log.close()
        return code


class Simulator(Program):
    def __init__(self, folder, *arguments):
        super().__init__(
            [os.environ["GMI_SIMULATOR"], "--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0",
             "--api-key", KEY, "--seed", "7", "--ca-out", str(folder / "upstream-ca.pem"),
             *arguments], folder, "simulator")
        ready = self.ready()
        self.base_url = ready["base_url"]
        self.control_url = ready["control_url"]
        self.ca_file = ready["ca_file"]

    def control(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.control_url}/control/{path}", data=data)
        with urllib.request.urlopen(request, timeout=LIMIT) as answer:
            return json.loads(answer.read() or b"{}")

    def ledger(self):
        return self.control("ledger")

    def accepted(self):
        return self.ledger()["posts_accepted"]


class Gateway(Program):
    """The gateway with short times, so that minutes of the protocol pass in seconds.

    `arguments` are flags with their values; they replace the ones set here."""

    def __init__(self, folder, simulator, *arguments, crash_at=None, env=None):
        self._admin_port = None
        env = {"GMI_API_KEY": KEY, **(env or {})}
        if crash_at:
            env["LUMAEDIT_CRASH_AT"] = crash_at
        flags = {"--listen": "127.0.0.1:0", "--admin-listen": "127.0.0.1:0", "--data-dir": str(folder / "data"),
                 "--upstream-base-url": simulator.base_url, "--upstream-ca-file": simulator.ca_file,
                 "--poll-first": "50ms", "--poll-most": "200ms", "--confirm-window": "20s",
                 "--visibility-time": "1s", "--drain-time": "15s"}
        flags.update(zip(arguments[::2], arguments[1::2]))
        super().__init__(
            [os.environ["LUMA_EDIT_GATEWAY"], *(word for flag in flags.items() for word in flag)],
            folder, "gateway", env)

    def address(self):
        return self.ready()["address"]

    def admin_port(self):
        """Also of a gateway that has ended, once it was asked before."""
        if self._admin_port is None:
            self._admin_port = self.ready()["admin_port"]
        return self._admin_port

    def admin(self, path, method="GET"):
        """Status code and text of the admin port's answer."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.admin_port()}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=LIMIT) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def command(self, *arguments):
        """A subcommand of the gateway's program, sent to this one: exit code and output."""
        done = subprocess.run(
            [os.environ["LUMA_EDIT_GATEWAY"], arguments[0], "--admin-listen",
             f"127.0.0.1:{self.admin_port()}", *arguments[1:]],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT, check=False)
        return done.returncode, done.stdout + done.stderr


class Cli:
    """luma-edit, spoken to in JSON."""

    def __init__(self, address):
        self.address = address

    def command(self, *arguments):
        return [os.environ["LUMA_EDIT"], "--address", self.address, *arguments]

    def run(self, *arguments, json_lines=True):
        """Exit code, the JSON objects it printed, and its stderr."""
        command = self.command(*(["--json"] if json_lines else []), *arguments)
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=LIMIT, check=False)
        lines = [line for line in done.stdout.splitlines() if line]
        return done.returncode, ([json.loads(line) for line in lines] if json_lines else lines), done.stderr

    def start(self, *arguments):
        return subprocess.Popen(self.command("--json", *arguments), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def job(self, job_id):
        code, lines, err = self.run("get", job_id)
        if code == 7:
            return None  # not reachable just now
        assert lines, err
        return lines[-1]


class EndToEndTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lumaedit-e2e-"))
        self._programs = []
        self.addCleanup(self._clean_up)

    def _clean_up(self):
        for program in self._programs:
            if program.process.poll() is None:
                program.end(signal.SIGKILL)
        result = self._outcome.result
        if any(test is self for test, _ in result.failures + result.errors):
            for program in self._programs:
                print(f"--- log of {program.name}\n{program.log()}")
        shutil.rmtree(self.folder, ignore_errors=True)

    def simulator(self, *arguments):
        program = Simulator(self.folder, *arguments)
        self._programs.append(program)
        return program

    def gateway(self, simulator, *arguments, crash_at=None, env=None):
        program = Gateway(self.folder, simulator, *arguments, crash_at=crash_at, env=env)
        self._programs.append(program)
        return program

    def assert_whole(self, transitions, last_state):
        """1…n without a gap or a repeat, and the end is the end."""
        numbers = [t.get("sequence") for t in transitions]
        self.assertEqual(numbers, list(range(1, len(numbers) + 1)), transitions)
        self.assertEqual(transitions[-1]["state"], last_state, transitions)


def transitions_of(lines):
    return [line["transition"] for line in lines if "transition" in line]
