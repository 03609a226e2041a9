"""Attacks around the terminal's bridge: strangers at its port, and settings that would betray it."""

import grpc
from report import Row, milliseconds
from stage import LOGIN, SERVER, TERMINAL, Failure, Gateway, free_port, new_secret, start_bridge

RECONNECT_S = 5


class Link:
    """A gateway of its own, and the bridge that it is linked to."""

    def __init__(self, scene):
        self.stage, self.port, secret = scene.stage, free_port(), new_secret()
        start_bridge(self.stage, self.port, secret)
        account = {"MT5_LOGIN": LOGIN, "MT5_SERVER": SERVER, "MT5_PASSWORD": new_secret()}
        broker = TERMINAL.format(bridge=self.port)
        self.gateway = Gateway(self.stage, "linked", broker, BRIDGE_SECRET=secret, **account)
        self.gateway.start()

    def until_ready(self):
        with self.gateway.client("operator") as operator:
            return self.stage.until(lambda: is_ready(operator), "link that is ready")

    def restart(self):
        """How long the link takes when the gateway comes anew."""
        self.stage.stop("linked")
        self.gateway.start()
        return self.until_ready()


def is_ready(operator):
    try:
        state = operator.status().link.state
    except grpc.RpcError:
        return False
    return state == operator.types.LINK_STATE_READY


def bridge_siege(scene):
    link = Link(scene)
    link.until_ready()
    rest = link.restart()
    for count in [6, 300]:
        seconds = 6 if scene.short else 20
        crowd = scene.crowd("besiege_bridge", port=link.port, count=count, seconds=seconds)
        with crowd:
            taken = link.restart()
            still = crowd.is_at_it()
        told = f"its link is back in {milliseconds(taken)}, at rest in {milliseconds(rest)}"
        told += "" if still else ", the strangers were gone by then"
        told += crowd.absence()
        name = f"{count} strangers at the bridge, its gateway reconnects"
        held = still and crowd.all_came() and taken <= RECONNECT_S
        yield Row(name, "kept out by six", told, held)
    for name in ["linked", "bridge"]:
        scene.stage.stop(name)


def settings(scene):
    """Set-ups that would give a secret away: each is refused for that alone, and not repeated."""
    password = new_secret()
    account = {"MT5_LOGIN": "87654321", "MT5_SERVER": "Real-Demo", "BRIDGE_SECRET": new_secret()}
    gateway = Gateway(scene.stage, "asked", TERMINAL.format(bridge=free_port()))
    account["MT5_PASSWORD"] = password
    # On a literal loopback address plain text is allowed: the name alone is refused.
    plain = dict(account, MYMT5__BROKER__TERMINAL__PLAIN="true")
    by_name = {"MYMT5__BROKER__TERMINAL__ADDRESS": "localhost:18812"}
    check = Check(scene, "gateway", gateway.file, plain)
    yield check.row("a bridge by name, without TLS", "a relay read the password", **by_name)
    check = Check(scene, "gateway", gateway.file, account)
    yield check.row("BRIDGE_SECRET of 33 asterisks", "taken", BRIDGE_SECRET="*" * 33)
    del account["MT5_PASSWORD"]
    mistake = {"MT5_PASSWORD_FILE": password}
    yield check.row("the password itself in MT5_PASSWORD_FILE", "echoed", **mistake)
    check = Check(scene, "engine", "config/main.toml", {})
    for secret, before in [
        ("MT5_PASSWORD", "refused"),
        ("TELEGRAM_BOT_TOKEN", "taken"),
        ("EMAIL_PASSWORD", "taken"),
    ]:
        yield check.row(f"{secret} in the engine's environment", before, **{secret: password})


class Check:
    """What `check` says of a configuration that is right, but for one setting."""

    def __init__(self, scene, program, file, settings):
        self.stage, self.program, self.file, self.settings = scene.stage, program, file, settings
        status, said = self.ask({})
        if status:
            raise Failure(f"the configuration is wrong as it is: {said}")

    def ask(self, wrong):
        words = ["check", "--config", self.file]
        return self.stage.run(
            self.program, *words, user=self.program, **dict(self.settings, **wrong)
        )

    def row(self, name, before, **wrong):
        status, said = self.ask(wrong)
        told = f"refused with status {status}" if status else "taken"
        (value,) = wrong.values()
        echoed = value in said and not value.startswith("localhost")
        told += ", and echoed" if echoed else ""
        others = "1 fault in the configuration" not in said and status != 0
        told += f", but for something else: {said[:200]}" if others else ""
        return Row(name, before, told, status != 0 and not echoed and not others)
