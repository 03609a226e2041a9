"""Evaluates expressions on a MetaTrader5 package, the official one or the stand-in.

Each line of standard input is a JSON string, an expression over `m`, the package, and `datetime`;
each line of standard output its outcome: {"value": ..., "error": last_error()}, or {"raised": ...}.
"""

import datetime
import json
import sys

import MetaTrader5 as m


def plain(value):
    """A value as JSON that keeps types apart."""
    if hasattr(value, "_asdict"):  # the official records have no _fields
        return {"record": type(value).__name__, "fields": plain(value._asdict())}
    if isinstance(value, tuple):
        return {"tuple": [plain(part) for part in value]}
    if isinstance(value, list):
        return [plain(part) for part in value]
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if hasattr(value, "dtype") and hasattr(value, "tolist"):
        kinds = getattr(value.dtype, "descr", value.dtype.names)
        return {"array": [list(row) for row in value.tolist()], "dtype": kinds}
    known = (bool, int, float, str, type(None))
    return value if isinstance(value, known) else {"type": type(value).__name__}


def outcome(expression):
    try:
        value = eval(expression, {"m": m, "datetime": datetime.datetime})
    except Exception as fault:  # noqa: BLE001
        return {"raised": f"{type(fault).__name__}: {fault}"}
    return {"value": plain(value), "error": plain(m.last_error())}


for line in sys.stdin:
    print(json.dumps(outcome(json.loads(line))), flush=True)
