#!/usr/bin/env python3
"""Trades through all of it: gateway, bridge, the official package, and the simulated terminal.

    cargo build -p mymt5-gateway -p mymt5-simulated-terminal
    pip install grpcio-tools
    python3 deploy/terminal/chain.py [ORDERS]
    python3 deploy/terminal/chain.py --kills ROUNDS [--seed SEED]
    python3 deploy/terminal/chain.py --soak SECONDS

The bridge and the package run in the Windows Python of windows_python.py, which is run first.

Without a flag it buys and closes in turn through the gateway's API, ORDERS (100) in all, each of
which must be filled, and tells how long one takes, in all and in each part. --kills kills parts
while orders flow, --soak trades now and then and follows each tick. All of it ends with the script.
"""

import argparse
import sys

import kills
import latency
import soak
from parts import bench
from windows_bridge import end_by_signals
from windows_python import Fault, say


def parse_options():
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    add = parser.add_argument
    add("orders", nargs="?", type=int, default=100, help="at least 2, %(default)s")
    add("--kills", type=int, metavar="ROUNDS", help="kill parts while orders flow")
    add("--seed", type=int, help="of the kills, to repeat them")
    add("--soak", type=int, metavar="SECONDS", help="trade and follow ticks for so long")
    options = parser.parse_args()
    if options.orders < 2 or min(options.kills or 1, options.soak or 1) < 1:
        parser.error("ORDERS is at least 2, ROUNDS and SECONDS are at least 1")
    return options


def main():
    options = parse_options()
    end_by_signals()
    try:
        if options.kills:
            kills.run(options.kills, options.seed)
        elif options.soak:
            soak.run(options.soak)
        else:
            latency.run(options.orders)
    except (Fault, bench.Failure) as fault:
        say(f"error: {fault}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
