"""Builds the images, runs the composition on a real Docker, and tries what it promises."""

import base64
import io
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tarfile
import time
from contextlib import contextmanager
from pathlib import Path

import daemon
import landlock
from daemon import BASE, BUILDER, HOST, OUTSIDE, PORT, ROOT, run, until

COMPOSE = Path("deploy/compose/compose.yaml")
PROJECT = "mymt5test"
ENGINES = ["engine-a", "engine-b"]
SERVICES = ["gateway", *ENGINES]
ONCE = ["certs", "gateway-check", "engine-a-check", "engine-b-check"]
BUILT = [*SERVICES, *ONCE]
GATEWAY_USER, ENGINE_USER = 10001, 10002
WRITABLE = {"/mymt5/data", "/mymt5/logs"}
IN_MEMORY = ("/tmp", "/dev/shm", "/dev/mqueue")
INVALID = 78  # the exit code of an invalid configuration
IMAGES = {kind: f"mymt5-{kind}:0.1.0" for kind in ("gateway", "engine")}

# What Docker itself puts into a container.
OF_DOCKER = {".dockerenv", "proc", "sys"}
OF_DOCKER |= {f"dev{path}" for path in ("", "/console", "/pts", "/shm")}
OF_DOCKER |= {f"etc{path}" for path in ("", "/hostname", "/hosts", "/mtab", "/resolv.conf")}

CONNECT = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor
def connects(target):
    try:
        socket.create_connection(target, 2).close()
        return True
    except OSError:
        return False
targets = [tuple(target) for target in json.loads(sys.argv[1])]
print(json.dumps(list(ThreadPoolExecutor(len(targets)).map(connects, targets))))
"""

# As the process itself would, with its user and its mounts: the folders that take a file, and the
# files that may be changed.
WRITE = """
import ctypes, json, os, sys
pid, user = int(sys.argv[1]), int(sys.argv[2])
space = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
if ctypes.CDLL(None, use_errno=True).setns(space, 0):
    raise OSError(ctypes.get_errno(), "setns")
os.setgroups([])
os.setgid(user)
os.setuid(user)
written = []
for folder, folders, files in os.walk("/"):
    folders[:] = [name for name in folders if os.path.join(folder, name) not in ("/proc", "/sys")]
    for path, flags in [(os.path.join(folder, "probe"), os.O_CREAT | os.O_EXCL)] + [
        (os.path.join(folder, name), 0) for name in files
    ]:
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK | flags))
        except OSError:
            continue
        if flags:
            os.unlink(path)
        if not path.startswith("/dev/") or os.path.isfile(path) or flags:
            written.append(folder)
