"""MyMT5's bridge: the one program that stands beside a MetaTrader 5 terminal.

It lends the official ``MetaTrader5`` package, which only works beside the terminal, to one gateway
elsewhere. It is dumb on purpose: it decides nothing, repeats no trade, writes no request to any log
and keeps nothing on disk.

Protocol 1. TCP, with TLS beyond loopback. A frame is a 4-byte big-endian length and that many bytes
of UTF-8 JSON, one object, with the sender's role in it. Whatever breaks a rule of form closes the
connection. Limits: 1 KiB before the handshake ends, then 64 KiB in and 8 MiB out.

1. bridge:  {role, protocol, nonce: Nb}
2. gateway: {role, protocol, nonce: Ng, proof: HMAC-SHA256(secret, "mymt5-bridge/1 gateway Nb Ng")}
3. bridge:  {role, proof: HMAC-SHA256(secret, "mymt5-bridge/1 bridge Nb Ng")}

Then calls {id, t, call, args} of the gateway, each answered once: {id, ok | none | refused |
raised}. `none` is the package's None with its last_error, `refused` means surely not executed,
`raised` names the type of an exception. `watch` makes the bridge push ticks and rows besides.

Design. The package is called by the main thread alone (class Bridge), one call after the other:
trades, then reads, then polls, then history. A session has a thread that reads and one that writes
(class Session); `ping` and `recall` are answered by the reader, also while the package is busy. A
newly proven session waits until the call in flight has ended, then takes the former one's place.
`t` is the gateway's clock: an order that lay somewhere for longer than its `wait_ms` is refused,
never sent late. A key is executed once: its outcome is remembered (class Sends), not repeated.
"""

import argparse
import hashlib
import hmac
import importlib
import ipaddress
import json
import math
import os
import secrets
import select
import signal
import socket
import ssl
import stat
import sys
import threading
import time
from collections import OrderedDict, deque

PROTOCOL = 1
FIRST_LIMIT, IN_LIMIT, OUT_LIMIT = 1024, 64 * 1024, 8 * 1024 * 1024
HANDSHAKE_S, IDLE_S, END_S = 5.0, 30.0, 5.0
PENDING_HANDSHAKES, QUEUE, PUSHES, REMEMBERED = 4, 256, 64, 1000
ROWS, PAGE, LAST_PAGE = 5000, 1024, 65536
TRADE, READ, HISTORY = 0, 1, 3  # between READ and HISTORY come the polls
REQUEST_KEYS = frozenset(
    "action magic order symbol volume price stoplimit sl tp deviation type type_filling type_time"
    " expiration comment position position_by".split()
)
TICK_FIELDS = ("time_msc", "bid", "ask", "last", "volume", "flags", "volume_real")
BAR_FIELDS = ("time", "open", "high", "low", "close", "tick_volume", "spread", "real_volume")


class Closed(Exception):
    """The connection is over; the text says why and holds nothing of the peer's."""


class Refused(Exception):
    """The call is not executed; the text goes to the gateway."""


class Nothing(Exception):
    """The package returned None: its last error."""


