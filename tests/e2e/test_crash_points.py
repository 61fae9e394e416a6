"""SIGKILL at each named crash point, then a new process on the same folder: the job ends or is held
where the law says so, and the simulator's ledger shows at most one accepted POST."""

import signal
import unittest
import uuid

from harness import CRASH_POINTS, Cli, EndToEndTest, transitions_of, wait_for

# Passed only while an answer is missing, so the answer of the one POST is lost on purpose.
RECONCILING = {"reconcile.matched", "reconcile.adopted"}
# Passed only when somebody watches.
WATCHED = {"publish.committed"}
# Sealed, but the last byte was never given: nobody can tell that from a lost answer, so it is held.
HELD = {"dispatch.sealed"}


class CrashPoints(EndToEndTest):
    def crash_at(self, point):
        simulator = self.simulator("--time-factor", "20")
        if point in RECONCILING:
            simulator.control("faults", {"fault": "accepted_then_lost", "on": "post", "times": 1})
        gateway = self.gateway(simulator, crash_at=point)
        cli = Cli(gateway.address())
        request_id = str(uuid.uuid4())
        submit = ["submit", "--prompt", "night rain [sim:run=4]", "--generation-id", "gen-1",
                  "--request-id", request_id]
        watch = None
        if point in WATCHED:
            # The first transition after the watch has begun is the one that kills.
            simulator.control("faults", {"fault": "slow", "on": "post", "args": {"until_released": True}})
            code, lines, err = cli.run(*submit)
            self.assertEqual(code, 0, err)
            wait_for("the request is out", lambda: cli.job(lines[-1]["id"])["state"] == "STATE_SUBMITTING")
            watch = cli.start("watch", lines[-1]["id"])
            wait_for("the watch has caught up", lambda: '"sequence"' in watch.stdout.readline())
            simulator.control("release", {})
        else:
            first = cli.start("--timeout", "2s", *submit) if point == "submit.committed" else None
            if first is None:
                code, lines, err = cli.run(*submit)
                self.assertEqual(code, 0, err)
            else:
                first.communicate(timeout=30)
        self.assertEqual(gateway.wait(), -signal.SIGKILL, f"{point} was not passed")
        if watch:
            watch.terminate()
            watch.communicate(timeout=30)

        again = self.gateway(simulator, "--confirm-window", "10s")
        cli = Cli(again.address())
        code, lines, err = cli.run(*submit, "--watch")
        held = point in HELD
        self.assertEqual(code, 3 if held else 0, f"{err}\n{lines}\n{again.log()}")
        self.assert_whole(transitions_of(lines), "STATE_HELD" if held else "STATE_SUCCEEDED")
        self.assertEqual(simulator.accepted(), 0 if held else 1)
        self.assertEqual(again.end(), 0, again.log())


def _add(point):
    setattr(CrashPoints, "test_" + point.replace(".", "_"), lambda self: self.crash_at(point))


for _point in CRASH_POINTS:
    _add(_point)

if __name__ == "__main__":
    unittest.main()
