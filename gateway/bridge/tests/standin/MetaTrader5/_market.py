"""Symbols, clock, ticks and bars. The synthetic feed is a pure function of seed, symbol and second:
every process sees the same ticks, each exactly once, with equal milliseconds and bursts."""

import json
import math
import random
from functools import lru_cache

from . import _surface
from ._store import utc_ms

# base, quote, digits, contract, stops level, first price, usual spread
CATALOGUE = {
    "EURUSD": ("EUR", "USD", 5, 100000.0, 10, 1.10, 9),
    "GBPUSD": ("GBP", "USD", 5, 100000.0, 10, 1.27, 12),
    "AUDUSD": ("AUD", "USD", 5, 100000.0, 10, 0.66, 10),
    "NZDUSD": ("NZD", "USD", 5, 100000.0, 10, 0.61, 13),
    "USDJPY": ("USD", "JPY", 3, 100000.0, 10, 150.0, 10),
    "USDCHF": ("USD", "CHF", 5, 100000.0, 10, 0.88, 12),
    "USDCAD": ("USD", "CAD", 5, 100000.0, 10, 1.36, 13),
    "EURGBP": ("EUR", "GBP", 5, 100000.0, 10, 0.86, 11),
    "EURJPY": ("EUR", "JPY", 3, 100000.0, 10, 164.0, 14),
    "GBPJPY": ("GBP", "JPY", 3, 100000.0, 10, 190.0, 22),
    "AUDJPY": ("AUD", "JPY", 3, 100000.0, 10, 98.5, 15),
    "EURCHF": ("EUR", "CHF", 5, 100000.0, 10, 0.95, 16),
    "EURAUD": ("EUR", "AUD", 5, 100000.0, 10, 1.65, 20),
    "XAUUSD": ("XAU", "USD", 3, 100.0, 50, 4000.0, 200),
    "XAGUSD": ("XAG", "USD", 3, 5000.0, 20, 48.0, 25),
    "BTCUSD": ("BTC", "USD", 2, 1.0, 0, 95000.0, 1500),
    "US500": ("USD", "USD", 2, 1.0, 50, 6000.0, 50),
}
_NAMES = ["basis", "category", "bank", "description", "exchange", "formula", "isin", "page"]
_BOOLS = {"custom", "select", "visible", "spread_float", "margin_hedged_use_leg"}
_TICKS = (
    "SELECT time_msc / 1000, bid, ask, last, volume, time_msc, flags, volume_real FROM ticks"
    " WHERE symbol = ? AND time_msc <= ?"
)  # rows of copy_ticks
_INT_COUNT = 31  # the leading fields of SymbolInfo are whole numbers
_BLANK = {
    field: False if field in _BOOLS else "" if field in _NAMES else 0 if i < _INT_COUNT else 0.0
    for i, field in enumerate(_surface.SymbolInfo._fields)
}
TIMEFRAMES = {
    value: value & 0x3FFF for name, value in vars(_surface).items() if name.startswith("TIMEFRAME_")
}


def seconds_of(timeframe):
    """Length of a bar; months are taken as 30 days."""
    unit = {0: 60, 1: 3600, 2: 7 * 86400, 3: 30 * 86400}[timeframe >> 14]
    return unit * (timeframe & 0x3FFF)


