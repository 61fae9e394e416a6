#!/usr/bin/env python3
"""Checks the simulator from outside, with nothing but the standard library: self_test.py PROGRAM."""

import hashlib
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

PROGRAM = sys.argv.pop(1) if len(sys.argv) > 1 else "gmi-simulator"
MODEL = "luma-ray-3-2-edit"
BASE = "/api/v1/ie/requestqueue/apikey"
LOST = (ConnectionError, http.client.HTTPException, ssl.SSLError, TimeoutError, OSError)


def wait_for(condition, seconds=10.0):
    """Polls until the condition holds; returns its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("condition did not come true")
        time.sleep(0.005)


class SimulatorCase(unittest.TestCase):
    """One simulator for all tests of a class."""

    arguments = []

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        ready = os.path.join(cls.folder.name, "ready.json")
        ca = os.path.join(cls.folder.name, "ca.pem")
        cls.process = subprocess.Popen(
            [PROGRAM, "--api-key", "key-a", "--api-key", "key-b", "--api-key", "key-c=shared",
             "--api-key", "key-d=shared", "--ready-file", ready, "--ca-out", ca,
             "--queue-seconds", "10", "--run-seconds", "20", *cls.arguments],
            stdout=subprocess.DEVNULL)
        wait_for(lambda: os.path.exists(ready))
        with open(ready, encoding="utf-8") as file:
            cls.ready = json.load(file)
        cls.tls = ssl.create_default_context(cafile=ca)

    @classmethod
    def tearDownClass(cls):
        cls.process.send_signal(signal.SIGTERM)
        code = cls.process.wait(10)
        cls.folder.cleanup()
        assert code == 0, f"exit code {code}"

    def setUp(self):
        self.control("POST", "reset")

    # Helpers.

    def connect(self, timeout=10):
        return http.client.HTTPSConnection("127.0.0.1", self.ready["port"], context=self.tls,
                                           timeout=timeout)

    def control(self, method, what, body=None):
        connection = http.client.HTTPConnection(
            urllib.parse.urlparse(self.ready["control_url"]).netloc, timeout=10)
        connection.request(method, "/control/" + what, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        text = json.loads(answer.read())
        connection.close()
        self.assertEqual(answer.status, 200, text)
        return text

    def fault(self, name, on="post", **rule):
        return self.control("POST", "faults", {"fault": name, "on": on, **rule})

    def call(self, method, path, body=None, key="key-a", headers=None, connection=None, timeout=10):
        own = connection is None
        connection = connection or self.connect(timeout)
        try:
            connection.request(method, path, body,
                               {"Authorization": "Bearer " + key, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers
        finally:
            if own:
                connection.close()

    def post(self, prompt="p", key="key-a", connection=None, timeout=10, **payload):
        payload.setdefault("source_generation_id", "abc")
        body = json.dumps({"model": MODEL, "payload": {"prompt": prompt, **payload}})
        return self.call("POST", BASE + "/requests", body, key, connection=connection,
                         timeout=timeout)

    def submit(self, prompt="p", **payload):
        status, body, _ = self.post(prompt, **payload)
        self.assertEqual(status, 200, body)
        return json.loads(body)["request_id"]

    def get(self, request_id, key="key-a"):
        status, body, _ = self.call("GET", f"{BASE}/requests/{request_id}", key=key)
        return status, json.loads(body)

    def list(self, query="", key="key-a"):
        status, body, _ = self.call("GET", f"{BASE}/requests?{query}", key=key)
        self.assertEqual(status, 200)
        return json.loads(body)

    def advance(self, seconds):
        self.control("POST", "advance", {"seconds": seconds})

    def ledger(self):
        return self.control("GET", "ledger")

    def assert_lost(self, call, *args, **kwargs):
        with self.assertRaises(LOST):
            call(*args, **kwargs)


class SimulatorTest(SimulatorCase):
    # Normal behaviour.

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
        stream.close()
        wait_for(lambda: self.ledger()["posts_accepted"] == 2)

    # Faults.

    def test_01_rate_limit(self):
        for variant in ("body", "header_seconds", "header_date", "conflict", "none", "absurd",
                        "negative"):
            self.fault("rate_limit_429", args={"variant": variant})
            status, body, headers = self.post()
            self.assertEqual(status, 429)
            body = json.loads(body)
            self.assertEqual("rate_limit" in body, variant != "none")
            self.assertEqual("Retry-After" in headers,
                             variant in ("header_seconds", "header_date", "conflict"))
        self.assertEqual(self.ledger()["posts_accepted"], 0)
        self.fault("rate_limit_429", args={"creates_record": True})
        self.assertEqual(self.post()[0], 429)
        self.assertEqual(self.ledger()["posts_accepted"], 1)
        self.fault("rate_limit_429", times=2)
        self.assertEqual([self.post()[0] for _ in range(3)], [429, 429, 200])

    def test_02_limiter(self):
        self.fault("limiter", always=True, args={"limit": 2, "interval_seconds": 60})
        self.assertEqual([self.post()[0] for _ in range(4)], [200, 200, 429, 429])
        self.advance(61)
        self.assertEqual(self.post()[0], 200)

    def test_03_capacity(self):
        self.fault("capacity_503")
        status, body, _ = self.post()
        self.assertEqual((status, "request_id" in json.loads(body)), (503, False))
        for lookup, expected in (("404", 404), ("failed", 200), ("live", 200)):
            self.fault("capacity_503", args={"lookup": lookup})
            request_id = json.loads(self.post()[1])["request_id"]
            status, record = self.get(request_id)
            self.assertEqual(status, expected)
            if lookup == "failed":
                self.assertEqual(record["status"], "failed")
        self.assertEqual(self.ledger()["posts_accepted"], 1)

    def test_04_05_errors(self):
        for leaves in (False, True):
            self.fault("backend_error", args={"code": 422, "leaves_record": leaves})
            self.assertEqual(json.loads(self.post()[1])["error"],
                             "Backend error (422). Please try again.")
            self.assertEqual(len(self.list()["requests"]), int(leaves))
        self.fault("server_error", args={"status": 502, "body": "html", "creates_record": True})
        status, body, headers = self.post()
        self.assertEqual((status, headers["Content-Type"]), (502, "text/html"))
        self.assertEqual(self.ledger()["posts_accepted"], 1)

    def test_08_09_lost(self):
        for where in ("before_headers", "after_headers", "mid_body"):
            for how in ("reset", "close"):
                self.fault("accepted_then_lost", args={"where": where, "how": how})
                self.assert_lost(self.post, "accepted")
                self.fault("lost", args={"where": where, "how": how})
                self.assert_lost(self.post, "gone")
        self.assertEqual(self.ledger()["posts_accepted"], 6)
        self.assertEqual({r["payload"]["prompt"] for r in self.list()["requests"]}, {"accepted"})
        self.assertEqual(self.post("after")[0], 200)
        self.assert_lost(self.post, "[sim:lost*1]")
        self.assertEqual(self.post("[sim:lost*1]")[0], 200)

    def test_10_slow(self):
        self.fault("slow", args={"real_seconds": 0.2})
        start = time.monotonic()
        self.assertEqual(self.post()[0], 200)
        self.assertGreaterEqual(time.monotonic() - start, 0.2)
        self.fault("slow", args={"never": True})
        self.assert_lost(self.post, timeout=1)
        self.assertEqual(self.ledger()["posts_accepted"], 2)
        self.fault("slow", args={"until_released": True, "accept": "after"})
        self.assert_lost(self.post, timeout=1)
        self.assertEqual(self.ledger()["posts_accepted"], 2)
        self.control("POST", "release")
        wait_for(lambda: self.ledger()["posts_accepted"] == 3)

    def test_11_12_sync(self):
        self.fault("sync_success")
        record = json.loads(self.post()[1])
        self.assertEqual(record["status"], "success")
        self.assertIn("video_url", record["outcome"])
        self.fault("sync_failure", args={"style": "200"})
        self.assertEqual(json.loads(self.post()[1])["status"], "failed")
        self.fault("sync_failure", args={"style": "400"})
        status, body, _ = self.post()
        self.assertEqual(status, 400)
        self.assertEqual(self.get(json.loads(body)["request_id"])[1]["status"], "failed")
        self.assertEqual(self.ledger()["refunded_usd_micros"], 1080000)

    def test_13_14_16_18_courses(self):
        stuck = self.submit("[sim:stuck]")
        running = self.submit("[sim:stuck=processing]")
        late = self.submit("[sim:late-failure]")
        cancelled = self.submit("[sim:cancelled=canceled]")
        backwards = self.submit("[sim:backwards]")
        seen = []
        for _ in range(30):
            status = self.get(backwards)[1]["status"]
            if not seen or seen[-1] != status:
                seen.append(status)
            self.advance(2)
        self.assertEqual(seen, ["queued", "processing", "queued", "processing", "success"])
        self.assertEqual(self.get(late)[1]["status"], "processing")
        self.advance(600)
        self.assertEqual(self.get(late)[1]["status"], "failed")
        self.assertEqual(self.get(cancelled)[1]["status"], "canceled")
        self.advance(1e6)
        record = self.get(stuck)[1]
        self.assertEqual((record["status"], record["updated_at"]),
                         ("queued", record["created_at"]))
        self.assertEqual(self.get(running)[1]["status"], "processing")

    def test_15_failure_shapes(self):
        expected = {"text": "outcome", "object": "outcome", "reason": "reason",
                    "top_error_text": "error", "top_error_object": "error", "null": "outcome",
                    "empty": "outcome"}
        ids = {shape: self.submit(f"[sim:fail={shape}]") for shape in expected}
        self.advance(100)
        for shape, field in expected.items():
            record = self.get(ids[shape])[1]
            self.assertEqual(record["status"], "failed")
            self.assertIn(field, record)
            if shape == "null":
                self.assertIsNone(record["outcome"])

    def test_17_unknown_status(self):
        request_id = self.submit()
        for args, expected in (({"status": "throttled"}, "throttled"), ({"status": ""}, ""),
                               ({"status": 7}, 7), ({"missing": True}, None)):
            self.fault("unknown_status", on="get", args=args)
            self.assertEqual(self.get(request_id)[1].get("status"), expected)
        self.assertEqual(self.get(request_id)[1]["status"], "queued")
        sticky = self.submit("[sim:status=throttled]")
        self.assertEqual(self.get(sticky)[1]["status"], "throttled")

    def test_19_success_anomalies(self):
        shapes = ["null", "empty", "media_urls_empty", "media_urls_no_url", "thumbnail_only",
                  "thumbnail_same", "media_urls_strings", "no_generation_id", "nested_status"]
        ids = {shape: self.submit(f"[sim:anomaly={shape}]") for shape in shapes}
        self.advance(100)
        outcome = {shape: self.get(ids[shape])[1]["outcome"] for shape in shapes}
        self.assertIsNone(outcome["null"])
        self.assertEqual(outcome["empty"], {})
        self.assertEqual(outcome["media_urls_empty"], {"media_urls": []})
        self.assertNotIn("url", outcome["media_urls_no_url"]["media_urls"][0])
        self.assertEqual(list(outcome["thumbnail_only"]), ["thumbnail_image_url"])
        self.assertEqual(len(set(outcome["thumbnail_same"].values())), 1)
        self.assertIsInstance(outcome["media_urls_strings"]["media_urls"][0], str)
        self.assertNotIn("generation_id", outcome["no_generation_id"])
        self.assertEqual(outcome["nested_status"]["status"], "failed")

    def test_21_bad_json(self):
        request_id = self.submit()
        for variant in ("truncated", "trailing", "invalid_utf8", "broken_chunk", "gzip",
                        "not_json"):
            self.fault("bad_json", on="get", args={"variant": variant})
            with self.assertRaises((ValueError, *LOST)):
                self.get(request_id)
        self.fault("bad_json", on="get", args={"variant": "bom"})
        body = self.call("GET", f"{BASE}/requests/{request_id}")[1]
        self.assertTrue(body.startswith(b"\xef\xbb\xbf{"))
        self.fault("bad_json")
        status, body, _ = self.post("created all the same")
        self.assertEqual(status, 200)
        self.assertRaises(ValueError, json.loads, body)
        self.assertEqual(self.ledger()["posts_accepted"], 2)

    def test_22_23_25_reads(self):
        request_id = self.submit()
        self.fault("huge_echo", on="get", args={"megabytes": 3})
        self.assertEqual(len(self.get(request_id)[1]["payload"]["source_data"]), 3 << 20)
        self.fault("huge_echo", on="list", args={"mode": "empty"})
        self.assertEqual(self.list()["requests"][0]["payload"], {})
        self.fault("get_flap", args={"polls": 2})
        flapping = self.submit()
        self.assertEqual([self.get(flapping)[0] for _ in range(3)], [404, 404, 200])
        self.fault("clock", args={"offset_seconds": -300})
        off = self.submit()
        self.assertLess(self.get(off)[1]["created_at"], time.time() - 290)

    def test_24_key_revoked_in_mid_job(self):
        self.fault("auth_change", args={"after_polls": 1})
        request_id = self.submit()
        self.assertEqual([self.get(request_id)[0] for _ in range(3)], [200, 401, 401])
        self.control("POST", "keys", {"key": "key-a"})
        self.assertEqual(self.get(request_id)[0], 200)

    def test_26_27_limits(self):
        self.fault("source_limit", args={"at": "post"})
        self.assertEqual(self.post("[seconds=20]")[0], 500)
        self.fault("source_limit", args={"at": "late"})
        request_id = self.submit("[seconds=20]")
        self.advance(100)
        self.assertEqual(self.get(request_id)[1]["status"], "failed")
        big = dict(source_generation_id="", source_data="QUJD" * (1 << 20),
                   source_media_type="video/mp4")
        self.fault("body_limit", args={"bytes": 1 << 16, "how": "reset"})
        self.assert_lost(self.post, **big)
        self.fault("body_limit", args={"bytes": 1 << 16})
        try:
            self.assertEqual(self.post(**big)[0], 413)
        except LOST:
            pass  # the answer may meet a client that is still writing
        self.assertEqual(self.ledger()["posts_accepted"], 1)

    def test_28_output(self):
        request_id = self.submit("[sim:fast]")
        self.advance(2)
        path = urllib.parse.urlparse(self.get(request_id)[1]["outcome"]["video_url"]).path
        for variant, expected in (("403", 403), ("404", 404)):
            self.fault("output_fault", on="output", args={"variant": variant})
            self.assertEqual(self.call("GET", path)[0], expected)
        self.fault("output_fault", on="output", args={"variant": "short"})
        self.assert_lost(self.call, "GET", path)
        self.control("POST", "scenario", {"output_expiry_seconds": 60})
        self.advance(61)
        self.assertEqual(self.call("GET", path)[0], 403)
        self.control("POST", "scenario", {"output_expiry_seconds": 0})

    def test_29_lists(self):
        self.fault("list_delay", args={"seconds": 30})
        delayed = self.submit()
        self.fault("list_delay", args={"never": True})
        hidden = self.submit()
        self.assertEqual(self.list()["requests"], [])
        self.assertEqual(self.get(hidden)[0], 200)
        self.advance(31)
        self.assertEqual([r["request_id"] for r in self.list()["requests"]], [delayed])
        self.fault("list_quirk", on="list", args={"variant": "no_has_more"})
        self.assertNotIn("has_more", self.list())
        self.fault("list_quirk", on="list", args={"variant": "shift"})
        self.assertEqual(self.list()["requests"][1]["request_id"], delayed)
        made = self.control("POST", "records", {"payload": {"prompt": "console"}})
        self.assertEqual(self.list()["requests"][0]["request_id"], made["request_id"])
        self.assertEqual(self.get(made["request_id"])[0], 404)

    def test_30_connections(self):
        self.fault("connection_close")
        connection = self.connect()
        self.assertEqual(self.post(connection=connection)[2]["Connection"], "close")
        self.fault("idle_close")
        connection = self.connect()
        self.assertEqual(self.post(connection=connection)[0], 200)
        before = self.ledger()["posts_seen"]
        self.assert_lost(self.post, connection=connection)
        self.assertEqual(self.ledger()["posts_seen"], before)

    def test_forced_status(self):
        request_id = self.submit()
        self.control("POST", f"records/{request_id}", {"status": "success", "outcome": {"a": 1}})
        record = self.get(request_id)[1]
        self.assertEqual((record["status"], record["outcome"]), ("success", {"a": 1}))
        self.control("POST", f"records/{request_id}", {"status": [1], "reason": "x"})
        record = self.get(request_id)[1]
        self.assertEqual((record["status"], record["reason"]), ([1], "x"))

    def test_rules_match_and_expire(self):
        self.fault("rate_limit_429", always=True, match_prompt="poor", skip=1, for_seconds=60)
        self.assertEqual([self.post(p)[0] for p in ("rich", "poor", "poor", "poor")],
                         [200, 200, 429, 429])
        self.advance(61)
        self.assertEqual(self.post("poor")[0], 200)
        self.fault("rate_limit_429", probability=0.5)
        statuses = {self.post()[0] for _ in range(30)}
        self.assertEqual(statuses, {200, 429})

    def test_every_variant_of_the_catalogue(self):
        for entry in self.control("GET", "catalogue")["catalogue"]:
            for args in entry["variants"]:
                self.control("POST", "reset")
                request_id = self.submit("before")
                self.advance(40)
                for on in entry["on"]:
                    self.fault(entry["fault"], on=on, args=args)
                calls = [lambda: self.post(timeout=0.3),
                         lambda: self.call("GET", f"{BASE}/requests/{request_id}", timeout=0.3),
                         lambda: self.call("GET", f"{BASE}/requests?limit=5", timeout=0.3)]
                if "models" in entry["on"]:
                    calls.append(lambda: self.call("GET", f"{BASE}/models", timeout=0.3))
                for call in calls:
                    try:
                        call()
                    except LOST:
                        pass
                self.control("DELETE", "faults")
                self.assertEqual(self.get(request_id)[0], 200, (entry, args))
        self.assertIsNone(self.process.poll())

    def test_random_mode_is_repeatable(self):
        def run():
            self.control("POST", "reset")
            self.control("POST", "random", {"seed": 7, "rate": 0.5, "faults": [
                "rate_limit_429", "lost", {"fault": "server_error", "on": "post"}]})
            out = []
            for _ in range(20):
                try:
                    out.append(self.post()[0])
                except LOST:
                    out.append(0)
            return out
        first = run()
        self.assertEqual(first, run())
        self.assertTrue(any(status != 200 for status in first))


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
