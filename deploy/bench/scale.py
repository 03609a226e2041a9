"""Soaks one gateway with many engines: what each of them costs, and that nothing is lost.

    cargo build --release
    python3 deploy/bench/scale.py

One gateway, whose simulator replays a seeded random walk, serves 1, then 8, then 64 real engines over
TLS, each a process and a client of its own with certificate, configuration and folders. All take every
tick of one symbol and trade 0.01 lots by averages that differ, so that they do not all trade at once.
The walk rests for a quarter of the time: then no tick is on its way, and counts can be compared. The first
steps are short, the last one is the soak. After it this must hold, or the exit code is 1:

    ticks     each engine has counted as many as the gateway since it came, and no stream was cut
    orders    the gateway's list has each engine's orders once, in the very states that the engine
              counted: none is unknown, none open, each deal is one order's
    sessions  no engine broke a session, lost its connection to another or ended with a fault
    memory    after a fifth of the soak gateway and engines grow by 5 % at most: by then what is kept
              in memory of ticks, orders and events, which is bounded, is full: the 100,000 ticks take
              seven minutes at the usual rate, and longer at a lower one
    CPU       of the gateway for a tick delivered to an engine is at most 1.5 times what it was with
              fewer engines, and so is that of all engines

CPU is all of a process's: heartbeats, orders, events and the simulator's own are in it. --short takes
under a minute and is for busy machines, on which sessions may break: it judges the ticks of those
that stand, no CPU, and a bound of memory in place of growth.
Linux, Python 3.8 or newer, and nothing else; the programs are those of target/release, else of
target/debug, and MYMT5_GATEWAY and MYMT5_ENGINE name others.
"""

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from urllib.request import ProxyHandler, build_opener

from bridge import PATIENCE_S, ROOT, Failure, Stage, end, make_certificates, tell

DIRECT = build_opener(ProxyHandler({}))  # whatever proxy the environment names
MOST_ENGINES = 256  # the clients that `certs` makes at once
WAVE = 8  # engines that start at once: the gateway has 16 handshakes of one host under way
PERIOD_S, REST_S = 10, 2.5  # of the walk, the latter at the end of each of the former
TREND_S = 5  # of one direction, on average: an engine trades about as often
RESTS = 3  # by which an engine has every tick, and a session long enough to tell, on a busy machine
START = datetime(2026, 1, 5)  # a Monday, by the clock of the walk
SPARE_S, START_S = 600, 10  # the walk is longer than the steps by that, and so much for each engine
SAMPLE_S = 5  # between two looks at the memory
MOST_ORDERS = 100_000  # that `mymt5-gateway orders` lists
MOST_GROWTH, MOST_CPU_RATIO = 1.05, 1.5
MOST_GATEWAY_MIB, MOST_MIB_AN_ENGINE = 64, 1  # of the gateway in a short run, debug builds included
PORTS = range(20_000, 32_000)
MIB = 1 << 20

# A connection outlives the soak, so that a session which broke is a fault.
GATEWAY = """
[server]
listen = "127.0.0.1:{api}"
max_connection_age_s = 86400
tls.certificate = "tls/gateway/certificate.pem"
tls.key = "tls/gateway/key.pem"
tls.client_ca = "tls/ca.pem"
[operations]
listen = "127.0.0.1:{operations}"
[broker]
time_zone = "new_york+7"
[broker.simulator]
feed = "ticks"
file = "EURUSD_ticks.csv"
[process]
allow_root = true
data_folder = "data/gateway"
[logging]
folder = "logs/gateway"
"""

CLIENT = """
[clients.{name}]
certificate = "spiffe://mymt5/client/{name}"
permissions = ["read", "trade"]
"""

# Without a stop loss each deal is an order's of the engine.
ENGINE = """
[engine]
name = "{name}"
[gateway]
address = "https://127.0.0.1:{api}"
ca = "tls/ca.pem"
certificate = "tls/{name}/certificate.pem"
key = "tls/{name}/key.pem"
[operations]
listen = "127.0.0.1:{operations}"
[[strategies]]
name = "cross"
kind = "ema_cross"
symbol = "EURUSD"
fast = {fast}
slow = {slow}
stop_points = 0
[risk]
lots = 0.01
[process]
allow_root = true
"""


