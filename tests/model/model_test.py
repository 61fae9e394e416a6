#!/usr/bin/env python3
"""Explores protocol.pml state by state with spin: the protocol as written must hold, and each variant
that breaks one rule or one assumption must be caught by the property named here.

  model_test.py            prints a line a variant, and the counterexample's length (breadth first, so
                           it is the shortest)
  model_test.py VARIANT    shows that counterexample step by step"""

import pathlib
import re
import subprocess
import sys
import tempfile

MODEL = pathlib.Path(__file__).resolve().parent / "protocol.pml"
LIMIT = 240  # seconds for one step of one variant

# Name → (macros, the property that must be violated; None: all must hold).
VARIANTS = {
    "protocol": ((), None),
    "fenced_fact": (("FENCED_FACT",), "paid_not_adopted"),
    "retry_503_at_404": (("RETRY_503_AT_404",), "billed_twice"),
    "blind_repeat": (("BLIND_REPEAT", "BILLING_ONLY"), "billed_twice"),
    "blind_repeat_then_cancel": (("BLIND_REPEAT",), "prevented_and_paid"),
    "any_429_means_nothing": (("ANY_429_MEANS_NOTHING",), "billed_twice"),
    "words_mean_refused": (("WORDS_MEAN_REFUSED",), "released_and_paid"),
    "cancel_without_compare": (("CANCEL_WITHOUT_COMPARE",), "prevented_and_paid"),
    "assumption_1_broken": (("A1_BROKEN",), "billed_twice"),
    "assumption_2_broken": (("A2_BROKEN",), "billed_twice"),
    "assumption_3_broken": (("A3_BROKEN",), "billed_twice"),
}


def run(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LIMIT, check=False)
    return done.stdout + done.stderr, done.returncode


def explore(macros, folder):
    """What pan printed; spin and the compiler must have succeeded."""
    defines = [f"-D{macro}" for macro in macros]
    for command in (["spin", *defines, "-a", str(MODEL)],
                    ["gcc", "-w", "-O2", "-DSAFETY", "-DBFS", "-o", "pan", "pan.c"]):
        text, code = run(command, folder)
        if code != 0:
            raise SystemExit(f"{command[0]} failed:\n{text}")
    return run(["./pan", "-m100000"], folder)[0]


def judge(name):
    macros, expected = VARIANTS[name]
    with tempfile.TemporaryDirectory(prefix="lumaedit-model-") as folder:
        text = explore(macros, folder)
    states = re.search(r"^\s*(\S+) states, stored", text, re.MULTILINE)
    violated = re.search(r"assertion violated .*?(\w+)\)", text)
    problems = re.search(r"errors: (\d+)", text)
    # A search that was cut short proves nothing.
    cut = re.search(r"max search depth too small|out of memory|Search not completed", text)
    seen = violated[1] if violated else None
    good = states is not None and problems is not None and seen == expected and (
        expected is not None or (problems[1] == "0" and not cut))
    steps = re.search(r"\(at depth (\d+)\)", text)
    print(f"{'ok    ' if good else 'FAILED'} {name}: {states[1] if states else '?'} states, "
          + (f"{seen} after {steps[1]} steps" if seen else "no violation")
          + ("" if good else f"; expected {expected or 'no violation'}"), flush=True)
    if not good:
        print(text)
    return good


def show(name):
    macros, _ = VARIANTS[name]
    with tempfile.TemporaryDirectory(prefix="lumaedit-model-") as folder:
        explore(macros, folder)
        print(run(["spin", *(f"-D{macro}" for macro in macros), "-t", "-p", "-g", str(MODEL)], folder)[0])


def main():
    if len(sys.argv) > 1:
        show(sys.argv[1])
        return 0
    good = [judge(name) for name in VARIANTS]
    print(f"{good.count(True)} passed, {good.count(False)} failed")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