def now_ms():
    """Milliseconds of a clock that never goes back and also runs while the host sleeps."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME) * 1000.0
    return time.monotonic() * 1000.0


def log(text):
    """One line to standard error."""
    try:
        sys.stderr.write(time.strftime("%Y-%m-%dT%H:%M:%SZ ", time.gmtime()) + text + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        pass  # nobody reads it; the work goes on


class Frames:
    """Frames over one socket, for one reading and one writing thread."""

    def __init__(self, sock):
        self.sock, self.limit, self.deadline = sock, FIRST_LIMIT, now_ms() + HANDSHAKE_S * 1000
        self.lock = threading.Lock()  # one thread at a time inside a TLS connection
        self.broken = False
        sock.setblocking(False)

    def proven(self):
        """The handshake is over: frames may be longer, and silence is counted anew each time."""
        self.limit, self.deadline = IN_LIMIT, None

    def shut(self):
        """Wakes both threads up; whoever reads closes the socket."""
        self.broken = True
        try:  # not SSLSocket.shutdown: that would turn the connection into one of plain text
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
        except OSError:
            pass

    def _patiently(self, operation, writes):
        deadline = self.deadline or now_ms() + IDLE_S * 1000
        while not self.broken:
            try:
                with self.lock:
                    return operation()
            except ssl.SSLWantReadError:
                wants_write = False
            except ssl.SSLWantWriteError:
                wants_write = True
            except BlockingIOError:
                wants_write = writes
            except (OSError, ValueError):
                raise Closed("connection lost") from None
            wait = (deadline - now_ms()) / 1000
            files = [self.sock]
            try:
                ready = wait > 0 and select.select(
                    [] if wants_write else files, files if wants_write else [], [], wait
                )
            except (OSError, ValueError):
                raise Closed("connection lost") from None
            if not ready or not any(ready):
                raise Closed("nothing taken for too long" if writes else "silent for too long")
        raise Closed("shut")

    def encrypt(self, context):
        """The server's side of a TLS handshake."""
        self.sock = context.wrap_socket(self.sock, True, do_handshake_on_connect=False)
        self._patiently(self.sock.do_handshake, False)

    def _take(self, size):
        buffer = bytearray(size)
        view, got = memoryview(buffer), 0
        while got < size:
            count = self._patiently(lambda: self.sock.recv_into(view[got:]), False)
            if not count:
                raise Closed("closed by the peer")
            got += count
        return buffer

    def read(self):
        """The next frame of a gateway."""
        size = int.from_bytes(self._take(4), "big")
        if not 0 < size <= self.limit:
            raise Closed("frame of a wrong length")
        body = self._take(size)
        try:
            frame = json.loads(str(body, "utf-8"), parse_constant=_no_constant)
        except (ValueError, RecursionError):
            raise Closed("malformed frame") from None
        finally:
            body[:] = bytes(size)  # it may have held the password
        if not isinstance(frame, dict) or frame.get("role") != "gateway":
            raise Closed("not a gateway's frame")
        return frame

    def write(self, data):
        """Sends encoded bytes; each piece must be taken in time."""
        view = memoryview(data)
        while view:
            piece = view[:65536]
            view = view[self._patiently(lambda: self.sock.send(piece), True) :]


def _no_constant(_name):
    raise ValueError


def finite(value):
    """The same without NaN and Infinity, which JSON does not have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value


def encode(frame):
    """A frame's bytes, or None if it is too long."""
    frame = dict(frame, role="bridge")
    try:
        text = json.dumps(frame, allow_nan=False, separators=(",", ":"))
    except ValueError:
        text = json.dumps(finite(frame), allow_nan=False, separators=(",", ":"))
    body = text.encode("utf-8")
    return len(body).to_bytes(4, "big") + body if len(body) <= OUT_LIMIT else None


class Handshake:
    """Both sides prove the secret, the gateway first."""

    def __init__(self, secret):
        self._secret = secret

    def _proof(self, side, theirs, ours):
        words = "mymt5-bridge/1 %s %s %s" % (side, theirs, ours)
        return hmac.new(self._secret, words.encode("ascii"), hashlib.sha256).hexdigest()

    def run(self, frames):
        """Returns when the peer is the gateway, else raises Closed."""
        nonce = secrets.token_hex(32)
        frames.write(encode({"protocol": PROTOCOL, "nonce": nonce}))
        answer = frames.read()
        theirs, proof = answer.get("nonce"), answer.get("proof")
        well_formed = answer.get("protocol") == PROTOCOL and is_hex(theirs) and is_hex(proof)
        if not well_formed or theirs == nonce:
            raise Closed("malformed proof")
        if not hmac.compare_digest(proof, self._proof("gateway", nonce, theirs)):
            raise Closed("wrong proof")
        frames.write(encode({"proof": self._proof("bridge", nonce, theirs)}))
        frames.proven()


def is_hex(text):
    return isinstance(text, str) and len(text) == 64 and set(text) <= set("0123456789abcdef")


