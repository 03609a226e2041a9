"""Each field of each record that the simulated terminal writes is where the official package looks
for it: a scripted terminal answers with records in which no two fields are alike."""

import struct
import unittest

from layout import made, pack, records
from official import LAYOUT, OfficialTest, ScriptedTerminal

SPAN, NOT_FOUND = "1, 2**31 - 1", -4
SINGLE = {
    "Account": (190, "m.account_info()"),
    "TerminalInfo": (180, "m.terminal_info()"),
    "SymbolInfo": (170, "m.symbol_info('EURUSD')"),
    "Tick": (172, "m.symbol_info_tick('EURUSD')"),
}
LISTS = {
    "SymbolInfo": [(174, "m.symbols_get()"), (175, "m.symbols_get('*USD*')"), (175, "m.symbols_get(group='*')")],
    "Position": [
        (121, "m.positions_get()"), (122, "m.positions_get(symbol='EURUSD')"),
        (121, "m.positions_get(group='*')"),
    ],
    "Order": [
        (131, "m.orders_get()"), (132, "m.orders_get(symbol='EURUSD')"),
        (131, "m.orders_get(group='*')"),
        (141, f"m.history_orders_get({SPAN})"), (142, "m.history_orders_get(position=5)"),
    ],
    "Deal": [
        (151, f"m.history_deals_get({SPAN})"), (152, "m.history_deals_get(position=5)"),
    ],
}  # fmt: skip
BY_TICKET = [
    ("Position", 123, "m.positions_get(ticket=5)"), ("Order", 133, "m.orders_get(ticket=5)"),
    ("Order", 143, "m.history_orders_get(ticket=5)"), ("Deal", 153, "m.history_deals_get(ticket=5)"),
]  # fmt: skip
ARRAYS = {
    "Tick": [
        (104, "m.copy_ticks_from('EURUSD', 1, 9, -1)"), (105, f"m.copy_ticks_range('EURUSD', {SPAN}, -1)"),
    ],
    "Rate": [
        (106, "m.copy_rates_from('EURUSD', 1, 1, 9)"), (107, f"m.copy_rates_range('EURUSD', 1, {SPAN})"),
        (108, "m.copy_rates_from_pos('EURUSD', 1, 0, 9)"),
    ],
}  # fmt: skip
REQUEST = {
    "action": 1, "magic": 2**53 - 1, "order": 11, "symbol": "EURUSD", "volume": 0.25, "price": 1.5,
    "stoplimit": 1.25, "sl": 1.125, "tp": 1.75, "deviation": 12, "type": 1, "type_filling": 2,
    "type_time": 3, "expiration": 1704672000, "comment": "é comment", "position": 13,
    "position_by": 14,
}  # fmt: skip


def named(values):
    """As the package names them."""
    return {"type" if name == "kind" else name: value for name, value in values.items()}


class Records(OfficialTest):
    maxDiff = None

    @classmethod
    def start_terminal(cls):
        cls.layout = records(LAYOUT)
        return ScriptedTerminal()

    def setUp(self):
        self.assertIs(self.mt5.value("m.initialize()"), True)

    def answer(self, command, name, count=None):
        """Has a command answered with one such record, or with a list of some."""
        fields = self.layout[name]
        rows = [made(fields, 1 + 100 * i) for i in range(1 if count is None else count)]
        head = b"" if count is None else struct.pack("<I", count)
        self.terminal.answers[command] = head + b"".join(body for _, body in rows)
        values = [named(values) for values, _ in rows]
        return values[0] if count is None else values

    def same(self, rows, wanted):
        """Compares rows of records: those fields that differ."""
        self.assertEqual(len(rows), len(wanted))
        for row, right in zip(rows, wanted):
            differ = {name: (row[name], right.get(name)) for name in row if row[name] != right.get(name)}
            self.assertEqual((differ, set(right) - set(row)), ({}, set()))

    def test_single_records(self):
        for name, (command, call) in SINGLE.items():
            with self.subTest(call):
                wanted = self.answer(command, name)
                self.same([self.mt5.value(call)], [wanted])

    def test_lists(self):
        for name, calls in LISTS.items():
            for command, call in calls:
                for count in (0, 1, 3):
                    with self.subTest(call, count=count):
                        wanted = self.answer(command, name, count)
                        self.same(self.mt5.value(call), wanted)

    def test_rows_by_ticket_are_one_or_none(self):
        for name, command, call in BY_TICKET:
            with self.subTest(call):
                wanted = self.answer(command, name)
                self.same(self.mt5.value(call), [wanted])
                self.terminal.answers[command] = NOT_FOUND
                nothing = {"value": {"tuple": []}, "error": {"tuple": [1, "Success"]}}
                self.assertEqual(self.mt5.ask(call), nothing)

    def test_arrays(self):
        for name, calls in ARRAYS.items():
            for command, call in calls:
                for count in (0, 1, 3):
                    with self.subTest(call, count=count):
                        wanted = self.answer(command, name, count)
                        value = self.mt5.ask(call)["value"]
                        names = [field for field, _ in value["dtype"]]
                        rows = [dict(zip(names, row)) for row in value["array"]]
                        self.same(rows, wanted)

    def test_many(self):
        """More than the pipe's buffers hold."""
        for name, command, call in (
            ("Deal", 151, f"m.history_deals_get({SPAN})"),
            ("Tick", 104, "m.copy_ticks_from('EURUSD', 1, 9, -1)"),
        ):
            with self.subTest(call):
                body = made(self.layout[name])[1]
                self.terminal.answers[command] = struct.pack("<I", 20000) + 20000 * body
                self.assertEqual(self.mt5.value(f"len({call})"), 20000)

    def test_totals(self):
        for command, call in (
            (120, "positions_total()"), (130, "orders_total()"), (173, "symbols_total()"),
            (140, f"history_orders_total({SPAN})"), (150, f"history_deals_total({SPAN})"),
        ):  # fmt: skip
            with self.subTest(call):
                self.terminal.answers[command] = struct.pack("<I", 70000 + command)
                self.assertEqual(self.mt5.value("m." + call), 70000 + command)

    def test_requests_and_results(self):
        fields = self.layout["Request"]
        sent = b"".join(pack(kind, REQUEST[named({name: 0}).popitem()[0]]) for name, kind in fields)
        for command, call, name in ((160, "order_check", "CheckResult"), (161, "order_send", "SendResult")):
            with self.subTest(call):
                wanted = self.answer(command, name)
                value = self.mt5.value(f"m.{call}({REQUEST})")
                self.assertEqual(self.terminal.asked[-1], (command, sent))
                self.same([value], [dict(wanted, request=REQUEST)])


if __name__ == "__main__":
    unittest.main()
