"""What every watcher is promised, one validator a guarantee. Each takes what was told and what the store says in
the end, and yields what violates it.

A telling is what one watcher heard of one job, over all its streams and polls. A step is (sequence, state,
content): content stands for the whole transition, so that two tellings of it are equal or are not."""

import dataclasses

FINAL = {"SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"}


@dataclasses.dataclass
class Telling:
    who: str
    job: str
    steps: list
    whole: bool  # it had the time to hear everything
    first: int = 1  # the sequence it had to begin with


@dataclasses.dataclass
class Stream:
    """One stream, or one poll: what it was opened after, what it told, how it ended."""
    who: str
    job: str          # empty: many jobs
    after: int        # the sequence it was opened after, where `job` is set
    sequences: list
    ended: str        # OK, a status code, or empty: it was still open
    told_final: bool  # in this stream, or `after` is the final one
    poll: bool = False
    broken: bool = False  # not by the gateway: its reader left, or its connection was lost


@dataclasses.dataclass
class Heard:
    tellings: list
    streams: list
    store: dict  # job → its steps, read again in the end


def ordered(heard):
    """Sequences of a job never go back."""
    for telling in heard.tellings:
        for before, after in zip(telling.steps, telling.steps[1:]):
            if after[0] < before[0]:
                yield f"{telling.who} heard {after[0]} of {telling.job} after {before[0]}"


def unique(heard):
    """No transition is told twice."""
    for telling in heard.tellings:
        seen = set()
        for sequence, _, _ in telling.steps:
            if sequence in seen:
                yield f"{telling.who} heard {sequence} of {telling.job} twice"
            seen.add(sequence)


def gap_free(heard):
    """Between the first and the last that was heard nothing is missing; whoever could hear all has heard all."""
    for telling in heard.tellings:
        numbers = sorted({step[0] for step in telling.steps})
        last = numbers[-1] if numbers else telling.first - 1
        if telling.whole:
            last = max(last, len(heard.store.get(telling.job, [])))
        missing = sorted(set(range(telling.first, last + 1)) - set(numbers))
        if missing:
            yield f"{telling.who} never heard {missing[:10]} of {telling.job}"


def resumable(heard):
    """A stream goes on right after the sequence it was opened after."""
    for stream in heard.streams:
        if stream.job and stream.sequences and stream.sequences[0] != stream.after + 1:
            yield f"{stream.who} asked for what follows {stream.after} of {stream.job}, heard {stream.sequences[0]}"


def ends_after_the_final(heard):
    """Nothing follows a final transition; a stream ends OK if and only if the final one was told."""
    for telling in heard.tellings:
        for step in telling.steps[:-1]:
            if step[1] in FINAL:
                yield f"{telling.who} heard more of {telling.job} after {step[1]}"
    for stream in heard.streams:
        if stream.poll:
            continue
        if stream.ended == "OK" and not (stream.job and stream.told_final):
            yield f"a stream of {stream.who} ended OK without a final transition of {stream.job or 'many jobs'}"
        history = heard.store.get(stream.job, [])
        told = stream.sequences and history and history[-1][1] in FINAL and history[-1][0] in stream.sequences
        if told and stream.ended not in ("OK", "") and not stream.broken:
            yield f"a stream of {stream.who} told the final transition of {stream.job} and ended {stream.ended}"


def durable(heard):
    """What was told is what the store has: nothing is invented, taken back or told in two ways."""
    for telling in heard.tellings:
        store = heard.store.get(telling.job, [])
        for step in telling.steps:
            kept = store[step[0] - 1] if 0 < step[0] <= len(store) else None
            if kept != step:
                yield f"{telling.who} heard {step} of {telling.job}, the store has {kept}"


def numbered_without_a_gap(heard):
    """The store's own history of a job is 1, 2, 3 …, and only its last state is final."""
    for job, steps in heard.store.items():
        if [step[0] for step in steps] != list(range(1, len(steps) + 1)):
            yield f"the history of {job} is numbered {[step[0] for step in steps]}"
        if any(step[1] in FINAL for step in steps[:-1]):
            yield f"the history of {job} goes on after its end"


ALL = [ordered, unique, gap_free, resumable, ends_after_the_final, durable, numbered_without_a_gap]
# Where only what was told is known, and not by which stream.
OF_TELLINGS = [ordered, unique, gap_free, ends_after_the_final, durable, numbered_without_a_gap]


def judge(validators, evidence, most=20):
    """Runs each; prints what is wrong. Answers how many passed and how many failed."""
    passed = failed = 0
    for validator in validators:
        found = list(validator(evidence))
        passed, failed = passed + (not found), failed + bool(found)
        for violation in found[:most]:
            print(f"{validator.__name__}: {violation}")
        if len(found) > most:
            print(f"{validator.__name__}: {len(found)} in all")
    return passed, failed
