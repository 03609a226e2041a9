"""Where the attacks happen: the real processes under users of their own, and clients that call them."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from pathlib import Path

import grpc

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "deploy" / "bench"))
from bridge import Failure, compile_contract, end

HERE = Path(__file__).resolve().parent
BRIDGE = ROOT / "gateway/bridge/mymt5_bridge.py"
STANDIN = ROOT / "gateway/bridge/tests/standin"
USERS = {"gateway": 61001, "engine": 61002, "bridge": 61003, "stranger": 61004}
CLIENTS = ["main", "twin", "operator", "trader", "other", "reader", "leaver", "brief"]
SYMBOL = "EURUSD"
SERVICES = ["trading", "control", "market_data"]
PATIENCE_S = 30
CROWD_S = 120  # until strangers end, beyond the time that they were given
LOGIN, SERVER = "10000001", "StandIn-Demo"  # the stand-in's own, which takes any password

GATEWAY = """
[server]
listen = "127.0.0.1:{api}"
tls.certificate = "config/tls/gateway/certificate.pem"
tls.key = "config/tls/gateway/key.pem"
tls.client_ca = "config/tls/ca.pem"
[operations]
listen = "127.0.0.1:{operations}"
[process]
sandbox = "required"
data_folder = "data/{name}"
[logging]
format = "json"
folder = "logs/{name}"
[clients.operator]
certificate = "spiffe://mymt5/client/operator"
permissions = ["read", "control", "diagnose"]
"""

TRADES = """
[clients.{name}]
certificate = "spiffe://mymt5/client/{name}"
permissions = {permissions}
limits.max_open_positions = 100000
limits.max_orders_per_minute = 1000000
"""

SIMULATOR = """
[broker]
time_zone = "new_york+7"
[broker.simulator]
symbols = ["EURUSD", "GBPUSD"]
balance = 100000000.0
"""

# The bridge's certificate is the one that the gateway takes without a word.
TERMINAL = """
[broker]
kind = "terminal"
time_zone = "Etc/GMT-3"
[broker.terminal]
address = "127.0.0.1:{bridge}"
account_kind = "demo"
symbols = {{ EURUSD = "EURUSD" }}
"""

ENGINE = """
[engine]
name = "{name}"
[gateway]
address = "https://127.0.0.1:{api}"
ca = "config/tls/ca.pem"
certificate = "config/tls/{name}/certificate.pem"
key = "config/tls/{name}/key.pem"
[operations]
listen = "127.0.0.1:{operations}"
[[strategies]]
name = "cross"
kind = "ema_cross"
symbol = "{symbol}"
[process]
sandbox = "required"
"""


def binary(name):
    """By MYMT5_GATEWAY or MYMT5_ENGINE, else the newest kind that was built."""
    named = os.environ.get(f"MYMT5_{name.upper()}")
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    built = [target / kind / f"mymt5-{name}" for kind in ("release", "debug")]
    for place in [Path(named)] if named else built:
        if os.access(place, os.X_OK):
            return place.resolve()
    raise Failure(f"no mymt5-{name}: cargo build --release, or name one by MYMT5_{name.upper()}")


def free_port():
    """Below the ports that connections take for themselves: there are many here."""
    while True:
        port = secrets.choice(range(20_000, 32_000))
        with socket.socket() as sock, suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port


def own(path, user):
    """Gives a file or folder, and all in it, to a user, and to nobody else."""
    for folder, _, files in os.walk(path):
        os.chmod(folder, 0o700)
        for file in [folder] + [os.path.join(folder, file) for file in files]:
            os.chown(file, USERS[user], USERS[user])
    os.chown(path, USERS[user], USERS[user])


def as_user(user, words):
    """The words that run these as that user, without any right of root's."""
    number = USERS[user]
    who = [f"--reuid={number}", f"--regid={number}", "--clear-groups", "--inh-caps=-all"]
    return ["setpriv", *who, "--", *map(str, words)]


