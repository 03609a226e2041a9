"""Short words for the tests: a bridge process, its broker's state, and a gateway's end of the wire."""

import hashlib
import hmac
import json
import os
import re
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest

TESTS = os.path.dirname(os.path.abspath(__file__))
BRIDGE = os.path.join(os.path.dirname(TESTS), "mymt5_bridge.py")
STANDIN = os.path.join(TESTS, "standin")
# Made again each time: a traceback's source lines, kept by linecache, must not hold them.
SECRET = secrets.token_hex(32)
PASSWORD = "password-canary-" + secrets.token_hex(8)
LOGIN = {"login": 10000001, "password": PASSWORD, "server": "StandIn-Demo", "timeout_ms": 5000}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
BUY = {"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0, "type_filling": 1, "magic": 7}


def until(condition, seconds=10.0, what="condition"):
    """Waits for a condition; its first true value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("not in time: " + what)
        time.sleep(0.005)


def skip(test, reason, absent=False):
    """Skips a test aloud. Where MYMT5_REQUIRE=1 that is a failure, but for what may be absent."""
    if os.environ.get("MYMT5_REQUIRE") == "1" and not absent:
        test.fail("skipped: " + reason)
    print("skipped: " + reason, flush=True)
    test.skipTest(reason)


def official_surface():
    """The extracted surface beside the repository, or where MYMT5_SHARED says; None without."""
    beside = os.path.join(TESTS, "..", "..", "..", "..", "shared")
    path = os.path.join(os.environ.get("MYMT5_SHARED", beside), "mt5", "surface.json")
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        return json.load(file)


class State:
    """The stand-in's SQLite file, written and read from outside."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "state.db")
        self.db = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        sys.path.insert(0, STANDIN)
        try:
            from MetaTrader5._store import SCHEMA
        finally:
            sys.path.remove(STANDIN)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.executescript(SCHEMA)
        digest = hashlib.sha256(PASSWORD.encode()).hexdigest()
        self.set(password_sha256=digest)

    def set(self, **settings):
        for key, value in settings.items():
            self.db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (key, str(value)))

    def fault(self, on_call, kind, remaining=1, **args):
        query = "INSERT INTO faults (on_call, kind, remaining, args) VALUES (?, ?, ?, ?)"
        self.db.execute(query, (on_call, kind, remaining, json.dumps(args)))

    def faults_left(self):
        return self.one("SELECT count(*) FROM faults WHERE remaining <> 0")

    def tick(self, ms, bid=1.10000, ask=1.10010, symbol="EURUSD"):
        query = "INSERT INTO ticks (symbol, time_msc, bid, ask) VALUES (?, ?, ?, ?)"
        self.db.execute(query, (symbol, ms, bid, ask))

    def one(self, query, *values):
        return self.db.execute(query, values).fetchone()[0]

    def sends(self, executed=None):
        where = "" if executed is None else f" WHERE executed = {executed:d}"
        return self.one("SELECT count(*) FROM sends" + where)


