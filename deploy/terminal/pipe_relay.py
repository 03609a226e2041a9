"""Carries the official MetaTrader5 package's pipe to a terminal that listens on TCP.

    python.exe pipe_relay.py PORT "C:\\path of\\terminal64.exe" [--times]

For Windows, Wine's included. The package knows a terminal by its path, and looks for a pipe named
after that. Each of the pipe's two instances, as many as a terminal serves clients, has a connection
of its own to 127.0.0.1:PORT, made before its client comes. "ready" says that both are there. It
ends with the terminal, or with its standard input. With --times there is a line for each command:
when it came and when its answer was there, in seconds of Python's performance counter.
"""

import _winapi
import contextlib
import hashlib
import os
import socket
import sys
import threading
import time

CLIENTS = 2
SIZE = 65536  # of a read, and of the pipe's buffers
BYTES, LOCAL = 0, 8  # PIPE_TYPE_BYTE, _READMODE_BYTE and _WAIT; PIPE_REJECT_REMOTE_CLIENTS
PAUSE_S = 0.1  # after a terminal hung up before any client came


def pipe_name(path):
    """The name of the pipe of the terminal with that path."""
    digest = hashlib.sha256(("\\\\?\\" + path.lower()).encode("utf-16-le"))
    return "\\\\.\\pipe\\MT5.Terminal." + digest.hexdigest().upper()


class Pipe:
    """One instance of the pipe. Its calls are overlapped: else a read would hold up a write."""

    def __init__(self, name):
        mode = _winapi.PIPE_ACCESS_DUPLEX | _winapi.FILE_FLAG_OVERLAPPED
        options = BYTES | LOCAL, CLIENTS, SIZE, SIZE, 0, 0
        self.handle = _winapi.CreateNamedPipe(name, mode, *options)
        self._pending, self._hung_up = None, False

    def _wait(self, pending):
        self._pending = pending
        if self._hung_up:
            pending.cancel()
        return pending.GetOverlappedResult(True)[1] == 0

    def accept(self):
        """Whether a client has come."""
        try:
            return self._wait(_winapi.ConnectNamedPipe(self.handle, overlapped=True))
        except OSError:
            return False  # it has already gone

    def read(self):
        """What the client wrote; nothing once it is gone, or after `hang_up`."""
        try:
            reading, _ = _winapi.ReadFile(self.handle, SIZE, overlapped=True)
            return bytes(reading.getbuffer()) if self._wait(reading) else b""
        except OSError:
            return b""

    def write(self, data):
        writing, _ = _winapi.WriteFile(self.handle, data, overlapped=True)
        writing.GetOverlappedResult(True)

    def hang_up(self):
        """Ends another thread's accept or read, now or later."""
        self._hung_up = True
        if self._pending:
            self._pending.cancel()

    def close(self):
        _winapi.CloseHandle(self.handle)


class Times:
    """When a client asked, and when it was answered: it asks one thing at a time."""

    def __init__(self, are_told):
        self._are_told, self._asked, self._span = are_told, 0.0, ""

    def asked(self):
        self._asked = time.perf_counter()

    def answered(self):
        self._span = f"{self._asked:.7f},{time.perf_counter():.7f}"

    def tell(self):
        if self._are_told:
            print(self._span, flush=True)


def carry_answers(terminal, pipe, times):
    """Each answer, its length and so many bytes, goes out at once: the package reads no pieces."""
    with terminal.makefile("rb") as answers, contextlib.suppress(OSError):  # one of them is gone
        while len(length := answers.read(4)) == 4:
            answer = answers.read(int.from_bytes(length, "little"))
            times.answered()
            pipe.write(length + answer)
            times.tell()
    pipe.hang_up()


def serve(name, port, ready, are_told):
    """Serves one client after the other, until the terminal takes no more connections."""
    while True:
        try:
            terminal = socket.create_connection(("127.0.0.1", port))
        except OSError:
            os._exit(0)  # with the other instance
        terminal.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pipe, times = Pipe(name), Times(are_told)
        back = threading.Thread(target=carry_answers, args=(terminal, pipe, times))
        back.start()
        ready.release()
        with terminal, contextlib.suppress(OSError):
            if not pipe.accept():
                time.sleep(PAUSE_S)
            while data := pipe.read():
                times.asked()
                terminal.sendall(data)
            terminal.shutdown(socket.SHUT_RDWR)
        back.join()
        pipe.close()


def main(port, path, *options):
    ready = threading.Semaphore(0)
    for _ in range(CLIENTS):
        arguments = (pipe_name(path), int(port), ready, "--times" in options)
        threading.Thread(target=serve, args=arguments, daemon=True).start()
    for _ in range(CLIENTS):
        ready.acquire()
    print("ready", flush=True)
    while sys.stdin.buffer.read(SIZE):
        pass
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
