"""What every bench answers with: a table for people and, with --json FILE, an array for programs.

    report = Report("sources", description)     reads --json; report.arguments has the rest
    report.add("echo_rss", 2.1, "MB", target="<= 4")
    report.add("dispatch_throughput", 310.0, "MB/s", limit=402.5, target=">= 0.7", of="ratio")
    sys.exit(report.finish())                   0, or 3 when a target is missed
"""

import argparse
import json
import operator

COMPARE = {"<=": operator.le, ">=": operator.ge, "==": operator.eq, "<": operator.lt, ">": operator.gt}


class Report:
    def __init__(self, name, description="", add_arguments=None):
        parser = argparse.ArgumentParser(prog=f"scripts/bench {name}", description=description)
        parser.add_argument("--json", metavar="FILE", help="also write the figures there, as an array of objects")
        if add_arguments:
            add_arguments(parser)
        self.arguments = parser.parse_args()
        self.name = name
        self.rows = []
        self.notes = []

    def add(self, name, value, unit, limit=None, target=None, of="value", note=None, ratio=None):
        """`limit`: what a bare program reached in the same run, in the same unit; `ratio`: value / limit unless
        told (a median of pairs is not the ratio of medians). `target`: "<= 32", of `value` or of the `ratio`;
        none: the figure informs only."""
        if ratio is None and limit:
            ratio = value / limit
        met = None
        if target is not None:
            compare, bound = target.split()
            judged = ratio if of == "ratio" else value
            met = judged is not None and COMPARE[compare](judged, float(bound))
            if of == "ratio":
                target = f"{target} x"
        self.rows.append({"name": name, "value": value, "unit": unit, "limit": limit, "ratio": ratio,
                          "target": target, "met": met})
        if note:
            self.notes.append(f"{name}: {note}")

    def finish(self):
        print(self.table(), flush=True)
        if self.arguments.json:
            with open(self.arguments.json, "w", encoding="utf-8") as file:
                json.dump(self.rows, file, indent=1)
                file.write("\n")
        return 3 if any(row["met"] is False for row in self.rows) else 0

    def table(self):
        words = {True: "yes", False: "NO", None: "-"}
        lines = [["figure", "value", "unit", "bare", "ratio", "target", "met"]]
        lines += [[row["name"], number(row["value"]), row["unit"], number(row["limit"]), number(row["ratio"]),
                   row["target"] or "-", words[row["met"]]] for row in self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
        table = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
        return "\n".join([*table, *self.notes])


def number(value):
    if value is None:
        return "-"
    if isinstance(value, int):
        return str(value)
    return f"{value:.4g}" if abs(value) < 10000 else f"{value:.0f}"
