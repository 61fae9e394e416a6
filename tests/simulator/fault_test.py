#!/usr/bin/env python3
"""Checks the simulator's faults from outside: fault_test.py PROGRAM."""

import json
import sys
import time
import unittest
import urllib.parse

from simulator_case import BASE, LOST, SimulatorCase, wait_for


class FaultTest(SimulatorCase):
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


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[1:]])
