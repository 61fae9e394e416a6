"""Reads the Prometheus text format."""

import re

SERIES = re.compile(r"^([a-z_]+)(?:\{([^}]*)\})? (\S+)$")
LABEL = re.compile(r'([a-z_]+)="([^"]*)"')


def parse(text):
    """{name: {labels: value}}, and the types."""
    series, types = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types, line
            types[name] = kind
        elif not line.startswith("#"):
            name, labels, value = SERIES.match(line).groups()
            key = tuple(sorted(LABEL.findall(labels or "")))
            assert key not in series.setdefault(name, {}), line
            series[name][key] = float(value)
    return series, types


def total(series, name, **labels):
    return sum(value for key, value in series.get(name, {}).items() if set(labels.items()) <= set(key))