class Stage(ExitStack):
    """A folder as the README sets one up, and processes that run in it. All of it ends with the stage."""

    def __enter__(self):
        folder = tempfile.TemporaryDirectory(prefix="mymt5-attack-")
        self.home = Path(self.enter_context(folder))
        self.children = {}
        self.home.chmod(0o755)
        for name in ["bin", "code", "config", "data", "logs", "errors"]:
            (self.home / name).mkdir(mode=0o755)
        for name in ["gateway", "engine"]:
            shutil.copy(binary(name), self.home / "bin" / name)
        for file in [*HERE.glob("*.py"), BRIDGE]:
            shutil.copy(file, self.home / "code")
        shutil.copytree(STANDIN, self.home / "code/standin")
        readable = ["chmod", "-R", "a+rX", self.home / "bin", self.home / "code"]
        subprocess.run(readable, check=True)
        self.python = self.python_of("stranger")
        self.make_certificates()
        compile_contract(self.home / "code")
        return super().__enter__()

    def python_of(self, user):
        """A Python that others than root may run, with its own modules alone."""
        works = "import asyncio, os, sqlite3, ssl, sys; os.stat(sys.executable)"
        for python in ["/usr/bin/python3", sys.executable]:
            words = as_user(user, [python, "-I", "-c", works])
            if subprocess.run(words, check=False, stderr=subprocess.DEVNULL).returncode == 0:
                return python
        raise Failure("other users can run no Python here: install python3 below /usr")

    def make_certificates(self):
        """Each process's key is its own user's, those of clients that misbehave the stranger's."""
        tls = self.home / "config/tls"
        words = ["certs", "--folder", str(tls), "--clients", ",".join(CLIENTS), "--keep-authority"]
        status, said = self.run("gateway", *words, user=None)
        if status:
            raise Failure(f"no certificates: {said}")
        tls.chmod(0o711)
        (tls / "ca.pem").chmod(0o644)
        (tls / "ca.key.pem").rename(self.home / "ca.key.pem")
        owners = {"main": "engine", "gateway": "gateway", "twin": "gateway"}
        owners.update(reader="stranger", other="stranger", bridge="bridge")
        for name, owner in owners.items():
            own(tls / name, owner)
        (tls / "bridge").chmod(0o711)  # its certificate is the gateway's to read, too
        (tls / "bridge/certificate.pem").chmod(0o644)

    def write(self, name, text, user, mode=0o600):
        """Puts a file into its place by a rename, as editors do."""
        fresh = self.home / "fresh"
        fresh.write_text(text)
        fresh.chmod(mode)
        os.chown(fresh, USERS[user], USERS[user])
        fresh.rename(self.home / name)

    def folders(self, name, user):
        for folder in [self.home / "data" / name, self.home / "logs" / name]:
            folder.mkdir(mode=0o700, exist_ok=True)
            own(folder, user)

    def start(self, name, user, words, **settings):
        """Starts a process of that user, with these settings and no others."""
        errors = self.home / "errors" / name
        environment = dict(settings, PATH="/usr/bin:/bin", PYTHONDONTWRITEBYTECODE="1")
        with open(errors, "ab") as log:
            streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            words = as_user(user, words)
            child = subprocess.Popen(words, env=environment, cwd=self.home, **streams)
        self.children[name] = child
        self.callback(end, child)
        return child

    def stop(self, name):
        end(self.children.pop(name))

    def run(self, program, *words, user="gateway", **settings):
        """Runs a command of a binary to its end; its exit status and what it said."""
        words = [str(self.home / "bin" / program), *words]
        done = subprocess.run(
            as_user(user, words) if user else words,
            env=dict(settings, PATH="/usr/bin:/bin"),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=PATIENCE_S,
        )
        return done.returncode, done.stdout.decode(errors="replace")

    def until(self, ready, what, seconds=PATIENCE_S):
        """Waits for the first true answer; how long that took, in seconds."""
        began = time.monotonic()
        while not ready():
            for name, child in self.children.items():
                if child.poll() is not None:
                    raise Failure(f"{name} ended with {child.returncode}: {self.told(name)}")
            if time.monotonic() - began > seconds:
                raise Failure(f"no {what} within {seconds} s")
            time.sleep(0.02)
        return time.monotonic() - began

    def told(self, name):
        return (self.home / "errors" / name).read_text(errors="replace")[-1500:]

    def crowd(self, name, user="stranger", **arguments):
        return Crowd(self, name, user, arguments)


