"""SIGTERM and SIGKILL while somebody watches: the watch goes on by itself after the restart."""

import json
import signal
import socket
import unittest

from harness import Cli, EndToEndTest, transitions_of, wait_for


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


if __name__ == "__main__":
    unittest.main()
