#!/usr/bin/env python3
"""Writes what MyMT5 is made of as CycloneDX 1.6 (JSON): crates of the two binaries and of the demo from
Cargo.lock, and the bridge's packages. Needs Python 3.11 and cargo, and no network.

    deploy/ci/sbom.py >mymt5.cdx.json

The same lock gives the same bytes: there is neither a time nor a random number in it.
"""

import json
import re
import subprocess
import sys
import uuid
from pathlib import Path

import tomllib

ROOT = Path(__file__).resolve().parent.parent.parent
BRIDGE = ROOT / "gateway/bridge/requirements.txt"


def metadata():
    words = ["cargo", "metadata", "--locked", "--format-version", "1"]
    return json.loads(subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


def checksums():
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    return {
        (package["name"], package["version"]): package.get("checksum")
        for package in lock["package"]
    }


def crate(package, checksum):
    purl = f"pkg:cargo/{package['name']}@{package['version']}".replace("+", "%2B")
    component = {
        "type": "library",
        "bom-ref": purl,
        "name": package["name"],
        "version": package["version"],
        "purl": purl,
    }
    if package["license"]:
        component["licenses"] = [
            {"expression": package["license"].replace(" / ", "/").replace("/", " OR ")}
        ]
    if checksum:
        component["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return component


def wheels():
    """The bridge's requirements: each pinned version with the hashes of its wheels."""
    for entry in re.split(r"\n(?=\S)", BRIDGE.read_text().replace("\\\n", " ")):
        pinned = re.match(r"([A-Za-z0-9_.-]+)==([^\s;]+)", entry)
        if not pinned:
            continue
        name, version = pinned.groups()
        purl = f"pkg:pypi/{name.lower()}@{version}"
        hashes = [
            {"alg": "SHA-256", "content": digest}
            for digest in re.findall(r"sha256:([0-9a-f]{64})", entry)
        ]
        files = [{"type": "distribution", "url": purl, "hashes": [digest]} for digest in hashes]
        yield {
            "type": "library",
            "bom-ref": purl,
            "name": name,
            "version": version,
            "purl": purl,
            "externalReferences": files,
        }


def bom():
    cargo, sums = metadata(), checksums()
    references, components = {}, []
    for package in cargo["packages"]:
        component = crate(package, sums.get((package["name"], package["version"])))
        references[package["id"]] = component["bom-ref"]
        components.append(component)
    graph = []
    for node in cargo["resolve"]["nodes"]:
        needs = sorted({references[dependency] for dependency in node["dependencies"]})
        graph.append({"ref": references[node["id"]], "dependsOn": needs})
    bridge = list(wheels())
    graph.append({"ref": "mymt5-bridge", "dependsOn": [wheel["bom-ref"] for wheel in bridge]})
    members = sorted(references[member] for member in cargo["workspace_members"])
    graph.append({"ref": "mymt5", "dependsOn": [*members, "mymt5-bridge"]})
    version = next(p["version"] for p in cargo["packages"] if p["name"] == "mymt5-gateway")
    components.append(
        {
            "type": "application",
            "bom-ref": "mymt5-bridge",
            "name": "mymt5-bridge",
            "version": version,
        }
    )
    content = {
        "components": sorted([*components, *bridge], key=lambda component: component["bom-ref"]),
        "dependencies": sorted(graph, key=lambda node: node["ref"]),
    }
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(content))}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "mymt5",
                "name": "mymt5",
                "version": version,
            }
        },
        **content,
    }


if __name__ == "__main__":
    json.dump(bom(), sys.stdout, indent=2)
    print()