print(json.dumps(sorted(set(written))))
"""


def binary(name):
    """Where a binary is: where the variable says, or built here."""
    named = os.environ.get(f"MYMT5_{name.upper()}")
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    places = (
        [Path(named)]
        if named
        else [target / kind / f"mymt5-{name}" for kind in ("debug", "release")]
    )
    for place in places:
        if place.is_file():
            return str(place.resolve())
    raise SystemExit(f"error: there is no mymt5-{name}; build it with `cargo build`")


class Composition:
    """The composition in a clone, with images of local bases."""

    def __init__(self, docker, clone, override):
        self.docker, self.clone = docker, clone
        self.files = ["--file", str(COMPOSE), "--file", str(override)]

    def try_compose(self, *arguments):
        command = ["docker-compose", "--project-name", PROJECT, *self.files, *arguments]
        options = {"cwd": self.clone, "env": self.docker.environment, "capture_output": True}
        return subprocess.run(command, check=False, **options)

    def compose(self, *arguments):
        result = self.try_compose(*arguments)
        said = (result.stdout + result.stderr).decode(errors="replace")
        assert result.returncode == 0, f"docker-compose {arguments}: {said[-4000:]}"
        return result.stdout.decode()

    def name(self, service):
        return f"{PROJECT}_{service}_1"

    def facts(self, service):
        return self.docker.inspect(self.name(service))[0]

    def state(self, service):
        return self.facts(service)["State"]

    def pid(self, service):
        return self.state(service)["Pid"]

    def is_healthy(self, service):
        return self.state(service).get("Health", {}).get("Status") == "healthy"

    def until_healthy(self):
        for service in SERVICES:
            until(f"{service} is healthy", lambda service=service: self.is_healthy(service))

    def until_started_again(self, service, restarts):
        """Waits until Docker has started it once more than that, and it is healthy."""
        until(
            f"{service} is started again",
            lambda: self.facts(service)["RestartCount"] > restarts and self.is_healthy(service),
        )

    def until_unhealthy(self, service):
        until(
            f"{service} is unhealthy",
            lambda: self.state(service)["Health"]["Status"] == "unhealthy",
        )

    def last_filled(self):
        """When an order of each engine was last filled."""
        command = [
            "exec",
            self.name("gateway"),
            "mymt5-gateway",
            "orders",
            "--json",
            "--limit",
            "200",
        ]
        last = dict.fromkeys(ENGINES, "")
        try:
            orders = json.loads(self.docker(*command))
        except AssertionError:
            return last  # it is not up yet
        for order in orders:
            if order["state"] == "filled":
                last[order["client"]] = max(last[order["client"]], order["updated"])
        return last

    def until_they_trade(self):
        """Waits for an order of each engine that was filled from now on."""
        before = self.last_filled()
        until(
            "both engines trade",
            lambda: all(when > before[engine] for engine, when in self.last_filled().items()),
        )


def arguments(folder, bases):
    """A file that gives compose other bases and a faster market, and looks after health more often."""
    build = {"args": bases, "network": "none"}
    services = {service: {"build": build} for service in BUILT}
    for service in SERVICES:
        services[service]["healthcheck"] = {"interval": "1s", "timeout": "2s"}
    services["gateway"]["environment"] = {"MYMT5__BROKER__SIMULATOR__SPEED": "50"}
    path = folder / "override.json"
    path.write_text(json.dumps({"services": services}))
    return path


# What is tried, in this order: each takes the running composition, or says so.


def profiles_are_whole(at):
    """What the profiles mount is in the repository, and they are valid."""
    text = at.compose("--profile", "watch", "--profile", "terminal", "config")
    mounted = set(re.findall(rf"{re.escape(str(at.clone))}/[^:\s]+", text))
    assert len(mounted) > len(ENGINES), text
    missing = [path for path in mounted if not Path(path).exists()]
    assert not missing, missing


def users_differ(at):
    """Each process has a user of its own, no capability, no new privileges and a filter of calls."""
    for service in SERVICES:
        user = GATEWAY_USER if service == "gateway" else ENGINE_USER
        status = Path(f"/proc/{at.pid(service)}/status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines())
        assert set(fields["Uid"].split()) == {str(user)}, (service, fields["Uid"])
        assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 0, fields["CapBnd"]
        assert fields["NoNewPrivs"].strip() == "1", service
        assert fields["Seccomp"].strip() == "2", service


def limits_hold(at):
    """Limits are set on every container, and the gateway has no swap."""
    for service in BUILT:
        host = at.facts(service)["HostConfig"]
        assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"], service
        assert "no-new-privileges:true" in host["SecurityOpt"], service
        assert host["Memory"] > 0 and 0 < host["PidsLimit"] <= 256, service
        added = ["CHOWN", "DAC_READ_SEARCH"] if service == "certs" else None
        assert not host["Privileged"] and (host["CapAdd"] or None) == added, service
    host = at.facts("gateway")["HostConfig"]
    assert host["MemorySwap"] == host["Memory"]


def sandbox_holds(at):
    """The processes' own sandbox holds within Docker's, as far as this kernel has one."""
    expected = landlock.enforced()
    for service in SERVICES:
        log = at.docker.logs(at.name(service))
        starting = next(line for line in log.splitlines() if "starting" in line)
        assert expected in starting.partition("; not:")[0], starting


def engines_reach_the_gateway_alone(at):
    """Nothing else answers an engine: no host, nothing outside, no other engine."""
    addresses = {
        service: [
            net["IPAddress"] for net in at.facts(service)["NetworkSettings"]["Networks"].values()
        ]
        for service in SERVICES
    }
    listed = run(*daemon.inside(at.docker.pid, "ip", "-json", "-4", "address")).decode()
    host = [info["local"] for link in json.loads(listed) for info in link["addr_info"]]
    assert HOST in host
    for engine in ENGINES:
        own = at.facts(engine)["NetworkSettings"]["Networks"]
        assert len(own) == 1, own
        near = own[f"{PROJECT}_{engine}"]["IPAddress"].rsplit(".", 1)[0]
        gateway = [address for address in addresses["gateway"] if address.startswith(f"{near}.")]
        others = [address for address in addresses["gateway"] if address not in gateway]
        barred = [
            *others,
            f"{near}.1",
            OUTSIDE,
            *(address for address in host if address != "127.0.0.1"),
        ]
        twin = next(other for other in ENGINES if other != engine)
        targets = [(gateway[0], PORT), *((address, PORT) for address in barred)]
        targets += [(address, 9102) for address in addresses[twin]]
        reached = connects(at.pid(engine), targets)
        assert reached[0], "the gateway does not answer, so nothing is shown"
        assert not any(reached[1:]), [
            target for target, is_open in zip(targets, reached) if is_open
        ]
    # The same host and the one outside answer who is on an open network.
    assert all(connects(at.docker.pid, [(HOST, PORT), (OUTSIDE, PORT)]))


def connects(pid, targets):
    command = daemon.inside(pid, sys.executable, "-c", CONNECT, json.dumps(targets))
    return json.loads(run(*command))


def nothing_else_is_written(at):
    """Nothing but the folders of data and logs takes a byte that outlives the container."""
    for service in SERVICES:
        user = GATEWAY_USER if service == "gateway" else ENGINE_USER
        command = [sys.executable, "-c", WRITE, str(at.pid(service)), str(user)]
        written = json.loads(run(*command))
        kept = [folder for folder in written if not folder.startswith(IN_MEMORY)]
        assert WRITABLE <= set(kept), (service, written)
        stray = [folder for folder in kept if not folder.startswith(tuple(WRITABLE))]
        assert not stray, (service, stray)


def images_hold_no_more(at):
    """Base, binary, configuration and folders: no shell, and of the other process nothing."""
    folders = {
        "mymt5",
        "mymt5/config",
        "mymt5/data",
        "mymt5/logs",
        "usr",
        "usr/local",
        "usr/local/bin",
    }
    base = exported(at.docker, BASE, "/none")
    for kind, name in IMAGES.items():
        own = {f"usr/local/bin/mymt5-{kind}", f"mymt5/config/{kind}.toml"}
        found = exported(at.docker, name) - base - folders
        assert found == own, (kind, found ^ own)
        image = at.docker.inspect(name)[0]
        labels = image["Config"]["Labels"]
        told = [labels[f"org.opencontainers.image.{label}"] for label in ("title", "version")]
        assert ":".join(told) == name, labels
        print(f"   mymt5-{kind}: {image['Size'] / 1e6:.1f} MB")
    assert not [path for path in base if path.split("/")[0] in ("bin", "sbin")], base


def exported(docker, image, *command):
    """The paths of all files of an image but those that Docker makes."""
    container = docker("create", image, *command).strip()
    try:
        archive = io.BytesIO(run("docker", "export", container, env=docker.environment))
    finally:
        docker("rm", "--volumes", container)
    with tarfile.open(fileobj=archive) as tar:
        paths = {member.name.rstrip("/") for member in tar}
    return paths - OF_DOCKER


def nothing_tells_a_secret(at):
    """Neither containers nor images, volumes, networks or logs show what is secret."""
    hidden = [file.read_text() for file in (at.clone / COMPOSE.parent / "secrets").glob("[A-Z]*")]
    for volume in at.docker("volume", "ls", "--quiet").split():
        place = Path(at.docker.inspect(volume)[0]["Mountpoint"])
        for key in place.rglob("key.pem"):
            hidden += [line for line in key.read_text().splitlines() if not line.startswith("-")]
    assert len(hidden) > 4, "too little is secret here"
    told = [
        json.dumps(at.docker.inspect(*at.docker(*listed, "--quiet").split())) for listed in LISTS
    ]
    for image in IMAGES.values():
        told.append(at.docker("history", "--no-trunc", image))
    for service in BUILT:
        told.append(at.docker.logs(at.name(service)))
    whole = "\n".join(told)
    assert not [secret for secret in hidden if secret in whole], "a secret is shown"


LISTS = [("ps", "--all"), ("images", "--all"), ("volume", "ls"), ("network", "ls")]


def a_death_recovers(at):
    """A process that dies is started by Docker; one that an operator killed, by the same command."""
    for service in SERVICES:
        before = at.facts(service)
        os.kill(before["State"]["Pid"], signal.SIGKILL)
        at.until_started_again(service, before["RestartCount"])
    at.until_healthy()
    at.until_they_trade()
    for killed in (["gateway"], ENGINES):
        at.docker("kill", *map(at.name, killed))
        at.compose("up", "--detach")
        at.until_healthy()
        at.until_they_trade()


def health_is_seen(at):
    """A process that hangs is unhealthy, and healthy when it goes on."""
    for service in ("gateway", "engine-a"):
        pid = at.pid(service)
        os.kill(pid, signal.SIGSTOP)
        try:
            at.until_unhealthy(service)
        finally:
            os.kill(pid, signal.SIGCONT)
    at.until_healthy()


def certificates_stay(at):
    """The same command again makes no new certificates, and disturbs nobody."""
    started = at.state("gateway")["StartedAt"]
    at.compose("up", "--detach")
    assert "all of them are there" in at.docker.logs(at.name("certs"))
    assert at.state("gateway")["StartedAt"] == started


def an_invalid_configuration_starts_nothing(at):
    """The check ends with 78, and the process is never started, let alone for ever."""
    at.compose("stop")
    path = at.clone / COMPOSE.parent / "gateway.toml"
    valid = path.read_text()
    path.write_text(valid + "[limits]\nmax_lots_per_order = -1.0\n")
    result = at.try_compose("up", "--detach")
    assert result.returncode != 0, result.stdout
    until("the check ended", lambda: at.state("gateway-check")["ExitCode"] == INVALID)
    state = at.state("gateway")
    assert not state["Running"] and not state["Restarting"], state
    path.write_text(valid)


TRIED = [
    profiles_are_whole,
    users_differ,
    limits_hold,
    sandbox_holds,
    engines_reach_the_gateway_alone,
    nothing_else_is_written,
    images_hold_no_more,
    nothing_tells_a_secret,
    certificates_stay,
    health_is_seen,
    a_death_recovers,
    an_invalid_configuration_starts_nothing,
]


@contextmanager
def composition(docker, folder):
    clone = daemon.clone(folder / "clone")
    for name in ("MT5_PASSWORD", "BRIDGE_SECRET"):
        secret = clone / COMPOSE.parent / "secrets" / name
        secret.write_text(base64.b32encode(secrets.token_bytes(20)).decode())
        secret.chmod(0o400)
        os.chown(secret, GATEWAY_USER, GATEWAY_USER)
    at = Composition(docker, clone, arguments(folder, {"BUILDER": BUILDER, "BASE": BASE}))
    try:
        yield at
    finally:
        at.try_compose("down", "--volumes", "--timeout", "5")


def build_whole(folder, binaries):
    """The images as a user builds them, on Debian and this machine's Rust: minutes."""
    with daemon.docker(folder, apart=False) as docker:
        docker.load(BASE, daemon.base(binaries))
        path = "ENV PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
        trust = "ENV CARGO_HTTP_CAINFO=/etc/ssl/certs/ca-certificates.crt"
        docker.load(BUILDER, daemon.toolchain(folder), path, trust)
        clone = daemon.clone(folder / "whole")
        for kind, name in IMAGES.items():
            options = [f"--target={kind}", f"--tag={name}", "--network=host"]
            bases = [f"--build-arg=BUILDER={BUILDER}", f"--build-arg=BASE={BASE}"]
            docker("build", *options, *bases, "--file", "deploy/docker/Dockerfile", ".", cwd=clone)


def main():
    whole = bool(os.environ.get("MYMT5_IMAGES"))
    binaries = [binary("gateway"), binary("engine")]
    began = time.monotonic()
    with daemon.scratch() as folder:
        if whole:
            build_whole(folder, binaries)
        with daemon.docker(folder) as docker:
            if not whole:
                docker.load(BASE, daemon.base(binaries))
                small = [daemon.stripped(folder, binary) for binary in binaries]
                docker.load(BUILDER, daemon.builder(small), "ENV PATH=/bin")
            with composition(docker, folder) as at:
                at.compose("up", "--detach")
                print(f"   started ({time.monotonic() - began:.0f} s)", flush=True)
                at.until_healthy()
                at.until_they_trade()
                print(f"   up, healthy and trading ({time.monotonic() - began:.0f} s)", flush=True)
                for trial in TRIED:
                    trial(at)
                    print(f"   {trial.__doc__} ({time.monotonic() - began:.0f} s)", flush=True)


if __name__ == "__main__":
    # Ended from outside, it cleans up, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        main()
    except daemon.Unavailable as reason:
        print(f"skipped: images and compose: {reason}")
        sys.exit(os.environ.get("MYMT5_REQUIRE") == "1")
