#!/usr/bin/env python3
"""Runs the libFuzzer programs, two at a time: fuzz_test.py BUILD [--seconds N] [--findings DIR] [TARGET...]

Each target begins with its seeds, its regressions and what earlier runs found worth keeping (BUILD/fuzz-corpus). Counts
"N passed, N failed" on the last line; an input that breaks a target is kept in the folder of findings, to be moved to
tests/fuzz/regressions/TARGET/NAME.
"""

import argparse
import concurrent.futures
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
AT_A_TIME = 2
# Bytes of an input, megabytes of one allocation and of the process. A probe may take one allocation
# of 32 MB (server/media); nothing else has a reason to.
USUAL = {"max_len": 8192, "malloc_limit_mb": 16, "rss_limit_mb": 512, "timeout": 10}
LIMITS = {"probe": {"max_len": 1 << 17, "malloc_limit_mb": 34, "rss_limit_mb": 1024},
          # Protobuf reserves what a text says that it has, up to 50,000,000 bytes, before it reads it.
          "submit_request": {"malloc_limit_mb": 49}}
MOST_SEED_BYTES = 1 << 16


def seed_folders(target, build):
    folders = [HERE / kind / target for kind in ("seeds", "regressions")]
    if target == "probe":
        # The larger videos of the corpus say nothing that the smaller do not, and slow every run.
        small = build / "fuzz-videos"
        shutil.rmtree(small, ignore_errors=True)
        small.mkdir()
        for path in (build / "tests/media/corpus").iterdir():
            if path.suffix != ".tsv" and path.stat().st_size <= MOST_SEED_BYTES:
                shutil.copy(path, small / path.name)
        folders.append(small)
    return [folder for folder in folders if folder.is_dir()]


def number(name, text):
    found = re.findall(rf"^stat::{name}:\s*(\d+)", text, re.M)
    return int(found[-1]) if found else 0


def run(target, build, seconds, findings):
    corpus = build / "fuzz-corpus" / target
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(parents=True, exist_ok=True)
    limits = USUAL | LIMITS.get(target, {})
    command = [build / f"tests/fuzz/fuzz_{target}", f"-max_total_time={seconds}", "-print_final_stats=1",
               f"-artifact_prefix={findings}/{target}-", *(f"-{name}={value}" for name, value in limits.items()),
               corpus, *seed_folders(target, build)]
    # Two minutes more than asked for: the seeds are run first, however slow the machine.
    done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=seconds + 120, check=False)
    text = done.stdout.decode(errors="replace")
    coverage = re.findall(r"cov: (\d+) ft: (\d+)", text)
    edges, features = coverage[-1] if coverage else ("0", "0")
    runs = number("number_of_executed_units", text)
    line = (f"{target}: {runs} runs in {seconds} s, coverage {edges}, features {features}, "
            f"{number('peak_rss_mb', text)} MB")
    return done.returncode == 0 and runs > 0, line, text


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--seconds", type=int, default=60, help="of each target [60]")
    parser.add_argument("--findings", type=pathlib.Path, default=pathlib.Path("build/fuzz-findings"))
    parser.add_argument("targets", nargs="*")
    arguments = parser.parse_intermixed_args()
    known = sorted(path.name.removeprefix("fuzz_") for path in (arguments.build / "tests/fuzz").glob("fuzz_*")
                   if path.is_file() and path.suffix == "" and "replay" not in path.name)
    targets = arguments.targets or known
    if unknown := set(targets) - set(known):
        sys.exit(f"no such target: {' '.join(sorted(unknown))}; there are: {' '.join(known)}")

    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        results = [pool.submit(run, target, arguments.build, arguments.seconds, arguments.findings)
                   for target in targets]
        for target, result in zip(targets, results):
            try:
                good, line, text = result.result()
            except subprocess.TimeoutExpired as error:
                good, line, text = False, f"{target}: did not end", (error.stdout or b"").decode(errors="replace")
            print(line, flush=True)
            if good:
                passed += 1
            else:
                failed += 1
                print("\n".join(text.splitlines()[-60:]))
                print(f"{target}: the input is kept in {arguments.findings}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
