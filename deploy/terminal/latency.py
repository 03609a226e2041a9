"""How long an order takes through the chain, in all and in each part."""

import json
from pathlib import Path

from parts import Chain, bench
from windows_python import Fault, say

TIMED = Path(__file__).with_name("timed_bridge.py")
PARTS = ["gateway", "bridge", "package and pipe", "terminal"]
PROBES = 500  # lines of timed_bridge.py before those of orders


def told(lines, is_last):
    """What a process has told up to the last line that is asked for."""
    spans = []
    while not spans or not is_last(spans):
        line = lines.next(bench.PATIENCE_S)
        if line is None:
            raise Fault("a part does not tell its times")
        spans.append(json.loads(f"[{line}]"))
    return spans


def within(spans, begun, end):
    """The seconds of the spans that lie in another, and how many they are."""
    inner = [last - first for first, last in spans if begun <= first and last <= end]
    return sum(inner), len(inner)


def figures(chain, times):
    """The milliseconds of each order in all, and in each part without those behind it; then of each
    way through the pipe alone, and how many an order has."""
    bridge, relay = chain.parts["bridge"].out, chain.parts["relay"].out
    lines = told(bridge, lambda lines: len(lines) == PROBES + len(times))
    probes, heard = lines[:PROBES], lines[PROBES:]
    answered = told(relay, lambda spans: spans[-1][1] > heard[-1][1])
    ways = [end - begun - within(answered, begun, end)[0] for begun, end in probes]
    rows, counts = [], []
    for whole, (begun, end, package) in zip(times, heard):
        terminal, count = within(answered, begun, end)
        inner = [end - begun - package, package - terminal, terminal]
        rows.append([whole, whole - 1000 * (end - begun), *(1000 * part for part in inner)])
        counts.append(count)
    return zip(*rows), [1000 * way for way in ways], sum(counts) / len(counts)


def shown(name, values):
    values = sorted(values)
    p50, p99 = (values[len(values) * percent // 100] for percent in (50, 99))
    print(f"{name:18}{p50:8.2f}{p99:8.2f}{values[-1]:8.2f}")


def run(orders):
    """Buys and closes in turn, and prints the figures."""
    with Chain(script=TIMED, relay=["--times"]) as chain:
        try:
            chain.until_trading()
            times = bench.trade(chain.trader(), orders)
            columns, ways, count = figures(chain, times)
        except Exception:
            say(chain.logs())
            raise
    print(f"{len(times)} orders, all filled")
    print(f"{'milliseconds':18}{'p50':>8}{'p99':>8}{'most':>8}")
    for name, column in zip(["an order", *PARTS], columns):
        shown(name, column)
    shown("the pipe alone", ways)
    print(f"an order goes {count:.1f} times through the pipe and back")
