"""Arguments as the official package's C functions read them, and how they refuse them: mostly by
a last error, at times by an exception. Seen on 5.0.6231; `realpackage` compares the two."""

import re
from datetime import datetime

LONGEST = 29  # UTF-16 units of a symbol or a comment
DEFAULTS = {
    "action": 0, "magic": 0, "order": 0, "symbol": "", "volume": 0.0, "price": 0.0,
    "stoplimit": 0.0, "sl": 0.0, "tp": 0.0, "deviation": 0, "type": 0, "type_filling": 0,
    "type_time": 0, "expiration": 0, "comment": "", "position": 0, "position_by": 0,
}  # fmt: skip
# What a function takes by position: a symbol, a date, a whole number, a number, a truth; those
# after the bar may be absent.
POSITIONAL = {
    "symbol_info": "s", "symbol_info_tick": "s", "symbol_select": "s|b",
    "market_book_add": "s", "market_book_get": "s", "market_book_release": "s",
    "copy_ticks_from": "sdii", "copy_ticks_range": "sddi", "copy_rates_from": "sidi",
    "copy_rates_range": "sidd", "copy_rates_from_pos": "siii",
    "history_orders_total": "dd", "history_deals_total": "dd",
    "order_calc_margin": "isff", "order_calc_profit": "isfff",
}  # fmt: skip
INT, TICKET = range(-(2**31), 2**31), range(2**64)
GROUP, PATH = {"group": str}, {"path": str}
LOGIN = {"login": int, "password": str, "server": str}
FIRST = {  # what may come by position or by keyword, and by keyword alone
    "symbols_get": (GROUP, {}),
    "initialize": (PATH, dict(LOGIN, timeout=int, portable=object)),
    "login": (LOGIN, {"timeout": int}),
}
RANGES = {
    "expiration": range(-(2**63), 2**63),
    **dict.fromkeys(("action", "type", "type_filling", "type_time"), range(2**32)),
}


class Fail(Exception):
    """Ends a call with that last error, and with None or False."""


INVALID = Fail((-2, "Terminal: Invalid params"))  # what the terminal says


def wrong(text="Invalid arguments"):
    return Fail((-2, text))


def broken(name):
    """What a C function raises that answers although one of its conversions failed."""
    return SystemError(f"<built-in function {name}> returned a result with an exception set")


def too_long(text):
    return len(text.encode("utf-16-le")) // 2 > LONGEST


def read(name, args, named):
    """A function's arguments as those of its stand-in."""
    if name in POSITIONAL:
        if named:
            raise TypeError(f"{name}() takes no keyword arguments")
        return _positional(name, args, POSITIONAL[name]), {}
    if name in ("order_check", "order_send"):
        return (_request(name, args, named),), {}
    if name in FIRST:
        return (), _first(name, args, named, *FIRST[name])
    if name.startswith("history"):
        return (), _history(name, args, named)
    if name in ("positions_get", "orders_get"):
        if args:
            raise wrong("Unnamed arguments not allowed")
        found = _named(name, named, {"symbol": str, "group": str, "ticket": int})
        most = next((key for key in ("ticket", "symbol", "group") if key in found), None)
        return (), {key: value for key, value in found.items() if key == most}
    given = args or named
    if given:
        how = f"no arguments ({len(args)} given)" if args else "no keyword arguments"
        raise TypeError(f"MetaTrader5._core.{name}() takes {how}")
    return (), {}


def _positional(name, args, kinds):
    least, kinds = len(kinds.partition("|")[0]), kinds.replace("|", "")
    if not least <= len(args) <= len(kinds):
        raise wrong()
    return tuple(_value(name, kind, value) for kind, value in zip(kinds, args))


def _value(name, kind, value):
    if kind == "s":
        if not isinstance(value, str) or too_long(value):
            raise wrong()
        return value
    if kind == "d":
        return epoch(name, value)
    if kind == "b":
        return bool(value)
    right = isinstance(value, int) and value in INT if kind == "i" else isinstance(value, (int, float))
    if not right:
        raise broken(name)
    return value


def epoch(name, value):
    """Seconds of a date, where the package reads it at all: as a C long that is not 0."""
    if not isinstance(value, (int, float, datetime)):
        raise wrong()
    seconds = int(value.timestamp() if isinstance(value, datetime) else value)
    if seconds not in INT:
        raise broken(name)
    assert seconds, "a date of 0: the real package would read memory that nobody has written"
    return seconds


def _named(name, named, kinds):
    """Those keywords that the function knows; it minds no others."""
    found = {}
    for key, kind in kinds.items():
        if key not in named:
            continue
        value = named[key]
        if not isinstance(value, kind) or (key == "symbol" and too_long(value)):
            raise wrong(f'Invalid "{key}" argument')
        if kind is int and value not in TICKET:
            raise broken(name)
        found[key] = value
    return found


def _first(name, args, named, first, more):
    if len(args) > len(first):
        raise wrong("Invalid number of arguments")
    for nth, value, kind in zip(("1st", "2nd", "3rd"), args, first.values()):
        if not isinstance(value, kind):
            raise wrong(f"Invalid {nth} unnamed argument")
    if name == "login" and not args and "login" not in named:
        raise wrong('Invalid "login" argument')
    return _named(name, dict(named, **dict(zip(first, args))), dict(first, **more))


def _history(name, args, named):
    """A span with a group, or else one ticket, or else one position."""
    if args:
        span = _positional(name, args, "dd")
        group = _named(name, named, GROUP)
        return dict(group, date_from=span[0], date_to=span[1])
    for key in ("ticket", "position"):
        if key in named:
            return _named(name, named, {key: int})
    raise wrong()


def _request(name, args, named):
    """A request's fields, in the order in which they are looked at; it minds no others."""
    if args and named:
        raise wrong("Unnamed arguments not allowed")
    if len(args) != 1 and not named:
        raise wrong("Invalid number of arguments")
    given = args[0] if args else named
    if not isinstance(given, dict):
        raise wrong()
    request = dict(DEFAULTS)
    for key in [key for key in DEFAULTS if key in given]:
        value, kind = given[key], type(DEFAULTS[key])  # a whole number is no float either
        if not isinstance(value, kind) or (kind is str and too_long(value)):
            raise wrong(f'Invalid "{key}" argument')
        if kind is int and value not in RANGES.get(key, TICKET):
            raise broken(name)
        request[key] = value
    return request


def in_group(name, group):
    """Whether one of the group's masks fits, and none of those after a "!"; only * is special."""
    fits = {False: False, True: False}
    for mask in map(str.strip, group.split(",")):
        pattern = ".*".join(map(re.escape, mask.lstrip("!").split("*")))
        fits[mask.startswith("!")] |= bool(mask and re.fullmatch(pattern, name, re.DOTALL))
    return fits[False] and not fits[True]
