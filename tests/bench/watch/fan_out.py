"""One transition to everybody: how late the 99th of a hundred hears of it, what it costs, what a watcher weighs."""

import contextlib
import statistics
import time

from pair import Client, Server

WARM_UP = 10
HEARTBEAT = 5  # seconds; the least the product takes


def fan_out(side, connections, watchers, transitions, dead=0):
    """The median over the transitions of the 99th percentile of their deliveries, in ms; CPU µs a delivery.

    `dead` further watchers share the job, on a tenth of the connections, in a program that is stopped."""
    with Server(side) as server, contextlib.ExitStack() as others:
        job = server.new_job()
        if dead:
            still = others.enter_context(Client(server.address, [job], connections // 10, dead))
            still.await_ready()
            still.stop()
            stopped = time.monotonic()
        with Client(server.address, [job], connections, watchers) as client:
            client.await_ready()
            late = []
            for number in range(WARM_UP + transitions):
                if number == WARM_UP:
                    cpu = server.cpu_seconds()
                _, sequence, committed = server.ask("move", "moved")
                _, heard, _, p99, _ = client.read("came")
                if heard != sequence:
                    raise AssertionError(f"{sequence} was told, {heard} was heard")
                if number >= WARM_UP:
                    late.append((int(p99) - int(committed)) / 1e6)
            cpu = (server.cpu_seconds() - cpu) / (transitions * watchers) * 1e6
        if dead:
            # They were there all the time: nothing was cut, and they hear of everything now.
            if time.monotonic() - stopped > 55:
                raise AssertionError("too slow: the server cuts what has not read for 60 s")
            still.go_on()
            for _ in range(WARM_UP + transitions):
                still.read("came")
    return statistics.median(late), cpu


def pairs(count, measure, sides=("product", "bare")):
    """A B A B: what the two sides reached in each pair."""
    return [(measure(sides[0]), measure(sides[1])) for _ in range(count)]


def memory(side, connections, watchers, counting=False):
    """Bytes a watcher, after one transition and one heartbeat: RSS, or live bytes of our own."""
    with Server(side, counting) as server:
        job = server.new_job()
        weigh = server.own_bytes if counting else server.rss_bytes
        empty = weigh()
        with Client(server.address, [job], connections, watchers, HEARTBEAT) as client:
            client.await_ready()
            server.ask("move", "moved")
            client.read("came")
            server.ask("beat", "beat")
            client.read("beat")
            return (weigh() - empty) / watchers


def report_pairs(report, name, unit, found, target, describe):
    """A row of medians, with the spread of the ratios in words."""
    ratios = sorted(product / bare for product, bare in found)
    report.add(name, statistics.median(p for p, _ in found), unit,
               limit=statistics.median(b for _, b in found), target=target, of="ratio",
               ratio=statistics.median(ratios),
               note=f"{describe}; ratios of {len(found)} pairs from {ratios[0]:.2f} to {ratios[-1]:.2f}")
