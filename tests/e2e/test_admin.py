"""The admin port of the real gateway, and the subcommands that use it."""

import json
import socket
import unittest

from harness import KEY, Cli, EndToEndTest, transitions_of, wait_for
from metrics_text import parse, total

PROMPT = "a canary-prompt nobody may see"


class Admin(EndToEndTest):
    def metrics(self, gateway):
        code, text = gateway.admin("/metrics")
        self.assertEqual(code, 200, text)
        return parse(text)

    def test_metrics_tell_what_happened_and_nothing_private(self):
        simulator = self.simulator("--time-factor", "60")
        gateway = self.gateway(simulator, "--confirm-window", "2s")
        cli = Cli(gateway.address())
        code, lines, err = cli.run("submit", "--prompt", PROMPT, "--generation-id", "g", "--watch")
        self.assertEqual(code, 0, err)
        self.assert_whole(transitions_of(lines), "STATE_SUCCEEDED")
        simulator.control("faults", {"fault": "lost", "on": "post", "times": 1})
        code, lines, err = cli.run("submit", "--prompt", PROMPT, "--generation-id", "h", "--watch")
        self.assertEqual(code, 3, err)
        held = transitions_of(lines)[-1]["charge"]["amount"]

        series, types = self.metrics(gateway)
        self.assertEqual(total(series, "lumaedit_transitions_total", state="succeeded"), 1)
        self.assertEqual(total(series, "lumaedit_transitions_total", state="pending"), 2)
        self.assertEqual(total(series, "lumaedit_posts_total", answer="accepted"), 1)
        self.assertEqual(total(series, "lumaedit_posts_total", answer="unclear"), 1)
        self.assertEqual(total(series, "lumaedit_jobs", state="held"), 1)
        self.assertEqual(total(series, "lumaedit_jobs"), 1)
        self.assertEqual(total(series, "lumaedit_held_usd_micros"), int(held["maxUsdMicros"]))
        self.assertEqual(total(series, "lumaedit_uncertain_usd_micros"), int(held["maxUsdMicros"]))
        self.assertGreater(total(series, "lumaedit_upstream_request_seconds_count", method="get", answer="ok"), 0)
        self.assertGreater(total(series, "lumaedit_poll_lag_seconds_count"), 0)
        self.assertGreaterEqual(total(series, "lumaedit_store_commit_seconds_count"), 8)
        self.assertEqual(total(series, "lumaedit_answers"), 2)
        self.assertGreater(total(series, "lumaedit_lease_seconds"), 0)
        self.assertEqual(total(series, "lumaedit_dispatch_paused"), 0)
        self.assertEqual(types["lumaedit_streams_ended_total"], "counter")
        # One watch ended with the last transition; the other was left at HELD.
        ended = wait_for("both streams are counted", lambda: (
            s := self.metrics(gateway)[0]) and total(s, "lumaedit_streams_ended_total") >= 2 and s)
        self.assertEqual(total(ended, "lumaedit_streams_ended_total", reason="final"), 1)
        self.assertEqual(total(ended, "lumaedit_streams_ended_total", reason="left"), 1)

        _, text = gateway.admin("/metrics")
        for private in (KEY, "canary", "local", "https://", lines[0].get("job", {}).get("id", "no-id")):
            self.assertNotIn(private, text)

    def test_health_and_readiness(self):
        gateway = self.gateway(self.simulator())
        self.assertEqual(gateway.admin("/healthz")[0], 200)
        self.assertEqual(wait_for("ready", lambda: gateway.admin("/readyz")[0] == 200), True)
        self.assertEqual(gateway.admin("/pause")[0], 404, "a GET changes nothing")
        self.assertEqual(gateway.admin("/etc/passwd")[0], 404)
        self.assertEqual(gateway.end(), 0)

    def test_a_pause_survives_a_kill_and_everything_else_goes_on(self):
        simulator = self.simulator("--time-factor", "60")
        gateway = self.gateway(simulator)
        code, text = gateway.command("pause")
        self.assertEqual((code, text), (0, "dispatch: paused by an operator\n"))
        cli = Cli(gateway.address())
        code, lines, err = cli.run("submit", "--prompt", "x [sim:fast]", "--generation-id", "g")
        self.assertEqual(code, 0, err)
        job = lines[-1]["id"]
        gateway.end(9)

        gateway = self.gateway(simulator)
        cli = Cli(gateway.address())
        code, text = gateway.command("status", "--json")
        status = json.loads(text)
        self.assertEqual((code, status["paused"], status["jobs"]), (0, True, {"PENDING": 1}))
        self.assertEqual(total(self.metrics(gateway)[0], "lumaedit_dispatch_paused", by="operator"), 1)
        self.assertEqual(simulator.ledger()["posts_accepted"], 0)
        self.assertEqual(cli.job(job)["state"], "STATE_PENDING")

        self.assertEqual(gateway.command("resume")[0], 0)
        code, lines, err = cli.run("watch", job)
        self.assertEqual(code, 0, err)
        self.assertEqual(simulator.accepted(), 1)

    def test_status_shows_what_is_held(self):
        simulator = self.simulator("--time-factor", "60")
        simulator.control("faults", {"fault": "lost", "on": "post", "times": 1})
        gateway = self.gateway(simulator, "--confirm-window", "2s", "--spend-limit-usd-per-day", "25")
        code, lines, err = Cli(gateway.address()).run(
            "submit", "--prompt", "x", "--generation-id", "g", "--watch")
        self.assertEqual(code, 3, err)
        code, text = gateway.admin("/status")
        self.assertEqual(code, 200, text)
        (held,) = json.loads(text)["held"]
        charge = transitions_of(lines)[-1]["charge"]["amount"]
        self.assertEqual(str(held["max_usd_micros"]), charge["maxUsdMicros"])
        # Nothing is in it if the day (UTC) has just begun.
        today = json.loads(text)["today"]
        self.assertIn(str(today["uncertain_usd_micros"]), (charge["maxUsdMicros"], "0"))
        self.assertEqual((today["reserved_usd_micros"], today["limit_usd_micros"]), (0, 25_000_000))
        printed = gateway.command("status")[1]
        self.assertIn(held["job_id"], printed)
        self.assertRegex(printed, r"\ntoday \(UTC\): reserved 0 USD, .*; the limit of all is 25 USD\n")
        self.assertEqual(total(self.metrics(gateway)[0], "lumaedit_daily_limit_usd_micros"), 25_000_000)

    def test_a_person_gives_a_held_job_its_record(self):
        simulator = self.simulator("--time-factor", "60")
        simulator.control("faults", {"fault": "lost", "on": "post", "times": 1})
        gateway = self.gateway(simulator, "--confirm-window", "2s")
        cli = Cli(gateway.address())
        code, lines, err = cli.run("submit", "--prompt", "x", "--generation-id", "g", "--watch")
        self.assertEqual(code, 3, err)
        (held,) = json.loads(gateway.admin("/status")[1])["held"]
        record = simulator.control("records", {
            "payload": {"prompt": "another one", "source": {"type": "generation", "id": "g"}},
            "status": "processing", "by_id": True, "request_id": "made-by-hand"})
        self.assertEqual(gateway.command("adopt", held["job_id"], "no-such-record")[0], 1)
        code, text = gateway.command("adopt", held["job_id"], "made-by-hand")
        self.assertEqual(code, 0, f"{text} {record} {gateway.log()}")
        self.assertIn("made-by-hand", text)
        self.assertEqual(cli.job(held["job_id"])["upstreamId"], "made-by-hand")
        self.assertEqual(simulator.accepted(), 0)
        self.assertEqual(gateway.command("adopt", held["job_id"], "made-by-hand")[0], 1, "no longer held")
        self.assertEqual(gateway.command("adopt", held["job_id"])[0], 2)

    def test_browsers_and_strangers_are_refused(self):
        gateway = self.gateway(self.simulator())
        with socket.create_connection(("127.0.0.1", gateway.admin_port()), timeout=20) as browser:
            browser.sendall(b"POST /pause HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.example\r\n"
                            b"Content-Length: 0\r\n\r\n")
            self.assertIn(b" 403 ", browser.makefile("rb").readline())
        self.assertFalse(json.loads(gateway.admin("/status")[1])["paused"])
        self.assertEqual(gateway.end(), 0)
        code, text = gateway.command("pause")
        self.assertEqual(code, 1, text)
        self.assertIn("no gateway answers", text)


if __name__ == "__main__":
    unittest.main()
