"""The chain's parts, each a process that can be killed and started again: gateway, bridge on the
official package, its pipe's relay, simulated terminal."""

import os
import random
import secrets
import signal
import socket
import sys
import time
from pathlib import Path

from simulated import Relay, Terminal, terminal_binary, windows
from windows_bridge import BRIDGE, Bridge, terminal_path
from windows_python import FOLDER, Fault, install

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "deploy" / "bench"))
import bridge as bench

LOGIN, SERVER, PASSWORD = "10000001", "MyMT5-Simulator", secrets.token_hex()
SYMBOLS = ["EURUSD", "GBPUSD", "USDJPY", "XAUUSD"]
LINES = 40  # of a log's end
PORTS = 20000, 32768  # below those that Linux gives to connections
PAGE = 1000  # rows of a list
PARTS = ["gateway", "bridge", "relay", "terminal"]


def gateway_binary():
    named = os.environ.get("MYMT5_GATEWAY")
    built = [ROOT / "target" / kind / "mymt5-gateway" for kind in ("release", "debug")]
    places = [Path(named)] if named else built
    return next((place for place in places if place.exists()), None)


def lasting_port():
    """A free port that no connection gets by chance while what listened there is gone."""
    while True:
        port = random.randrange(*PORTS)
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)):
                return port


class NeverSent(bench.Failure):
    """The gateway told of an order that it waited too long to be sent, and never was."""


class Trader(bench.MyMT5Trader):
    """Waits for the end of an order that the gateway cannot tell yet when it answers."""

    def filled(self, order):
        underway = (self.types.ORDER_STATE_SENT, self.types.ORDER_STATE_PARTIALLY_FILLED)
        end = time.monotonic() + bench.PATIENCE_S
        while order.state in underway and time.monotonic() < end:
            time.sleep(0.01)
            ask = self.proto.GetOrderRequest(order_id=order.order_id)
            order = self.service.GetOrder(ask, timeout=bench.PATIENCE_S).order
        if self.was_never_sent(order):
            raise NeverSent(str(order))
        return super().filled(order)

    def was_never_sent(self, order):
        expired = order.state == self.types.ORDER_STATE_EXPIRED
        return expired and order.reason == "EXPIRED_BEFORE_SEND"

    def orders(self):
        return self._all(self.service.ListOrders, self.proto.ListOrdersRequest, "orders")

    def deals(self):
        return self._all(self.service.ListDeals, self.proto.ListDealsRequest, "deals")

    def _all(self, call, request, name):
        rows, token = [], ""
        while True:
            page = call(request(page_size=PAGE, page_token=token), timeout=bench.PATIENCE_S)
            rows += getattr(page, name)
            token = page.next_page_token
            if not token:
                return rows


class Chain(bench.Stage):
    """All parts, in a temporary folder. All of it ends with the chain."""

    def __init__(self, *options, script=BRIDGE, relay=(), more="", password=PASSWORD):
        """The terminal's options beside account and symbols, the bridge's script, the relay's; more
        lines of the gateway's configuration, and the password that it is given."""
        super().__init__()
        self.binaries = gateway_binary(), terminal_binary()
        if not all(self.binaries):
            raise Fault("build first: cargo build -p mymt5-gateway -p mymt5-simulated-terminal")
        account = [f"--login={LOGIN}", f"--server={SERVER}", f"--password={PASSWORD}"]
        self._options = [*account, "--symbols=" + ",".join(SYMBOLS), *options]
        self._script, self._relay_options = script, relay
        self.python, self._secret = install(FOLDER), secrets.token_hex()
        self._more, self._password = more, password
        self.parts = {}

    def __enter__(self):
        super().__enter__()
        try:
            bench.compile_contract(self.folder)
            bench.make_certificates(self, self.binaries[0])
            self.path = self.enter_context(terminal_path(self.python))
            for part in reversed(PARTS):
                self.start_part(part)
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def trader(self):
        return Trader(self, self.api)

    def until_trading(self):
        self.until(self.trader().may_trade, "gateway that takes orders")

    def give_password(self, password):
        """Writes the file that the gateway reads the account's password from."""
        fresh = self.folder / "password.new"
        fresh.touch(0o600)
        fresh.write_text(password)
        fresh.rename(self.folder / "password")

    def start_part(self, part):
        """Starts a part; the relay's end with its terminal, and so it starts with that."""
        getattr(self, "_start_" + part)()

    def kill(self, part):
        """Kills a part at once, and waits until it is gone."""
        process = self.process(part)
        process.kill()
        process.wait()

    def restart(self, part):
        """Starts a killed part again, and the relay that has ended with its terminal."""
        if part == "terminal":
            self.process("relay").wait(bench.PATIENCE_S)
            self.start_part("terminal")
            return self.start_part("relay")
        if part == "relay":
            # Under Wine a killed process's connections can outlive it, and keep the terminal's two places.
            self.parts["terminal"].tell("set restart=0")
        return self.start_part(part)

    def hurry(self):
        """Has the gateway try the broker at once, however long it would pause by now."""
        self.process("gateway").send_signal(signal.SIGHUP)

    def process(self, part):
        return self.children[part] if part == "gateway" else self.parts[part].process

    def rss_mib(self, part):
        """The memory of a part's process."""
        pages = int(Path(f"/proc/{self.process(part).pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def logs(self):
        """The ends of the logs, without the calls that the gateway has answered."""
        file = self.folder / "gateway.log"
        lines = file.read_text(errors="replace").splitlines() if file.exists() else []
        gateway = [line for line in lines if " audit: call " not in line]
        bridge = self.parts["bridge"].log.rest() if "bridge" in self.parts else []
        return "\n".join(["-- gateway", *gateway[-LINES:], "-- bridge", *bridge[-LINES:]])

    def _start_terminal(self):
        options = [option.format(folder=self.folder) for option in self._options]
        self.parts["terminal"] = Terminal(self.binaries[1], *options)
        self.callback(self.parts["terminal"].close)

    def _start_relay(self):
        port = self.parts["terminal"].port
        self.parts["relay"] = Relay(self.python, port, self.path, *self._relay_options)
        self.callback(self.parts["relay"].close)

    def _start_bridge(self):
        port = self.parts["bridge"].port if "bridge" in self.parts else lasting_port()
        files = bench.bridge_files(self).items()
        link = [f"--tls-{name}={windows(file)}" for name, file in files]
        given = self.path, self._secret, port, self._script, link
        self.parts["bridge"] = Bridge(self.python, *given)
        self.callback(self.parts["bridge"].close)

    def _start_gateway(self):
        if "gateway" not in self.children:
            self._configure()
        account = {"MT5_LOGIN": LOGIN, "MT5_SERVER": SERVER}
        account["MT5_PASSWORD_FILE"] = str(self.folder / "password")
        words = [str(self.binaries[0]), "run", "--config", "gateway.toml"]
        self.start("gateway", words, BRIDGE_SECRET=self._secret, **account)
        self.until_listening(self.api)

    def _configure(self):
        self.api = lasting_port()
        symbols = ", ".join(f'{name} = "{name}"' for name in SYMBOLS)
        ports = {"api": self.api, "operations": lasting_port()}
        ports["bridge"] = self.parts["bridge"].port
        text = bench.CONFIGURATION.format(symbols=symbols, hop=bench.MyMT5.hop, **ports)
        (self.folder / "gateway.toml").write_text(text + self._more)
        self.give_password(self._password)
