"""What the manifests name is what the binaries take: variables, files, ports, probes, volumes, the end."""

import json
import math
import pathlib
import re
import signal
import subprocess
import tempfile
import unittest

import rendered
import yaml
from processes import BOUND, binary, eventually
from stage import Stage, free_port


def port_of(address: str) -> int:
    return int(address.rsplit(":", 1)[1])


class Names(unittest.TestCase):
    """Held against each other in the manifests as they are."""

    def test_ports_are_those_that_the_environment_opens(self):
        for overlay in rendered.OVERLAYS:
            for workload in rendered.of_kind(overlay, "StatefulSet"):
                variables = rendered.environment(overlay, workload)
                container = rendered.container(workload)
                opened = {"operations": port_of(variables["MYMT5__OPERATIONS__LISTEN"])}
                if "MYMT5__SERVER__LISTEN" in variables:
                    opened["grpc"] = port_of(variables["MYMT5__SERVER__LISTEN"])
                told = {port["name"]: port["containerPort"] for port in container["ports"]}
                self.assertEqual(told, opened)
                for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                    self.assertEqual(container[probe]["grpc"]["port"], opened["operations"])
                service = rendered.named(overlay, "Service", workload["spec"]["serviceName"])
                for port in service["spec"]["ports"]:
                    self.assertEqual(port["port"], told[port["targetPort"]])
                address = variables.get("MYMT5__GATEWAY__ADDRESS")
                if address:
                    self.assertEqual(address, "https://gateway:50051")

    def test_every_client_has_an_engine_and_its_certificate(self):
        for overlay in rendered.OVERLAYS:
            for gateway in [
                one
                for one in rendered.of_kind(overlay, "StatefulSet")
                if "gateway" in rendered.program(one)
            ]:
                namespace = gateway["metadata"]["namespace"]
                variables = rendered.environment(overlay, gateway)
                identities = {
                    value
                    for key, value in variables.items()
                    if re.fullmatch(r"MYMT5__CLIENTS__.*__CERTIFICATE", key)
                }
                engines = {
                    one["metadata"]["name"]
                    for one in rendered.of_kind(overlay, "StatefulSet")
                    if one["metadata"]["namespace"] == namespace
                    and "engine" in rendered.program(one)
                }
                self.assertEqual(identities, {f"spiffe://mymt5/client/{name}" for name in engines})
                made = {
                    uri
                    for one in rendered.of_kind(overlay, "Certificate")
                    if one["metadata"]["namespace"] == namespace
                    for uri in one["spec"].get("uris", [])
                }
                self.assertIn(made, [identities, set()])


class Configuration(unittest.TestCase):
    def test_the_environment_is_the_whole_configuration(self):
        for overlay in rendered.OVERLAYS:
            stage = Stage(overlay)
            self.addCleanup(stage.cleanup.close)
            namespaces = sorted(
                {one["metadata"]["namespace"] for one in rendered.of_kind(overlay, "StatefulSet")}
            )
            for workload in rendered.of_kind(overlay, "StatefulSet"):
                # Several accounts have pods of the same names: one of them stands for all.
                if workload["metadata"]["namespace"] != namespaces[0]:
                    continue
                with self.subTest(overlay, name=workload["metadata"]["name"]):
                    pod = stage.pod(workload["metadata"]["name"])
                    done = pod.command("check", "--print")
                    self.assertEqual(done.returncode, 0, done.stderr)
                    for name in pod.variables.keys() - {"MYMT5_CONFIG"}:
                        self.assertIn(f"(environment {name})", done.stdout)

    def test_a_variable_that_sets_nothing_is_found(self):
        stage = Stage("overlays/dev")
        self.addCleanup(stage.cleanup.close)
        pod = stage.pod("gateway", MYMT5__SERVER__LISTN="127.0.0.1:1")
        done = pod.command("check")
        self.assertEqual(done.returncode, 78)
        self.assertIn("server.listn", done.stderr)