def free_ports(count):
    """Below the ports that connections take for themselves: the engines' would be among them."""
    free, wanted = [], iter(random.SystemRandom().sample(PORTS, len(PORTS)))
    while len(free) < count:
        port = next(wanted)
        with socket.socket() as sock, suppress(OSError):
            sock.bind(("127.0.0.1", port))
            free.append(port)
    return free


def engine_name(number):
    return f"engine-{number}"


def waves(all_of_them):
    return [all_of_them[at : at + WAVE] for at in range(0, len(all_of_them), WAVE)]


# -- the market


def write_walk(file, rate, seconds):
    """The terminal's tick export of a walk in trends, of so many ticks in each second without rest."""
    dice, bid, drift, due = random.Random(1), 110_000.0, 0.5, 0.0
    with open(file, "w") as out:
        out.write("<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\n")
        while due < seconds:
            due += dice.expovariate(rate)
            if due % PERIOD_S > PERIOD_S - REST_S:
                due += REST_S
            if dice.random() * rate * TREND_S < 1:
                drift = -drift
            bid += drift + dice.uniform(-1, 1)
            when = START + timedelta(seconds=due)
            date = f"{when:%Y.%m.%d}\t{when:%H:%M:%S}.{when.microsecond // 1000:03}"
            out.write(f"{date}\t{int(bid) / 1e5:.5f}\t{int(bid + 10) / 1e5:.5f}\t\t\t6\n")


# -- the processes


class Process:
    """A process with an operations port."""

    def __init__(self, stage, name, words):
        self.name = name
        stage.start(name, [str(word) for word in words])
        self.child = stage.children[name]

    def metrics(self):
        """Each metric's value, by its name and labels."""
        address = f"http://127.0.0.1:{self.operations}/metrics"
        with closing(DIRECT.open(address, timeout=PATIENCE_S)) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
        return {head: float(value) for head, _, value in pairs}

    def serves(self, metric):
        """True once it says 1 there."""
        try:
            return self.metrics().get(metric) == 1
        except OSError:  # it does not listen yet
            return False

    def cpu_s(self):
        """The processor time that it has taken."""
        stat = Path(f"/proc/{self.child.pid}/stat").read_text()
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        """Its resident bytes: all, and those that are no file's, which is what one more costs."""
        lines = Path(f"/proc/{self.child.pid}/status").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        return [int(fields[name].split()[0]) * 1024 for name in ("VmRSS", "RssAnon")]


class Gateway(Process):
    def __init__(self, stage, options, names, ports):
        self.binary, self.stage = options.gateway, stage
        self.api, self.operations = ports
        text = GATEWAY.format(api=self.api, operations=self.operations)
        text += "".join(CLIENT.format(name=name) for name in names)
        (stage.folder / "gateway.toml").write_text(text)
        super().__init__(stage, "gateway", [self.binary, "run", "--config", "gateway.toml"])

    def ticks(self):
        return self.metrics()["mymt5_ticks_total"]

    def orders(self):
        """All of them, as its operator sees them."""
        words = [str(self.binary), "orders", "--json", "--limit", str(MOST_ORDERS)]
        words += ["--data-folder", "data/gateway"]
        listed = subprocess.run(words, cwd=self.stage.folder, check=True, stdout=subprocess.PIPE)
        orders = json.loads(listed.stdout)
        if len(orders) == MOST_ORDERS:
            raise Failure(f"there are more than {MOST_ORDERS} orders: soak for less --minutes")
        return orders


