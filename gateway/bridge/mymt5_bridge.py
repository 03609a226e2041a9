"""MyMT5's bridge: the one program that stands beside a MetaTrader 5 terminal.

It lends the official ``MetaTrader5`` package, which works only there, to one gateway elsewhere. It
is dumb on purpose: it decides nothing, repeats no trade, logs no request, writes no file.

Protocol 1, over TCP, beyond loopback in TLS. A frame is a 4-byte big-endian length and that many
bytes of UTF-8 JSON: one object with its sender's role. What breaks a rule of form closes the
connection. A frame has at most 1 KiB until both sides have proven the shared secret:

    bridge   {role, protocol, nonce: Nb}
    gateway  {role, protocol, nonce: Ng, proof: HMAC-SHA256(secret, "mymt5-bridge/1 gateway Nb Ng")}
    bridge   {role, proof: HMAC-SHA256(secret, "mymt5-bridge/1 bridge Nb Ng")}

then 64 KiB in and 8 MiB out. Calls of the gateway, {id, t, call, args}, get one answer each: {id}
with `ok`, or `none` (the package returned None: its last error), or `refused` (surely not done),
or `raised` (the type of an exception). After the call `watch` ticks and rows are pushed besides.

Design. The main thread alone calls the package, one call after the other: trades first, then reads,
polls, history. Each session has a thread that reads and one that writes; the reader answers `ping`
and `recall` itself, also while the package is busy. A newly proven session takes the former one's
place when the call in flight has ended. `t` is the gateway's clock: an order that lay anywhere for
longer than its `wait_ms` is refused, never sent late. An order's key is executed once; its outcome
is remembered, to be recalled, and never made again.
"""

import argparse
import hashlib
import hmac
import json
import os
import secrets
import select
import signal
import socket
import ssl
import sys
import threading
import time
from collections import deque

FIRST_LIMIT, IN_LIMIT, OUT_LIMIT = 1024, 64 * 1024, 8 * 1024 * 1024
HANDSHAKE_MS, IDLE_MS, END_S = 5000, 30000, 5
PENDING_HANDSHAKES, QUEUE, PUSHES, REMEMBERED = 4, 256, 64, 1000
ROWS, PAGE, LAST_PAGE, PUSHED_ROWS = 5000, 1024, 65536, 8192
TRADE, READ, HISTORY = range(3)
FAR = 2**31 - 1  # an epoch beyond all rows, also where the broker's clock is ahead
TICK = ("time_msc", "bid", "ask", "last", "volume", "flags", "volume_real")
BAR = ("time", "open", "high", "low", "close", "tick_volume", "spread", "real_volume")
REQUEST = {
    "action", "magic", "order", "symbol", "volume", "price", "stoplimit", "sl", "tp", "deviation",
    "type", "type_filling", "type_time", "expiration", "comment", "position", "position_by",
}  # fmt: skip


class Closed(Exception):
    """The connection is over. The text says why and quotes nothing of the peer's."""


class Refused(Exception):
    """The call is not executed. The text goes to the gateway."""


class Nothing(Exception):
    """The package returned None. Its last error: code, text."""


def fail(text):
    """Ends the program for a fault of the configuration; the text says how to mend it."""
    log("error: " + text)
    raise SystemExit(78)


def now_ms():
    """A clock that never goes back, and goes on while the host sleeps."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return (time.monotonic() if clock is None else time.clock_gettime(clock)) * 1000.0


def log(text):
    try:
        print(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), text, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        pass  # nobody reads it; the work goes on


def encode(frame):
    """A frame's bytes, null for what JSON has no number for; only what it was if too long."""
    try:
        text = json.dumps(dict(frame, role="bridge"), allow_nan=False, separators=(",", ":"))
    except ValueError:
        return encode(json.loads(json.dumps(frame), parse_constant=lambda _: None))
    if len(text) > OUT_LIMIT:
        short = {key: frame[key] for key in ("id", "push") if key in frame}
        return encode(dict(short, none=[-3, "too long"]))
    return len(text).to_bytes(4, "big") + text.encode("ascii")


