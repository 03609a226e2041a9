"""For the tests of what the gateway tells, refuses and recovers from while a terminal misbehaves: the
real gateway and bridge, the official package in its Windows Python, and the simulated terminal's
tempers."""

import json
import re
import subprocess
import time
import unittest

from official import Package, need_the_chain, parts

WITHIN_S = 60  # until a state is told: some come after 30 s, by the limits of bridge or gateway
MARKET_DATA, TRADING = "mymt5.v1.MarketDataService", "mymt5.v1.TradingService"
PASSES = "[orders]\nreconcile_pass_ms = 500\n"
SILENCE = "the bridge says nothing"


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


class TemperTest(unittest.TestCase):
    """Tests of a class share a chain, whose terminal has those tempers from its start."""

    tempers, password = (), parts.PASSWORD

    @classmethod
    def setUpClass(cls):
        need_the_chain()
        tempers = ("--temper=" + temper for temper in cls.tempers)
        cls.chain = Chain(*tempers, more=PASSES, password=cls.password)
        cls.addClassCleanup(cls.chain.close)
        cls.chain.__enter__()

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
