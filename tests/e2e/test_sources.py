"""Videos that are uploaded: cut, killed and resumed on both sides, and sent as they are."""

import base64
import hashlib
import json
import os
import pathlib
import signal
import unittest
import uuid

from harness import Cli, EndToEndTest, transitions_of, wait_for, write_video

SIZE = 20_000_000
SLOWLY = ["--max-mb-per-second", "8"]


class Sources(EndToEndTest):
    def received(self):
        """What the gateway's folder holds of the only source."""
        files = list((self.folder / "data" / "sources").glob("*/*.bin"))
        return files[0].stat().st_size if files else 0

    def start_slowly(self, cli, video):
        """An upload that is somewhere in the middle when this returns: its process and what was there."""
        upload = cli.start("upload", str(video), *SLOWLY)
        try:
            wait_for("some of the file has arrived", lambda: self.received() > 1_000_000)
        except AssertionError:
            upload.kill()
            upload.communicate()
            raise
        return upload

    def test_an_upload_goes_on_over_kills_of_both_sides(self):
        simulator = self.simulator("--time-factor", "60")
        gateway = self.gateway(simulator)
        cli = Cli(gateway.address())
        video = self.folder / "take.mp4"
        content = write_video(video, SIZE)

        # The client is killed; what has arrived stays.
        upload = self.start_slowly(cli, video)
        upload.kill()
        upload.communicate()
        first = self.received()
        self.assertLess(first, SIZE, "the upload was over before it was killed")

        # The gateway is killed under the next one, which waits for the gateway and goes on.
        port = gateway.address().rpartition(":")[2]
        upload = cli.start("upload", str(video), *SLOWLY)
        try:
            wait_for("more has arrived", lambda: self.received() > first + 1_000_000)
            gateway.end(signal.SIGKILL)
            second = self.received()
            self.assertGreater(second, first)
            gateway = self.gateway(simulator, "--listen", f"127.0.0.1:{port}")
            gateway.ready()
            out, err = upload.communicate(timeout=60)
        finally:
            if upload.poll() is None:
                upload.kill()
                upload.communicate()
        self.assertEqual(upload.returncode, 0, f"{err}\n{gateway.log()}")
        source = json.loads(out)
        self.assertEqual(source["state"], "STATE_READY")
        self.assertEqual(int(source["sizeBytes"]), SIZE)
        self.assertEqual(source["duration"], "5.041667s")

        # The same file again is there at once, also after a restart.
        self.assertEqual(gateway.end(), 0)
        gateway = self.gateway(simulator)
        cli = Cli(gateway.address())
        code, lines, err = cli.run("upload", str(video))
        self.assertEqual((code, lines[-1]["id"]), (0, source["id"]), err)

        code, lines, err = cli.run("submit", "--prompt", "rain [sim:fast]", "--source-id", source["id"], "--watch")
        self.assertEqual(code, 0, f"{err}\n{gateway.log()}")
        self.assert_whole(transitions_of(lines), "STATE_SUCCEEDED")
        self.assertEqual(lines[0]["quote"], {"minUsdMicros": "1080000", "maxUsdMicros": "2160000"})
        record = simulator.control("records")["records"][0]
        text = base64.b64encode(content)
        self.assertEqual(record["source_data_chars"], len(text))
        self.assertEqual(record["source_data_sha256"], hashlib.sha256(text).hexdigest())
        self.assertEqual(simulator.accepted(), 1)

    def test_submit_uploads_what_is_too_large_for_a_message(self):
        simulator = self.simulator("--time-factor", "60")
        gateway = self.gateway(simulator)
        cli = Cli(gateway.address())
        video = self.folder / "take.mp4"
        content = write_video(video, 6_000_000)
        submit = ["submit", "--prompt", "rain [sim:fast]", "--source", str(video), "--request-id", str(uuid.uuid4())]
        code, first, err = cli.run(*submit, "--watch")
        self.assertEqual(code, 0, f"{err}\n{gateway.log()}")
        self.assert_whole(transitions_of(first), "STATE_SUCCEEDED")
        # The repeat uploads nothing and makes no second job.
        code, again, err = cli.run(*submit)
        self.assertEqual((code, again[0]["id"]), (0, first[0]["id"]), err)
        self.assertEqual(len(list((self.folder / "data" / "sources").glob("*/*.bin"))), 1)
        record = simulator.control("records")["records"][0]
        self.assertEqual(record["source_data_sha256"], hashlib.sha256(base64.b64encode(content)).hexdigest())
        self.assertEqual(simulator.accepted(), 1)

    def test_an_interrupt_leaves_an_upload_that_goes_on(self):
        simulator = self.simulator()
        gateway = self.gateway(simulator)
        cli = Cli(gateway.address())
        video = self.folder / "take.mp4"
        write_video(video, SIZE)
        upload = self.start_slowly(cli, video)
        upload.send_signal(signal.SIGINT)
        upload.communicate(timeout=30)
        self.assertEqual(upload.returncode, 130)
        self.assertLess(self.received(), SIZE)
        code, lines, err = cli.run("upload", str(video), json_lines=False)
        self.assertEqual(code, 0, err)
        self.assertIn("5.042 s", "\n".join(lines))
        self.assertIn("take.mp4", err)

    def test_a_stop_of_the_gateway_in_an_upload_is_clean(self):
        simulator = self.simulator()
        gateway = self.gateway(simulator)
        port = gateway.address().rpartition(":")[2]
        cli = Cli(gateway.address())
        video = self.folder / "take.mp4"
        write_video(video, SIZE)
        upload = self.start_slowly(cli, video)
        try:
            self.assertEqual(gateway.end(), 0)
            gateway = self.gateway(simulator, "--listen", f"127.0.0.1:{port}")
            out, err = upload.communicate(timeout=60)
        finally:
            if upload.poll() is None:
                upload.kill()
                upload.communicate()
        self.assertEqual(upload.returncode, 0, f"{err}\n{gateway.log()}")
        self.assertEqual(json.loads(out)["state"], "STATE_READY")

    def test_what_cannot_be_edited_is_refused_with_its_reason(self):
        simulator = self.simulator()
        gateway = self.gateway(simulator, "--largest-source-mb", "8")
        cli = Cli(gateway.address())
        corpus = pathlib.Path(os.environ["LUMAEDIT_CORPUS"])
        for file, reason in (("text.mp4", "NOT_A_VIDEO"), ("exact-30010ms.mp4", "SOURCE_TOO_LONG"),
                             ("cut-moov-back-50.mp4", "TRUNCATED")):
            for command in (["upload", str(corpus / file)],
                            ["submit", "--prompt", "x", "--source", str(corpus / file)]):
                with self.subTest(file=file, command=command[0]):
                    code, lines, err = cli.run(*command)
                    self.assertEqual((code, lines), (2, []), err)
                    self.assertEqual(json.loads(err)["error"]["reason"], reason)
        large = self.folder / "large.mp4"
        write_video(large, 9_000_000)
        code, lines, err = cli.run("submit", "--prompt", "x", "--source", str(large))
        self.assertEqual(code, 2, err)
        self.assertIn("open.size_bytes", err)
        self.assertEqual(simulator.ledger()["posts_seen"], 0)


if __name__ == "__main__":
    unittest.main()
