"""What came of each attack, as a table."""

from typing import NamedTuple


class Row(NamedTuple):
    """One attack: what it did at first, what it does now, whether it is held, and within its goal."""

    attack: str
    before: str
    now: str
    held: bool
    goal: bool = True


def p99(taken):
    return sorted(taken)[len(taken) * 99 // 100]


def milliseconds(seconds):
    return f"{seconds * 1000:.0f} ms"


def table(rows):
    """The lines of a table in Markdown, each column as wide as its longest text."""
    words = [("attack", "before", "now")]
    words += [(row.attack, row.before, mark(row) + row.now) for row in rows]
    widths = [max(map(len, column)) for column in zip(*words)]
    lines = [
        "| " + " | ".join(text.ljust(w) for text, w in zip(line, widths)) + " |" for line in words
    ]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]


def mark(row):
    if not row.held:
        return "SUCCEEDED: "
    return "" if row.goal else "BEYOND ITS GOAL: "
