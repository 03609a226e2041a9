"""Exactly the flows that are told, and no other."""

from __future__ import annotations

import copy
import functools
import itertools
import unittest

import policies
import rendered
from policies import Peer

DNS = Peer({"k8s-app": "kube-dns"}, "kube-system")
PROMETHEUS = Peer({"app.kubernetes.io/name": "prometheus"}, "monitoring")
STRANGER = Peer({"app": "stranger"}, "elsewhere")
OUTSIDE = {
    "bridge": Peer(address="192.0.2.10"),
    "bridge of a": Peer(address="192.0.2.11"),
    "bridge of b": Peer(address="192.0.2.12"),
    "mail": Peer(address="192.0.2.25"),
    "telegram": Peer(address="149.154.167.220"),
    "node": Peer(address="10.0.0.1"),
    "metadata": Peer(address="169.254.169.254"),
}
PORTS = [(port, "TCP") for port in (22, 25, 53, 80, 443, 465, 587, 9101, 9102, 18812, 50051)] + [
    (53, "UDP")
]


@functools.cache
def peers(overlay: str) -> dict[str, Peer]:
    """Everybody: the pods of the overlay, strangers within their namespaces, and those around."""
    all_peers = {"dns": DNS, "prometheus": PROMETHEUS, "stranger": STRANGER, **OUTSIDE}
    for workload in rendered.workloads(overlay):
        namespace = workload["metadata"]["namespace"]
        labels = workload["spec"]["template"]["metadata"]["labels"]
        ports = {
            port["name"]: port["containerPort"]
            for port in rendered.container(workload).get("ports", [])
        }
        all_peers[f"{namespace}/{workload['metadata']['name']}"] = Peer(labels, namespace, ports)
        all_peers[f"{namespace}/stranger"] = Peer({"app": "stranger"}, namespace)
    return all_peers


def flows(overlay: str, network: list[dict]) -> set[tuple]:
    """Every connection that comes about to or from a pod of the overlay."""
    everybody = {name: policies.Walls(network, peer) for name, peer in peers(overlay).items()}
    found = set()
    for (source, one), (target, other) in itertools.permutations(everybody.items(), 2):
        # What goes on between those around is not theirs to say.
        if "/" not in source + target or one.egress == [] or other.ingress == []:
            continue
        for port, protocol in PORTS:
            if one.reaches(other, port, protocol):
                found.add((source, target, port, protocol))
    return found


def pair(namespace: str, engines: list[str], bridge: str = "") -> set[tuple]:
    gateway = f"{namespace}/gateway"
    told = {(f"{namespace}/{engine}", gateway, 50051, "TCP") for engine in engines}
    for pod in [gateway, *(f"{namespace}/{engine}" for engine in engines)]:
        told |= {(pod, "dns", 53, "UDP"), (pod, "dns", 53, "TCP")}
    if bridge:
        told.add((gateway, bridge, 18812, "TCP"))
    return told


ENGINES = ["engine-trend", "engine-reversion"]
PRODUCTION = pair("mymt5", ENGINES, "bridge")
TOLD = {
    "overlays/dev": pair("mymt5", ["engine"]),
    "overlays/production": PRODUCTION,
    "overlays/smtp-telegram": PRODUCTION
    | {("mymt5/gateway", "mail", 465, "TCP")}
    # Telegram's addresses change: the internet's port 443, of which all these documentation addresses are.
    | {
        ("mymt5/gateway", name, 443, "TCP")
        for name in ("telegram", "mail", "bridge", "bridge of a", "bridge of b")
    },
    "overlays/many-accounts": pair("mymt5-a", ENGINES, "bridge of a")
    | pair("mymt5-b", ENGINES, "bridge of b"),
    "sweep": set(),
}


class Policies(unittest.TestCase):
    def test_exactly_the_told_flows(self):
        self.assertEqual(set(TOLD), set(rendered.OVERLAYS))
        for overlay, told in TOLD.items():
            with self.subTest(overlay):
                network = rendered.of_kind(overlay, "NetworkPolicy")
                self.assertEqual(flows(overlay, network), told)

    def test_every_pod_is_shut_both_ways(self):
        for overlay in rendered.OVERLAYS:
            network = rendered.of_kind(overlay, "NetworkPolicy")
            for name, peer in peers(overlay).items():
                if "/" not in name:
                    continue
                for direction in ("Ingress", "Egress"):
                    with self.subTest(overlay, pod=name, direction=direction):
                        self.assertTrue(policies.shuts(network, peer, direction))

    def test_one_changed_label_is_found(self):
        """In any selector of any policy: the flows are no longer those told."""
        for overlay, told in TOLD.items():
            network = rendered.of_kind(overlay, "NetworkPolicy")
            for place in labels_in(network):
                changed = copy.deepcopy(network)
                change(changed, place)
                with self.subTest(overlay, place=place):
                    self.assertNotEqual(flows(overlay, changed), told)

    def test_one_changed_label_of_a_pod_is_found(self):
        network = rendered.of_kind("overlays/dev", "NetworkPolicy")
        everybody = peers("overlays/dev")
        engine, gateway = everybody["mymt5/engine"], everybody["mymt5/gateway"]
        self.assertTrue(policies.allows(network, engine, gateway, 50051))
        component = "app.kubernetes.io/component"
        for one, other in [
            (Peer(engine.labels | {component: "engin"}, "mymt5"), gateway),
            (engine, Peer(gateway.labels | {component: "gatewy"}, "mymt5")),
        ]:
            self.assertFalse(policies.allows(network, one, other, 50051))

    def test_monitoring_opens_the_operations_ports_alone(self):
        base = rendered.of_kind("overlays/dev", "NetworkPolicy")
        (opened,) = rendered.objects("components/monitoring")
        opened["metadata"]["namespace"] = "mymt5"
        more = flows("overlays/dev", [*base, opened]) - TOLD["overlays/dev"]
        told = {
            ("prometheus", "mymt5/gateway", 9101, "TCP"),
            ("prometheus", "mymt5/engine", 9102, "TCP"),
        }
        self.assertEqual(more, told)


def labels_in(node, path=()):
    """The path of every label's value that a selector of a policy's spec asks for."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "matchLabels":
                yield from ((*path, key, label) for label in value)
            elif key == "values":
                yield from ((*path, key, at) for at in range(len(value)))
            elif key != "metadata":
                yield from labels_in(value, (*path, key))
    elif isinstance(node, list):
        for at, value in enumerate(node):
            yield from labels_in(value, (*path, at))


def change(node, path):
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] += "x"


if __name__ == "__main__":
    unittest.main()
