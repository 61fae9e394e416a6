"""A data folder that the gateway must not touch: it says why, ends, and changes not one byte."""

import os
import pathlib
import shutil
import sqlite3
import subprocess
import unittest

from harness import KEY, LIMIT, Cli, EndToEndTest


class BadStore(EndToEndTest):
    def setUp(self):
        super().setUp()
        simulator = self.simulator("--time-factor", "60")
        gateway = self.gateway(simulator)
        for number in range(20):
            code, _, err = Cli(gateway.address()).run(
                "submit", "--prompt", f"{number} " + "x" * 4000, "--generation-id", "g")
            self.assertEqual(code, 0, err)
        self.assertEqual(gateway.end(), 0)
        self.good = self.folder / "data"
        self.bad = self.folder / "bad"
        self.base = ["--upstream-base-url", simulator.base_url, "--upstream-ca-file", simulator.ca_file]

    def start(self):
        return subprocess.run(
            [os.environ["LUMA_EDIT_GATEWAY"], "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
             "--data-dir", str(self.bad), *self.base],
            env={**os.environ, "GMI_API_KEY": KEY}, capture_output=True, text=True, timeout=LIMIT,
            check=False)

    def databases(self):
        return {path.name: path.read_bytes() for path in self.bad.glob("jobs.db*")
                if path.stat().st_size and not path.name.endswith("-shm")}

    def check(self, damage, *words):
        shutil.rmtree(self.bad, ignore_errors=True)
        shutil.copytree(self.good, self.bad)
        damage(self.bad / "jobs.db")
        before = self.databases()
        self.assertIn("jobs.db", before)
        done = self.start()
        self.assertEqual(done.returncode, 1, done.stderr)
        # For people: one line that names the file and says what is wrong.
        told = [line for line in done.stderr.splitlines() if line.startswith("luma-edit-gateway: ")]
        self.assertEqual(len(told), 1, done.stderr)
        self.assertIn("jobs.db", told[0])
        for word in words:
            self.assertIn(word, told[0])
        self.assertEqual(self.databases(), before)
        # Nor does the command for restored folders write into it.
        done = subprocess.run(
            [os.environ["LUMA_EDIT_GATEWAY"], "restore-check", "--data-dir", str(self.bad)],
            capture_output=True, text=True, timeout=LIMIT, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(self.databases(), before)

    def test_what_is_no_database(self):
        self.check(lambda path: path.write_bytes(b"not a database at all\n" * 500))

    def test_a_database_of_another_program(self):
        def other(path):
            path.unlink()
            with sqlite3.connect(path) as database:
                database.execute("CREATE TABLE theirs (x)")
        self.check(other)

    def test_a_newer_gateways_database(self):
        def newer(path):
            with sqlite3.connect(path) as database:
                database.execute("PRAGMA user_version = 9999")
            database.close()
        self.check(newer, "newer")

    def test_a_damaged_header(self):
        def flip(path):
            data = bytearray(path.read_bytes())
            data[0:16] = b"\0" * 16
            path.write_bytes(data)
        self.check(flip)

    def test_half_a_database(self):
        self.check(lambda path: os.truncate(path, path.stat().st_size // 2))

    def test_damaged_pages(self):
        def scribble(path):
            data = bytearray(path.read_bytes())
            size = int.from_bytes(data[16:18], "big") or 65536
            for page in range(2, len(data) // size, 3):
                data[page * size:page * size + 100] = b"\xff" * 100
            path.write_bytes(data)
        self.check(scribble)

    def test_the_good_one_still_starts(self):
        # What the others are compared with: the copy itself is no damage.
        shutil.copytree(self.good, self.bad)
        done = subprocess.run(
            [os.environ["LUMA_EDIT_GATEWAY"], "restore-check", "--data-dir", str(self.bad)],
            capture_output=True, text=True, timeout=LIMIT, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
