#!/usr/bin/env python3
"""Holds Cargo.lock against deny.toml and dependencies.toml: licences, bans, duplicate versions, sources,
unused dependencies, and the age of each crate. Needs Python 3.11 and cargo, and no network.

    deploy/ci/dependencies.py            check; exit code 1 with one line for each fault
    deploy/ci/dependencies.py --lower    lower each version that is too young to one that is old enough

When a crate came out is in cargo's own copy of the registry's index, which a build from the lock brings.
"""

import argparse
import json
import re
import subprocess
import sys
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from os import environ
from pathlib import Path

import tomllib

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DENY = tomllib.loads((HERE / "deny.toml").read_text())
OWN = tomllib.loads((HERE / "dependencies.toml").read_text())


def cargo(*arguments, quiet=False):
    stderr = subprocess.DEVNULL if quiet else None
    return subprocess.run(
        ["cargo", *arguments],
        cwd=ROOT,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
        stderr=stderr,
    )


def locked():
    """The lock's packages that come from outside."""
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    return [package for package in lock["package"] if "source" in package]


def built():
    """The packages of the platforms that we build for, with what cargo knows of them."""
    names = set()
    for target in DENY["graph"]["targets"]:
        tree = cargo(
            "tree",
            "--locked",
            "--workspace",
            "--target",
            target,
            "--prefix",
            "none",
            "--format",
            "{p}",
        )
        names |= {tuple(line.split()[:2]) for line in tree.stdout.splitlines() if line}
    packages = json.loads(cargo("metadata", "--locked", "--format-version", "1").stdout)["packages"]
    return [package for package in packages if (package["name"], "v" + package["version"]) in names]


def matches(spec, name, version):
    """Whether cargo-deny's `name`, `name@version` or `name:version`, its caret range, means this crate."""
    wanted, _, exact = spec.partition("@")
    wanted, _, caret = wanted.partition(":")
    if exact:
        return (name, version) == (wanted, exact)
    return name == wanted and (not caret or (version + ".").startswith(caret + "."))


class Expression:
    """An SPDX licence expression, read by descent: AND binds closer than OR; an old `/` means OR."""

    def __init__(self, text):
        self.tokens = re.findall(r"[()]|[^\s()]+", text.replace("/", " OR "))

    def allowed(self, allow, used):
        value = self.any_of(allow, used)
        return value and not self.tokens

    def any_of(self, allow, used):
        value = self.all_of(allow, used)
        while self.tokens[:1] == ["OR"]:
            self.tokens.pop(0)
            value = self.all_of(allow, used) or value
        return value

    def all_of(self, allow, used):
        value = self.one(allow, used)
        while self.tokens[:1] == ["AND"]:
            self.tokens.pop(0)
            value = self.one(allow, used) and value
        return value

    def one(self, allow, used):
        token = self.tokens.pop(0) if self.tokens else ""
        if token == "(":
            value = self.any_of(allow, used)
            return bool(self.tokens) and self.tokens.pop(0) == ")" and value
        if self.tokens[:1] == ["WITH"]:
            token = " ".join([token, *self.tokens[:2]])
            del self.tokens[:2]
        if token in allow:
            used.add(token)
        return token in allow


def licences(packages):
    allow, used = set(DENY["licenses"]["allow"]), set()
    for package in packages:
        if not Expression(package["license"] or "").allowed(allow, used):
            licence = package["license"] or "none"
            yield f"licence of {package['name']} {package['version']}: {licence}: not in licenses.allow"
    for licence in sorted(allow - used):
        yield f"licenses.allow: {licence}: no crate has it: remove it"


def bans(packages):
    for package in packages:
        for ban in DENY["bans"]["deny"]:
            if matches(ban["crate"], package["name"], package["version"]):
                yield f"banned: {package['name']} {package['version']}: {ban['reason']}"
        if package["source"] is None:
            for dependency in package["dependencies"]:
                if dependency["req"] == "*" and "path" not in dependency:
                    yield f'{package["name"]}: {dependency["name"]} = "*": expected a version'


def duplicates(packages):
    versions, skips = defaultdict(set), {skip["crate"] for skip in DENY["bans"]["skip"]}
    needed = set()
    for package in packages:
        versions[package["name"]].add(package["version"])
    for name, several in sorted(versions.items()):
        if len(several) == 1:
            continue
        matching = {
            version: {skip for skip in skips if matches(skip, name, version)} for version in several
        }
        needed |= set().union(*matching.values())
        rest = sorted(version for version, matched in matching.items() if not matched)
        if len(rest) > 1:
            yield f"two versions of {name}: {', '.join(rest)}: update what needs the older, or name it in bans.skip"
    for skip in sorted(skips - needed):
        yield f"bans.skip: {skip}: there are no two versions of it: remove it"


