"""What a kill run is judged by finds the fault that it is there for, and none in a good run."""

import datetime
import json
import pathlib
import sys
import tempfile
import unittest

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "e2e"), str(TESTS / "history")]
import faults  # noqa: E402
import validators  # noqa: E402
from judge import Evidence  # noqa: E402

START = 1_800_000_000
PRICE = 720_000


def text(seconds):
    return datetime.datetime.fromtimestamp(START + seconds, datetime.timezone.utc).isoformat().replace("+00:00", "Z")


class Scene:
    """One caller with a job that is done and one that is held since second 20; a kill at second 5."""

    def __init__(self):
        self.kills = [5]
        self.points = ["an instant"]
        self.served = True
        self.struck = 1
        self.end = 100
        self.steps = {"done": [(1, "PENDING"), (2, "SUBMITTING"), (3, "SUCCEEDED")],
                      "held": [(1, "PENDING"), (10, "SUBMITTING"), (10.5, "UNCONFIRMED"), (20, "HELD")]}
        self.records = [self.record("up-1", "done", 2, "success")]
        self.budget = {"incurredUsdMicros": PRICE, "uncertainUsdMicros": PRICE}

    @staticmethod
    def record(name, prompt, at, status):
        return {"request_id": name, "prompt": prompt, "created_at": START + at, "status": status, "visible": True,
                "accepted": True, "refunded": status == "failed", "charged_usd_micros": PRICE}

    def job(self, name):
        charge = {"done": "INCURRED", "held": "UNCERTAIN"}[name]
        job = {"id": name, "requestId": f"request {name}", "edit": {"prompt": name}, "createTime": text(1),
               "state": f"STATE_{self.steps[name][-1][1]}", "sequence": len(self.steps[name]),
               "charge": {"state": f"STATE_{charge}", "amount": {"minUsdMicros": PRICE, "maxUsdMicros": PRICE}}}
        return {**job, "upstreamId": "up-1"} if name == "done" else job

    def violated(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "watches").mkdir()
            (folder / "replays").mkdir()
            for job, steps in self.steps.items():
                lines = [json.dumps({"transition": {"sequence": i + 1, "state": f"STATE_{state}",
                                                    "recordTime": text(at)}}) for i, (at, state) in enumerate(steps)]
                (folder / "replays" / f"{job}.jsonl").write_text("\n".join(lines) + "\n")
            (folder / "history.jsonl").write_text("".join(
                json.dumps({"at": at, "kind": "killed", "point": point, "time": START + at, "served": self.served})
                + "\n" for at, point in zip(self.kills, self.points)))
            window = {"windowStartTime": text(-1000), "windowEndTime": text(1000)}
            (folder / "end.json").write_text(json.dumps({
                "time": START + self.end, "struck": self.struck, "records": self.records,
                "jobs": {"ada": [self.job(job) for job in self.steps]}, "budgets": {"ada": {**window, **self.budget}}}))
            run = Evidence(folder)
            return {validator.__name__ for validator in validators.ALL if list(validator(run))}


class ValidatorsTest(unittest.TestCase):
    def setUp(self):
        self.scene = Scene()

    def expect(self, *names):
        self.assertEqual(self.scene.violated(), set(names))

    def test_a_good_run(self):
        self.expect()

    def test_more_held_jobs_than_unclear_answers(self):
        self.scene.struck = 0
        self.expect("held_only_where_allowed")
        self.scene.kills = [10.2]  # now it was SUBMITTING at the kill
        self.expect()
        self.scene.kills = [12]
        self.expect("held_only_where_allowed")
        self.scene.steps["held"][2] = (12.1, "UNCONFIRMED")  # its answer was late, and still waited for
        self.scene.kills = [15]
        self.expect()

    def test_a_held_job_with_a_record(self):
        self.scene.records.append(self.scene.record("up-2", "held", 10, "queued"))
        self.scene.records[-1]["accepted"] = False
        self.expect("held_only_where_allowed")

    def test_a_failed_record_fits_when_the_attempt_is_over(self):
        self.scene.records.append(self.scene.record("up-2", "held", 10, "failed"))
        self.expect("held_only_where_allowed")
        self.scene.end = 30  # too soon to say so
        self.expect()
        self.scene.end = 100
        self.scene.kills = [10.2]  # nobody saw the attempt's end: 330 s
        self.expect()
        self.scene.end = 400
        self.expect("held_only_where_allowed")

    def test_a_failed_record_of_another_attempt(self):
        for at in (-5, 25):
            self.scene.records[1:] = [self.scene.record("up-2", "held", at, "failed")]
            self.expect()

    def test_a_budget_that_is_not_the_sum(self):
        self.scene.budget["incurredUsdMicros"] += 1
        self.expect("budgets_are_the_sums_of_the_charges")

    def test_a_crash_point_that_was_never_struck(self):
        self.scene.points = list(validators.CRASH_POINTS) * 19
        self.scene.kills = [5] * len(self.scene.points)
        self.expect()
        self.scene.points = ["an instant" if point == "poll.answered" else point for point in self.scene.points]
        self.expect("every_crash_point_was_struck")

    def test_a_gateway_that_never_served(self):
        self.scene.served = False
        self.expect("most_kills_meet_a_gateway_that_serves")

    def test_only_posts_leave_doubts(self):
        told = [{"fault": rule["fault"], "struck": int(rule["fault"] == "lost")} for rule in faults.rules()]
        self.assertEqual(faults.unclear_answers(told), 1)


if __name__ == "__main__":
    unittest.main()
