"""Attacks of who can prove nothing: at the API port, the operations port, the log and the files."""

import os
import time
import urllib.request
from contextlib import ExitStack
from statistics import median

import grpc
from report import Row, milliseconds, p99
from stage import Failure, measured, round_trip

NEWCOMER_S = 1  # a known client's new connection, and the bound beyond which the run fails
NEWCOMER_BOUND_S = 5
GOAL_RATIO = 5
GROWTH_MIB = 256
ODD = "\u202e\u2028\u0085\x9b31m"  # letters by which a line on a terminal lies


def newcomer(gateway, displaced):
    """A known client that connects anew: who lost its place to a newer one comes again at once."""
    end = time.monotonic() + NEWCOMER_BOUND_S
    while True:
        try:
            with gateway.client("reader") as client:
                return client.status(timeout=NEWCOMER_BOUND_S)
        except grpc.RpcError as fault:
            if fault.code() != grpc.StatusCode.UNAVAILABLE or time.monotonic() > end:
                raise
            displaced.append(fault)


def siege(scene):
    """Strangers in numbers, while a known client trades and others come."""
    gateway, trader = scene.gateway, scene.trader
    count, seconds = (200, 8) if scene.short else (2000, 60)
    with measured(lambda: round_trip(trader)) as (rest, faults):
        scene.stage.until(lambda: len(rest) >= 50, "orders at rest")
    scene.no_faults(faults)
    memory, displaced = gateway.memory_mib(), []
    strangers = {"port": gateway.port, "authority": gateway.authority}
    with ExitStack() as at_once:
        crowd = scene.crowd("besiege", count=count, seconds=seconds, **strangers)
        at_once.enter_context(crowd)
        came, shut_out = at_once.enter_context(measured(lambda: newcomer(gateway, displaced)))
        orders, failed = at_once.enter_context(measured(lambda: round_trip(trader)))
        while crowd.is_at_it():
            time.sleep(0.1)
    grown = gateway.memory_mib() - memory
    prompt = sum(taken <= NEWCOMER_S for taken in came)
    told = f"{prompt} of {len(came)} new connections within {NEWCOMER_S} s"
    told += f", the slowest in {milliseconds(max(came))}"
    told += f", {len(displaced)} came twice"
    told += crowd.absence()
    held = crowd.all_came_or_were_cut() and not shut_out and max(came) <= NEWCOMER_BOUND_S
    goal = prompt == len(came)
    name = f"{count} strangers, half-open or watching, for {seconds} s"
    yield Row(name, "0 of 10 clients got in", told, held, goal)
    ratio, middle = p99(orders) / p99(rest), median(orders) / median(rest)
    told = f"a trade's p99 x{ratio:.1f} (goal: {GOAL_RATIO}), p50 x{middle:.1f}"
    told += f", {len(failed)} of {len(orders)} failed"
    yield Row(
        "... a known client's orders meanwhile",
        "not measured",
        told,
        not failed,
        ratio <= GOAL_RATIO,
    )
    told = f"grew by {max(0, grown):.0f} MiB"
    yield Row("... the gateway's memory", "not measured", told, grown <= GROWTH_MIB)


def floods(scene):
    """Frames of HTTP/2 that cost the gateway more than their sender."""
    seconds = 1.5 if scene.short else 10
    with measured(lambda: round_trip(scene.trader)) as (rest, faults):
        scene.stage.until(lambda: len(rest) >= 30, "orders at rest")
    scene.no_faults(faults)
    strangers = {"port": scene.gateway.port, "authority": scene.gateway.authority}
    for kind in ["PING", "SETTINGS", "PRIORITY", "WINDOW_UPDATE"]:
        with ExitStack() as at_once:
            crowd = scene.crowd("flood", kind=kind, seconds=seconds, **strangers)
            at_once.enter_context(crowd)
            orders, failed = at_once.enter_context(measured(lambda: round_trip(scene.trader)))
            while crowd.is_at_it():
                time.sleep(0.05)
        ratio = median(orders) / median(rest)
        frames = crowd.told["frames"]
        told = f"a trade's p50 x{ratio:.1f} (goal: {GOAL_RATIO}) under {frames} frames"
        told += crowd.absence()
        held = crowd.all_came() and not failed and max(orders) <= NEWCOMER_BOUND_S
        yield Row(
            f"a stranger's flood of {kind}", "order p50 x4 to x7", told, held, ratio <= GOAL_RATIO
        )


