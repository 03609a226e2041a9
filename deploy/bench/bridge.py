"""Times orders through gateway and bridge beside programs that lend the terminal without safety.

    cargo build --release -p mymt5-gateway
    python3 deploy/bench/bridge.py

Four candidates buy and close 0.01 lots, each over a broker of its own, the tests' stand-in of the
MetaTrader5 package, with equal settings:

    MyMT5            the release gateway over TLS with a client's certificate, and the bridge over TLS
    MyMT5, plain     the same, but for a bridge on the gateway's own host, started with --plain
    mt5-grpc-server  that program from PyPI, without TLS
    rpyc             its classic server, used as mt5linux uses it: a call is text that is evaluated

They take turns, one at a time, each turn on a new account: a warm-up, one caller's orders one after
the other, then those of eight callers at once. Each answer must say that the order is filled. A
ratio is the median of the rounds' ratios. At last gateway and bridge rest, with ten symbols polled.

Two parts of a MyMT5 order are measured beside it, in each round: two syncs to the disk of the
temporary folder, which it never leaves out (TMPDIR names another one), and the calls of the stand-in
that the bridge makes for an order, where a terminal's and a broker's time would be. Linux,
Python 3.8 or newer; the first run installs the other programs into an environment of its own.
"""

import argparse
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import astuple, dataclass
from importlib import import_module
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
BRIDGE = ROOT / "gateway/bridge/mymt5_bridge.py"
STANDIN = ROOT / "gateway/bridge/tests/standin"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
BUILD = "cargo build --release -p mymt5-gateway"

# What the peers ask for, but for their MetaTrader5, which is for Windows alone.
NEEDED = ["grpcio>=1.68.1", "grpcio-tools>=1.68.1", "protobuf>=5.29.2,<7", "pytz", "rpyc==6.0.2"]
PEERS = ["mt5-grpc-server==0.2.1", "mt5-grpc-proto==0.2.1"]

LOGIN, SERVER = 10000001, "StandIn-Demo"  # the stand-in's own, which takes any password
PASSWORD = secrets.token_hex()
SYMBOLS = ["EURUSD", "GBPUSD", "AUDUSD", "NZDUSD", "USDJPY", "USDCHF", "USDCAD", "EURGBP"]
SYMBOLS += ["EURJPY", "XAUUSD"]
LOTS, CALLERS, WARM_UP = 0.01, 8, 20
SYNCS = 2  # of an order: before it is sent, and once it is answered
DEAL, IOC, BUY, SELL, DONE, HEDGING = 1, 1, 0, 1, 10009, 2  # the package's constants
PATIENCE_S, SETTLE_S = 60, 3  # until an answer, and until a start is over
OWN = [("grpc.use_local_subchannel_pool", 1)]  # each channel has a connection of its own

# The real package keeps the interpreter's lock throughout a call: threads make one call at a time.
# The stand-in is Python and does not; it bears no two calls at a time.
PEER = """
import importlib, sys, threading, MetaTrader5
lock = threading.RLock()
def alone(call):
    def locked(*args, **named):
        with lock:
            return call(*args, **named)
    return locked
for name, value in list(vars(MetaTrader5).items()):
    if name.islower() and callable(value):
        setattr(MetaTrader5, name, alone(value))
importlib.import_module(sys.argv.pop(1)).main()
"""

# What the bridge does at rest, without the bridge: the stand-in's share of its time.
BARE = """
import sys, time, MetaTrader5
MetaTrader5.initialize()
pause, names = float(sys.argv[1]), sys.argv[2:]
due = time.monotonic()
newest = {name: MetaTrader5.symbol_info_tick(name).time for name in names}
while True:
    for name, second in newest.items():
        rows = MetaTrader5.copy_ticks_from(name, second, 1024, -1).tolist()
        newest[name] = rows[-1][0] if rows else second
    due += pause
    time.sleep(max(0, due - time.monotonic()))
"""

