"""A job from submit to outcome through the real programs, and what a user sees of it."""

import base64
import hashlib
import os
import subprocess
import unittest
import uuid

from harness import KEY, Cli, EndToEndTest, transitions_of, write_video

PROMPT = "moonlit film footage e2e-canary-prompt"


class Lifecycle(EndToEndTest):
    def test_a_job_succeeds_and_is_billed_once(self):
        simulator = self.simulator("--time-factor", "60")
        gateway = self.gateway(simulator)
        cli = Cli(gateway.address())
        request_id = str(uuid.uuid4())
        submit = ["submit", "--prompt", PROMPT + " [sim:run=30]", "--generation-id", "gen-1",
                  "--format", "sdr-540p", "--label", "team=film", "--request-id", request_id]
        code, lines, err = cli.run(*submit)
        self.assertEqual(code, 0, err)
        job = lines[-1]
        self.assertEqual(job["quote"], {"minUsdMicros": "720000", "maxUsdMicros": "4320000"})

        code, repeat, err = cli.run(*submit)
        self.assertEqual((code, repeat[-1]["id"]), (0, job["id"]), err)

        code, lines, err = cli.run("watch", job["id"])
        self.assertEqual(code, 0, err)
        transitions = transitions_of(lines)
        self.assert_whole(transitions, "STATE_SUCCEEDED")
        self.assertIn("videoUrl", transitions[-1]["outcome"])
        self.assertEqual(transitions[-1]["charge"]["state"], "STATE_INCURRED")

        code, lines, err = cli.run("list", "--label", "team=film")
        self.assertEqual((code, [j["id"] for j in lines]), (0, [job["id"]]), err)
        code, lines, err = cli.run("list", "--label", "team=sound")
        self.assertEqual((code, lines), (0, []), err)

        ledger = simulator.ledger()
        self.assertEqual((ledger["posts_accepted"], ledger["charged_usd_micros"]), (1, 720000))
        self.assertEqual(gateway.end(), 0)
        # Rule 7: neither key, nor prompt, nor a URL of the output in the log or in the data's names.
        log = gateway.log()
        for secret in (KEY, PROMPT, transitions[-1]["outcome"]["videoUrl"]):
            self.assertNotIn(secret, log)
        for path in (self.folder / "data").rglob("*"):
            if path.is_file():
                self.assertNotIn(KEY.encode(), path.read_bytes(), path)

    def test_an_inline_source_reaches_the_upstream_whole(self):
        simulator = self.simulator("--time-factor", "60")
        gateway = self.gateway(simulator)
        cli = Cli(gateway.address())
        video = self.folder / "clip.mp4"
        write_video(video, 2_000_000)
        code, lines, err = cli.run("submit", "--prompt", "rain [sim:fast]", "--source", str(video), "--watch")
        self.assertEqual(code, 0, f"{err}\n{gateway.log()}")
        self.assert_whole(transitions_of(lines), "STATE_SUCCEEDED")
        self.assertEqual(simulator.accepted(), 1)
        record = simulator.control("records")["records"][0]
        text = base64.b64encode(video.read_bytes())
        self.assertEqual(record["source_data_chars"], len(text))
        self.assertEqual(record["source_data_sha256"], hashlib.sha256(text).hexdigest())

    def test_every_kind_of_failure_has_its_own_exit_code(self):
        simulator = self.simulator("--time-factor", "60")
        gateway = self.gateway(simulator)
        cli = Cli(gateway.address())
        code, lines, err = cli.run("submit", "--prompt", "x [sim:fail]", "--generation-id", "g", "--watch")
        self.assertEqual(code, 1, err)
        self.assert_whole(transitions_of(lines), "STATE_FAILED")
        self.assertEqual(transitions_of(lines)[-1]["charge"]["state"], "STATE_RELEASED")

        code, lines, err = cli.run("submit", "--prompt", "", "--generation-id", "g")
        self.assertEqual(code, 2, err)
        self.assertIn("edit.prompt", err)
        code, lines, err = cli.run("get", str(uuid.uuid4()))
        self.assertEqual(code, 6, err)

    def test_a_lost_answer_is_found_and_never_repeated(self):
        simulator = self.simulator("--time-factor", "60")
        simulator.control("faults", {"fault": "accepted_then_lost", "on": "post", "times": 1})
        gateway = self.gateway(simulator)
        cli = Cli(gateway.address())
        code, lines, err = cli.run("submit", "--prompt", "x [sim:run=60]", "--generation-id", "g", "--watch")
        self.assertEqual(code, 0, f"{err}\n{gateway.log()}")
        states = [t["state"] for t in transitions_of(lines)]
        self.assertIn("STATE_UNCONFIRMED", states)
        self.assertEqual(simulator.accepted(), 1)

    def test_an_unaccepted_lost_post_is_held_with_its_own_exit_code(self):
        simulator = self.simulator("--time-factor", "60")
        simulator.control("faults", {"fault": "lost", "on": "post", "times": 1})
        gateway = self.gateway(simulator, "--confirm-window", "4s")
        cli = Cli(gateway.address())
        code, lines, err = cli.run("submit", "--prompt", "x", "--generation-id", "g", "--watch")
        self.assertEqual(code, 3, f"{err}\n{gateway.log()}")
        self.assertEqual(transitions_of(lines)[-1]["state"], "STATE_HELD")
        self.assertEqual(transitions_of(lines)[-1]["charge"]["state"], "STATE_UNCERTAIN")
        self.assertEqual(simulator.accepted(), 0)

    def test_a_second_process_on_the_same_folder_is_refused(self):
        simulator = self.simulator()
        gateway = self.gateway(simulator)
        gateway.ready()
        second = subprocess.run(
            [os.environ["LUMA_EDIT_GATEWAY"], "--listen", "127.0.0.1:0", "--data-dir",
             str(self.folder / "data"), "--upstream-base-url", simulator.base_url,
             "--upstream-ca-file", simulator.ca_file],
            env={**os.environ, "GMI_API_KEY": KEY}, capture_output=True, text=True, timeout=60, check=False)
        self.assertNotEqual(second.returncode, 0)
        self.assertIn(str(self.folder / "data"), second.stderr)
        self.assertEqual(gateway.end(), 0)


if __name__ == "__main__":
    unittest.main()