def operations(scene):
    """Watchers that fill the operations port."""
    gateway = scene.gateway
    address = f"127.0.0.1:{gateway.operations}"
    asked = {"metrics": [], "health": []}
    crowd = {"port": gateway.operations, "count": 64, "seconds": 3 if scene.short else 30}
    with scene.crowd("watch_operations", **crowd) as watchers:
        while watchers.is_at_it():
            asked["metrics"].append(scrape(f"http://{address}/metrics"))
            status, _ = gateway.run("health", "--operations", address)
            asked["health"].append(status == 0)
    told = [f"{what} {sum(answers)} of {len(answers)}" for what, answers in asked.items()]
    held = watchers.all_came() and all(answers and all(answers) for answers in asked.values())
    name = "64 watchers on the operations port"
    before = "/metrics timed out, `health` exited 70"
    yield Row(name, before, "answered: " + ", ".join(told) + watchers.absence(), held)


def scrape(url):
    try:
        with urllib.request.urlopen(url, timeout=NEWCOMER_BOUND_S) as answer:
            return b"mymt5_" in answer.read()
    except OSError:
        return False


def talk(scene):
    """Traffic that rotates an operator's lines away, and hides a client's denied calls."""
    gateway = scene.gateway
    megabytes, indexed = (8, 20_000) if scene.short else (100, 300_000)
    strangers = {"port": gateway.port, "authority": gateway.authority}
    for number in range(5):
        scene.operator.set_state(scene.halted, f"mark-{number}", client="other")
        scene.operator.set_state(scene.active, f"mark-{number}", client="other")
    lines = scene.operator_lines()
    if len(lines) < 10:
        raise Failure(f"the operator's calls are not in the audit trail: {len(lines)} lines")
    traffic = {"megabytes": megabytes, "indexed": indexed}
    with scene.crowd("talk", **traffic, **strangers) as crowd:
        denied = deny(scene.reader)
    left = scene.operator_lines()
    kept = sum(line in left for line in lines)
    at = f"{crowd.told['sent'] / (1 << 20):.0f} MiB of strangers' traffic"
    told = f"{kept} of {len(lines)} lines are where they were, {crowd.told['seconds']} s"
    yield Row(at, "0 of 31 of the operator's lines left", told, left[: len(lines)] == lines)
    found = [line for line in scene.lines() if '"denied"' in line and '"reader"' in line]
    held = len(found) >= denied
    told = f"{len(found)} of {denied} are on record"
    yield Row("... a known client's denied calls meanwhile", "hidden from the record", told, held)
    own = [line for line in scene.lines() if '"strangers"' in line]
    held = len(own) <= 40
    yield Row("... the strangers' own lines", "one for each call", f"{len(own)} lines", held)
    status, said = scene.verify()
    yield Row("... `audit verify`", "there was none", said, status == 0)


def deny(reader):
    """Calls that a client may not make; how many were refused."""
    refused = 0
    for _ in range(10):
        try:
            reader.buy(timeout=10)
        except grpc.RpcError as fault:
            refused += fault.code().name == "PERMISSION_DENIED"
    return refused


def odd_paths(scene):
    """Letters in a path that make the log's lines lie on a terminal."""
    strangers = {"port": scene.gateway.port, "authority": scene.gateway.authority}
    with scene.crowd("say_oddly", text="odd" + ODD, **strangers):
        pass
    folder = scene.stage.home / "logs/gateway"
    logs = {file.name: file.read_text(errors="replace") for file in folder.iterdir()}
    told_of = any("/odd" in text for text in logs.values())
    found = [name for name, text in logs.items() if passes_through(text)]
    told = "in " + ", ".join(found) if found else "none in log and audit trail"
    told += "" if told_of else "; but the path is in none of them: this proves nothing"
    held = told_of and not found
    yield Row("terminal control in a stranger's path", "in the JSON log as it was", told, held)


def passes_through(text):
    return any(letter in text for letter in ODD if ord(letter) > 0x7E)


def reach(scene):
    """What another user of the host opens: files, keys, sockets."""
    home = scene.stage.home
    keys = [f"config/tls/{name}/key.pem" for name in ["gateway", "operator", "main", "bridge"]]
    files = [".env", "data/gateway/journal.db", "data/gateway/audit.head", "ca.key.pem"]
    paths = [str(home / file) for file in files + keys]
    control = str(home / "data/gateway/control.sock")
    for path in [*paths, control]:
        if not os.path.exists(path):
            raise Failure(f"{path} is not there, so nobody could open it")
    of_their_own = {"engine": "/main/", "bridge": "/bridge/"}
    for user in ["stranger", "engine", "bridge"]:
        own = [path for path in paths if of_their_own.get(user, "//") not in path]
        with scene.crowd("reach", user=user, files=own, sockets=[control]) as crowd:
            pass
        reached = [path.rpartition("/")[2] for path in crowd.told["reached"]]
        told = "opened " + ", ".join(reached) if reached else f"none of {len(own) + 1} opens"
        yield Row(f"the {user}'s user at the gateway's files", "closed", told, not reached)
