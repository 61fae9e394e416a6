"""A server of one side and the client that watches it: processes of their own, driven line by line."""

import os
import pathlib
import signal
import subprocess
import threading

BUILD = pathlib.Path(os.environ["LUMAEDIT_BUILD"])
FOLDER = BUILD / "tests" / "bench" / "watch"
LIMIT = 240  # seconds for one answer


class Program:
    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, line, word):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.read(word)

    def read(self, *words):
        """The fields of the next line that begins with one of `words`."""
        timer = threading.Timer(LIMIT, self.process.kill)
        timer.start()
        try:
            for line in self.process.stdout:
                fields = line.split()
                if fields and fields[0] in words:
                    return fields
        finally:
            timer.cancel()
        raise AssertionError(f"{self.process.args[0]} ended or was silent while {words} was awaited")

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Server(Program):
    def __init__(self, side, counting=False):
        super().__init__(FOLDER / ("bench-watch-server-counting" if counting else "bench-watch-server"), side)
        self.address = self.read("address")[1]

    def new_job(self):
        return self.ask("job", "job")[1]

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_bytes(self):
        pages = int(pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def own_bytes(self):
        return int(self.ask("own", "own")[1])


class Client(Program):
    def __init__(self, address, jobs, connections, watchers, heartbeat=60):
        jobs = [word for job in jobs for word in ("--job", job)]
        super().__init__(FOLDER / "bench-watch-client", "--address", address, *jobs, "--connections",
                         str(connections), "--watchers", str(watchers), "--heartbeat", str(heartbeat))

    def await_ready(self):
        self.read("ready")

    def stop(self):
        """Neither reads nor answers any more, and its connections stay open."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def close(self):
        self.go_on()
        super().close()