class Sends:
    """The last order_send calls by key, over all sessions of this process."""

    def __init__(self):
        self._lock, self._known = threading.Lock(), OrderedDict()

    def recall(self, key):
        """What is known of a key, as `recall` answers it."""
        with self._lock:
            state, answer = self._known.get(key, ("unheard", None))
            return {"state": state, "answer": answer}

    def set(self, key, state, answer=None):
        """Notes a key's state. The oldest settled ones are forgotten beyond the limit."""
        with self._lock:
            self._known[key] = (state, answer)
            spare = len(self._known) - REMEMBERED
            settled = (k for k, (s, _) in self._known.items() if s in ("done", "dropped"))
            for old in [k for k, _ in zip(settled, range(spare))]:
                del self._known[old]


def whole(low, high):
    return lambda v: isinstance(v, int) and not isinstance(v, bool) and low <= v <= high


def text(most):
    return lambda v: isinstance(v, str) and 0 < len(v) <= most and "\0" not in v


def number(value):
    fits = isinstance(value, (int, float)) and not isinstance(value, bool)
    return fits and -(2**63) <= value < 2**63  # false for NaN


def symbol_list(value):
    return isinstance(value, list) and len(value) <= 256 and all(map(text(64), value))


def cursors(value):
    def fits(cursor):
        pair = isinstance(cursor, list) and len(cursor) == 2
        return cursor is None or (pair and all(map(whole(0, 2**40), cursor)))

    return (
        isinstance(value, dict)
        and len(value) <= 256
        and all(text(64)(name) and fits(cursor) for name, cursor in value.items())
    )


def trade_request(value):
    return (
        isinstance(value, dict)
        and REQUEST_KEYS.issuperset(value)
        and all(number(v) or (isinstance(v, str) and len(v) <= 256) for v in value.values())
    )


EPOCH, WAIT, KEY, SYMBOL = whole(0, 2**40), whole(1, 600000), text(64), text(64)
SPAN = {"from": EPOCH, "to": EPOCH}
DEAL = {"action": whole(0, 1), "symbol": SYMBOL, "volume": number}
# Each queued call: its class and what its arguments must be.
CALLS = {
    "order_send": (TRADE, {"key": KEY, "wait_ms": WAIT, "request": trade_request}),
    "order_check": (TRADE, {"request": trade_request}),
    "login": (
        READ,
        {"login": whole(1, 2**63 - 1), "password": text(256), "server": text(256), "timeout_ms": WAIT},
    ),
    "account": (READ, {}),
    "terminal": (READ, {}),
    "state": (READ, {}),
    "symbols": (READ, {"names": symbol_list}),
    "watch": (
        READ,
        {
            "symbols": cursors,
            "poll_ms": whole(1, 10000),
            "rows_ms": whole(1, 3600000),
            "deals_from": EPOCH,
        },
    ),
    "margin": (READ, dict(DEAL, price=number)),
    "profit": (READ, dict(DEAL, price_open=number, price_close=number)),
    "history_orders": (HISTORY, SPAN),
    "history_deals": (HISTORY, SPAN),
    "bars": (
        HISTORY,
        {"symbol": SYMBOL, "timeframe": whole(1, 2**31), "from": EPOCH, "count": whole(1, ROWS)},
    ),
}


def check(args, shape):
    """Refuses arguments that are not exactly of that shape."""
    if set(args) != set(shape):
        raise Refused("wrong arguments")
    for name, fits in shape.items():
        if not fits(args[name]):
            raise Refused("bad argument: " + name)


class Call:
    """One call on its way to the package."""

    __slots__ = ("id", "t", "name", "args")

    def __init__(self, frame):
        self.id, self.t = frame.get("id"), frame.get("t")
        self.name, self.args = frame.get("call"), frame.get("args")
        typed = isinstance(self.name, str) and isinstance(self.args, dict) and number(self.t)
        if not typed or not whole(0, 2**53 - 1)(self.id):
            raise Closed("malformed call")


