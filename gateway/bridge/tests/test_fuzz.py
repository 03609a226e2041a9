"""Whatever comes over the wire, proven or not: an error, a closed connection, never a trade."""

import json
import random
import unittest

from support import BUY, TRACE, BridgeTest, Gateway

WORDS = ["order_send", "order_check", "ping", "recall", "login", "state", "watch", "symbols", "bars",
         "ticks", "history_deals", "margin", "profit", "account", "", "eval", "__class__"]  # fmt: skip
ATOMS = [None, True, False, 0, -1, 1, 2**53, 2**63, 10**30, 1e308, 0.5, "", "EURUSD", "x" * 300,
         "\x00", [], {}, [[]], {"a": {}}, float("nan"), float("inf"), "\u2028é"]  # fmt: skip


class Fuzz(BridgeTest):
    def setUp(self):
        super().setUp()
        self.bridge, self.dice = self.start(), random.Random(11)

    def value(self, depth=0):
        if depth < 3 and self.dice.random() < 0.3:
            return {self.dice.choice(WORDS + list(BUY)): self.value(depth + 1) for _ in range(3)}
        if depth < 3 and self.dice.random() < 0.1:
            return [self.value(depth + 1) for _ in range(3)]
        return self.dice.choice(ATOMS)

    def frame(self):
        """Valid JSON, near to a call, but its order_send is never right in every part."""
        send = {"key": self.value(), "wait_ms": 1000, "correlation": TRACE, "request": self.value(),
                "login": 1, "take": [], "check": False}  # fmt: skip
        args = self.dice.choice([self.value(), send])
        frame = {"role": "gateway", "id": self.dice.choice([1, 2, 3] + ATOMS), "t": 1,
                 "call": self.dice.choice(WORDS), "args": args}  # fmt: skip
        if self.dice.random() < 0.2:
            frame[self.dice.choice(list(frame))] = self.value()
        return json.dumps(frame).encode()

    def throw(self, gateway, data):
        try:
            gateway.sock.sendall(data)
            return True
        except OSError:
            return False

    def test_random_bytes_of_strangers(self):
        for _ in range(30):
            with Gateway(self.bridge.address(), prove=False) as stranger:
                size = self.dice.randrange(1, 3000)
                self.throw(stranger, bytes(self.dice.randrange(256) for _ in range(size)))
                try:
                    stranger.sock.shutdown(1)
                except OSError:
                    pass
                self.assertTrue(stranger.is_closed())
        self.alive()

    def test_random_bytes_of_a_gateway(self):
        for _ in range(30):
            gateway = self.gateway(self.bridge)
            body = bytes(self.dice.randrange(256) for _ in range(self.dice.randrange(1, 200)))
            self.throw(gateway, len(body).to_bytes(4, "big") + body)
            self.assertTrue(gateway.is_closed())
        deep = b"[" * 60000
        gateway = self.gateway(self.bridge)
        self.throw(gateway, len(deep).to_bytes(4, "big") + deep)
        self.assertTrue(gateway.is_closed())
        self.alive()

    def test_frames_that_are_almost_calls(self):
        gateway = self.gateway(self.bridge)
        for _ in range(1500):
            body = self.frame()
            if not self.throw(gateway, len(body).to_bytes(4, "big") + body):
                gateway = self.gateway(self.bridge)
        self.alive()

    def alive(self):
        """The bridge still works, and nothing was sent before."""
        gateway = self.gateway(self.bridge)
        self.assertIn("ok", gateway.call("state"))
        self.assertEqual(self.state.sends(), 0)
        self.assertIn("ok", gateway.order("right"))
        self.assertEqual(self.state.sends(), 1)
        self.assertNotIn("fault", self.bridge.log())


if __name__ == "__main__":
    unittest.main()
