"""Pushes: every tick exactly once, over restarts, ties and bursts; rows; back-pressure."""

import random
import signal
import sys
import unittest

from support import STANDIN, BridgeTest, until

WATCH = {"symbols": {}, "poll_ms": 3, "rows_ms": 100000, "deals_from": 0}


class Watching(BridgeTest):
    def watch(self, gateway, **more):
        self.assertEqual(gateway.call("watch", dict(WATCH, **more)), {"ok": {}})


class Ticks(Watching):
    def test_every_tick_once_over_restarts(self):
        """A manual feed with ties, some of which arrive only after the bridge saw their like."""
        self.state.set(feed="manual")
        dice, ms, written, seen, at = random.Random(5), 1_704_672_000_000, 0, [], None
        self.state.tick(ms, 1.0)
        for round_ in range(6):
            bridge = self.start()
            gateway = self.gateway(bridge)
            self.watch(gateway, symbols={"EURUSD": at})
            for _ in range(5):
                for _ in range(40):
                    ms += dice.choice((0, 0, 0, 1, 30, 400))
                    written += 1
                    self.state.tick(ms, 1.0 + written / 1e5)
                while at is None or round(seen[-1] * 1e5 - 1e5) < written:
                    push = gateway.push("ticks")
                    seen += [row[1] for row in push["rows"]]
                    at = push["at"]
            bridge.end(signal.SIGKILL if round_ % 2 else signal.SIGTERM)
        first = round(seen[0] * 1e5 - 1e5)
        numbers = [round(bid * 1e5 - 1e5) for bid in seen]
        self.assertEqual(numbers, list(range(first, written + 1)))

    def test_the_synthetic_feed_once(self):
        self.state.set(ticks_per_second=50)
        bridge, symbols, seen = self.start(), ("EURUSD", "USDJPY"), {}
        gateway = self.gateway(bridge)
        self.watch(gateway, symbols=dict.fromkeys(symbols))
        while min([len(seen.get(name, ())) for name in symbols]) < 60:
            push = gateway.push("ticks")
            seen.setdefault(push["symbol"], []).extend(push["rows"])
        sys.path.insert(0, STANDIN)
        try:
            import standin_ctl
            from MetaTrader5._store import Store
        finally:
            sys.path.remove(STANDIN)
        store = Store(self.state.path)
        self.addCleanup(store.db.close)
        for name, rows in seen.items():
            first, last = rows[0][0] // 1000, rows[-1][0] // 1000
            feed = [list(row) for row in standin_ctl.ticks(store, name, first, last + 1)]
            starts = [i for i, row in enumerate(feed) if row == rows[0]]  # ties may be alike
            self.assertIn(rows, [feed[i : i + len(rows)] for i in starts])

    def test_starts_at_the_newest(self):
        self.state.set(feed="manual")
        for i in range(3):
            self.state.tick(1_704_672_000_000 + i // 2, 1.1 + i / 1e4)
        gateway = self.gateway(self.start())
        self.watch(gateway, symbols={"EURUSD": None})
        push = gateway.push("ticks")
        self.assertEqual([row[:2] for row in push["rows"]], [[1_704_672_000_001, 1.1002]])
        self.assertEqual(push["at"], [1_704_672_000, 3])
        self.assertEqual(gateway.call("state")["ok"]["server_time"], 1_704_672_000_001)

    def test_a_symbol_without_a_quote_yet(self):
        self.state.set(feed="manual")
        gateway = self.gateway(self.start())
        self.watch(gateway, symbols={"EURUSD": None}, poll_ms=1)
        calls = "SELECT coalesce(sum(count), 0) FROM calls WHERE name = ?"
        until(lambda: self.state.one(calls, "symbol_info_tick") > 5)
        self.assertEqual(self.state.one(calls, "copy_ticks_from"), 0)
        self.state.tick(1_704_672_000_001, 1.1)
        push = gateway.push("ticks")
        self.assertEqual([row[:2] for row in push["rows"]], [[1_704_672_000_001, 1.1]])

    def test_more_in_a_second_than_fits_one_page(self):
        self.state.set(feed="manual")
        base = 1_704_672_000_000
        rows = [("EURUSD", base + i // 8, 1.0 + i / 1e5, 2.0) for i in range(5000)]
        query = "INSERT INTO ticks (symbol, time_msc, bid, ask) VALUES (?, ?, ?, ?)"
        self.state.db.executemany(query, rows)
        gateway = self.gateway(self.start())
        self.watch(gateway, symbols={"EURUSD": [base // 1000, 1]})
        bids = []
        while len(bids) < 4999:
            bids += [row[1] for row in gateway.push("ticks")["rows"]]
        self.assertEqual(bids, [row[2] for row in rows[1:]])
        self.watch(gateway, symbols={"EURUSD": None})
        self.assertEqual(gateway.push("ticks")["rows"][0][1], rows[-1][2])

    def test_nobody_reads(self):
        """Ticks stay in the terminal while the gateway takes nothing, and none is lost."""
        self.state.set(feed="manual")
        base, number = 1_704_672_000_000, 20000
        self.state.tick(base, 1.0)
        gateway = self.gateway(self.start(), buffer=4096)
        self.watch(gateway, symbols={"EURUSD": [base // 1000, 0]}, poll_ms=1, rows_ms=1)

        def calls():
            return self.state.one("SELECT coalesce(max(count), 0) FROM calls WHERE name = 'orders_get'")

        def stalled():
            before = calls()
            try:
                until(lambda: calls() > before, 0.3)
                return False
            except AssertionError:
                return True

        until(stalled, 20, "no polls while nobody reads")
        query = "INSERT INTO ticks (symbol, time_msc, bid, ask) VALUES ('EURUSD', ?, ?, 2)"
        rows = [(base + i, 1.0 + i / 1e5) for i in range(1, number)]
        self.state.db.execute("BEGIN")
        self.state.db.executemany(query, rows)
        self.state.db.execute("COMMIT")
        bids = []
        while len(bids) < number:
            bids += [row[1] for row in gateway.push("ticks")["rows"]]
            gateway.pushes = []
        self.assertEqual(bids, [1.0] + [row[1] for row in rows])


class Rows(Watching):
    def test_rows(self):
        gateway = self.gateway(self.start())
        gateway.order("one")
        self.watch(gateway, rows_ms=20)
        push = gateway.push("rows")
        wanted = {"role", "push", "account", "terminal", "orders", "positions", "deals"}
        self.assertEqual(set(push), wanted)
        self.assertEqual((len(push["positions"]), len(push["deals"])), (1, 2))
        self.state.fault("positions_get", "none:-10002")
        until(lambda: gateway.push("rows").get("none", [0])[0] == -10002)
        self.state.fault("orders_get", "raise")
        until(lambda: gateway.push("rows").get("none", [0])[0] == -1)
        self.assertIn("positions", gateway.push("rows"))


class Deals(Watching):
    """The deals among the rows: all once, then the newest ones again and again."""

    def setUp(self):
        super().setUp()
        for second in (1000, 2000, 3000):
            self.deal(second)
        self.peer = self.gateway(self.start())

    def deal(self, second):
        """A deal of that second, which is its ticket too."""
        query = ("INSERT INTO deals (ticket, time, profit, commission, swap, fee, symbol)"
                 " VALUES (?, ?, 0, 0, 0, 0, '')")  # fmt: skip
        self.state.db.execute(query, (second, second))

    def pushed(self):
        return [deal["ticket"] for deal in self.peer.push("rows")["deals"]]

    def until_pushed(self, *wanted):
        until(lambda: self.pushed() == list(wanted), what=f"push of {wanted}")

    def test_only_the_newest_are_read_again(self):
        self.watch(self.peer, rows_ms=10)
        self.assertEqual(self.pushed(), [1000, 2000, 3000])
        self.assertEqual(self.pushed(), [3000])
        self.deal(3050)
        self.until_pushed(3000, 3050)
        self.deal(3061)
        self.until_pushed(3050, 3061)
        counted = self.state.one("SELECT count(*) FROM calls WHERE name = 'history_deals_total'")
        self.assertEqual(counted, 0)

    def test_some_come_late(self):
        """Those of the last minute before the newest; the others are left to the gateway."""
        self.watch(self.peer, rows_ms=10)
        self.until_pushed(3000)
        self.deal(2939)
        self.deal(2940)
        self.until_pushed(2940, 3000)

    def test_none_before_the_beginning(self):
        self.watch(self.peer, rows_ms=10, deals_from=2990)
        self.assertEqual([self.pushed() for _ in range(2)], [[3000]] * 2)
        self.deal(2989)
        self.deal(2990)
        self.until_pushed(2990, 3000)

    def test_what_was_not_pushed_is_read_again(self):
        self.state.fault("positions_get", "none:-10002")
        self.watch(self.peer, rows_ms=10)
        self.assertEqual(self.peer.push("rows")["none"][0], -10002)
        self.assertEqual(self.pushed(), [1000, 2000, 3000])

    def test_each_watch_begins_again(self):
        for _ in range(2):
            self.peer.pushes.clear()
            self.watch(self.peer, rows_ms=100000)
            self.assertEqual(self.pushed(), [1000, 2000, 3000])


if __name__ == "__main__":
    unittest.main()
