"""Trades now and then through the chain, and follows every tick of a replay that is known."""

import random
import threading
import time
from datetime import datetime, timezone
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from parts import SYMBOLS, Chain, NeverSent, bench
from windows_python import Fault, say

AHEAD_MS = 3 * 3600 * 1000  # the broker's clock, as terminal and gateway have it
FIRST = {
    "EURUSD": (110000, 5),
    "GBPUSD": (127000, 5),
    "USDJPY": (150000, 3),
    "XAUUSD": (4000000, 3),
}
SPREAD = 12  # points
TICK_MS = 100  # between two ticks of a symbol on average; some share a millisecond
MARGIN_S = 60  # of ticks before the soak begins and after its end
ORDER_S = 1.0  # between two orders on average
LATE_S = 10  # after which a tick is missed
LOOK_S = 1.0  # between two looks at memory and ticks
GROWTH, GROWTH_MIB = 1.1, 4  # of the last quarter's memory against the second's: more is a leak
MOST_NEVER_SENT = 0.1  # of the orders: with more, nothing was soaked
HEADER = "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>"


def replay(folder, symbol, seconds, dice):
    """Writes a terminal's export of ticks that begin now, each another than those beside it; them."""
    time_ms, step = int(time.time() * 1000) + AHEAD_MS, 1
    end, (points, digits) = time_ms + seconds * 1000, FIRST[symbol]
    ticks, lines = [], [HEADER]
    while time_ms < end:
        wait_ms = dice.choice([0, TICK_MS // 2, TICK_MS, 2 * TICK_MS])
        step = dice.choice([-1, 1]) if wait_ms else step
        time_ms, points = time_ms + wait_ms, points + step
        bid, ask = (f"{price / 10**digits:.{digits}f}" for price in (points, points + SPREAD))
        at = datetime.fromtimestamp(time_ms // 1000, timezone.utc).strftime("%Y.%m.%d\t%H:%M:%S")
        lines.append(f"{at}.{time_ms % 1000:03}\t{bid}\t{ask}\t\t\t6")
        ticks.append((time_ms, float(bid), float(ask)))
    (folder / f"{symbol}.csv").write_text("\r\n".join(lines) + "\r\n")
    return ticks


class Follower(threading.Thread):
    """Holds the ticks of the gateway's stream against those that were replayed, one by one."""

    def __init__(self, trader, replayed):
        super().__init__(daemon=True)
        stubs = bench.import_module("mymt5.v1.market_data_pb2_grpc")
        proto = bench.import_module("mymt5.v1.market_data_pb2")
        request = proto.StreamTicksRequest(delivery=proto.DELIVERY_EVERY_TICK)
        self._stream = stubs.MarketDataServiceStub(trader.channel).StreamTicks(request)
        self._replayed, self.fault = replayed, None
        self._next = dict.fromkeys(replayed)  # the place of the tick that must come next
        self.ages_ms = []  # how long after its time each came
        self._heard = dict.fromkeys(replayed, time.monotonic())
        self.start()

    def run(self):
        try:
            for answer in self._stream:
                for tick in answer.ticks:
                    self._take(tick)
        except Exception as fault:  # noqa: BLE001
            self.fault = f"the ticks' stream: {fault}"

    def _take(self, tick):
        ticks, seen = self._replayed[tick.symbol], (tick.time.broker_ms, tick.bid, tick.ask)
        place = self._next[tick.symbol]
        place = ticks.index(seen) if place is None else place
        if seen != ticks[place] or tick.folded:
            raise Fault(f"{tick.symbol}: {seen} in place of {ticks[place]}, tick {place}")
        self._next[tick.symbol], self._heard[tick.symbol] = place + 1, time.monotonic()
        self.ages_ms.append(time.time() * 1000 + AHEAD_MS - seen[0])

    def check(self):
        """Whether all is well: nothing lost, nothing doubled, nothing stuck."""
        late = [name for name, at in self._heard.items() if time.monotonic() - at > LATE_S]
        if self.fault or late:
            raise Fault(self.fault or f"no tick of {late} for {LATE_S} s")

    def end(self):
        """Ends the stream; how many ticks came."""
        self.check()
        self._stream.cancel()
        self.join(LATE_S)
        return len(self.ages_ms)


def percentiles(values):
    values = sorted(values)
    return [values[len(values) * percent // 100] for percent in (50, 99)] + [values[-1]]


def quarters(values):
    """The medians of the second quarter and of the last one, once all is warm."""
    size = max(1, len(values) // 4)
    return median(values[size : 2 * size] or values), median(values[-size:])


def soak(chain, follower, trader, seconds, dice):
    """Buys and closes now and then: the milliseconds of each order, how many the gateway told were
    never sent, and the parts' memory.

    Where two cores are shared with a compiler, an order may wait so long: each call of the package
    asks Wine's one server several times, and that waits for a core each time."""
    times, never_sent, memory = [], 0, {"gateway": [], "bridge": []}
    end = time.monotonic() + seconds
    order_at = look_at = 0.0
    while (now := time.monotonic()) < end:
        if now >= order_at:
            try:
                times += bench.trade(trader, 2)
            except NeverSent as order:
                say("never sent: " + str(order).replace("\n", " "))
                never_sent += 1
            order_at = now + dice.expovariate(1 / (2 * ORDER_S))
        if now >= look_at:
            follower.check()
            for part, values in memory.items():
                values.append(chain.rss_mib(part))
            look_at = now + LOOK_S
        time.sleep(max(0.0, min(order_at, look_at, end) - time.monotonic()))
    return times, never_sent, memory


def check_orders(trader, never_sent):
    """Whether each order is filled by one deal, or is one of those that were told as never sent."""
    orders, deals = trader.orders(), sorted(deal.order_id for deal in trader.deals())
    filled = [order for order in orders if order.state == trader.types.ORDER_STATE_FILLED]
    told = [order for order in orders if trader.was_never_sent(order)]
    if sorted(order.order_id for order in filled) != deals:
        raise Fault("filled orders and deals are not the same")
    if len(told) != never_sent or len(filled) + never_sent != len(orders):
        raise Fault("an order is neither filled nor told as never sent")


def run(seconds):
    """Soaks for so long, and prints the figures."""
    dice = random.Random(seconds)
    with TemporaryDirectory(prefix="mymt5-soak-") as folder:
        until = seconds + 2 * MARGIN_S
        replayed = {name: replay(Path(folder), name, until, dice) for name in SYMBOLS}
        with Chain(*(f"--replay={folder}/{name}.csv" for name in SYMBOLS)) as chain:
            try:
                chain.until_trading()
                trader = chain.trader()
                follower = Follower(trader, replayed)
                times, never_sent, memory = soak(chain, follower, trader, seconds, dice)
                check_orders(trader, never_sent)
                count = follower.end()
            except Exception:
                say(chain.logs())
                raise
    least = min(follower.ages_ms)
    ages = percentiles([age - least for age in follower.ages_ms])
    print(f"{seconds} s, {count} ticks of {len(SYMBOLS)} symbols, each once and in its order")
    print("a tick's age p50 {:.0f}, p99 {:.0f}, most {:.0f} ms above the least".format(*ages))
    shown = "p50 {:.1f}, p99 {:.1f}, most {:.1f} ms".format(*percentiles(times))
    print(f"{len(times)} orders filled, {never_sent} never sent: {shown}")
    if never_sent > len(times) * MOST_NEVER_SENT:
        raise Fault("too many orders were never sent; is the machine too busy?")
    for part, values in memory.items():
        early, late = quarters(values)
        print(f"memory of the {part}: {early:.1f} MiB, at last {late:.1f} MiB")
        if late > early * GROWTH and late > early + GROWTH_MIB:
            raise Fault(f"the {part}'s memory grows")
