"""What a row of the fault table says, and short ways to write rules of the simulator."""

import dataclasses

# What the ledger must say of an accepted record for the charge that the gateway shows: None = either.
REFUNDED = {"INCURRED": False, "RELEASED": True, "UNCERTAIN": None, "RESERVED": None}


@dataclasses.dataclass
class Row:
    """One job under one fault, and what must come of it.

    `rules` go to the simulator first; a rule without `match_prompt` gets the row's own mark, unless
    it says `"everybody": True`. `attempts` counts sealed POSTs, `accepted` charged records of the
    ledger. `least_wait` is what must lie between a refusal and the next attempt, in seconds."""

    fault: int
    name: str
    rules: list
    state: str = "SUCCEEDED"
    charge: str = "INCURRED"
    accepted: int = 1
    attempts: int = 1
    reason: str = ""
    least_wait: float = 0.0
    submit: tuple = ()
    prompt: str = "[sim:fast]"
    inline_bytes: int = 0
    candidates: int | None = None
    must_pass: tuple = ()  # states that must be among the transitions
    during: str = ""       # a method of House, called while the job runs

    @property
    def mark(self):
        return f"<{self.fault:02d} {self.name}>"


@dataclasses.dataclass
class Group:
    """Rows that one simulator and one gateway serve; at a time as many as `together`, and with a
    reset of the simulator in between where they are one by one."""

    name: str
    rows: list
    flags: tuple = ()
    simulator: tuple = ()
    time_factor: int = 20
    together: int = 12
    filler: int = 0  # records made elsewhere, so that the list has several pages


def post(fault, times=1, **args):
    return {"fault": fault, "on": "post", "times": times, "args": args}


def read(fault, times=None, on="get", **args):
    when = {"always": True} if times is None else {"times": times}
    return {"fault": fault, "on": on, **when, "args": args}


def everybody(rule):
    return {**rule, "everybody": True}


def lost(where="before_headers", how="reset"):
    return post("accepted_then_lost", where=where, how=how)


def succeeds(fault, name, *rules, **more):
    return Row(fault, name, list(rules), **more)


def held(fault, name, *rules, accepted=0, **more):
    return Row(fault, name, list(rules), "HELD", "UNCERTAIN", accepted=accepted, **more)


def refused(fault, name, *rules, reason="UPSTREAM_REFUSED", **more):
    """Not accepted, and nothing to pay."""
    return Row(fault, name, list(rules), "FAILED", "RELEASED", accepted=0, reason=reason, **more)


def fails(fault, name, *rules, reason="UPSTREAM_FAILED", **more):
    """Accepted, failed there and refunded."""
    return Row(fault, name, list(rules), "FAILED", "RELEASED", reason=reason, **more)


def expires(fault, name, *rules, **more):
    return Row(fault, name, list(rules), "EXPIRED", "UNCERTAIN", **more)