class Engine(Process):
    def __init__(self, stage, options, gateway, number, port):
        self.operations = port
        name, fast = engine_name(number), 5 + number
        ports = {"api": gateway.api, "operations": port}
        text = ENGINE.format(name=name, fast=fast, slow=2 * fast, **ports)
        (stage.folder / f"{name}.toml").write_text(text)
        super().__init__(stage, name, [options.engine, "run", "--config", f"{name}.toml"])
        self.missed, self.broke = 0, None

    def note(self, missed):
        """That the gateway has so many ticks which came before its session did."""
        metrics = self.metrics()
        is_connected = metrics["mymt5_engine_connected"] == 1
        self.missed = missed
        self.broke = metrics["mymt5_engine_reconnects_total"] if is_connected else None

    def has_same_session(self):
        return self.reconnects() == self.broke

    def is_connected(self):
        return self.serves("mymt5_engine_connected")

    def ticks(self):
        return self.metrics()["mymt5_engine_ticks_received_total"]

    def reconnects(self):
        return self.metrics()["mymt5_engine_reconnects_total"]

    def outcomes(self):
        """How often its orders ended how, and how many have not ended yet. Those that the gateway
        refused are no orders there."""
        metrics = self.metrics()
        head = 'mymt5_engine_orders_total{outcome="'
        ended = Counter(
            {
                name[len(head) : -2].lower(): int(value)
                for name, value in metrics.items()
                if name.startswith(head)
            }
        )
        open_now = int(metrics["mymt5_engine_orders_submitted_total"]) - sum(ended.values())
        del ended["refused"]
        return +ended, open_now


class Fleet:
    """The gateway and the engines that were started so far. All end with the stage."""

    def __init__(self, stage, options):
        self.stage, self.options, self.engines = stage, options, []
        self.pool = stage.enter_context(ThreadPoolExecutor(WAVE))
        most = options.engines[-1]
        names = [engine_name(number) for number in range(most)]
        make_certificates(stage, options.gateway, ",".join(names))
        seconds = len(options.engines) * options.step + 60 * options.minutes
        seconds += SPARE_S + START_S * most
        write_walk(stage.folder / "EURUSD_ticks.csv", options.rate, seconds)
        api, operations, *self.ports = free_ports(2 + most)
        self.gateway = Gateway(stage, options, names, (api, operations))
        stage.until(lambda: self.gateway.serves("mymt5_link_up"), "gateway whose link is up")

    def grow(self, count):
        """Starts engines until there are so many, and notes at which tick each of them came."""
        begin = len(self.engines)
        for wave in waves(range(begin, count)):
            for engine in [self.start(number) for number in wave]:
                self.stage.until(engine.is_connected, f"session of {engine.name}")
        for engine in self.engines[begin:]:
            self.stage.until(engine.ticks, f"tick at {engine.name}")
        for engine, behind in self.behind(self.engines[begin:]):
            engine.note(behind)

    def start(self, number):
        port = self.ports[number]
        engine = Engine(self.stage, self.options, self.gateway, number, port)
        self.engines.append(engine)
        return engine

    def behind(self, engines):
        """Each of these engines, and how many ticks it has counted less than the gateway, while the walk
        rests."""
        for wave in waves(engines):
            self.stage.until(lambda wave=wave: self.rests(wave), "rest of the walk")
            yield from self.compared

    def rests(self, wave):
        """True if no tick was on its way to one of them while they were asked."""
        ticks, counts = self.gateway.ticks(), self.counts(wave)
        self.compared = [(engine, ticks - count) for engine, count in zip(wave, counts)]
        return counts == self.counts(wave) and ticks == self.gateway.ticks()

    def counts(self, engines):
        """The ticks of each. They are asked at once: a rest is short where the machine is busy."""
        return list(self.pool.map(Engine.ticks, engines))

    def ticks(self):
        return sum(self.counts(self.engines))

    def orders(self):
        return self.gateway.metrics()["mymt5_orders_taken_total"]

    def engines_cpu_s(self):
        return sum(engine.cpu_s() for engine in self.engines)

    def engines_memory(self):
        return [engine.memory() for engine in self.engines]


# -- what is measured


@dataclass
class Sample:
    """Resident memory at a moment, MiB."""

    seconds: float
    gateway: float
    engines: float


@dataclass
class Step:
    """What so many engines cost for a while."""

    engines: int
    seconds: float
    ticks: float  # delivered, over all engines
    orders: float
    gateway_cpu_s: float
    engines_cpu_s: float
    gateway_mib: float
    gateway_own_mib: float  # of no file
    engine_mib: float  # the median's
    engine_own_mib: float
    samples: list

    def gateway_us(self):
        """Of the gateway's processor time for a delivered tick."""
        return 1e6 * self.gateway_cpu_s / self.ticks

    def engine_us(self):
        return 1e6 * self.engines_cpu_s / self.ticks

    def figures(self):
        """All of it for programs."""
        return dict(
            asdict(self), gateway_us_a_tick=self.gateway_us(), engine_us_a_tick=self.engine_us()
        )