# What the bridge asks of the package for an order, a purchase and a close in turn: the milliseconds
# that each takes, without bridge and gateway.
ASKED = """
import sys, time, MetaTrader5 as mt5
mt5.initialize()
deal = {"action": 1, "symbol": sys.argv[1], "volume": 0.01, "type_filling": 1}
for _ in range(int(sys.argv[2])):
    begun = time.perf_counter()
    mt5.order_check(deal), mt5.account_info()
    bought = mt5.order_send(deal)
    mt5.history_deals_get(ticket=bought.deal)
    middle = time.perf_counter()
    mt5.positions_get(ticket=bought.order), mt5.account_info()
    closed = mt5.order_send(dict(deal, type=1, position=bought.order))
    mt5.history_deals_get(ticket=closed.deal)
    print(1000 * (middle - begun), 1000 * (time.perf_counter() - middle))
"""

WITHOUT_BROKER = """
[server]
listen = "127.0.0.1:{api}"
tls.certificate = "tls/gateway/certificate.pem"
tls.key = "tls/gateway/key.pem"
tls.client_ca = "tls/ca.pem"
[operations]
listen = "127.0.0.1:{operations}"
[clients.bench]
certificate = "spiffe://mymt5/client/bench"
permissions = ["read", "trade"]
limits.max_open_positions = 100
limits.max_orders_per_minute = 1000000
max_calls = 1024
max_queued = 1024
max_ids_per_minute = 60000
[process]
allow_root = true
data_folder = "data"
[logging]
folder = "logs"
"""

CONFIGURATION = (
    """
[broker]
kind = "terminal"
time_zone = "Etc/GMT-3"
[broker.terminal]
address = "127.0.0.1:{bridge}"
{hop}
account_kind = "demo"
symbols = {{ {symbols} }}
poll_interval_ms = 20
"""
    + WITHOUT_BROKER
)


class Failure(Exception):
    """What stopped the benchmark, and what to do about it."""


def tell(text):
    print(text, file=sys.stderr, flush=True)


# -- where it happens: an environment with the peers, and stages


def enter(venv):
    """Goes on inside the environment, made again where it is not there or is another version's."""
    if Path(sys.prefix).resolve() == venv.resolve():
        return
    python, stamp = str(venv / "bin/python"), venv / "mymt5-bench.txt"
    wanted = "\n".join([sys.version, *NEEDED, *PEERS])
    if not stamp.exists() or stamp.read_text() != wanted:
        tell(f"installing the other programs into {venv}")
        fix = "install your distribution's python3-venv, or name another folder by --venv"
        finish([sys.executable, "-m", "venv", "--clear", str(venv)], fix)
        fix = "it needs a package index: PIP_INDEX_URL names another one"
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        finish([*pip, *NEEDED], fix)
        finish([*pip, "--no-deps", *PEERS], fix)
        stamp.write_text(wanted)
    os.execv(python, [python, *sys.argv])


def finish(words, fix):
    """Runs a program to its end."""
    said = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    done = subprocess.run(words, check=False, **said)
    if done.returncode:
        raise Failure(f"{' '.join(words)} failed: {fix}\n{done.stdout[-2000:]}")


