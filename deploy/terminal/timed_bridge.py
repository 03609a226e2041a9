"""The bridge, with times on standard output, for chain.py; all by the clock of pipe_relay.py's.

First PROBES lines: when something was asked through the pipe without the package, and when it was
answered. Then a line for each answer to an order_send: when the call was heard, when its answer
went, and the seconds within the package's functions meanwhile.
"""

import _winapi
import msvcrt
import os
import sys
import time
from pathlib import Path

from pipe_relay import SIZE, pipe_name

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "gateway" / "bridge"))
import mymt5_bridge as bridge

PROBES = 500
READY = (4).to_bytes(4, "little") + (109).to_bytes(4, "little")  # what initialize() asks last
OPEN_EXISTING = 3

heard = {}


class Timed:
    """A package whose functions note how long they took."""

    def __init__(self, package):
        self._package, self.spans = package, []

    def __getattr__(self, name):
        known = getattr(self._package, name)
        return self._timed(known) if callable(known) else known

    def _timed(self, function):
        def call(*args, **named):
            begun = time.perf_counter()
            try:  # some functions refuse even an empty **
                return function(*args, **named) if named else function(*args)
            finally:
                self.spans.append((begun, time.perf_counter()))

        return call


class Session(bridge.Session):
    def _hear(self, call):
        if call.name == "order_send":
            heard[call.id] = time.perf_counter()
        super()._hear(call)

    def put(self, frame):
        super().put(frame)
        begun = heard.pop(frame.get("id"), None)
        spans, package.spans = package.spans, []
        if begun:
            within = sum(end - start for start, end in spans if start >= begun)
            print(f"{begun:.7f},{time.perf_counter():.7f},{within:.7f}", flush=True)


def probe(path):
    """Asks through the pipe as the package does."""
    access = _winapi.GENERIC_READ | _winapi.GENERIC_WRITE
    handle = _winapi.CreateFile(pipe_name(path), access, 0, 0, OPEN_EXISTING, 0, 0)
    pipe = msvcrt.open_osfhandle(handle, os.O_RDWR | os.O_BINARY)
    for _ in range(PROBES):
        begun = time.perf_counter()
        os.write(pipe, READY)
        os.read(pipe, SIZE)
        print(f"{begun:.7f},{time.perf_counter():.7f}", flush=True)
    os.close(pipe)


probe(sys.argv[sys.argv.index("--terminal-path") + 1])
package = Timed(bridge.load_package())
bridge.load_package = lambda: package
bridge.Session = Session
bridge.main()
