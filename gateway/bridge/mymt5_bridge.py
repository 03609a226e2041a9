"""MyMT5's bridge: the one program that stands beside a MetaTrader 5 terminal.

It lends the official ``MetaTrader5`` package, which works only there, to one gateway elsewhere, in
protocol 2 (README.md). It is dumb on purpose: it decides nothing, repeats no trade, logs no
request, writes no file. One thread calls the package; the main thread does the rest between calls.
"""

import argparse
import asyncio
import contextlib
import errno
import faulthandler
import hmac
import json
import os
import queue
import re
import secrets
import signal
import socket
import ssl
import sys
import threading
import time
from collections import Counter, deque

FIRST_LIMIT, IN_LIMIT, OUT_LIMIT = 1024, 64 * 1024, 8 * 1024 * 1024  # bytes of a frame
PIECE = 64 * 1024  # bytes that are written at a time
HANDSHAKE_S, IDLE_S = 5, 60  # of a peer that neither writes nor reads
END_S, LAST_S, FLUSH_S = 5, 1, 0.2  # at the end: for the call in flight, its answer, the log
BEAT_S, HANG_S = 10, 120  # the main thread shows that it runs; without that, the process ends
PENDING_HANDSHAKES = 128  # connections that have not proven the secret
TOLD = 60  # lines a minute about what strangers do: they must not fill a disk
QUEUE, ROOM = 256, (256, 128, 8)  # calls that wait: of a class and the later ones, at most
PUSHES = 64  # frames on their way out, beyond which nothing is polled
REMEMBERED, WAITING = 1000, 8  # sends, and further calls that wait for the answer to one
DRIFT = 0.002  # of the clocks of two hosts
ROWS = 5000  # in the answer to a history
OVERLAP_S, LATE_S, NTH = 2, 60, 8  # of the deals in two pushes; with each NTH, for late ones
PAGE, LAST_PAGE, STUCK_PAGE = 1024, 65536, 2**18  # ticks in a read: first, most, in one second
PUSHED_ROWS = 8192  # ticks in one push
FEW, LONGEST = 4, 80  # ticks by which a symbol's pace is known, and polls that they took at most
IDLE, SLOWER = 0.125, (5, 2, 1)  # of the time that they took a poll waits longer; the steps of that
FAR = 2**31 - 1  # the last second that the package takes
TRADE, READ, HISTORY = range(3)  # classes of calls, the first ones first
DEAL, PENDING, SLTP, MODIFY, HEDGING = 1, 5, 6, 7, 2  # TRADE_ACTION_*, a margin mode
EXECUTED = (10008, 10009, 10010)  # TRADE_RETCODE_PLACED, DONE, DONE_PARTIAL
TICK = ["time_msc", "bid", "ask", "last", "volume", "flags", "volume_real"]
BAR = ["time", "open", "high", "low", "close", "tick_volume", "spread", "real_volume"]
LINES, LAST_TOLD = queue.Queue(256), deque([-60000.0] * TOLD, TOLD)  # of the log
SHORTEST, STEPS = 32, 14  # bytes of a secret, and its steps that are no walk
WALKS = b"1234567890 qwertyuiop asdfghjkl zxcvbnm 1qaz 2wsx 3edc 4rfv 5tgb 6yhn"  # over a keyboard


class Closed(Exception):
    """The connection is over. The text says why and quotes nothing of the peer's."""


class Nothing(Exception):
    """The package returned None. Its last error: code, text."""


class Refused(Exception):
    """The call is surely not done. Why, quoting nothing of the call; the check's result, if any."""


def now_ms():
    """A clock that never goes back, and goes on while the host sleeps."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return (time.monotonic() if clock is None else time.clock_gettime(clock)) * 1000.0


def log(text, wait_s=0):
    """Hands a line to the thread that writes: if nobody reads it, the work goes on without it."""
    with contextlib.suppress(queue.Full):
        LINES.put_nowait(time.strftime("%Y-%m-%dT%H:%M:%SZ ", time.gmtime()) + text + os.linesep)
    with LINES.all_tasks_done:
        LINES.all_tasks_done.wait_for(lambda: not LINES.unfinished_tasks, wait_s)


def log_seldom(text):
    """Logs what strangers can cause."""
    if now_ms() - LAST_TOLD[0] > 60000:
        LAST_TOLD.append(now_ms())
        log(text)


def write_log():
    while True:
        with contextlib.suppress(OSError):
            os.write(2, LINES.get().encode("ascii", "backslashreplace"))
        LINES.task_done()


def encode(frame):
    """A frame's bytes, null for what JSON has no number for; only what it was if too long."""
    try:
        text = json.dumps(dict(frame, role="bridge"), allow_nan=False, separators=(",", ":"))
    except ValueError:
        return encode(json.loads(json.dumps(frame), parse_constant=lambda _: None))
    if len(text) > OUT_LIMIT:
        name = {key: frame[key] for key in ("id", "push") if key in frame}
        return encode(dict(name, none=[-3, "too long"]))
    return len(text).to_bytes(4, "big") + text.encode("ascii")


