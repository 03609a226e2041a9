"""The broker's state: one SQLite file that outlives the process and that tests may write to."""

import json
import os
import sqlite3
import time
from contextlib import contextmanager

from . import _surface

# Every setting is text. Written only where absent, so a test may set them before the first start.
SETTINGS = {
    "login": "10000001",
    "server": "StandIn-Demo",
    "password_sha256": "",  # hex of the right password's SHA-256; empty: any password is right
    "wrong_password": "refuse",  # or "acknowledge": initialize() is True, never connected
    "name": "Holder Canary",
    "company": "Company Canary",
    "trade_mode": "0",  # 0 demo, 1 contest, 2 real
    "margin_mode": "2",  # 0 netting, 1 exchange, 2 hedging
    "currency": "USD",
    "leverage": "100",
    "balance": "100000",  # the first balance deal
    "commission_per_lot": "0",
    "limit_orders": "0",  # most working orders; 0: no limit
    "limit_positions": "",  # most positions; empty: no limit
    "pending_retcode": "10008",  # what a placed order is answered with; servers also say 10009
    "lag_ms": "0",  # how long what is shown lags behind what is so; see _lag.py
    "account_trade_allowed": "1",
    "account_trade_expert": "1",
    "terminal_trade_allowed": "1",  # 0: 10027
    "tradeapi_disabled": "0",
    "build": "5000",
    "connect_ms": "0",  # how long after initialize() the terminal is connected
    "disconnected_until": "0",  # UTC milliseconds
    "market_open": "1",  # 0: 10018 for every symbol
    "suffix": "",  # ".m" makes EURUSD.m of EURUSD
    "feed": "synthetic",  # or "manual": rows of the table ticks
    "ticks_per_second": "5",
    "feed_until": "",  # broker milliseconds after which the synthetic feed is silent
    "seed": "1",
    "clock": "",  # "real" or "manual"; empty: as the feed
    "offset_s": "10800",  # broker wall clock minus UTC, for the real clock
    "clock_ms": "1704672000000",  # the manual clock; a later tick moves it on
}

_KIND = {int: "INTEGER", float: "REAL", str: "TEXT"}
_TEXTS = {"symbol", "comment", "external_id"}


def _table(name, structure, extra):
    columns = [
        '"{}" {}'.format(field, "TEXT" if field in _TEXTS else "") for field in structure._fields
    ]
    columns[0] = '"ticket" INTEGER PRIMARY KEY'
    return "CREATE TABLE IF NOT EXISTS {} ({}, {});".format(name, ", ".join(columns), extra)


# The balance is the sum of all deals, whoever wrote them: kept, since summing them costs more with
# each deal.
_WORTH = "coalesce({0}.profit + {0}.commission + {0}.swap + {0}.fee, 0)"


def _booking(on, *changes):
    changes = " ".join(
        f"UPDATE booked SET total = total {sign} {_WORTH.format(row)};"
        for sign, row in changes
    )
    return f"CREATE TRIGGER IF NOT EXISTS {on}_booked AFTER {on} ON deals BEGIN {changes} END;"


