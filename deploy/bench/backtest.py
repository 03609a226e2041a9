"""Times backtests of past ticks beside NautilusTrader's, with the same strategy and the same fills.

    cargo build --release -p mymt5-engine
    python3 deploy/bench/backtest.py AUDUSD_ticks.csv

The file is a tick export of the terminal, of a symbol in US dollars; the strategy that of
engine/examples/ema_reverse.toml. Both must come to the same orders and the same profit, or the run
fails. They take turns; a rate is the median of the rounds', a ratio the median of the rounds' ratios.

Time is processor time, so that a busy machine does not matter much. Of MyMT5 it is that of the whole
process, which reads the file; of NautilusTrader that of the run alone, with its ticks in memory.

At last the same ticks are traded 1, 2, 4 and 8 times over: rate and greatest memory should stay. Linux,
Python 3.11 or newer; the first run installs NautilusTrader into an environment of its own.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "engine/examples/ema_reverse.toml"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
BUILD = "cargo build --release -p mymt5-engine"
NEEDED = ["nautilus_trader"]
NEVER = ("warmup = 20", "warmup = 1000000000")
TIMES = (1, 2, 4, 8)
FAST, SLOW, WARM_UP, LOT = 10, 20, 20, 100_000
TIME = "%Y.%m.%d\t%H:%M:%S.%f"


class Failure(Exception):
    """What stopped the benchmark, and what to do about it."""


def tell(text):
    print(text, file=sys.stderr, flush=True)


def enter(venv):
    """Goes on inside the environment, made again where it is not there or is another version's."""
    if Path(sys.prefix).resolve() == venv.resolve():
        return
    python, stamp = str(venv / "bin/python"), venv / "mymt5-bench.txt"
    wanted = "\n".join([sys.version, *NEEDED])
    if not stamp.exists() or stamp.read_text() != wanted:
        tell(f"installing NautilusTrader into {venv}")
        fix = "install your distribution's python3-venv, or name another folder by --venv"
        finish([sys.executable, "-m", "venv", "--clear", str(venv)], fix)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        only = ["--only-binary", ":all:"]
        fix = "it needs a package index: PIP_INDEX_URL names another one"
        finish([*pip, *only, *NEEDED], fix)
        stamp.write_text(wanted)
    os.execv(python, [python, *sys.argv])


