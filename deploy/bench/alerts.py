"""Times orders while the channels of the alerts are dead, hung or slow.

    cargo build --release -p mymt5-gateway
    python3 deploy/bench/alerts.py

A gateway on its simulator, over TLS with a client's certificate, tells its alerts by e-mail and
Telegram, to stand-ins on this host, in four ways:

    no notifier  no channel is configured
    dead         nobody listens where mail server and Telegram should be
    hung         both take every connection and never say a word
    slow         both take every message, each one 5 s after the gateway has connected or asked

A second turn without a notifier, the same again, shows how far ratios stray by themselves. In each
turn, without a notifier too, another client raises as many alerts as it may and changes its own
trading state four times a second, which alerts as well: what differs is the channels alone. Once
both channels are in use one caller buys and closes 0.01 lots, an order after the other; at last the
gateway's metrics and the stand-ins must show that the channels were in use and how they failed. Each
turn has a new account, each round begins with another set-up, and a ratio is the median of the
rounds' ratios to no notifier of the same round.

An order waits for the disk of the temporary folder, which says nothing of alerts: where others keep
it busy TMPDIR=/dev/shm leaves it out. Linux, Python 3.8 or newer, in the environment of bridge.py,
which the first run of either makes.
"""

import argparse
import socketserver
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from importlib import import_module
from pathlib import Path
from socket import socket
from statistics import median
from threading import Event, Thread
from urllib.request import ProxyHandler, build_opener

from bridge import (
    CACHE,
    PATIENCE_S,
    ROOT,
    WARM_UP,
    WITHOUT_BROKER,
    Failure,
    MyMT5Trader,
    connect,
    free_port,
    main,
    make_certificates,
    performing,
    tell,
    trade,
)

DIRECT = build_opener(ProxyHandler({}))  # whatever proxy the environment names
CHANNELS = ("email", "telegram")
COUNTED = ("waiting", "delivered_total")  # of each channel, by the gateway's metrics
ANSWER_S = 5  # what a slow stand-in takes
PAUSE_S = 0.25  # between two changes of the other client's trading state

CONFIGURATION = (
    WITHOUT_BROKER
    + """
[broker]
kind = "simulator"
time_zone = "new_york+7"
[broker.simulator]
mode = "hedging"
[clients.alarms]
certificate = "spiffe://mymt5/client/alarms"
permissions = ["read", "trade", "control"]
"""
)

# Repeats are folded for the shortest time: more messages wait for the channels.
NOTIFY = """
[notify]
channels = ["email", "telegram"]
repeat_s = 1
[notify.email]
host = "127.0.0.1"
port = {email}
security = "plain"
from = "gateway@example.org"
to = ["operator@example.org"]
[notify.telegram]
chat_id = "1"
address = "http://127.0.0.1:{telegram}"
"""


# -- what stands where mail server and Telegram should be


class Standin(socketserver.ThreadingTCPServer):
    """A server that counts its connections."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)
        self.connections = 0
        Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def process_request(self, request, client_address):
        self.connections += 1
        super().process_request(request, client_address)

    def handle_error(self, request, client_address):
        """The gateway may hang up: it gives up, or ends."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Hung(socketserver.StreamRequestHandler):
    def handle(self):
        self.rfile.read()  # until the gateway gives up


class SlowMail(socketserver.StreamRequestHandler):
    def say(self, line):
        self.wfile.write(line + b"\r\n")

    def handle(self):
        time.sleep(ANSWER_S)
        self.say(b"220 bench")
        is_mail = False
        for line in self.rfile:
            word = line.strip().upper()
            if is_mail and word != b".":
                continue
            is_mail = word == b"DATA"
            self.say(b"354 go on" if is_mail else b"221 bye" if word == b"QUIT" else b"250 bench")


