#!/usr/bin/env python3
"""Runs a script with the official MetaTrader5 package against the simulated terminal.

    python3 deploy/terminal/simulated.py [TERMINAL_OPTION ... --] SCRIPT [ARGUMENT ...]

Wine, Python and package are those of windows_python.py, which is run first. The terminal is the
program mymt5-simulated-terminal of this repository's target/, or of MYMT5_SIMULATED_TERMINAL; its
--help tells its options. `initialize()` finds it, with a path or without one.
"""

import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from windows_python import FOLDER, ORIGIN, Fault, ended, install, say

HERE = Path(__file__).resolve().parent
RELAY = HERE / "pipe_relay.py"
TERMINAL = "mymt5-simulated-terminal"
TERMINAL64 = ORIGIN + "\\terminal64.exe"
START_S = 60  # of a Windows program: the first one starts Wine as well
END_S = 60


def windows(path):
    """A path of this machine as Windows programs know it."""
    return "Z:" + str(Path(path).resolve()).replace("/", "\\")


def port_of(ready):
    """Where the bridge that said so listens."""
    return int(ready.partition("listening on 127.0.0.1:")[2].split()[0])


def terminal_binary():
    """The simulated terminal's program; None where it is not built."""
    named = os.environ.get("MYMT5_SIMULATED_TERMINAL")
    target = HERE.parents[1] / "target"
    places = [Path(named)] if named else [target / kind / TERMINAL for kind in ("release", "debug")]
    return next((place for place in places if place.exists()), None)


class Lines:
    """What a process writes, line by line, read without making it wait."""

    def __init__(self, stream):
        self._lines = queue.Queue()
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream):
        with stream:
            for line in stream:
                self._lines.put(line.decode(errors="replace").rstrip())
        self._lines.put(None)

    def rest(self):
        """The lines that are there."""
        lines = [self._lines.get() for _ in range(self._lines.qsize())]
        return [line for line in lines if line is not None]

    def next(self, seconds):
        """The next line; None at the end, or where none comes in time."""
        try:
            return self._lines.get(timeout=seconds)
        except queue.Empty:
            return None


class Terminal:
    """The simulated terminal on a free port, until it is closed."""

    def __init__(self, binary, *options):
        self.folder = Path(tempfile.mkdtemp(prefix="mymt5-"))
        ports = self.folder / "port", self.folder / "control"
        files = [f"--port-file={ports[0]}", f"--control-port-file={ports[1]}"]
        command = [str(binary), "--listen=127.0.0.1:0", *files, f"--path={ORIGIN}", *options]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self.port, self.control = map(self._port, ports)

    def _port(self, file):
        end = time.monotonic() + START_S
        while not (file.exists() and file.read_text().endswith("\n")):
            if self.process.poll() is not None or time.monotonic() > end:
                self.close()
                raise Fault("the simulated terminal does not start")
            time.sleep(0.02)
        return int(file.read_text())

    def tell(self, line):
        """Has it set or clear a temper."""
        with socket.create_connection(("127.0.0.1", self.control)) as control:
            control.sendall(line.encode() + b"\n")
            said = control.makefile().readline().rstrip()
        if not said.startswith("ok"):
            raise Fault(f"the simulated terminal does not {line}: {said}")

    def close(self):
        with ended(self.process):
            shutil.rmtree(self.folder, ignore_errors=True)


class Relay:
    """The pipe's relay to a terminal on a port, until it is closed."""

    def __init__(self, python, port, path=TERMINAL64, *options, **environment):
        words = [windows(RELAY), port, path, *options]
        self.process = python.start(*words, stdin=subprocess.PIPE, **environment)
        self.out, errors = Lines(self.process.stdout), Lines(self.process.stderr)
        if self.out.next(START_S) != "ready":
            last = errors.next(1)
            while line := errors.next(1):
                last = line
            self.close()
            raise Fault(f"the relay does not start, does another one run? {last}")

    def close(self):
        with ended(self.process), suppress(subprocess.TimeoutExpired):
            self.process.stdin.close()  # that ends it
            self.process.wait(END_S)


def run(options, script):
    """Runs a script; its exit status."""
    binary = terminal_binary()
    if not binary:
        raise Fault(f"no {TERMINAL}: cargo build --release -p {TERMINAL}")
    python = install(FOLDER)
    with ExitStack() as stack:
        terminal = Terminal(binary, *options)
        stack.callback(terminal.close)
        relay = Relay(python, terminal.port)
        stack.callback(relay.close)
        return python.run(*script)


def main(words):
    if not words or words[0] in ("-h", "--help"):
        sys.exit(__doc__)
    for name in ("SIGTERM", "SIGHUP"):  # as Ctrl-C does it: what was started ends first
        signal.signal(getattr(signal, name), lambda number, _: sys.exit(128 + number))
    at = words.index("--") if "--" in words else -1
    try:
        return run(words[: max(at, 0)], words[at + 1 :])
    except Fault as fault:
        say(f"error: {fault}")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