class Session:
    """One proven gateway: its calls on their way in, its answers and pushes on their way out."""

    def __init__(self, bridge, frames, number_):
        self.bridge, self.frames, self.number = bridge, frames, number_
        self.queues, self.queued = {TRADE: deque(), READ: deque(), HISTORY: deque()}, 0
        self.skew, self.logged_in, self.watch, self.ended = None, False, None, False
        self.out, self.pushes, self.pushed_bytes = deque(), 0, 0
        self.can_write = threading.Condition()

    def start(self):
        for work in (self._read, self._write):
            threading.Thread(target=self._guarded, args=(work,), daemon=True).start()

    def _guarded(self, work):
        try:
            work()
        except Closed as closed:
            self.end(str(closed))
        except Exception as fault:  # its text may quote the peer
            self.end("fault " + type(fault).__name__)
        if work == self._read:
            with self.frames.lock:
                self.frames.sock.close()

    def end(self, reason):
        """Ends the session once: what is queued is dropped, its sends are remembered as such."""
        with self.bridge.turn:
            if self.ended:
                return
            self.ended = True
            for call in [call for queue in self.queues.values() for call in queue]:
                if call.name == "order_send":
                    self.bridge.sends.set(call.args["key"], "dropped", {"refused": "dropped"})
                call.args.clear()
            self.queues, self.queued = {}, 0
            self.bridge.turn.notify_all()
        self.frames.shut()
        with self.can_write:
            self.can_write.notify_all()
        log("session %d ended: %s" % (self.number, reason))

    def _read(self):
        while True:
            self._hear(Call(self.frames.read()))

    def _hear(self, call):
        late = now_ms() - call.t
        self.skew = late if self.skew is None else min(self.skew, late)
        try:
            if call.name == "ping":
                self.answer(call.id, {"ok": self.bridge.ping(self)})
            elif call.name == "recall":
                check(call.args, {"key": KEY})
                self.answer(call.id, {"ok": self.bridge.sends.recall(call.args["key"])})
            else:
                self._queue(call)
        except Refused as refused:
            call.args.clear()
            self.answer(call.id, {"refused": str(refused)})

    def _queue(self, call):
        if call.name not in CALLS:
            raise Refused("unknown call")
        level, shape = CALLS[call.name]
        check(call.args, shape)
        with self.bridge.turn:
            if call.name == "order_send":
                known = self.bridge.sends.recall(call.args["key"])
                if known["state"] != "unheard":
                    answer = known["answer"] or {"refused": "this key is " + known["state"]}
                    self.answer(call.id, answer)
                    return
            if self.ended or self.queued >= QUEUE:
                raise Refused("queue full")
            if call.name == "order_send":
                self.bridge.sends.set(call.args["key"], "queued")
            self.queues[level].append(call)
            self.queued += 1
            self.bridge.turn.notify_all()

    def age_ms(self, call):
        """How long ago the gateway wrote that call, at least."""
        return now_ms() - call.t - self.skew

    def take(self, level):
        """The next call of a class; the bridge's lock is held."""
        if not self.queues.get(level):
            return None
        self.queued -= 1
        return self.queues[level].popleft()

    def answer(self, call_id, answer):
        data = encode(dict(answer, id=call_id))
        data = data or encode({"id": call_id, "none": [-3, "answer too long"]})
        with self.can_write:
            if len(self.out) - self.pushes > 4 * QUEUE:
                raise Closed("too many answers not taken")
            self.out.append((data, False))
            self.can_write.notify_all()

    def has_room(self):
        """Whether pushes may be made."""
        return self.pushes < PUSHES and self.pushed_bytes < 2 * OUT_LIMIT

    def push(self, frame):
        data = encode(frame) or encode({"push": "rows", "none": [-3, "rows too long"]})
        with self.can_write:
            self.out.append((data, True))
            self.pushes, self.pushed_bytes = self.pushes + 1, self.pushed_bytes + len(data)
            self.can_write.notify_all()

    def _write(self):
        while True:
            with self.can_write:
                while not self.out and not self.ended:
                    self.can_write.wait()
                if self.ended:
                    return
                data, is_push = self.out[0]
            self.frames.write(data)
            with self.can_write:
                self.out.popleft()
                if is_push:
                    self.pushes, self.pushed_bytes = self.pushes - 1, self.pushed_bytes - len(data)
            if is_push:
                with self.bridge.turn:
                    self.bridge.turn.notify_all()


