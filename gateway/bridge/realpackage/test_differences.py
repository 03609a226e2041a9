"""The official package with the simulated terminal, and the stand-in alone, asked the same: what
they say has the same form, whatever the prices are."""

import tempfile
import unittest

from official import Package, TerminalTest

TICK = "m.symbol_info_tick('EURUSD').time"
ALL = "1, 2**31 - 1"
DEAL = "'action': 1, 'symbol': 'EURUSD', 'type_filling': 1"
LIMIT = "'action': 5, 'symbol': 'EURUSD', 'volume': 0.1, 'type': 2, 'price': 0.9, 'type_filling': 2"
FIRST, SECOND = (f"m.positions_get()[{i}].ticket" for i in (0, 1))
WORKING = "m.orders_get()[0].ticket"
LEVELS = "'symbol': 'EURUSD', 'sl': 0.5, 'tp': 2.0"
CALLS = f"""
m.initialize()
m.version()
m.terminal_info()
m.account_info()
m.symbols_get()[0]
m.symbols_get('EUR*')[0]
m.symbols_get('NOPE')
m.symbol_info('EURUSD')
m.symbol_info('NOPE')
m.symbol_info('')
m.symbol_info_tick('EURUSD')
m.symbol_info_tick('NOPE')
m.symbol_select('EURUSD', True)
m.symbol_select('NOPE', True)
m.copy_ticks_from('EURUSD', {TICK} - 5, 3, -1)
m.copy_ticks_from('EURUSD', {TICK} + 500, 3, -1)
m.copy_ticks_from('EURUSD', {TICK} - 5, 0, -1)
m.copy_ticks_from('NOPE', 1704672000, 3, -1)
m.copy_ticks_range('EURUSD', {TICK}, {TICK} - 5, -1)
m.copy_rates_from('EURUSD', 1, {TICK}, 3)
m.copy_rates_from('EURUSD', 99, {TICK}, 3)
m.copy_rates_from('EURUSD', 1, {TICK}, 0)
m.copy_rates_from('NOPE', 1, 1704672000, 3)
m.copy_rates_from_pos('EURUSD', 1, 0, 3)
m.copy_rates_range('EURUSD', 1, {TICK} - 300, {TICK})
m.positions_total()
m.positions_get()
m.positions_get(ticket=5)
m.positions_get(symbol='EURUSD')
m.positions_get(symbol='NOPE')
m.orders_total()
m.orders_get()
m.orders_get(ticket=5)
m.orders_get(symbol='NOPE')
m.history_orders_total({ALL})
m.history_orders_get({ALL})
m.history_orders_get(ticket=5)
m.history_orders_get(position=5)
m.history_deals_total({ALL})
m.history_deals_get({ALL})[0].profit
m.history_deals_get(ticket=5)
m.history_deals_get(position=5)
m.history_deals_get(500, 5)
m.market_book_add('NOPE')
m.market_book_get('NOPE')
m.order_calc_margin(0, 'EURUSD', 0.1, 1.1)
m.order_calc_margin(0, 'EURUSD', 0.0, 1.1)
m.order_calc_margin(0, 'EURUSD', -1.0, 1.1)
m.order_calc_margin(0, 'EURUSD', 0.1, 0.0)
m.order_calc_margin(9, 'EURUSD', 0.1, 1.1)
m.order_calc_margin(0, 'NOPE', 0.1, 1.1)
m.order_calc_profit(0, 'EURUSD', 0.1, 1.1, 1.2)
m.order_calc_profit(1, 'EURUSD', 0.1, 1.1, 1.2)
m.order_calc_profit(9, 'EURUSD', 0.1, 1.1, 1.2)
m.order_calc_profit(0, 'NOPE', 0.1, 1.1, 1.2)
m.order_check({{}})
m.order_check({{{DEAL}, 'volume': 0.1}})
m.order_check({{{DEAL}, 'volume': 0.001}})
m.order_check({{{DEAL}, 'volume': 99.0}})
m.order_send({{}})
m.order_send({{'action': 99}})
m.order_send({{'action': 1, 'symbol': 'NOPE', 'volume': 0.1, 'type_filling': 1}})
m.order_send({{{DEAL}, 'volume': 0.001}})
m.order_send({{{DEAL}, 'volume': 0.1, 'type': 2}})
m.order_send({{'action': 1, 'symbol': 'EURUSD', 'volume': 0.1, 'type_filling': 2}})
m.order_send({{{DEAL}, 'volume': 0.2, 'magic': 7, 'comment': 'a comment'}})
m.positions_get()
m.positions_get(ticket={FIRST})
m.account_info()
m.history_orders_get({ALL})
m.history_orders_get(ticket={FIRST})
m.history_orders_get(position={FIRST})
m.history_deals_get(position={FIRST})
m.history_deals_get(ticket=m.history_deals_get({ALL})[-1].ticket)
m.history_deals_get(ticket={FIRST})
m.history_deals_get({ALL}, group='EUR*')
m.order_send({{'action': 6, 'position': {FIRST}, {LEVELS}}})
m.order_send({{'action': 6, 'position': {FIRST}, {LEVELS}}})
m.order_send({{'action': 6, 'position': 5, {LEVELS}}})
m.order_send({{'action': 6, 'position': {FIRST}, 'symbol': 'EURUSD', 'sl': 2.0}})
m.order_send({{{LIMIT}, 'magic': 8}})
m.orders_get()
m.orders_get(ticket={WORKING})
m.orders_get(symbol='EURUSD')
m.order_send({{'action': 7, 'order': {WORKING}, 'price': 0.91, 'sl': 0.8}})
m.order_send({{'action': 7, 'order': 5, 'price': 0.91, 'sl': 0.8}})
m.order_send({{'action': 8, 'order': {WORKING}}})
m.order_send({{'action': 8, 'order': 5}})
m.order_send({{{LIMIT}, 'type_time': 2, 'expiration': 5}})
m.order_send({{{DEAL}, 'volume': 0.1, 'type': 1, 'position': {FIRST}}})
m.order_send({{{DEAL}, 'volume': 0.1, 'type': 1, 'position': 5}})
m.order_send({{{DEAL}, 'volume': 0.1, 'type': 1}})
m.order_send({{'action': 10, 'position': {FIRST}, 'position_by': {SECOND}}})
m.positions_get()
m.history_orders_get({ALL})
m.history_deals_get({ALL})[1:]
m.shutdown()
"""
# Fields that do not follow the price: they are held against each other by value.
KEPT = {
    "retcode", "type", "entry", "state", "reason", "type_filling", "type_time", "magic", "comment",
    "volume", "volume_initial", "volume_current", "symbol", "external_id", "sl", "tp", "name",
    "digits", "point", "trade_contract_size", "volume_step", "margin_mode", "leverage", "currency",
}  # fmt: skip
# The words of a trade server, and those of a terminal about itself, are its own.
OWN = {"OrderSendResult", "OrderCheckResult", "TerminalInfo", "AccountInfo"}