class SlowTelegram(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(ANSWER_S)
        answer = b'{"ok":true,"result":{}}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        """Says nothing of a request."""


# -- the set-ups: each starts on a stage


class Unnotified:
    name = "no notifier"

    def __init__(self, stage, gateway):
        self.stage, self.port, self.operations = stage, free_port(), free_port()
        make_certificates(stage, gateway, "bench,alarms")
        text = CONFIGURATION.format(api=self.port, operations=self.operations) + self.notify()
        (stage.folder / "gateway.toml").write_text(text)
        words = [str(gateway), "run", "--config", "gateway.toml"]
        stage.start("gateway", words, TELEGRAM_BOT_TOKEN="1:bench")
        stage.until_listening(self.port)
        self.trader = MyMT5Trader(stage, self.port)
        stage.until(self.trader.may_trade, "gateway that takes orders")

    def notify(self):
        """What the gateway is told of its channels."""
        return ""

    def connections(self):
        return [0, 0]

    def metric(self, name):
        """The gateway's, of each channel."""
        address = f"http://127.0.0.1:{self.operations}/metrics"
        with closing(DIRECT.open(address, timeout=PATIENCE_S)) as answer:
            lines = [line.decode().rpartition(" ") for line in answer]
        named = [(head, float(value)) for head, _, value in lines if head.startswith(name + "{")]
        of = 'channel="{}"'.format
        return [sum(value for head, value in named if of(each) in head) for each in CHANNELS]

    def is_in_use(self):
        """As this set-up has it."""
        return self.metric("mymt5_notify_waiting") == [0, 0]


class Same(Unnotified):
    name = "the same again"


class Dead(Unnotified):
    """Ports that are taken, so that nobody else can listen there."""

    name = "dead"

    def notify(self):
        ports = []
        for _ in CHANNELS:
            taken = self.stage.enter_context(socket())
            taken.bind(("127.0.0.1", 0))
            ports.append(taken.getsockname()[1])
        return NOTIFY.format(**dict(zip(CHANNELS, ports)))

    def is_in_use(self):
        nothing_arrives = sum(self.metric("mymt5_notify_delivered_total")) == 0
        return nothing_arrives and min(self.metric("mymt5_notify_waiting")) > 0


class Hanging(Dead):
    name, handlers = "hung", (Hung, Hung)

    def notify(self):
        self.standins = [Standin(handler) for handler in self.handlers]
        for standin in self.standins:
            self.stage.callback(standin.server_close)
            self.stage.callback(standin.shutdown)
        ports = [standin.server_address[1] for standin in self.standins]
        return NOTIFY.format(**dict(zip(CHANNELS, ports)))

    def connections(self):
        return [standin.connections for standin in self.standins]

    def is_in_use(self):
        return min(self.connections()) > 0 and super().is_in_use()


class Slow(Hanging):
    name, handlers = "slow", (SlowMail, SlowTelegram)

    def is_in_use(self):
        """Something arrived, and more waits."""
        figures = map(self.metric, ("mymt5_notify_delivered_total", "mymt5_notify_waiting"))
        return all(min(figure) > 0 for figure in figures)


SETUPS = [Unnotified, Same, Dead, Hanging, Slow]


# -- what is measured


class Alarms:
    """The other client: it raises alerts and makes events that alert."""

    def __init__(self, stage, port):
        channel = connect(stage, port, "alarms")
        self.trading = import_module("mymt5.v1.trading_pb2_grpc").TradingServiceStub(channel)
        self.control = import_module("mymt5.v1.control_pb2_grpc").ControlServiceStub(channel)
        self.proto = import_module("mymt5.v1.trading_pb2")
        self.types = import_module("mymt5.v1.types_pb2")
        self.change = import_module("mymt5.v1.control_pb2").SetTradingStateRequest
        self.grpc = import_module("grpc")
        self.raised = self.events = 0

    def go_on(self, over):
        while not over.wait(PAUSE_S):
            self.change_state()
            self.raise_alert()

    def change_state(self):
        states = (self.types.TRADING_STATE_REDUCING, self.types.TRADING_STATE_ACTIVE)
        state = states[self.events % 2]
        what = {"client": "alarms", "state": state, "reason": f"change {self.events}"}
        request = self.change(request_id=uuid.uuid4().hex, **what)
        self.control.SetTradingState(request, timeout=PATIENCE_S)
        self.events += 1

    def alerts(self):
        return self.raised + self.events

    def raise_alert(self):
        """The gateway takes ten a minute, and refuses what is beyond."""
        what = {"severity": self.proto.SEVERITY_CRITICAL, "title": f"alert {self.raised}"}
        request = self.proto.RaiseAlertRequest(request_id=uuid.uuid4().hex, text="bench", **what)
        try:
            self.trading.RaiseAlert(request, timeout=PATIENCE_S)
            self.raised += 1
        except self.grpc.RpcError as fault:
            if fault.code() != self.grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise


@dataclass
class Figures:
    """A set-up's, of one turn. Those of the channels are e-mail's and Telegram's."""

    p50_ms: float
    p99_ms: float
    alerts: int
    waiting: list
    delivered: list
    connections: list


@contextmanager
def alarmed(stage, port):
    """Another client that alerts all the while. What it failed of is raised at the end."""
    alarms, over = Alarms(stage, port), Event()
    with ThreadPoolExecutor(1) as pool:
        going = pool.submit(alarms.go_on, over)
        try:
            yield alarms
        finally:
            over.set()
        going.result()


def take_turn(setup, options):
    with performing(setup, options) as (stage, gateway):
        with alarmed(stage, gateway.port) as alarms:
            trade(gateway.trader, WARM_UP)
            stage.until(
                lambda: alarms.raised > 0 and gateway.is_in_use(), f"use as in {setup.name}"
            )
            alerts = alarms.alerts()
            times = sorted(trade(gateway.trader, options.orders))
            alerts = alarms.alerts() - alerts
        if not gateway.is_in_use():
            raise Failure("the channels were not in use to the end, so this measures nothing")
        p50, p99 = (times[len(times) * percent // 100] for percent in (50, 99))
        channels = (gateway.metric(f"mymt5_notify_{name}") for name in COUNTED)
        return Figures(p50, p99, alerts, *channels, gateway.connections())


# -- what is told


def table(rounds):
    head = f"{'':16}{'p50 ms':>8}{'p99 ms':>8}{'ratio p50':>11}{'ratio p99':>11}{'alerts':>8}"
    yield head + f"{'waiting':>10}{'delivered':>11}{'connections':>13}"
    for setup in SETUPS:
        turns = [figures[setup] for figures in rounds]
        none = [figures[Unnotified] for figures in rounds]
        pairs = list(zip(turns, none))
        p50, p99 = median(turn.p50_ms for turn in turns), median(turn.p99_ms for turn in turns)
        of_p50 = median(turn.p50_ms / other.p50_ms for turn, other in pairs)
        of_p99 = median(turn.p99_ms / other.p99_ms for turn, other in pairs)
        alerts = median(turn.alerts for turn in turns)
        line = f"{setup.name:16}{p50:8.2f}{p99:8.2f}{of_p50:11.2f}{of_p99:11.2f}{alerts:8.0f}"
        waiting, delivered = least(turns, "waiting"), least(turns, "delivered")
        yield line + f"{waiting:>10}{delivered:>11}{least(turns, 'connections'):>13}"


def least(turns, name):
    """Of all turns, by e-mail and by Telegram."""
    return " ".join(f"{min(each):.0f}" for each in zip(*(getattr(turn, name) for turn in turns)))


def run(options):
    rounds = []
    for number in range(options.rounds):
        rounds.append({})
        first = number % len(SETUPS)
        for setup in SETUPS[first:] + SETUPS[:first]:
            tell(f"round {number + 1} of {options.rounds}: {setup.name}")
            rounds[-1][setup] = take_turn(setup, options)
    print("\n".join(table(rounds)))
    print(
        "the ratios are to no notifier; alerts were raised while the orders were timed; the least of"
    )
    print("all turns waited, was delivered and connected at the end, by e-mail and by Telegram")


def default_gateway():
    """The release build; where there is none, the debug build."""
    builds = [ROOT / "target" / build / "mymt5-gateway" for build in ("release", "debug")]
    return next((build for build in builds if build.exists()), builds[0])


def parse_options():
    what, _, more = __doc__.partition("\n")
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=what, epilog=more, formatter_class=raw)
    add = parser.add_argument
    add("--gateway", type=Path, default=default_gateway(), metavar="PATH", help="%(default)s")
    add("--venv", type=Path, default=CACHE / "mymt5-bench", metavar="DIR", help="%(default)s")
    add("--orders", type=int, default=1000, metavar="N", help="of a turn: %(default)s")
    add("--rounds", type=int, default=5, metavar="N", help="%(default)s")
    options = parser.parse_args()
    if min(options.orders // 2, options.rounds) < 1:
        parser.error("--orders is at least 2, --rounds at least 1")
    options.gateway = options.gateway.resolve()
    return options


if __name__ == "__main__":
    main(parse_options(), run)
