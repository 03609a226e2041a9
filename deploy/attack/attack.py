"""Attacks on the real processes, under users of their own; see README.md of deploy/."""

import argparse
import os
import signal
import socket
import sys
import time

import beside
import clients
import confined
import grpc
import inject
import strangers
import trail
from report import Row, table
from stage import SIMULATOR, Engine, Failure, Gateway, Stage


class Scene:
    """What all attacks share: gateway and engine at work, and known clients."""

    def __init__(self, stage, short):
        self.stage, self.short = stage, short
        stage.write(".env", "LOG_LEVEL=info\n", "gateway")
        self.gateway = Gateway(stage, "gateway", SIMULATOR)
        self.gateway.start()
        self.gateway.until_ready()
        self.engine = Engine(stage, self.gateway, "main", "engine", "GBPUSD")
        names = ["operator", "trader", "other", "reader"]
        clients = [stage.enter_context(self.gateway.client(name)) for name in names]
        self.operator, self.trader, self.other, self.reader = clients
        self.version = self.operator.status().version.encode()
        self.halted = self.operator.types.TRADING_STATE_HALTED
        self.active = self.operator.types.TRADING_STATE_ACTIVE
        self.open_folder = stage.home / "anybodys"
        self.open_folder.mkdir()
        self.open_folder.chmod(0o777)
        self.listener = stage.enter_context(socket.socket(socket.AF_UNIX))
        self.listener.bind(str(self.open_folder / "socket"))
        self.listener.listen()
        (self.open_folder / "socket").chmod(0o777)

    def crowd(self, name, **arguments):
        return self.stage.crowd(name, **arguments)

    def trail(self):
        """The files of the audit trail, oldest first."""
        return sorted((self.stage.home / "logs/gateway").glob("audit.*.jsonl"))

    def lines(self):
        return [line for file in self.trail() for line in file.read_text().splitlines()]

    def operator_lines(self):
        return [line for line in self.lines() if '"client":"operator"' in line]

    def verify(self):
        status, said = self.gateway.run("audit", "verify")
        return status, said.strip().splitlines()[-1]

    def no_faults(self, faults):
        """At rest nothing fails."""
        if faults:
            raise Failure(f"an order at rest failed: {faults[0]}")


def from_inside(scene):
    """From the engine's own user, and from the gateway's, where the sandbox is all there is."""
    if not inject.IS_HERE:
        say("skipped: from inside the engine, since system calls are injected on x86-64 alone")
        return
    yield from confined.confined(scene, scene.engine, "its own user")
    twin = Engine(scene.stage, scene.gateway, "twin", "gateway", "GBPUSD")
    yield from confined.confined(scene, twin, "the gateway's user")
    scene.stage.stop("twin")


def stopped(scene):
    """Ends what writes the trail, so that copies of it are of one moment."""
    for name in ["main", "gateway"]:
        scene.stage.stop(name)
    return trail.planted(scene)


ATTACKS = [
    strangers.odd_paths,  # first: the log tells a call of the first strangers alone
    strangers.siege,
    strangers.floods,
    strangers.operations,
    strangers.talk,
    strangers.reach,
    clients.list_flood,
    clients.no_op_flood,
    clients.entry_flood,
    clients.stream_hoard,
    clients.telling,
    clients.expired,
    clients.revoked,
    from_inside,
    beside.bridge_siege,
    beside.settings,
    stopped,
]


def say(text):
    print(text, file=sys.stderr, flush=True)


def cause(fault):
    """In one line, as a table has room for."""
    code = f"{fault.code().name} " if isinstance(fault, grpc.RpcError) else ""
    return (code + " ".join(str(fault).split()))[:160].replace("|", "/")


def run(options):
    rows = []
    with Stage() as stage:
        scene = Scene(stage, options.short)
        for attack in ATTACKS:
            if options.only and attack.__name__ not in options.only:
                continue
            began = time.monotonic()
            try:
                rows += attack(scene)
            except Exception as fault:  # noqa: BLE001 the next ones may still tell
                rows.append(Row(attack.__name__, "", cause(fault), False))
            say(f"{attack.__name__}: {time.monotonic() - began:.1f} s")
    return rows


def main():
    what, _, _ = __doc__.partition(";")
    parser = argparse.ArgumentParser(description=what)
    add = parser.add_argument
    add("--short", action="store_true", help="all attacks within 90 s, as CI runs them")
    add("--only", nargs="*", metavar="NAME", help=", ".join(attack.__name__ for attack in ATTACKS))
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by way of all that cleans up
    if os.geteuid():
        sys.exit("error: several users need root; run it as root, in a container for example")
    os.umask(0o022)
    began = time.monotonic()
    try:
        rows = run(options)
    except Failure as failure:
        sys.exit(f"error: {failure}")
    print("\n".join(table(rows)))
    lost = [row.attack for row in rows if not row.held]
    missed = sum(row.held and not row.goal for row in rows)
    took = f"{time.monotonic() - began:.0f} s"
    print(
        f"{len(rows) - len(lost)} of {len(rows)} held, {missed} of these beyond their goal, {took}"
    )
    sys.exit(1 if lost else 0)


if __name__ == "__main__":
    main()
