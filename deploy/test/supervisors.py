"""Supervisor and PM2 with the shipped files and the real pair, as two users: a killed gateway comes back, one
with a faulty configuration (78) stays down, and a stop is a clean end. And the form of Windows' tasks."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from importlib import util
from pathlib import Path
from urllib.request import urlopen
from xml.etree import ElementTree

DEPLOY = Path(__file__).resolve().parents[1]
USERS = {"gateway": "nobody", "engine": "daemon"}  # every Linux has these two
PATIENCE_S = 60

GATEWAY = """
[server]
listen = "127.0.0.1:{api}"
tls.certificate = "config/tls/gateway/certificate.pem"
tls.key = "config/tls/gateway/key.pem"
tls.client_ca = "config/tls/ca.pem"
[operations]
listen = "127.0.0.1:{gateway}"
[broker]
time_zone = "new_york+7"
[broker.simulator]
symbols = ["EURUSD"]
[process]
data_folder = "data/gateway"
[logging]
folder = "logs/gateway"
[clients.engine]
certificate = "spiffe://mymt5/client/engine"
permissions = ["read", "trade"]
"""

ENGINE = """
[engine]
name = "engine"
[gateway]
address = "https://127.0.0.1:{api}"
ca = "config/tls/ca.pem"
certificate = "config/tls/engine/certificate.pem"
key = "config/tls/engine/key.pem"
[operations]
listen = "127.0.0.1:{engine}"
[[strategies]]
name = "cross"
kind = "ema_cross"
symbol = "EURUSD"
[process]
data_folder = "data/engine"
[logging]
folder = "logs/engine"
"""


def until(ready, what):
    """Waits for the first answer that is true, and gives it back."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        answer = ready()
        if answer:
            return answer
        time.sleep(0.1)
    raise SystemExit(f"no {what} within {PATIENCE_S} s")


def serves(port):
    try:
        return urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).status == 200
    except OSError:
        return False


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [taken.getsockname()[1] for taken in sockets]
    for taken in sockets:
        taken.close()
    return ports


def binary(name):
    named = os.environ.get(f"MYMT5_{name.upper()}")
    target = Path(os.environ.get("CARGO_TARGET_DIR", DEPLOY.parent / "target"))
    for place in (
        [Path(named)]
        if named
        else [target / kind / f"mymt5-{name}" for kind in ("debug", "release")]
    ):
        if os.access(place, os.X_OK):
            return place
    raise SystemExit(f"no mymt5-{name}: cargo build, or name one by MYMT5_{name.upper()}")


def set_up(root):
    """A folder as the README sets one up, with two users' files; the ports that are served."""
    root.chmod(0o755)
    (root / "target/release").mkdir(parents=True)
    (root / "out").mkdir()
    for name in USERS:
        shutil.copy(binary(name), root / f"target/release/mymt5-{name}")
    shutil.copytree(DEPLOY / "supervisor", root / "deploy/supervisor")
    words = [
        root / "target/release/mymt5-gateway",
        "certs",
        "--folder",
        root / "config/tls",
        "--clients",
        "engine",
    ]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, cwd=root)
    (root / "config").chmod(0o755)
    (root / "config/tls").chmod(0o711)
    (root / "config/tls/ca.pem").chmod(0o644)
    ports = dict(zip(["api", "gateway", "engine"], free_ports(3)))
    for name, text in {"gateway": GATEWAY, "engine": ENGINE}.items():
        config = root / f"config/{name}.toml"
        config.write_text(text.format(**ports))
        for folder in [root / "data" / name, root / "logs" / name]:
            folder.mkdir(parents=True, mode=0o700)
        for place in [config, *(root / f"config/tls/{name}").rglob("*")]:
            shutil.chown(place, USERS[name], "root")
        for place in [root / "data" / name, root / "logs" / name, root / "config/tls" / name]:
            shutil.chown(place, USERS[name], "root")
    return ports


class Supervisor:
    """supervisord with the shipped file, for this folder and these users."""

    def __init__(self, root):
        shipped = (DEPLOY / "supervisor/mymt5.conf").read_text()
        shipped = shipped.replace("/opt/mymt5", str(root)).replace("/var/log", str(root / "out"))
        for name, user in USERS.items():
            shipped = shipped.replace(f"user=mymt5-{name}\n", f"user={user}\n")
        self.config = root / "supervisord.conf"
        socket_file = root / "supervisor.sock"
        factory = "supervisor.rpcinterface:make_main_rpcinterface"
        self.config.write_text(
            f"[supervisord]\nnodaemon=true\nuser=root\nlogfile={root}/out/supervisord.log\n"
            f"pidfile={root}/supervisord.pid\n[unix_http_server]\nfile={socket_file}\n"
            f"[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory={factory}\n"
            f"[supervisorctl]\nserverurl=unix://{socket_file}\n" + shipped
        )
        words = [sys.executable, "-m", "supervisor.supervisord", "-c", self.config]
        self.daemon = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def control(self, *words):
        words = [sys.executable, "-m", "supervisor.supervisorctl", "-c", self.config, *words]
        return subprocess.run(words, check=False, capture_output=True, text=True).stdout

    def supervised(self, name):
        """The pid of the shell that waits for the program."""
        answer = self.control("pid", f"mymt5-{name}").strip()
        return int(answer) if answer.isdigit() else 0

    def pid(self, name):
        shell = self.supervised(name)
        try:
            return int(Path(f"/proc/{shell}/task/{shell}/children").read_text().split()[0])
        except (OSError, IndexError):
            return 0

    def given_up(self, name):
        return "EXITED" in self.control("status", f"mymt5-{name}")

    def stop(self, name):
        self.control("stop", f"mymt5-{name}")

    def end(self):
        self.daemon.terminate()
        self.daemon.wait(timeout=PATIENCE_S)


