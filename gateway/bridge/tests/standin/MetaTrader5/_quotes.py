"""The package's functions about terminal, account, symbols, ticks and bars."""

from . import _surface as s
from ._arguments import INVALID, Fail, in_group
from ._arrays import RATES, TICKS, Table
from ._link import here, package_call, shown
from ._market import TIMEFRAMES, seconds_of
from ._store import utc_ms


@package_call
def version(desk):
    return (500, int(desk.settings["build"]), "1 Jan 2026")


@package_call
def terminal_info(desk):
    settings, now = desk.settings, utc_ms()
    cut = now < int(settings["disconnected_until"]) or now < here.connected_at
    row = dict.fromkeys(s.TerminalInfo._fields, False)
    row.update(
        connected=here.authorized and not cut,
        trade_allowed=settings["terminal_trade_allowed"] == "1",
        tradeapi_disabled=settings["tradeapi_disabled"] == "1",
        build=int(settings["build"]), maxbars=100000, codepage=0, ping_last=12345,
        community_balance=0.0, retransmission=0.0, company=settings["company"],
        name="StandIn", language="English", path="C:\\standin", data_path="C:\\standin",
        commondata_path="C:\\standin",
    )  # fmt: skip
    return s.TerminalInfo(**row)


@package_call
def account_info(desk):
    settings, (kind, given) = desk.settings, desk.fault
    row = dict.fromkeys(s.AccountInfo._fields, 0.0)
    row.update(shown(desk, "positions").figures())
    row.update(
        login=int(settings["login"]), trade_mode=int(settings["trade_mode"]),
        leverage=int(settings["leverage"]), limit_orders=int(settings["limit_orders"]),
        margin_so_mode=0, trade_allowed=settings["account_trade_allowed"] == "1",
        trade_expert=settings["account_trade_expert"] == "1",
        margin_mode=int(settings["margin_mode"]), currency_digits=2, fifo_close=False,
        margin_so_call=100.0, margin_so_so=50.0, name=settings["name"],
        server=settings["server"], currency=settings["currency"], company=settings["company"],
    )  # fmt: skip
    if kind == "wrong_account":
        row["login"] = int(given.get("login", row["login"] + 1))
    if kind == "real_account":
        row["trade_mode"] = 2
    return s.AccountInfo(**row)


# -- the market


@package_call
def symbols_total(desk):
    return len(desk.market.specs())


@package_call
def symbols_get(desk, group=None):
    names = [n for n in desk.market.specs() if group is None or in_group(n, group)]
    return tuple(s.SymbolInfo(**desk.spec(name)) for name in names)


def known(desk, symbol):
    if symbol not in desk.market.specs():
        raise Fail((-4, "Terminal: Not found"))
    return symbol


@package_call
def symbol_info(desk, symbol):
    return s.SymbolInfo(**desk.spec(known(desk, symbol)))


@package_call
def symbol_info_tick(desk, symbol):
    """The newest tick; all zeros before the first."""
    return s.Tick(*(desk.market.quote(known(desk, symbol)) or (0, 0.0, 0.0, 0.0, 0, 0, 0, 0.0)))


@package_call
def symbol_select(desk, symbol, enable=True):
    return bool(known(desk, symbol))


@package_call
def copy_ticks_from(desk, symbol, date_from, count, flags):
    rows = desk.market.ticks(known(desk, symbol), date_from, count)
    return Table(TICKS, rows)


@package_call
def copy_ticks_range(desk, symbol, date_from, date_to, flags):
    rows = desk.market.ticks(known(desk, symbol), date_from, 1 << 20)
    return Table(TICKS, [row for row in rows if row[0] <= date_to])


def length_of(timeframe):
    if timeframe not in TIMEFRAMES:
        raise INVALID
    return seconds_of(timeframe)


def _bars(desk, symbol, timeframe, first, last):
    return desk.market.bars(known(desk, symbol), timeframe, first, last)


@package_call
def copy_rates_range(desk, symbol, timeframe, date_from, date_to):
    length_of(timeframe)
    rows = _bars(desk, symbol, timeframe, date_from, date_to)
    return Table(RATES, rows)


@package_call
def copy_rates_from(desk, symbol, timeframe, date_from, count):
    """The last `count` bars that open at or before `date_from`, as the terminal gives them."""
    length_of(timeframe)
    last = min(date_from, desk.market.now // 1000)
    return Table(RATES, desk.market.last_bars(known(desk, symbol), timeframe, last, count))


@package_call
def copy_rates_from_pos(desk, symbol, timeframe, start_pos, count):
    size, last = length_of(timeframe), desk.market.now // 1000
    span = size * (start_pos + count)
    rows = _bars(desk, symbol, timeframe, last - span, last - size * start_pos)
    return Table(RATES, rows[-count:])


@package_call
def market_book_add(desk, symbol):
    return bool(known(desk, symbol))


@package_call
def market_book_release(desk, symbol):
    return bool(known(desk, symbol))


@package_call
def market_book_get(desk, symbol):
    row = desk.market.quote(known(desk, symbol))
    sides = ((s.BOOK_TYPE_SELL, 2), (s.BOOK_TYPE_BUY, 1))
    return tuple(s.BookInfo(kind, row[i], 1, 1.0) for kind, i in sides) if row else ()
