"""What polling costs the upstream and how late it sees: pages of the list against each job by its id.

`add_rows(report)` serves other benches too; as a program: `scripts/bench polling`."""

import datetime
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

from harness import Cli, Gateway, Simulator, write_video
from report import Report

BUILD = pathlib.Path(os.environ["LUMAEDIT_BUILD"])
os.environ.setdefault("GMI_SIMULATOR", str(BUILD / "tests/simulator/gmi-simulator"))
os.environ.setdefault("LUMA_EDIT_GATEWAY", str(BUILD / "server/app/luma-edit-gateway"))
os.environ.setdefault("LUMA_EDIT", str(BUILD / "client/luma-edit"))
SUBMITTER = BUILD / "tests/bench/polling/polling_submitter"
MAKE_CORPUS = pathlib.Path(__file__).resolve().parents[2] / "media" / "make_corpus.py"
VIDEO_BYTES = 3_750_000   # 5 MB as base64
# Of one connection from the upstream, 100 Mbit/s: what loopback sends before an answer is stopped is no network's.
LINE_BYTES_PER_SECOND = 12_500_000

# As in production, but for deadlines that a bench does not wait for.
GATEWAY = ("--poll-first", "2s", "--poll-most", "10s", "--posts-in-flight", "64", "--drain-time", "5s",
           "--visibility-time", "2m", "--confirm-window", "10m")


def until(what, condition, limit, pause):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        answer = condition()
        if answer:
            return answer
        time.sleep(pause)
    raise AssertionError(f"not within {limit:g} s: {what}")


class Control:
    """The simulator's control interface over one connection, for thousands of calls."""

    def __init__(self, url):
        self._address = urllib.parse.urlsplit(url).netloc
        self._connection = None
        self._used = 0.0

    def call(self, path, body=None):
        # The simulator closes what is idle.
        if self._connection is None or time.monotonic() - self._used > 30:
            self._connection = http.client.HTTPConnection(self._address, timeout=60)
        data = None if body is None else json.dumps(body)
        self._connection.request("GET" if body is None else "POST", f"/control/{path}", data)
        answer = json.loads(self._connection.getresponse().read() or b"{}")
        self._used = time.monotonic()
        return answer

    def reads(self):
        """Requests of reads and bytes of their answers so far, as they went out."""
        kinds = self.call("requests")["kinds"]
        of = [kinds.get(kind, {"count": 0, "bytes_sent": 0}) for kind in ("get", "list")]
        return sum(kind["count"] for kind in of), sum(kind["bytes_sent"] for kind in of), of[1]["count"]


