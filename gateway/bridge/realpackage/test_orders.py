"""What becomes of orders while a terminal loses, delays or hides what was done."""

import secrets
import unittest

from tempers import SILENCE, WITHIN_S, TemperTest


class Orders(TemperTest):
    @classmethod
    def setUpClass(cls):
        """Has an order lost on its way to the terminal. That nothing came of it takes half a minute
        to be known, in which other tests run."""
        super().setUpClass()
        test = cls("recovers")
        test.recovers()
        cls.chain.terminal.tell("set lost=order_send")
        cls.lost = cls.chain.submit("XAUUSD").order_id
        test.told("DEGRADED", SILENCE)
        cls.chain.release()
        test.recovers()

    def filled(self, order):
        """Waits until an order is filled, and no state before said that it was not."""

        def ended():
            state = self.chain.state(self.chain.order(order.order_id))
            self.assertIn(state, ("SENT", "PARTIALLY_FILLED", "UNKNOWN", "FILLED"))
            return state == "FILLED"

        self.until(ended, "FILLED")
        order = self.chain.order(order.order_id)
        self.assertEqual(order.filled_lots, order.lots)
        return order

    def round_trip(self, temper):
        """Buys and closes: two deals, whatever the lists show meanwhile."""
        before = self.deals()
        self.temper(temper)
        bought = self.filled(self.chain.submit())
        ask = self.chain.client.proto.ClosePositionRequest(
            request_id=secrets.token_hex(8), position_id=bought.position_id
        )
        self.filled(self.chain.client.service.ClosePosition(ask, timeout=WITHIN_S).order)
        self.chain.terminal.tell("clear")
        self.until(lambda: self.deals() == before + 2, "two deals more")

    def test_lists_that_lack_what_was_done(self):
        for temper in ("history-late=3000", "rows-late=2000", "orders-purged", "deals-by-order"):
            with self.subTest(temper):
                self.round_trip(temper)

    def test_answers_that_are_lost(self):
        for temper in ("close-mid-answer=order_send", "other-length=order_send"):
            with self.subTest(temper):
                before = self.deals()
                self.temper(temper)
                order = self.chain.submit()
                self.chain.terminal.tell("clear")
                self.recovers()
                self.filled(order)
                self.assertEqual(self.deals(), before + 3)

    def test_answers_that_never_come(self):
        for temper in ("hang=order_send", "late=order_send:5000"):
            with self.subTest(temper):
                before = self.deals()
                self.temper(temper)
                order = self.chain.submit("GBPUSD")
                self.closed(SILENCE, "DEGRADED")
                self.chain.release()
                self.recovers()
                self.filled(order)
                self.assertEqual(self.deals(), before + 3)

    def test_a_slow_send(self):
        self.temper("slow=order_send:3000")
        order = self.chain.submit()
        self.told("DEGRADED", SILENCE)
        self.filled(order)
        self.chain.terminal.tell("clear")
        self.recovers()

    def test_what_was_lost_is_told_unknown_and_then_not_done(self):
        states = {self.chain.state(self.chain.order(self.lost))}
        if "UNKNOWN" in states:
            status = self.chain.status()
            self.assertEqual((status["unknown_orders"], status["frozen_symbols"]), (1, ["XAUUSD"]))
            self.assertEqual(self.chain.submit("XAUUSD"), "SYMBOL_FROZEN")
        self.until(lambda: self.chain.state(self.chain.order(self.lost)) == "REJECTED", "REJECTED")
        self.until(lambda: not self.chain.status()["frozen_symbols"], "thawed")
        self.filled(self.chain.submit("XAUUSD"))


if __name__ == "__main__":
    unittest.main()