class Frames:
    """Frames over one socket, for one reading and one writing thread."""

    def __init__(self, sock):
        self.sock, self.broken, self.lock = sock, False, threading.Lock()
        self.limit, self.deadline = FIRST_LIMIT, now_ms() + HANDSHAKE_MS
        sock.setblocking(False)

    def shut(self):
        """Wakes both threads up; the reading one closes the socket."""
        self.broken = True
        try:  # not SSLSocket.shutdown, which would go on in plain text
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
        except OSError:
            pass

    def _patiently(self, operation, writes=False):
        """Does it as soon as the socket lets it; a TLS connection bears one thread at a time."""
        deadline = self.deadline or now_ms() + IDLE_MS
        while not self.broken:
            try:
                with self.lock:
                    return operation()
            except ssl.SSLWantReadError:
                writes = False
            except ssl.SSLWantWriteError:
                writes = True
            except BlockingIOError:
                pass
            except (OSError, ValueError):
                raise Closed("connection lost") from None
            files, wait = [self.sock], max(0.0, deadline - now_ms()) / 1000
            ready = select.select([] if writes else files, files if writes else [], [], wait)
            if not any(ready):
                raise Closed("the peer takes nothing" if writes else "the peer says nothing")
        raise Closed("shut")

    def encrypt(self, context):
        """The server's side of TLS."""
        self.sock = context.wrap_socket(self.sock, True, do_handshake_on_connect=False)
        self._patiently(self.sock.do_handshake)

    def _take(self, size):
        buffer, got = bytearray(size), 0
        while got < size:
            rest = memoryview(buffer)[got:]
            count = self._patiently(lambda into=rest: self.sock.recv_into(into))
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
            frame = json.loads(str(body, "utf-8"))
        except (ValueError, RecursionError):
            frame = None
        body[:] = bytes(size)  # it may have held the password
        if not isinstance(frame, dict) or frame.get("role") != "gateway":
            raise Closed("not a gateway's frame")
        return frame

    def write(self, data):
        """Sends bytes; the peer must take each piece in time."""
        rest = memoryview(data)
        while rest:
            piece = rest[:65536]
            rest = rest[self._patiently(lambda piece=piece: self.sock.send(piece), True) :]


class Handshake:
    """Both sides prove the secret, the gateway first."""

    def __init__(self, secret):
        self._secret = secret

    def _proof(self, side, ours, theirs):
        words = f"mymt5-bridge/1 {side} {ours} {theirs}"
        return hmac.new(self._secret, words.encode("ascii"), hashlib.sha256).hexdigest()

    def run(self, frames):
        """Returns when the peer is the gateway."""
        ours = secrets.token_hex(32)
        frames.write(encode({"protocol": 1, "nonce": ours}))
        answer = frames.read()
        theirs, proof = answer.get("nonce"), answer.get("proof")
        for word in (theirs, proof):
            if not isinstance(word, str) or len(word) != 64 or set(word) - set("0123456789abcdef"):
                raise Closed("malformed proof")
        right = hmac.compare_digest(proof, self._proof("gateway", ours, theirs))
        if answer.get("protocol") != 1 or theirs == ours or not right:
            raise Closed("wrong proof")
        frames.write(encode({"proof": self._proof("bridge", ours, theirs)}))
        frames.limit, frames.deadline = IN_LIMIT, None


class Sends:
    """The last order_send calls by key, over all sessions of this process."""

    def __init__(self):
        self._lock, self._known = threading.Lock(), {}

    def recall(self, key):
        with self._lock:
            state, answer = self._known.get(key, ("unheard", None))
        return {"state": state, "answer": answer}

    def note(self, key, state, answer=None):
        """Notes a key's state; beyond the limit the oldest settled keys are forgotten."""
        with self._lock:
            self._known[key] = (state, answer)
            settled = [k for k, (s, _) in self._known.items() if s in ("done", "dropped")]
            for old in settled[: max(0, len(self._known) - REMEMBERED)]:
                del self._known[old]