SCHEMA = "".join(
    [
        "CREATE TABLE IF NOT EXISTS settings (key TEXT PRIMARY KEY, value TEXT NOT NULL);",
        ("CREATE TABLE IF NOT EXISTS faults (id INTEGER PRIMARY KEY, on_call TEXT NOT NULL,"
        " kind TEXT NOT NULL, remaining INTEGER NOT NULL DEFAULT 1, args TEXT DEFAULT '{}');"),
        "CREATE TABLE IF NOT EXISTS symbols (name TEXT PRIMARY KEY, fields TEXT NOT NULL);",
        ("CREATE TABLE IF NOT EXISTS ticks (seq INTEGER PRIMARY KEY, symbol TEXT NOT NULL,"
        " time_msc INTEGER NOT NULL, bid REAL NOT NULL, ask REAL NOT NULL, last REAL DEFAULT 0,"
        " volume INTEGER DEFAULT 0, flags INTEGER DEFAULT 6, volume_real REAL DEFAULT 0);"),
        "CREATE INDEX IF NOT EXISTS ticks_at ON ticks (symbol, time_msc, seq);",
        ("CREATE TABLE IF NOT EXISTS sends (seq INTEGER PRIMARY KEY, at_ms INTEGER, magic INTEGER,"
        " action INTEGER, symbol TEXT, comment TEXT, fault TEXT,"
        " executed INTEGER NOT NULL DEFAULT 0, retcode INTEGER);"),
        ("CREATE TABLE IF NOT EXISTS held (seq INTEGER PRIMARY KEY, due_ms INTEGER NOT NULL,"
        " request TEXT NOT NULL);"),
        ("CREATE TABLE IF NOT EXISTS logins (seq INTEGER PRIMARY KEY, at_ms INTEGER,"
        " login INTEGER, server TEXT, ok INTEGER NOT NULL);"),
        "CREATE TABLE IF NOT EXISTS calls (name TEXT PRIMARY KEY, count INTEGER NOT NULL);",
        "CREATE TABLE IF NOT EXISTS seen (symbol TEXT PRIMARY KEY, second INTEGER, k INTEGER);",
        "CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, next INTEGER NOT NULL);",
        _table("orders", _surface.TradeOrder, "closes INTEGER DEFAULT 0"),
        _table("history_orders", _surface.TradeOrder, "visible_at INTEGER DEFAULT 0"),
        _table("positions", _surface.TradePosition, "point_lots TEXT NOT NULL"),
        _table("deals", _surface.TradeDeal, "visible_at INTEGER DEFAULT 0"),
        "CREATE INDEX IF NOT EXISTS deals_at ON deals (time);",
        'CREATE INDEX IF NOT EXISTS deals_of ON deals ("order");',
        "CREATE INDEX IF NOT EXISTS history_orders_at ON history_orders (time_done);",
        "CREATE TABLE IF NOT EXISTS booked (id INTEGER PRIMARY KEY, total REAL NOT NULL);",
        "INSERT OR IGNORE INTO booked VALUES (1, 0);",
        _booking("insert", ("+", "new")),
        _booking("delete", ("-", "old")),
        _booking("update", ("-", "old"), ("+", "new")),
    ]
)

EXECUTED = (10008, 10009, 10010)  # placed, done, done in part
FIRST = {"order": 1000001, "deal": 2000001, "request": 1}


def connect(path):
    db = sqlite3.connect(path, timeout=30, check_same_thread=False, isolation_level=None)
    db.row_factory = sqlite3.Row
    return db