class Sweep(unittest.TestCase):
    """The Job's shares as its pods start them, over a generated past."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        job = rendered.named("sweep", "Job", "sweep")
        self.words = rendered.container(job)["args"]
        self.places = {}
        for mount in rendered.container(job)["volumeMounts"]:
            place = self.folder / mount["mountPath"].lstrip("/")
            place.mkdir(parents=True)
            self.places[mount["mountPath"]] = place
        example = yaml.safe_load((rendered.ROOM / "examples/sweep.yaml").read_text())
        for name, text in example["data"].items():
            (self.places["/etc/mymt5"] / name).write_text(text)
        ticks = self.words[self.words.index("--ticks") + 1]
        self.place(ticks).write_text(made_ticks(2000))

    def place(self, path: str) -> pathlib.Path:
        """Where a path of the pod lies here."""
        found = [mount for mount in self.places if path.startswith(f"{mount}/")]
        return self.places[found[0]] / path[len(found[0]) + 1 :] if found else pathlib.Path(path)

    def run_binary(self, *words: str) -> subprocess.CompletedProcess:
        command = [binary("mymt5-engine"), *words]
        return subprocess.run(
            command, check=False, capture_output=True, text=True, env={}, timeout=BOUND
        )

    def test_every_share_of_the_job_is_traded_and_they_merge(self):
        shares = rendered.named("sweep", "Job", "sweep")["spec"]["completions"]
        parts = []
        for index in range(shares):
            words = [word.replace("$(JOB_COMPLETION_INDEX)", str(index)) for word in self.words]
            words = [str(self.place(word)) if word.startswith("/") else word for word in words]
            done = self.run_binary(*words)
            self.assertEqual(done.returncode, 0, done.stderr)
            parts.append(words[words.index("--out") + 1])
        self.assertEqual(len(set(parts)), shares)
        merged = self.run_binary("merge", *parts, "--json")
        self.assertEqual(merged.returncode, 0, merged.stderr)
        json.loads(merged.stdout)


def made_ticks(count: int) -> str:
    """A tick export that goes up and down for so many seconds."""
    lines = ["<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>"]
    for second in range(count):
        bid = 1.1 + math.sin(second / 50) / 500
        time = f"{second // 3600 + 10:02}:{second // 60 % 60:02}:{second % 60:02}.000"
        lines.append(f"2020.01.30\t{time}\t{bid:.5f}\t{bid + 0.0001:.5f}\t\t\t6")
    return "\n".join(lines) + "\n"


class Running(unittest.TestCase):
    def setUp(self):
        self.port = free_port()

    def stage(self, overlay: str) -> Stage:
        stage = Stage(overlay)
        self.addCleanup(stage.cleanup.close)
        return stage

    def gateway(self, stage: Stage, **changed: str):
        return stage.pod(
            "gateway",
            MYMT5__SERVER__LISTEN=f"127.0.0.1:{self.port}",
            MYMT5__OPERATIONS__LISTEN=f"127.0.0.1:{free_port()}",
            **changed,
        )

    def engine(self, stage: Stage, name: str):
        return stage.pod(
            name,
            MYMT5__GATEWAY__ADDRESS=f"https://localhost:{self.port}",
            MYMT5__OPERATIONS__LISTEN=f"127.0.0.1:{free_port()}",
        )

    def test_the_pair_serves_is_probed_logs_to_stdout_alone_and_ends(self):
        stage = self.stage("overlays/dev")
        pods = [self.gateway(stage), self.engine(stage, "engine")]
        for pod in pods:
            pod.volume()
            pod.start()
        for pod in pods:
            pod.ready()
            container = rendered.container(pod.workload)
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                self.assertTrue(pod.probe(container[probe]["grpc"]["service"]), probe)
            self.assertFalse(pod.probe("readyness"))
            self.assertEqual((pod.get("/healthz"), pod.get("/readyz")), (200, 200))
        for pod in reversed(pods):
            self.assertEqual(pod.stop(), 0, pod.complained.read_text())
            lines = pod.said.read_text().splitlines()
            self.assertTrue(lines)
            for line in lines:
                json.loads(line)
            self.assertEqual(pod.complained.read_text(), "")
            (written,) = [path.name for path in pod.data.iterdir()]
            self.assertIn(written, ("gateway", "engine-dev"))

    def test_a_volume_that_is_handed_over_anew_is_taken(self):
        stage = self.stage("overlays/dev")
        pods = [self.gateway(stage), self.engine(stage, "engine")]
        for pod in pods:
            pod.volume()
        for _ in range(2):
            for pod in pods:
                pod.start()
            for pod in pods:
                pod.ready()
            for pod in reversed(pods):
                self.assertEqual(pod.stop(), 0)
                (folder,) = pod.data.iterdir()
                self.assertEqual(folder.stat().st_mode & 0o077, 0)
                self.assertEqual(folder.stat().st_uid, pod.user)
                pod.hand_over()

    def test_the_volume_itself_is_a_data_folder(self):
        stage = self.stage("overlays/dev")
        gateway = self.gateway(stage)
        gateway.variables["MYMT5__PROCESS__DATA_FOLDER"] = str(gateway.data)
        gateway.volume()
        gateway.start()
        gateway.ready()
        self.assertEqual(gateway.stop(), 0)
        self.assertTrue((gateway.data / "journal.db").exists())
        gateway.data.chmod(0o2777)
        self.assertEqual(gateway.command("run").returncode, 69)

    def test_with_the_link_down_a_restarted_engine_connects_and_reads(self):
        stage = self.stage("overlays/production")
        nowhere = f"127.0.0.1:{free_port()}"
        gateway = self.gateway(stage, MYMT5__BROKER__TERMINAL__ADDRESS=nowhere)
        engine = self.engine(stage, "engine-trend")
        for pod in (gateway, engine):
            pod.volume()
            pod.start()
        gateway.ready()
        self.assertFalse(gateway.probe("mymt5.v1.TradingService"))
        engine.ready()
        engine.stop(signal.SIGKILL)
        engine.start()
        engine.ready()
        eventually("what it read is counted", lambda: "connected" in engine.said.read_text())
        self.assertEqual(engine.stop(), 0)


if __name__ == "__main__":
    unittest.main()
