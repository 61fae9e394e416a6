"""What the simulator's own tests share: one running simulator a class, named by the first argument, and calls to it."""

import http.client
import json
import os
import signal
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
