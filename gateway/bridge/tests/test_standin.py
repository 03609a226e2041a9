"""The stand-in's trade server: one row per return code, positions, triggers, faults. The market
is EURUSD at 1.10000 / 1.10010; the answers are those of the house's simulator."""

import importlib
import os
import sys
import time
import unittest
from unittest import mock

from support import STANDIN, BridgeTest, until

MONDAY = 1_704_672_000_000


class Desk(BridgeTest):
    def setUp(self):
        super().setUp()
        self.ms = MONDAY
        self.state.set(feed="manual", password_sha256="")
        self.tick()
        self.load()

    def load(self):
        """Imports the stand-in again over the same state."""
        for name in [n for n in sys.modules if n.split(".")[0] == "MetaTrader5"]:
            del sys.modules[name]
        sys.path.insert(0, STANDIN)
        self.addCleanup(sys.path.remove, STANDIN)
        with mock.patch.dict(os.environ, STANDIN_STATE=self.state.path):
            self.mt5 = importlib.import_module("MetaTrader5")
            self.assertTrue(self.mt5.initialize())
        store = sys.modules["MetaTrader5._link"].here.store
        self.addCleanup(store.db.close)

    def tick(self, bid=1.10000, ask=None):
        self.ms += 1
        self.state.tick(self.ms, bid, ask or round(bid + 0.0001, 5))

    def symbol(self, name="EURUSD", **fields):
        import json

        query = "INSERT OR REPLACE INTO symbols VALUES (?, ?)"
        self.state.db.execute(query, (name, json.dumps(fields)))

    def request(self, side=0, volume=1.0, **more):
        request = {"action": 1, "symbol": "EURUSD", "type": side, "volume": volume,
                   "type_filling": 1, "magic": 77}  # fmt: skip
        return dict(request, **more)

    def deal(self, *args, **more):
        return self.mt5.order_send(self.request(*args, **more))

    def pending(self, kind, price, **more):
        request = {"action": 5, "symbol": "EURUSD", "type": kind, "volume": 1.0, "price": price,
                   "type_filling": 2, "magic": 77}  # fmt: skip
        return self.mt5.order_send(dict(request, **more))

    def deals(self):
        return self.mt5.history_deals_get(1, 2**31 - 1)