class World:
    """A simulator whose records stay queued until told otherwise, and a gateway before it."""

    def __init__(self, seed):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lumaedit-bench-"))
        self.simulator = Simulator(self.folder, "--queue-seconds", "1e7", "--keep-alive-seconds", "75",
                                   "--line-bytes-per-second", str(LINE_BYTES_PER_SECOND))
        self.control = Control(self.simulator.control_url)
        self.random = random.Random(seed)
        self.gateway = None
        self.prompts = 0
        self.video = self.folder / "video.mp4"
        corpus = self.folder / "corpus"
        corpus.mkdir()
        subprocess.run([sys.executable, "-B", MAKE_CORPUS, corpus], check=True)
        os.environ["LUMAEDIT_CORPUS"] = str(corpus)
        write_video(self.video, VIDEO_BYTES)

    def start(self, *arguments):
        self.gateway = Gateway(self.folder, self.simulator, *GATEWAY, *arguments)
        self.address = self.gateway.address()

    def stop(self):
        code = self.gateway.end(signal.SIGTERM)
        if code != 0:
            raise AssertionError(f"the gateway ended with {code}:\n{self.gateway.log()[-3000:]}")

    def close(self):
        for program in (self.gateway, self.simulator):
            if program is not None and program.process.poll() is None:
                program.end(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def prompt(self, fat_share=0.0):
        self.prompts += 1
        word = "fat" if self.random.random() < fat_share else "small"
        return f"{word} edit {self.prompts}: {'neon rain, ' * 20}"

    def submit(self, count, fat_share=0.0):
        before = self.simulator.accepted()
        prompts = "\n".join(self.prompt(fat_share) for _ in range(count)) + "\n"
        subprocess.run([str(SUBMITTER), self.address, str(self.video)], input=prompts, text=True, check=True,
                       timeout=600)
        until("all jobs are accepted", lambda: self.simulator.accepted() - before >= count, 900, 0.5)
        until("no job is on its way or in doubt", self.all_known, 120, 0.5)

    def all_known(self):
        if self.gateway.process.poll() is not None:
            raise AssertionError(f"the gateway ended:\n{self.gateway.log()[-3000:]}")
        return not self.listed("pending", "submitting", "unconfirmed", "held")

    def listed(self, *states):
        """The jobs in these states, as the gateway shows them."""
        code, jobs, err = Cli(self.address).run("list", "--limit", "0", *(f"--state={state}" for state in states))
        if code != 0:
            raise AssertionError(err)
        return jobs

    def add_strangers(self, count, fat_share=0.0):
        # Made in the order in which they are listed, as upstream: their age plays no part in a poll.
        for _ in range(count):
            self.control.call("records", {
                "payload": {"prompt": f"stranger {self.prompt(fat_share)}", "source_generation_id": "generation-2"},
                "status": "success", "by_id": True, "outcome": {"video_url": "https://media.example.com/a.mp4"}})

    def jobs(self):
        return [record["request_id"] for record in self.control.call("records")["records"] if record["accepted"]]

    def observations(self):
        """States of running jobs that the gateway has read, by its own count."""
        counts = re.findall(r"^lumaedit_observations_total\{\S*\} (\S+)$", self.gateway.admin("/metrics")[1],
                            re.MULTILINE)
        if len(counts) != 2:
            raise AssertionError("no lumaedit_observations_total")
        return sum(map(float, counts))

    def seen(self, jobs):
        records = self.control.call("requests")["records"]
        return {job: records[job]["polls"] + records[job]["list_reads"] for job in jobs}


def restart_seconds(world, jobs_count):
    world.start()
    world.submit(jobs_count)
    jobs = world.jobs()
    world.stop()
    before = world.seen(jobs)
    begun = time.monotonic()
    world.start()
    ready = time.monotonic()

    def all_seen():
        now = world.seen(jobs)
        return all(now[job] > before[job] for job in jobs) and time.monotonic()

    done = until("all are shown to it", all_seen, 600, 0.5)
    requests = world.control.reads()[0]
    # What was shown was also taken in: the gateway says when it last knew of each.
    until("all are observed", lambda: all("lastPollTime" in job for job in world.listed()), 60, 0.5)
    world.stop()
    return done - begun, ready - begun, requests


def fill(world, jobs_count, records_count):
    """Stuck jobs among the oldest, then what others and older days left, then the jobs of now among it."""
    stuck = max(10, jobs_count // 20)
    world.start()
    for _ in range(10):
        world.submit(stuck // 10, 0.05)
        world.add_strangers((records_count - jobs_count * 3 // 2) // 10, 0.05)
    blocks = 19
    fresh = (jobs_count - stuck) // blocks
    for _ in range(blocks):
        world.submit(fresh, 0.05)
        world.add_strangers(jobs_count // 2 // blocks, 0.05)
    # The jobs' videos are echoed by themselves; those of strangers are made when they are shown.
    for where in ("get", "list"):
        world.control.call("faults", {"fault": "huge_echo", "on": where, "always": True,
                                      "match_prompt": "stranger fat edit", "args": {"megabytes": 5}})
    world.stop()
    return world.jobs()


def transitions(log, state):
    """When the gateway committed that state, by upstream id."""
    times = {}
    for line in log.splitlines():
        if '"job_transition"' not in line:
            continue
        entry = json.loads(line)
        if entry.get("state") == state:
            at = datetime.datetime.fromisoformat(entry["time"].replace("Z", "+00:00"))
            times[entry["upstream_id"]] = at.timestamp()
    return times


def measure(world, jobs, seconds, warm, *arguments):
    """Requests and bytes a second, and the delays of changes that are made meanwhile."""
    world.start(*arguments)
    world.jobs_left = getattr(world, "jobs_left", None) or world.random.sample(jobs, len(jobs))
    time.sleep(warm)
    changed = {}
    before, seen_before = world.control.reads(), world.observations()
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        job = world.jobs_left.pop()
        world.control.call(f"records/{job}", {"status": "processing"})
        changed[job] = time.time()
        time.sleep(0.5)
    took = time.monotonic() - begun
    after, seen_after = world.control.reads(), world.observations()
    try:
        until("all changes are seen", lambda: changed.keys() <= transitions(world.gateway.log(), "PROCESSING").keys(),
              300, 1)
    except AssertionError as error:
        late = changed.keys() - transitions(world.gateway.log(), "PROCESSING").keys()
        shown = [job for job in world.listed() if job.get("upstreamId") in late]
        raise AssertionError(f"{error}; unseen: {json.dumps(shown)[:5000]}") from error
    committed = transitions(world.gateway.log(), "PROCESSING")
    delays = sorted(committed[job] - at for job, at in changed.items())
    world.stop()
    world.gateway.log_path.unlink()
    return {"requests": (after[0] - before[0]) / took, "bytes": (after[1] - before[1]) / took,
            "lists": (after[2] - before[2]) / took,
            "observations": (seen_after - seen_before) / took,
            "p50": statistics.median(delays), "p99": delays[int(len(delays) * 0.99)]}


def add_restart(report, restart_jobs=10000):
    world = World(7)
    try:
        took, start, requests = restart_seconds(world, restart_jobs)
        report.add("restart_seconds", took, "s", target="<= 10",
                   note=f"{restart_jobs} jobs, from the start of the process; it was serving after {start:.1f} s; "
                        f"{requests} reads in the whole run")
    finally:
        world.close()


def add_lists(report, jobs=1000, records=10000, seconds=120.0, warm=60.0, rounds=2):
    world = World(8)
    try:
        all_jobs = fill(world, jobs, records)
        pages, single = [], []
        for _ in range(rounds):
            pages.append(measure(world, all_jobs, seconds, warm))
            single.append(measure(world, all_jobs, seconds, warm, "--list-polls-from", "0"))
    finally:
        world.close()

    def median(rows, name):
        return statistics.median(row[name] for row in rows)

    def ratio(name):
        return statistics.median(a[name] / b[name] for a, b in zip(pages, single))

    each = [row["requests"] / row["observations"] for row in pages]
    each_single = [row["requests"] / row["observations"] for row in single]
    kilobytes = [row["bytes"] / row["observations"] / 1024 for row in pages]
    kilobytes_single = [row["bytes"] / row["observations"] / 1024 for row in single]
    report.add("list_poll_requests", statistics.median(each), "requests/observation",
               limit=statistics.median(each_single), target="<= 0.02", of="ratio",
               note=f"with pages {median(pages, 'requests'):.1f} requests/s ({median(pages, 'lists'):.1f} of them "
                    f"pages) and {median(pages, 'observations'):.0f} observations/s; by ids "
                    f"{median(single, 'requests'):.1f} and {median(single, 'observations'):.0f} (the cap binds)")
    report.add("list_poll_bytes", statistics.median(kilobytes), "KB/observation",
               limit=statistics.median(kilobytes_single), target="<= 1.2", of="ratio",
               note="as the upstream sent them on lines of 100 Mbit/s, TLS's own among them")
    report.add("list_poll_delay", median(pages, "p50"), "s", limit=median(single, "p50"), target="<= 0.5",
               of="ratio", ratio=ratio("p50"))
    report.add("list_poll_delay_p99", median(pages, "p99"), "s", limit=median(single, "p99"), target="<= 1",
               of="ratio", ratio=ratio("p99"))


def add_rows(report):
    add_restart(report)
    add_lists(report)


def main():
    def arguments(parser):
        parser.add_argument("--jobs", type=int, default=1000)
        parser.add_argument("--records", type=int, default=10000)
        parser.add_argument("--restart-jobs", type=int, default=10000)
        parser.add_argument("--seconds", type=float, default=120, help="of one measurement")
        parser.add_argument("--warm", type=float, default=60)
        parser.add_argument("--rounds", type=int, default=2, help="of pages, then by ids")
        parser.add_argument("--only", choices=("restart", "lists"))

    report = Report("polling", __doc__, arguments)
    given = report.arguments
    if given.only != "lists":
        add_restart(report, given.restart_jobs)
    if given.only != "restart":
        add_lists(report, given.jobs, given.records, given.seconds, given.warm, given.rounds)
    sys.exit(report.finish())


if __name__ == "__main__":
    main()
