"""What the official package 5.0.6231 answers to right and wrong arguments, recorded from it: see
official_calls.txt, in the order of the calls. `ok` stands for whatever a terminal may say."""

import os
from datetime import datetime

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "official_calls.txt")


def recorded():
    """Each call and what becomes of it."""
    with open(PATH, encoding="utf-8") as file:
        return [line.rstrip("\n").split(" -> ") for line in file]


def words(value, error):
    """An answer in the words of the record."""
    return "ok" if error[0] == 1 and value is not False else f"{value!r} {error!r}"


def answer(package, call):
    """What a package in this process says to a call."""
    try:
        value = eval(call, {"m": package, "datetime": datetime})
    except Exception as fault:  # noqa: BLE001
        return f"raises {type(fault).__name__}: {fault}"
    return words(value, package.last_error())
