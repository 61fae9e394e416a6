"""Reads what watch-recorder wrote (history_log.h) into what guarantees.py judges."""

import collections

from guarantees import FINAL, Heard, Stream, Telling

STATES = ["UNSPECIFIED", "PENDING", "SUBMITTING", "UNCONFIRMED", "HELD", "QUEUED", "PROCESSING", "SUCCEEDED",
          "FAILED", "CANCELLED", "EXPIRED"]

# Of gRPC.
CANCELLED, UNAVAILABLE = "1", "14"


class Recorded:
    def __init__(self, path):
        self.watchers = {}                                   # number → (kind, behaviour)
        self.done = set()
        self.listed = {}                                     # job → (sequence, state)
        self.deliveries = self.late = 0
        self.ends = collections.Counter()                    # (kind, code, reason)
        self._streams = {}                                   # (watcher, stream) → Stream
        self._steps = collections.defaultdict(list)          # (watcher, job) → steps
        self._store = collections.defaultdict(list)
        self._jobs_of = {}
        self._known = {}                                     # job → its sequence in the first list
        with open(path, encoding="ascii") as file:
            for line in file:
                kind, *fields = line.rstrip("\n").split("\t")
                getattr(self, f"_{kind}")(*fields)

    def _L(self, job, sequence):
        self._known[job] = int(sequence)

    def _W(self, watcher, kind, behaviour):
        self.watchers[watcher] = (kind, behaviour)

    def _O(self, watcher, stream, after):
        kind = self.watchers[watcher][0]
        self._streams[watcher, stream] = Stream(
            who=self.who(watcher), job="", after=0 if kind == "jobs" else int(after), sequences=[], ended="",
            told_final=False, poll=kind == "wait")

    def _T(self, watcher, stream, job, sequence, state, content, _token):
        self.deliveries += 1
        step = (int(sequence), STATES[int(state)], content)
        self._steps[watcher, job].append(step)
        told = self._streams[watcher, stream]
        if self.watchers[watcher][0] != "jobs":
            told.job = job
            told.sequences.append(step[0])
        told.told_final |= step[1] in FINAL

    def _C(self, watcher, stream, job, _sequence):
        if job != "-":
            self._streams[watcher, stream].job = job

    def _E(self, watcher, stream, code, reason):
        ended = self._streams[watcher, stream]
        ended.ended = "OK" if code == "0" else code
        # The gateway gives a reason; a lost connection has none.
        leaves = self.watchers[watcher][1] in ("reconnecting", "leaving", "never_reading")
        ended.broken = (code == CANCELLED and leaves) or (code == UNAVAILABLE and reason == "-")
        self.ends[self.watchers[watcher][0], code, reason] += 1

    def _D(self, watcher):
        self.done.add(watcher)

    def _S(self, job, sequence, state, content):
        self._store[job].append((int(sequence), STATES[int(state)], content))

    def _J(self, job, sequence, state):
        self.listed[job] = (int(sequence), STATES[int(state)])

    def who(self, watcher):
        return f"watcher {watcher} ({', '.join(self.watchers[watcher])})"

    def heard(self):
        store = dict(self._store)
        tellings = []
        for watcher, (kind, behaviour) in self.watchers.items():
            whole = behaviour not in ("leaving", "never_reading")
            jobs = [job for who, job in self._of[watcher]] if kind != "jobs" or not whole else list(store)
            for job in jobs:
                # A watch of all jobs begins after the list.
                first = self._known.get(job, 0) + 1 if kind == "jobs" else 1
                tellings.append(Telling(self.who(watcher), job, self._steps[watcher, job], whole, first))
        for stream in self._streams.values():
            steps = store.get(stream.job, [])
            if steps and stream.after == len(steps) and steps[-1][1] in FINAL:
                stream.told_final = True  # by an earlier stream
        return Heard(tellings, list(self._streams.values()), store)

    @property
    def _of(self):
        if not self._jobs_of:
            self._jobs_of = collections.defaultdict(list)
            for key in list(self._steps):
                self._jobs_of[key[0]].append(key)
        return self._jobs_of


def everybody_came_to_an_end(run):
    """Whoever reads and stays has heard the end of what it watches."""
    for watcher, (_, behaviour) in run.watchers.items():
        if behaviour not in ("leaving", "never_reading") and watcher not in run.done:
            yield f"{run.who(watcher)} is still waiting"


def the_list_agrees(run):
    """The list shows each job where its history ends, and every history is of a job in the list."""
    store = run.heard().store
    for job, (sequence, state) in run.listed.items():
        last = store.get(job, [(0, "", "")])[-1]
        if (sequence, state) != last[:2]:
            yield f"the list shows {job} at {sequence} {state}, its history ends at {last[:2]}"
    for job in store:
        if job not in run.listed:
            yield f"{job} has a history and is not in the list"
