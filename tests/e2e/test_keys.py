"""Another upstream account while jobs of the old one still run."""

import unittest

from harness import KEY, Cli, EndToEndTest, transitions_of, wait_for

NEW_KEY = "e2e-new-key-88a1"


class Keys(EndToEndTest):
    def test_jobs_of_the_old_account_are_followed_with_the_previous_key(self):
        simulator = self.simulator("--time-factor", "20", "--api-key", f"{NEW_KEY}=another-org")
        gateway = self.gateway(simulator)
        cli = Cli(gateway.address())
        code, lines, err = cli.run("submit", "--prompt", "old [sim:run=120]", "--generation-id", "g")
        self.assertEqual(code, 0, err)
        old = lines[-1]["id"]
        wait_for("it runs and its account is known", lambda: (
            cli.job(old)["state"] == "STATE_PROCESSING" and "upstream_account_learned" in gateway.log()))
        self.assertEqual(gateway.end(), 0)

        new_file, old_file = self.folder / "new-key", self.folder / "old-key"
        new_file.write_text(NEW_KEY + "\n")
        old_file.write_text(KEY + "\n")
        gateway = self.gateway(simulator, "--gmi-api-key-file", str(new_file),
                               "--gmi-previous-api-key-file", str(old_file))
        cli = Cli(gateway.address())
        code, lines, err = cli.run("submit", "--prompt", "new [sim:fast]", "--generation-id", "h", "--watch")
        self.assertEqual(code, 0, err)
        code, lines, err = cli.run("watch", old)
        self.assertEqual(code, 0, err)
        self.assert_whole(transitions_of(lines), "STATE_SUCCEEDED")
        self.assertFalse(cli.job(old).get("unreachable", False))
        orgs = [key["org_id"] for key in simulator.ledger()["keys"] for _ in key["accepted"]]
        self.assertEqual(len(orgs), 2, orgs)
        self.assertIn("another-org", orgs)
        for secret in (KEY, NEW_KEY):
            self.assertNotIn(secret, gateway.log())

    def test_without_it_they_keep_their_state_and_say_so(self):
        simulator = self.simulator("--time-factor", "20", "--api-key", f"{NEW_KEY}=another-org")
        gateway = self.gateway(simulator)
        cli = Cli(gateway.address())
        code, lines, err = cli.run("submit", "--prompt", "old [sim:stuck]", "--generation-id", "g")
        self.assertEqual(code, 0, err)
        old = lines[-1]["id"]
        wait_for("its account is known", lambda: "upstream_account_learned" in gateway.log())
        self.assertEqual(gateway.end(), 0)
        new_file = self.folder / "new-key"
        new_file.write_text(NEW_KEY + "\n")
        gateway = self.gateway(simulator, "--gmi-api-key-file", str(new_file))
        cli = Cli(gateway.address())
        wait_for("unreachable", lambda: cli.job(old).get("unreachable"))
        self.assertIn(cli.job(old)["state"], ("STATE_QUEUED", "STATE_PROCESSING"))
        self.assertIn("job_unreachable", gateway.log())
        self.assertEqual(simulator.accepted(), 1)


if __name__ == "__main__":
    unittest.main()
