"""The manifests by themselves: schemas, checkov, and what every pod is to be."""

import json
import pathlib
import subprocess
import tempfile
import unittest

import rendered
import yaml

KUBERNETES = "1.36"
# cert-manager's own kinds have no schema in Kubernetes: the fields of theirs that are used here.
FIELDS = {
    "Issuer": {"selfSigned", "ca"},
    "Certificate": {
        "commonName",
        "dnsNames",
        "duration",
        "isCA",
        "issuerRef",
        "privateKey",
        "renewBefore",
        "secretName",
        "uris",
        "usages",
    },
}


class Manifests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.files = []
        for overlay in rendered.OVERLAYS:
            file = pathlib.Path(folder.name, overlay.replace("/", "-") + ".yaml")
            file.write_text(rendered.text(overlay))
            cls.files.append(file)
        examples = sorted((rendered.ROOM / "examples").glob("*.yaml"))
        monitoring = pathlib.Path(folder.name, "monitoring.yaml")
        monitoring.write_text(rendered.text("components/monitoring"))
        cls.files += [monitoring, *examples]

    def test_every_manifest_is_valid(self):
        command = ["kubernetes-validate", "--strict", "-k", KUBERNETES, *map(str, self.files)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for line in (done.stdout + done.stderr).splitlines():
            if "find schema" in line:
                self.assertIn(" cert-manager.io/v1 ", line)
        for overlay in rendered.OVERLAYS:
            for kind, fields in FIELDS.items():
                for found in rendered.of_kind(overlay, kind):
                    self.assertLessEqual(set(found["spec"]), fields)

    def test_a_misspelt_field_is_found(self):
        broken = rendered.text("overlays/dev").replace(
            "automountServiceAccountToken", "automountToken"
        )
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(broken)
            file.flush()
            command = ["kubernetes-validate", "--strict", "-k", KUBERNETES, file.name]
            self.assertNotEqual(
                subprocess.run(command, check=False, capture_output=True).returncode, 0
            )

    def test_every_finding_of_checkov_is_answered_and_every_answer_is_needed(self):
        command = [
            "checkov",
            "--framework",
            "kubernetes",
            "--output",
            "json",
            "--quiet",
            "--skip-download",
        ]
        for file in self.files:
            command += ["--file", str(file)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        report = json.loads(done.stdout)
        findings = {
            check["check_id"]: check["resource"] for check in report["results"]["failed_checks"]
        }
        answered = yaml.safe_load((rendered.ROOM / "checkov.yaml").read_text())["skip-check"]
        self.assertEqual(set(findings), set(answered), findings)
        for check in report["results"]["failed_checks"]:
            if check["check_id"] == "CKV_K8S_43":
                self.assertNotIn("production", check["file_path"])

    def test_pods_are_restricted_and_bounded(self):
        for overlay in rendered.OVERLAYS:
            for namespace in rendered.of_kind(overlay, "Namespace"):
                labels = namespace["metadata"]["labels"]
                self.assertEqual(labels["pod-security.kubernetes.io/enforce"], "restricted")
            for workload in rendered.workloads(overlay):
                with self.subTest(overlay, name=workload["metadata"]["name"]):
                    self.restricted(workload)
                    account = rendered.named(
                        overlay, "ServiceAccount", rendered.pod(workload)["serviceAccountName"]
                    )
                    self.assertFalse(account["automountServiceAccountToken"])

    def restricted(self, workload: dict):
        pod, container = rendered.pod(workload), rendered.container(workload)
        self.assertFalse(pod["automountServiceAccountToken"])
        self.assertFalse(pod["enableServiceLinks"])
        for name in ("hostNetwork", "hostPID", "hostIPC"):
            self.assertNotIn(name, pod)
        security = pod["securityContext"]
        self.assertTrue(security["runAsNonRoot"])
        self.assertEqual(security["seccompProfile"], {"type": "RuntimeDefault"})
        users = {"mymt5-gateway": 10001, "mymt5-engine": 10002}
        user = users[rendered.program(workload)]
        self.assertEqual(
            {security[name] for name in ("runAsUser", "runAsGroup", "fsGroup")}, {user}
        )
        own = container["securityContext"]
        self.assertEqual(own["capabilities"], {"drop": ["ALL"]})
        self.assertTrue(own["readOnlyRootFilesystem"])
        self.assertFalse(own["allowPrivilegeEscalation"])
        self.assertIn("memory", container["resources"]["limits"])
        for volume in pod["volumes"]:
            self.assertNotIn("hostPath", volume)

    def test_stateful_sets_keep_what_they_know_and_one_process_trades(self):
        for overlay in rendered.OVERLAYS:
            for workload in rendered.of_kind(overlay, "StatefulSet"):
                spec = workload["spec"]
                self.assertEqual(spec["replicas"], 1)
                self.assertEqual(
                    set(spec["persistentVolumeClaimRetentionPolicy"].values()), {"Retain"}
                )
                (claim,) = spec["volumeClaimTemplates"]
                self.assertEqual(claim["spec"]["accessModes"], ["ReadWriteOncePod"])
                self.assertGreaterEqual(rendered.pod(workload)["terminationGracePeriodSeconds"], 30)
                name = workload["metadata"]["name"]
                namespace = workload["metadata"]["namespace"]
                for kind in ("Service", "PodDisruptionBudget"):
                    found = [
                        one["spec"]["selector"]
                        for one in rendered.of_kind(overlay, kind)
                        if (one["metadata"]["name"], one["metadata"]["namespace"])
                        == (name, namespace)
                    ]
                    labels = spec["template"]["metadata"]["labels"]
                    (selector,) = found
                    self.assertLessEqual(
                        selector.get("matchLabels", selector).items(), labels.items()
                    )
                service = rendered.named(overlay, "Service", spec["serviceName"])
                self.assertEqual(service["spec"]["clusterIP"], "None")
                self.assertTrue(service["spec"]["publishNotReadyAddresses"])

    def test_no_value_of_a_secret_is_here(self):
        for overlay in rendered.OVERLAYS:
            self.assertEqual(rendered.of_kind(overlay, "Secret"), [])
        for file in (rendered.ROOM / "examples").glob("*.yaml"):
            for example in yaml.safe_load_all(file.read_text()):
                if example["kind"] == "Secret":
                    self.assertNotIn("data", example)
                    self.assertEqual(set(example["stringData"].values()), {"REPLACE-ME"}, file.name)

    def test_every_secret_that_a_pod_mounts_has_a_maker(self):
        examples = {file.stem for file in (rendered.ROOM / "examples").glob("*.yaml")}
        for overlay in rendered.OVERLAYS:
            made = {one["spec"]["secretName"] for one in rendered.of_kind(overlay, "Certificate")}
            by_hand = {"gateway-tls", "engine-tls"} if overlay == "overlays/dev" else set()
            for workload in rendered.workloads(overlay):
                for volume in rendered.pod(workload)["volumes"]:
                    self.assertLessEqual(set(rendered.secrets(volume)), examples | made | by_hand)

    def test_images_by_tag_are_those_that_are_built(self):
        compose = yaml.safe_load((rendered.REPOSITORY / "deploy/compose/compose.yaml").read_text())
        built = {service["image"] for service in compose["services"].values()}
        for overlay in ("overlays/dev", "sweep"):
            for workload in rendered.workloads(overlay):
                self.assertIn(rendered.container(workload)["image"], built)

    def test_what_a_sweep_mounts_is_an_example(self):
        made = {
            (example["kind"], example["metadata"]["namespace"], example["metadata"]["name"])
            for file in (rendered.ROOM / "examples").glob("*.yaml")
            for example in yaml.safe_load_all(file.read_text())
        }
        job = rendered.named("sweep", "Job", "sweep")
        for volume in rendered.pod(job)["volumes"]:
            if "configMap" in volume:
                wanted = ("ConfigMap", volume["configMap"]["name"])
            else:
                wanted = ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])
            self.assertIn((wanted[0], "mymt5-sweep", wanted[1]), made)

    def test_a_sweep_has_as_many_shares_as_completions(self):
        job = rendered.named("sweep", "Job", "sweep")
        self.assertEqual(job["spec"]["completionMode"], "Indexed")
        arguments = rendered.container(job)["args"]
        share = arguments[arguments.index("--shard") + 1]
        self.assertEqual(share, f"$(JOB_COMPLETION_INDEX)/{job['spec']['completions']}")


if __name__ == "__main__":
    unittest.main()
