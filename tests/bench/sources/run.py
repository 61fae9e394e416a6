"""Sources: what they cost in memory, how fast they are dispatched, whether their price is right (tests/bench/README.md)."""

import base64
import contextlib
import json
import math
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import types

from harness import Gateway, wait_for
from report import Report

BUILD = pathlib.Path(os.environ["LUMAEDIT_BUILD"])
HERE = pathlib.Path(__file__).resolve().parent
CORPUS = HERE.parents[1] / "media" / "make_corpus.py"
SOURCE_BYTES = 200_000_000
CLIENTS = 8
ECHO_BYTES = 300_000_000
BLOCK_US = 5_000_000
MEGA = 1e6


def program(name):
    return str(BUILD / "tests/bench/sources" / f"bench_{name}")


class Sink:
    """The upstream of this bench; remembers how long each POST took to come in."""

    def __init__(self, folder):
        self.ca_file, key = folder / "sink.pem", folder / "sink.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", key, "-out", self.ca_file, "-days", "2", "-subj", "/CN=sink", "-addext",
                        "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        self.process = subprocess.Popen([program("sink"), str(self.ca_file), str(key)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        self.base_url = f"https://127.0.0.1:{self.port}"
        self.posts = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.posts.append(json.loads(line))

    def next_post(self, send):
        """Bytes a second of the one POST that `send` causes."""
        before = len(self.posts)
        send()
        wait_for("the sink has the POST", lambda: len(self.posts) > before)
        post = self.posts[-1]
        return post["bytes"] / post["seconds"]


