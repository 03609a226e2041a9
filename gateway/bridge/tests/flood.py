"""Strangers that never go away: each comes again as soon as it has lost its place.

    python flood.py PORT ADDRESS [hello]

They are HELD at a time, from that address, and prove nothing; with `hello` each begins a TLS
handshake that it never goes on with. A line tells that all of them have come, and it ends with its
standard input.
"""

import contextlib
import os
import selectors
import socket
import ssl
import sys
import threading

HELD = 400


def hello():
    """The first bytes of a TLS client."""
    out = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    peer = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="bridge")
    with contextlib.suppress(ssl.SSLWantReadError):
        peer.do_handshake()
    return out.read()


def come(port, source, first):
    sock = socket.create_connection(("127.0.0.1", port), source_address=(source, 0))
    with contextlib.suppress(OSError):  # its place may be another one's already
        sock.sendall(first)
    return sock


def is_lost(sock):
    try:
        return not sock.recv(65536)
    except OSError:
        return True


def flood(*words):
    watched = selectors.DefaultSelector()
    for _ in range(HELD):
        watched.register(come(*words), selectors.EVENT_READ)
    print("flooded", flush=True)
    while True:
        for key, _ in watched.select():
            if is_lost(key.fileobj):
                watched.unregister(key.fileobj)
                key.fileobj.close()
                watched.register(come(*words), selectors.EVENT_READ)


def main(port, source, *how):
    words = int(port), source, hello() if how else b""
    threading.Thread(target=flood, args=words, daemon=True).start()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
