#!/usr/bin/env python3
"""Runs the bridge on the official MetaTrader5 package, before a terminal that listens on TCP.

    BRIDGE_SECRET=... python3 deploy/terminal/windows_bridge.py PORT

Relay and bridge run in the Windows Python that windows_python.py has installed; where it has not,
the exit status is 69. The bridge's log comes on standard output, where it listens in the first line.
All of it ends with standard input.
"""

import os
import signal
import sys
import tempfile
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shutil import rmtree

from simulated import START_S, Lines, Relay, port_of, windows
from windows_python import Fault, WindowsPython, ended, say

BRIDGE = Path(__file__).resolve().parents[2] / "gateway" / "bridge" / "mymt5_bridge.py"
UNAVAILABLE = 69


@contextmanager
def terminal_path(python, name="terminal"):
    """A terminal's path that nobody else uses, in a folder whose name begins so: the package wants
    it to be there."""
    installed = python.prefix / "drive_c" / "mymt5"
    folder = Path(tempfile.mkdtemp(prefix=name, dir=installed))
    try:
        (folder / "terminal64.exe").touch()
        yield f"C:\\mymt5\\{folder.name}\\terminal64.exe"
    finally:
        rmtree(folder, ignore_errors=True)


class Bridge:
    """The bridge to the terminal of that path, on a port or on a free one, until it is closed."""

    def __init__(self, python, path, secret, port=0, script=BRIDGE, link=("--plain",)):
        """How it is reached, `link`: the options of its identity, or in plain text."""
        listen = ["--listen", f"127.0.0.1:{port}", *link]
        words = [windows(script), *listen, "--terminal-path", path]
        self.process = python.start(*words, BRIDGE_SECRET=secret)
        self.out, self.log = Lines(self.process.stdout), Lines(self.process.stderr)
        self.ready = self.log.next(START_S) or ""
        if "listening on " not in self.ready:
            self.close()
            why = self.ready or f"status {self.process.returncode}"
            raise Fault(f"the bridge does not start: {why}")
        self.port = port_of(self.ready)

    def close(self):
        with ended(self.process):
            pass


def end_by_signals():
    """Has signals end this process as Ctrl-C does: what was started ends first."""
    for name in ("SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), lambda number, _: sys.exit(128 + number))


def pass_on(bridge):
    while (line := bridge.log.next(None)) is not None:
        print(line, flush=True)


def main(port):
    end_by_signals()
    python = WindowsPython()
    if not python.is_there():
        say("error: no Windows Python; run deploy/terminal/windows_python.py")
        return UNAVAILABLE
    try:
        with ExitStack() as stack:
            path = stack.enter_context(terminal_path(python))
            stack.callback(Relay(python, port, path).close)
            bridge = Bridge(python, path, os.environ["BRIDGE_SECRET"])
            stack.callback(bridge.close)
            print(bridge.ready, flush=True)
            threading.Thread(target=pass_on, args=(bridge,), daemon=True).start()
            while sys.stdin.buffer.read(1):
                pass
    except Fault as fault:
        say(f"error: {fault}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