class Retcodes(Desk):
    def test_requests_on_a_fresh_account(self):
        day = MONDAY // 1000
        rows = [
            (10009, self.deal, {"sl": 1.0999, "tp": 1.1001}),
            (10009, self.deal, {"side": 1, "sl": 1.1002, "tp": 1.1000}),
            (10008, self.pending, {"kind": 2, "price": 1.1}),
            (10008, self.pending, {"kind": 5, "price": 1.0999}),
            (10008, self.pending, {"kind": 6, "price": 1.101, "stoplimit": 1.1005}),
            (10008, self.pending, {"kind": 2, "price": 1.09, "type_time": 2, "expiration": day + 1}),
            (10013, self.deal, {"symbol": "NOPE"}),
            (10013, self.pending, {"kind": 0, "price": 1.09}),
            (10013, self.pending, {"kind": 6, "price": 1.101}),
            (10014, self.deal, {"volume": 0.0}),
            (10014, self.deal, {"volume": 0.015}),
            (10014, self.deal, {"volume": 100.01}),
            (10015, self.pending, {"kind": 2, "price": 1.10001}),
            (10015, self.pending, {"kind": 3, "price": 1.10009}),
            (10015, self.pending, {"kind": 4, "price": 1.10019}),
            (10015, self.pending, {"kind": 5, "price": 1.1005}),
            (10015, self.pending, {"kind": 2, "price": -1.0}),
            (10015, self.pending, {"kind": 6, "price": 1.101, "stoplimit": 1.10095}),
            (10016, self.deal, {"sl": 1.09991}),
            (10016, self.deal, {"tp": 1.10009}),
            (10016, self.deal, {"side": 1, "sl": 1.09}),
            (10016, self.pending, {"kind": 2, "price": 1.09, "sl": 1.08995}),
            (10019, self.deal, {"volume": 95.0}),
            (10021, self.deal, {"symbol": "GBPUSD"}),
            (10022, self.pending, {"kind": 2, "price": 1.09, "type_time": 2, "expiration": day}),
            (10022, self.pending, {"kind": 2, "price": 1.09, "type_time": 3, "expiration": day - 1}),
            (10030, self.deal, {"type_filling": 0}),
            (10030, self.deal, {"type_filling": 2}),
            (10035, self.mt5.order_send, {"action": 8, "order": 5}),
            (10036, self.deal, {"side": 1, "position": 5}),
            (10036, self.mt5.order_send, {"action": 6, "position": 5}),
        ]
        for code, send, arguments in rows:
            with self.subTest(code=code, arguments=arguments):
                self.state.db.execute("DELETE FROM orders")
                self.state.db.execute("DELETE FROM positions")
                self.assertEqual(send(**arguments).retcode, code)

    def test_conditions_of_symbol_and_account(self):
        for code, fields, arguments in (
            (10017, {"trade_mode": 0}, {}), (10018, {"closed": True}, {}),
            (10042, {"trade_mode": 1}, {"side": 1}), (10009, {"trade_mode": 1}, {}),
            (10043, {"trade_mode": 2}, {}), (10044, {"trade_mode": 3}, {"side": 1}),
            (10034, {"volume_limit": 1.5}, {"volume": 1.6}),
            (10030, {"trade_exemode": 1, "filling_mode": 2}, {"price": 1.1001}),
            (10015, {"trade_exemode": 1, "filling_mode": 1}, {"type_filling": 0}),
            (10004, {"trade_exemode": 1, "filling_mode": 1}, {"type_filling": 0, "price": 1.1, "deviation": 5}),
            (10009, {"trade_exemode": 1, "filling_mode": 1}, {"type_filling": 0, "price": 1.1, "deviation": 10}),
            (10009, {"trade_exemode": 3, "filling_mode": 0}, {"type_filling": 2}),
        ):  # fmt: skip
            with self.subTest(code=code, fields=fields):
                self.state.db.execute("DELETE FROM positions")
                self.symbol(**fields)
                self.assertEqual(self.deal(**arguments).retcode, code)
        self.symbol()
        for code, setting in (
            (10026, {"account_trade_expert": 0}), (10027, {"terminal_trade_allowed": 0}),
            (10018, {"market_open": 0}), (10040, {"limit_positions": 0}),
        ):  # fmt: skip
            before = {k: self.state.one("SELECT value FROM settings WHERE key = ?", k) for k in setting}
            self.state.db.execute("DELETE FROM positions")
            self.state.set(**setting)
            self.assertEqual(self.deal().retcode, code)
            self.state.set(**before)
        self.state.set(limit_orders=1)
        self.assertEqual(self.pending(2, 1.09).retcode, 10008)
        self.assertEqual(self.pending(2, 1.09).retcode, 10033)

    def test_closing(self):
        position = self.deal().order
        for code, side, volume in ((10013, 0, 1.0), (10038, 1, 1.01), (10014, 1, 0.405),
                                   (10009, 1, 0.4), (10009, 1, 0.6), (10036, 1, 0.6)):  # fmt: skip
            self.assertEqual(self.deal(side, volume, position=position).retcode, code)
        self.assertEqual(self.mt5.positions_get(), ())
        self.assertEqual([d.profit for d in self.deals()], [100000.0, 0.0, -4.0, -6.0])
        self.assertEqual(self.mt5.account_info().balance, 99990.0)

    def test_levels_replace_both(self):
        position = self.deal().order
        for code, sl, tp in ((10025, 0.0, 0.0), (10016, 1.1, 0.0), (10009, 1.099, 1.102),
                             (10025, 1.099, 1.102), (10009, 0.0, 1.102)):  # fmt: skip
            request = {"action": 6, "position": position, "sl": sl, "tp": tp}
            self.assertEqual(self.mt5.order_send(request).retcode, code)
        self.assertEqual(self.mt5.positions_get()[0].sl, 0.0)

    def test_modify_and_remove(self):
        order = self.pending(2, 1.09).order

        def modify(price, **more):
            request = {"action": 7, "order": order, "price": price}
            return self.mt5.order_send(dict(request, **more)).retcode

        self.assertEqual(modify(1.09), 10025)
        self.assertEqual(modify(1.10005), 10015)
        self.assertEqual(modify(1.091, sl=1.092), 10016)
        self.assertEqual(modify(1.091), 10009)
        remove = {"action": 8, "order": order}
        self.assertEqual(self.mt5.order_send(remove).retcode, 10009)
        self.assertEqual(self.mt5.order_send(remove).retcode, 10023)
        self.assertEqual(self.mt5.history_orders_get(ticket=order)[0].state, 2)

    def test_dates_that_the_real_package_does_not_read(self):
        for fault, date in ((AssertionError, 0), (SystemError, 2**31)):
            for function, *args in (
                (self.mt5.history_deals_total, date, 5),
                (self.mt5.history_orders_get, 1, date),
                (self.mt5.copy_ticks_from, "EURUSD", date, 1, -1),
                (self.mt5.copy_rates_from, "EURUSD", 1, date, 1),
            ):
                self.assertRaises(fault, function, *args)

    def test_check_executes_nothing(self):
        request = {"action": 1, "symbol": "EURUSD", "type": 0, "volume": 1.0, "type_filling": 1}
        for _ in range(2):
            checked = self.mt5.order_check(request)
            after = (checked.retcode, checked.margin, checked.profit, checked.equity)
            self.assertEqual(after, (0, 1100.1, -10.0, 99990.0))
        self.assertEqual(self.mt5.account_info().margin, 0.0)
        self.assertEqual(self.mt5.order_check(dict(request, volume=95.0)).retcode, 10019)
        self.assertEqual(self.mt5.positions_total(), 0)
        wholes = [{name: 1} for name in ("volume", "price", "stoplimit", "sl", "tp")]
        self.assertEqual(self.mt5.order_check(dict(request, evil=1)).retcode, 0)  # it minds no others
        for bad in ({"magic": 1.0}, {"volume": "1"}, {"symbol": "S" * 30}, *wholes, "x"):
            self.assertIsNone(self.mt5.order_send(bad if bad == "x" else dict(request, **bad)))
            self.assertEqual(self.mt5.last_error()[0], -2)


