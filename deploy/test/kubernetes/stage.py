"""The built binaries as a kubelet starts them: with a manifest's environment, mounts, user and group."""

from __future__ import annotations

import contextlib
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request

import rendered
from processes import BOUND, binary, eventually

HOSTS = "gateway,localhost,127.0.0.1"


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Stage:
    """A folder that stands for a node's file system, with Secrets for all pods of an overlay."""

    def __init__(self, overlay: str):
        self.overlay = overlay
        self.cleanup = contextlib.ExitStack()
        folder = self.cleanup.enter_context(tempfile.TemporaryDirectory())
        self.root = pathlib.Path(folder)
        self.root.chmod(0o755)
        self.secrets = self._made()

    def _made(self) -> dict[str, dict[str, bytes]]:
        made = self.root / "made"
        clients = "engine,engine-trend,engine-reversion"
        command = [
            binary("mymt5-gateway"),
            "certs",
            "--folder",
            str(made),
            "--hosts",
            HOSTS,
            "--clients",
            clients,
        ]
        subprocess.run(command, check=True, capture_output=True, env={})

        def identity(name: str) -> dict[str, bytes]:
            return {
                "tls.crt": (made / name / "certificate.pem").read_bytes(),
                "tls.key": (made / name / "key.pem").read_bytes(),
                "ca.crt": (made / "ca.pem").read_bytes(),
            }

        files = {f"{name}-tls": identity(name) for name in ["gateway", *clients.split(",")]}
        files["bridge-certificate"] = {
            "certificate.pem": (made / "bridge/certificate.pem").read_bytes()
        }
        files["gateway-account"] = {
            "MT5_LOGIN": b"10000001",
            "MT5_PASSWORD": b"not-a-real-one",
            "MT5_SERVER": b"Nowhere-Demo",
            "BRIDGE_SECRET": secrets.token_hex(32).encode(),
        }
        files["gateway-notify"] = {
            "SMTP_PASSWORD": b"not-a-real-one",
            "TELEGRAM_BOT_TOKEN": b"1:" + b"x" * 35,
        }
        return files

    def pod(self, name: str, **changed: str) -> Pod:
        return Pod(self, rendered.named(self.overlay, "StatefulSet", name), changed)


class Pod:
    """One container of a StatefulSet. `changed` are variables that cannot be the manifest's here."""

    def __init__(self, stage: Stage, workload: dict, changed: dict[str, str]):
        self.workload = workload
        self.user = rendered.pod(workload)["securityContext"]["runAsUser"]
        self.group = rendered.pod(workload)["securityContext"]["fsGroup"]
        self.home = stage.root / workload["metadata"]["name"]
        self.program = binary(rendered.program(workload))
        self.variables = rendered.environment(stage.overlay, workload)
        self.places = {}
        volumes = {volume["name"]: volume for volume in rendered.pod(workload)["volumes"]}
        for mount in rendered.container(workload)["volumeMounts"]:
            place = self.home / mount["mountPath"].lstrip("/")
            place.mkdir(parents=True)
            self.places[mount["mountPath"]] = place
            for secret in rendered.secrets(volumes.get(mount["name"], {})):
                self._mount(place, stage.secrets[secret])
        for key, value in self.variables.items():
            for path, place in self.places.items():
                if value == path or value.startswith(path + "/"):
                    self.variables[key] = str(place) + value[len(path) :]
        self.variables |= changed
        self.data = self.places["/var/lib/mymt5/data"]
        self.folder = self.home / rendered.container(workload)["workingDir"].lstrip("/")
        self.process = None
        self.said = self.home / "stdout"
        self.complained = self.home / "stderr"
        stage.cleanup.callback(self.end)

    def _mount(self, place: pathlib.Path, files: dict[str, bytes]):
        """As the kubelet does: root's files, readable to the pod's group."""
        for name, content in files.items():
            path = place / name
            path.write_bytes(content)
            os.chown(path, 0, self.group)
            path.chmod(0o440)

    def volume(self):
        """The claim's volume, as it is the first time: root's, handed over by the group."""
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=256m,mode=755", "volume", str(self.data)],
            check=True,
        )
        self.hand_over()

    def hand_over(self):
        """What the kubelet does at a mount, unless the uppermost folder tells it that it is done."""
        for folder, _, files in os.walk(self.data):
            os.chown(folder, -1, self.group)
            os.chmod(folder, os.stat(folder).st_mode | 0o2770)
            for name in files:
                path = pathlib.Path(folder, name)
                os.chown(path, -1, self.group)
                path.chmod(path.stat().st_mode | 0o660)

    def command(self, *words: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            self._as_user(*words),
            check=False,
            cwd=self.folder,
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=BOUND,
        )

    def _as_user(self, *words: str) -> list[str]:
        user, group = str(self.user), str(self.group)
        identity = ["--reuid", user, "--regid", user, "--groups", group, "--no-new-privs"]
        return [
            "setpriv",
            *identity,
            "--inh-caps=-all",
            "--bounding-set=-all",
            self.program,
            *words,
        ]

    def start(self):
        with self.said.open("wb") as said, self.complained.open("wb") as complained:
            self.process = subprocess.Popen(
                self._as_user(*rendered.container(self.workload)["args"]),
                cwd=self.folder,
                env=self.variables,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=complained,
            )

    def probe(self, service: str) -> bool:
        """As the kubelet's native gRPC probe does."""
        if self.process.poll() is not None:
            raise AssertionError(
                f"it ended: {self.process.returncode} {self.complained.read_text()}"
            )
        address = self.variables["MYMT5__OPERATIONS__LISTEN"]
        return self.command("health", "--operations", address, "--service", service).returncode == 0

    def get(self, path: str) -> int:
        try:
            url = f"http://{self.variables['MYMT5__OPERATIONS__LISTEN']}{path}"
            with urllib.request.urlopen(url, timeout=BOUND) as answer:
                return answer.status
        except urllib.error.HTTPError as refused:
            return refused.code

    def ready(self):
        eventually(f"{self.program} is ready", lambda: self.probe("readiness"))

    def stop(self, number: int = signal.SIGTERM) -> int:
        """How it ended within the time that the manifest gives it."""
        self.process.send_signal(number)
        return self.process.wait(rendered.pod(self.workload)["terminationGracePeriodSeconds"])

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if os.path.ismount(self.data):
            subprocess.run(["umount", str(self.data)], check=True)
        shutil.rmtree(self.home)
