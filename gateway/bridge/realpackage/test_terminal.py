"""The official package against the simulated terminal: each function, by value."""

import time
import unittest

from official import Package, TerminalTest

LOGIN = "login=10000001, server='MyMT5-Simulator'"
SPAN = "1, 2**31 - 1"
DEAL, PENDING, SLTP, MODIFY, REMOVE = 1, 5, 6, 7, 8
IOC, RETURN = 1, 2
DONE, PLACED = 10009, 10008
NOT_FOUND = [-4, "Terminal: Not found"]


class Calls(TerminalTest):
    def setUp(self):
        if self.mt5.value(f"m.initialize({LOGIN}, password='right')") is not True:
            self.fail(str(self.mt5.value("m.last_error()")))

    def ask(self, call):
        return self.mt5.value("m." + call)

    def refused(self, call, error, value=None):
        self.assertEqual(self.ask(call), value)
        self.assertEqual(self.mt5.value("m.last_error()"), error)

    def send(self, **request):
        return self.ask(f"order_send({request})")

    def deal(self, side=0, volume=0.1, **more):
        usual = {"action": DEAL, "symbol": "EURUSD", "type_filling": IOC, "magic": 77}
        result = self.send(**dict(usual, type=side, volume=volume, **more))
        self.assertEqual(result["retcode"], DONE, result)
        return result

    def rows(self, call):
        """A table's rows as dicts."""
        outcome = self.mt5.ask("m." + call)
        names = [name for name, _ in outcome["value"]["dtype"]]
        return [dict(zip(names, row)) for row in outcome["value"]["array"]]

    def same(self, row, **wanted):
        self.assertEqual({name: row[name] for name in wanted}, wanted)


class Logins(Calls):
    def test_right_and_wrong_passwords(self):
        failed = [-6, "Terminal: Authorization failed"]
        for wrong in ("", ", password='wrong'"):
            self.refused(f"initialize({LOGIN}{wrong})", failed, False)
            self.refused("account_info()", [-10004, "No IPC connection"])
        self.assertIs(self.ask(f"initialize({LOGIN}, password='right')"), True)
        self.assertIs(self.ask("login(10000001, 'right', 'MyMT5-Simulator')"), True)
        self.refused("login(10000001, 'wrong', 'MyMT5-Simulator')", failed, False)

    def test_by_the_terminals_path_and_without_it(self):
        for path in ("", "'C:\\\\mymt5\\\\terminal\\\\terminal64.exe'"):
            self.assertIs(self.ask("shutdown()"), True)
            self.assertIs(self.ask(f"initialize({path})"), True)
        nowhere = "C:\\\\nowhere\\\\terminal64.exe"
        self.assertIs(self.ask(f"initialize('{nowhere}')"), False)
        code, text = self.mt5.value("m.last_error()")
        self.assertEqual((code, text[:20]), (-10003, "IPC initialize faile"))

    def test_two_clients_at_a_time(self):
        second, third = (Package.official(self.python) for _ in range(2))
        self.addCleanup(third.close)
        self.addCleanup(second.close)
        self.assertIs(second.value("m.initialize()"), True)
        login = second.value("m.account_info().login")
        self.assertEqual(login, self.ask("account_info().login"))
        third.begin("m.initialize()")
        time.sleep(5)
        self.assertIsNone(third.answer(0), "a third client was served")
        second.value("m.shutdown()")
        self.assertIs(third.answer()["value"], True)