class Package:
    """All that is asked of MetaTrader5. Used by the main thread only."""

    def __init__(self, module, path, portable, stop):
        self._mt5, self._path, self._portable, self._stop = module, path, portable, stop
        self._open, self.build = False, None

    def ask(self, function, *args, **named):
        """One call of the package; None becomes Nothing with its last error."""
        value = getattr(self._mt5, function)(*args, **named)
        if value is None:
            raise self._nothing()
        return value

    def _nothing(self):
        code, words = self._mt5.last_error()[:2]
        return Nothing(int(code), str(words)[:256])

    def record(self, function, *args):
        return self.ask(function, *args)._asdict()

    def rows(self, function, *args):
        return [row._asdict() for row in self.ask(function, *args)]

    def table(self, fields, function, *args):
        """An array of the package as tuples of those fields."""
        array = self.ask(function, *args)
        order = [array.dtype.names.index(name) for name in fields]
        return [tuple(row[i] for i in order) for row in array.tolist()]

    def close(self):
        if self._open:
            self._open = False
            self._mt5.shutdown()

    def login(self, args):
        """Logs in and waits for the trade server. The password dies in here."""
        deadline = now_ms() + args["timeout_ms"]
        self.close()
        names = {"login": args["login"], "server": args["server"], "timeout": args["timeout_ms"]}
        path = [self._path] if self._path else []
        self._open = True
        try:
            done = self._mt5.initialize(
                *path, password=args.pop("password"), portable=self._portable, **names
            )
        finally:
            args.clear()
        if not done:
            raise self._nothing()
        terminal = self.record("terminal_info")
        while not terminal["connected"]:
            if now_ms() >= deadline or self._stop.is_set():
                raise Nothing(-10005, "not connected")
            time.sleep(0.05)
            terminal = self.record("terminal_info")
        if terminal["build"] != self.build:
            self.build = terminal["build"]
            log("terminal build %d" % self.build)
        return {"account": self.record("account_info"), "terminal": terminal}

    def state(self, newest):
        far = int(time.time()) + 7 * 86400  # the broker's clock may be ahead of ours
        return {
            "account": self.record("account_info"),
            "terminal": self.record("terminal_info"),
            "orders": self.rows("orders_get"),
            "positions": self.rows("positions_get"),
            "deals_total": self.ask("history_deals_total", 0, far),
            "server_time": newest,
        }

    def symbol(self, name):
        """A symbol's row, or None where the package knows none of that name."""
        self._mt5.symbol_select(name, True)
        info = self._mt5.symbol_info(name)
        return None if info is None else info._asdict()

    def trade(self, function, request):
        result = self.record(function, request)
        result.pop("request", None)
        return result

    def history(self, kind, start, end):
        """Rows of that span, or only their number where they are too many."""
        total = self.ask("history_%s_total" % kind, start, end)
        if total > ROWS:
            return {"total": total}
        return {"rows": self.rows("history_%s_get" % kind, start, end)}