class Gateway:
    """A gateway's end of one connection."""

    def __init__(self, address, secret=SECRET, tls=None, prove=True, buffer=None, source=None):
        self.sock = socket.socket()
        self.sock.settimeout(10)
        if buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        if source:
            self.sock.bind((source, 0))
        self.secret, self.began, self.next_id = secret.encode(), time.monotonic(), 0
        self.pushes, self.lock = [], threading.Lock()
        try:
            self.sock.connect(address)
            if tls:
                self.sock = tls.wrap_socket(self.sock, server_hostname="bridge")
            if prove:
                self.prove()
        except BaseException:
            self.close()
            raise

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def proof(self, side, theirs, ours):
        words = (f"mymt5-bridge/1 {side} {theirs} {ours}").encode()
        return hmac.new(self.secret, words, hashlib.sha256).hexdigest()

    def prove(self):
        theirs = self.read()["nonce"]
        ours = secrets.token_hex(32)
        proof = self.proof("gateway", theirs, ours)
        self.write({"role": "gateway", "protocol": 2, "nonce": ours, "proof": proof})
        answer = self.read()
        assert answer["proof"] == self.proof("bridge", theirs, ours), "the bridge's proof"

    def write(self, frame):
        body = json.dumps(frame).encode()
        self.sock.sendall(len(body).to_bytes(4, "big") + body)

    def read(self):
        """The next frame; EOFError when the connection is closed."""
        size = int.from_bytes(self._take(4), "big")
        frame = json.loads(self._take(size).decode())
        assert frame["role"] == "bridge"
        return frame

    def _take(self, size):
        data = b""
        while len(data) < size:
            try:
                piece = self.sock.recv(size - len(data))
            except ConnectionError:
                piece = b""
            if not piece:
                raise EOFError
            data += piece
        return data

    def send(self, call, args, late_ms=0, **more):
        """Writes a call; its id."""
        self.next_id += 1
        t = int((time.monotonic() - self.began) * 1000) - late_ms
        if call == "order_send":
            usual = {"login": LOGIN["login"], "take": [], "check": False, "wait_ms": 9000}
            args = dict(dict(usual, correlation=TRACE), **args)
        frame = {"role": "gateway", "id": self.next_id, "t": t, "call": call, "args": args}
        self.write(dict(frame, **more))
        return self.next_id

    def wait(self, call_id):
        """The answer to a call; pushes that come before it are kept."""
        while True:
            frame = self.read()
            if frame.get("id") == call_id:
                return {k: v for k, v in frame.items() if k not in ("id", "role")}
            self.pushes.append(frame)

    def call(self, call, args=None, **more):
        return self.wait(self.send(call, args or {}, **more))

    def push(self, kind):
        """The next push of a kind."""
        while True:
            for i, frame in enumerate(self.pushes):
                if frame.get("push") == kind:
                    return self.pushes.pop(i)
            self.pushes.append(self.read())

    def login(self, **other):
        answer = self.call("login", dict(LOGIN, **other))
        return answer

    def order(self, key, request=None, wait_ms=10000, late_ms=0, **args):
        args = dict({"key": key, "wait_ms": wait_ms, "request": request or BUY}, **args)
        return self.call("order_send", args, late_ms=late_ms)

    def is_closed(self):
        """Whether the bridge has closed this connection (waits for it)."""
        try:
            while True:
                self.read()
        except (EOFError, OSError):
            return True


class Process:
    """A bridge process on a free port, with its log: plain, unless it is given a certificate."""

    def __init__(self, state, *options, env=None, secret=SECRET, plain=None):
        given = dict(os.environ, PYTHONPATH=STANDIN, STANDIN_STATE=state.path)
        given.update({"BRIDGE_SECRET": secret} if secret else {})
        given.update(env or {})
        listen = [] if "--listen" in options else ["--listen", "127.0.0.1:0"]
        if plain is None:
            plain = not any(option.startswith("--tls-") for option in options)
        listen += ["--plain"] if plain else []
        command = [sys.executable, "-X", "utf8", BRIDGE] + listen + list(options)
        self.process = subprocess.Popen(
            command, env=given, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        self.lines = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line.rstrip())

    def log(self):
        return "\n".join(self.lines)

    def address(self):
        def find():
            assert self.process.poll() is None, self.log()
            return re.search(r"listening on ([\d.]+):(\d+) ", self.log())

        found = until(find, what="listening")
        return found.group(1), int(found.group(2))

    def wait(self, seconds=15):
        code = self.process.wait(seconds)
        self.reader.join(5)
        return code

    def end(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.wait()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.wait()
        self.process.stderr.close()


class BridgeTest(unittest.TestCase):
    """A test with a broker's state and, when asked, bridges over it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.state = State(self.folder)
        self.addCleanup(self.state.db.close)

    def start(self, *options, **more):
        process = Process(self.state, *options, **more)
        self.addCleanup(process.end)
        return process

    def gateway(self, process, login=True, **more):
        gateway = Gateway(process.address(), **more)
        self.addCleanup(gateway.close)
        if login:
            answer = gateway.login()
            self.assertIn("ok", answer)
        return gateway