class Facts(Calls):
    def test_terminal_and_account(self):
        self.assertEqual(self.ask("version()")[:2], [500, self.ask("terminal_info().build")])
        terminal, account = self.ask("terminal_info()"), self.ask("account_info()")
        self.same(terminal, connected=True, trade_allowed=True, tradeapi_disabled=False)
        self.assertEqual(terminal["path"], "C:\\mymt5\\terminal")
        self.same(
            account, login=10000001, server="MyMT5-Simulator", trade_mode=0, leverage=100,
            currency="USD", currency_digits=2, margin_mode=2, trade_allowed=True, trade_expert=True,
        )  # fmt: skip
        self.assertEqual(account["equity"], account["balance"] + account["profit"])

    def test_symbols(self):
        names = self.mt5.value("[row.name for row in m.symbols_get()]")
        self.assertEqual((len(names), "EURUSD" in names), (self.ask("symbols_total()"), True))
        for group in ("EUR*", "*,!EUR*", "NOPE"):
            found = self.mt5.value(f"[row.name for row in m.symbols_get('{group}')]")
            wanted = {"EUR*": [n for n in names if n[:3] == "EUR"], "NOPE": []}
            self.assertEqual(found, wanted.get(group, [n for n in names if n[:3] != "EUR"]))
        symbol = self.ask("symbol_info('EURUSD')")
        self.same(
            symbol, name="EURUSD", digits=5, point=1e-5, trade_tick_size=1e-5, select=True,
            trade_contract_size=100000.0, volume_step=0.01, currency_base="EUR",
            currency_profit="USD", currency_margin="EUR", trade_mode=4,
        )  # fmt: skip
        self.assertIs(self.ask("symbol_select('EURUSD', True)"), True)
        for call, value in (("info", None), ("info_tick", None), ("select", False)):
            self.refused(f"symbol_{call}('NOPE')", NOT_FOUND, value)

    def test_no_market_depth(self):
        for call in ("add", "release"):
            self.assertIs(self.ask(f"market_book_{call}('EURUSD')"), False)
        self.assertIsNone(self.ask("market_book_get('EURUSD')"))