class Pm2:
    """PM2 with the shipped file, for this folder and these users, and with a daemon of its own."""

    def __init__(self, root):
        shipped = (DEPLOY / "pm2/ecosystem.config.js").read_text()
        shipped = shipped.replace("/opt/mymt5", str(root)).replace("/var/log", str(root / "out"))
        for kind in ["uid", "gid"]:
            users = json.dumps(USERS if kind == "uid" else dict.fromkeys(USERS, "root"))
            shipped = shipped.replace(f"{kind}: `mymt5-${{name}}`", f"{kind}: ({users})[name]")
        config = root / "ecosystem.config.js"
        config.write_text(shipped)
        self.environment = {
            "PATH": os.environ["PATH"],
            "PM2_HOME": str(root / "pm2"),
            "MT5_PASSWORD": "x" * 8,
        }
        self.ended = None
        self.control("start", config)

    def control(self, *words):
        words = [os.environ["MYMT5_PM2"], *words]
        done = subprocess.run(
            words, check=False, capture_output=True, text=True, env=self.environment
        )
        return done.stdout

    def program(self, name):
        listed = self.control("jlist")
        programs = json.loads(listed[listed.index("[{") :])
        return next(program for program in programs if program["name"] == f"mymt5-{name}")

    def pid(self, name):
        return self.program(name)["pid"]

    def given_up(self, name):
        """PM2 shows `waiting restart` then, and starts nothing: its delay passes, and there is no new process."""
        program = self.program(name)
        state = program["pm2_env"]
        if program["pid"] or state["exit_code"] != 78:
            return False
        self.ended = self.ended or time.monotonic()
        return time.monotonic() - self.ended > 2 * state["prev_restart_delay"] / 1000

    def stop(self, name):
        self.control("stop", f"mymt5-{name}")

    def end(self):
        self.control("kill")


def process_uid(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1])


def try_pair(kind):
    with tempfile.TemporaryDirectory(prefix="mymt5-supervisors-") as folder:
        root = Path(folder)
        ports = set_up(root)
        supervisor = kind(root)
        try:
            try_ends(supervisor, root, ports)
        finally:
            supervisor.end()


def try_ends(supervisor, root, ports):
    for name in USERS:
        until(lambda name=name: serves(ports[name]), f"serving {name}")
    pids = {name: supervisor.pid(name) for name in USERS}
    assert process_uid(pids["gateway"]) != process_uid(pids["engine"]), "both run as one user"
    for name, pid in pids.items():
        assert process_uid(pid) != 0, f"{name} runs as root"
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        assert b"MT5_PASSWORD" not in environment, f"{name} was handed a password"

    os.kill(pids["gateway"], signal.SIGKILL)
    until(lambda: supervisor.pid("gateway") not in (0, pids["gateway"]), "new gateway after a kill")
    until(lambda: serves(ports["gateway"]), "serving gateway after a kill")

    (root / "config/gateway.toml").write_text('[server]\nlisten = "nowhere"\n')
    os.kill(supervisor.pid("gateway"), signal.SIGKILL)
    until(lambda: supervisor.given_up("gateway"), "end with 78 that is final")

    marker = next((root / "data/engine").rglob("running.json"))
    supervisor.stop("engine")
    until(lambda: not serves(ports["engine"]), "stopped engine")
    until(lambda: not marker.exists(), "clean end of the engine")


def try_tasks():
    """The order of elements is the schema's own: sequences in a trigger and in its repetition."""
    space = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
    delays = {}
    for name in ["terminal", "bridge"]:
        task = ElementTree.parse(DEPLOY / f"windows/mymt5-{name}.xml").getroot()
        assert task.tag == f"{space}Task" and task.get("version") == "1.2"
        trigger = task.find(f"{space}Triggers/{space}LogonTrigger")
        tags = [child.tag.replace(space, "") for child in trigger]
        assert tags == ["Enabled", "Repetition", "UserId", "Delay"], tags
        delays[name] = trigger.findtext(f"{space}Delay")
        settings = {
            child.tag.replace(space, ""): child.text for child in task.find(f"{space}Settings")
        }
        assert settings["ExecutionTimeLimit"] == "PT0S", "a task without this ends after three days"
        assert settings["MultipleInstancesPolicy"] == "IgnoreNew"
        assert (
            settings["DisallowStartIfOnBatteries"] == settings["StopIfGoingOnBatteries"] == "false"
        )
        principal = task.find(f"{space}Principals/{space}Principal")
        assert principal.findtext(f"{space}LogonType") == "InteractiveToken"
        assert task.find(f"{space}Actions").get("Context") == principal.get("id")
    assert delays["terminal"] < delays["bridge"], "the bridge starts after the terminal"


def main():
    try_tasks()
    print("windows: both tasks have the schema's form")
    if os.geteuid() or not util.find_spec("supervisor") or "MYMT5_PM2" not in os.environ:
        why = "it needs root, MYMT5_PM2 and, in MYMT5_PYTHON, supervisor: see deploy/README.md"
        if os.environ.get("MYMT5_REQUIRE"):
            raise SystemExit(f"supervisors: {why}")
        print(f"skipped: supervisors: {why}")
        return
    for kind in [Supervisor, Pm2]:
        began = time.monotonic()
        try_pair(kind)
        took = time.monotonic() - began
        print(
            f"{kind.__name__}: restarted after a kill, not after 78, stopped cleanly ({took:.0f} s)"
        )


if __name__ == "__main__":
    main()
