"""The scripts that trade through the whole chain: they leave nothing behind, and see what is wrong."""

import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path
from types import SimpleNamespace

from official import ROOT, need_the_chain
from simulated import END_S, START_S

CHAIN = ROOT / "deploy" / "terminal" / "chain.py"


def parents():
    """Each process's parent."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            found[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            pass  # it has ended
    return found


def descendants(pid):
    found, known = {pid}, parents()
    while more := {child for child, parent in known.items() if parent in found} - found:
        found |= more
    return found - {pid}


def wait(ready, what):
    limit = time.monotonic() + START_S
    while not ready():
        if time.monotonic() > limit:
            raise AssertionError(f"not in {START_S} s: {what}")
        time.sleep(0.05)


class Script(unittest.TestCase):
    def test_it_ends_what_it_started_when_it_is_ended(self):
        need_the_chain()
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        script = subprocess.Popen([sys.executable, str(CHAIN), "1000000"], **pipes)
        self.addCleanup(script.kill)
        # Terminal, relay, bridge and gateway, and no compiler of the contract any more.
        wait(lambda: self.is_up(script.pid), "all parts of the chain")
        started = descendants(script.pid)
        self.assertGreaterEqual(len(started), 4)
        script.send_signal(signal.SIGTERM)
        self.assertEqual(script.wait(4 * END_S), 128 + signal.SIGTERM)
        self.assertEqual(started & set(parents()), set())

    def is_up(self, pid):
        """Whether the gateway has come up: it is the last part."""
        commands = [Path(f"/proc/{child}/cmdline") for child in descendants(pid)]
        return any(b"gateway.toml" in text.read_bytes() for text in commands if text.exists())


class Judge(unittest.TestCase):
    def setUp(self):
        from kills import Asked, faults

        self.asked, self.faults = Asked(), faults
        self.asked.accepted = {"a", "b"}
        self.orders = [SimpleNamespace(order_id=1, client_order_id="a", state=5)]
        self.orders += [SimpleNamespace(order_id=2, client_order_id="b", state=6)]
        self.deals = [SimpleNamespace(deal_id=7, order_id=1)]
        self.kept = [{"ticket": 7, "magic": 70}]

    def found(self):
        wrong = self.faults(self.asked, 5, self.orders, self.deals, self.kept)
        return {what for what, items in wrong.items() if items}

    def test_all_is_well(self):
        self.assertEqual(self.found(), set())

    def test_an_order_done_twice(self):
        self.kept.append({"ticket": 8, "magic": 70})
        doubled = "several deals at the terminal under one magic"
        self.assertEqual(self.found(), {doubled, "a deal that the gateway does not know"})
        self.deals.append(SimpleNamespace(deal_id=8, order_id=1))
        self.assertEqual(self.found(), {doubled, "an order with several deals"})

    def test_what_is_lost(self):
        self.deals.clear()
        lost = {"a deal that the gateway does not know", "a filled order without a deal"}
        self.assertEqual(self.found(), lost)
        self.asked.accepted.add("c")
        self.assertEqual(self.found(), {*lost, "an accepted request without an order"})

    def test_what_is_invented(self):
        self.kept.clear()
        self.assertEqual(self.found(), {"a deal that the terminal does not know"})
        self.asked.accepted, self.asked.refused = {"b"}, {"a"}
        self.assertIn("a refused request that was filled", self.found())
        self.orders[0].state = 6
        self.assertIn("a deal of no filled order", self.found())


class Lists(unittest.TestCase):
    """What a soak makes of the gateway's lists."""

    def check(self, orders, deals, never_sent=0):
        from parts import Fault, Trader
        from soak import check_orders

        trader = Trader.__new__(Trader)
        trader.types = SimpleNamespace(ORDER_STATE_FILLED=5, ORDER_STATE_EXPIRED=7)
        rows = [SimpleNamespace(order_id=n, state=s, reason=why) for n, s, why in orders]
        trader.orders = lambda: rows
        trader.deals = lambda: [SimpleNamespace(order_id=number) for number in deals]
        try:
            check_orders(trader, never_sent)
        except Fault as fault:
            return str(fault)
        return None

    def test_each_order_is_filled_or_told_as_never_sent(self):
        told = (2, 7, "EXPIRED_BEFORE_SEND")
        self.assertIsNone(self.check([(1, 5, ""), told], [1], never_sent=1))
        lacks = "an order is neither filled nor told as never sent"
        self.assertEqual(self.check([(1, 5, ""), told], [1]), lacks)
        self.assertEqual(self.check([(1, 5, ""), (2, 7, "")], [1]), lacks)
        self.assertEqual(self.check([(1, 5, ""), (2, 7, "")], [1], never_sent=1), lacks)
        unlike = "filled orders and deals are not the same"
        self.assertEqual(self.check([(1, 5, ""), told], [1, 2], never_sent=1), unlike)
        self.assertEqual(self.check([(1, 5, "")], []), unlike)
        self.assertEqual(self.check([(1, 5, "")], [1, 1]), unlike)


if __name__ == "__main__":
    unittest.main()