class Client:
    def __init__(self, address):
        self.address = address

    def run(self, *words):
        done = subprocess.run([program("source_client"), self.address, *map(str, words)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False, timeout=900)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        if done.returncode != 0:
            raise AssertionError(f"{words[:2]}: {lines} {done.stderr}")
        return lines

    def upload(self, count, path):
        return [line["source"] for line in self.run("upload", count, path)]

    def submit(self, prompt, sources):
        self.run("submit", prompt, *sources)


class Memory:
    """Resident memory of a process, and its peak since begin()."""

    def __init__(self, pid):
        self.folder = pathlib.Path("/proc") / str(pid)

    def _read(self, key):
        for line in (self.folder / "status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
        raise AssertionError(key)

    def begin(self):
        (self.folder / "clear_refs").write_text("5")
        self.before = self._read("VmRSS")

    def grown(self):
        return (self._read("VmHWM") - self.before) / MEGA


def make_videos(folder):
    """The corpus, and one of its videos with as much room behind it as makes SOURCE_BYTES."""
    corpus = folder / "corpus"
    corpus.mkdir()
    subprocess.run([sys.executable, "-B", CORPUS, corpus], check=True)
    small = (corpus / "moov-front.mp4").read_bytes()
    room = SOURCE_BYTES - len(small)
    big = folder / "big.mp4"
    with open(big, "wb") as file:
        file.write(small + room.to_bytes(4, "big") + b"free")
        left = room - 8
        while left:
            piece = os.urandom(min(left, 1 << 20))
            file.write(piece)
            left -= len(piece)
    assert big.stat().st_size == SOURCE_BYTES
    return corpus, big


def make_body(folder, big):
    """The POST of that video, encoded already."""
    body = folder / "body.json"
    with open(body, "wb") as out, open(big, "rb") as source:
        out.write(b'{"model":"luma-ray-3-2-edit","payload":{"prompt":"bench","source_media_type":"video/mp4","source_data":"')
        while piece := source.read(3 << 20):
            out.write(base64.b64encode(piece))
        out.write(b'"}}')
    return body


def quote_errors(client, corpus):
    expected = {}
    for line in (corpus / "expected.tsv").read_text().splitlines():
        name, result, duration, tolerance, *_ = line.split("\t")
        expected[name] = (result, int(duration), int(tolerance))
    wrong, quoted = [], 0
    for answer in client.run("quote", *(corpus / name for name in sorted(expected))):
        result, duration, tolerance = expected[answer["file"]]
        if result != "OK":
            # A file of no bytes cannot even be announced.
            empty = not (corpus / answer["file"]).stat().st_size
            good = answer.get("refused") == ("INVALID_FIELDS" if empty else result)
        elif "min_blocks" not in answer:
            good = False
        else:
            quoted += 1
            blocks = max(1, math.ceil(duration / BLOCK_US))
            # Near a border both prices are quoted: then the right one is one of the two.
            spread = answer["max_blocks"] - answer["min_blocks"]
            good = (answer["min_blocks"] <= blocks <= answer["max_blocks"] and
                    answer["basis"] == "DURATION_BASIS_PROBED" and
                    spread == (1 if answer["near_block_border"] else 0) and
                    abs(int(answer["duration_us"]) - duration) <= tolerance)
        if not good:
            wrong.append(f"{answer} (expected {result}, {duration} us)")
    return wrong, quoted, len(expected)


def upload_round(client, big, name):
    sources = client.upload(CLIENTS, big)
    client.submit(name, sources)
    return sources


def settle(memory):
    """Waits until the server's memory has stood still for a second."""
    seen = []

    def still():
        seen.append(memory._read("VmRSS"))
        return len(seen) > 50 and max(seen[-50:]) - min(seen[-50:]) < 1 << 16
    wait_for("the server's memory stands still", still)


def dispatch_pairs(report, client, sink, body, source, pairs):
    ratios, ours, plain = [], [], []
    for number in range(pairs):
        ours.append(sink.next_post(lambda: client.submit(f"pair {number}", [source])))
        plain.append(sink.next_post(lambda: subprocess.run(
            [program("plain_loop"), str(sink.port), str(sink.ca_file), str(body)], check=True)))
        ratios.append(ours[-1] / plain[-1])
    ratio = statistics.median(ratios)
    report.add("dispatch_throughput", statistics.median(ours) / MEGA, "MB/s", limit=statistics.median(plain) / MEGA,
               ratio=ratio, target=">= 0.7", of="ratio",
               note=f"{pairs} pairs, ratios {min(ratios):.3f} to {max(ratios):.3f}, base64 bytes as the sink takes them")


def main():
    report = Report("sources", __doc__, lambda parser: parser.add_argument(
        "--pairs", type=int, default=7, help="of dispatch and plain loop [7]"))
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="lumaedit-bench-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        os.environ["LUMA_EDIT_GATEWAY"] = str(BUILD / "server/app/luma-edit-gateway")
        corpus, big = make_videos(folder)
        sink = Sink(folder)
        stack.callback(sink.process.wait)
        stack.callback(sink.process.kill)
        # The gateway's own times and limits, but for polls: the bench is about what is read, not when.
        gateway = Gateway(folder, types.SimpleNamespace(base_url=sink.base_url, ca_file=str(sink.ca_file)),
                          "--poll-first", "1s", "--poll-most", "1s")
        stack.callback(gateway.end)
        client = Client(gateway.address())
        memory = Memory(gateway.process.pid)

        wrong, quoted, files = quote_errors(client, corpus)

        upload_round(client, big, "warm up")
        settle(memory)
        memory.begin()
        sources = upload_round(client, big, "measured")
        report.add("upload_rss", memory.grown(), "MB", target="<= 32",
                   note=f"{CLIENTS} clients, {SOURCE_BYTES / MEGA:.0f} MB each, uploaded and dispatched; before "
                        f"{memory.before / MEGA:.0f} MB")

        source = client.upload(1, corpus / "moov-front.mp4")
        client.submit(f"warm up echo={ECHO_BYTES}", source)
        settle(memory)
        memory.begin()
        client.submit(f"measured echo={ECHO_BYTES}", source)
        report.add("echo_rss", memory.grown(), "MB", target="<= 4",
                   note=f"a record with {ECHO_BYTES / MEGA:.0f} MB of echo, polled twice while it runs and read to its end "
                        f"with its success; before {memory.before / MEGA:.0f} MB")

        dispatch_pairs(report, client, sink, make_body(folder, big), sources[0], report.arguments.pairs)
        report.add("quote_errors", len(wrong), "files", target="== 0",
                   note="; ".join([f"{quoted} quoted, {files - quoted} refused as they should be", *wrong]))
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