class Watch:
    """What a session wants pushed, and how far it has been."""

    def __init__(self, args):
        self.cursors = {name: at and tuple(at) for name, at in args["symbols"].items()}
        self.pages = dict.fromkeys(self.cursors, PAGE)
        self.poll_ms, self.rows_ms = args["poll_ms"], args["rows_ms"]
        self.deals_from, self.newest = args["deals_from"], None
        self.next_poll = self.next_rows = now_ms()
        self.round = deque()

    def wait_ms(self):
        """Milliseconds until something is to be polled."""
        return 0 if self.round else max(0.0, min(self.next_poll, self.next_rows) - now_ms())

    def step(self, package, push):
        """Polls one symbol, or the rows. True at the end of a round."""
        now = now_ms()
        if not self.round:
            if now >= self.next_poll:
                self.round.extend(self.cursors)
                self.next_poll = now + self.poll_ms
            if now >= self.next_rows:
                self.round.append(None)
                self.next_rows = now + self.rows_ms
        if self.round:
            name = self.round.popleft()
            push_all = self._rows(package) if name is None else self._ticks(package, name)
            if push_all:
                push(push_all)
        return not self.round

    def _rows(self, package):
        far = max(self.deals_from, int(time.time())) + 7 * 86400
        try:
            deals = package.history("deals", self.deals_from, far)
            if "rows" not in deals:
                raise Nothing(-2, "more than %d deals since deals_from" % ROWS)
            return {
                "push": "rows",
                "account": package.record("account_info"),
                "terminal": package.record("terminal_info"),
                "orders": package.rows("orders_get"),
                "positions": package.rows("positions_get"),
                "deals": deals["rows"],
            }
        except Nothing as nothing:
            return {"push": "rows", "none": list(nothing.args)}

    def _ticks(self, package, name):
        """The ticks after the cursor: asked from its whole second, skipped by position."""
        try:
            at, page = self.cursors[name], self.pages[name]
            start = at or (package.record("symbol_info_tick", name)["time"], 0)
            ask = ("copy_ticks_from", name, start[0], page, -1)  # -1: COPY_TICKS_ALL
            rows = package.table(TICK_FIELDS, *ask)
        except Nothing:
            return None  # the symbol's history may be loading
        full = len(rows) >= page
        if full and (at is None or len(rows) <= start[1]):
            page *= 2  # without a limit: nothing else leads out of so full a second
        else:
            page = min(page * 2, LAST_PAGE) if full else PAGE
        self.pages[name] = page
        if full:
            self.round.append(name)
        fresh = rows[start[1] :][:LAST_PAGE // 2] if at else ([] if full else rows[-1:])
        if not fresh:
            return None
        seen = rows if not at else rows[: start[1] + len(fresh)]
        second, count = seen[-1][0] // 1000, 0
        while count < len(seen) and seen[-1 - count][0] // 1000 == second:
            count += 1
        self.cursors[name] = (second, count)
        self.newest = max(self.newest or 0, seen[-1][0])
        return {"push": "ticks", "symbol": name, "rows": fresh, "at": [second, count]}


class Bridge:
    """The main thread's work: whose turn it is, and the calls into the package."""

    def __init__(self, module, path, portable):
        self.turn, self.stop = threading.Condition(threading.RLock()), threading.Event()
        self.sends = Sends()
        self.package = Package(module, path, portable, self.stop)
        self.session = self.candidate = self.busy = None
        self.history_next = False

    def offer(self, session):
        """A newly proven session: the next one, as soon as no call is in flight."""
        with self.turn:
            former, self.candidate = self.candidate, session
            self.turn.notify_all()
        if former:
            former.end("taken over")

    def ping(self, session):
        busy = self.busy
        return {
            "busy_ms": int(now_ms() - busy[1]) if busy else 0,
            "busy": busy and busy[0],
            "queued": session.queued,
            "build": self.package.build,
        }

    def run(self):
        """Works until told to stop."""
        while not self.stop.is_set():
            with self.turn:
                former = self.session
                if self.candidate:
                    self.session, self.candidate = self.candidate, None
                    if former:
                        former.end("taken over")
                session = self.session
                if session and session.ended:
                    session = self.session = None
                call = session and self._next(session)
                polls = session and session.watch and not call and session.has_room()
                wait = session.watch.wait_ms() / 1000 if polls else None
                if not call and (not polls or wait > 0):
                    self.turn.wait(wait)
                    continue
                name = call.name if call else "poll"
                if name == "order_send":
                    self.sends.set(call.args["key"], "running")
                self.busy = (name, now_ms())
            try:
                if call:
                    self._perform(session, call)
                else:
                    self._poll(session)
            except Closed as closed:
                session.end(str(closed))
            self.busy = call = None
        self.package.close()

    def _next(self, session):
        """The next call, polls aside: history waits for a round of polls, not for all of them."""
        call = session.take(TRADE) or session.take(READ)
        idle = not session.watch or session.watch.wait_ms() > 0 or not session.has_room()
        if not call and (idle or self.history_next):
            call, self.history_next = session.take(HISTORY), False
        return call

    def _poll(self, session):
        try:
            self.history_next = session.watch.step(self.package, session.push)
        except Closed:
            raise
        except Exception as fault:
            session.push({"push": "rows", "none": [-1, "raised " + type(fault).__name__]})
            session.watch.round.clear()

    def _perform(self, session, call):
        key = call.args["key"] if call.name == "order_send" else None
        try:
            answer = {"ok": self._execute(session, call)}
        except Nothing as nothing:
            answer = {"none": list(nothing.args)}
        except Refused as refused:
            answer = {"refused": str(refused)}
        except Exception as fault:  # its text may quote the request
            answer = {"raised": type(fault).__name__}
        if key is not None:
            self.sends.set(key, "done", answer)
        session.answer(call.id, answer)

    def _execute(self, session, call):
        name, args, package = call.name, call.args, self.package
        if name == "login":
            session.logged_in = False
            value = package.login(args)
            session.logged_in = True
            return value
        if not session.logged_in:
            raise Refused("not logged in")
        if name == "order_send":
            if session.age_ms(call) > args["wait_ms"]:
                raise Refused("stale")
            return package.trade(name, args["request"])
        if name == "order_check":
            return package.trade(name, args["request"])
        if name == "watch":
            session.watch = Watch(args)
            return {}
        if name == "state":
            return package.state(session.watch and session.watch.newest)
        if name == "symbols":
            return [package.symbol(symbol) for symbol in args["names"]]
        if name in ("history_orders", "history_deals"):
            return package.history(name[8:], args["from"], args["to"])
        if name == "bars":
            span = (args["symbol"], args["timeframe"], args["from"], args["count"])
            return package.table(BAR_FIELDS, "copy_rates_from", *span)
        if name in ("margin", "profit"):
            given = [args[key] for key in CALLS[name][1]]
            return package.ask("order_calc_" + name, *given)
        return package.record({"account": "account_info", "terminal": "terminal_info"}[name])


class Door:
    """The listener: each connection must prove the secret before it becomes a session."""

    def __init__(self, listener, context, handshake, bridge):
        self._listener, self._context = listener, context
        self._handshake, self._bridge = handshake, bridge
        self._places = threading.BoundedSemaphore(PENDING_HANDSHAKES)
        self._numbers, self._lock = 0, threading.Lock()

    def run(self):
        while True:
            try:
                sock, peer = self._listener.accept()
            except OSError:
                if self._listener.fileno() < 0:
                    return
                time.sleep(0.1)  # out of descriptors, or a connection that died early
                continue
            if self._places.acquire(blocking=False):
                threading.Thread(target=self._admit, args=(sock, peer), daemon=True).start()
            else:
                sock.close()

    def _admit(self, sock, peer):
        frames = Frames(sock)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context:
                frames.encrypt(self._context)
            self._handshake.run(frames)
        except (Closed, OSError, ValueError) as fault:
            reason = str(fault) if isinstance(fault, Closed) else type(fault).__name__
            log("stranger at %s turned away: %s" % (peer[0], reason))
            frames.sock.close()
            return
        finally:
            self._places.release()
        with self._lock:
            self._numbers += 1
            session = Session(self._bridge, frames, self._numbers)
        log("session %d begun from %s" % (session.number, peer[0]))
        session.start()
        self._bridge.offer(session)


class Misconfigured(Exception):
    """The text says what is wrong and how to mend it."""


def private_bytes(path, name):
    """The bytes of a file that nobody else may read."""
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if os.name == "posix" and mode & (stat.S_IROTH | stat.S_IWOTH):
                raise Misconfigured("%s: others may read it; chmod 600 %s" % (name, path))
            return file.read(65536)
    except OSError as fault:
        raise Misconfigured("%s: cannot read %s: %s" % (name, path, fault.strerror)) from None


def read_secret():
    """The shared secret from the environment, which forgets it, or from a file."""
    given, path = os.environ.pop("BRIDGE_SECRET", None), os.environ.get("BRIDGE_SECRET_FILE")
    if given and path:
        raise Misconfigured("BRIDGE_SECRET and BRIDGE_SECRET_FILE are both set; keep one")
    secret = given.encode("utf-8") if given else b""
    if path:
        secret = private_bytes(path, "BRIDGE_SECRET_FILE").strip()
    fix = '; make one: python -c "import secrets; print(secrets.token_hex(32))"'
    if not secret:
        raise Misconfigured("no secret: set BRIDGE_SECRET or BRIDGE_SECRET_FILE" + fix)
    if len(secret.strip()) < 32:
        raise Misconfigured("the secret has fewer than 32 characters" + fix)
    return secret.strip()


def open_listener(address, encrypted):
    """A listening socket; beyond loopback only with TLS."""
    host, colon, port = address.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise Misconfigured("--listen %s: say HOST:PORT, e.g. 127.0.0.1:18812" % address)
    host = "127.0.0.1" if host == "localhost" else host
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        raise Misconfigured("--listen %s: the host must be an IP address" % address) from None
    if not ip.is_loopback and not encrypted:
        raise Misconfigured(
            "--listen %s is beyond loopback: give --tls-certificate and --tls-key" % address
        )
    listener = socket.socket(socket.AF_INET6 if ip.version == 6 else socket.AF_INET)
    exclusive = getattr(socket, "SO_EXCLUSIVEADDRUSE", None)
    listener.setsockopt(socket.SOL_SOCKET, exclusive or socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, int(port)))
    except OSError as fault:
        raise Misconfigured("cannot listen on %s: %s" % (address, fault.strerror)) from None
    listener.listen(8)
    return listener


