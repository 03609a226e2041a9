"""The record of what the official package takes and refuses, against the package itself. The
stand-in is held against the same record in the bridge's own tests."""

import struct
import sys
import unittest

from layout import made, records
from official import HERE, LAYOUT, OfficialTest, ScriptedTerminal

sys.path.append(str(HERE.parent / "tests"))
from official_calls import recorded, words

SINGLE = {
    "Account": [190], "TerminalInfo": [180], "SymbolInfo": [170], "Tick": [172], "Position": [123],
    "Order": [133, 143], "Deal": [153], "CheckResult": [160], "SendResult": [161],
}  # fmt: skip
LISTS = {
    "SymbolInfo": [174, 175], "Tick": [104, 105], "Rate": [106, 107, 108], "Position": [121, 122],
    "Order": [131, 132, 141, 142], "Deal": [151, 152],
}  # fmt: skip


class Willing(ScriptedTerminal):
    """Has an answer to everything."""

    def __init__(self):
        super().__init__()
        layout, one = records(LAYOUT), struct.pack("<I", 1)
        bodies = {name: made(fields)[1] for name, fields in layout.items()}
        for name, commands in SINGLE.items():
            self.answers.update(dict.fromkeys(commands, bodies[name]))
        for name, commands in LISTS.items():
            self.answers.update(dict.fromkeys(commands, one + bodies[name]))
        self.answers.update(dict.fromkeys((120, 130, 140, 150, 173, 193), struct.pack("<I", 0)))
        self.answers.update(dict.fromkeys((162, 163), struct.pack("<d", 1.5)))
        self.answers.update(dict.fromkeys((171, 191, 192), b""))
        self.answers[1] = struct.pack("<III", 500, 6231, 0)


class Arguments(OfficialTest):
    @classmethod
    def start_terminal(cls):
        return Willing()

    def test_each_recorded_call(self):
        self.assertIs(self.mt5.value("m.initialize()"), True)
        for call, wanted in recorded():
            with self.subTest(call):
                self.assertEqual(self.answer(call), wanted)

    def answer(self, call):
        outcome = self.mt5.ask(call)
        if "raised" in outcome:
            return "raises " + outcome["raised"]
        value = outcome["value"]
        value = tuple(value["tuple"]) if isinstance(value, dict) and "tuple" in value else value
        return words(value, tuple(outcome["error"]["tuple"]))


if __name__ == "__main__":
    unittest.main()