async def read(reader, limit):
    frame, size = None, int.from_bytes(await reader.readexactly(4), "big")
    if not 0 < size <= limit:
        raise Closed("frame of a wrong length")
    with contextlib.suppress(ValueError, RecursionError):
        frame = json.loads(str(await reader.readexactly(size), "utf-8"))
    if not isinstance(frame, dict) or frame.get("role") != "gateway":
        raise Closed("not a gateway's frame")
    return frame


async def prove(reader, writer, secret):
    """Both prove the secret, the gateway first: an HMAC-SHA256 over the side and both nonces."""
    ours = secrets.token_hex(32)
    writer.write(encode({"protocol": 2, "nonce": ours}))
    answer = await read(reader, FIRST_LIMIT)
    theirs, proof = str(answer.get("nonce")), str(answer.get("proof"))
    if not all(re.fullmatch("[0-9a-f]{64}", word) for word in (theirs, proof)):
        raise Closed("malformed proof; check what connects here")
    words = [f"mymt5-bridge/1 {side} {ours} {theirs}".encode() for side in ("gateway", "bridge")]
    right, mine = (hmac.new(secret, text, "sha256").hexdigest() for text in words)
    if not hmac.compare_digest(proof, right) or answer.get("protocol") != 2 or theirs == ours:
        raise Closed("wrong proof; set one BRIDGE_SECRET, and install one release, on both sides")
    writer.write(encode({"proof": mine}))


# Kinds of values: each is a function that tells whether a value of the wire is of that kind.
def whole(least, most):
    return lambda value: type(value) is int and least <= value <= most  # True is no number


def text_of(most):
    return lambda value: isinstance(value, str) and 0 < len(value) <= most and "\0" not in value


def list_of(kind, most):
    return lambda value: isinstance(value, list) and len(value) <= most and all(map(kind, value))


def number(value):
    return type(value) in (int, float) and -(2**63) <= value < 2**63


def cursors(value):
    """Where symbols' ticks go on: a second, and how many of it are known. None: at the newest."""
    named = isinstance(value, dict) and NAMES(list(value))
    return named and all(at is None or (PLACE(at) and len(at) == 2) for at in value.values())


def trade_request(value):
    fields = isinstance(value, dict) and REQUEST.issuperset(value)
    return fields and all(number(v) or v == "" or WORD(v) for v in value.values())


