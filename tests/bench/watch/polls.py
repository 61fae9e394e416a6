"""What watchers cost the upstream: its requests under ten thousand of them, against those under one."""

import os
import pathlib
import shutil
import tempfile
import threading

import pair

JOBS = 100


def requests_of(watchers, connections, minutes):
    """Requests that the upstream counted in the time, of jobs that stay queued."""
    from harness import Cli, Gateway, Simulator  # their programs are named by the environment
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lumaedit-bench-watch-"))
    simulator = gateway = None
    try:
        simulator = Simulator(folder, "--queue-seconds", "100000", "--run-seconds", "100000")
        gateway = Gateway(folder, simulator, "--poll-first", "2s", "--poll-most", "10s", "--log-level", "warning")
        cli = Cli(gateway.address())
        jobs = []
        for number in range(JOBS):
            code, lines, err = cli.run("submit", "--prompt", f"poll {number}", "--generation-id", "gen-1")
            if code != 0:
                raise AssertionError(err)
            jobs.append(lines[-1]["id"])
        with pair.Client(cli.address, jobs[:min(JOBS, watchers)], connections, watchers) as client:
            client.await_ready()
            # Until every job is polled at its slowest pace.
            threading.Event().wait(40)
            before = polls(simulator)
            threading.Event().wait(minutes * 60)
            return polls(simulator) - before
    finally:
        for program in (gateway, simulator):
            if program is not None and program.process.poll() is None:
                program.process.kill()
                program.process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def polls(simulator):
    kinds = simulator.control("requests")["kinds"]
    return sum(kinds[kind]["count"] for kind in ("get", "list") if kind in kinds)


def set_programs():
    os.environ.update({"GMI_SIMULATOR": str(pair.BUILD / "tests/simulator/gmi-simulator"),
                       "LUMA_EDIT_GATEWAY": str(pair.BUILD / "server/app/luma-edit-gateway"),
                       "LUMA_EDIT": str(pair.BUILD / "client/luma-edit")})