class Positions(Desk):
    def test_netting_reverses(self):
        self.state.set(margin_mode=0)
        first = self.deal(0, 1.0).order
        self.assertEqual(self.deal(0, 1.0).retcode, 10009)
        turned = self.deal(1, 3.0).order
        (position,) = self.mt5.positions_get()
        row = (position.ticket, position.identifier, position.type, position.volume)
        self.assertEqual(row, (turned, first, 1, 1.0))
        self.assertEqual([d.entry for d in self.deals()][1:], [0, 0, 2])
        self.assertEqual({d.position_id for d in self.deals()[1:]}, {first})

    def test_a_close_of_more_than_there_is_reverses_a_netting_position(self):
        self.state.set(margin_mode=0)
        first = self.deal(0, 1.0).order
        turned = self.deal(1, 1.5, position=first)
        self.assertEqual((turned.retcode, turned.volume), (10009, 1.5))
        (position,) = self.mt5.positions_get()
        row = (position.ticket, position.identifier, position.type, position.volume)
        self.assertEqual(row, (turned.order, first, 1, 0.5))
        last = self.deals()[-1]
        self.assertEqual((last.entry, last.volume, last.position_id), (2, 1.5, first))
        self.assertEqual(self.mt5.order_check(self.request(0, 0.7, position=turned.order)).retcode, 0)

    def test_hedging_keeps_both_and_closes_by(self):
        buy, sell = self.deal(0, 1.0).order, self.deal(1, 0.4).order
        self.assertEqual(self.mt5.positions_total(), 2)
        self.assertEqual(self.mt5.account_info().margin, 1100.1)
        request = {"action": 10, "position": buy, "position_by": sell}
        self.assertEqual(self.mt5.order_send(request).retcode, 10009)
        (left,) = self.mt5.positions_get()
        self.assertEqual((left.ticket, left.volume), (buy, 0.6))
        self.assertEqual([d.entry for d in self.deals()][-2:], [3, 3])
        self.assertEqual(sum(d.profit for d in self.deals()), 100000.0 - 4.0)

    def test_levels_and_pending_orders_trigger_in_a_later_process(self):
        self.deal(0, 1.0, sl=1.0990, tp=1.1020)
        limit, stop = self.pending(2, 1.0985).order, self.pending(4, 1.1030).order
        for bid in (1.0995, 1.0989, 1.0984, 1.0999):
            self.tick(bid)
        self.load()
        (position,) = self.mt5.positions_get()
        self.assertEqual((position.ticket, position.price_open), (limit, 1.0985))
        hit = [d for d in self.deals() if d.reason == self.mt5.DEAL_REASON_SL]
        self.assertEqual([(d.price, d.profit, d.comment) for d in hit], [(1.0989, -120.0, "[sl 1.09900]")])
        self.assertEqual([o.ticket for o in self.mt5.orders_get()], [stop])
        self.tick(1.1035)
        self.assertEqual({p.ticket for p in self.mt5.positions_get()}, {limit, stop})

    def test_a_tick_right_after_the_order_counts(self):
        self.deal(0, 1.0, sl=1.0990)
        self.tick(1.0980)
        self.assertEqual(self.mt5.positions_get(), ())

    def test_the_greatest_loser_is_stopped_out(self):
        self.state.db.execute("UPDATE deals SET profit = 2500")
        small, great = self.deal(0, 0.5).order, self.deal(0, 1.5).order
        self.tick(1.0910)
        self.assertEqual([p.ticket for p in self.mt5.positions_get()], [small])
        (out,) = [d for d in self.deals() if d.reason == self.mt5.DEAL_REASON_SO]
        self.assertEqual((out.position_id, out.entry, out.volume), (great, 1, 1.5))

    def test_fill_or_kill_takes_no_part(self):
        self.symbol(filling_mode=1)
        self.state.fault("order_send", "partial")
        self.assertEqual(self.deal(type_filling=0).retcode, 10006)
        self.assertEqual(self.mt5.positions_get(), ())

    def test_orders_expire(self):
        order = self.pending(2, 1.09, type_time=2, expiration=MONDAY // 1000 + 5).order
        self.ms += 6000
        self.tick()
        self.assertEqual(self.mt5.orders_get(), ())
        self.assertEqual(self.mt5.history_orders_get(ticket=order)[0].state, 6)

    def test_suffix_and_long_comment(self):
        self.state.set(suffix=".m")
        self.state.tick(self.ms, 1.1, 1.1001, "EURUSD.m")
        self.assertEqual(self.deal(symbol="EURUSD").retcode, 10013)
        self.assertIsNone(self.deal(symbol="EURUSD.m", comment="c" * 30))
        self.assertIsNone(self.deal(symbol="EURUSD.m", comment="\U0001f600" * 15))
        self.assertEqual(self.mt5.last_error(), (-2, 'Invalid "comment" argument'))
        self.assertEqual(self.deal(symbol="EURUSD.m", comment="c" * 29).retcode, 10009)
        self.assertEqual(self.mt5.positions_get()[0].comment, "c" * 29)


class Faults(Desk):
    def test_sends(self):
        for kind, args, retcode, executed in (
            ("timeout_before", {}, None, 0), ("timeout_after", {}, None, 1),
            ("none:-10002", {}, None, 0), ("retcode:10012", {}, 10012, 0),
            ("requote", {}, 10004, 0), ("partial", {"fraction": 0.3}, 10010, 1),
            ("zero_result", {}, 10009, 1),
        ):  # fmt: skip
            with self.subTest(kind):
                self.state.fault("order_send", kind, **args)
                result, before = self.deal(), self.state.sends(executed=1)
                self.assertEqual(result and result.retcode, retcode)
                row = "SELECT executed FROM sends ORDER BY seq DESC LIMIT 1"
                self.assertEqual(self.state.one(row), executed)
                self.assertEqual(before, self.state.sends(executed=1))
                if kind == "partial":
                    self.assertEqual(result.volume, 0.3)
                if kind == "zero_result":
                    self.assertEqual((result.deal, result.price, result.volume), (0, 0.0, 0.0))
        self.assertEqual(self.state.faults_left(), 0)

    def test_late_history(self):
        self.state.fault("order_send", "late_history", ms=3600000)
        deal = self.deal().deal
        self.assertEqual(self.mt5.history_deals_total(1, 2**31 - 1), 1)
        self.assertEqual(self.mt5.positions_total(), 1)
        self.state.db.execute("UPDATE deals SET visible_at = 0")
        self.assertEqual(len(self.mt5.history_deals_get(ticket=deal)), 1)

    def test_a_send_is_done_after_it_timed_out(self):
        self.state.fault("order_send", "late", ms=3600000)
        self.assertIsNone(self.deal())
        self.assertEqual(self.mt5.last_error()[0], -10005)
        self.assertEqual((self.mt5.positions_total(), self.state.sends(executed=1)), (0, 0))
        self.state.db.execute("UPDATE held SET due_ms = 0")
        self.load()
        for _ in range(2):
            self.assertEqual(self.mt5.positions_total(), 1)
        self.assertEqual((self.state.sends(), self.state.sends(executed=1)), (1, 1))

    def test_lies_and_disconnects(self):
        self.state.fault("account_info", "wrong_account", login=5)
        self.state.fault("account_info", "real_account")
        infos = [self.mt5.account_info() for _ in range(3)]
        self.assertEqual([i.login for i in infos], [5, 10000001, 10000001])
        self.assertEqual([i.trade_mode for i in infos], [0, 2, 0])
        self.state.fault("terminal_info", "disconnect", ms=3600000)
        self.assertFalse(self.mt5.terminal_info().connected)
        self.state.set(disconnected_until=0)
        self.assertTrue(self.mt5.terminal_info().connected)


class Calls(Desk):
    def count(self, name):
        return self.state.one("SELECT coalesce(sum(count), 0) FROM calls WHERE name = ?", name)

    def test_what_others_write_counts_at_the_next_call(self):
        for i in range(3):
            self.state.set(build=5000 + i)
            self.assertEqual(self.mt5.version()[1], 5000 + i)
            self.symbol(trade_stops_level=i)
            self.assertEqual(self.mt5.symbol_info("EURUSD").trade_stops_level, i)
            self.tick(1.1 + i / 1000)
            self.assertEqual(self.mt5.symbol_info_tick("EURUSD").bid, 1.1 + i / 1000)
            self.state.fault("symbols_total", "none:-10002")
            self.assertEqual([self.mt5.symbols_total() is None for _ in range(2)], [True, False])

    def test_each_call_is_counted_whatever_becomes_of_it(self):
        self.assertIsNone(self.mt5.symbol_info("NOPE"))
        self.assertRaises(AssertionError, self.mt5.copy_ticks_from, "EURUSD", 0, 1, -1)
        self.assertIsNone(self.mt5.order_send({"volume": 1}))
        self.mt5.shutdown()
        self.assertIsNone(self.deal())
        counts = [self.count(name) for name in ("symbol_info", "copy_ticks_from", "order_send")]
        self.assertEqual(counts, [1, 1, 2])
        self.assertEqual((self.state.sends(), self.state.sends(executed=1)), (2, 0))


class Lag(Desk):
    """What is shown lags behind what is so. The dice are the test's: 0 is now, 1 as late as may be."""

    LAG_MS = 60000

    def setUp(self):
        super().setUp()
        self.state.set(lag_ms=self.LAG_MS)
        self.addCleanup(self.mt5.shutdown)
        self.dice(1.0)
        self.shown()  # a moment before all else

    def dice(self, *throws):
        """The next throws; the last one for ever."""
        throws = list(throws)
        dice = mock.Mock(random=lambda: throws.pop(0) if throws[1:] else throws[0])
        patch = mock.patch.object(sys.modules["MetaTrader5._lag"], "random", dice)
        patch.start()
        self.addCleanup(patch.stop)

    def shown(self):
        """How many positions, orders, orders past and deals (with the deposit's) are shown."""
        mt5, span = self.mt5, (1, 2**31 - 1)
        totals = (mt5.positions_total(), mt5.orders_total())
        rows = (len(mt5.positions_get()), len(mt5.orders_get()))
        self.assertEqual(totals, rows)
        past = (mt5.history_orders_get, mt5.history_orders_total)
        deals = (mt5.history_deals_get, mt5.history_deals_total)
        for get, total in (past, deals):
            rows += (len(get(*span)),)
            self.assertEqual(rows[-1], total(*span))
        return rows

    def test_sends_act_on_what_is_so(self):
        order = self.deal().order
        self.pending(2, 1.09)
        self.assertEqual(self.shown(), (0, 0, 0, 1))
        for rows in (self.mt5.positions_get, self.mt5.history_orders_get, self.mt5.history_deals_get):
            self.assertEqual(rows(ticket=order), ())
        self.assertEqual(self.mt5.account_info().margin, 0.0)
        self.assertEqual(self.deal(1, position=order).retcode, 10009)
        self.dice(0.0)
        self.assertEqual(self.shown(), (0, 1, 2, 3))
        self.assertEqual(self.mt5.account_info().balance, 99990.0)

    def test_each_kind_has_a_moment_of_its_own(self):
        self.deal()
        for throws, wanted in (((0.0, 1.0, 1.0), (1, 0, 1)), ((1.0, 1.0, 0.0), (1, 0, 2))):
            self.dice(*throws)
            positions, span = self.mt5.positions_total(), (1, 2**31 - 1)
            orders = self.mt5.history_orders_total(*span)
            deals = self.mt5.history_deals_total(*span)
            self.assertEqual((positions, orders, deals), wanted)

    def test_what_was_shown_stays(self):
        self.deal()
        self.dice(0.0)
        self.assertEqual(self.shown(), (1, 0, 1, 2))
        self.dice(1.0)
        self.assertEqual(self.shown(), (1, 0, 1, 2))

    def test_what_others_write_lags_too(self):
        order = self.deal().order
        self.dice(0.0, 1.0)
        self.assertEqual(self.mt5.positions_total(), 1)
        self.state.db.execute("DELETE FROM positions")
        self.assertEqual(self.mt5.positions_get()[0].ticket, order)
        self.dice(0.0)
        self.assertEqual(self.mt5.positions_get(), ())

    def test_no_longer_than_that(self):
        self.state.set(lag_ms=800)
        began = time.monotonic()
        self.deal()
        self.assertEqual(self.mt5.positions_total(), 0)
        until(lambda: self.mt5.positions_total() == 1)
        self.assertGreater(time.monotonic() - began, 0.7)
        self.assertEqual(self.shown(), (1, 0, 1, 2))

    def test_the_environment_says_so_too(self):
        self.state.set(lag_ms=0)
        with mock.patch.dict(os.environ, MYMT5_STANDIN_LAG_MS=str(self.LAG_MS)):
            self.deal()
            self.assertEqual(self.shown(), (0, 0, 0, 1))
        self.assertEqual(self.shown(), (1, 0, 1, 2))


if __name__ == "__main__":
    unittest.main()
