"""What tests of the built binaries share: where these are, and how long anything is waited for."""

import os
import pathlib
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BOUND = 60


def binary(name: str) -> str:
    """The one that a variable names, such as MYMT5_GATEWAY, else the newest that was built."""
    told = os.environ.get(name.upper().replace("-", "_"))
    if told:
        return told
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
    built = [target / profile / name for profile in ("release", "debug")]
    found = [path for path in built if path.exists()]
    if not found:
        raise FileNotFoundError(f"there is no {name}: cargo build --bins")
    return str(max(found, key=lambda path: path.stat().st_mtime))


def eventually(what: str, condition):
    """What the condition found, once it holds; an error where it does not within the bound."""
    end = time.monotonic() + BOUND
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"not within {BOUND} s: {what}")
