"""A million deliveries to readers of whom some are slow and some come and go; judged against the store."""

import pathlib
import subprocess
import sys
import tempfile

import pair

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "history"))
import guarantees  # noqa: E402
import recorded  # noqa: E402

ROUNDS = 100     # transitions of each job, less the first and the last
JOBS = 100
JOBS_WATCHES = 10


def lost_transitions(deliveries, seed, most_print=5):
    """Answers (violations, deliveries, words). The recorder is not the client library."""
    a_job = ROUNDS + 2
    watches = max(1, round((deliveries / a_job - JOBS_WATCHES * JOBS) / JOBS) + 1)
    with tempfile.TemporaryDirectory(prefix="lumaedit-bench-watch-") as folder, pair.Server("product") as server:
        for _ in range(JOBS):
            server.new_job()
        out = pathlib.Path(folder) / "seen.tsv"
        with pair.Program(pair.BUILD / "tests/history/watch-recorder", "--address", server.address, "--out", str(out),
                          "--seed", str(seed), "--job-watches", str(watches), "--job-waits", "0", "--jobs-watches",
                          str(JOBS_WATCHES), "--friendly", "--slowness", "0.02", "--connections", "16", "--limit",
                          "600") as recorder:
            recorder.read("watching")
            server.ask(f"drive {ROUNDS}", "driven")
            try:
                recorder.process.wait(timeout=900)
            except subprocess.TimeoutExpired as error:
                raise AssertionError("the recorder did not end") from error
        run = recorded.Recorded(out)
        heard = run.heard()
        found = [violation for validator in guarantees.ALL for violation in validator(heard)]
        found += [violation for validator in (recorded.everybody_came_to_an_end, recorded.the_list_agrees)
                  for violation in validator(run)]
        for violation in found[:most_print]:
            print(violation)
        behaviours = [behaviour for _, behaviour in run.watchers.values()]
        return len(found), run.deliveries, (
            f"{len(run.watchers)} watchers, {behaviours.count('slow')} slow, {behaviours.count('reconnecting')} coming "
            f"and going over {len(heard.streams)} streams; {len(run.listed)} jobs, {run.deliveries} deliveries")