WORD = text_of(64)
CREDENTIAL = text_of(128)  # the gateway takes as many bytes of UTF-8
NAMES = list_of(WORD, 256)
EPOCH = whole(0, FAR)
PLACE = list_of(EPOCH, 2)
DATE = whole(1, FAR)  # the package reads no date of 0
WAIT = whole(1, 600000)
ACCOUNT = whole(1, 2**63 - 1)
REQUEST = {
    "action", "magic", "order", "symbol", "volume", "price", "stoplimit", "sl", "tp", "deviation",
    "type", "type_filling", "type_time", "expiration", "comment", "position", "position_by",
}  # fmt: skip
# What a request is about: its kind, and the fields that may be taken from its row, as named there.
LEVELS = {"sl": "sl", "tp": "tp"}
PRICES = {"price": "price_open", "stoplimit": "price_stoplimit"}
LIFETIME = {"type_time": "type_time", "expiration": "time_expiration"}
TARGETS = {
    DEAL: ("position", {"volume": "volume"}),
    SLTP: ("position", LEVELS),
    MODIFY: ("order", dict(LEVELS, **PRICES, **LIFETIME)),
}
TAKEN = ["volume", *LEVELS, *PRICES, *LIFETIME]
EVERY = {"poll_ms": whole(1, 10000), "rows_ms": whole(1, 3600000)}
WATCH = dict(EVERY, symbols=cursors, deals_from=EPOCH)
SPAN = {"from": EPOCH, "to": EPOCH}
SIDE = {"action": whole(0, 1), "symbol": WORD, "volume": number}
PROFIT = dict(SIDE, price_open=number, price_close=number)
ORDER = {"request": trade_request, "take": list_of(TAKEN.__contains__, 7), "login": ACCOUNT}
SEND = dict(ORDER, check=[False, True].__contains__, key=WORD, wait_ms=WAIT, correlation=WORD)
BARS = {"symbol": WORD, "timeframe": whole(0, 2**31 - 1), "from": DATE, "count": whole(1, ROWS)}
TICKS = {"symbol": WORD, "from": DATE, "count": whole(1, LAST_PAGE)}
LOGIN = {"login": ACCOUNT, "password": CREDENTIAL, "server": CREDENTIAL, "timeout_ms": WAIT}
# Each call: its class, its arguments, and what the package does with them, in that order.
CALLS = {
    "ping": (None, {}, None),
    "recall": (None, {"key": WORD}, None),
    "login": (READ, LOGIN, None),
    "watch": (READ, WATCH, None),
    "order_send": (TRADE, SEND, lambda p, *args: p.send(*args[:4])),
    "account": (READ, {}, lambda p: p.ask("account_info")),
    "terminal": (READ, {}, lambda p: p.ask("terminal_info")),
    "state": (READ, {}, lambda p: p.now(server_time=p.newest)),
    "symbols": (READ, {"names": NAMES}, lambda p, names: [p.symbol(name) for name in names]),
    "margin": (READ, dict(SIDE, price=number), lambda p, *a: p.ask("order_calc_margin", *a)),
    "profit": (READ, PROFIT, lambda p, *a: p.ask("order_calc_profit", *a)),
    "history_orders": (HISTORY, SPAN, lambda p, *span: p.history("orders", *span)),
    "history_deals": (HISTORY, SPAN, lambda p, *span: p.history("deals", *span)),
    "bars": (HISTORY, BARS, lambda p, *a: p.ask("copy_rates_from", *a)[BAR].tolist()),
    "ticks": (HISTORY, TICKS, lambda p, *a: p.ask("copy_ticks_from", *a, -1)[TICK].tolist()),
}


class Call:
    """One call: what it asks, and why it is refused where it asks that wrongly."""

    def __init__(self, frame):
        self.id, self.t, self.name, self.args = map(frame.get, ("id", "t", "call", "args"))
        typed = isinstance(self.name, str) and isinstance(self.args, dict)
        if not typed or not number(self.t) or not whole(0, 2**53 - 1)(self.id):
            raise Closed("malformed call")
        self.level, self.shape, self.work = CALLS.get(self.name, (None, {}, None))
        wrong = [name for name, kind in self.shape.items() if not kind(self.args.get(name))]
        self.fault = None if self.name in CALLS else "unknown call"
        if not self.fault and (wrong or set(self.args) != set(self.shape)):
            self.fault = " ".join(["wrong arguments", *wrong])


class Send:
    """What is remembered of a key: how far it is, its answer, and which calls wait for that."""

    def __init__(self):
        self.state, self.answer, self.waiting = "queued", None, []

    def wait(self, session, call):
        """Lets a further call have the answer too. It is not told that nothing was done."""
        self.waiting = [waiting for waiting in self.waiting if not waiting[0].ended]
        if len(self.waiting) >= WAITING:
            return {"raised": "Busy"}
        self.waiting.append((session, call.id))

    def settle(self, answer):
        self.answer = answer
        for session, call_id in self.waiting:
            session.put(dict(answer, id=call_id))
        self.waiting = []


