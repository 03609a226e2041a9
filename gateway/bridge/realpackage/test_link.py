"""How the gateway bears a terminal that loses its broker, its account or its time."""

import unittest

from tempers import MARKET_DATA, SILENCE, TemperTest

NO_SERVER = "no connection with the trade server"


class Link(TemperTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.chain.until_trading()

    def test_not_connected(self):
        self.temper("not-connected")
        self.closed(NO_SERVER)
        self.chain.terminal.tell("clear")
        self.recovers()

    def test_connecting(self):
        self.temper("connecting=5")
        self.closed(NO_SERVER)
        self.recovers()

    def test_restart(self):
        self.temper("restart=4")
        self.closed("(-1000")  # which code of that family is a matter of the moment
        self.recovers()

    def test_another_account(self):
        self.temper("other-account=10000002")
        self.closed("its number is not MT5_LOGIN")
        self.chain.terminal.tell("clear")
        self.recovers()

    def test_answers_that_cannot_be_read(self):
        for name in ("other-length=account_info", "close-mid-answer=account_info"):
            with self.subTest(name):
                self.temper(name)
                self.closed("(-1000")
                self.chain.terminal.tell("clear")
                self.recovers()

    def test_algo_trading_off(self):
        self.temper("algo-trading-off")
        status = self.told("DEGRADED", "Algo Trading is off in the terminal (10027)")
        self.assertIn("10027", status["trade_obstacle"])
        self.assertEqual(self.chain.submit(), "TRADE_NOT_ALLOWED")
        self.assertTrue(self.chain.serves(MARKET_DATA))
        self.chain.terminal.tell("clear")
        self.recovers()

    def test_a_slow_terminal(self):
        self.temper("slow=positions_get:1700")
        # The package keeps the interpreter during a call, so that no answer says how long it runs.
        self.told("DEGRADED", "takes long over its calls")
        self.chain.terminal.tell("clear")
        self.recovers()

    def test_a_hanging_terminal(self):
        self.temper("hang=positions_get")
        self.closed(SILENCE, "DEGRADED")
        # The session is given up for another one, which finds the bridge as silent.
        self.closed("", "BACKING_OFF CONNECTING")
        self.chain.release()
        self.recovers()


if __name__ == "__main__":
    unittest.main()