def compile_contract(folder):
    """Makes Python modules of the gateway's proto files."""
    files = [str(file) for file in sorted((ROOT / "proto/mymt5/v1").glob("*.proto"))]
    protoc = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'proto'}"]
    out = [f"--python_out={folder}", f"--grpc_python_out={folder}"]
    finish([*protoc, *out, *files], "remove the folder of --venv and run again")
    sys.path.insert(0, str(folder))


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def end(child):
    child.terminate()
    try:
        child.wait(5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


class Stage(ExitStack):
    """A temporary folder, and processes that run in it. All of it ends with the stage."""

    def __enter__(self):
        self.folder = Path(self.enter_context(TemporaryDirectory(prefix="mymt5-bench-")))
        self.children = {}
        return super().__enter__()

    def start(self, name, words, **settings):
        """Starts a process with these settings and no others. A Ctrl-C is for us, not for it."""
        known = {key: os.environ[key] for key in ("PATH", "HOME", "TMPDIR") if key in os.environ}
        settings = dict(known, PYTHONDONTWRITEBYTECODE="1", **settings)
        options = {"stdin": subprocess.DEVNULL, "start_new_session": True, "cwd": self.folder}
        with open(self.folder / f"{name}.log", "wb") as log:
            child = subprocess.Popen(words, stdout=log, stderr=log, env=settings, **options)
        self.children[name] = child
        self.callback(end, child)

    def start_with_broker(self, name, *words, **settings):
        """Starts a Python program over a broker of its own."""
        state = {"PYTHONPATH": str(STANDIN), "STANDIN_STATE": str(self.folder / f"{name}.db")}
        control = [sys.executable, "-m", "standin_ctl", "init", f"margin_mode={HEDGING}"]
        subprocess.run(control, env=dict(os.environ, **state), check=True)
        self.start(name, [sys.executable, *words], **state, **settings)

    def check(self):
        """Whatever ended would be waited for, or measured, all the same."""
        for name, child in self.children.items():
            if child.poll() is not None:
                raise Failure(f"{name} ended with status {child.returncode}")

    def until(self, ready, what):
        """Waits for the first true answer."""
        limit = time.monotonic() + PATIENCE_S
        while not ready():
            self.check()
            if time.monotonic() > limit:
                raise Failure(f"no {what} in {PATIENCE_S} s")
            time.sleep(0.05)

    def until_listening(self, port):
        def connects():
            with socket.socket() as sock:
                return sock.connect_ex(("127.0.0.1", port)) == 0

        self.until(connects, f"listener on port {port}")

    def logs(self):
        """The ends of the processes' logs."""
        files = sorted(self.folder.glob("*.log"))
        texts = [f"-- {file.stem}\n{file.read_text(errors='replace')[-1500:]}" for file in files]
        return "\n".join(texts)

    def calls(self, name):
        """How often a program has called its stand-in."""
        with closing(sqlite3.connect(self.folder / f"{name}.db")) as state:
            return state.execute("SELECT sum(count) FROM calls").fetchone()[0]

    def cpu_s(self, name):
        """The processor time that a process has taken."""
        stat = Path(f"/proc/{self.children[name].pid}/stat").read_text()
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def make_certificates(stage, gateway, clients="bench"):
    tls = ["--folder", str(stage.folder / "tls"), "--clients", clients]
    finish([str(gateway), "certs", *tls], BUILD)


def bridge_files(stage):
    """The files of the bridge's identity, by the ends of its options' names."""
    return {name: stage.folder / f"tls/bridge/{name}.pem" for name in ("certificate", "key")}


# -- the candidates: each starts on a stage, and makes traders, each with a connection of its own


def checked(filled, answer):
    if not filled:
        raise Failure(f"an order was not filled, so this measures nothing: {answer}")
    return answer


def connect(stage, port, client, options=OWN):
    """A client's channel to the gateway. It closes with the stage."""
    grpc = import_module("grpc")
    files = ["ca.pem", f"{client}/key.pem", f"{client}/certificate.pem"]
    pems = [(stage.folder / "tls" / file).read_bytes() for file in files]
    proof = grpc.ssl_channel_credentials(*pems)
    channel = grpc.secure_channel(f"127.0.0.1:{port}", proof, options)
    stage.callback(channel.close)
    return channel


class MyMT5:
    name, hop = "MyMT5", 'tls = "tls/bridge/certificate.pem"'

    def __init__(self, stage, gateway):
        self.stage, self.port, bridge = stage, free_port(), free_port()
        shared = {"BRIDGE_SECRET": secrets.token_hex()}
        account = {"MT5_LOGIN": str(LOGIN), "MT5_SERVER": SERVER, "MT5_PASSWORD": PASSWORD}
        make_certificates(stage, gateway)
        words = [str(BRIDGE), "--listen", f"127.0.0.1:{bridge}"]
        words += self.listening(stage)
        stage.start_with_broker("bridge", *words, **shared)
        symbols = ", ".join(f'{name} = "{name}"' for name in SYMBOLS)
        ports = {"api": self.port, "operations": free_port(), "bridge": bridge}
        text = CONFIGURATION.format(symbols=symbols, hop=self.hop, **ports)
        (stage.folder / "gateway.toml").write_text(text)
        stage.until_listening(bridge)
        words = [str(gateway), "run", "--config", "gateway.toml"]
        stage.start("gateway", words, **account, **shared)
        stage.until_listening(self.port)
        stage.until(self.trader().may_trade, "gateway that takes orders")

    def listening(self, stage):
        return [f"--tls-{name}={file}" for name, file in bridge_files(stage).items()]

    def trader(self):
        return MyMT5Trader(self.stage, self.port)


class Plain(MyMT5):
    name, hop = "MyMT5, plain", "plain = true"

    def listening(self, _):
        return ["--plain"]


class MyMT5Trader:
    options = OWN

    def __init__(self, stage, port):
        stubs = import_module("mymt5.v1.trading_pb2_grpc")
        self.proto = import_module("mymt5.v1.trading_pb2")
        self.types = import_module("mymt5.v1.types_pb2")
        self.fault = import_module("grpc").RpcError
        self.channel = connect(stage, port, "bench", self.options)
        self.service = stubs.TradingServiceStub(self.channel)

    def order(self):
        how = {"side": self.types.SIDE_BUY, "type": self.types.ORDER_TYPE_MARKET}
        what = dict(how, symbol=SYMBOLS[0], lots=LOTS)
        return self.proto.SubmitOrderRequest(request_id=uuid.uuid4().hex, **what)

    def may_trade(self):
        check = self.proto.CheckOrderRequest(order=self.order())
        try:
            return not self.service.CheckOrder(check, timeout=PATIENCE_S).refusals
        except self.fault:  # the link to the broker is still on its way
            return False

    def buy(self):
        answer = self.service.SubmitOrder(self.order(), timeout=PATIENCE_S)
        return self.filled(answer.order).position_id

    def close(self, position):
        what = {"request_id": uuid.uuid4().hex, "position_id": position}
        close = self.proto.ClosePositionRequest(**what)
        self.filled(self.service.ClosePosition(close, timeout=PATIENCE_S).order)

    def filled(self, order):
        return checked(order.state == self.types.ORDER_STATE_FILLED, order)


class Peer:
    """A server that hands each request on to the package."""

    def __init__(self, stage, _):
        self.stage, self.port = stage, free_port()
        options = ["--host", "127.0.0.1", "--port", str(self.port)]
        stage.start_with_broker(self.name, "-c", PEER, self.module, *options)
        stage.until_listening(self.port)
        self.trader().log_in()

    def trader(self):
        return self.trader_kind(self.stage, self.port)


class PeerTrader:
    """Sends the package's own requests."""

    def deal(self, **more):
        request = {"action": DEAL, "symbol": SYMBOLS[0], "volume": LOTS, "type_filling": IOC}
        result = self.send(dict(request, **more))
        return checked(result is not None and result.retcode == DONE, result)

    def buy(self):
        return self.deal(type=BUY).order

    def close(self, position):
        self.deal(type=SELL, position=position)


class GrpcTrader(PeerTrader):
    def __init__(self, stage, port):
        grpc, self.proto = import_module("grpc"), import_module("mt5_grpc_proto")
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", OWN)
        stage.callback(self.channel.close)
        self.service = self.proto.trade_pb2_grpc.OrderSendServiceStub(self.channel)

    def log_in(self):
        service = self.proto.common_pb2_grpc.MetaTraderServiceStub(self.channel)
        account = {"login": LOGIN, "password": PASSWORD, "server": SERVER}
        service.Connect(self.proto.common_pb2.ConnectRequest(**account), timeout=PATIENCE_S)

    def send(self, request):
        trade = self.proto.trade_pb2.TradeRequest(**request)
        order = self.proto.trade_pb2.OrderSendRequest(trade_request=trade)
        return self.service.SendOrder(order, timeout=PATIENCE_S).trade_result


class RpycTrader(PeerTrader):
    def __init__(self, stage, port):
        connection = import_module("rpyc").classic.connect("127.0.0.1", port)
        stage.callback(connection.close)
        connection.execute("import MetaTrader5 as mt5")
        self.evaluate = connection.eval

    def log_in(self):
        account = f"login={LOGIN}, password={PASSWORD!r}, server={SERVER!r}"
        if not self.evaluate(f"mt5.initialize({account})"):
            raise Failure("the stand-in takes no login")

    def send(self, request):
        return self.evaluate(f"mt5.order_send({request})")


class GrpcServer(Peer):
    name, module, trader_kind = "mt5-grpc-server", "mt5_grpc_server.grpc_server", GrpcTrader


class Rpyc(Peer):
    name, module, trader_kind = "rpyc", "rpyc.cli.rpyc_classic", RpycTrader


CANDIDATES = [MyMT5, Plain, GrpcServer, Rpyc]

# -- what is measured


@dataclass
class Figures:
    """A candidate's, of one turn."""

    p50_ms: float
    p99_ms: float
    orders_a_second: float


@dataclass
class Parts:
    """Of an order through MyMT5, by what neither gateway nor bridge can spare, at p50."""

    syncs_ms: float
    package_ms: float


@contextmanager
def performing(kind, options):
    """A candidate on a stage of its own. Whatever fails there is told with the logs' ends."""
    with Stage() as stage:
        try:
            yield stage, kind(stage, options.gateway)
        except Exception as fault:
            raise Failure(f"{kind.name}: {fault}\n{stage.logs()}") from fault


def trade(trader, orders):
    """Buys and closes in turn: the milliseconds that each order took."""
    times = []
    for _ in range(orders // 2):
        begun = time.perf_counter()
        position = trader.buy()
        bought = time.perf_counter()
        trader.close(position)
        times += [bought - begun, time.perf_counter() - bought]
    return [1000 * taken for taken in times]


def rate(candidate, orders):
    """Orders a second, when each of the callers has so many."""
    traders = [candidate.trader() for _ in range(CALLERS)]
    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(lambda trader: trade(trader, 2), traders))  # now all are connected
        begun = time.perf_counter()
        times = list(pool.map(lambda trader: trade(trader, orders), traders))
        return sum(map(len, times)) / (time.perf_counter() - begun)


def take_turn(kind, options):
    with performing(kind, options) as (_, candidate):
        trader = candidate.trader()
        trade(trader, WARM_UP)
        times = sorted(trade(trader, options.orders))
        p50, p99 = (times[len(times) * percent // 100] for percent in (50, 99))
        return Figures(p50, p99, rate(candidate, max(2, options.orders // 4)))


def measure_parts(orders):
    with Stage() as stage:
        return Parts(SYNCS * sync_ms(stage, orders), package_ms(stage, orders))


def sync_ms(stage, times):
    """Appends a page and syncs it, so often, where the journal is: the median's milliseconds."""
    taken = []
    with open(stage.folder / "synced", "wb", buffering=0) as file:
        for _ in range(times):
            file.write(bytes(4096))
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append(1000 * (time.perf_counter() - begun))
    return median(taken)


def package_ms(stage, orders):
    """The median's milliseconds that the stand-in takes for what the bridge asks of it."""
    stage.start_with_broker("asked", "-c", ASKED, SYMBOLS[0], str(orders // 2))
    status = stage.children.pop("asked").wait(PATIENCE_S)
    if status:
        raise Failure(f"the package's calls ended with status {status}\n{stage.logs()}")
    return median(map(float, (stage.folder / "asked.log").read_text().split()))


@dataclass
class Rest:
    """What happens in a second while nobody trades: percent of a core, calls of the stand-in."""

    bridge: float
    gateway: float
    calls: float
    bare: float


def rest(options):
    """The bridge rests, then a bare loop makes as many calls."""
    with performing(MyMT5, options) as (stage, _):
        time.sleep(SETTLE_S)
        calls = stage.calls("bridge")
        bridge, gateway = taken(stage, options.rest, "bridge", "gateway")
        calls = (stage.calls("bridge") - calls) / options.rest
        stage.start_with_broker("bare", "-c", BARE, str(len(SYMBOLS) / calls), *SYMBOLS)
        time.sleep(SETTLE_S)
        [bare] = taken(stage, options.rest, "bare")
        return Rest(bridge, gateway, calls, bare)


def taken(stage, seconds, *names):
    """Percent of a core that each of the processes takes meanwhile."""
    begun, before = time.monotonic(), [stage.cpu_s(name) for name in names]
    time.sleep(seconds)
    stage.check()
    cpu_s = [stage.cpu_s(name) - old for name, old in zip(names, before)]
    return [100 * spent / (time.monotonic() - begun) for spent in cpu_s]


# -- what is told


def table(rounds):
    yield f"{'':16}{'p50 ms':>10}{'p99 ms':>10}{'orders/s of 8 callers':>24}"
    for kind in CANDIDATES:
        p50, p99, orders = map(median, zip(*(astuple(figures[kind]) for figures in rounds)))
        yield f"{kind.name:16}{p50:10.2f}{p99:10.2f}{orders:24.0f}"


def ratios(rounds, mine, peer):
    pairs = [(astuple(figures[mine]), astuple(figures[peer])) for figures in rounds]
    each = [[mine / other for mine, other in zip(*pair)] for pair in pairs]
    p50, p99, orders = map(median, zip(*each))
    name = peer.name
    yield f"an order through {mine.name} takes {p50:.1f} times {name}'s at p50, {p99:.1f} at p99,"
    yield f"and 8 callers have {orders:.2f} times its orders a second"


def shares(rounds, parts):
    """What an order through MyMT5 consists of."""
    each = [(figures[MyMT5].p50_ms, *astuple(part)) for figures, part in zip(rounds, parts)]
    whole, syncs, package = map(median, zip(*each))
    peer = median(figures[GrpcServer].p50_ms for figures in rounds)
    yield f"of {whole:.2f} ms two syncs take {syncs:.2f}, the package's calls {package:.2f}, which is"
    yield f"{(syncs + package) / peer:.1f} times {GrpcServer.name}'s without gateway and bridge;"
    yield f"{whole - syncs - package:.2f} ms are left for these two and the caller"


def run(options):
    rounds, parts = [], []
    for number in range(1, options.rounds + 1):
        rounds.append({})
        for kind in CANDIDATES:
            tell(f"round {number} of {options.rounds}: {kind.name}")
            rounds[-1][kind] = take_turn(kind, options)
        parts.append(measure_parts(options.orders))
    tell(f"at rest for twice {options.rest} s")
    resting = rest(options)
    print("\n".join([*table(rounds), ""]))
    for mine, peer in ((MyMT5, GrpcServer), (Plain, GrpcServer), (MyMT5, Rpyc)):
        print("\n".join(ratios(rounds, mine, peer)))
    print("\n".join(shares(rounds, parts)))
    print(
        f"the bridge at rest takes {resting.bridge:.1f} % of a core, the gateway {resting.gateway:.1f} %,"
    )
    print(
        f"and {resting.bare:.1f} % a bare loop with as many calls of the stand-in, {resting.calls:.0f} a second"
    )


def parse_options():
    what, _, more = __doc__.partition("\n")
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=what, epilog=more, formatter_class=raw)
    add, binary = parser.add_argument, ROOT / "target/release/mymt5-gateway"
    add("--gateway", type=Path, default=binary, metavar="PATH", help="default: %(default)s")
    add("--venv", type=Path, default=CACHE / "mymt5-bench", metavar="DIR", help="%(default)s")
    add("--orders", type=int, default=200, metavar="N", help="of one caller: %(default)s")
    add("--rounds", type=int, default=5, metavar="N", help="%(default)s")
    add("--rest", type=int, default=30, metavar="SECONDS", help="%(default)s")
    options = parser.parse_args()
    if min(options.orders // 2, options.rounds, options.rest) < 1:
        parser.error("--orders is at least 2, --rounds and --rest are at least 1")
    options.gateway = options.gateway.resolve()
    return options


def main(options, run):
    """Runs a benchmark in the environment, with the contract's modules."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by way of all that cleans up
    try:
        if not os.access(options.gateway, os.X_OK):
            raise Failure(f"no gateway at {options.gateway}: {BUILD}, or name one by --gateway")
        enter(options.venv)
        with TemporaryDirectory(prefix="mymt5-bench-") as folder:
            compile_contract(folder)
            run(options)
    except Failure as failure:
        sys.exit(f"error: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main(parse_options(), run)
