"""A stand-in for the official MetaTrader5 package: a small broker in pure Python for tests.

    PYTHONPATH=gateway/bridge/tests/standin STANDIN_STATE=/tmp/state.db python mymt5_bridge.py --plain

The state is one SQLite file that outlives the process; several processes may have it open. Without
STANDIN_STATE it lives in memory. A test drives the broker through that file, or by
`python -m standin_ctl` (see its --help). The file may be made before the first start: every table
is created where absent, a setting is written where absent.

settings(key, value)   text; all keys with their meaning in _store.SETTINGS. The first ones to know:
                       login, server, password_sha256, margin_mode, trade_mode, balance, suffix,
                       feed ("synthetic" by seed and clock, or "manual"), ticks_per_second,
                       lag_ms (or the environment's MYMT5_STANDIN_LAG_MS): positions with the
                       account's figures, orders with their history, and deals are each shown as
                       they were at a moment of their own, 0 to so many ms ago, that never goes
                       back; sends act on what is so. It wants a file for its state.
faults(on_call, kind, remaining, args)
                       on_call: a function's name, or * for any; remaining: how often, -1 for ever;
                       args: JSON. One fault a call, the lowest id first. Kinds:
    timeout_before     None, last_error -10005, nothing executed
    timeout_after      executed, then None with -10005
    none:<code>        None with that last_error, nothing executed; initialize: False
    delay_ms           {"before_ms": n, "after_ms": n}
    hold_ms            {"ms": n}: a delay before it that keeps the interpreter from all its threads
    exit               the process dies in the call, {"when": "before" | "after"} it is executed
    raise              ValueError with a canary text, {"when": "before" | "after"}
    disconnect         {"ms": n}: terminal_info().connected is False for so long
    wrong_account      {"login": n}, on account_info
    real_account       on account_info: trade_mode says real
    retcode:<code>     order_send answers that and executes nothing
    requote            the same with 10004
    partial            {"fraction": 0.5}: order_send fills a part, 10010
    late_history       {"ms": n}: the history rows of this order_send appear so much later
    zero_result        executed, but deal, volume and price of the result are 0
symbols(name, fields)  JSON: fields of symbol_info that differ, e.g. {"trade_exemode": 1}; besides
                       "closed": true (10018). A row with a new name adds a symbol.
ticks(symbol, time_msc, bid, ask, ...)
                       the manual feed; seq keeps the order of equal milliseconds. The clock is the
                       newest tick's then, or settings clock_ms if that is later.
sends(seq, at_ms, magic, action, symbol, executed, retcode)
                       every order_send that reached the package; executed is 1 where it took effect
logins(seq, at_ms, login, server, ok)
calls(name, count)     how often each function was called
orders, history_orders, positions, deals
                       the rows, a column a field (`order` and `type` are quoted words in SQL)
"""

from ._link import initialize, last_error, login, shutdown  # noqa: F401
from ._quotes import (  # noqa: F401
    account_info,
    copy_rates_from,
    copy_rates_from_pos,
    copy_rates_range,
    copy_ticks_from,
    copy_ticks_range,
    market_book_add,
    market_book_get,
    market_book_release,
    symbol_info,
    symbol_info_tick,
    symbol_select,
    symbols_get,
    symbols_total,
    terminal_info,
    version,
)  # fmt: skip
from ._surface import *
from ._trade import (  # noqa: F401
    history_deals_get,
    history_deals_total,
    history_orders_get,
    history_orders_total,
    order_calc_margin,
    order_calc_profit,
    order_check,
    order_send,
    orders_get,
    orders_total,
    positions_get,
    positions_total,
)  # fmt: skip

__version__ = "5.0.6231"
__author__ = "MyMT5 stand-in"