@lru_cache(maxsize=4096)
def synthetic(seed, name, second, count, digits, price, spread):
    """The ticks of one second: visible from, row of copy_ticks."""
    dice = random.Random(f"{seed}/{name}/{second:d}")
    width = 60 if second % 10 == 7 else 1000  # now and then all at once
    offsets = sorted(dice.randrange(width) for _ in range(count))
    for i in range(1, count):
        if dice.random() < 0.1:
            offsets[i] = offsets[i - 1]
    offsets.sort()
    scale = 10**digits
    base = round(price * scale)
    middle = base + spread * 15 * math.sin(second / 97.0) + spread * 40 * math.sin(second / 2749.0)
    ticks, visible, tie = [], 0, 0
    for i, offset in enumerate(offsets):
        tie = tie + 1 if i and offset == offsets[i - 1] else 0
        visible = max(visible, offset + tie)  # equal milliseconds do not arrive together
        bid = round(middle) + dice.randrange(-spread // 2, spread // 2 + 1)
        at = second * 1000 + offset
        row = (at // 1000, bid / scale, (bid + spread) / scale, 0.0, 0, at, 6, 0.0)
        ticks.append((second * 1000 + visible, row))
    return ticks


class Market:
    """What is quoted, at one moment."""

    def __init__(self, store, settings):
        self.store, self.settings = store, settings
        clock = settings["clock"] or ("manual" if settings["feed"] == "manual" else "real")
        if clock == "real":
            self.now = utc_ms() + int(settings["offset_s"]) * 1000
        else:
            self.now = max(int(settings["clock_ms"]), store.kept("newest", self._newest_ms, "ticks"))
        self._symbols, self._quotes = None, {}

    def _newest_ms(self):
        return self.store.db.execute("SELECT max(time_msc) FROM ticks").fetchone()[0] or 0

    def symbols(self):
        """Each symbol's line as in the catalogue, and the fields that differ."""
        if self._symbols is None:
            self._symbols = self.store.kept("symbols", self._read_symbols, "symbols", "settings")
        return self._symbols

    def _read_symbols(self):
        suffix = self.settings["suffix"]
        specs, fields = {name + suffix: line for name, line in CATALOGUE.items()}, {}
        for row in self.store.db.execute("SELECT name, fields FROM symbols"):
            fields[row["name"]] = json.loads(row["fields"])
            known = specs.get(row["name"]) or CATALOGUE.get(row["name"][:6])
            specs[row["name"]] = known or ("USD", "USD", 2, 1.0, 10, 1000.0, 20)
        return specs, fields

    def specs(self):
        return self.symbols()[0]

    def fields(self, name):
        """A symbol's row as symbol_info has it; None for an unknown name."""
        if name not in self.specs():
            return None
        still = ("fields", name), lambda: self._still(name)
        row = dict(self.store.kept(*still, "symbols", "settings"))
        digits, contract = self.specs()[name][2:4]
        tick = self.quote(name)
        if tick:
            row.update(bid=tick[1], ask=tick[2], time=tick[0])
            row["bidhigh"] = row["bidlow"] = tick[1]
            row["askhigh"] = row["asklow"] = tick[2]
            row["spread"] = round((tick[2] - tick[1]) * 10**digits)
        rate = self.rate(name, tick[1] if tick else 0.0)
        value = contract * row["trade_tick_size"] * (rate or 0.0)
        value = float(f"{value:.10g}")
        row["trade_tick_value"] = value
        row["trade_tick_value_profit"] = row["trade_tick_value_loss"] = value
        return row

    def _still(self, name):
        """What the market does not move in a symbol's row."""
        base, quote, digits, contract, stops, _, spread = self.specs()[name]
        row = dict(
            _BLANK,
            select=True, visible=True, digits=digits, spread=spread, spread_float=True,
            trade_mode=4, trade_stops_level=stops, trade_exemode=2, filling_mode=2,
            expiration_mode=15, order_mode=127, swap_mode=0, swap_rollover3days=3,
            point=10.0**-digits, trade_tick_size=10.0**-digits, trade_contract_size=contract,
            volume_min=0.01, volume_max=100.0, volume_step=0.01, volume_limit=0.0,
            currency_base=base, currency_profit=quote, currency_margin=base,
            name=name, path="StandIn\\" + name, description=name,
        )  # fmt: skip
        row["point"] = row["trade_tick_size"] = float(f"1e-{digits}")
        row.update(self.symbols()[1].get(name, {}))
        return {field: row[field] for field in _surface.SymbolInfo._fields}

    def extra(self, name, key, default=None):
        """A setting of one symbol that symbol_info does not show, e.g. `closed`."""
        return self.symbols()[1].get(name, {}).get(key, default)

    def ticks(self, name, second, count, skip=0):
        """Up to `count` visible ticks from a whole second on, as rows of copy_ticks."""
        if self.settings["feed"] == "manual":
            rows = self.store.db.execute(
                f"{_TICKS} AND time_msc >= ? ORDER BY time_msc, seq LIMIT ?",
                (name, self.now, second * 1000, count),
            )
            return list(map(tuple, rows))
        rows, last = [], self._last_ms()
        while second * 1000 <= last and len(rows) < count:
            rows.extend(self._second(name, second, last))
            second += 1
        return rows[:count]

    def _last_ms(self):
        until = self.settings["feed_until"]
        return min(self.now, int(until)) if until else self.now

    def _second(self, name, second, last):
        _, _, digits, _, _, price, spread = self.specs()[name]
        count, seed = int(self.settings["ticks_per_second"]), self.settings["seed"]
        made = synthetic(seed, name, second, count, digits, price, spread)
        return [row for visible, row in made if visible <= last]

    def quote(self, name):
        """The newest tick as a row of copy_ticks; None before the first."""
        if name not in self._quotes:
            self._quotes[name] = self._quote(name) if name in self.specs() else None
        return self._quotes[name]

    def _quote(self, name):
        if self.settings["feed"] == "manual":
            newest = f"{_TICKS} ORDER BY time_msc DESC, seq DESC LIMIT 1"
            row = self.store.db.execute(newest, (name, self.now)).fetchone()
            return tuple(row) if row else None
        last = self._last_ms()
        for second in range(last // 1000, last // 1000 - 60, -1):
            rows = self._second(name, second, last)
            if rows:
                return rows[-1]
        return None

    def rate(self, name, price):
        """From the symbol's quote currency to the account's; None while unknown."""
        base, quote = self.specs()[name][:2]
        account = self.settings["currency"]
        if quote == account:
            return 1.0
        if base == account:
            return 1.0 / price if price else None
        for other, line in self.specs().items():
            if other.startswith((quote + account, account + quote)):
                tick = self.quote(other)
                if tick:
                    return tick[1] if line[0] == quote else 1.0 / tick[2]
        return None

    def bars(self, name, timeframe, first, last):
        """Bars that open in [first, last], rows of copy_rates."""
        size = seconds_of(timeframe)
        start, bars = first // size * size, []
        if start < first:
            start += size
        while start <= min(last, self.now // 1000):
            bar = self._bar(name, start, size)
            if bar:
                bars.append(bar)
            start += size
        return bars

    def last_bars(self, name, timeframe, last, count):
        """The last `count` bars that open at or before `last`: a period without ticks has none."""
        size = seconds_of(timeframe)
        if self.settings["feed"] != "manual":
            return self.bars(name, timeframe, last - size * count, last)[-count:]
        openings = {tick[0] // size * size for tick in self.ticks(name, 1, 1 << 20)}
        openings = [start for start in sorted(openings) if start <= last]
        return [self._bar(name, start, size) for start in openings[-count:]]

    def _bar(self, name, start, size):
        if self.settings["feed"] == "manual":
            end = start + size
            ticks = [t for t in self.ticks(name, start, 1 << 20) if t[0] < end]
            scale = 10 ** self.specs()[name][2]
            spread = min((round((t[2] - t[1]) * scale) for t in ticks), default=0)
        else:
            last = self._last_ms()
            points = [start + size * i // 8 for i in range(8)] + [start + size - 1]
            ticks = [t for second in points for t in self._second(name, second, last)[-1:]]
            spread = self.specs()[name][6]
        if not ticks:
            return None
        bids = [t[1] for t in ticks]
        number = len(ticks)
        return (start, bids[0], max(bids), min(bids), bids[-1], number, spread, 0)
