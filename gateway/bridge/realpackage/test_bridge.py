"""The bridge on the official package: a gateway's end of the wire, the bridge in its Windows
Python, the package, its pipe, the simulated terminal."""

import sys
import unittest

from official import HERE, TerminalTest, windows
from simulated import START_S, Lines, port_of
from windows_python import ORIGIN, ended

sys.path.append(str(HERE.parent / "tests"))
from support import BRIDGE, SECRET, Gateway

LOGIN = {"login": 10000001, "password": "right", "server": "MyMT5-Simulator"}
BUY = {"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0, "type_filling": 1, "magic": 7}


class Bridge(TerminalTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.bridge = cls.python.start(
            windows(BRIDGE), "--plain", "--listen", "127.0.0.1:0", "--terminal-path",
            ORIGIN + "\\terminal64.exe", BRIDGE_SECRET=SECRET,
        )  # fmt: skip
        cls.addClassCleanup(ended(cls.bridge).__exit__)
        lines = Lines(cls.bridge.stderr)
        ready = lines.next(START_S) or ""
        if "listening on " not in ready or "MetaTrader5 5.0.6231" not in ready:
            raise AssertionError(f"the bridge does not start: {ready} {lines.next(1)}")
        cls.port = port_of(ready)

    def setUp(self):
        self.peer = Gateway(("127.0.0.1", self.port))
        self.addCleanup(self.peer.close)
        answer = self.peer.login(**LOGIN)
        self.assertEqual(answer["ok"]["account"]["login"], LOGIN["login"], answer)

    def order(self, key, request, **more):
        answer = self.peer.order(key, request, **more)
        self.assertIn("ok", answer)
        self.assertEqual(answer["ok"]["retcode"], 10009)
        return answer["ok"]

    def test_a_wrong_password(self):
        answer = self.peer.login(**dict(LOGIN, password="wrong"))
        self.assertEqual(answer, {"none": [-6, "Terminal: Authorization failed"]})

    def test_orders(self):
        bought = self.order("buy", BUY, check=True)
        (deal,) = bought["deals"]
        self.assertEqual((deal["ticket"], deal["order"]), (bought["deal"], bought["order"]))
        self.assertEqual((deal["price"], deal["magic"]), (bought["price"], 7))
        close = dict(BUY, type=1, position=bought["order"])
        del close["volume"]
        closed = self.order("close", close, take=["volume"])
        self.assertEqual((closed["volume_sent"], closed["deals"][0]["entry"]), (0.1, 1))
        span = {"from": 0, "to": 2**31 - 1}
        rows = self.peer.call("history_deals", span)["ok"]["rows"]
        self.assertEqual([row["order"] for row in rows[-2:]], [bought["order"], closed["order"]])
        self.assertEqual(self.peer.order("buy", BUY)["ok"]["deal"], bought["deal"])

    def test_reads(self):
        (symbol,) = self.peer.call("symbols", {"names": ["EURUSD"]})["ok"]
        self.assertEqual((symbol["name"], symbol["digits"]), ("EURUSD", 5))
        side = {"action": 0, "symbol": "EURUSD", "volume": 0.1}
        self.assertEqual(self.peer.call("margin", dict(side, price=1.1)), {"ok": 110.0})
        newest = self.peer.call("state")["ok"]
        bars = {"symbol": "EURUSD", "timeframe": 1, "from": 2**31 - 1, "count": 3}
        self.assertEqual(len(self.peer.call("bars", bars)["ok"]), 3)
        self.assertEqual(newest["account"]["server"], LOGIN["server"])

    def test_ticks_and_rows_are_pushed(self):
        watch = {"symbols": {"EURUSD": None}, "poll_ms": 20, "rows_ms": 50, "deals_from": 1}
        self.assertEqual(self.peer.call("watch", watch), {"ok": {}})
        rows = [row for _ in range(3) for row in self.peer.push("ticks")["rows"]]
        self.assertEqual([row[0] for row in rows], sorted(row[0] for row in rows))
        self.assertEqual(self.peer.push("rows")["account"]["login"], LOGIN["login"])


if __name__ == "__main__":
    unittest.main()