def form(value, name=None, record=None):
    """A value without what differs from run to run: its types, and the fields that are KEPT."""
    if isinstance(value, dict) and "record" in value:
        fields = value["fields"].items()
        return [value["record"], [(k, form(v, k, value["record"])) for k, v in fields]]
    if isinstance(value, dict) and "array" in value:
        names = [kind[0] if isinstance(kind, list) else kind for kind in value["dtype"]]
        return ["array", names, [[type(part).__name__ for part in row] for row in value["array"]]]
    if isinstance(value, dict):
        return [[key, form(part)] for key, part in value.items()]
    if isinstance(value, list):
        return [form(part) for part in value]
    own = name in ("comment", "name") and record in OWN
    return value if name in KEPT and not own else type(value).__name__


class Differences(TerminalTest):
    maxDiff = None

    def test_the_same_calls(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        standin = Package.standin(STANDIN_STATE=folder.name + "/state.db")
        self.addCleanup(standin.close)
        for call in CALLS.split("\n")[1:-1]:
            with self.subTest(call):
                theirs, ours = self.mt5.ask(call), standin.ask(call)
                said = [(form(o.get("value")), o.get("error"), o.get("raised")) for o in (theirs, ours)]
                self.assertEqual(*said)


if __name__ == "__main__":
    unittest.main()
