#!/usr/bin/env python3
"""Trades through all of it: gateway, bridge, the official package, and the simulated terminal.

    cargo build -p mymt5-gateway -p mymt5-simulated-terminal
    pip install grpcio-tools
    python3 deploy/terminal/chain.py [ORDERS]

The bridge and the package run in the Windows Python of windows_python.py, which is run first. It
buys and closes in turn through the gateway's API, ORDERS (100) in all, each of which must be filled,
and tells how long one takes. Everything ends with it.
"""

import os
import secrets
import sys
import time
from pathlib import Path

from simulated import START_S, Lines, Relay, Terminal, port_of, terminal_binary, windows
from windows_python import FOLDER, ORIGIN, Fault, ended, install, say

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "deploy" / "bench"))
import bridge as bench

LOGIN, SERVER, PASSWORD = "10000001", "MyMT5-Simulator", secrets.token_hex()
SYMBOLS = ["EURUSD", "GBPUSD", "USDJPY", "XAUUSD"]


def gateway_binary():
    named = os.environ.get("MYMT5_GATEWAY")
    built = [ROOT / "target" / kind / "mymt5-gateway" for kind in ("release", "debug")]
    places = [Path(named)] if named else built
    return next((place for place in places if place.exists()), None)


class Trader(bench.MyMT5Trader):
    """Waits for the end of an order that the gateway cannot tell yet when it answers."""

    def filled(self, order):
        underway = (self.types.ORDER_STATE_SENT, self.types.ORDER_STATE_PARTIALLY_FILLED)
        end = time.monotonic() + bench.PATIENCE_S
        while order.state in underway and time.monotonic() < end:
            time.sleep(0.01)
            ask = self.proto.GetOrderRequest(order_id=order.order_id)
            order = self.service.GetOrder(ask, timeout=bench.PATIENCE_S).order
        return super().filled(order)


def start_bridge(stage, python, secret):
    """The bridge in its Windows Python; its port."""
    path = ORIGIN + "\\terminal64.exe"
    words = [windows(bench.BRIDGE), "--listen", "127.0.0.1:0", "--terminal-path", path]
    words += [f"--tls-{name}={windows(file)}" for name, file in bench.bridge_files(stage).items()]
    process = python.start(*words, BRIDGE_SECRET=secret)
    stage.enter_context(ended(process))
    ready = Lines(process.stderr).next(START_S) or ""
    if "listening on " not in ready:
        raise Fault(f"the bridge does not start: {ready}")
    say(ready)
    return port_of(ready)


def start_gateway(stage, binary, bridge, secret):
    """The gateway, once it takes orders; what trades through it."""
    api, symbols = bench.free_port(), ", ".join(f'{name} = "{name}"' for name in SYMBOLS)
    ports = {"api": api, "operations": bench.free_port(), "bridge": bridge}
    (stage.folder / "gateway.toml").write_text(bench.CONFIGURATION.format(symbols=symbols, **ports))
    account = {"MT5_LOGIN": LOGIN, "MT5_SERVER": SERVER, "MT5_PASSWORD": PASSWORD}
    words = [str(binary), "run", "--config", "gateway.toml"]
    stage.start("gateway", words, BRIDGE_SECRET=secret, **account)
    stage.until_listening(api)
    trader = Trader(stage, api)
    stage.until(trader.may_trade, "gateway that takes orders")
    return trader


def run(orders):
    gateway, terminal = gateway_binary(), terminal_binary()
    if not gateway or not terminal:
        raise Fault("build first: cargo build -p mymt5-gateway -p mymt5-simulated-terminal")
    python, secret = install(FOLDER), secrets.token_hex()
    with bench.Stage() as stage:
        bench.compile_contract(stage.folder)
        bench.make_certificates(stage, gateway)
        options = [f"--login={LOGIN}", f"--server={SERVER}", f"--password={PASSWORD}"]
        started = Terminal(terminal, *options, "--symbols=" + ",".join(SYMBOLS))
        stage.callback(started.close)
        stage.callback(Relay(python, started.port).close)
        try:
            trader = start_gateway(stage, gateway, start_bridge(stage, python, secret), secret)
            times = bench.trade(trader, orders)
        except Exception:
            say(stage.logs())
            raise
    times.sort()
    p50, p99 = (times[len(times) * percent // 100] for percent in (50, 99))
    print(
        f"{len(times)} orders, all filled: p50 {p50:.1f} ms, p99 {p99:.1f} ms, most {times[-1]:.1f} ms"
    )


if __name__ == "__main__":
    if "-h" in sys.argv or "--help" in sys.argv:
        sys.exit(__doc__)
    try:
        run(int(sys.argv[1]) if sys.argv[1:] else 100)
    except (Fault, bench.Failure) as fault:
        say(f"error: {fault}")
        sys.exit(1)
