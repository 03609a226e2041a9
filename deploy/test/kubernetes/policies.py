"""What NetworkPolicies allow, as Kubernetes documents it: a pod that a policy of a direction selects is
shut in that direction, but for what all such policies together open."""

from __future__ import annotations

import dataclasses
import ipaddress


@dataclasses.dataclass(frozen=True)
class Peer:
    """A pod, with its namespace, or an address outside of the cluster."""

    labels: dict = dataclasses.field(default_factory=dict)
    namespace: str = ""
    ports: dict = dataclasses.field(default_factory=dict)
    address: str = ""


def selects(selector: dict, labels: dict) -> bool:
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    for wanted in selector.get("matchExpressions", []):
        found = labels.get(wanted["key"])
        fits = {
            "In": found in wanted.get("values", []),
            "NotIn": found not in wanted.get("values", []),
            "Exists": found is not None,
            "DoesNotExist": found is None,
        }
        if not fits[wanted["operator"]]:
            return False
    return True


def is_peer(rule: dict, other: Peer, home: str) -> bool:
    if "ipBlock" in rule:
        block = rule["ipBlock"]
        if not other.address:
            return False
        address = ipaddress.ip_address(other.address)
        excepted = any(address in ipaddress.ip_network(cut) for cut in block.get("except", []))
        return address in ipaddress.ip_network(block["cidr"]) and not excepted
    if other.address:
        return False
    if "namespaceSelector" in rule:
        here = selects(rule["namespaceSelector"], {"kubernetes.io/metadata.name": other.namespace})
    else:
        here = other.namespace == home
    return here and selects(rule.get("podSelector", {}), other.labels)


def opens(
    rule: dict, other: Peer, port: int, protocol: str, target: Peer, side: str, home: str
) -> bool:
    peers = rule.get(side, [])
    if peers and not any(is_peer(peer, other, home) for peer in peers):
        return False
    ports = rule.get("ports", [])
    wanted = [
        (target.ports.get(one.get("port"), one.get("port")), one.get("protocol", "TCP"))
        for one in ports
    ]
    return not ports or (port, protocol) in wanted


def shuts(policies: list[dict], pod: Peer, direction: str) -> list[dict]:
    """The policies that hold for a pod in a direction; where there are none it is open."""
    return [
        policy
        for policy in policies
        if policy["metadata"]["namespace"] == pod.namespace
        and direction in policy["spec"]["policyTypes"]
        and selects(policy["spec"]["podSelector"], pod.labels)
    ]


class Walls:
    """A pod, or an address, with the rules that hold for it; none where it is open."""

    def __init__(self, policies: list[dict], peer: Peer):
        self.peer = peer
        self.egress = self._rules(policies, "Egress")
        self.ingress = self._rules(policies, "Ingress")

    def _rules(self, policies: list[dict], direction: str) -> list[dict] | None:
        holding = shuts(policies, self.peer, direction)
        if self.peer.address or not holding:
            return None
        return [rule for policy in holding for rule in policy["spec"].get(direction.lower(), [])]

    def reaches(self, target: Walls, port: int, protocol: str = "TCP") -> bool:
        """Whether a connection comes about."""

        def opened(rules: list[dict] | None, own: Peer, other: Peer, side: str) -> bool:
            return rules is None or any(
                opens(rule, other, port, protocol, target.peer, side, own.namespace)
                for rule in rules
            )

        return opened(self.egress, self.peer, target.peer, "to") and opened(
            target.ingress, target.peer, self.peer, "from"
        )


def allows(
    policies: list[dict], source: Peer, target: Peer, port: int, protocol: str = "TCP"
) -> bool:
    """Whether a connection comes about."""
    return Walls(policies, source).reaches(Walls(policies, target), port, protocol)
