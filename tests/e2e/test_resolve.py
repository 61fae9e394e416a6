"""Held jobs and the person who decides about them, with luma-edit on the real gateway."""

import re
import unittest

from harness import Cli, EndToEndTest, transitions_of, wait_for


class Resolve(EndToEndTest):
    def setUp(self):
        super().setUp()
        # The answer is lost, the record is not listed in time: nobody can know.
        self.upstream = self.simulator("--time-factor", "60")
        self.running = self.gateway(self.upstream, "--answer-wait", "2s", "--confirm-window", "16s",
                                    "--held-interval", "1h", "--doubt-pause-first", "100ms",
                                    "--doubt-pause-most", "200ms")
        self.cli = Cli(self.running.address())

    def hold(self, prompt, fault, label="team=film"):
        self.upstream.control("faults", {"fault": fault, "on": "post", "match_prompt": prompt})
        self.upstream.control("faults", {"fault": "list_delay", "on": "post", "match_prompt": prompt,
                                         "args": {"seconds": 30 * 60}})
        code, lines, err = self.cli.run("submit", "--prompt", prompt, "--generation-id", "g", "--label", label)
        self.assertEqual(code, 0, err)
        return lines[-1]["id"]

    def await_state(self, job, state):
        return wait_for(f"{job} is {state}", lambda: self.cli.job(job)["state"] == f"STATE_{state}" and
                        self.cli.job(job))

    def test_a_hold_is_shown_with_its_money_and_ends_by_a_person(self):
        lost = self.hold("never arrived", "lost")
        paid = self.hold("arrived, the answer was lost", "accepted_then_lost")
        other = self.hold("another team's", "lost", label="team=shop")
        for job in (lost, paid, other):
            self.await_state(job, "HELD")
        self.assertEqual(self.upstream.accepted(), 1)

        code, shown, err = self.cli.run("list", "--state", "held", json_lines=False)
        self.assertEqual(code, 0, err)
        for job in (lost, paid, other):
            (line,) = [line for line in shown if line.startswith(job)]
            self.assertIn("$1.08 – $6.48 uncertain", line)
        metrics = self.running.admin("/metrics")[1]
        held = re.search(r"^lumaedit_held_usd_micros\S* (\S+)$", metrics, re.MULTILINE)
        self.assertEqual(float(held[1]), 3 * 6_480_000, metrics)

        # What is no candidate cannot be adopted by a caller, and an old sequence decides nothing.
        sequence = self.cli.job(lost)["sequence"]
        code, _, err = self.cli.run("resolve", lost, "--adopt", "11111111-2222-4333-8444-555555555555")
        self.assertNotEqual(code, 0)
        self.assertIn("candidate", err)
        code, _, err = self.cli.run("resolve", lost, "--abandon", "--sequence", str(sequence - 1))
        self.assertNotEqual(code, 0)
        self.assertEqual(self.cli.job(lost)["state"], "STATE_HELD")

        code, _, err = self.cli.run("resolve", lost, "--abandon", "--note", "not in the vendor's console")
        self.assertEqual(code, 0, err)
        ended = self.cli.job(lost)
        self.assertEqual((ended["state"], ended["charge"]["state"]), ("STATE_FAILED", "STATE_UNCERTAIN"))
        self.assertIn("not in the vendor's console", self.running.log())

        # By age, one team's only: the other one stays.
        code, _, err = self.cli.run("resolve", "--abandon", "--held-for", "1s", "--label", "team=shop", "--yes")
        self.assertEqual(code, 0, err)
        self.await_state(other, "FAILED")
        self.assertEqual(self.cli.job(paid)["state"], "STATE_HELD")
        code, _, err = self.cli.run("resolve", lost, "--abandon")
        self.assertNotEqual(code, 0, "it is not held any more")
        code, lines, err = self.cli.run("watch", lost)
        self.assert_whole(transitions_of(lines), "STATE_FAILED")
        self.assertEqual(self.upstream.accepted(), 1)

    def test_an_operator_adopts_a_record_by_hand(self):
        paid = self.hold("adopted by hand", "accepted_then_lost")
        self.await_state(paid, "HELD")
        (record,) = [r for r in self.upstream.control("records")["records"] if r["prompt"] == "adopted by hand"]
        code, words = self.running.command("adopt", paid, record["request_id"])
        self.assertEqual(code, 0, words)
        done = self.await_state(paid, "SUCCEEDED")
        self.assertEqual((done["upstreamId"], done["charge"]["state"]), (record["request_id"], "STATE_INCURRED"))
        code, lines, err = self.cli.run("watch", paid)
        self.assertEqual(code, 0, err)
        self.assert_whole(transitions_of(lines), "STATE_SUCCEEDED")
        self.assertEqual(self.upstream.accepted(), 1)
        code, (budget,), err = self.cli.run("budget")
        self.assertEqual((budget["incurredUsdMicros"], budget.get("uncertainUsdMicros", "0")), ("6480000", "0"))


if __name__ == "__main__":
    unittest.main()
