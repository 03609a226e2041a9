"""Short words for the tests: the official package in its Windows Python, and what it talks to."""

import fcntl
import importlib.util
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import unittest
from contextlib import suppress
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
LAYOUT = ROOT / "gateway/simulator/terminal/src/layout.rs"
STANDIN = HERE.parent / "tests" / "standin"
sys.path.insert(0, str(ROOT / "deploy" / "terminal"))

import parts
from simulated import END_S, START_S, Lines, Relay, Terminal, terminal_binary, windows
from windows_python import FOLDER, WindowsPython, ended

READY = {4: struct.pack("<I", 6231), 109: struct.pack("<I", 2)}  # what initialize() asks


def skip(reason):
    """Skips a test or a class of them aloud. Where MYMT5_REQUIRE=1 that is a failure."""
    if os.environ.get("MYMT5_REQUIRE") == "1":
        raise AssertionError("skipped: " + reason)
    print("skipped: " + reason, flush=True)
    raise unittest.SkipTest(reason)


def windows_python():
    """The installed Windows Python, in its usual folder or in MYMT5_WINE's."""
    python = WindowsPython(FOLDER)
    if not python.is_there():
        skip("no Windows Python; run deploy/terminal/windows_python.py")
    return python


def need_the_chain():
    """Skips where the whole chain cannot run."""
    windows_python()
    if not importlib.util.find_spec("grpc_tools"):
        skip("no grpcio-tools; run pip install grpcio-tools")
    if not (parts.gateway_binary() and terminal_binary()):
        skip("not built: cargo build -p mymt5-gateway -p mymt5-simulated-terminal")


class Package:
    """A package in a process of its own, asked by expressions over `m`."""

    def __init__(self, process):
        self._process, self._out = process, Lines(process.stdout)
        self._errors = Lines(process.stderr)

    @classmethod
    def official(cls, python):
        return cls(python.start(windows(HERE / "worker.py"), stdin=subprocess.PIPE))

    @classmethod
    def standin(cls, **environment):
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        given = dict(os.environ, PYTHONPATH=str(STANDIN), **environment)
        command = [sys.executable, "-X", "utf8", str(HERE / "worker.py")]
        return cls(subprocess.Popen(command, env=given, **pipes))

    def begin(self, expression):
        """Has an expression evaluated."""
        self._process.stdin.write(json.dumps(expression).encode() + b"\n")
        self._process.stdin.flush()

    def answer(self, seconds=START_S):
        """The outcome of the expression that was begun: value, error, raised. None: not yet."""
        line = self._out.next(seconds)
        return line and json.loads(line)

    def ask(self, expression, seconds=START_S):
        """An expression's outcome."""
        self.begin(expression)
        outcome = self.answer(seconds)
        if outcome is None:
            raise AssertionError(f"no answer to {expression}: {self._errors.next(1)}")
        return outcome

    def value(self, expression):
        """An expression's value. Records are dicts, tuples are lists."""
        outcome = self.ask(expression)
        if "raised" in outcome:
            raise AssertionError(f"{expression}: {outcome['raised']}")
        return bare(outcome["value"])

    def close(self):
        self._process.stdin.close()
        with ended(self._process), suppress(subprocess.TimeoutExpired):
            self._process.wait(END_S)


def bare(value):
    """A value without what its parts are."""
    if isinstance(value, dict):
        for kind in ("fields", "tuple"):
            if kind in value:
                return bare(value[kind])
        return {name: bare(part) for name, part in value.items()}
    return [bare(part) for part in value] if isinstance(value, list) else value


class ScriptedTerminal:
    """Answers each command with the bytes that a test has put there: a status above 0 and a body.

    An answer may be a number, then that is the status and there is no body. What is not there is
    refused as unknown."""

    def __init__(self):
        self.answers, self.asked = dict(READY), []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self._listener.close()

    def _serve(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client):
        with client, client.makefile("rb") as requests, suppress(OSError):
            while len(head := requests.read(8)) == 8:
                length, command = struct.unpack("<II", head)
                self.asked.append((command, requests.read(length - 4)))
                answer = self.answers.get(command, -7)
                status, body = (answer, b"") if isinstance(answer, int) else (1, answer)
                client.sendall(struct.pack("<IIi", 8 + len(body), command, status) + body)


class OfficialTest(unittest.TestCase):
    """Tests of a class share one Windows Python, and the relay to the class's terminal. That one is
    found without its path, as one at a time can be: a class of another process waits."""

    @classmethod
    def setUpClass(cls):
        cls.python = windows_python()
        alone = cls.python.terminal.open("rb")
        cls.addClassCleanup(alone.close)
        fcntl.flock(alone, fcntl.LOCK_EX)
        cls.terminal = cls.start_terminal()
        cls.addClassCleanup(cls.terminal.close)
        relay = Relay(cls.python, cls.terminal.port)
        cls.addClassCleanup(relay.close)
        cls.mt5 = Package.official(cls.python)
        cls.addClassCleanup(cls.mt5.close)


class TerminalTest(OfficialTest):
    """Against the simulated terminal."""

    options = ("--password=right",)

    @classmethod
    def start_terminal(cls):
        binary = terminal_binary()
        if not binary:
            skip("no simulated terminal; run cargo build -p mymt5-simulated-terminal")
        return Terminal(binary, *cls.options)

    def temper(self, name):
        """Has something go wrong until the test ends."""
        self.terminal.tell("set " + name)
        self.addCleanup(self.terminal.tell, "clear")
