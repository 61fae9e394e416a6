#!/usr/bin/env python3
"""Checks the simulator from outside, with nothing but the standard library: self_test.py PROGRAM."""

import hashlib
import json
import socket
import subprocess
import sys
import time
import unittest
import urllib.parse

from simulator_case import BASE, MODEL, PROGRAM, SimulatorCase, wait_for


class SimulatorTest(SimulatorCase):
    def test_life_of_a_record(self):
        status, body, _ = self.post("rain", depth_blur=0.1, unknown_key={"a": [1]})
        answer = json.loads(body)
        self.assertEqual(status, 200)
        self.assertEqual(sorted(answer), ["created_at", "model", "queued_at", "request_id",
                                          "status", "updated_at"])
        request_id = answer["request_id"]
        status, record = self.get(request_id)
        self.assertEqual(list(record), ["request_id", "org_id", "user_id", "model", "status",
                                        "is_public", "payload", "outcome", "created_at",
                                        "updated_at", "queued_at"])
        self.assertEqual((record["status"], record["outcome"]), ("queued", None))
        self.assertEqual(record["payload"], {"prompt": "rain", "depth_blur": 0.1,
                                             "unknown_key": {"a": [1]},
                                             "source_generation_id": "abc"})
        self.assertLess(abs(record["created_at"] - time.time()), 5)
        self.advance(11)
        self.assertEqual(self.get(request_id)[1]["status"], "processing")
        self.advance(20)
        record = self.get(request_id)[1]
        self.assertEqual(record["status"], "success")
        self.assertEqual(sorted(record["outcome"]),
                         ["generation_id", "thumbnail_image_url", "video_url"])
        counts = self.control("GET", "requests")
        self.assertEqual(counts["records"][request_id]["polls"], 3)
        self.assertEqual(counts["kinds"]["get"]["count"], 3)
        self.assertGreaterEqual(counts["records"][request_id]["final_seen_unix_ms"],
                                counts["records"][request_id]["last_change_unix_ms"])

    def test_output_is_served_with_ranges(self):
        request_id = self.submit("[sim:fast] [seconds=2]")
        self.advance(2)
        url = urllib.parse.urlparse(self.get(request_id)[1]["outcome"]["video_url"])
        status, whole, headers = self.call("GET", url.path, key="none")
        self.assertEqual((status, headers["Content-Type"]), (200, "video/mp4"))
        self.assertEqual(whole[4:8], b"ftyp")
        self.assertIn(b"moov", whole)
        status, part, headers = self.call("GET", url.path, headers={"Range": "bytes=4-7"})
        self.assertEqual((status, part), (206, b"ftyp"))
        self.assertEqual(headers["Content-Range"], f"bytes 4-7/{len(whole)}")
        self.assertEqual(self.call("GET", url.path, headers={"Range": "bytes=-3"})[1], whole[-3:])
        self.assertEqual(self.call("GET", url.path, headers={"Range": "bytes=9999999-"})[0], 416)

    def test_keys_and_isolation(self):
        request_id = self.submit()
        self.assertEqual(self.get(request_id, key="key-b")[0], 404)
        self.assertEqual(self.list(key="key-b")["requests"], [])
        self.assertEqual(self.post(key="wrong")[0], 401)
        self.post(key="key-c")
        self.assertEqual(len(self.list(key="key-d")["requests"]), 1)
        self.control("POST", "keys", {"key": "key-b", "revoked": True, "status": 403})
        self.assertEqual(self.post(key="key-b")[0], 403)
        self.control("POST", "keys", {"key": "key-b"})
        self.assertEqual(self.post(key="key-b")[0], 200)

    def test_list_pages_newest_first(self):
        ids = [self.submit(f"p{i}") for i in range(5)]
        page = self.list(f"model_id={MODEL}&limit=2&offset=1")
        self.assertEqual([r["request_id"] for r in page["requests"]], [ids[3], ids[2]])
        self.assertEqual((page["total"], page["has_more"]), (5, True))
        self.assertFalse(self.list("limit=2&offset=3")["has_more"])
        self.assertEqual(self.list("model_id=other")["requests"], [])

    def test_models_and_upload(self):
        self.assertIn(MODEL, json.loads(self.call("GET", BASE + "/models")[1])["model_ids"])
        self.assertEqual(self.call("GET", f"{BASE}/models/{MODEL}")[0], 200)
        self.assertEqual(self.call("GET", f"/api/v1/ie/requestqueue/models/{MODEL}", key="x")[0],
                         200)
        self.assertEqual(self.call("GET", f"{BASE}/models/{MODEL.upper()}")[0], 404)
        body = json.loads(self.call("POST", BASE + "/upload-url", '{"file_type":"jpeg"}')[1])
        path = urllib.parse.urlparse(body["upload_url"]).path
        public = urllib.parse.urlparse(body["public_url"]).path
        self.assertEqual(self.call("PUT", path, b"x", headers={"Content-Type": "image/png"})[0],
                         403)
        self.assertEqual(self.call("PUT", path, b"jj", headers={"Content-Type": "image/jpeg"})[0],
                         200)
        self.assertEqual(self.call("GET", public)[1], b"jj")
        self.advance(1000)
        self.assertEqual(self.call("PUT", path, b"x", headers={"Content-Type": "image/jpeg"})[0],
                         403)

    def test_validation(self):
        bad = [
            dict(prompt=""), dict(prompt="x" * 6001), dict(source_generation_id=""),
            dict(source_data="QUJD"), dict(source_data="QUJD", source_generation_id=""),
            dict(resolution="4k"), dict(hdr=True, resolution="540p"), dict(exr_export=True),
            dict(edit_auto_controls=True, edit_strength="flex_1"),
            dict(edit_auto_controls=True, depth_blur=0), dict(depth_blur=1.5), dict(hdr="yes"),
            dict(prompt="[seconds=31]"),
        ]
        for payload in bad:
            self.assertEqual(self.post(**payload)[0], 400, payload)
        self.control("POST", "scenario", {"validation": "vendor",
                                          "backend_error_leaves_record": True})
        status, body, _ = self.post(prompt="")
        self.assertEqual(status, 500)
        self.assertEqual(json.loads(body)["error"], "Backend error (400). Please try again.")
        self.assertEqual(self.list()["requests"][0]["status"], "failed")
        self.control("POST", "scenario", {"validation": "strict",
                                          "backend_error_leaves_record": False})
        good = [
            dict(prompt="é" * 6000), dict(aspect_ratio="1:1"), dict(edit_auto_controls=False),
            dict(edit_auto_controls=True, pose_strength="None", face_enabled=False),
            dict(source_data="QUJD", source_media_type="video/mp4", source_generation_id=""),
        ]
        for payload in good:
            self.assertEqual(self.post(**payload)[0], 200, payload)
        self.assertEqual(self.ledger()["posts_accepted"], len(good))

    def test_prices_and_refund(self):
        table = [(5.0, {}, 1080000), (5.1, {}, 2160000),
                 (12.3, dict(resolution="1080p", hdr=True), 12960000),
                 (18.0, dict(resolution="540p"), 2880000),
                 (30.0, dict(resolution="1080p", hdr=True, exr_export=True), 45360000)]
        for seconds, payload, price in table:
            before = self.ledger()["charged_usd_micros"]
            self.submit(f"[seconds={seconds}]", **payload)
            self.assertEqual(self.ledger()["charged_usd_micros"] - before, price)
        self.submit("[sim:fail]")
        self.advance(100)
        self.assertEqual(self.ledger()["refunded_usd_micros"], 1080000)

    def test_inline_source_is_echoed_and_hashed(self):
        data = "QUJD" * 100000
        request_id = self.submit("inline", source_generation_id="", source_data=data,
                                 source_media_type="video/mp4")
        self.assertEqual(self.get(request_id)[1]["payload"]["source_data"], data)
        entry = self.ledger()["keys"][0]["accepted"][0]
        self.assertEqual(entry["source_data_sha256"], hashlib.sha256(data.encode()).hexdigest())

    def test_keep_alive_and_bad_requests(self):
        connection = self.connect()
        for _ in range(3):
            self.assertEqual(self.post(connection=connection)[0], 200)
        connection.close()
        self.assertEqual(self.call("POST", BASE + "/requests", "{")[0], 400)
        self.assertEqual(self.call("POST", BASE + "/requests", '{"model":"x","payload":{}}')[0],
                         404)
        self.assertEqual(self.call("DELETE", BASE + "/requests/x")[0], 405)
        self.assertEqual(self.ledger()["posts_accepted"], 3)

    # A body that is not whole.

    def raw_post(self, prompt, hold_back):
        body = json.dumps({"model": MODEL, "payload": {
            "prompt": prompt, "source_generation_id": "abc"}}).encode()
        head = (f"POST {BASE}/requests HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer key-a"
                f"\r\nContent-Length: {len(body)}\r\n\r\n").encode()
        stream = self.tls.wrap_socket(
            socket.create_connection(("127.0.0.1", self.ready["port"]), 5),
            server_hostname="localhost")
        stream.sendall(head)
        stream.sendall(body[:len(body) - hold_back])
        return stream, body[len(body) - hold_back:]

    def test_short_body_is_never_accepted(self):
        stream, rest = self.raw_post("late", 1)
        wait_for(lambda: self.ledger()["keys"][0]["posts_started"] == 1)
        self.assertEqual(self.ledger()["posts_seen"], 0)
        stream.sendall(rest)
        self.assertTrue(stream.recv(100).startswith(b"HTTP/1.1 200"))
        stream.close()
        self.assertEqual(self.ledger()["posts_accepted"], 1)
        stream, _ = self.raw_post("never", 1)
        stream.close()
        wait_for(lambda: self.control("GET", "requests")["kinds"].get("refused_body"))
        self.assertEqual(self.ledger()["posts_accepted"], 1)

    def test_short_body_is_accepted_when_a1_is_broken(self):
        self.fault("accept_short_body")
        stream, _ = self.raw_post("early", 1)
        self.assertTrue(stream.recv(100).startswith(b"HTTP/1.1 200"))
        stream.close()
        self.fault("accept_short_body", args={"when": "on_close"})
        stream, _ = self.raw_post("on close", 1)
        # A close with the server's bytes unread would be a reset, and may take the body back.
        stream.shutdown(socket.SHUT_WR)
        while stream.recv(4096):
            pass
        stream.close()
        wait_for(lambda: self.ledger()["posts_accepted"] == 2)


