"""A session's deadlines, by a clock of our own, and how its frames go out."""

import asyncio
import importlib.util
import json
import logging
import socket
import types
import unittest

from support import BRIDGE


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose clock can be put forward."""

    ahead = 0.0

    def time(self):
        return super().time() + self.ahead


class Session(unittest.TestCase):
    def setUp(self):
        spec = importlib.util.spec_from_file_location("bridge_for_session", BRIDGE)
        self.module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.module)
        self.loop = Loop()
        self.addCleanup(self.loop.close)
        self.complaints, handler = [], logging.Handler()  # they would fill the bridge's log
        handler.emit = lambda record: self.complaints.append(record.getMessage())
        logging.getLogger("asyncio").addHandler(handler)
        self.addCleanup(logging.getLogger("asyncio").removeHandler, handler)

    def run_with(self, test):
        """Runs a test with a session whose peer's end it is given."""

        async def whole():
            ours, theirs = socket.socketpair()
            reader, writer = await asyncio.open_connection(sock=ours)
            self.peer_reader, self.peer = await asyncio.open_connection(sock=theirs)
            bridge = self.module.Bridge(types.SimpleNamespace(stop=False, build=None))
            self.session = self.module.Session(bridge, reader, writer, "session")
            self.running = asyncio.ensure_future(self.session.run())
            await asyncio.wait_for(test(), 600)  # of that clock
            self.session.end("the test is over")
            await self.running
            self.peer.close()

        self.loop.run_until_complete(whole())
        self.assertEqual(self.complaints, [])

    def write(self, frame):
        body = json.dumps(dict(frame, role="gateway")).encode()
        self.peer.write(len(body).to_bytes(4, "big") + body)

    async def read(self):
        size = int.from_bytes(await self.peer_reader.readexactly(4), "big")
        return json.loads((await self.peer_reader.readexactly(size)).decode())

    def ping(self, number):
        self.write({"id": number, "t": 0, "call": "ping", "args": {}})

    def told(self):
        return "".join(self.module.LINES.queue)

    async def until_lost(self):
        await asyncio.wait_for(asyncio.shield(self.running), 30)
        self.assertIn("session ended: connection lost: TimeoutError", self.told())

    async def ends_although_the_peer_says(self, say):
        """The peer says something each second of the clock, until the session ends: in time."""
        begun = self.loop.ahead
        while not self.session.ended and self.loop.ahead < begun + 3 * self.module.IDLE_S:
            self.loop.ahead += 1
            say()
            for _ in range(10):  # turns of the loop, within which it is heard
                await asyncio.sleep(0)
        self.assertLessEqual(self.loop.ahead - begun, self.module.IDLE_S + 1)
        await self.until_lost()

    def test_silence_ends_it_and_each_frame_prolongs_it(self):
        async def test():
            for number in range(4):
                self.loop.ahead += self.module.IDLE_S - 1
                self.ping(number)
                self.assertEqual((await self.read())["id"], number)
            self.loop.ahead += self.module.IDLE_S + 1
            await self.until_lost()

        self.run_with(test)

    def test_a_frame_that_never_ends_does_not_prolong_it(self):
        async def test():
            self.ping(1)
            await self.read()
            self.peer.write((1000).to_bytes(4, "big"))
            await self.ends_although_the_peer_says(lambda: self.peer.write(b" "))

        self.run_with(test)

    def test_a_peer_that_does_not_read_is_left_whatever_it_says(self):
        async def test():
            self.session.put({"id": 1, "ok": "x" * (self.module.OUT_LIMIT - 100)})
            while not self.session.writer.transport.get_write_buffer_size():
                await asyncio.sleep(0)
            await self.ends_although_the_peer_says(lambda: self.ping(2))

        self.run_with(test)

    def test_what_waits_goes_out_together_and_in_its_order(self):
        async def test():
            writer, sizes = self.session.writer, []
            write = writer.write
            writer.write = lambda data: (sizes.append(len(data)), write(data))
            for number in range(50):
                self.session.put({"id": number, "ok": {}})
            for number in range(50):
                self.assertEqual((await self.read())["id"], number)
            self.assertEqual(len(sizes), 1)
            self.session.put({"id": 50, "ok": "x" * 3 * self.module.PIECE})
            self.session.put({"id": 51, "ok": {}})
            for number in (50, 51):
                self.assertEqual((await self.read())["id"], number)
            self.assertLessEqual(max(sizes), self.module.PIECE)
            self.assertEqual(self.session.out, [])

        self.run_with(test)

    def test_once_ended_it_writes_no_more(self):
        async def test():
            self.ping(1)
            await self.read()
            written = []
            self.session.writer.write = written.append
            self.session.put({"id": 2, "ok": {}})
            self.session.end("over")
            await asyncio.wait_for(asyncio.shield(self.running), 30)
            self.assertEqual(written, [])

        self.run_with(test)


if __name__ == "__main__":
    unittest.main()
