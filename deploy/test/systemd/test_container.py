"""The units under a systemd of their own, with the built binaries and two users."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

import landlock
from processes import BOUND, REPOSITORY, binary, eventually

ROOM = REPOSITORY / "deploy/systemd"
GATEWAY, ENGINE = "mymt5-gateway", "mymt5-engine@main"
# The shipped patience is half a minute.
HASTY = "[Service]\nWatchdogSec=2\nRestartSec=100ms\nRestartMaxDelaySec=2\nTimeoutAbortSec=5\n"


class Machine:
    """A container whose changes are forgotten."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mymt5-systemd-"))
        self.console = self.folder / "console"
        self.process = None
        self.leader = ""

    def boot(self):
        self._fill()
        command = [
            "systemd-nspawn",
            "--quiet",
            "--boot",
            "--register=no",
            "--keep-unit",
            "--private-network",
            "--volatile=overlay",
            # What IPAddressAllow is made of, and Landlock, which nspawn bars else.
            "--capability=CAP_BPF,CAP_NET_ADMIN",
            "--system-call-filter=bpf landlock_create_ruleset landlock_add_rule landlock_restrict_self",
            "--link-journal=no",
            f"--machine=mymt5-{os.getpid()}",
            f"--directory={os.environ['MYMT5_SYSTEMD_ROOT']}",
            *[
                f"--bind-ro={self.folder / 'bin' / name}:/usr/local/bin/{name}"
                for name in ("mymt5-gateway", "mymt5-engine")
            ],
            f"--bind-ro={self.folder}/stage:/stage",
            "systemd.mask=console-getty.service",
        ]
        with self.console.open("wb") as console:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env=os.environ | {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            )
        self.leader = eventually("the container has a first process", self._leader)
        eventually(
            "systemd is up",
            lambda: (
                self.run("systemctl", "is-system-running", check=False).stdout.strip()
                in ("running", "degraded")
            ),
        )

    def _fill(self):
        """What an operator would have put in place."""
        (self.folder / "bin").mkdir()
        for name in ("mymt5-gateway", "mymt5-engine"):
            shutil.copy(binary(name), self.folder / "bin" / name)
        stage = self.folder / "stage"
        certs = [
            self.folder / "bin/mymt5-gateway",
            "certs",
            "--folder",
            stage / "tls",
            "--clients",
            "engine",
        ]
        subprocess.run(certs, check=True, capture_output=True, env={})
        for file in ROOM.iterdir():
            shutil.copy(file, stage)
        for name in ("gateway", "engine"):
            shutil.copy(REPOSITORY / f"config/{name}.toml", stage)

    def _leader(self) -> str:
        if self.process.poll() is not None:
            raise AssertionError(self.console.read_text())
        children = (
            pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
            .read_text()
            .split()
        )
        for child in children:
            if "systemd" in pathlib.Path(f"/proc/{child}/comm").read_text():
                return child
        return ""

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess:
        command = [
            "nsenter",
            "--target",
            self.leader,
            "--mount",
            "--uts",
            "--ipc",
            "--net",
            "--pid",
            "--cgroup",
            "--",
            *words,
        ]
        return subprocess.run(command, check=check, capture_output=True, text=True, timeout=BOUND)

    def sh(self, script: str) -> str:
        return self.run("sh", "-euc", script).stdout

    def show(self, unit: str, name: str) -> str:
        return self.run("systemctl", "show", "--property", name, "--value", unit).stdout.strip()

    def log(self, unit: str) -> str:
        return self.run(
            "journalctl", "--no-pager", "--output=cat", "--unit", unit, check=False
        ).stdout

    def close(self):
        """At once: nothing of the container is kept."""
        if self.leader:
            os.kill(int(self.leader), signal.SIGKILL)
        elif self.process:
            self.process.kill()
        if self.process:
            self.process.wait(BOUND)
        shutil.rmtree(self.folder)


INSTALL = """
cp /stage/mymt5.sysusers /usr/lib/sysusers.d/mymt5.conf
systemd-sysusers
cp /stage/mymt5-*.service /etc/systemd/system/
install -d /etc/mymt5 /etc/mymt5/gateway /etc/mymt5/engine /etc/mymt5/engine/main
install -m 644 /stage/tls/ca.pem /etc/mymt5/
install -m 644 /stage/gateway.toml /etc/mymt5/gateway/
install -m 644 /stage/engine.toml /etc/mymt5/engine/main/
install -m 600 -o mymt5-gateway /stage/tls/gateway/*.pem /etc/mymt5/gateway/
install -m 600 -o mymt5-engine /stage/tls/engine/*.pem /etc/mymt5/engine/main/
"""


