"""Writes and reads the stand-in's state: `STANDIN_STATE=FILE python -m standin_ctl ...`

    init [KEY=VALUE ...]                  makes the file, sets settings
    password TEXT                         the right password (its hash is kept)
    fault CALL KIND [REMAINING] [ARGS]    plants a fault, ARGS is JSON
    tick SYMBOL TIME_MSC BID ASK          adds a tick to the manual feed
    ticks SYMBOL FROM TO                  prints the ticks of [FROM, TO) seconds, one JSON row a line
    show TABLE                            prints a table, one JSON object a line
"""

import hashlib
import json
import sys

from MetaTrader5._market import Market
from MetaTrader5._store import open_store


def ticks(store, symbol, first, last):
    """Rows as the bridge pushes them: time_msc, bid, ask, last, volume, flags, volume_real."""
    market = Market(store, store.settings())
    rows = market.ticks(symbol, first, 1 << 24)
    return [(r[5],) + r[1:5] + (r[6], r[7]) for r in rows if r[0] < last]


def main(words):
    if not words or words[0] in ("-h", "--help"):
        print(__doc__)
        return 0
    store, (verb, *rest) = open_store(), words
    if verb == "init":
        for pair in rest:
            store.set(*pair.split("=", 1))
    elif verb == "password":
        store.set("password_sha256", hashlib.sha256(rest[0].encode()).hexdigest())
    elif verb == "fault":
        row = (rest + ["1", "{}"][len(rest) - 2 :])[:4]
        query = "INSERT INTO faults (on_call, kind, remaining, args) VALUES (?, ?, ?, ?)"
        store.db.execute(query, row)
    elif verb == "tick":
        query = "INSERT INTO ticks (symbol, time_msc, bid, ask) VALUES (?, ?, ?, ?)"
        store.db.execute(query, rest)
    elif verb == "ticks":
        for row in ticks(store, rest[0], int(rest[1]), int(rest[2])):
            print(json.dumps(row))
    elif verb == "show":
        tables = store.db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        if rest[0] not in [row["name"] for row in tables]:
            print("no table", rest[0], file=sys.stderr)
            return 1
        for row in store.db.execute(f"SELECT * FROM {rest[0]}"):
            print(json.dumps(dict(row)))
    else:
        print(__doc__, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
