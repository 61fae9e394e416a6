"""A data folder that goes back to a backup, as a person does it with the real programs."""

import json
import os
import shutil
import subprocess
import unittest

from harness import LIMIT, Cli, EndToEndTest, wait_for


class Restore(EndToEndTest):
    def setUp(self):
        super().setUp()
        self.data, self.backup = self.folder / "data", self.folder / "backup"
        self.upstream = self.simulator("--time-factor", "60")

    def submit(self, gateway, prompt):
        code, lines, err = Cli(gateway.address()).run(
            "submit", "--prompt", prompt, "--generation-id", "g")
        self.assertEqual(code, 0, err)
        return lines[-1]["id"]

    def finish(self, gateway, job):
        code, _, err = Cli(gateway.address()).run("watch", job)
        self.assertEqual(code, 0, f"{err}\n{gateway.log()}")

    def restore(self):
        shutil.rmtree(self.data)
        shutil.copytree(self.backup, self.data)
        return subprocess.run(
            [os.environ["LUMA_EDIT_GATEWAY"], "restore-check", "--data-dir", str(self.data)],
            capture_output=True, text=True, timeout=LIMIT, check=False)

    def status(self, gateway):
        return json.loads(gateway.command("status", "--json")[1])

    def test_a_job_that_was_sent_since_the_backup_is_found_and_paid_once(self):
        gateway = self.gateway(self.upstream)
        gateway.command("pause")
        job = self.submit(gateway, "sent since [sim:fast]")
        self.assertEqual(gateway.end(), 0)
        shutil.copytree(self.data, self.backup)
        gateway = self.gateway(self.upstream)
        self.assertEqual(gateway.command("resume")[0], 0)
        self.finish(gateway, job)
        # A running gateway keeps its folder.
        busy = subprocess.run(
            [os.environ["LUMA_EDIT_GATEWAY"], "restore-check", "--data-dir", str(self.data)],
            capture_output=True, text=True, timeout=LIMIT, check=False)
        self.assertEqual(busy.returncode, 1, busy.stdout)
        self.assertEqual(gateway.end(), 0)

        done = self.restore()
        self.assertEqual(done.returncode, 0, done.stderr)
        gateway = self.gateway(self.upstream)
        wait_for("it was put in doubt", lambda: "restored_job_in_doubt" in gateway.log())
        wait_for("it was compared", lambda: not self.status(gateway)["restored"], limit=150)
        self.assertTrue(self.status(gateway)["paused"], "the pause of the backup is the operator's")
        self.finish(gateway, job)
        self.assertEqual(self.upstream.accepted(), 1)

    def test_records_that_no_job_knows_wait_for_a_person(self):
        gateway = self.gateway(self.upstream)
        self.finish(gateway, self.submit(gateway, "known [sim:fast]"))
        self.assertEqual(gateway.end(), 0)
        shutil.copytree(self.data, self.backup)
        gateway = self.gateway(self.upstream)
        self.finish(gateway, self.submit(gateway, "lost with the folder [sim:fast]"))
        self.assertEqual(gateway.end(), 0)

        self.assertEqual(self.restore().returncode, 0)
        gateway = self.gateway(self.upstream)
        wait_for("they are told", lambda: "restored_store_misses_records" in gateway.log())
        job = self.submit(gateway, "next [sim:fast]")
        self.assertTrue(self.status(gateway)["restored"])
        self.assertEqual(Cli(gateway.address()).job(job)["state"], "STATE_PENDING")
        self.assertEqual(self.upstream.accepted(), 2)
        self.assertEqual(gateway.command("resume")[0], 0)
        self.finish(gateway, job)
        self.assertEqual(self.upstream.accepted(), 3)


if __name__ == "__main__":
    unittest.main()
