"""The account's books: positions, deals, margin and money. Exact in points and units of lots."""

from . import _surface

UNITS = 10**8  # of a lot


class Refusal(Exception):
    """The trade server's answer to a request that it does not execute: a return code."""


def units(lots):
    return round(lots * UNITS)


def rounded(money):
    """To cents, half away from zero, as far as doubles carry."""
    cents = abs(money) * 100
    return (int(cents + 0.5 + 1e-7) / 100.0) * (1 if money >= 0 else -1)


def share(value, part, whole):
    """value * part / whole, rounded half away from zero."""
    scaled = abs(value) * part + whole // 2
    return (scaled // whole) * (1 if value >= 0 else -1)


class Desk:
    """One look at the state inside one transaction."""

    def __init__(self, store, market, settings):
        self.store, self.market, self.settings = store, market, settings
        self.now, self.hedging = market.now, settings["margin_mode"] == "2"
        self.visible_at, self._specs, self._quotes = 0, {}, {}

    def spec(self, name):
        if name not in self._specs:
            self._specs[name] = self.market.fields(name)
        return self._specs[name]

    def quote(self, name):
        """The tick that counts now; while missed ticks are caught up, one of those."""
        return self._quotes.get(name) or self.market.quote(name)

    def quote_at(self, name, tick):
        self._quotes[name] = tick
        self.now = tick[5] if tick else self.market.now

    def points(self, spec, price):
        """A price of the symbol's grid in points; None for another number."""
        exact = price * 10 ** spec["digits"]
        if not 0 < exact < 1e12 or abs(exact - round(exact)) > 1e-3:
            return None
        tick = max(1, round(spec["trade_tick_size"] / spec["point"]))
        return None if round(exact) % tick else round(exact)

    def price(self, spec, points):
        return round(points / 10 ** spec["digits"], spec["digits"])

    def touch(self, name, sign):
        """Where that side is dealt, in points: buys at the ask. None without a quote."""
        tick = self.quote(name)
        return tick and round(tick[2 if sign > 0 else 1] * 10 ** self.spec(name)["digits"])

    def worth(self, name, point_lots, points):
        """Points times units of lots in the account's currency; None without a rate."""
        spec = self.spec(name)
        scale = 10 ** spec["digits"]
        rate = self.market.rate(name, points / scale if points else 0.0)
        if rate is None:
            return None
        return point_lots * spec["trade_contract_size"] / (UNITS * scale) * rate

    def margin_of(self, name, lots, point_lots, points):
        leverage, spec = int(self.settings["leverage"]), self.spec(name)
        is_pair = spec["currency_base"] != spec["currency_profit"]
        if is_pair and spec["currency_base"] == self.settings["currency"]:
            return lots / UNITS * spec["trade_contract_size"] / leverage
        worth = self.worth(name, point_lots, points)
        return None if worth is None else worth / leverage

    # -- positions

    def positions(self, name=None):
        where = ("symbol = ?", (name,)) if name else ("1", ())
        return self.store.rows("positions", *where)

    def position(self, ticket):
        return next(iter(self.store.rows("positions", "ticket = ?", (ticket,))), None)

    def gain(self, row, points):
        sign = 1 if row["type"] == 0 else -1
        return sign * (points * units(row["volume"]) - int(row["point_lots"]))

    def profit(self, row):
        points = self.touch(row["symbol"], -1 if row["type"] == 0 else 1)
        worth = points and self.worth(row["symbol"], self.gain(row, points), points)
        return rounded(worth or 0.0)

    def margin(self, name, opening=None):
        """Margin of a symbol's positions, with (sign, units, points) about to be opened."""
        sides = {1: 0.0, -1: 0.0}
        for row in self.positions(name):
            sign = 1 if row["type"] == 0 else -1
            if opening and not self.hedging and opening[0] != sign:
                continue
            points, lots = self.touch(name, -sign), units(row["volume"])
            margin = self.margin_of(name, lots, int(row["point_lots"]), points) if points else None
            if margin is None:
                return None
            sides[sign] += margin
        if opening:
            sign, lots, points = opening
            margin = self.margin_of(name, lots, lots * points, points)
            if margin is None:
                return None
            sides[sign] += margin
        return rounded(max(sides.values()))

    def figures(self):
        """Balance, profit, equity, margin, free margin and its level."""
        rows = self.positions()
        balance = rounded(self.store.booked())
        profit = rounded(sum(self.profit(row) + row["swap"] for row in rows))
        margin = sum(self.margin(name) or 0.0 for name in {row["symbol"] for row in rows})
        equity = rounded(balance + profit)
        level = equity / margin * 100.0 if margin else 0.0
        return {
            "balance": balance, "profit": profit, "equity": equity, "margin": rounded(margin),
            "margin_free": rounded(equity - margin), "margin_level": level,
        }  # fmt: skip

    def afford(self, name, opening):
        after = self.margin(name, opening)
        if after is None:
            raise Refusal(10021)
        figures = self.figures()
        others = figures["margin"] - (self.margin(name) or 0.0)
        if figures["equity"] < others + after:
            raise Refusal(10019)

    # -- rows

    def clock(self):
        return self.now // 1000, self.now

    def new_order(self, request, spec, sign, kind):
        seconds, ms = self.clock()
        row = dict.fromkeys(_surface.TradeOrder._fields, 0)
        row.update(
            ticket=self.store.count("order"), time_setup=seconds, time_setup_msc=ms, type=kind,
            type_time=request["type_time"], type_filling=request["type_filling"], state=1,
            time_expiration=request["expiration"], magic=request["magic"],
            reason=3 if request["magic"] else 0,
            volume_initial=request["volume"], volume_current=request["volume"],
            price_open=request["price"], sl=request["sl"], tp=request["tp"], price_current=0.0,
            price_stoplimit=request["stoplimit"], symbol=spec["name"],
            comment=request["comment"], external_id="", closes=0,
        )  # fmt: skip
        return row

    def finish(self, order, state):
        """Moves an order into the history."""
        seconds, ms = self.clock()
        self.store.delete("orders", order["ticket"])
        row = {key: order[key] for key in _surface.TradeOrder._fields}
        row.update(state=state, time_done=seconds, time_done_msc=ms, visible_at=self.visible_at)
        quote = self.quote(order["symbol"])
        if quote:
            row["price_current"] = quote[2 if order["type"] % 2 == 0 else 1]
        self.store.put("history_orders", row)

    def fill(self, order, sign, lots, points, reason=None, comment=None, by=False):
        """Writes a volume done into position and deal; the deal's ticket."""
        spec = self.spec(order["symbol"])
        seconds, ms = self.clock()
        rows = self.positions(order["symbol"])
        if self.hedging or order["closes"]:
            wanted = order["closes"] or order["ticket"]
            rows = [row for row in rows if row["identifier"] == wanted]
        position = rows[0] if rows else None
        entry, gain, swap = 0, 0, 0.0
        if position is None:
            position = self._open(order, sign, lots, points)
        elif (position["type"] == 0) == (sign > 0):
            position["point_lots"] = str(int(position["point_lots"]) + lots * points)
            position["volume"] = (units(position["volume"]) + lots) / UNITS
            position["sl"] = order["sl"] or position["sl"]
            position["tp"] = order["tp"] or position["tp"]
            self._keep(position)
        else:
            entry, gain, swap, position = self._reduce(order, position, sign, lots, points)
        order["position_id"] = position["identifier"]
        order["volume_current"] = max(0, units(order["volume_current"]) - lots) / UNITS
        order["state"] = 3 if order["volume_current"] else 4
        row = dict.fromkeys(_surface.TradeDeal._fields, 0.0)
        commission = float(self.settings["commission_per_lot"]) * lots / UNITS
        worth = self.worth(order["symbol"], gain, points) if gain else 0.0
        row.update(
            ticket=self.store.count("deal"), order=order["ticket"], time=seconds, time_msc=ms,
            type=0 if sign > 0 else 1, entry=3 if by else entry, magic=order["magic"],
            position_id=position["identifier"], volume=lots / UNITS,
            reason=order["reason"] if reason is None else reason, price=self.price(spec, points),
            commission=rounded(-commission) or 0.0, swap=swap, profit=rounded(worth or 0.0),
            symbol=order["symbol"], comment=order["comment"] if comment is None else comment,
            external_id="", visible_at=self.visible_at,
        )  # fmt: skip
        self.store.put("deals", row)
        return row["ticket"]

    def _open(self, order, sign, lots, points, identifier=None):
        seconds, ms = self.clock()
        row = dict.fromkeys(_surface.TradePosition._fields, 0.0)
        row.update(
            ticket=order["ticket"], identifier=identifier or order["ticket"], time=seconds,
            time_msc=ms, type=0 if sign > 0 else 1, magic=order["magic"], reason=order["reason"],
            volume=lots / UNITS, sl=order["sl"], tp=order["tp"], symbol=order["symbol"],
            comment=order["comment"], external_id="", point_lots=str(lots * points),
        )  # fmt: skip
        self._keep(row)
        return row

    def _keep(self, row):
        seconds, ms = self.clock()
        spec, volume = self.spec(row["symbol"]), units(row["volume"])
        row.update(time_update=seconds, time_update_msc=ms)
        row["price_open"] = self.price(spec, share(int(row["point_lots"]), 1, volume))
        self.store.put("positions", row)

    def _reduce(self, order, position, sign, lots, points):
        """Closes, or on a netting account reverses; entry, gain, swap, the position."""
        held = units(position["volume"])
        taken = min(lots, held)
        part = share(int(position["point_lots"]), taken, held)
        gain = -sign * (points * taken - part)
        swap = position["swap"] if taken == held else rounded(position["swap"] * taken / held)
        if taken < held:
            position["volume"] = (held - taken) / UNITS
            position["point_lots"] = str(int(position["point_lots"]) - part)
            position["swap"] -= swap
            self._keep(position)
            return 1, gain, swap, position
        self.store.delete("positions", position["ticket"])
        if lots == taken:
            return 1, gain, swap, position
        turned = self._open(order, sign, lots - taken, points, position["identifier"])
        return 2, gain, swap, turned
