"""The package's functions about orders, positions, deals and trading."""

from . import _surface as s
from ._arguments import INVALID, Fail, in_group
from ._link import package_call, shown
from ._quotes import known
from ._server import TEXTS
from ._store import EXECUTED, utc_ms


def _filtered(rows, symbol, group, ticket):
    return [
        row
        for row in rows
        if (symbol is None or row["symbol"] == symbol)
        and (group is None or in_group(row["symbol"], group))
        and (ticket is None or row["ticket"] == ticket)
    ]


def _order(desk, row):
    row = {key: row[key] for key in s.TradeOrder._fields}
    spec, tick = desk.spec(row["symbol"]), desk.market.quote(row["symbol"])
    if tick and spec:
        row["price_current"] = tick[2 if row["type"] % 2 == 0 else 1]
    return s.TradeOrder(**row)


def _position(desk, row):
    profit = desk.profit(row)
    row = {key: row[key] for key in s.TradePosition._fields}
    tick = desk.market.quote(row["symbol"])
    row["profit"] = profit
    row["price_current"] = tick[1 if row["type"] == 0 else 2] if tick else 0.0
    return s.TradePosition(**row)


@package_call
def orders_total(desk):
    return len(shown(desk, "orders").store.rows("orders"))


@package_call
def orders_get(desk, symbol=None, group=None, ticket=None):
    rows = _filtered(shown(desk, "orders").store.rows("orders"), symbol, group, ticket)
    return tuple(_order(desk, row) for row in rows)


@package_call
def positions_total(desk):
    return len(shown(desk, "positions").positions())


@package_call
def positions_get(desk, symbol=None, group=None, ticket=None):
    rows = _filtered(shown(desk, "positions").positions(), symbol, group, ticket)
    return tuple(_position(desk, row) for row in rows)


def _past(desk, table, date_from, date_to, ticket, position):
    """Where the past is shown, and which of it is asked for: a store, a condition, its values."""
    when = "time_done" if table == "history_orders" else "time"
    where, values = "visible_at <= ?", [utc_ms()]
    if date_from is not None:
        where += f" AND {when} >= ? AND {when} <= ?"
        values += [date_from, date_to]
    if ticket is not None:
        where += " AND ticket = ?"
        values.append(ticket)
    if position is not None:
        where += " AND position_id = ?"
        values.append(position)
    desk = shown(desk, "deals" if table == "deals" else "orders")
    return desk.store, where, values


def _history(desk, table, date_from, date_to, group, ticket, position):
    store, where, values = _past(desk, table, date_from, date_to, ticket, position)
    kind = s.TradeDeal if table == "deals" else s.TradeOrder
    rows = store.records(table, kind, where, values)
    return tuple(row for row in rows if group is None or in_group(row.symbol, group))


def _total(desk, table, date_from, date_to):
    store, where, values = _past(desk, table, date_from, date_to, None, None)
    return store.total(table, where, values)


@package_call
def history_orders_total(desk, date_from, date_to):
    return _total(desk, "history_orders", date_from, date_to)


@package_call
def history_orders_get(desk, date_from=None, date_to=None, group=None, ticket=None, position=None):
    return _history(desk, "history_orders", date_from, date_to, group, ticket, position)


@package_call
def history_deals_total(desk, date_from, date_to):
    return _total(desk, "deals", date_from, date_to)


@package_call
def history_deals_get(desk, date_from=None, date_to=None, group=None, ticket=None, position=None):
    return _history(desk, "deals", date_from, date_to, group, ticket, position)


# -- trading


@package_call
def order_check(desk, request):
    answer, row = desk.trial(request)
    retcode = 0 if answer["retcode"] in EXECUTED else answer["retcode"]
    row["comment"] = TEXTS.get(retcode, "Invalid request")
    return s.OrderCheckResult(retcode=retcode, request=s.TradeRequest(**request), **row)


@package_call
def order_send(desk, request):
    kind, given = desk.fault
    if kind == "late":
        desk.store.hold(desk.seq, request, utc_ms() + int(given.get("ms", 1000)))
        return None
    answer = desk.send(request, desk.fault)
    desk.catch_up()  # what it brought is followed from this tick on
    desk.store.note_executed(desk.seq, answer["retcode"])
    tick = desk.market.quote(request["symbol"]) or (0, 0.0, 0.0)
    if kind == "zero_result":
        answer.update(deal=0, volume=0.0, price=0.0)
    answer.update(bid=tick[1], ask=tick[2], request_id=desk.store.count("request"))
    answer["comment"] = TEXTS.get(answer["retcode"], "Invalid request")
    asked = s.TradeRequest(**request)
    return s.OrderSendResult(retcode_external=0, request=asked, **answer)


def _side(action, volume, *prices):
    if action not in (0, 1) or volume < 0 or min(prices) <= 0:
        raise INVALID


@package_call
def order_calc_margin(desk, action, symbol, volume, price):
    spec = desk.spec(known(desk, symbol))
    _side(action, volume, price)
    lots, points = round(volume * 10**8), round(price * 10 ** spec["digits"])
    margin = desk.margin_of(symbol, lots, lots * points, points)
    if margin is None:
        raise Fail((-1, "Terminal: Call failed"))
    return float("%.2f" % (margin + 1e-9))


@package_call
def order_calc_profit(desk, action, symbol, volume, price_open, price_close):
    spec = desk.spec(known(desk, symbol))
    _side(action, volume, price_open, price_close)
    scale = 10 ** spec["digits"]
    first, last = round(price_open * scale), round(price_close * scale)
    sign = 1 if action == 0 else -1
    worth = desk.worth(symbol, sign * round(volume * 10**8) * (last - first), last)
    if worth is None:
        raise Fail((-1, "Terminal: Call failed"))
    return float(f"{worth:.2f}")