def fits(kind, value):
    """Whether a value of the wire is of a kind: a range of whole numbers, or one by name."""
    if isinstance(kind, range):
        return type(value) is int and value in kind
    if kind == "number":
        return type(value) in (int, float) and -(2**63) <= value < 2**63
    if kind == "text":
        return isinstance(value, str) and 0 < len(value) <= 64 and "\0" not in value
    if kind == "names":
        return isinstance(value, list) and len(value) <= 256 and all(fits("text", n) for n in value)
    if kind == "cursor":
        pair = isinstance(value, list) and len(value) == 2
        return value is None or (pair and all(fits(EPOCH, n) for n in value))
    if not isinstance(value, dict):
        return False
    if kind == "cursors":
        return fits("names", list(value)) and all(fits("cursor", at) for at in value.values())
    fields = all(fits("number", v) or v == "" or fits("text", v) for v in value.values())
    return kind == "request" and REQUEST.issuperset(value) and fields


EPOCH, WAIT = range(2**40), range(1, 600001)
SPAN = {"from": EPOCH, "to": EPOCH}
DEAL = {"action": range(2), "symbol": "text", "volume": "number"}
PROFIT = dict(DEAL, price_open="number", price_close="number")
ORDER = {"request": "request", "key": "text", "wait_ms": WAIT}
BARS = {"symbol": "text", "timeframe": range(2**31), "from": EPOCH, "count": range(1, ROWS + 1)}
LOGIN = {"login": range(1, 2**63), "password": "text", "server": "text", "timeout_ms": WAIT}
MS = {"poll_ms": range(1, 10001), "rows_ms": range(1, 3600001)}
# Each call: its class, its arguments, and what the package does with them, in that order.
CALLS = {
    "order_send": (TRADE, ORDER, lambda p, request, *_: p.trade("order_send", request)),
    "order_check": (TRADE, {"request": "request"}, lambda p, r: p.trade("order_check", r)),
    "login": (READ, LOGIN, None),
    "watch": (READ, dict(MS, symbols="cursors", deals_from=EPOCH), None),
    "account": (READ, {}, lambda p: p.record("account_info")),
    "terminal": (READ, {}, lambda p: p.record("terminal_info")),
    "state": (READ, {}, lambda p: p.now(deals_total=p.ask("history_deals_total", 0, FAR))),
    "symbols": (READ, {"names": "names"}, lambda p, names: [p.symbol(name) for name in names]),
    "margin": (READ, dict(DEAL, price="number"), lambda p, *a: p.ask("order_calc_margin", *a)),
    "profit": (READ, PROFIT, lambda p, *a: p.ask("order_calc_profit", *a)),
    "history_orders": (HISTORY, SPAN, lambda p, *span: p.history("orders", *span)),
    "history_deals": (HISTORY, SPAN, lambda p, *span: p.history("deals", *span)),
    "bars": (HISTORY, BARS, lambda p, *a: p.table(BAR, "copy_rates_from", *a)),
}


class Call:
    """One call on its way to the package."""

    def __init__(self, frame):
        self.id, self.t, self.name, self.args = map(frame.get, ("id", "t", "call", "args"))
        typed = isinstance(self.name, str) and isinstance(self.args, dict)
        if not typed or not fits("number", self.t) or not fits(range(2**53), self.id):
            raise Closed("malformed call")
        self.key = self.args.get("key") if self.name == "order_send" else None

    def check(self, shape):
        """Refuses arguments that are not exactly of that shape."""
        wrong = [name for name in shape if not fits(shape[name], self.args.get(name))]
        if wrong or set(self.args) != set(shape):
            raise Refused("wrong arguments " + " ".join(wrong))