class Store:
    """Tables as dictionaries."""

    _as_of = (None, None)  # others' and our own changes before what is kept was read

    def __init__(self, path):
        self.path, self.db = path, connect(path)
        self.db.execute("PRAGMA page_size = 1024")  # of a new file: a commit writes whole pages
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = OFF")
        self.db.execute("PRAGMA recursive_triggers = ON")  # a row that is replaced is deleted first
        self.db.executescript(SCHEMA)
        with self.transaction():
            for item in SETTINGS.items():
                self.db.execute("INSERT OR IGNORE INTO settings VALUES (?, ?)", item)
            for item in FIRST.items():
                self.db.execute("INSERT OR IGNORE INTO counters VALUES (?, ?)", item)

    @contextmanager
    def transaction(self, call=None):
        """All or nothing. A package call of that name is counted even where the rest is undone."""
        self.db.execute("BEGIN IMMEDIATE")
        version = self.db.execute("PRAGMA data_version").fetchone()[0]  # others' commits change it
        as_of = (version, self.db.total_changes)
        if as_of != self._as_of:
            self._as_of = as_of
            self._kept = {}
        before = dict(self._kept)
        try:
            self._note_call(call)
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            self._kept = before
            self._note_call(call)
            raise
        self.db.execute("COMMIT")

    @contextmanager
    def trial(self):
        """Nothing of what is written within stays."""
        before = dict(self._kept)
        self.db.execute("SAVEPOINT trial")
        try:
            yield
        finally:
            self.db.execute("ROLLBACK TO trial")
            self.db.execute("RELEASE trial")
            self._kept = before

    def kept(self, key, read, *tables):
        """What `read` gives of those tables; it reads again after anyone has written to them."""
        if not self.db.in_transaction or self.db.total_changes != self._as_of[1]:
            return read()
        kept = self._kept.setdefault(tables, {})
        if key not in kept:
            kept[key] = read()
        return kept[key]

    def write(self, table, query, values=()):
        """Changes that table. What is kept of others stays; a change that did not come by here is
        taken for one of all of them."""
        version, changes = self._as_of
        known = changes == self.db.total_changes
        cursor = self.db.execute(query, values)
        if known:
            self._as_of = (version, self.db.total_changes)
        for tables in [tables for tables in self._kept if table in tables]:
            del self._kept[tables]
        return cursor

    def settings(self):
        settings = self.kept("settings", self._settings, "settings")
        lag_ms = os.environ.get("MYMT5_STANDIN_LAG_MS")
        return dict(settings, lag_ms=lag_ms) if lag_ms else settings

    def _settings(self):
        return dict(map(tuple, self.db.execute("SELECT key, value FROM settings")))

    def set(self, key, value):
        query = "INSERT OR REPLACE INTO settings VALUES (?, ?)"
        self.write("settings", query, (key, str(value)))

    def count(self, counter):
        """The next number of a counter."""
        row = self.db.execute("SELECT next FROM counters WHERE name = ?", (counter,)).fetchone()
        query = "UPDATE counters SET next = next + 1 WHERE name = ?"
        self.write("counters", query, (counter,))
        return row["next"]

    def rows(self, table, where="1", values=()):
        """Rows of a table as it is: the caller's own, to change and to put."""
        query = f"SELECT * FROM {table} WHERE {where} ORDER BY ticket"

        def read():
            return list(map(dict, self.db.execute(query, values)))

        return list(map(dict, self.kept((query, *values), read, table)))

    def records(self, table, structure, where, values):
        """Rows of the past as the package's records."""
        names = ", ".join(f'"{name}"' for name in structure._fields)
        query = f"SELECT {names} FROM {table} WHERE {where} ORDER BY ticket"
        return list(map(structure._make, self.db.execute(query, values)))

    def booked(self):
        """The balance: the sum of all deals."""
        query = "SELECT total FROM booked"
        return self.kept(query, lambda: self.db.execute(query).fetchone()["total"], "deals")

    def total(self, table, where, values):
        query = f"SELECT count(*) AS total FROM {table} WHERE {where}"
        return self.db.execute(query, values).fetchone()["total"]

    def put(self, table, row):
        names = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join("?" * len(row))
        query = f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})"
        self.write(table, query, tuple(row.values()))

    def delete(self, table, ticket):
        self.write(table, f"DELETE FROM {table} WHERE ticket = ?", (ticket,))

    def take_fault(self, call):
        """The first fault that waits for that call, used up once; no kind without."""
        waiting = self.kept("faults", self._faults, "faults")
        row = next((row for row in waiting if row["on_call"] in (call, "*")), None)
        if row is None:
            return None, {}
        self.write(
            "faults",
            "UPDATE faults SET remaining = remaining - 1 WHERE id = ? AND remaining > 0",
            (row["id"],),
        )
        kind, _, code = row["kind"].partition(":")
        args = json.loads(row["args"] or "{}")
        if code:
            args["code"] = int(code)
        return kind, args

    def _faults(self):
        query = "SELECT * FROM faults WHERE remaining <> 0 ORDER BY id"
        return self.db.execute(query).fetchall()

    def _note_call(self, name):
        counted = "UPDATE calls SET count = count + 1 WHERE name = ?"
        if name and not self.write("calls", counted, (name,)).rowcount:
            self.write("calls", "INSERT INTO calls VALUES (?, 1)", (name,))

    def note_send(self, request):
        request = request if isinstance(request, dict) else {}
        fields = tuple(request.get(key) for key in ("magic", "action", "symbol", "comment"))
        cursor = self.write(
            "sends",
            "INSERT INTO sends (at_ms, magic, action, symbol, comment) VALUES (?, ?, ?, ?, ?)",
            (utc_ms(),) + fields,
        )
        return cursor.lastrowid

    def note_fault(self, seq, kind):
        self.write("sends", "UPDATE sends SET fault = ? WHERE seq = ?", (kind, seq))

    def hold(self, seq, request, due_ms):
        """Keeps a send that the server does later."""
        row = (seq, due_ms, json.dumps(request))
        self.write("held", "INSERT INTO held VALUES (?, ?, ?)", row)

    def take_held(self):
        """The sends whose time has come: number, request."""
        now = utc_ms()
        rows = [row for row in self.kept("held", self._held, "held") if row["due_ms"] <= now]
        for row in rows:
            self.write("held", "DELETE FROM held WHERE seq = ?", (row["seq"],))
        return [(row["seq"], json.loads(row["request"])) for row in rows]

    def _held(self):
        return self.db.execute("SELECT * FROM held ORDER BY seq").fetchall()

    def note_executed(self, seq, retcode):
        done = int(retcode in EXECUTED)
        query = "UPDATE sends SET executed = ?, retcode = ? WHERE seq = ?"
        self.write("sends", query, (done, retcode, seq))

    def note_login(self, login, server, ok):
        query = "INSERT INTO logins (at_ms, login, server, ok) VALUES (?, ?, ?, ?)"
        self.write("logins", query, (utc_ms(), login, server, int(ok)))


def utc_ms():
    return int(time.time() * 1000)


def open_store():
    return Store(os.environ.get("STANDIN_STATE", ":memory:"))
