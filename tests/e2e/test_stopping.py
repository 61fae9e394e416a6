"""SIGTERM and SIGKILL while somebody watches: the watch goes on by itself after the restart. And a process
that stands still while the answer to its POST arrives."""

import json
import signal
import socket
import time
import unittest

from harness import Cli, EndToEndTest, transitions_of, wait_for

LEASE = 17  # seconds; longer than a lease lasts


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Stopping(EndToEndTest):
    def restart_in_a_watch(self, signal_number, exit_code):
        simulator = self.simulator("--time-factor", "1")
        # A fixed port: the watch must find the new process where the old one was.
        listen = f"127.0.0.1:{free_port()}"
        gateway = self.gateway(simulator, "--listen", listen)
        gateway.ready()
        cli = Cli(listen)
        code, lines, err = cli.run("submit", "--prompt", "x [sim:stuck=processing]", "--generation-id", "g")
        self.assertEqual(code, 0, err)
        job_id = lines[-1]["id"]
        watch = cli.start("watch", job_id)
        self.addCleanup(lambda: watch.poll() is None and watch.kill())
        seen = []

        def accepted():
            seen.append(json.loads(watch.stdout.readline()))
            states = [t["state"] for t in transitions_of(seen)]
            return states and states[-1] in ("STATE_QUEUED", "STATE_PROCESSING")
        wait_for("the job is accepted", accepted)

        self.assertEqual(gateway.end(signal_number), exit_code, gateway.log())
        again = self.gateway(simulator, "--listen", listen)
        again.ready()
        record = simulator.control("records")
        upstream_id = record["records"][0]["request_id"]
        simulator.control(f"records/{upstream_id}", {
            "status": "success", "outcome": {"video_url": "https://storage.example.test/v.mp4"}})
        out, err = watch.communicate(timeout=60)
        seen += [json.loads(line) for line in out.splitlines() if line]
        self.assertEqual(watch.returncode, 0, err)
        self.assert_whole(transitions_of(seen), "STATE_SUCCEEDED")
        self.assertEqual(simulator.accepted(), 1)
        self.assertEqual(again.end(), 0, again.log())

    def test_sigterm_in_a_watch(self):
        self.restart_in_a_watch(signal.SIGTERM, 0)

    def test_sigkill_in_a_watch(self):
        self.restart_in_a_watch(signal.SIGKILL, -signal.SIGKILL)

    def stand_still(self, **how):
        """Longer than its right to drive jobs lasts, with a sealed POST on its way."""
        simulator = self.simulator("--time-factor", "20")
        simulator.control("faults", {"fault": "slow", "on": "post", "args": {"until_released": True, **how}})
        gateway = self.gateway(simulator)
        cli = Cli(gateway.address())
        code, lines, err = cli.run("submit", "--prompt", "still [sim:fast]", "--generation-id", "g")
        self.assertEqual(code, 0, err)
        job_id = lines[-1]["id"]
        wait_for("the POST is there", lambda: simulator.ledger()["posts_seen"] == 1)
        gateway.process.send_signal(signal.SIGSTOP)
        ends = time.monotonic() + LEASE
        wait_for("its lease has run out", lambda: time.monotonic() > ends)
        other = self.gateway(simulator)
        self.assertNotEqual(other.wait(), 0, "the folder is still the first one's")
        simulator.control("release", {})
        wait_for("the answer was given", lambda: simulator.accepted() == 1)
        gateway.process.send_signal(signal.SIGCONT)
        code, lines, err = cli.run("watch", job_id)
        self.assertEqual(code, 0, err + gateway.log())
        self.assert_whole(transitions_of(lines), "STATE_SUCCEEDED")
        self.assertEqual(cli.job(job_id)["charge"]["state"], "STATE_INCURRED")
        self.assertEqual(simulator.accepted(), 1)
        self.assertEqual(gateway.end(), 0, gateway.log())

    def test_the_answer_comes_while_it_stands_still(self):
        self.stand_still(accept="before")

    def test_it_is_accepted_while_it_stands_still(self):
        self.stand_still(accept="after")


if __name__ == "__main__":
    unittest.main()