class Session:
    """One proven gateway: its calls on their way in, its answers and pushes on their way out."""

    def __init__(self, bridge, reader, writer, name):
        self.bridge, self.reader, self.writer, self.name = bridge, reader, writer, name
        self.loop, self.filled = asyncio.get_running_loop(), asyncio.Event()
        self.calls, self.out, self.watch = [], [], None
        self.ended = self.logged_in = False
        self.skew, self.heard = float("inf"), now_ms()

    async def run(self):
        log(self.name + " begun")
        with self.bridge.turn:
            self.bridge.sessions = [s for s in self.bridge.sessions if not s.ended] + [self]
            self.bridge.turn.notify_all()
        reading, writing = (asyncio.ensure_future(w) for w in (self._read(), self._write()))
        done, _ = await asyncio.wait([reading, writing], return_when=asyncio.FIRST_COMPLETED)
        fault = done.pop().exception()
        kind = "connection lost: " if isinstance(fault, (OSError, EOFError)) else "fault "
        self.end(str(fault) if isinstance(fault, Closed) else kind + type(fault).__name__)
        writing.cancel()  # the reader has ended with the connection
        await asyncio.gather(reading, writing, return_exceptions=True)

    def end(self, reason):
        """Ends it once: what is queued is dropped, and its sends are remembered as dropped."""
        with self.bridge.turn:
            if self.ended:
                return
            self.ended = True
            for call in self.calls:
                self.bridge.note(call, "dropped", {"refused": "dropped"})
            self.calls = []
            self.bridge.turn.notify_all()
        self.loop.call_soon_threadsafe(self.writer.transport.abort)
        log(f"{self.name} ended: {reason}")

    async def _patiently(self, work):
        """What the peer lets happen in time; else the session ends, and with it that wait."""
        limit = self.loop.call_later(IDLE_S, self.end, "connection lost: TimeoutError")
        try:
            return await work
        finally:
            limit.cancel()

    async def _read(self):
        while True:
            self._hear(Call(await self._patiently(read(self.reader, IN_LIMIT))))

    def _hear(self, call):
        now = now_ms()
        risen = self.skew + DRIFT * min(now - self.heard, IDLE_S * 1000)
        self.skew, self.heard = min(now - call.t, risen), now
        with self.bridge.turn:
            answer = self._answer_or_queue(call)
        if answer:
            call.args.clear()  # a refused login still has its password
            self.put(dict(answer, id=call.id))

    def _answer_or_queue(self, call):
        if call.fault:
            return {"refused": call.fault}
        if call.name == "ping":
            busy, since = self.bridge.busy or (None, now_ms())
            ping = {"busy": busy, "busy_ms": int(now_ms() - since), "queued": len(self.calls)}
            return {"ok": dict(ping, build=self.bridge.package.build)}
        send = self.bridge.sends.get(call.args.get("key"))
        if call.name == "recall":
            state, answer = (send.state, send.answer) if send else ("unheard", None)
            return {"ok": {"state": state, "answer": answer}}
        if send:
            return send.answer or send.wait(self, call)
        if self.ended or sum(c.level >= call.level for c in self.calls) >= ROOM[call.level]:
            full = {"refused": "queue full"}
            self.bridge.note(call, "dropped", full)  # nor is the same call done when there is room
            return full
        self.bridge.note(call, "queued")
        self.calls.append(call)
        self.bridge.turn.notify_all()

    def put(self, frame):
        data = encode(frame)
        with self.bridge.turn:
            if len(self.out) > PUSHES + 4 * QUEUE:
                return self.end("answers are not taken")
            self.out.append(data)
        self.loop.call_soon_threadsafe(self.filled.set)

    async def _write(self):
        while True:
            await self.filled.wait()
            self.filled.clear()
            while self.out and not self.ended:
                out = self.out[:]
                if sum(map(len, out)) > PIECE:
                    out = out[:1]  # only what is short goes out together
                data = b"".join(out)
                for start in range(0, len(data), PIECE):
                    self.writer.write(data[start : start + PIECE])
                    if self.ended or self.writer.transport.get_write_buffer_size():
                        await self._patiently(self.writer.drain())
                with self.bridge.turn:
                    del self.out[: len(out)]
                    left = len(self.out)
                    if self.bridge.package.stop or left < PUSHES <= left + len(out):
                        self.bridge.turn.notify_all()  # it is waited for


def complete(request, take, target, netting):
    """Puts into a request what it takes from its target's row; refuses it where that is another."""
    kind, fields = TARGETS[request["action"]]
    if target is None:
        raise Refused("no such " + kind)
    for name in take:
        kept, asked = target[fields[name]], request.get(name)
        request[name] = min(kept, asked) if netting and name == "volume" and asked else kept
    if "expiration" in take and not request["expiration"]:
        del request["expiration"]
    if request["action"] == DEAL:
        if target["type"] == request.get("type", 0):
            raise Refused("the position turned")
        if request.get("volume", 0.0) > target["volume"] + 1e-9:
            raise Refused("more than the position has")


