"""What strangers and misbehaving clients do: run under a user of their own, by name.

    crowd.py NAME JSON

JSON has the function's arguments. It says `ready` once all have begun, and what came of it at the
end, as JSON. Nothing but Python's own modules is needed, since that user may read little else.
"""

import asyncio
import contextlib
import functools
import json
import os
import random
import resource
import socket
import ssl
import sys
import time
from collections import Counter
from pathlib import Path

import http2

TRADING = "/mymt5.v1.TradingService/"
WATCH = "/grpc.health.v1.Health/Watch"
CLIENT_HELLO = bytes([22, 3, 1, 2, 0, 1])  # the head of a TLS record that begins a handshake
RETURN_S = 1  # until one that was cut comes again, about: not all at the same moment
ARRIVE_S = 20  # until each has attacked once
BATCH = 64  # calls at a time on a connection
PATH_BYTES = 3900
CUT = (ConnectionResetError, ConnectionAbortedError, ssl.SSLError, asyncio.IncompleteReadError)
PLACE = b"#" * 10  # in a message, for the number of the call

FLOODS = {
    "PING": http2.frame(http2.PING, 0, 0, bytes(8)),
    "SETTINGS": http2.frame(http2.SETTINGS, 0, 0),
    "PRIORITY": http2.frame(http2.PRIORITY, 0, 1, bytes(5)),
    "WINDOW_UPDATE": http2.frame(http2.WINDOW_UPDATE, 0, 0, bytes([0, 0, 0, 1])),
}


def address(number):
    """A loopback address for each stranger; every other one comes from where clients do."""
    return "127.0.0.1" if number % 2 else f"127.1.{number // 200}.{number % 200 + 1}"


class Arrivals:
    """How far each stranger of a kind got: its attack took place, or its last handshake was cut."""

    def __init__(self, kinds):
        self.kinds, self.missing, self.cut = kinds, set(range(len(kinds))), set()
        self.complete = asyncio.Event()

    def note(self, number):
        self.missing.discard(number)
        if not self.missing:
            self.complete.set()

    def told(self):
        came = Counter(kind for i, kind in enumerate(self.kinds) if i not in self.missing)
        counts = {kind: [came[kind], count] for kind, count in Counter(self.kinds).items()}
        told = {"strangers": len(self.kinds), "came": sum(came.values()), "kinds": counts}
        return dict(told, cut=len(self.missing & self.cut))


async def forever(coming, number, arrivals):
    """Comes again and again, however often it is turned away. Whom it does not trust is a fault."""
    arrive = functools.partial(arrivals.note, number)
    while True:
        cut = False
        try:
            await coming(arrive)
        except ssl.SSLCertVerificationError:
            raise
        except CUT:
            cut = True
        except (OSError, asyncio.TimeoutError):
            pass
        (arrivals.cut.add if cut else arrivals.cut.discard)(number)
        await asyncio.sleep(RETURN_S * random.uniform(0.5, 1.5))


async def for_seconds(seconds, comings):
    """Lets all of them come for so long, from when each has attacked once, or had time enough to.

    Each has a kind, and calls what it is given once its attack takes place.
    """
    arrivals = Arrivals([kind for kind, _ in comings])
    tasks = [
        asyncio.ensure_future(forever(coming, number, arrivals))
        for number, (_, coming) in enumerate(comings)
    ]
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(arrivals.complete.wait(), ARRIVE_S)
    print("ready", flush=True)
    await asyncio.wait(tasks, timeout=seconds)
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    faults = [repr(end) for end in ended if not isinstance(end, asyncio.CancelledError)]
    return {**arrivals.told(), "faults": faults[:3]}


async def half_open(port, number, arrive, begin=CLIENT_HELLO, tls=None):
    """Begins a handshake, or says so much after one, and goes no further."""
    options = {"local_addr": (address(number), 0)}
    if tls:
        options.update(ssl=tls, server_hostname="localhost", ssl_handshake_timeout=10)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, **options)
    try:
        writer.write(begin)
        await writer.drain()
        arrive()
        await reader.read()
    finally:
        writer.transport.abort()


async def watch(port, number, arrive, tls=None):
    """Asks for a watch, answers all that keeps the connection open, and stays."""
    connection = await http2.Connection.open(port, tls, address(number))
    try:
        connection.ask(WATCH)
        arrive()
        await connection.until_closed()
    finally:
        connection.close()


async def besiege(port, authority, count, seconds):
    """Strangers at the gateway: every other one is stuck in its handshake, the rest watch."""
    tls = http2.trust(authority)

    def come(number):
        if number % 4 < 2:
            return "half-open", lambda arrive: half_open(port, number, arrive)
        return "watching", lambda arrive: watch(port, number, arrive, tls)

    return await for_seconds(seconds, [come(number) for number in range(count)])


async def watch_operations(port, count, seconds):
    def come(number):
        return "watching", lambda arrive: watch(port, number, arrive)

    return await for_seconds(seconds, [come(number) for number in range(count)])