class Session:
    """One proven gateway: its calls on their way in, its answers and pushes on their way out."""

    def __init__(self, bridge, frames, name):
        self.bridge, self.frames, self.name = bridge, frames, name
        self.queues, self.skew = [deque(), deque(), deque()], None
        self.logged_in, self.watch, self.ended = False, None, False
        self.out, self.pushes, self.can_write = deque(), 0, threading.Condition()
        log(name + " begun")
        for work in (self._read, self._write):
            threading.Thread(target=self._guarded, args=(work,), daemon=True).start()
        with bridge.turn:
            bridge.sessions.append(self)
            bridge.turn.notify_all()

    def _guarded(self, work):
        try:
            work()
        except Closed as closed:
            self.end(str(closed))
        except Exception as fault:  # noqa: BLE001, its text may quote the peer
            self.end("fault " + type(fault).__name__)
        if work == self._read:
            with self.frames.lock:
                self.frames.sock.close()

    def end(self, reason):
        """Ends it once: what is queued is dropped, and its sends are remembered as dropped."""
        with self.bridge.turn:
            if self.ended:
                return
            self.ended = True
            for call in self.queues[TRADE]:
                if call.key:
                    self.bridge.sends.note(call.key, "dropped", {"refused": "dropped"})
            self.queues = [deque(), deque(), deque()]
            self.bridge.turn.notify_all()
        self.frames.shut()
        with self.can_write:
            self.can_write.notify_all()
        log(f"{self.name} ended: {reason}")

    def _read(self):
        while True:
            self._hear(Call(self.frames.read()))

    def _hear(self, call):
        late = now_ms() - call.t
        self.skew = late if self.skew is None else min(self.skew, late)
        try:
            answer = self._answer_or_queue(call)
        except Refused as refused:
            answer = {"refused": str(refused)}
        if answer:
            self.put(dict(answer, id=call.id))

    def _answer_or_queue(self, call):
        if call.name == "ping":
            return {"ok": self.bridge.ping(self)}
        if call.name == "recall":
            call.check({"key": "text"})
            return {"ok": self.bridge.sends.recall(call.args["key"])}
        if call.name not in CALLS:
            raise Refused("unknown call")
        call.check(CALLS[call.name][1])
        with self.bridge.turn:
            known = self.bridge.sends.recall(call.key)
            if call.key and known["state"] != "unheard":
                return known["answer"] or {"refused": "this key is " + known["state"]}
            if self.ended or sum(map(len, self.queues)) >= QUEUE:
                raise Refused("queue full")
            if call.key:
                self.bridge.sends.note(call.key, "queued")
            self.queues[CALLS[call.name][0]].append(call)
            self.bridge.turn.notify_all()

    def put(self, frame, is_push=False):
        """Hands a frame to the writing thread."""
        data = encode(frame)
        with self.bridge.turn:
            self.pushes += is_push
        with self.can_write:
            if len(self.out) > PUSHES + 4 * QUEUE:
                raise Closed("answers are not taken")
            self.out.append((data, is_push))
            self.can_write.notify_all()

    def _write(self):
        while True:
            with self.can_write:
                self.can_write.wait_for(lambda: self.out or self.ended)
                if self.ended:
                    return
                data, was_push = self.out.popleft()
            self.frames.write(data)
            with self.bridge.turn:
                self.pushes -= was_push
                self.bridge.turn.notify_all()


class Package:
    """All that is asked of MetaTrader5. The main thread's alone."""

    def __init__(self, module, path, portable, stop):
        self._mt5, self._stop, self.build = module, stop, None
        self._path, self._portable = [path] if path else [], portable

    def ask(self, function, *args):
        value = getattr(self._mt5, function)(*args)
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
        self._mt5.shutdown()

    def login(self, args):
        """Logs in and waits for the trade server. The password dies in here."""
        deadline = now_ms() + args["timeout_ms"]
        self.close()
        args["timeout"] = args.pop("timeout_ms")
        try:
            done = self._mt5.initialize(*self._path, portable=self._portable, **args)
        finally:
            args.clear()
        if not done:
            raise self._nothing()
        while not self.record("terminal_info")["connected"]:
            if now_ms() >= deadline or self._stop():
                raise Nothing(-10005, "not connected")
            time.sleep(0.05)
        login = {name: self.record(name + "_info") for name in ("account", "terminal")}
        if login["terminal"]["build"] != self.build:
            self.build = login["terminal"]["build"]
            log(f"terminal build {self.build}")
        return login

    def now(self, **more):
        """The account as it stands."""
        infos = {name: self.record(name + "_info") for name in ("account", "terminal")}
        rows = {name: self.rows(name + "_get") for name in ("orders", "positions")}
        return dict(infos, **rows, **more)

    def symbol(self, name):
        """A symbol's row; None where the package knows none of that name."""
        self._mt5.symbol_select(name, True)
        info = self._mt5.symbol_info(name)
        return None if info is None else info._asdict()

    def trade(self, function, request):
        result = self.record(function, request)
        result.pop("request", None)
        return result

    def history(self, kind, start, end):
        """Rows of that span, or only their number where they are too many."""
        total = self.ask(f"history_{kind}_total", start, end)
        if total > ROWS:
            return {"total": total}
        return {"rows": self.rows(f"history_{kind}_get", start, end)}