class Package:
    """All that is asked of MetaTrader5, by one thread alone."""

    def __init__(self, module, path, portable):
        self.mt5, self.stop, self.build, self.newest = module, False, None, None
        self.before = 0.0  # when the call in flight must have gone out
        self._path, self._portable = [path] if path else [], portable

    def ask(self, function, *args, **named):
        """What the package returns: its records as dicts, without the request of an order."""
        call = getattr(self.mt5, function)
        value = call(*args, **named) if named else call(*args)  # sends refuse even an empty **
        if value is None or value is False:
            code, words = self.mt5.last_error()[:2]
            raise Nothing(int(code), str(words)[:256])
        if hasattr(value, "_asdict"):
            return {name: part for name, part in value._asdict().items() if name != "request"}
        return [row._asdict() for row in value] if isinstance(value, tuple) else value

    def login(self, args):
        """Logs in and waits for the trade server. The password dies in here."""
        self.newest, deadline = None, now_ms() + args["timeout_ms"]
        self.mt5.shutdown()
        args["timeout"] = args.pop("timeout_ms")
        try:
            self.ask("initialize", *self._path, portable=self._portable, **args)
        finally:
            args.clear()
        while not self.ask("terminal_info")["connected"]:
            if now_ms() >= deadline or self.stop:
                raise Nothing(-10005, "not connected")
            time.sleep(0.05)
        login = {"account": self.ask("account_info"), "terminal": self.ask("terminal_info")}
        self.build = login["terminal"]["build"]
        log(f"logged in, terminal build {self.build}")
        return login

    def send(self, request, take, login, check):
        """Sends a request once, unless its check, what it is about or its time refuses it."""
        request = dict(request)
        try:
            checked = self.ask("order_check", request) if check else {"retcode": 0}
            if checked["retcode"] not in (0, *EXECUTED):
                raise Refused("by its check", checked)
            self._prepare(request, take, login)
        except Refused:
            raise
        except Exception as fault:  # noqa: BLE001
            why = fault.args[0] if isinstance(fault, Nothing) else type(fault).__name__
            raise Refused(f"not read: {why}") from None
        if now_ms() > self.before:
            raise Refused("stale")
        result = self.ask("order_send", request)
        deals = self._deals(request, result)
        return dict(result, volume_sent=request.get("volume", 0), deals=deals)

    def _prepare(self, request, take, login):
        """Reads the target, then the account: nothing else comes between that and the send."""
        kind, fields = TARGETS.get(request.get("action"), ("", {}))
        ticket = request.get(kind, 0)
        if not set(take) <= set(fields) or (take and not ticket):
            raise Refused("wrong arguments take")
        reads = take or (ticket and request["action"] == DEAL)
        rows = self.ask(kind + "s_get", ticket=ticket) if reads else []
        account = self.ask("account_info")
        if account["login"] != login:
            raise Refused("another account")
        target = next((row for row in rows if row["ticket"] == ticket), None)
        netting = account["margin_mode"] != HEDGING
        if reads and (target or netting or request["action"] != DEAL):
            complete(request, take, target, netting)

    def _deals(self, request, result):
        """The first deal of an executed order, if it is there: no fault of that matters."""
        executed = result.get("retcode") in EXECUTED and result.get("deal")
        if executed and request.get("action") in (DEAL, PENDING):
            with contextlib.suppress(Exception):  # the package finds a deal by its own ticket
                return self.ask("history_deals_get", ticket=result["deal"])
        return []

    def now(self, **more):
        names = {"account": "info", "terminal": "info", "orders": "get", "positions": "get"}
        return dict({name: self.ask(f"{name}_{end}") for name, end in names.items()}, **more)

    def symbol(self, name):
        self.mt5.symbol_select(name, True)
        info = self.mt5.symbol_info(name)
        return info and info._asdict()

    def history(self, kind, start, end):
        """Rows of that span, or only their number where they are too many."""
        span = max(1, start), max(1, end)
        n = self.ask(f"history_{kind}_total", *span)
        return {"rows": self.ask(f"history_{kind}_get", *span)} if n <= ROWS else {"total": n}


