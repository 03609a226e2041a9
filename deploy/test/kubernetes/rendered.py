"""The manifests as kustomize renders them, and what is asked of them everywhere."""

from __future__ import annotations

import functools
import pathlib
import subprocess

import yaml

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
ROOM = REPOSITORY / "deploy/kubernetes"
OVERLAYS = [
    "overlays/dev",
    "overlays/production",
    "overlays/smtp-telegram",
    "overlays/many-accounts",
    "sweep",
]


@functools.cache
def text(overlay: str) -> str:
    command = ["kubectl", "kustomize", str(ROOM / overlay)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@functools.cache
def objects(overlay: str) -> list[dict]:
    return list(yaml.safe_load_all(text(overlay)))


def of_kind(overlay: str, kind: str) -> list[dict]:
    return [found for found in objects(overlay) if found["kind"] == kind]


def named(overlay: str, kind: str, name: str) -> dict:
    return next(found for found in of_kind(overlay, kind) if found["metadata"]["name"] == name)


def workloads(overlay: str) -> list[dict]:
    return of_kind(overlay, "StatefulSet") + of_kind(overlay, "Job")


def pod(workload: dict) -> dict:
    return workload["spec"]["template"]["spec"]


def container(workload: dict) -> dict:
    (only,) = pod(workload)["containers"]
    return only


def program(workload: dict) -> str:
    return container(workload)["image"].split("@")[0].split(":")[0].split("/")[-1]


def environment(overlay: str, workload: dict) -> dict[str, str]:
    """The variables that the container gets."""
    variables = {}
    for source in container(workload).get("envFrom", []):
        wanted = (source["configMapRef"]["name"], workload["metadata"]["namespace"])
        for found in of_kind(overlay, "ConfigMap"):
            if (found["metadata"]["name"], found["metadata"]["namespace"]) == wanted:
                variables.update(found["data"])
    return variables


def secrets(volume: dict) -> list[str]:
    """The Secrets of a volume, by name."""
    if "secret" in volume:
        return [volume["secret"]["secretName"]]
    return [source["secret"]["name"] for source in volume.get("projected", {}).get("sources", [])]