class Container(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.machine = Machine()
        cls.addClassCleanup(cls.machine.close)
        cls.machine.boot()
        cls.machine.sh(INSTALL)

    def setUp(self):
        self.addCleanup(self.clear)

    def clear(self):
        self.machine.sh(
            f"systemctl stop {GATEWAY} {ENGINE}; systemctl reset-failed;"
            "rm -rf /etc/systemd/system/mymt5-*.service.d /var/lib/mymt5 /var/log/mymt5; systemctl daemon-reload"
        )

    def drop_in(self, unit: str, text: str):
        folder = f"/etc/systemd/system/{unit.split('@')[0]}{'@' if '@' in unit else ''}.service.d"
        self.machine.sh(
            f"mkdir -p {folder}; cat >{folder}/test.conf <<'END'\n{text}\nEND\nsystemctl daemon-reload"
        )

    def start(self, unit: str):
        done = self.machine.run("systemctl", "start", unit, check=False)
        self.assertEqual(done.returncode, 0, done.stderr + self.machine.log(unit))

    def test_the_pair_runs_as_two_users_confined_by_systemd_and_by_itself(self):
        for unit, user in ((GATEWAY, "mymt5-gateway"), (ENGINE, "mymt5-engine")):
            self.start(unit)
            pid = self.machine.show(unit, "MainPID")
            self.assertEqual(self.machine.sh(f"stat -c %U /proc/{pid}").strip(), user)
            self.assertIn(landlock.enforced(), self.machine.log(unit))
        eventually(
            "the engine is connected",
            lambda: self.machine.run("mymt5-engine", "health", check=False).returncode == 0,
        )
        owned = self.machine.sh("stat -c '%U %a' /var/lib/mymt5/* /var/log/mymt5/*").split("\n")[
            :-1
        ]
        self.assertEqual(set(owned), {"mymt5-gateway 700", "mymt5-engine 700"})
        for unit in (ENGINE, GATEWAY):
            self.machine.run("systemctl", "stop", unit)
            self.assertEqual(self.machine.show(unit, "Result"), "success")

    def test_a_process_that_stands_still_is_started_again(self):
        for unit in (GATEWAY, ENGINE):
            self.drop_in(unit, HASTY)
            self.start(unit)
        for unit in (ENGINE, GATEWAY):
            with self.subTest(unit):
                before = self.machine.show(unit, "MainPID")
                self.machine.sh(f"kill -STOP {before}")
                self.replaced(unit, before)
                self.assertIn("atchdog timeout", self.machine.log(unit))

    def replaced(self, unit: str, before: str):
        def is_another() -> bool:
            state = self.machine.show(unit, "ActiveState")
            return state == "active" and self.machine.show(unit, "MainPID") != before

        eventually("another process runs", is_another)

    def test_a_process_that_is_killed_is_started_again(self):
        self.drop_in(GATEWAY, HASTY)
        self.start(GATEWAY)
        before = self.machine.show(GATEWAY, "MainPID")
        self.machine.sh(f"kill -KILL {before}")
        self.replaced(GATEWAY, before)

    def test_a_faulty_configuration_is_not_started_again(self):
        for unit in (GATEWAY, ENGINE):
            with self.subTest(unit):
                self.drop_in(unit, HASTY + "Environment=MYMT5__LOGGING__LEVEL=loud\n")
                self.assertNotEqual(
                    self.machine.run("systemctl", "start", unit, check=False).returncode, 0
                )
                self.assertEqual(self.machine.show(unit, "ExecMainStatus"), "78")
                self.assertEqual(self.machine.show(unit, "ActiveState"), "failed")
                self.assertEqual(self.machine.show(unit, "NRestarts"), "0")

    def test_pauses_between_restarts_grow(self):
        nowhere = "Environment=MYMT5__OPERATIONS__LISTEN=192.0.2.1:9101 MYMT5__OPERATIONS__ALLOW_REMOTE=true\n"
        self.drop_in(GATEWAY, HASTY + nowhere)
        self.machine.run("systemctl", "start", "--no-block", GATEWAY)
        eventually("three restarts", lambda: int(self.machine.show(GATEWAY, "NRestarts")) >= 3)
        self.assertIn("cannot listen on 192.0.2.1:9101", self.machine.log(GATEWAY))
        self.assertEqual(self.machine.show(GATEWAY, "RestartUSec"), "100ms")
        self.assertNotIn(self.machine.show(GATEWAY, "RestartUSecNext"), ("100ms", ""))

    def test_only_allowed_addresses_are_reached(self):
        self.start(GATEWAY)
        self.drop_in(ENGINE, "[Service]\nIPAddressAllow=\nIPAddressAllow=192.0.2.1\n")
        self.start(ENGINE)
        pid = self.machine.show(ENGINE, "MainPID")
        eventually(
            "it tries in vain",
            lambda: "session ended" in self.machine.sh(f"journalctl -o cat _PID={pid}"),
        )
        self.assertNotIn("session begun", self.machine.sh(f"journalctl -o cat _PID={pid}"))

    def test_nothing_else_is_written(self):
        self.start(GATEWAY)
        pid = self.machine.show(GATEWAY, "MainPID")
        for folder, writable in {
            "/etc/mymt5": False,
            "/usr/local": False,
            "/var/lib": False,
            "/var/lib/mymt5/gateway": True,
        }.items():
            inside = ["nsenter", "--target", pid, "--mount", "touch", f"{folder}/x"]
            self.assertEqual(
                self.machine.run(*inside, check=False).returncode == 0, writable, folder
            )

    def test_the_runbook_finds_what_the_units_have_made(self):
        for unit in (GATEWAY, ENGINE):
            self.start(unit)
        page = (REPOSITORY / "deploy/RUNBOOK.md").read_text()
        (block,) = re.findall("```sh installation systemd\n(.*?)```", page, re.DOTALL)
        tried = """
            operator status && operator backup
            ls $logs/* $ca $engine_tls
            $bin/mymt5-gateway check --config $config/gateway.toml
            until $bin/mymt5-gateway health --config $config/gateway.toml; do sleep 0.1; done
            until $bin/mymt5-engine health; do sleep 0.1; done
            test $(systemctl is-active $engine) = active
        """
        user = ["runuser", "-u", "mymt5-gateway", "--"]
        shell = ["timeout", str(BOUND // 2), "bash", "-euo", "pipefail", "-c", block + tried]
        done = self.machine.run(*user, *shell, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_a_credential_is_read_and_nobody_else_reads_it(self):
        names = ("MT5_LOGIN", "MT5_PASSWORD", "MT5_SERVER", "BRIDGE_SECRET")
        self.machine.sh(
            "install -d -m 700 /etc/mymt5/secrets; cd /etc/mymt5/secrets; umask 077;"
            "echo 10000001 >MT5_LOGIN; echo not-a-real-one >MT5_PASSWORD; echo Nowhere-Demo >MT5_SERVER;"
            "od -An -tx1 -N32 /dev/urandom | tr -d ' \\n' >BRIDGE_SECRET"
        )
        terminal = (ROOM / "terminal.conf").read_text()
        variables = {
            "MYMT5__BROKER__KIND": "terminal",
            "MYMT5__BROKER__TERMINAL__ADDRESS": "127.0.0.1:18812",
            "MYMT5__BROKER__TERMINAL__PLAIN": "true",
            "MYMT5__BROKER__TERMINAL__ACCOUNT_KIND": "demo",
            "MYMT5__BROKER__TERMINAL__SYMBOLS": json.dumps({"EURUSD": "EURUSD"}).replace(
                '"', '\\"'
            ),
        }
        environment = "".join(
            f'Environment="{name}={value}"\n' for name, value in variables.items()
        )
        self.drop_in(GATEWAY, terminal + environment)
        self.start(GATEWAY)
        folder = f"/run/credentials/{GATEWAY}.service"
        for name in names:
            self.assertTrue(self.machine.sh(f"stat -c %a {folder}/{name}").strip().endswith("0"))
        refused = self.machine.run(
            "setpriv", "--reuid", "mymt5-engine", "--clear-groups", "ls", folder, check=False
        )
        self.assertNotEqual(refused.returncode, 0)
        pid = self.machine.show(GATEWAY, "MainPID")
        for place in ("environ", "cmdline"):
            self.assertNotIn(
                "not-a-real-one", self.machine.sh(f"tr '\\0' '\\n' </proc/{pid}/{place}")
            )
        self.assertNotIn("not-a-real-one", self.machine.log(GATEWAY))
        without = terminal.replace("LoadCredential=MT5_PASSWORD", "#")
        self.drop_in(GATEWAY, without + environment)
        self.assertNotEqual(
            self.machine.run("systemctl", "restart", GATEWAY, check=False).returncode, 0
        )
        self.assertEqual(self.machine.show(GATEWAY, "ExecMainStatus"), "78")
        self.assertIn("MT5_PASSWORD", self.machine.log(GATEWAY))


if __name__ == "__main__":
    unittest.main()
