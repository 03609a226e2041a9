"""An order's age by two clocks that drift apart, and after a silence."""

import asyncio
import importlib.util
import types
import unittest

from support import BRIDGE, BUY


class Skew(unittest.TestCase):
    def setUp(self):
        spec = importlib.util.spec_from_file_location("bridge_for_skew", BRIDGE)
        self.module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.module)
        self.now = self.t = 1_000_000.0
        self.module.now_ms = lambda: self.now
        self.module.log = lambda text: None
        account = {"login": 5, "margin_mode": 2}
        terminal = types.SimpleNamespace(
            account_info=lambda: types.SimpleNamespace(_asdict=lambda: account),
            order_send=lambda request: types.SimpleNamespace(_asdict=lambda: {"retcode": 10006}),
        )
        self.bridge = self.module.Bridge(self.module.Package(terminal, None, False))

        async def session():
            return self.module.Session(self.bridge, None, None, "session")

        self.session = asyncio.run(session())
        self.session.put, self.session.logged_in, self.orders = lambda frame: None, True, 0

    def pass_time(self, ms, gateways_ms):
        self.now, self.t = self.now + ms, self.t + gateways_ms

    def hear(self, call, args, late_ms=0.0):
        frame = {"id": 1, "t": self.t - late_ms, "call": call, "args": args}
        self.session._hear(self.module.Call(frame))

    def order(self, wait_ms, late_ms=0.0):
        """The answer to an order that was written that long ago."""
        self.orders += 1
        args = {"key": str(self.orders), "wait_ms": wait_ms, "request": BUY, "correlation": "-",
                "login": 5, "take": [], "check": False}  # fmt: skip
        self.hear("order_send", args, late_ms)
        call, _ = self.bridge._next(self.session)
        answer = self.bridge._perform(self.session, call)
        return next(key for key in answer if key != "id")

    def test_clocks_that_drift_make_no_order_old(self):
        for gateways_ms in (998, 999.95, 1000, 1002):
            for second in range(600):
                self.pass_time(1000, gateways_ms)
                self.hear("ping", {})
                if second % 10 == 0:
                    self.assertEqual(self.order(wait_ms=250), "ok")

    def test_what_lay_over_a_silence_is_old(self):
        for silence_ms in (2000, 60_000, 3_600_000):
            self.hear("ping", {})
            self.pass_time(silence_ms, silence_ms)
            self.hear("ping", {}, late_ms=silence_ms)
            self.assertEqual(self.order(wait_ms=1000, late_ms=silence_ms - 10), "refused")
            self.assertEqual(self.order(wait_ms=1000, late_ms=silence_ms / 2 + 600), "refused")
            self.assertEqual(self.order(wait_ms=1000), "ok")

    def test_an_order_that_is_late_among_prompt_frames_is_old(self):
        for _ in range(10):
            self.pass_time(1000, 998)
            self.hear("ping", {})
        self.assertEqual(self.order(wait_ms=1000, late_ms=1100), "refused")


if __name__ == "__main__":
    unittest.main()
