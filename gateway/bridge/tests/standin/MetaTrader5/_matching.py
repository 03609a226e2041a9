"""What ticks do: orders expire or are done, levels are hit. Caught up at every call, tick by tick,
so that nothing is missed while no process was there."""

from ._desk import Refusal, units
from ._server import LIMITS, STOP_LIMITS, Server, expiry, sign_of

STOP_OUT = 50.0  # as account_info().margin_so_so
MOST = 20000  # ticks of one symbol that are caught up at a time


class Matching(Server):
    """The server, moved by its market."""

    def catch_up(self):
        self._expire()
        busy = self.store.kept("busy", self._busy, "orders", "positions")
        seen = self.store.kept("seen", self._seen, "seen")
        for name in seen:
            if name not in busy:
                self.store.write("seen", "DELETE FROM seen WHERE symbol = ?", (name,))
        for name in busy:
            self._follow(name, seen.get(name))
        for seq, request in self.store.take_held():
            self.store.note_executed(seq, self.send(request)["retcode"])

    def _busy(self):
        wanted = "SELECT symbol FROM orders UNION SELECT symbol FROM positions"
        return [row["symbol"] for row in self.store.db.execute(wanted)]

    def _seen(self):
        rows = self.store.db.execute("SELECT symbol, second, k FROM seen")
        return {row["symbol"]: (row["second"], row["k"]) for row in rows}

    def _follow(self, name, seen):
        if seen is None:  # its first order or position: what came before is past
            newest = self.market.quote(name)
            if newest is None:
                return
            rows = self.market.ticks(name, newest[0], 1 << 20)
            second, k = newest[0], len(rows)
        else:
            second, k = seen
            rows = self.market.ticks(name, second, MOST + k)
            for tick in rows[k:]:
                second, k = (second, k + 1) if tick[0] == second else (tick[0], 1)
                self._tick(name, tick)
        self.quote_at(name, None)
        if (second, k) != seen:
            query = "INSERT OR REPLACE INTO seen VALUES (?, ?, ?)"
            self.store.write("seen", query, (name, second, k))

    def _tick(self, name, tick):
        self.quote_at(name, tick)
        try:
            self.tradable(name)
        except Refusal:
            return
        for order in self.store.rows("orders", "symbol = ?", (name,)):
            if order["time_setup_msc"] < tick[5] or order["time_setup_msc"] <= self.now:
                self._trigger(order)
        for position in sorted(self.positions(name), key=lambda row: row["time_msc"]):
            self._hit(position)
        self._stop_out()

    def _trigger(self, order):
        spec, kind, sign = self.spec(order["symbol"]), order["type"], sign_of(order["type"])
        touch = self.touch(order["symbol"], sign)
        if kind > 1:
            price = self.points(spec, order["price_open"])
            ahead = sign * (touch - price)
            if (ahead > 0) if kind in LIMITS else (ahead < 0):
                return
            if kind in STOP_LIMITS:
                order.update(type=kind - 4, price_open=order["price_stoplimit"], price_stoplimit=0.0)
                self.store.put("orders", order)
                return
        left = units(order["volume_current"])
        if order["closes"]:
            held = [p for p in self.positions() if p["identifier"] == order["closes"]]
            if not held:
                self.finish(order, 2)
                return
            left = min(left, units(held[0]["volume"]))
        else:
            target = self._target(order["symbol"], sign, None)
            opening = left - (units(target["volume"]) if target else 0)
            try:
                if opening > 0:
                    self.afford(order["symbol"], (sign, opening, touch))
            except Refusal:
                self.finish(order, 5)
                return
        self.fill(order, sign, left, touch)
        self.finish(order, 4)

    def _hit(self, position):
        spec, sign = self.spec(position["symbol"]), sign_of(position["type"])
        closing = self.touch(position["symbol"], -sign)
        for level, way, reason, word in ((position["sl"], -1, 4, "sl"), (position["tp"], 1, 5, "tp")):
            if level and way * sign * (closing - self.points(spec, level)) >= 0:
                text = "[{} {:.{}f}]".format(word, level, spec["digits"])
                self._close(position, -sign, closing, reason, text)
                return

    def _stop_out(self):
        """Closes the greatest losers while the margin level is below STOP_OUT percent."""
        while True:
            figures, losers = self.figures(), []
            if not figures["margin"] or figures["margin_level"] >= STOP_OUT:
                return
            for position in sorted(self.positions(), key=lambda row: row["time_msc"]):
                closing = self.touch(position["symbol"], -sign_of(position["type"]))
                losers.append((self.profit(position) + position["swap"], closing, position))
            if not losers:
                return
            _, closing, position = min(losers, key=lambda loser: loser[0])
            text = "[so {:.2f}%]".format(figures["margin_level"])
            self._close(position, -sign_of(position["type"]), closing, 6, text)

    def _close(self, position, sign, points, reason, text):
        asked = {"type_time": 0, "type_filling": 0, "expiration": 0, "magic": position["magic"],
                 "volume": position["volume"], "price": 0.0, "sl": 0.0, "tp": 0.0,
                 "stoplimit": 0.0, "comment": text}  # fmt: skip
        order = self.new_order(asked, self.spec(position["symbol"]), sign, 0 if sign > 0 else 1)
        order.update(closes=position["identifier"], reason=reason)
        self.fill(order, sign, units(position["volume"]), points, reason, text)
        self.finish(order, 4)

    def _expire(self):
        for order in self.store.rows("orders", "type_time <> 0"):
            setup = order["time_setup"]
            end = expiry(order["type_time"], order["time_expiration"], setup)
            if end is not None and end * 1000 <= self.now:
                self.finish(order, 6)
