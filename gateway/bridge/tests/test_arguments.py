"""The stand-in takes and refuses arguments as the official package does."""

import unittest

from official_calls import answer, recorded
from test_standin import Desk


class Arguments(Desk):
    def test_each_recorded_call(self):
        for call, wanted in recorded():
            with self.subTest(call):
                self.assertEqual(answer(self.mt5, call), wanted)

    def test_groups(self):
        for kind, name in ((2, "EURUSD"), (2, "GBPUSD")):
            self.state.tick(self.ms, 1.1, 1.1001, name)
            self.assertEqual(self.pending(kind, 1.0, symbol=name).retcode, 10008)
        for group, wanted in (
            ("*", "EURUSD GBPUSD"), ("*USD*", "EURUSD GBPUSD"), ("EUR*", "EURUSD"), ("eur*", ""),
            ("!EUR*", ""), ("*,!EUR*", "GBPUSD"), ("!EUR*, *USD", "GBPUSD"), ("", ""),
            ("E?RUSD", ""), ("EURUSD,GBPUSD", "EURUSD GBPUSD"),
        ):  # fmt: skip
            with self.subTest(group):
                found = [order.symbol for order in self.mt5.orders_get(group=group)]
                self.assertEqual(" ".join(found), wanted)


if __name__ == "__main__":
    unittest.main()