def sources(packages):
    known = {f"registry+{address}" for address in DENY["sources"]["allow-registry"]}
    known |= {f"git+{address}" for address in DENY["sources"]["allow-git"]}
    for package in packages:
        if package["source"].partition("?")[0].partition("#")[0] not in known:
            yield f"source of {package['name']}: {package['source']}: not in sources.allow-registry or allow-git"
        elif "checksum" not in package and package["source"].startswith("registry+"):
            yield f"Cargo.lock: {package['name']} has no checksum"


def read_sources(package, kinds):
    texts = []
    for target in package["targets"]:
        main = Path(target["src_path"])
        if kinds & set(target["kind"]):
            files = [main] if "custom-build" in target["kind"] else main.parent.rglob("*.rs")
            texts += [re.sub(r"(?m)^\s*//.*", "", file.read_text()) for file in files]
    return "\n".join(texts)


def unused(packages):
    """Dependencies that no line of their crate's sources names, and of the workspace that no crate takes."""
    allowed = {entry["crate"] for entry in OWN["unnamed"]}
    product = {"lib", "bin", "proc-macro"}
    kinds = {
        None: product,
        "build": {"custom-build"},
        "dev": product | {"test", "bench", "example"},
    }
    taken = set()
    for package in packages:
        if package["source"] is not None:
            continue
        texts = {kind: read_sources(package, targets) for kind, targets in kinds.items()}
        for dependency in package["dependencies"]:
            taken.add(dependency["name"])
            name = (dependency["rename"] or dependency["name"]).replace("-", "_")
            named = re.search(rf"\b{name}\b", texts[dependency["kind"]])
            if not named and dependency["name"] not in allowed:
                yield f"{package['name']}: {dependency['name']} is not used: remove it"
    workspace = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["dependencies"]
    for name in sorted(set(workspace) - taken):
        yield f"workspace.dependencies: {name} is not used: remove it"


def releases(name):
    """Each version of a crate in cargo's copy of the index, with what the registry tells of it."""
    low = name.lower()
    folder = (
        f"{low[:2]}/{low[2:4]}"
        if len(low) > 3
        else f"3/{low[0]}"
        if len(low) == 3
        else str(len(low))
    )
    home = Path(environ.get("CARGO_HOME", Path.home() / ".cargo"))
    for file in home.glob(f"registry/index/*/.cache/{folder}/{low}"):
        for row in file.read_bytes().split(b"\0"):
            if row.startswith(b"{"):
                release = json.loads(row)
                yield release["vers"], release


def age(release):
    """How long a release has been out, or None where the index does not tell."""
    if not release or "pubtime" not in release:
        return None
    return datetime.now(timezone.utc) - datetime.fromisoformat(release["pubtime"])


def young(packages):
    """The packages that are too young, with the versions that are not; and those whose age is not known."""
    least = timedelta(days=OWN["minimum_age_days"])
    early, unknown = [], []
    for package in packages:
        known = dict(releases(package["name"]))
        out = age(known.get(package["version"]))
        if out is None:
            unknown.append(package["name"])
        elif out < least:
            settled = [
                v for v, r in known.items() if (age(r) or timedelta()) >= least and not r["yanked"]
            ]
            early.append((package, out, settled))
    return early, unknown


def ages(packages):
    early, unknown = young(packages)
    if unknown:
        print(
            f"not seen: the age of {len(unknown)} crates, of which cargo has no row of the index: {unknown[0]} ..."
        )
    for package, out, _ in early:
        name, version = package["name"], package["version"]
        if not any(matches(entry["crate"], name, version) for entry in OWN["young"]):
            yield f"{name} {version} came out {out.days} days ago: expected {OWN['minimum_age_days']} or more"


def order(version):
    return [int(part) for part in version.partition("+")[0].split(".")]


def lower(packages):
    """Lowers what is too young to the newest version that is not, while other crates allow it."""
    for package, _, settled in young(packages)[0]:
        name, version = package["name"], package["version"]
        if any(matches(entry["crate"], name, version) for entry in OWN["young"]):
            continue
        older = [v for v in settled if "-" not in v and order(v) < order(version)]
        for candidate in sorted(older, key=order, reverse=True)[:3]:
            try:
                cargo("update", "--quiet", f"{name}@{version}", "--precise", candidate, quiet=True)
            except subprocess.CalledProcessError:
                continue
            print(f"{name}: {version} -> {candidate}")
            break


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--lower", action="store_true", help="lower versions that are too young, in Cargo.lock"
    )
    if parser.parse_args().lower:
        # Two that need each other's newest version go down one after the other.
        for _ in range(2):
            lower(locked())
        return 0
    packages = built()
    outside = [package for package in packages if package["source"] is not None]
    faults = [
        *licences(outside),
        *bans(packages),
        *duplicates(packages),
        *sources(locked()),
        *unused(packages),
        *ages(locked()),
    ]
    for fault in faults:
        print(f"error: {fault}")
    print(f"{len(locked())} crates, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