def tls_context(certificate, key):
    """TLS 1.2 or later with that identity; the gateway pins the certificate."""
    if not certificate and not key:
        return None
    if not certificate or not key:
        raise Misconfigured("--tls-certificate and --tls-key go together")
    private_bytes(key, "--tls-key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ValueError):
        raise Misconfigured("--tls-certificate, --tls-key: not a matching PEM pair") from None
    return context


def load_package():
    try:
        return importlib.import_module("MetaTrader5")
    except ImportError:
        raise Misconfigured(
            "the package MetaTrader5 is missing: pip install --require-hashes -r requirements.txt"
        ) from None


def quiet_faults():
    """A fault that nobody caught shows its type only; no memory is written to disk."""
    sys.excepthook = lambda kind, *_: log("fault: " + kind.__name__)
    threading.excepthook = lambda fault: log("fault in a thread: " + fault.exc_type.__name__)
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, ValueError, OSError):
        pass  # not on this system


def end_on_signals(bridge, finished):
    """SIGTERM and SIGINT end the bridge, also while the main thread is inside the package."""
    told, tell = socket.socketpair()
    tell.setblocking(False)
    signal.set_wakeup_fd(tell.fileno(), warn_on_full_buffer=False)
    for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: None)

    def wait(_tell=tell):
        told.recv(1)
        bridge.stop.set()
        with bridge.turn:
            bridge.turn.notify_all()
        if not finished.wait(END_S):
            log("ended with a call in flight")
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def options(arguments):
    parser = argparse.ArgumentParser(
        description="Lends a MetaTrader 5 terminal to one MyMT5 gateway.",
        epilog="The shared secret comes from BRIDGE_SECRET or BRIDGE_SECRET_FILE. "
        "Exit status 78: a fault of the configuration; the message says how to mend it.",
    )
    add = parser.add_argument
    add("--listen", default="127.0.0.1:18812", metavar="HOST:PORT", help="default: %(default)s")
    add("--terminal-path", metavar="PATH", help="terminal64.exe, where there are several")
    add("--portable", action="store_true", help="the terminal runs in portable mode")
    add("--tls-certificate", metavar="FILE", help="PEM; needed beyond loopback")
    add("--tls-key", metavar="FILE", help="its private key, PEM")
    return parser.parse_args(arguments)


def main(arguments=None):
    given = options(arguments)
    quiet_faults()
    try:
        handshake = Handshake(read_secret())
        context = tls_context(given.tls_certificate, given.tls_key)
        module = load_package()
        listener = open_listener(given.listen, context is not None)
    except Misconfigured as fault:
        log("error: %s" % fault)
        return 78
    bridge, finished = Bridge(module, given.terminal_path, given.portable), threading.Event()
    end_on_signals(bridge, finished)
    door = Door(listener, context, handshake, bridge)
    threading.Thread(target=door.run, daemon=True).start()
    log(
        "listening on %s:%d%s, MetaTrader5 %s"
        % (*listener.getsockname()[:2], " with TLS" if context else "", module.__version__)
    )
    bridge.run()
    finished.set()
    log("ended")
    return 0


if __name__ == "__main__":
    sys.exit(main())