class Crowd:
    """A process of strangers. Within `with` they are at it; afterwards `told` has what came of it."""

    def __init__(self, stage, name, user, arguments):
        words = [stage.python, str(stage.home / "code/crowd.py"), name, json.dumps(arguments)]
        self.process = subprocess.Popen(
            as_user(user, words),
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            universal_newlines=True,
        )
        stage.callback(self.process.kill)
        self.limit = threading.Timer(arguments.get("seconds", 0) + CROWD_S, self.process.kill)
        self.limit.daemon = True
        self.limit.start()
        self.told = {}

    def all_came(self):
        """Whether each of the strangers got as far as to attack."""
        return self.told["came"] == self.told["strangers"]

    def all_came_or_were_cut(self):
        """Whether most of each kind attacked, and the rest tried: their last handshake was cut."""
        most = all(2 * came >= count for came, count in self.told["kinds"].values())
        return most and self.told["came"] + self.told["cut"] == self.told["strangers"]

    def absence(self):
        """What the table adds where some did not."""
        if self.all_came():
            return ""
        kinds = self.told["kinds"].items()
        came = ", ".join(f"{came} of {count} {kind}" for kind, (came, count) in kinds)
        return f"; but only {came} attacked, {self.told['cut']} were cut in their last handshake"

    def __enter__(self):
        if self.process.stdout.readline().strip() != "ready":
            raise Failure("the strangers did not begin")
        return self

    def __exit__(self, *_):
        lines = self.process.stdout.read().splitlines()
        self.process.wait()
        self.limit.cancel()
        if self.process.returncode or not lines:
            raise Failure("the strangers ended with a fault of their own, told above")
        self.told = json.loads(lines[-1])
        if self.told.get("faults"):
            raise Failure(f"the strangers ended with a fault of their own: {self.told['faults']}")

    def is_at_it(self):
        return self.process.poll() is None


class Client:
    """A known client with a connection of its own."""

    def __init__(self, stage, port, name):
        stubs = {kind: import_module(f"mymt5.v1.{kind}_pb2_grpc") for kind in SERVICES}
        self.types = import_module("mymt5.v1.types_pb2")
        self.trading_types = import_module("mymt5.v1.trading_pb2")
        self.control_types = import_module("mymt5.v1.control_pb2")
        self.market_types = import_module("mymt5.v1.market_data_pb2")
        tls = stage.home / "config/tls"
        files = [tls / "ca.pem", tls / name / "key.pem", tls / name / "certificate.pem"]
        proof = grpc.ssl_channel_credentials(*(file.read_bytes() for file in files))
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
        self.channel = grpc.secure_channel(f"localhost:{port}", proof, options)
        self.trading = stubs["trading"].TradingServiceStub(self.channel)
        self.control = stubs["control"].ControlServiceStub(self.channel)
        self.market = stubs["market_data"].MarketDataServiceStub(self.channel)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()

    def status(self, timeout=PATIENCE_S):
        return self.control.GetStatus(self.control_types.GetStatusRequest(), timeout=timeout)

    def order(self, request_id=None):
        what = {"symbol": SYMBOL, "lots": 0.01, "request_id": request_id or uuid.uuid4().hex}
        what.update(side=self.types.SIDE_BUY, type=self.types.ORDER_TYPE_MARKET)
        return self.trading_types.SubmitOrderRequest(**what)

    def buy(self, timeout=PATIENCE_S):
        order = self.trading.SubmitOrder(self.order(), timeout=timeout).order
        return self.filled(order).position_id

    def close(self, position, timeout=PATIENCE_S):
        what = {"request_id": uuid.uuid4().hex, "position_id": position}
        close = self.trading_types.ClosePositionRequest(**what)
        self.filled(self.trading.ClosePosition(close, timeout=timeout).order)

    def filled(self, order):
        if order.state != self.types.ORDER_STATE_FILLED:
            state = self.types.OrderState.Name(order.state)
            raise Failure(f"an order was not filled but {state}: {order.reason}")
        return order

    def may_trade(self):
        check = self.trading_types.CheckOrderRequest(order=self.order())
        try:
            return not self.trading.CheckOrder(check, timeout=PATIENCE_S).refusals
        except grpc.RpcError:
            return False

    def set_state(self, state, reason, client=""):
        what = {"request_id": uuid.uuid4().hex, "state": state, "reason": reason, "client": client}
        request = self.control_types.SetTradingStateRequest(**what)
        return self.control.SetTradingState(request, timeout=PATIENCE_S)

    def ticks(self):
        request = self.market_types.StreamTicksRequest()
        return self.market.StreamTicks(request, timeout=PATIENCE_S)