def next_poll(now, since, every):
    """When a poll is due again, in ms. Many are due together: a wake-up costs more than a poll."""
    pause = every * next(n for n in SLOWER if every * (n - 1) <= IDLE * (now - since))
    return (now // pause + 1) * pause


class Watch:
    """What a session wants pushed, how far that has come, and when each is due: "" are the rows."""

    def __init__(self, symbols, poll_ms, rows_ms, deals_from):
        self._cursors, self._pages = symbols, dict.fromkeys(symbols, PAGE)
        self._every = dict(dict.fromkeys(symbols, poll_ms), **{"": rows_ms})
        self._since = dict.fromkeys(symbols, now_ms())  # when its last few ticks began, at its pace
        self._deals_from, self._newest_deal, self._reads = max(1, deals_from), 0, 0
        self.due = dict.fromkeys(self._every, now_ms())

    def step(self, package):
        """Polls what is due for longest: what is to be pushed, if anything."""
        name, now = min(self.due, key=self.due.get), now_ms()
        self.due[name] = next_poll(now, self._since.get(name, now), self._every[name])
        try:
            return self._ticks(package, name) if name else self._rows(package)
        except Nothing as nothing:  # a symbol's history may still be loading
            return None if name else {"push": "rows", "none": list(nothing.args)}
        except Exception as fault:  # noqa: BLE001
            return {"push": "rows", "none": [-1, "raised " + type(fault).__name__]}

    def _rows(self, package):
        overlap = OVERLAP_S if self._reads % NTH else LATE_S
        self._reads += 1  # whatever comes of it: what are too many in a minute are few in a moment
        start = max(self._deals_from, self._newest_deal - overlap)
        deals = package.ask("history_deals_get", start, FAR)
        if len(deals) > ROWS:
            raise Nothing(-2, f"{len(deals)} deals since {start}, at most {ROWS} are pushed")
        push = package.now(push="rows", deals=deals)  # if that fails, they are read again
        self._newest_deal = max([self._newest_deal, *(deal["time"] for deal in deals)])
        return push

    def _ticks(self, package, name):
        """All ticks (-1) after the cursor: asked from its whole second, skipped by position."""
        at, page = self._cursors[name], self._pages[name]
        second, k = at or (package.ask("symbol_info_tick", name)["time"], 0)  # 0: no quote yet
        table = package.ask("copy_ticks_from", name, second, page, -1) if second else []
        full, old = len(table) >= page, len(table) <= k
        stuck = full and (old if at else page < STUCK_PAGE)  # a greater page leads on
        self._pages[name] = min(page * 2, STUCK_PAGE if stuck else LAST_PAGE) if full else PAGE
        if full and page < STUCK_PAGE:
            self.due[name] = now_ms()
        if stuck or old:
            return None
        seen = table[TICK].tolist()[: k + PUSHED_ROWS if at else None]
        fresh = seen[k:] if at else seen[-1:]
        package.newest = max(package.newest or 0, seen[-1][0])
        second = seen[-1][0] // 1000
        k = next((i for i, row in enumerate(reversed(seen)) if row[0] // 1000 < second), len(seen))
        now, every = now_ms(), self._every[name]
        took = min(now - self._since[name], LONGEST * every) * FEW / (FEW + len(fresh))
        self._cursors[name], self._since[name] = (second, k), now - took
        self.due[name] = min(self.due[name], next_poll(now, now - took, every))
        return {"push": "ticks", "symbol": name, "rows": fresh, "at": [second, k]}


class Bridge:
    """Whose turn it is, each call into the package, and the last sends over all sessions."""

    def __init__(self, package):
        self.package, self.turn, self.sessions = package, threading.Condition(), []
        self.busy, self._polls, self.sends = None, 0, {}

    def note(self, call, state, answer=None):
        """Notes a send's state; beyond the limit the oldest settled ones are forgotten."""
        if call.name != "order_send":
            return
        with self.turn:
            send = self.sends.setdefault(call.args["key"], Send())
            send.state = state
            if answer:
                send.settle(answer)
            if len(self.sends) > REMEMBERED:
                old = next((key for key, send in self.sends.items() if send.answer), None)
                self.sends.pop(old, None)

    def run(self):
        while not self.package.stop:
            with self.turn:
                live = [session for session in self.sessions if not session.ended]
                self.sessions = live[-1:]  # no call is in flight: the newest takes over
                for old in live[:-1]:
                    old.end("taken over")
                call, wait = self._next(live[-1]) if live else (None, None)
                if not call and wait != 0:
                    self.turn.wait(wait and wait / 1000)
                    continue
                self.busy = (call.name if call else "poll", now_ms())
            frame = self._perform(live[-1], call) if call else live[-1].watch.step(self.package)
            self.busy = call = None
            if frame:
                live[-1].put(frame)
        with self.turn:  # for a moment, the last answer may still go out
            self.turn.wait_for(lambda: not any(s.out for s in self.sessions if not s.ended), LAST_S)
        for session in self.sessions:
            session.end("the bridge ends")
        self.package.mt5.shutdown()

    def end(self):
        with self.turn:
            self.package.stop = True
            self.turn.notify_all()

    def _next(self, session):
        """The next call, or how many ms to wait for a poll: 0 for now, None for a notice."""
        watch = session.watch if len(session.out) < PUSHES else None
        wait = max(0.0, min(watch.due.values()) - now_ms()) if watch else None
        call = min(session.calls, key=lambda call: call.level, default=None)
        history = call is not None and call.level == HISTORY
        if history and wait == 0 and self._polls < len(watch.due):
            call, history = None, False  # it comes after a round of polls
        if call:
            session.calls.remove(call)
            self.note(call, "running")
        self._polls = 0 if history else self._polls + (not call and wait == 0)
        return call, wait

    def _perform(self, session, call):
        self.package.before = call.t + session.skew + call.args.get("wait_ms", FAR)
        try:
            if call.name == "login":
                session.logged_in = False
                answer = {"ok": self.package.login(call.args)}
                session.logged_in = True
            elif not session.logged_in:
                answer = {"refused": "not logged in"}
            elif now_ms() > self.package.before:
                answer = {"refused": "stale"}
            elif call.name == "watch":
                session.watch, answer = Watch(**call.args), {"ok": {}}
            else:
                answer = {"ok": call.work(self.package, *map(call.args.get, call.shape))}
        except Nothing as nothing:
            answer = {"none": list(nothing.args)}
        except Refused as refused:
            answer = dict(zip(("refused", "check"), refused.args))
        except Exception as fault:  # noqa: BLE001, its text may quote the request
            answer = {"raised": type(fault).__name__}
        self.note(call, "done", answer)
        if call.level == TRADE and "ok" not in answer:
            log("{} {!r} {}".format(call.name, call.args["correlation"], *answer))
        return dict(answer, id=call.id)


def network(address):
    """What one stranger has: of IPv6 addresses half a one, with all that begin so."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.inet_pton(family, address.partition("%")[0])[:8]


async def serve(bridge, listener, context, secret):
    """Takes connections: each must prove the secret in time, and its place, to become a session."""
    loop = asyncio.get_running_loop()
    pending = {}  # the tasks of those connections, the oldest first: the network

    async def connection(sock, name):
        task, transport, why = asyncio.current_task(), None, None
        limit = loop.call_later(HANDSHAKE_S, task.cancel)
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            transport, _ = await loop.connect_accepted_socket(lambda: protocol, sock, ssl=context)
            writer = asyncio.StreamWriter(transport, protocol, reader, loop)
            await prove(reader, writer, secret)
        except asyncio.CancelledError:
            why = "no proof in time; check what connects here"
        except Exception as fault:  # noqa: BLE001
            why = str(fault) if isinstance(fault, Closed) else "lost, " + type(fault).__name__
        limit.cancel()
        pending.pop(task, None)
        if not why:
            return await Session(bridge, reader, writer, "session " + name).run()
        if transport:
            transport.abort()
        log_seldom(f"connection from {name} turned away: {why}")

    while True:
        try:
            sock, peer = await loop.sock_accept(listener)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as fault:  # of a connection that died early, or out of descriptors
            await asyncio.sleep(0.1 if fault.errno in (errno.EMFILE, errno.ENFILE) else 0)
            continue
        if len(pending) >= PENDING_HANDSHAKES:
            crowd = Counter(pending.values()).most_common(1)[0][0]
            oldest = next(task for task, home in pending.items() if home == crowd)
            del pending[oldest]
            oldest.cancel()
        task = asyncio.ensure_future(connection(sock, "{}:{}".format(*peer)))
        pending[task] = network(peer[0])
        await asyncio.sleep(0)  # the others go on, however many come


def fail(text):
    log("error: " + text, wait_s=FLUSH_S)
    raise SystemExit(78)


def read_private(path, name):
    try:
        with open(path, "rb") as file:
            if os.name == "posix" and os.fstat(file.fileno()).st_mode & 0o007:
                fail(f"{name}: others may read it; chmod 600 {path}")
            return file.read(65536).strip()
    except OSError as fault:
        fail(f"{name}: cannot read {path} ({fault.strerror}); let this user read it")


def weakness(secret):
    """Why a secret can be guessed, if so: too few steps between its bytes are new and no walk."""
    if len(secret) < SHORTEST:
        return f"the secret has fewer than {SHORTEST} characters" if secret else "no secret"
    word = secret.lower()
    pairs = {word[i : i + 2] for i in range(len(word) - 1)}
    steps = [p for p in pairs if abs(p[0] - p[1]) > 1 and p not in WALKS and p[::-1] not in WALKS]
    return "the secret is easily guessed" if len(steps) < STEPS else None


def read_secret():
    secret = os.fsencode(os.environ.pop("BRIDGE_SECRET", "").strip())
    path = os.environ.get("BRIDGE_SECRET_FILE")
    if secret and path:
        fail("BRIDGE_SECRET and BRIDGE_SECRET_FILE are both set; keep one")
    secret = read_private(path, "BRIDGE_SECRET_FILE") if path else secret
    why, command = weakness(secret), 'python -c "import secrets; print(secrets.token_hex(32))"'
    if why:
        fail(f"{why}; set BRIDGE_SECRET or BRIDGE_SECRET_FILE on both sides, made by {command}")
    return secret


def load_package():
    try:
        import MetaTrader5
    except ImportError as fault:
        why = str(fault).partition("\n")[0][:200]  # numpy's text has many lines
        fix = "pip install --require-hashes -r requirements.txt"
        fail(f"the package MetaTrader5 does not load ({why}); run {fix}")
    return MetaTrader5


def listen(host, port, family):
    """Listens where nobody else can. SO_REUSEADDR takes a lingering port; on Windows, anybody's."""
    listener = socket.socket(family)
    alone = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)
    listener.setsockopt(socket.SOL_SOCKET, alone, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind((host, port))
    listener.listen(1024)  # a flood waits there, and the system turns no gateway away
    listener.setblocking(False)
    return listener


def open_listener(address, certificate, key, plain):
    context, (host, _, port) = None, address.rpartition(":")
    if plain == bool(certificate or key):
        tls = "--tls-certificate and --tls-key, which `mymt5-gateway certs` makes"
        fail(f"how to listen is not told; give either {tls}, or --plain")
    if not plain:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(certificate, key)
            read_private(key, "--tls-key")
        except (OSError, ValueError, TypeError):
            fail("invalid --tls-certificate, --tls-key: expected a matching pair of PEM files")
    host, family = host.strip("[]"), socket.AF_INET6 if "]" in host else socket.AF_INET
    try:
        socket.inet_pton(family, host)
        if plain and not (host.startswith("127.") or host == "::1"):
            fail(f"--plain: {address} is beyond loopback; give --tls-certificate, --tls-key")
        return listen(host, int(port), family), context
    except (ValueError, OverflowError, OSError) as fault:
        why = getattr(fault, "strerror", None) or "not an IP:PORT"
        fail(f"cannot listen on {address} ({why}); set --listen to a free IP:PORT of this host")


async def run(bridge, listener, context, secret, ready):
    """Serves until a signal ends the bridge, which waits for a call in flight, but not for ever."""
    loop, told, done = asyncio.get_running_loop(), asyncio.Event(), None
    loop.set_exception_handler(lambda *_: log_seldom("fault in a connection"))
    for name in {"SIGTERM", "SIGINT", "SIGBREAK"}.intersection(dir(signal)):
        signal.signal(getattr(signal, name), lambda *_: loop.call_soon_threadsafe(told.set))
    log(ready)
    asked, working = asyncio.ensure_future(told.wait()), loop.run_in_executor(None, bridge.run)
    tasks = [asked, working, asyncio.ensure_future(serve(bridge, listener, context, secret))]
    while not done:
        faulthandler.dump_traceback_later(HANG_S, exit=True, file=2)  # kept for ever: the end
        done, _ = await asyncio.wait(tasks, timeout=BEAT_S, return_when=asyncio.FIRST_COMPLETED)
    bridge.end()
    await asyncio.wait([working], timeout=END_S)
    why = " with a call in flight"
    if working.done():
        why = " by fault " + type(working.exception()).__name__ if working.exception() else ""
    log("ended" + why, wait_s=FLUSH_S)
    os._exit(0 if asked.done() and not why else 1)  # there is nothing else worth a wait


def main():
    sys.setswitchinterval(0.0005)  # of the threads: what comes in never waits long for a poll
    threading.Thread(target=write_log, daemon=True).start()
    sys.excepthook = lambda kind, *_: log("fault: " + kind.__name__, wait_s=FLUSH_S)
    if os.name == "posix":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # no memory is written to disk
    parser = argparse.ArgumentParser(description="Lends a MetaTrader 5 terminal to one gateway.")
    parser.epilog = "The secret: BRIDGE_SECRET or BRIDGE_SECRET_FILE. Status 78: a faulty set-up."
    add = parser.add_argument
    add("--listen", default="127.0.0.1:18812", metavar="IP:PORT", help="default: %(default)s")
    add("--terminal-path", metavar="PATH", help="terminal64.exe, where there are several")
    add("--portable", action="store_true", help="the terminal runs in portable mode")
    add("--tls-certificate", metavar="FILE", help="PEM, as `mymt5-gateway certs` makes it")
    add("--tls-key", metavar="FILE", help="its private key, PEM")
    risk = "no TLS, on loopback alone: a local user who takes the port first gets the password"
    add("--plain", action="store_true", help=risk)
    args, secret, module = parser.parse_args(), read_secret(), load_package()
    listener, context = open_listener(args.listen, args.tls_certificate, args.tls_key, args.plain)
    at, how = "{}:{}".format(*listener.getsockname()), "with TLS" if context else "in plain text"
    ready = f"listening on {at} {how}, MetaTrader5 {module.__version__}"
    bridge = Bridge(Package(module, args.terminal_path, args.portable))
    asyncio.run(run(bridge, listener, context, secret, ready))


if __name__ == "__main__":
    main()