class Watch:
    """What a session wants pushed, and how far that has come."""

    def __init__(self, args):
        self._cursors = {name: at and tuple(at) for name, at in args["symbols"].items()}
        self._pages = dict.fromkeys(self._cursors, PAGE)
        self._poll_ms, self._rows_ms = args["poll_ms"], args["rows_ms"]
        self._deals_from, self.newest, self._round = args["deals_from"], None, deque()
        self._next_poll = self._next_rows = now_ms()

    def wait_ms(self):
        """Milliseconds until something is to be polled."""
        wait = min(self._next_poll, self._next_rows) - now_ms()
        return 0.0 if self._round else max(0.0, wait)

    def step(self, package):
        """Polls one symbol, or the rows: what is to be pushed, and whether a round is over."""
        now = now_ms()
        if not self._round:
            if now >= self._next_poll:
                self._round.extend(self._cursors)
                self._next_poll = now + self._poll_ms
            if now >= self._next_rows:
                self._round.append(None)
                self._next_rows = now + self._rows_ms
        name = self._round.popleft() if self._round else ""
        try:
            push = self._rows(package) if name is None else name and self._ticks(package, name)
        except Nothing as nothing:  # a symbol's history may still be loading
            push = None if name else {"push": "rows", "none": list(nothing.args)}
        except Exception as fault:  # noqa: BLE001
            push = {"push": "rows", "none": [-1, "raised " + type(fault).__name__]}
        return push, not self._round

    def _rows(self, package):
        deals = package.history("deals", self._deals_from, FAR)
        if "rows" not in deals:
            raise Nothing(-2, f"more than {ROWS} deals since deals_from")
        return package.now(push="rows", deals=deals["rows"])

    def _ticks(self, package, name):
        """The ticks after the cursor: asked from its whole second, skipped by position."""
        at, page = self._cursors[name], self._pages[name]
        second, k = at or (package.record("symbol_info_tick", name)["time"], 0)
        rows = package.table(TICK, "copy_ticks_from", name, second, page, -1)  # COPY_TICKS_ALL
        full = len(rows) >= page
        stuck = full and (at is None or len(rows) <= k)  # only a greater page leads on
        self._pages[name] = page * 2 if stuck else min(page * 2, LAST_PAGE) if full else PAGE
        if full:
            self._round.append(name)
        fresh = rows[k : k + PUSHED_ROWS] if at else rows[-1:]
        if stuck or not fresh:
            return None
        seen = rows[: k + len(fresh)] if at else rows
        self.newest = max(self.newest or 0, seen[-1][0])
        second = seen[-1][0] // 1000
        k = next((i for i, row in enumerate(reversed(seen)) if row[0] // 1000 < second), len(seen))
        self._cursors[name] = (second, k)
        return {"push": "ticks", "symbol": name, "rows": fresh, "at": [second, k]}


class Bridge:
    """The main thread's work: whose turn it is, and each call into the package."""

    def __init__(self, module, path, portable):
        self.turn, self.stop, self.sends = threading.Condition(), False, Sends()
        self.package = Package(module, path, portable, lambda: self.stop)
        self.sessions, self.busy, self._history_next = [], None, False

    def ping(self, session):
        name, since = self.busy or (None, now_ms())
        ping = {"busy_ms": int(now_ms() - since), "busy": name, "build": self.package.build}
        return dict(ping, queued=sum(map(len, session.queues)))

    def run(self):
        """Works until told to stop."""
        while not self.stop:
            with self.turn:
                live = [session for session in self.sessions if not session.ended]
                self.sessions = live[-1:]  # no call is in flight: the newest takes over
                for old in live[:-1]:
                    old.end("taken over")
                call, wait = self._next(live[-1]) if live else (None, None)
                if not call and wait != 0:
                    self.turn.wait(wait and wait / 1000)
                    continue
                if call and call.key:
                    self.sends.note(call.key, "running")
                self.busy = (call.name if call else "poll", now_ms())
            try:
                if call:
                    live[-1].put(dict(self._perform(live[-1], call), id=call.id))
                else:
                    push, self._history_next = live[-1].watch.step(self.package)
                    if push:
                        live[-1].put(push, True)
            except Closed as closed:
                live[-1].end(str(closed))
            self.busy = call = None
        self.package.close()

    def _next(self, session):
        """The next call, or how many ms to wait for a poll: 0 for now, None for a notice."""
        wait = session.watch.wait_ms() if session.watch and session.pushes < PUSHES else None
        order = [TRADE, READ] + [HISTORY] * (wait != 0 or self._history_next)
        for level in order:
            if session.queues[level]:
                self._history_next = self._history_next and level != HISTORY
                return session.queues[level].popleft(), None
        return None, wait

    def _perform(self, session, call):
        try:
            answer = {"ok": self._execute(session, call)}
        except Nothing as nothing:
            answer = {"none": list(nothing.args)}
        except Refused as refused:
            answer = {"refused": str(refused)}
        except Exception as fault:  # noqa: BLE001, its text may quote the request
            answer = {"raised": type(fault).__name__}
        if call.key:
            self.sends.note(call.key, "done", answer)
        return answer

    def _execute(self, session, call):
        if call.name == "login":
            session.logged_in = False
            value = self.package.login(call.args)
            session.logged_in = True
            return value
        if not session.logged_in:
            raise Refused("not logged in")
        if call.name == "watch":
            session.watch = Watch(call.args)
            return {}
        _, shape, work = CALLS[call.name]
        if call.key and now_ms() - call.t - session.skew > call.args["wait_ms"]:
            raise Refused("stale")  # written longer ago than it may wait
        value = work(self.package, *[call.args[name] for name in shape])
        if call.name == "state":
            value["server_time"] = session.watch and session.watch.newest
        return value


def listen(listener, bridge, context, handshake):
    """Takes connections, few at a time: each must prove the secret to become a session."""
    places = threading.BoundedSemaphore(PENDING_HANDSHAKES)

    def admit(sock, peer):
        frames, reason = Frames(sock), None
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context:
                frames.encrypt(context)
            handshake.run(frames)
        except (Closed, OSError, ValueError) as fault:
            reason = str(fault) if isinstance(fault, Closed) else type(fault).__name__
            frames.sock.close()
        places.release()
        if reason:
            log(f"connection from {peer[0]} turned away: {reason}")
        else:
            Session(bridge, frames, f"session {peer[0]}:{peer[1]}")

    while True:
        try:
            sock, peer = listener.accept()
        except OSError:
            time.sleep(0.1)  # out of descriptors, or a connection that died early
            continue
        if places.acquire(blocking=False):
            threading.Thread(target=admit, args=(sock, peer), daemon=True).start()
        else:
            sock.close()


def private_file(path, name):
    """The content of a file that nobody else may read."""
    try:
        with open(path, "rb") as file:
            if os.name == "posix" and os.fstat(file.fileno()).st_mode & 0o007:
                fail(f"{name}: others may read it; chmod 600 {path}")
            return file.read(65536).strip()
    except OSError as fault:
        fail(f"{name}: cannot read {path}: {fault.strerror}")


def read_secret():
    """The shared secret; the environment forgets it."""
    secret = os.environ.pop("BRIDGE_SECRET", "").strip().encode("utf-8", "replace")
    path = os.environ.get("BRIDGE_SECRET_FILE")
    if secret and path:
        fail("BRIDGE_SECRET and BRIDGE_SECRET_FILE are both set; keep one")
    secret = private_file(path, "BRIDGE_SECRET_FILE") if path else secret
    if len(secret) < 32:
        what = "the secret has fewer than 32 characters" if secret else "no secret"
        make = 'python -c "import secrets; print(secrets.token_hex(32))"'
        fail(what + ": set BRIDGE_SECRET or BRIDGE_SECRET_FILE; make one: " + make)
    return secret


def tls_context(certificate, key):
    if not certificate and not key:
        return None
    if not certificate or not key:
        fail("--tls-certificate and --tls-key go together")
    private_file(key, "--tls-key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ValueError):
        fail("--tls-certificate, --tls-key: not a matching PEM pair")
    return context


def open_listener(address, encrypted):
    """A listening socket, beyond loopback only with TLS."""
    host, _, port = address.rpartition(":")
    host, family = host.strip("[]"), socket.AF_INET6 if "]" in host else socket.AF_INET
    try:
        socket.inet_pton(family, host)
        if not (host.startswith("127.") or host == "::1" or encrypted):
            fail(f"--listen {address} is beyond loopback: give --tls-certificate, --tls-key")
        return socket.create_server((host, int(port)), family=family, backlog=8)
    except (ValueError, OverflowError):
        fail(f"--listen {address}: say IP:PORT, e.g. 127.0.0.1:18812")
    except OSError as fault:
        fail("cannot listen on {} (IP:PORT): {}".format(address, fault.strerror or "no such address"))


def quiet_faults():
    """A fault that nobody caught shows its type only; no memory is written to disk."""
    sys.excepthook = lambda kind, *_: log("fault: " + kind.__name__)
    threading.excepthook = lambda fault: log("fault in a thread: " + fault.exc_type.__name__)
    if os.name == "posix":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def end_on_signals(bridge, finished):
    """SIGTERM and SIGINT end the bridge, also while the main thread is inside the package."""
    told, tell = socket.socketpair()
    tell.setblocking(False)
    signal.set_wakeup_fd(tell.fileno(), warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)

    def wait(_keep=tell):
        told.recv(1)
        with bridge.turn:
            bridge.stop = True
            bridge.turn.notify_all()
        if not finished.wait(END_S):
            log("ended with a call in flight")
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def main():
    parser = argparse.ArgumentParser(
        description="Lends a MetaTrader 5 terminal to one MyMT5 gateway.",
        epilog="The shared secret comes from BRIDGE_SECRET or BRIDGE_SECRET_FILE. Exit status 78: "
        "a fault of the configuration; the message says how to mend it.",
    )
    add = parser.add_argument
    add("--listen", default="127.0.0.1:18812", metavar="IP:PORT", help="default: %(default)s")
    add("--terminal-path", metavar="PATH", help="terminal64.exe, where there are several")
    add("--portable", action="store_true", help="the terminal runs in portable mode")
    add("--tls-certificate", metavar="FILE", help="PEM; needed beyond loopback")
    add("--tls-key", metavar="FILE", help="its private key, PEM")
    given = parser.parse_args()
    quiet_faults()
    handshake = Handshake(read_secret())
    context = tls_context(given.tls_certificate, given.tls_key)
    try:
        import MetaTrader5 as module
    except ImportError:
        fail("no package MetaTrader5: pip install --require-hashes -r requirements.txt")
    listener = open_listener(given.listen, context is not None)
    bridge, finished = Bridge(module, given.terminal_path, given.portable), threading.Event()
    end_on_signals(bridge, finished)
    door = (listener, bridge, context, handshake)
    threading.Thread(target=listen, args=door, daemon=True).start()
    at = "%s:%d" % listener.getsockname()[:2] + (" with TLS" if context else "")
    log(f"listening on {at}, MetaTrader5 {module.__version__}")
    bridge.run()
    finished.set()
    log("ended")
    return 0


if __name__ == "__main__":
    sys.exit(main())
