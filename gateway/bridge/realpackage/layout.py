"""The records of the pipe protocol, read from the simulated terminal's own list of them."""

import re
import struct

RECORD = re.compile(r"^    (\w+) \{\n(.*?)^    \}", re.DOTALL | re.MULTILINE)
FIELD = re.compile(r"(\w+): ([\w<>]+),")
CODES = {"u8": "B", "u16": "H", "i32": "i", "u32": "I", "i64": "q", "u64": "Q", "f64": "d"}
SIZED = re.compile(r"(Text|Gap)<(\d+)>")


def records(path):
    """Each record's name, and the names and kinds of its fields."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    text = text[text.index("\nrecords! {") :]
    return {name: FIELD.findall(body) for name, body in RECORD.findall(text)}


def distinct(name, kind, seed):
    """A value of that kind that no other field of the record has, as far as its size allows."""
    sized = SIZED.match(kind)
    if sized:
        return f"{name[:8]}{seed} é" if sized[1] == "Text" else None
    if kind == "bool":
        return bool(seed % 2)
    if kind == "f64":
        return seed + 0.0078125
    bases = {"u8": 0, "u16": 5000, "i32": 10**6, "u32": 3 * 10**9, "u64": 5 * 10**9}
    return bases.get(kind, 10**9) + seed


def pack(kind, value):
    sized = SIZED.match(kind)
    if sized:
        return (value or "").encode("utf-16-le").ljust(int(sized[2]), b"\0")
    return struct.pack("<" + CODES.get(kind, "?"), value)


def made(fields, seed=1):
    """A record of distinct values: by name, and as bytes."""
    values = {name: distinct(name, kind, seed + i) for i, (name, kind) in enumerate(fields)}
    body = b"".join(pack(kind, values[name]) for name, kind in fields)
    return {name: value for name, value in values.items() if value is not None}, body
