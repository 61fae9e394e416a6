"""What happened, as it happened: one JSON object a line, kept for the judge and for a replay."""

import json
import threading
import time


class History:
    """Appends to a file; any thread may write."""

    def __init__(self, path):
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._file = open(path, "a", encoding="utf-8")

    def write(self, kind, **what):
        line = json.dumps({"at": round(time.monotonic() - self._began, 3), "kind": kind, **what})
        with self._lock:
            self._file.write(line + "\n")
            self._file.flush()

    def close(self):
        self._file.close()


def read_lines(path):
    """The whole lines of a file of JSON objects; a line that was cut off by a kill is no line."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines() if line]
