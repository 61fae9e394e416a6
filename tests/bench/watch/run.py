"""scripts/bench watch: the fan-out against a bare gRPC server, what a watcher weighs, what watchers cost the
upstream, and that nothing is lost."""

import concurrent.futures
import statistics
import sys

import fan_out
import lost
import polling.run
import polls
from report import Report

ALL = ("fanout_1000", "fanout_10000", "dead", "memory", "polls", "list_polls", "lost")


def arguments(parser):
    parser.add_argument("--only", choices=ALL, action="append", help="this part, may be repeated; default: all")
    parser.add_argument("--pairs", type=int, default=5, help="product and bare in turn, so many times")
    parser.add_argument("--transitions", type=int, default=50, help="measured in each run, after a warm-up of 10")
    parser.add_argument("--minutes", type=float, default=5, help="of counting polls")
    parser.add_argument("--deliveries", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)


def main():
    report = Report("watch", __doc__, arguments)
    options = report.arguments
    parts = options.only or ALL
    if "fanout_1000" in parts:
        print("fan-out to 1,000 on 1 connection", flush=True)
        found = fan_out.pairs(options.pairs, lambda side: fan_out.fan_out(side, 1, 1000, options.transitions))
        fan_out.report_pairs(report, "fanout_1000_p99", "ms", [(p[0], b[0]) for p, b in found], "<= 1.15",
                             "commit to parsed, median over the transitions of each one's p99")
    if "fanout_10000" in parts:
        print("fan-out to 10,000 on 100 connections", flush=True)
        found = fan_out.pairs(options.pairs, lambda side: fan_out.fan_out(side, 100, 10_000, options.transitions))
        fan_out.report_pairs(report, "fanout_10000_p99", "ms", [(p[0], b[0]) for p, b in found], "<= 1.15",
                             "as above")
        fan_out.report_pairs(report, "fanout_cpu", "us/delivery", [(p[1], b[1]) for p, b in found], "<= 1.2",
                             "user and system time of the server, the commits of the product with it")
    if "dead" in parts:
        print("fan-out to 9,000 on 100 connections, with 1,000 dead ones and without", flush=True)
        found = fan_out.pairs(options.pairs, sides=(1000, 0), measure=lambda dead: fan_out.fan_out(
            "product", 100, 9000, options.transitions, dead))
        fan_out.report_pairs(report, "fanout_dead_p99", "ms", [(w[0], o[0]) for w, o in found], "<= 2",
                             "beside them is the product without the dead")
    if "memory" in parts:
        print("memory of 10,000 watchers on 100 connections", flush=True)
        found = fan_out.pairs(options.pairs, lambda side: fan_out.memory(side, 100, 10_000))
        product = statistics.median(p for p, _ in found)
        bare = statistics.median(b for _, b in found)
        more = statistics.median(p - b for p, b in found)
        report.add("watcher_memory", product, "bytes", limit=bare, target=f"<= {bare + 2048:.0f}",
                   note=f"RSS a watcher; {more:.0f} bytes more than bare, 2048 allowed; medians of {len(found)} pairs")
        report.add("watcher_memory_own", fan_out.memory("product", 100, 10_000, counting=True), "bytes",
                   target="<= 1024", note="live bytes of operator new that were not asked for inside gRPC or protobuf")
    if "polls" in parts:
        print(f"polls in {options.minutes:g} minutes, under 10,000 watchers and under 1", flush=True)
        polls.set_programs()
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            many = pool.submit(polls.requests_of, 10_000, 100, options.minutes)
            one = pool.submit(polls.requests_of, 1, 1, options.minutes)
            under_many, under_one = many.result(), one.result()
            # Fewer would be as wrong as more: watchers that starve the poller.
            report.add("poll_requests_by_watchers", under_many, "requests", limit=under_one, target="<= 1.01",
                       of="ratio", ratio=max(under_many / under_one, under_one / under_many),
                       note=f"of {polls.JOBS} jobs in {options.minutes:g} minutes, both at once; the larger of the "
                            "ratio and its inverse")
    if "list_polls" in parts:
        print("pages of the list against polls by id, and a restart", flush=True)
        polling.run.add_rows(report)
    if "lost" in parts:
        print(f"{options.deliveries} deliveries", flush=True)
        violations, deliveries, words = lost.lost_transitions(options.deliveries, options.seed)
        if deliveries < options.deliveries:
            violations += 1
            words += f", fewer than the {options.deliveries} asked for"
        report.add("lost_transitions", violations, "violations", target="== 0", note=words)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
