"""What the gateway tells, refuses and recovers from while a terminal misbehaves: the real gateway
and bridge, the official package in its Windows Python, and the simulated terminal's tempers."""

import json
import re
import secrets
import subprocess
import time
import unittest

from official import Package, need_the_chain, parts

WRONG = "a wrong password"
WITHIN_S = 60  # until a state is told: some come after 30 s, by the limits of bridge or gateway
MARKET_DATA, TRADING = "mymt5.v1.MarketDataService", "mymt5.v1.TradingService"
PASSES = "[orders]\nreconcile_pass_ms = 500\n"
SILENCE = "the bridge says nothing"
NO_SERVER = "no connection with the trade server"
NOTHING_RECEIVED = "nothing received from the terminal (-10002)"


class Chain(parts.Chain):
    """With a witness that asks the terminal beside the bridge, as its second client."""

    def __enter__(self):
        super().__enter__()
        self.terminal, self.client = self.parts["terminal"], self.trader()
        self.witness = Package.official(self.python)
        self.callback(self.witness.close)
        return self

    def ask(self, *words):
        """What a command of the gateway ends with, and what it prints."""
        command = [str(self.binaries[0]), *words]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        done = subprocess.run(command, cwd=self.folder, check=False, **pipes)
        return done.returncode, done.stdout

    def status(self):
        return json.loads(self.ask("status", "--json", "--data-folder", "data")[1])

    def serves(self, service):
        return self.ask("health", "--config", "gateway.toml", "--service", service)[0] == 0

    def release(self):
        """Ends the call that the package waits in, as a terminal does that is started again."""
        self.terminal.tell("clear")
        self.terminal.tell("set restart=0")

    def submit(self, symbol="EURUSD"):
        """An order as the gateway answers it, or the reason for which it takes none."""
        order = self.client.order()
        order.symbol = symbol
        try:
            return self.client.service.SubmitOrder(order, timeout=WITHIN_S).order
        except self.client.fault as fault:
            details = dict(fault.trailing_metadata()).get("grpc-status-details-bin", b"")
            found = re.search(rb"ErrorInfo\x12..?\n.([A-Z_]+)", details, re.DOTALL)
            return found[1].decode() if found else str(fault)

    def order(self, order_id):
        ask = self.client.proto.GetOrderRequest(order_id=order_id)
        return self.client.service.GetOrder(ask, timeout=WITHIN_S).order

    def state(self, order):
        return self.client.types.OrderState.Name(order.state).replace("ORDER_STATE_", "")


def start_chain(*tempers, **more):
    chain = Chain(*("--temper=" + temper for temper in tempers), more=PASSES, **more)
    unittest.addModuleCleanup(chain.close)
    return chain.__enter__()


def setUpModule():
    need_the_chain()
    # Its gateway waits half a minute for the trade server while the other one is tested.
    tempers = "symbols=2000", "deals=20000", "wrong-password-acknowledged"
    Logins.chain = start_chain(*tempers, password=WRONG)
    Link.chain = Orders.chain = start_chain()
    Orders.lose_one()


class TemperTest(unittest.TestCase):
    def temper(self, name):
        """Has something go wrong until it is released, or the test ends."""
        self.chain.terminal.tell("set " + name)
        self.addCleanup(self.chain.terminal.tell, "clear")

    def until(self, ask, what):
        """Waits for the first true answer."""
        end = time.monotonic() + WITHIN_S
        while not (found := ask()):
            if time.monotonic() > end:
                self.fail(f"never {what}: {self.chain.status()}\n{self.chain.logs()}")
            time.sleep(0.05)
        return found

    def told(self, link, why):
        """Waits until the status tells that state of the link, for that reason."""

        def tells():
            status = self.chain.status()
            fits = status["link"] in link.split() and why in status["link_reason"]
            return fits and status

        return self.until(tells, f"{link}: {why}")

    def closed(self, why, link="BACKING_OFF CONNECTING"):
        """The link is down for that reason: all that needs it is closed, and says so."""
        status = self.told(link, why)
        self.assertIn("LINK_DOWN", [obstacle["name"] for obstacle in status["obstacles"]])
        self.assertEqual(self.chain.submit(), "LINK_DOWN")
        for service, serves in ((TRADING, False), (MARKET_DATA, False), ("readiness", True)):
            self.assertEqual(self.chain.serves(service), serves, service)

    def recovers(self):
        """The link is up again, without a restart of anything, and orders are filled."""

        def ready():
            status = self.chain.status()
            if status["link"] == "BACKING_OFF":
                self.chain.hurry()  # after many outages it waits up to half a minute
            return status["link"] == "READY"

        self.until(ready, "READY")
        self.until(self.chain.client.may_trade, "taking orders")
        for service in (TRADING, MARKET_DATA, "readiness"):
            self.assertTrue(self.chain.serves(service), service)
        self.trades()

    def trades(self):
        self.chain.client.close(self.chain.client.buy())

    def deals(self):
        """How many deals there are, by the package without bridge and gateway."""
        found = self.chain.witness.value(f"m.initialize({self.chain.path!r})")  # a restart ends it
        self.assertIs(found, True)
        return self.chain.witness.value("m.history_deals_total(1, 2**31 - 1)")


class Link(TemperTest):
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


class Logins(TemperTest):
    """With many symbols and deals, since each is of the start as well."""

    def test_an_acknowledged_and_a_refused_one_and_then_the_right_one(self):
        self.closed("did not reach the trade server in time; check its network, MT5_SERVER and")
        self.chain.release()
        self.until(lambda: self.word("REFUSED"), "REFUSED")
        self.closed("authorization failed (-6); correct MT5_LOGIN, MT5_PASSWORD", "REFUSED")
        self.chain.give_password(parts.PASSWORD)
        self.recovers()

    def word(self, link):
        state = self.chain.status()["link"]
        if state == "BACKING_OFF":
            self.chain.hurry()
        return state == link


class Orders(TemperTest):
    @classmethod
    def lose_one(cls):
        """Has an order lost on its way to the terminal. That nothing came of it takes half a minute
        to be known, in which other tests run."""
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
