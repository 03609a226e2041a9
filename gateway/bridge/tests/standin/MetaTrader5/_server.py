"""The trade server: what it refuses, and what it does with the rest."""

from ._arguments import DEFAULTS
from ._desk import Desk, Refusal, units

LIMITS, STOPS, STOP_LIMITS = (2, 3), (4, 5), (6, 7)
DAY = 86400
TEXTS = {0: "Done", 10004: "Requote", 10008: "Order placed", 10009: "Request executed"}


def sign_of(kind):
    return 1 if kind % 2 == 0 else -1


class Server(Desk):
    """Desk plus requests."""

    def send(self, request, fault=(None, {})):
        """Answers one request: retcode, deal, order, volume, price."""
        kind, args = fault
        request = dict(DEFAULTS, **request)
        request["comment"] = request["comment"][:31]
        if kind == "late_history":
            from ._store import utc_ms

            self.visible_at = utc_ms() + int(args.get("ms", 1000))
        try:
            if kind in ("retcode", "requote"):
                raise Refusal(10004 if kind == "requote" else args["code"])
            self._check_account()
            part = float(args.get("fraction", 0.5)) if kind == "partial" else None
            answer = self._dispatch(request, part)
        except Refusal as refusal:
            answer = {"retcode": refusal.args[0]}
        return dict({"deal": 0, "order": 0, "volume": 0.0, "price": 0.0}, **answer)

    def trial(self, request):
        """What a request would be answered, and the account's figures then; nothing of it stays."""
        with self.store.trial():
            return self.send(request), self.figures()

    def _check_account(self):
        if self.settings["terminal_trade_allowed"] != "1":
            raise Refusal(10027)
        allowed = (self.settings["account_trade_allowed"], self.settings["account_trade_expert"])
        if allowed != ("1", "1"):
            raise Refusal(10026)

    def _dispatch(self, request, part):
        actions = {1: self._deal, 5: self._pending, 6: self._levels, 7: self._modify,
                   8: self._remove, 10: self._close_by}  # fmt: skip
        if request["action"] not in actions:
            raise Refusal(10013)
        return actions[request["action"]](request, part)

    def tradable(self, name):
        spec = self.spec(name)
        if spec is None:
            raise Refusal(10013)
        if spec["trade_mode"] == 0:
            raise Refusal(10017)
        bid = self.touch(name, -1)
        if not bid or self.worth(name, 0, bid) is None:
            raise Refusal(10021)
        if self.settings["market_open"] != "1" or self.market.extra(name, "closed"):
            raise Refusal(10018)
        return spec

    # -- rules

    def _volume(self, spec, lots):
        least, step, most = (units(spec["volume_" + k]) for k in ("min", "step", "max"))
        if not least <= lots <= most or (lots - least) % step:
            raise Refusal(10014)

    def _direction(self, spec, sign):
        wrong = {1: (10042, -1), 2: (10043, 1)}.get(spec["trade_mode"])
        if spec["trade_mode"] == 3:
            raise Refusal(10044)
        if wrong and wrong[1] == sign:
            raise Refusal(wrong[0])

    def _check_levels(self, spec, sign, reference, sl, tp):
        gap = max(1, spec["trade_stops_level"])
        for price, way in ((sl, -1), (tp, 1)):
            if price:
                points = self.points(spec, price)
                if points is None or way * sign * (points - reference) < gap:
                    raise Refusal(10016)

    def _frozen(self, spec, market, prices):
        level = spec["trade_freeze_level"]
        scale = 10 ** spec["digits"]
        if level and any(p and abs(round(p * scale) - market) <= level for p in prices):
            raise Refusal(10029)

    def _filling(self, spec, filling, pending):
        mask, mode = spec["filling_mode"], spec["trade_exemode"]
        bit = {0: 1, 1: 2, 3: 4}.get(filling, 0)
        if filling == 2:
            fits = pending or mode == 3 or (mode == 2 and not mask & 3)
        elif filling == 3:
            fits = pending and mask & bit
        elif mode in (0, 1):
            fits = filling == 0 and mask & 1
        else:
            fits = mask & bit
        if not fits:
            raise Refusal(10030)

    def _within_limits(self, spec, sign, lots):
        most = units(spec["volume_limit"])
        if not most or not lots:
            return
        held = [p for p in self.positions(spec["name"]) if sign_of(p["type"]) == sign]
        working = self.store.rows("orders", "symbol = ? AND closes = 0", (spec["name"],))
        lots += sum(units(p["volume"]) for p in held)
        lots += sum(units(o["volume_current"]) for o in working if sign_of(o["type"]) == sign)
        if lots > most:
            raise Refusal(10034)

    def _target(self, name, sign, closes):
        rows = [p for p in self.positions(name) if sign_of(p["type"]) != sign]
        if closes:
            rows = [p for p in rows if p["ticket"] == closes["ticket"]]
        elif self.hedging:
            rows = []
        return rows[0] if rows else None

    def _lifetime(self, request, setup=None):
        """An order's life, counted from its setup, must not be over."""
        end = expiry(request["type_time"], request["expiration"], setup or self.now // 1000)
        if request["type_time"] not in (0, 1, 2, 3) or (end is not None and end * 1000 <= self.now):
            raise Refusal(10022)

    # -- actions

    def _deal(self, r, part):
        spec = self.tradable(r["symbol"])
        if r["type"] not in (0, 1):
            raise Refusal(10013)
        closes = self.position(r["position"]) if r["position"] else None
        if r["position"] and closes is None:
            raise Refusal(10036)
        if closes and closes["symbol"] != r["symbol"]:
            raise Refusal(10013)
        sign, lots, name = sign_of(r["type"]), units(r["volume"]), r["symbol"]
        touch = self.touch(name, sign)
        self._check_deal(spec, r, sign, lots, touch, closes)
        self._filling(spec, r["type_filling"], False)
        if spec["trade_exemode"] in (0, 1):
            asked = self.points(spec, r["price"])
            if asked is None:
                raise Refusal(10015)
            if abs(asked - touch) > r["deviation"]:
                raise Refusal(10004)
        if part is not None and r["type_filling"] == 0:
            raise Refusal(10006)  # fill or kill
        done = lots if part is None else max(1, int(lots * part / units(spec["volume_step"])))
        if part is not None:
            done = min(lots, done * units(spec["volume_step"]))
        order = self.new_order(dict(r, price=0.0), spec, sign, r["type"])
        order["closes"] = closes["identifier"] if closes else 0
        deal = self.fill(order, sign, done, touch)
        if done == lots:
            self.finish(order, 4)
        elif r["type_filling"] == 2:
            self.store.put("orders", order)
        else:
            self.finish(order, 2)
        return {
            "retcode": 10009 if done == lots else 10010, "deal": deal, "order": order["ticket"],
            "volume": done / 10**8, "price": self.price(spec, touch),
        }  # fmt: skip

    def _check_deal(self, spec, r, sign, lots, touch, closes):
        name = spec["name"]
        target = self._target(name, sign, closes)
        held = units(target["volume"]) if target else 0
        if not (target and held == lots and lots <= units(spec["volume_max"])):
            self._volume(spec, lots)
        if closes:
            if target is None:
                raise Refusal(10013)
            if lots > held and self.hedging:
                raise Refusal(10038)  # a netting position is reversed
            if self.store.rows("orders", "closes = ?", (closes["identifier"],)):
                raise Refusal(10039)
        if target:
            self._frozen(spec, touch, (target["sl"], target["tp"]))
        opening = lots - held
        if opening <= 0:
            return
        self._direction(spec, sign)
        self._check_levels(spec, sign, self.touch(name, -sign), r["sl"], r["tp"])
        self._within_limits(spec, sign, opening)
        most, positions = self.settings["limit_positions"], self.positions()
        joins = not self.hedging and any(p["symbol"] == name for p in positions)
        if most and not joins and len(positions) >= int(most):
            raise Refusal(10040)
        self.afford(name, (sign, opening, touch))

    def _check_pending(self, spec, r, kind):
        sign, price = sign_of(kind), self.points(spec, r["price"])
        if bool(r["stoplimit"]) != (kind in STOP_LIMITS):
            raise Refusal(10013)
        limit = self.points(spec, r["stoplimit"]) if r["stoplimit"] else None
        gap = max(1, spec["trade_stops_level"])
        if price is None or (r["stoplimit"] and limit is None):
            raise Refusal(10015)
        ahead = sign * (price - self.touch(spec["name"], sign))
        if (-ahead if kind in LIMITS else ahead) < gap:
            raise Refusal(10015)
        if limit is not None and -sign * (limit - price) < gap:
            raise Refusal(10015)
        self._check_levels(spec, sign, limit or price, r["sl"], r["tp"])

    def _pending(self, r, part):
        spec = self.tradable(r["symbol"])
        if r["type"] not in LIMITS + STOPS + STOP_LIMITS:
            raise Refusal(10013)
        sign, lots = sign_of(r["type"]), units(r["volume"])
        self._volume(spec, lots)
        self._check_pending(spec, r, r["type"])
        self._lifetime(r)
        self._filling(spec, r["type_filling"], True)
        target = self._target(spec["name"], sign, None)
        opening = lots - (units(target["volume"]) if target else 0)
        if opening > 0:
            self._direction(spec, sign)
            self._within_limits(spec, sign, opening)
        most = int(self.settings["limit_orders"])
        if most and len(self.store.rows("orders")) >= most:
            raise Refusal(10033)
        order = self.new_order(r, spec, sign, r["type"])
        self.store.put("orders", order)
        price = self.price(spec, self.points(spec, r["price"]))
        placed = int(self.settings["pending_retcode"])
        return {"retcode": placed, "order": order["ticket"], "volume": r["volume"], "price": price}

    def _levels(self, r, part):
        position = self.position(r["position"])
        if not r["position"] and not self.hedging:
            position = next(iter(self.positions(r["symbol"])), None)
        if position is None:
            raise Refusal(10036)
        spec, sign = self.tradable(position["symbol"]), sign_of(position["type"])
        if (position["sl"], position["tp"]) == (r["sl"], r["tp"]):
            raise Refusal(10025)
        closing = self.touch(spec["name"], -sign)
        self._frozen(spec, closing, (position["sl"], position["tp"]))
        self._check_levels(spec, sign, closing, r["sl"], r["tp"])
        seconds, ms = self.clock()
        position.update(sl=r["sl"], tp=r["tp"], time_update=seconds, time_update_msc=ms)
        self.store.put("positions", position)
        return {"retcode": 10009}

    def _reach(self, ticket):
        order = next(iter(self.store.rows("orders", "ticket = ?", (ticket,))), None)
        if order is None:
            past = self.store.rows("history_orders", "ticket = ?", (ticket,))
            raise Refusal(10023 if past else 10035)
        spec = self.tradable(order["symbol"])
        touch = self.touch(spec["name"], sign_of(order["type"]))
        self._frozen(spec, touch, (order["price_open"],))
        return order, spec

    def _modify(self, r, part):
        order, spec = self._reach(r["order"])
        new = {"price_open": r["price"], "price_stoplimit": r["stoplimit"], "sl": r["sl"],
               "tp": r["tp"], "type_time": r["type_time"], "time_expiration": r["expiration"]}  # fmt: skip
        if all(order[key] == value for key, value in new.items()):
            raise Refusal(10025)
        self._check_pending(spec, r, order["type"])
        self._lifetime(r, order["time_setup"])
        self.store.put("orders", dict(order, **new))
        return {"retcode": 10009, "order": r["order"], "price": r["price"]}

    def _remove(self, r, part):
        order, _spec = self._reach(r["order"])
        self.finish(order, 2)
        return {"retcode": 10009, "order": r["order"]}

    def _close_by(self, r, part):
        first, second = self.position(r["position"]), self.position(r["position_by"])
        if not self.hedging:
            raise Refusal(10013)
        if first is None or second is None:
            raise Refusal(10036)
        if first["symbol"] != second["symbol"] or first["type"] == second["type"]:
            raise Refusal(10013)
        spec = self.tradable(first["symbol"])
        lots = min(units(first["volume"]), units(second["volume"]))
        deal, asked = 0, dict(r, volume=lots / 10**8, sl=0.0, tp=0.0)
        order = self.new_order(asked, spec, 1, 8)
        order["position_by_id"] = second["identifier"]
        at = self.points(spec, second["price_open"])  # where the opposite was opened: one gain
        for position in (first, second):
            order["closes"], order["volume_current"] = position["identifier"], lots / 10**8
            sign = -sign_of(position["type"])
            done = self.fill(order, sign, lots, at, by=True)
            deal = deal or done
        order["position_id"] = first["identifier"]
        self.finish(order, 4)
        return {"retcode": 10009, "deal": deal, "order": order["ticket"], "volume": lots / 10**8}


def expiry(type_time, expiration, now):
    """When an order's life ends, in seconds; None for never."""

    def day_end(seconds):
        return seconds // DAY * DAY + DAY

    return {1: day_end(now), 2: expiration, 3: day_end(expiration)}.get(type_time)