def measure(fleet, seconds):
    gateway = fleet.gateway
    ticks, orders = fleet.ticks(), fleet.orders()
    cpu_s, engines_cpu_s, begun = gateway.cpu_s(), fleet.engines_cpu_s(), time.monotonic()
    samples = list(watch(fleet, begun, seconds))
    cpu_s, engines_cpu_s = gateway.cpu_s() - cpu_s, fleet.engines_cpu_s() - engines_cpu_s
    elapsed = time.monotonic() - begun
    ticks, orders = fleet.ticks() - ticks, fleet.orders() - orders
    if not ticks:
        raise Failure("no tick was delivered, so this measures nothing")
    memories = [[size / MIB for size in gateway.memory()]]
    memories.append([median(sizes) / MIB for sizes in zip(*fleet.engines_memory())])
    figures = [cpu_s, engines_cpu_s, *memories[0], *memories[1]]
    return Step(len(fleet.engines), elapsed, ticks, orders, *figures, samples)


def watch(fleet, begun, seconds):
    """Samples of the memory, for so long; none of them asks a process for anything."""
    while True:
        left = begun + seconds - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, SAMPLE_S))
        fleet.stage.check()
        engines = sum(whole for whole, _ in fleet.engines_memory()) / MIB
        sample = Sample(time.monotonic() - begun, fleet.gateway.memory()[0] / MIB, engines)
        tell(
            f"{len(fleet.engines)} engines, {sample.seconds:.0f} of {seconds:.0f} s: the gateway has "
            f"{sample.gateway:.1f} MiB, all engines {engines:.0f} MiB"
        )
        yield sample