class Gateway:
    """A running gateway, and what an attack needs to know of it."""

    def __init__(self, stage, name, broker, **settings):
        self.stage, self.name, self.settings = stage, name, settings
        self.port, self.operations = free_port(), free_port()
        text = GATEWAY.format(api=self.port, operations=self.operations, name=name)
        for client in CLIENTS:
            if client != "operator":
                permissions = {"brief": ["read", "control"], "reader": ["read"], "leaver": ["read"]}
                allowed = json.dumps(permissions.get(client, ["read", "trade"]))
                text += TRADES.format(name=client, permissions=allowed)
            if client == "trader":  # a release build trades more than the usual share of ids
                text += "max_ids_per_minute = 60000\n"
        self.file = f"config/{name}.toml"
        stage.write(self.file, text + broker, "gateway", 0o644)
        stage.folders(name, "gateway")
        self.authority = str(stage.home / "config/tls/ca.pem")

    def start(self):
        words = [str(self.stage.home / "bin/gateway"), "run", "--config", self.file]
        self.child = self.stage.start(self.name, "gateway", words, **self.settings)
        self.stage.until(lambda: listens(self.port), "gateway that listens")

    def client(self, name):
        return Client(self.stage, self.port, name)

    def proof(self, name):
        return str(self.stage.home / "config/tls" / name)

    def until_ready(self, name="trader"):
        """Waits until a client may trade; how long that took."""
        with self.client(name) as client:
            return self.stage.until(client.may_trade, "gateway that takes orders")

    def memory_mib(self):
        status = Path(f"/proc/{self.child.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024

    def run(self, *words):
        return self.stage.run("gateway", *words)


def listens(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


class Engine:
    """A running engine, which trades."""

    def __init__(self, stage, gateway, name, user, symbol):
        self.stage, self.name, self.user, self.operations = stage, name, user, free_port()
        ports = {"api": gateway.port, "operations": self.operations}
        text = ENGINE.format(name=name, symbol=symbol, **ports)
        stage.write(f"config/{name}.toml", text, user, 0o644)
        stage.folders(f"engine-{name}", user)
        words = [str(stage.home / "bin/engine"), "run", "--config", f"config/{name}.toml"]
        self.child = stage.start(name, user, words)
        stage.until(self.is_serving, f"{name} that serves")

    def is_serving(self):
        address = f"127.0.0.1:{self.operations}"
        status, _ = self.stage.run("engine", "health", "--operations", address, user=self.user)
        return status == 0


def start_bridge(stage, port, secret):
    """The bridge over the stand-in of the terminal's package."""
    folder = stage.home / "data/bridge"
    folder.mkdir(mode=0o700)
    own(folder, "bridge")
    code = stage.home / "code"
    state = {"PYTHONPATH": str(code / "standin"), "STANDIN_STATE": str(folder / "state.db")}
    init = [stage.python, "-m", "standin_ctl", "init", "margin_mode=2"]
    environment = dict(state, PATH="/usr/bin:/bin", PYTHONDONTWRITEBYTECODE="1")
    subprocess.run(as_user("bridge", init), check=True, env=environment)
    words = [stage.python, str(code / BRIDGE.name), "--listen", f"127.0.0.1:{port}"]
    tls = "config/tls/bridge"
    words += ["--tls-certificate", f"{tls}/certificate.pem", "--tls-key", f"{tls}/key.pem"]
    stage.start("bridge", "bridge", words, BRIDGE_SECRET=secret, **state)
    stage.until(lambda: listens(port), "bridge that listens")


def new_secret():
    return secrets.token_hex(32)


@contextmanager
def measured(work):
    """Repeats some work in a thread within `with`; the seconds that each time took."""
    taken, faults, stop = [], [], threading.Event()

    def repeat():
        while not stop.is_set():
            began = time.monotonic()
            try:
                work()
            except (Failure, grpc.RpcError) as fault:
                faults.append(fault)
            taken.append(time.monotonic() - began)
            stop.wait(0.02)

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield taken, faults
    finally:
        stop.set()
        thread.join()


def round_trip(client):
    client.close(client.buy())
