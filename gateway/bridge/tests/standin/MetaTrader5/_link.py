"""The link to the terminal: initialize and shutdown, the last error, and how each call is made: one
transaction that catches up with the market, then answers. A send, and a call with a fault, is noted
in one of its own before."""

import ctypes
import functools
import hashlib
import os
import time

from . import _surface as s
from ._arguments import Fail, read
from ._lag import Lag
from ._market import Market
from ._matching import Matching
from ._store import open_store, utc_ms

CANARY = "exception canary"
_AUTH = (-6, "Terminal: Authorization failed")
_TIMEOUT = (-10005, "IPC timeout")
QUIET = ("market_book_add", "market_book_release")  # say False without an error


class Process:
    """What the package keeps in its process: the link to the terminal, and the last error."""

    store, error, connected_at, authorized = None, (1, "Success"), None, False
    lag = None


here = Process()


def _store():
    if here.store is None:
        here.store = open_store()
    return here.store


def _before(kind, args):
    if kind == "delay_ms":
        time.sleep(args.get("before_ms", 0) / 1000.0)
    elif kind == "hold_ms":
        ctypes.PyDLL(None).usleep(args["ms"] * 1000)  # a PyDLL's call keeps the interpreter's lock
    elif kind == "exit" and args.get("when", "before") == "before":
        os._exit(9)
    elif kind == "raise" and args.get("when", "before") == "before":
        raise ValueError(CANARY)
    elif kind == "timeout_before":
        raise Fail(_TIMEOUT)
    elif kind == "none":
        raise Fail((args.get("code", -1), "Terminal: Call failed"))


def _after(kind, args):
    if kind == "delay_ms":
        time.sleep(args.get("after_ms", 0) / 1000.0)
    elif kind == "exit":
        os._exit(9)
    elif kind == "raise":
        raise ValueError(CANARY)
    elif kind in ("timeout_after", "late"):
        raise Fail(_TIMEOUT)


def _read(name, args, named):
    """Arguments as the function reads them, or the exception that they end in."""
    try:
        return *read(name, args, named), None
    except Exception as fault:  # noqa: BLE001
        return (), {}, fault


def _failed(name, fault):
    """What a function returns where it fails, by its arguments or else."""
    if name in QUIET and not fault:
        here.error = (1, "Success")
        return False
    if name == "symbol_select" or (name == "symbols_get" and fault):
        return False
    return (0, 0, "") if name == "version" else None


def package_call(function):
    """Makes a package function of one that takes a desk and arguments that are right."""
    name = function.__name__

    @functools.wraps(function)
    def call(*given_args, **given_named):
        store, linked = _store(), here.connected_at is not None
        args, named, fault = _read(name, given_args, given_named)
        seq, kind, given = None, None, {}
        try:
            with store.transaction(name):
                if name == "order_send":
                    seq = store.note_send(given_args[0] if given_args else given_named)
                linked = linked and not fault
                if linked:
                    kind, given = store.take_fault(name)
                if seq and kind:
                    store.note_fault(seq, given.get("name", kind))
                at_once = linked and not seq and not kind  # there is nothing that must outlive it
                if at_once:
                    value = function(_desk(store, None, {}, None), *args, **named)
            if fault:
                raise fault
            if not linked:
                raise Fail((-10004, "No IPC connection"))
            if not at_once:
                _before(kind, given)
                with store.transaction():
                    value = function(_desk(store, kind, given, seq), *args, **named)
                _after(kind, given)
        except Fail as fail:
            here.error = fail.args[0]
            return _failed(name, fault)
        here.error = (1, "Success")
        return value

    del call.__wrapped__
    return call


def _desk(store, kind, given, seq):
    """A desk that has caught up with the market."""
    if kind == "disconnect":
        store.set("disconnected_until", utc_ms() + int(given.get("ms", 1000)))
    settings = store.settings()
    desk = Matching(store, Market(store, settings), settings)
    desk.fault, desk.seq = (kind, given), seq
    if int(settings["lag_ms"]):
        here.lag = here.lag or Lag(store.path)
        here.lag.keep(int(settings["lag_ms"]))
    desk.catch_up()
    return desk


def shown(desk, kind):
    """The desk as the terminal shows it: with that kind of rows as they were a while ago."""
    lag_ms = int(desk.settings["lag_ms"])
    return Matching(here.lag.show(kind, lag_ms), desk.market, desk.settings) if lag_ms else desk


def initialize(*args, **named):
    try:
        _, named = read("initialize", args, named)
    except Fail as fail:
        here.error = fail.args[0]
        return False
    return _connect(**{key: named.get(key) for key in ("login", "password", "server")})


def _connect(login, password, server):
    store = _store()
    settings = store.settings()
    with store.transaction():
        kind, given = store.take_fault("initialize")
    try:
        _before(kind, given)
    except Fail as fail:
        here.error = fail.args[0]
        return False
    digest = hashlib.sha256((password or "").encode()).hexdigest()
    wanted = settings["password_sha256"]
    known = str(login) == settings["login"] and server == settings["server"]
    right = not login or (known and wanted in ("", digest))
    with store.transaction():
        store.note_login(login, server, right)
    here.authorized = right
    if kind == "raise":
        raise ValueError(CANARY + (password or ""))
    if not right and settings["wrong_password"] != "acknowledge":
        here.connected_at, here.error = None, _AUTH
        return False
    here.connected_at = utc_ms() + int(settings["connect_ms"])
    here.error = (1, "Success")
    _first_deal(store, settings)
    return True


def _first_deal(store, settings):
    with store.transaction():
        if store.rows("deals"):
            return
        now = Market(store, settings).now
        row = dict.fromkeys(s.TradeDeal._fields, 0)
        row.update(
            ticket=store.count("deal"), time=now // 1000, time_msc=now, type=2, volume=0.0,
            price=0.0, profit=float(settings["balance"]), commission=0.0, swap=0.0, fee=0.0,
            symbol="", comment="Initial deposit", external_id="",
        )  # fmt: skip
        store.put("deals", row)


def login(*args, **named):
    try:
        _, named = read("login", args, named)
        if here.connected_at is None:
            raise Fail((-10004, "No IPC connection"))
    except Fail as fail:
        here.error = fail.args[0]
        return False
    return _connect(**{key: named.get(key) for key in ("login", "password", "server")})


def shutdown():
    here.connected_at, here.authorized, here.error = None, False, (1, "Success")
    if here.lag:
        here.lag.close()
    return True


def last_error():
    return here.error