class Prices(Calls):
    def test_ticks(self):
        now = self.ask("symbol_info_tick('EURUSD').time")
        ticks = self.rows(f"copy_ticks_from('EURUSD', {now - 10}, 1000, m.COPY_TICKS_ALL)")
        newest = self.ask("symbol_info_tick('EURUSD')")
        later = self.rows(f"copy_ticks_from('EURUSD', {now - 10}, 10000, m.COPY_TICKS_ALL)")
        self.assertEqual(later[: len(ticks)], ticks)
        prices = [(tick["time_msc"], tick["bid"], tick["ask"]) for tick in later]
        self.assertIn((newest["time_msc"], newest["bid"], newest["ask"]), prices)
        self.assertEqual([t["time"] for t in ticks], [t["time_msc"] // 1000 for t in ticks])
        self.assertEqual(sorted(ticks, key=lambda tick: tick["time_msc"]), ticks)
        self.assertGreaterEqual(ticks[0]["time"], now - 10)
        few = self.rows(f"copy_ticks_from('EURUSD', {now - 10}, 3, m.COPY_TICKS_ALL)")
        self.assertEqual(few, ticks[:3])
        part = self.rows(f"copy_ticks_range('EURUSD', {now - 10}, {now - 5}, m.COPY_TICKS_ALL)")
        wanted = [tick for tick in ticks if tick["time_msc"] <= (now - 5) * 1000]
        self.assertEqual(part, wanted)

    def test_bars(self):
        now = self.ask("symbol_info_tick('EURUSD').time")
        bars = self.rows("copy_rates_from_pos('EURUSD', m.TIMEFRAME_M1, 1, 3)")
        opens = [bar["time"] for bar in bars]
        self.assertEqual((len(bars), opens), (3, [opens[0] + 60 * i for i in range(3)]))
        for bar in bars:
            self.assertTrue(bar["low"] <= min(bar["open"], bar["close"]))
            self.assertTrue(bar["high"] >= max(bar["open"], bar["close"]))
        for call in (f"from('EURUSD', 1, {opens[-1] + 59}, 3)", f"range('EURUSD', 1, {opens[0]}, {opens[-1]})"):
            with self.subTest(call):
                self.assertEqual(self.rows("copy_rates_" + call), bars)
        last = opens[-1]
        ticks = self.rows(f"copy_ticks_range('EURUSD', {last}, {last + 60}, m.COPY_TICKS_ALL)")
        bids = [tick["bid"] for tick in ticks if tick["time"] < last + 60]
        made = (bids[0], max(bids), min(bids), bids[-1], len(bids))
        bar = bars[-1]
        self.assertEqual((bar["open"], bar["high"], bar["low"], bar["close"], bar["tick_volume"]), made)
        self.assertLess(last, now)
        for call in ("from_pos('NOPE', 1, 0, 3)", "from('NOPE', 1, 5, 3)", "range('NOPE', 1, 5, 9)"):
            self.assertIsNone(self.ask("copy_rates_" + call))

    def test_money(self):
        self.assertEqual(self.ask("order_calc_margin(0, 'EURUSD', 0.1, 1.1)"), 110.0)
        self.assertEqual(self.ask("order_calc_profit(0, 'EURUSD', 0.1, 1.1, 1.2)"), 1000.0)
        self.assertEqual(self.ask("order_calc_profit(1, 'EURUSD', 0.1, 1.1, 1.2)"), -1000.0)
        self.refused("order_calc_margin(0, 'NOPE', 0.1, 1.1)", NOT_FOUND)


class Trades(Calls):
    def test_a_positions_life(self):
        before = self.ask("account_info().balance")
        asked = {"action": DEAL, "symbol": "EURUSD", "volume": 0.2, "type": 0, "type_filling": IOC}
        checked = self.ask(f"order_check({asked})")
        self.same(checked, retcode=0, balance=before)
        result = self.deal(0, 0.2, comment="a strategy")
        self.same(result, volume=0.2, price=result["ask"], retcode_external=0)
        self.assertEqual(result["request"]["comment"], "a strategy")
        ticket = result["order"]
        (position,) = self.ask(f"positions_get(ticket={ticket})")
        self.same(
            position, ticket=ticket, identifier=ticket, type=0, magic=77, reason=3, volume=0.2,
            price_open=result["price"], sl=0.0, tp=0.0, symbol="EURUSD", comment="a strategy",
        )  # fmt: skip
        gain = "order_calc_profit(0, 'EURUSD', 0.2, {price_open}, {price_current})"
        self.assertAlmostEqual(self.ask(gain.format(**position)), position["profit"], 2)
        for call in ("symbol='EURUSD'", "group='EUR*'", ""):
            self.assertIn(ticket, self.mt5.value(f"[p.ticket for p in m.positions_get({call})]"))
        levels = {"position": ticket, "symbol": "EURUSD", "sl": 0.5, "tp": 2.0}
        self.assertEqual(self.send(action=SLTP, **levels)["retcode"], DONE)
        (position,) = self.ask(f"positions_get(ticket={ticket})")
        self.same(position, sl=0.5, tp=2.0)
        closed = self.deal(1, 0.2, position=ticket)
        self.assertEqual(self.ask(f"positions_get(ticket={ticket})"), [])
        deals = self.ask(f"history_deals_get(position={ticket})")
        told = [(d["ticket"], d["order"], d["entry"], d["type"], d["price"]) for d in deals]
        wanted = [
            (result["deal"], ticket, 0, 0, result["price"]),
            (closed["deal"], closed["order"], 1, 1, closed["price"]),
        ]
        self.assertEqual(told, wanted)
        after = self.ask("account_info().balance")
        self.assertAlmostEqual(after - before, sum(d["profit"] + d["commission"] for d in deals), 2)
        (found,) = self.ask(f"history_deals_get(ticket={closed['deal']})")
        self.assertEqual(found, deals[1])
        (order,) = self.ask(f"history_orders_get(ticket={ticket})")
        self.same(order, ticket=ticket, state=4, position_id=ticket, volume_initial=0.2, magic=77)
        both = self.mt5.value(f"[o.ticket for o in m.history_orders_get(position={ticket})]")
        self.assertEqual(both, [ticket, closed["order"]])
        for kind in ("orders", "deals"):
            rows = self.ask(f"history_{kind}_get({SPAN})")
            self.assertEqual(len(rows), self.ask(f"history_{kind}_total({SPAN})"))
        self.assertEqual(self.ask("history_deals_get(1, 5)"), [])

    def test_a_pending_orders_life(self):
        limit = {"action": PENDING, "symbol": "EURUSD", "volume": 0.1, "type": 2, "price": 0.9,
                 "type_filling": RETURN, "magic": 78}  # fmt: skip
        placed = self.send(**limit)
        self.assertIn(placed["retcode"], (DONE, PLACED))
        ticket = placed["order"]
        (order,) = self.ask(f"orders_get(ticket={ticket})")
        self.same(
            order, ticket=ticket, type=2, state=1, magic=78, price_open=0.9, sl=0.0, tp=0.0,
            volume_initial=0.1, volume_current=0.1, symbol="EURUSD", type_filling=RETURN,
            price_current=order["price_current"], price_stoplimit=0.0, position_id=0,
        )  # fmt: skip
        self.assertEqual(self.ask("orders_total()"), len(self.ask("orders_get()")))
        self.assertEqual(self.send(action=MODIFY, order=ticket, price=0.91, sl=0.8)["retcode"], DONE)
        (order,) = self.ask("orders_get(symbol='EURUSD')")
        self.same(order, ticket=ticket, price_open=0.91, sl=0.8)
        self.assertEqual(self.send(action=REMOVE, order=ticket)["retcode"], DONE)
        self.assertEqual(self.ask(f"orders_get(ticket={ticket})"), [])
        (order,) = self.ask(f"history_orders_get(ticket={ticket})")
        self.same(order, state=2, price_open=0.91, volume_current=0.1)

    def test_refusals(self):
        usual = {"action": DEAL, "symbol": "EURUSD", "volume": 0.1, "type_filling": IOC}
        for retcode, other in (
            (10013, {"symbol": "NOPE"}), (10013, {"action": 99}), (10014, {"volume": 0.001}),
            (10019, {"volume": 99.0}), (10016, {"sl": 2.0}), (10030, {"type_filling": RETURN}),
            (10036, {"type": 1, "position": 5}),
        ):  # fmt: skip
            with self.subTest(other):
                self.same(self.send(**dict(usual, **other)), retcode=retcode, deal=0, order=0)
                self.assertEqual(self.ask(f"order_check({dict(usual, **other)})")["retcode"], retcode)
        invalid = [-2, 'Invalid "volume" argument']
        self.refused(f"order_send({dict(usual, volume=1)})", invalid)


class Faults(Calls):
    BUY = "order_send({'action': 1, 'symbol': 'EURUSD', 'volume': 0.1, 'type_filling': 1})"

    def test_an_answer_of_another_length_and_none_at_all(self):
        lost = [-10002, "IPC recv failed"]
        self.temper("other-length=account_info")
        self.refused("account_info()", lost)
        self.assertEqual(self.ask("orders_total()"), 0)
        self.temper("close-mid-answer=account_info")
        self.refused("account_info()", lost)
        # What it says from then on is a matter of when the pipe is closed: if a call meets that as
        # it sends, each further one does, and none says that the connection is gone.
        gone = [-10001, "IPC send failed"], lost, [-10004, "No IPC connection"]
        for _ in range(10):
            self.assertIsNone(self.ask("orders_total()"))
            self.assertIn(self.mt5.value("m.last_error()"), gone)
        self.assertIs(self.ask("initialize()"), True)
        self.assertEqual(self.ask("orders_total()"), 0)

    def test_a_call_waits_for_its_answer(self):
        """Without an end: only initialize and login have a time limit."""
        self.temper("hang=order_send")
        waiting = Package.official(self.python)
        self.addCleanup(waiting.close)
        self.assertIs(waiting.value("m.initialize(timeout=1000)"), True)
        waiting.begin("m." + self.BUY)
        self.assertIsNone(waiting.answer(5))

    def test_a_terminal_without_its_broker(self):
        self.temper("not-connected")
        self.assertIs(self.ask("initialize()"), True)
        self.assertIs(self.ask("terminal_info().connected"), False)
        self.assertEqual(self.ask(self.BUY)["retcode"], 10031)

    def test_a_wrong_password_that_is_acknowledged(self):
        self.temper("wrong-password-acknowledged")
        self.assertIs(self.ask(f"initialize({LOGIN}, password='wrong')"), True)
        self.assertIs(self.ask("terminal_info().connected"), False)

    def test_algo_trading_off(self):
        self.temper("algo-trading-off")
        self.assertIs(self.ask("terminal_info().trade_allowed"), False)
        self.assertEqual(self.ask(self.BUY)["retcode"], 10027)


if __name__ == "__main__":
    unittest.main()
