"""luma-edit download: whole, cut, gone, changed, refused, and nowhere to put it."""

import os
import resource
import signal
import ssl
import subprocess
import unittest
import urllib.request

from harness import LIMIT, Cli, EndToEndTest, wait_for


class Download(EndToEndTest):
    def setUp(self):
        super().setUp()
        # The output's server is on loopback: no proxy of the machine may come between.
        for name in ("no_proxy", "NO_PROXY"):
            os.environ[name] = "127.0.0.1,localhost"
        self.sim = self.simulator("--time-factor", "60")
        self.cli = Cli(self.gateway(self.sim).address())
        self.target = self.folder / "out" / "rain.mp4"
        self.target.parent.mkdir()

    def job(self, prompt="rain [sim:fast] [seconds=30]", *arguments):
        code, lines, err = self.cli.run("submit", "--prompt", prompt, "--generation-id", "g", "--watch", *arguments)
        self.assertEqual(code, 0, err)
        return self.cli.job(lines[-1]["jobId"])

    def download(self, job, *arguments, target=None):
        return self.cli.run("download", job["id"], "-o", str(target or self.target),
                            "--output-ca-file", self.sim.ca_file, *arguments)

    def fault(self, variant, **rule):
        self.sim.control("faults", {"fault": "output_fault", "on": "output",
                                    "args": {"variant": variant, **rule.pop("args", {})}, **rule})

    def no_faults(self):
        request = urllib.request.Request(f"{self.sim.control_url}/control/faults", method="DELETE")
        urllib.request.urlopen(request, timeout=LIMIT).close()

    def limited(self, job, most_bytes):
        """The command where no file may grow beyond `most_bytes`."""
        command = self.cli.command("--json", "download", job["id"], "-o", str(self.target),
                                   "--output-ca-file", self.sim.ca_file)
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT,
                              check=False, preexec_fn=lambda: (signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
                                                               resource.setrlimit(resource.RLIMIT_FSIZE,
                                                                                  (most_bytes, most_bytes))))
        return done.returncode, done.stdout, done.stderr

    def served(self, url):
        context = ssl.create_default_context(cafile=self.sim.ca_file)
        with urllib.request.urlopen(url, timeout=LIMIT, context=context) as answer:
            return answer.read()

    def outputs(self):
        return self.sim.control("requests")["kinds"].get("output", {"count": 0})

    def assert_nothing_but(self, *names):
        self.assertEqual(sorted(path.name for path in self.target.parent.iterdir()), sorted(names))

    def test_the_whole_file_and_its_exr(self):
        job = self.job("rain [sim:fast] [seconds=30]", "--format", "hdr-exr-720p")
        code, lines, err = self.download(job)
        self.assertEqual(code, 0, err)
        whole = self.served(job["outcome"]["videoUrl"])
        self.assertEqual(self.target.read_bytes(), whole)
        self.assertEqual(lines, [{"file": str(self.target), "bytes": len(whole)},
                                 {"file": str(self.target.with_suffix(".exr")), "bytes": 8}])
        self.assert_nothing_but("rain.exr", "rain.mp4")

    def test_through_a_pipe_it_says_what_came(self):
        job = self.job()
        code, lines, err = self.cli.run("download", job["id"], "-o", str(self.target), "--output-ca-file",
                                        self.sim.ca_file, json_lines=False)
        self.assertEqual((code, lines), (0, [str(self.target)]), err)
        self.assertRegex(err, r"^rain\.mp4  [\d.]+ kB in \d+s\n$")

    def test_goes_on_after_a_cut(self):
        job = self.job()
        whole = self.served(job["outcome"]["videoUrl"])
        before = self.outputs()["bytes_out"]
        self.fault("short")
        code, _, err = self.download(job)
        self.assertEqual(code, 0, err)
        self.assertEqual(self.target.read_bytes(), whole)
        # The second half was asked for, not all of it again.
        self.assertLess(self.outputs()["bytes_out"] - before, len(whole) + 2000)
        self.assert_nothing_but("rain.mp4")

    def test_a_later_run_goes_on(self):
        job = self.job()
        whole = self.served(job["outcome"]["videoUrl"])
        self.fault("slow", always=True, args={"bytes_per_second": max(1000, len(whole) // 100)})
        running = self.cli.start("download", job["id"], "-o", str(self.target), "--output-ca-file", self.sim.ca_file)
        part = self.target.with_name("rain.mp4.part")
        came = wait_for("a part", lambda: part.exists() and part.stat().st_size)
        # Nobody else may write into it meanwhile.
        self.assertEqual(self.download(job)[0], 8)
        running.send_signal(2)
        self.assertEqual(running.wait(LIMIT), 130)
        running.communicate()
        self.assertGreaterEqual(part.stat().st_size, came)
        self.no_faults()
        before, kept = self.outputs()["bytes_out"], part.stat().st_size
        code, _, err = self.download(job)
        self.assertEqual(code, 0, err)
        self.assertEqual(self.target.read_bytes(), whole)
        self.assertLess(self.outputs()["bytes_out"] - before, len(whole) - kept + 2000)

    def test_another_file_at_the_address_begins_anew(self):
        job = self.job()
        whole = self.served(job["outcome"]["videoUrl"])
        self.fault("short")
        self.fault("changed", skip=1, always=True)
        code, _, err = self.download(job)
        self.assertEqual(code, 0, err)
        self.assertEqual(self.target.read_bytes(), whole + b"changed")

    def test_a_server_without_ranges_sends_it_all_again(self):
        job = self.job()
        whole = self.served(job["outcome"]["videoUrl"])
        self.fault("short")
        self.fault("no_range", always=True)
        code, _, err = self.download(job)
        self.assertEqual(code, 0, err)
        self.assertEqual(self.target.read_bytes(), whole)

    def test_a_gone_address_is_refreshed_once(self):
        job = self.job()
        for variant in ("403", "404", "410", "wrong_type"):
            self.fault(variant)
            self.sim.control("advance", {"seconds": 120})
            code, _, err = self.download(job)
            self.assertEqual(code, 0, f"{variant}: {err}")
            self.assertTrue(self.target.read_bytes().startswith(b"\0\0\0"), variant)
            self.target.unlink()

    def test_gone_for_ever_is_told(self):
        job = self.job()
        self.fault("404", always=True)
        code, _, err = self.download(job)
        self.assertEqual(code, 13, err)
        self.assertIn("404", err)
        self.assertNotIn(job["outcome"]["videoUrl"], err)
        self.assertFalse(self.target.exists())

    def test_an_answer_that_is_always_cut_ends(self):
        job = self.job()
        self.fault("no_range", always=True)
        self.sim.control("faults", {"fault": "lost", "on": "output", "always": True})
        code, _, err = self.download(job)
        self.assertEqual(code, 7, err)
        self.assertFalse(self.target.exists())

    def test_the_refusal_of_the_refresh_is_told(self):
        job = self.job()
        self.fault("403", always=True)
        self.sim.control("faults", {"fault": "get_flap", "on": "get", "always": True, "args": {"status": 503}})
        code, _, err = self.cli.run("--timeout", "2s", "download", job["id"], "-o", str(self.target),
                                    "--output-ca-file", self.sim.ca_file)
        self.assertIn("UPSTREAM_", err)
        self.assertIn(code, (7, 9), err)

    def test_a_certificate_that_nobody_vouches_for_is_refused(self):
        job = self.job()
        before = self.outputs()["count"]
        code, _, err = self.cli.run("download", job["id"], "-o", str(self.target))
        self.assertEqual(code, 13, err)
        self.assertIn("certificate", err)
        self.assertEqual(self.outputs()["count"], before)
        self.assertFalse(self.target.exists())

    def test_nowhere_to_put_it(self):
        job = self.job()
        for target in (self.folder / "missing" / "rain.mp4", self.target.parent):
            code, _, err = self.download(job, target=target)
            self.assertEqual(code, 12, err)
            self.assertIn(str(target), err)

    def test_a_full_disk_is_told(self):
        job = self.job()
        # Every file system here has room, so the process gets the limit.
        code, _, err = self.limited(job, 4096)
        self.assertEqual(code, 12, err)
        self.assertIn("rain.mp4.part", err)
        self.assertFalse(self.target.exists())
        code, _, err = self.download(job)
        self.assertEqual(code, 0, err)
        self.assertEqual(self.target.read_bytes(), self.served(job["outcome"]["videoUrl"]))

    def test_a_job_without_an_output(self):
        code, lines, err = self.cli.run("submit", "--prompt", "x [sim:stuck]", "--generation-id", "g")
        self.assertEqual(code, 0, err)
        code, _, err = self.cli.run("download", lines[-1]["id"], "-o", str(self.target), json_lines=False)
        self.assertEqual(code, 8, err)
        self.assertIn("luma-edit watch", err)
        code, lines, err = self.cli.run("submit", "--prompt", "x [sim:fail]", "--generation-id", "g", "--watch")
        code, _, err = self.cli.run("download", lines[-1]["jobId"], "-o", str(self.target))
        self.assertEqual(code, 1, err)
        code, _, err = self.cli.run("download", "3c9f0a52-7a1e-4d0c-9a54-3f1f6a2d7e10", "-o", str(self.target))
        self.assertEqual(code, 6, err)
        self.assert_nothing_but()


if __name__ == "__main__":
    unittest.main()