@dataclass
class Growth:
    """From the second fifth of the soak to the last one, by their medians."""

    ratio: float
    mib_an_hour: float

    @classmethod
    def of(cls, samples, whose):
        fifth = max(1, len(samples) // 5)
        parts = [samples[fifth : 2 * fifth] or samples[:1], samples[-fifth:]]
        old, new = (median(getattr(sample, whose) for sample in part) for part in parts)
        before, after = (median(sample.seconds for sample in part) for part in parts)
        return cls(new / old, 3600 * (new - old) / max(after - before, 1))


# -- what must hold


@dataclass
class Verdict:
    name: str
    holds: bool
    what: str


def whole(fleet):
    """Ticks, while the walk rests."""
    waiting, lost = fleet.engines, {}
    for _ in range(RESTS):
        behind = list(fleet.behind(waiting))
        for engine, by in behind:
            if engine.has_same_session():
                lost[engine] = max(0, by - engine.missed)
            else:  # those that came meanwhile went by: from here on
                engine.note(by)
        waiting = [engine for engine, _ in behind if lost.get(engine) != 0]
    cut = fleet.gateway.metrics()["mymt5_tick_subscribers_cut_total"]
    lacking = ", ".join(f"{engine.name} {by:.0f}" for engine, by in lost.items() if by)
    what = f"{fleet.ticks():.0f} came in all, {cut:.0f} streams were cut; missing: {lacking or 'none'} "
    what += f"at the {len(lost)} of {len(fleet.engines)} engines that kept a session"
    return Verdict("ticks", bool(lost) and not lacking and not cut, what)


def counted_alike(fleet):
    """Orders: each engine's counts against the gateway's list, at a moment at which that engine has
    none under way."""
    unlike = {engine.name: engine for engine in fleet.engines}
    faults = {}
    limit = time.monotonic() + PATIENCE_S
    while unlike and time.monotonic() < limit:
        before = {name: engine.outcomes() for name, engine in unlike.items()}
        listed = defaultdict(list)
        for order in fleet.gateway.orders():
            listed[order["client"]].append(order)
        for name, engine in list(unlike.items()):
            ended, open_now = before[name]
            states = Counter(order["state"] for order in listed[name])
            ids = {order["request_id"] for order in listed[name]}
            alike = ended == states and len(ids) == len(listed[name])
            faults[name] = f"engine {dict(ended)} and {open_now} open, gateway {dict(states)}"
            if alike and not open_now and engine.outcomes() == before[name]:
                del unlike[name], faults[name]
    some = [f"{name}: {fault}" for name, fault in list(faults.items())[:8]]
    what = "; ".join(some) or "the gateway has each engine's once, in the same states"
    return Verdict("orders counted", not faults, what)


def ended_once(fleet):
    """Orders, once the engines are gone: nothing is left, and each deal is one order's."""
    fleet.stage.until(lambda: not fleet.gateway.metrics()["mymt5_orders_open"], "end of all orders")
    orders = fleet.gateway.orders()
    states = Counter(order["state"] for order in orders)
    metrics = fleet.gateway.metrics()
    fills, unknown = metrics["mymt5_fills_total"], metrics["mymt5_orders_unknown"]
    taken, open_now = metrics["mymt5_orders_taken_total"], metrics["mymt5_orders_open"]
    full = [order for order in orders if order["filled_lots"] == order["lots"]]
    holds = taken == len(orders) and fills == states["filled"] == len(full)
    holds = holds and not unknown and not open_now and len(full) > 0
    what = f"{dict(states)}, {fills:.0f} deals, {unknown:.0f} unknown, {open_now:.0f} open"
    return Verdict("orders ended", holds, what)


def steady(fleet, short):
    """Sessions: all are those of the start. On a machine that stands still for seconds some may break:
    what they lead to is judged all the same."""
    broke = sum(engine.reconnects() for engine in fleet.engines)
    failed = sum(
        engine.metrics().get('mymt5_engine_calls_total{outcome="failed"}', 0)
        for engine in fleet.engines
    )
    metrics = fleet.gateway.metrics()
    shed = metrics["mymt5_connections_shed_total"] + metrics["mymt5_calls_shed_total"]
    streams = metrics["mymt5_tick_subscribers"]
    what = f"{broke:.0f} sessions broke, {failed:.0f} calls failed, {shed:.0f} were shed, "
    what += f"{streams:.0f} streams are open"
    all_well = broke == failed == shed == 0 and streams == len(fleet.engines)
    return Verdict("sessions", all_well or short, what)


def ended_well(fleet):
    """Ends the engines, which let go of whatever is under way."""
    for engine in fleet.engines:
        engine.child.terminate()
    for engine in fleet.engines:
        end(engine.child)
        fleet.stage.children.pop(engine.name)
    statuses = Counter(engine.child.returncode for engine in fleet.engines)
    return Verdict("engines' ends", set(statuses) == {0}, f"exit codes {dict(statuses)}")


def flat_memory(soak):
    for whose in ("gateway", "engines"):
        grown = Growth.of(soak.samples, whose)
        what = f"{100 * (grown.ratio - 1):+.1f} % since a fifth of the soak had passed, "
        what += f"{grown.mib_an_hour:+.1f} MiB an hour"
        yield Verdict(f"memory, {whose}", grown.ratio <= MOST_GROWTH, what)


def bounded_memory(soak):
    most = MOST_GATEWAY_MIB + MOST_MIB_AN_ENGINE * soak.engines
    what = f"{soak.gateway_mib:.1f} of {most} MiB"
    yield Verdict("memory, gateway", soak.gateway_mib <= most, what)


def flat_cpu(steps):
    """The dearest tick of any step against the cheapest one of fewer engines."""
    for whose, of in (("gateway", Step.gateway_us), ("engines", Step.engine_us)):
        costs = [of(step) for step in steps]
        ratio = max(cost / min(costs[: at + 1]) for at, cost in enumerate(costs))
        what = ", ".join(f"{cost:.1f}" for cost in costs)
        what = f"{what} us a tick with {', '.join(str(step.engines) for step in steps)} engines"
        yield Verdict(f"CPU, {whose}", ratio <= MOST_CPU_RATIO, f"{what}: x{ratio:.2f} at most")


def judge(fleet, steps, short):
    soak = steps[-1]
    yield whole(fleet)
    yield counted_alike(fleet)
    yield steady(fleet, short)
    yield ended_well(fleet)
    yield ended_once(fleet)
    yield from bounded_memory(soak) if short else flat_memory(soak)
    if not short:
        yield from flat_cpu(steps)


# -- what is told


def table(steps):
    head = f"{'engines':>8}{'seconds':>9}{'ticks/s':>9}{'orders/s':>10}{'gateway us/tick':>17}{'% core':>8}"
    yield head + f"{'MiB':>7}{'own':>7}{'engine us/tick':>16}{'% core':>8}{'MiB':>7}{'own':>7}"
    for step in steps:
        a_second = [step.ticks / step.seconds, step.orders / step.seconds]
        cores = [100 * each / step.seconds for each in (step.gateway_cpu_s, step.engines_cpu_s)]
        line = f"{step.engines:8}{step.seconds:9.0f}{a_second[0]:9.0f}{a_second[1]:10.1f}"
        line += f"{step.gateway_us():17.1f}{cores[0]:8.1f}{step.gateway_mib:7.1f}"
        line += f"{step.gateway_own_mib:7.1f}{step.engine_us():16.1f}{cores[1]:8.1f}"
        yield line + f"{step.engine_mib:7.1f}{step.engine_own_mib:7.1f}"


def told(verdict):
    return f"{'holds' if verdict.holds else 'FAILED':8}{verdict.name}: {verdict.what}"


def report(steps, verdicts, as_json):
    if as_json:
        figures = [step.figures() for step in steps]
        print(json.dumps({"steps": figures, "verdicts": list(map(asdict, verdicts))}))
        return
    print("\n".join(table(steps)))
    print(
        "ticks are those delivered, over all engines; of the memory `own` is no file's; an engine's is\n"
        "the median's, its share of a core that of all engines"
    )
    print("\n".join(map(told, verdicts)))


def run(options):
    """True if all holds."""
    with Stage() as stage:
        try:
            fleet, steps = Fleet(stage, options), []
            for count in options.engines:
                tell(f"starting engines up to {count}")
                fleet.grow(count)
                is_soak = count == options.engines[-1]
                steps.append(measure(fleet, 60 * options.minutes if is_soak else options.step))
            verdicts = []
            for verdict in judge(fleet, steps, options.short):
                tell(told(verdict))
                verdicts.append(verdict)
            if not all(verdict.holds for verdict in verdicts):
                tell(stage.logs()[-6000:])
        except Exception as fault:
            raise Failure(f"{fault}\n{stage.logs()[-6000:]}") from fault
    report(steps, verdicts, options.json)
    return all(verdict.holds for verdict in verdicts)


def binary(name):
    named = os.environ.get(f"MYMT5_{name.upper()}")
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    built = [target / kind / f"mymt5-{name}" for kind in ("release", "debug")]
    for place in [Path(named)] if named else built:
        if os.access(place, os.X_OK):
            return place.resolve()
    fix = f"cargo build --release, or name one by MYMT5_{name.upper()}"
    raise Failure(f"no mymt5-{name}: {fix}")


def parse_options():
    what, _, more = __doc__.partition("\n")
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=what, epilog=more, formatter_class=raw)
    add = parser.add_argument
    add("--short", action="store_true", help="1, 4 and 16 engines, and some seconds of each")
    add("--engines", metavar="N,N", help="engines of the steps: 1,8,64")
    add("--step", type=float, metavar="SECONDS", help="of each step but the last: 60")
    add("--minutes", type=float, metavar="N", help="of the last step, the soak: 30")
    add("--rate", type=float, metavar="N", help="ticks a second: 300")
    add("--json", action="store_true", help="one JSON object in place of the table")
    options = parser.parse_args()
    usual = ("1,4,16", 6, 0.25, 40) if options.short else ("1,8,64", 60, 30, 300)
    for name, value in zip(("engines", "step", "minutes", "rate"), usual):
        if getattr(options, name) is None:
            setattr(options, name, value)
    counts = [int(count) if count.isdigit() else 0 for count in options.engines.split(",")]
    rises = counts == sorted(set(counts))
    if not rises or not 1 <= counts[0] <= counts[-1] <= MOST_ENGINES:
        parser.error(f"--engines are numbers that rise, from 1 to {MOST_ENGINES}")
    if min(options.step, options.minutes, options.rate) <= 0:
        parser.error("--step, --minutes and --rate are above 0")
    options.engines = counts
    return options


def main(options):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by way of all that cleans up
    try:
        options.gateway, options.engine = binary("gateway"), binary("engine")
        sys.exit(0 if run(options) else 1)
    except Failure as failure:
        sys.exit(f"error: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main(parse_options())
