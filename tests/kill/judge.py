"""Everything the validators judge: the history, the watches, the jobs, and the simulator's ledger."""

import collections
import json
import re
from datetime import datetime

from guarantees import Heard, Telling
from harness import transitions_of
from history import read_lines

FINAL = {"SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"}


def seconds(text):
    text = re.sub(r"(\.\d{6})\d*Z$|Z$", lambda m: (m[1] or "") + "+00:00", text)
    return datetime.fromisoformat(text).timestamp()


class Evidence:
    """Read from the folder of a run, so that a run can be judged again."""

    def __init__(self, folder):
        self.history = read_lines(folder / "history.jsonl")
        end = json.loads((folder / "end.json").read_text())
        self.end_time = end["time"]
        self.struck = end["struck"]
        self.budgets = end["budgets"]
        self.jobs = {}
        for caller, jobs in end["jobs"].items():
            for job in jobs:
                self.jobs[job["id"]] = {**job, "caller": caller}
        self.records = {record["request_id"]: record for record in end["records"]}
        self.watched = {job_id: self._watched(folder / "watches", job_id) for job_id in self.jobs}
        self.replayed = {job_id: transitions_of(read_lines(folder / "replays" / f"{job_id}.jsonl"))
                         for job_id in self.jobs}
        self.jobs_by_prompt = collections.defaultdict(list)
        for job in self.jobs.values():
            self.jobs_by_prompt[job["edit"]["prompt"]].append(job)
        self.records_by_prompt = collections.defaultdict(list)
        for record in self.records.values():
            self.records_by_prompt[record["prompt"]].append(record)
        self.kills = sorted(event["time"] for event in self.events("killed"))
        self.owned = {job["upstreamId"] for job in self.jobs.values() if "upstreamId" in job}

    @staticmethod
    def _watched(folder, job_id):
        parts = sorted(folder.glob(f"{job_id}.*.jsonl"), key=lambda path: int(path.name.split(".")[1]))
        return [t for path in parts for t in transitions_of(read_lines(path))]

    def heard(self):
        """What the watches were told, beside what a second reading of each job's history says."""
        store = {job_id: steps_of(transitions) for job_id, transitions in self.replayed.items()}
        tellings = [Telling(f"the watch of {job['caller']}", job_id, steps_of(self.watched[job_id]), whole=True)
                    for job_id, job in self.jobs.items()]
        return Heard(tellings, [], store)

    def events(self, kind):
        return [event for event in self.history if event["kind"] == kind]

    def accepted(self, prompt):
        return [record for record in self.records_by_prompt[prompt] if record["accepted"]]

    def unowned(self, prompt):
        """Visible records of this edit that no job shows as its own."""
        return [record for record in self.records_by_prompt[prompt]
                if record["visible"] and record["request_id"] not in self.owned]

    def last_attempt(self, job):
        """When the job's last attempt was sealed, and when the job was SUBMITTING no longer."""
        times = [(state_of(t), seconds(t["recordTime"])) for t in self.replayed[job["id"]] or self.watched[job["id"]]]
        last = max((i for i, (state, _) in enumerate(times) if state == "SUBMITTING"), default=None)
        if last is None:
            return 0.0, 0.0
        return times[last][1], times[last + 1][1] if last + 1 < len(times) else self.end_time

    def killed_between(self, begin, end):
        return any(begin <= time <= end for time in self.kills)


def state_of(thing):
    return thing["state"].removeprefix("STATE_")


def steps_of(transitions):
    return [(t["sequence"], state_of(t), json.dumps(t, sort_keys=True)) for t in transitions]


def charge_of(job):
    return job["charge"]["state"].removeprefix("STATE_")