def finish(words, fix):
    """Runs a program to its end: its output."""
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    if done.returncode:
        raise Failure(f"{' '.join(words)} failed: {fix}\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


# -- the ticks


def rows(path):
    """Time, bid and ask of each tick; a side that is blank is what it was before."""
    bid = ask = None
    with open(path) as lines:
        next(lines)
        for line in lines:
            fields = line.rstrip("\n").split("\t")
            bid, ask = fields[2] or bid, fields[3] or ask
            if bid and ask:
                yield datetime.strptime("\t".join(fields[:2]), TIME), bid, ask


def write_times(path, times, out):
    """The same ticks so many times, one after the other."""
    with open(path) as lines:
        header, *body = lines
    first, last = (body[at].split("\t")[0] for at in (0, -1))
    first, last = (datetime.strptime(date, "%Y.%m.%d") for date in (first, last))
    span = last - first + timedelta(days=1)
    with open(out, "w") as file:
        file.write(header)
        for turn in range(times):
            shown = {}
            for line in body:
                date, rest = line.split("\t", 1)
                if date not in shown:
                    later = datetime.strptime(date, "%Y.%m.%d") + turn * span
                    shown[date] = later.strftime("%Y.%m.%d")
                file.write(f"{shown[date]}\t{rest}")
    return len(body) * times


# -- the candidates


def mymt5(engine, config, ticks):
    """A backtest of ours: its outcome, its seconds, its greatest memory in MiB."""
    words = [str(engine), "backtest", "--config", str(config), "--ticks", str(ticks), "--json"]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    said = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise Failure(f"{' '.join(words)} ended with status {child.returncode}")
    return json.loads(said), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def nautilus(ticks):
    """A backtest of NautilusTrader in a process of its own: its outcome and its seconds."""
    said = finish([sys.executable, __file__, "--peer", str(ticks)], "remove the folder of --venv")
    outcome = json.loads(said.splitlines()[-1])
    return outcome, outcome["seconds"]


def peer(ticks):
    """Runs the strategy in NautilusTrader, and prints what came of it."""
    from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
    from nautilus_trader.config import LoggingConfig, StrategyConfig
    from nautilus_trader.model.currencies import USD
    from nautilus_trader.model.data import QuoteTick
    from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
    from nautilus_trader.model.identifiers import Venue
    from nautilus_trader.model.objects import Money, Price, Quantity
    from nautilus_trader.test_kit.providers import TestInstrumentProvider
    from nautilus_trader.trading.strategy import Strategy

    venue = Venue("SIM")
    pair = TestInstrumentProvider.default_fx_ccy("AUD/USD", venue)
    free = dict(pair.to_dict(pair), maker_fee="0", taker_fee="0")
    pair = type(pair).from_dict(free)
    size = Quantity(10_000_000, pair.size_precision)

    class EmaReverse(Strategy):
        def __init__(self):
            super().__init__(StrategyConfig())
            self.fast = self.slow = self.above = None
            self.seen = self.sent = 0

        def on_start(self):
            self.subscribe_quote_ticks(pair.id)

        def on_quote_tick(self, tick):
            mid = (tick.bid_price.as_double() + tick.ask_price.as_double()) / 2
            if self.seen == 0:
                self.fast = self.slow = mid
            else:
                self.fast += 2 / (FAST + 1) * (mid - self.fast)
                self.slow += 2 / (SLOW + 1) * (mid - self.slow)
            self.seen += 1
            if self.seen < WARM_UP or self.fast == self.slow:
                return
            before, self.above = self.above, self.fast > self.slow
            if before is not None and before != self.above:
                side = OrderSide.BUY if self.above else OrderSide.SELL
                self.send(side, LOT if self.sent == 0 else 2 * LOT)

        def send(self, side, units):
            self.sent += 1
            quantity = Quantity(units, pair.size_precision)
            self.submit_order(self.order_factory.market(pair.id, side, quantity))

        def on_stop(self):
            self.sent += 1
            self.close_all_positions(pair.id)

    def quote(row):
        at, bid, ask = row
        ns = int(at.replace(tzinfo=timezone.utc).timestamp() * 1000) * 1_000_000
        return QuoteTick(pair.id, Price.from_str(bid), Price.from_str(ask), size, size, ns, ns)

    quiet = LoggingConfig(bypass_logging=True)
    engine = BacktestEngine(BacktestEngineConfig(logging=quiet, run_analysis=False))
    engine.add_venue(
        venue=venue,
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        base_currency=USD,
        starting_balances=[Money(100_000, USD)],
        default_leverage=Decimal(100),
    )
    engine.add_instrument(pair)
    engine.add_data([quote(row) for row in rows(ticks)])
    strategy = EmaReverse()
    engine.add_strategy(strategy)
    begun = time.process_time()
    engine.run()
    seconds = time.process_time() - begun
    balance = engine.portfolio.account(venue).balance_total(USD).as_double()
    profit = round(balance - 100_000, 2)
    print(json.dumps({"orders": strategy.sent, "net_profit": profit, "seconds": seconds}))


# -- the run


def compare(asked, ticks, count, folder):
    never = folder / "never.toml"
    never.write_text(EXAMPLE.read_text().replace(*NEVER))
    taken = {"MyMT5": [], "MyMT5, no trade": [], "NautilusTrader": []}
    for _ in range(asked.rounds):
        own, own_seconds, _ = mymt5(asked.engine, EXAMPLE, ticks)
        _, idle_seconds, _ = mymt5(asked.engine, never, ticks)
        other, other_seconds = nautilus(ticks)
        came_to = [(out["orders"], out["net_profit"]) for out in (own, other)]
        if came_to[0] != came_to[1]:
            raise Failure(f"orders and profit differ: {came_to[0]} here, {came_to[1]} there")
        for seconds, name in zip((own_seconds, idle_seconds, other_seconds), taken):
            taken[name].append(seconds)
    for name, seconds in taken.items():
        ratios = [other / own for own, other in zip(seconds, taken["NautilusTrader"])]
        rate = count / median(seconds)
        print(f"{name:<18} {rate:>12,.0f} ticks/s {median(ratios):>8.1f} times NautilusTrader")
    print(f"{came_to[0][0]} orders, {came_to[0][1]:.2f} USD on each side")


def grow(asked, ticks, folder):
    for times in TIMES:
        file = folder / f"{asked.symbol}_{times}.csv"
        count = write_times(ticks, times, file)
        runs = [mymt5(asked.engine, EXAMPLE, file) for _ in range(asked.rounds)]
        rate = count / median(seconds for _, seconds, _ in runs)
        memory = median(memory for _, _, memory in runs)
        print(f"{count:>9,} ticks {rate:>12,.0f} ticks/s {memory:>8.1f} MiB")


def main():
    parser = argparse.ArgumentParser(description="Times backtests beside NautilusTrader's.")
    parser.add_argument("ticks", type=Path, help="a tick export of the terminal")
    parser.add_argument("--engine", type=Path, default=ROOT / "target/release/mymt5-engine")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--symbol", default="AUDUSD", help="of the ticks (AUDUSD)")
    parser.add_argument("--venv", type=Path, default=CACHE / "mymt5/backtest-bench")
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.peer:
        return peer(asked.ticks)
    if not asked.engine.exists():
        raise Failure(f"there is no {asked.engine}: run {BUILD}, or name it by --engine")
    enter(asked.venv)
    with TemporaryDirectory(prefix="mymt5-bench-") as folder:
        folder = Path(folder)
        once = folder / f"{asked.symbol}_once.csv"
        count = write_times(asked.ticks, 1, once)
        compare(asked, once, count, folder)
        grow(asked, asked.ticks, folder)
    return None


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"error: {failure}")