class LineTest(SimulatorCase):
    arguments = ["--line-bytes-per-second", "2000000"]

    def test_no_faster_than_the_line_and_what_went_out_is_counted(self):
        request_id = self.submit()
        self.fault("huge_echo", on="get", times=1, args={"megabytes": 50})
        connection = self.connect()
        connection.request("GET", f"{BASE}/requests/{request_id}", headers={"Authorization": "Bearer key-a"})
        answer = connection.getresponse()
        answer.read(1000)
        answer.close()
        connection.close()

        def gets(count):
            kinds = self.control("GET", "requests")["kinds"]
            return kinds.get("get", {"count": 0})["count"] == count and kinds["get"]

        left = wait_for(lambda: gets(1))
        self.assertLess(left["bytes_sent"], 25 << 20)
        self.fault("huge_echo", on="get", times=1, args={"megabytes": 3})
        connection = self.connect()
        begun = time.monotonic()
        self.call("GET", f"{BASE}/requests/{request_id}", connection=connection)
        self.assertGreater(time.monotonic() - begun, 1.0)
        # What the socket had not sent yet when the answer was written is counted with the next one.
        self.call("GET", f"{BASE}/requests/{request_id}", connection=connection)
        connection.close()
        whole = wait_for(lambda: gets(3))
        self.assertGreater(whole["bytes_sent"] - left["bytes_sent"], 3 << 20)
        self.assertLess(whole["bytes_sent"] - left["bytes_sent"], 4 << 20)


class ArgumentsTest(unittest.TestCase):
    def test_bad_arguments_are_refused(self):
        done = subprocess.run([PROGRAM, "--api-key", "k", "--validation", "odd"],
                              capture_output=True, check=False)
        self.assertNotEqual(done.returncode, 0)
        done = subprocess.run([PROGRAM, "--help"], capture_output=True, check=False)
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"--time-factor", done.stdout)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[1:]])