async def besiege_bridge(port, count, seconds):
    """Connections that prove nothing: they say nothing, begin a handshake, or half a frame after it."""
    tls = http2.blind_trust()
    half = {"begin": bytes(2), "tls": tls}
    kinds = [half, {"begin": b""}, half, {"begin": CLIENT_HELLO}]

    def come(number):
        how = kinds[number % len(kinds)]
        return "unproven", lambda arrive: half_open(port, number, arrive, **how)

    return await for_seconds(seconds, [come(number) for number in range(count)])


async def talk(port, authority, megabytes, indexed):
    """Calls with long paths, so many MiB of them; then so many that the peer unpacks from one byte.

    No connection says more than a stranger is read of without a rest.
    """
    tls, sent, asked = http2.trust(authority), 0, 0
    print("ready", flush=True)
    long_paths = ["/" + "://" * (PATH_BYTES // 3)] * 24
    while sent < megabytes << 20:
        sent += PATH_BYTES * await talk_once(port, tls, long_paths)
    kept = http2.field(b":path", b"/" + b"x" * PATH_BYTES, kept=True)
    indexed_paths = [kept] + [bytes([128 | http2.FIRST_INDEX])] * (8 * BATCH - 1)
    while asked < indexed:
        asked += await talk_once(port, tls, indexed_paths)
    return {"sent": sent, "indexed": asked}


async def talk_once(port, tls, paths):
    """Calls on a connection of their own; how many were answered."""
    answered = 0
    connection = await http2.Connection.open(port, tls)
    try:
        while answered < len(paths):
            batch = paths[answered : answered + BATCH]
            for path in batch:
                connection.ask(path)
            await connection.answers(len(batch))
            answered += len(batch)
    except (OSError, asyncio.IncompleteReadError):
        pass
    connection.close()
    return answered


async def say_oddly(port, authority, text):
    """One call whose path has letters that a terminal would obey; how it was answered."""
    connection = await http2.Connection.open(port, http2.trust(authority))
    connection.ask(http2.field(b":path", b"/" + text.encode()))
    print("ready", flush=True)
    answer = await asyncio.wait_for(connection.answers(1), 10)
    connection.close()
    return {"answered": len(answer)}


async def flood(port, authority, kind, seconds, connections=4):
    """Frames that cost the peer more than their sender."""
    tls, counts = http2.trust(authority), []

    async def come(arrive):
        connection = await http2.Connection.open(port, tls)
        reading = asyncio.ensure_future(connection.until_closed())
        try:
            while not reading.done():
                connection.writer.write(FLOODS[kind] * 1000)
                counts.append(1000)
                await connection.writer.drain()
                arrive()
        finally:
            reading.cancel()
            connection.close()

    told = await for_seconds(seconds, [(kind, come)] * connections)
    return dict(told, frames=sum(counts))


async def call_on_and_on(port, authority, proof, path, seconds, message="", connections=8):
    """A client's calls, as many as it gets through. The message's placeholder becomes a number."""
    tls, counts, answered = http2.trust(authority, Path(proof)), [], []
    message = bytes.fromhex(message) or http2.NO_MESSAGE

    async def come(arrive):
        connection = await http2.Connection.open(port, tls)
        try:
            while True:
                for _ in range(BATCH):
                    counts.append(1)
                    connection.ask(path, message.replace(PLACE, b"%010d" % len(counts)))
                await connection.answers(BATCH)
                answered.append(BATCH)
                arrive()
        finally:
            connection.close()

    told = await for_seconds(seconds, [("calling", come)] * connections)
    return dict(told, calls=len(counts), answered=sum(answered))


async def hold_streams(port, authority, proof, path, count, seconds):
    """A client that opens streams and never reads them."""
    tls = http2.trust(authority, Path(proof))

    async def come(arrive):
        connection = await http2.Connection.open(port, tls)
        try:
            for _ in range(count // 4):
                connection.ask(path)
            arrive()
            await connection.until_closed()
        finally:
            connection.close()

    return await for_seconds(seconds, [("holding", come)] * 4)


async def reach(files, sockets):
    """Which of these files and sockets open to this user."""
    reached = []
    for file in files:
        with contextlib.suppress(OSError):
            os.close(os.open(file, os.O_RDONLY))
            reached.append(file)
    for path in sockets:
        with socket.socket(socket.AF_UNIX) as sock:
            if sock.connect_ex(path) == 0:
                reached.append(path)
    print("ready", flush=True)
    return {"reached": reached, "user": os.getuid()}


async def run(name, arguments):
    began = time.monotonic()
    told = await globals()[name](**arguments)
    return dict(told, seconds=round(time.monotonic() - began, 1))


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    os.nice(19)  # a stranger's processor is not the gateway's
    print(json.dumps(asyncio.run(run(sys.argv[1], json.loads(sys.argv[2])))))
