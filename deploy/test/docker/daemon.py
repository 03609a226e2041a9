"""A Docker of its own, in a network of its own with one host outside, and images without a registry."""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 60
PORT = 50051  # the only one that an engine's own sandbox lets it connect to
HOST, OUTSIDE = "198.51.100.1", "198.51.100.2"
BASE, BUILDER = "mymt5-test/base", "mymt5-test/builder"
DEBIAN = "bookworm"

LISTEN = """
import socket
server = socket.create_server(("0.0.0.0", {port}))
while True:
    server.accept()[0].close()
"""

# The stand-in for cargo: what is built already lies where the Dockerfile looks for it.
CARGO = """#!/bin/sh
set -e
mkdir -p target/release
cp /binaries/* target/release/
"""


class Unavailable(Exception):
    """Why no Docker can be had here."""


def until(what, condition, patience=PATIENCE_S):
    """Waits for a condition, and gives what it gave."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f"not within {patience} s: {what}")


def run(*command, **options):
    """Runs a command, and gives its standard output; what it said is in the error when it fails."""
    result = subprocess.run(command, capture_output=True, check=False, **options)
    if result.returncode:
        said = (result.stdout + result.stderr).decode(errors="replace")
        raise AssertionError(f"{' '.join(map(str, command))}: {result.returncode}\n{said[-4000:]}")
    return result.stdout


def inside(pid, *command):
    """A command in the network of a process."""
    return ["nsenter", "--target", str(pid), "--net", *command]


@contextmanager
def process(*command, **options):
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options}
    child = subprocess.Popen(command, start_new_session=True, **options)
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


class Docker:
    """The running daemon: its client's commands, and the network it lives in."""

    def __init__(self, folder, pid):
        self.folder, self.pid = folder, pid
        self.environment = {
            **os.environ,
            "DOCKER_HOST": f"unix://{folder}/docker.sock",
            "DOCKER_CONFIG": str(folder),
            "DOCKER_BUILDKIT": "0",
            "COMPOSE_DOCKER_CLI_BUILD": "0",
            # The second version names containers as the first one did.
            "COMPOSE_COMPATIBILITY": "1",
        }

    def __call__(self, *arguments, **options):
        return run("docker", *arguments, env=self.environment, **options).decode()

    def inspect(self, *names):
        return json.loads(self("inspect", *names))

    def logs(self, name):
        """All that a container wrote."""
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "env": self.environment}
        log = subprocess.run(["docker", "logs", name], check=True, **options)
        return log.stdout.decode(errors="replace")

    def load(self, name, archive, *changes):
        """An image of the files of an archive."""
        options = [option for change in changes for option in ("--change", change)]
        self("import", *options, "-", name, input=archive)


@contextmanager
def docker(folder, *, apart=True):
    """Starts a daemon whose files are in that folder; not `apart` it is in this host's network."""
    allowed(folder)
    log = folder / "dockerd.log"
    command = [
        "dockerd",
        f"--data-root={folder}/data",
        f"--exec-root={folder}/exec",
        f"--pidfile={folder}/pid",
        f"--host=unix://{folder}/docker.sock",
        "--bridge=none",
        # Where a containerd of this machine serves, another Docker may have containers in it.
        f"--containerd-namespace={folder.name}",
        f"--containerd-plugins-namespace={folder.name}-plugins",
    ]
    command = ["unshare", "--net", *command] if apart else [*command, "--iptables=false"]
    with ExitStack() as stack:
        output = stack.enter_context(log.open("ab"))
        child = stack.enter_context(process(*command, stdout=output, stderr=output))
        daemon = Docker(folder, child.pid)
        if apart:
            connect_outside(stack, child, log)
        answers = ["docker", "version"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        environment = daemon.environment
        until(
            "dockerd answers, or ends",
            lambda: (
                child.poll() is not None
                or subprocess.run(answers, env=environment, check=False, **quiet).returncode == 0
            ),
        )
        if child.poll() is not None:
            raise AssertionError(f"dockerd ended:\n{tail(log)}")
        yield daemon


def allowed(folder):
    """Tries what a container without privileges may not: namespaces, and mounts in them."""
    trial = ["unshare", "--net", "--mount", "mount", "-t", "tmpfs", "trial", str(folder)]
    if subprocess.run(trial, check=False, capture_output=True).returncode:
        raise Unavailable("no namespace with a mount can be made here")


def tail(log):
    return log.read_text(errors="replace")[-4000:]


def until_apart(child, log):
    """Waits until a process has a network of its own; one that ends without has told why in the log."""
    own = os.readlink("/proc/self/ns/net")

    def is_apart():
        try:
            return os.readlink(f"/proc/{child.pid}/ns/net") != own
        except OSError as error:
            raise AssertionError(f"it ended: {error}\n{tail(log)}") from None

    until("a network of its own", is_apart)


def connect_outside(stack, child, log):
    """A host outside, reached as the Internet is, and a listener there and on the daemon's own host."""
    # unshare has made the network before it becomes dockerd.
    until_apart(child, log)
    pid = child.pid
    listen = [sys.executable, "-c", LISTEN.format(port=PORT)]
    host = stack.enter_context(process("unshare", "--net", *listen))
    until_apart(host, log)
    outside = host.pid
    link = f"link add outside type veth peer name inside netns {outside}"
    for line in ("link set lo up", link, f"addr add {HOST}/24 dev outside", "link set outside up"):
        run(*inside(pid, "ip", *line.split()))
    for line in (f"addr add {OUTSIDE}/24 dev inside", "link set inside up"):
        run(*inside(outside, "ip", *line.split()))
    run(*inside(pid, "ip", "route", "add", "default", "via", OUTSIDE))
    stack.enter_context(process(*inside(pid, *listen)))


def libraries(program):
    """What a program is linked with, by the paths that it is looked for under."""
    words = run("ldd", program).decode().split()
    return {word for word in words if word.startswith("/")}


def archive(files, folders=(), scripts=()):
    """A tar of files of this machine, by their paths; of empty folders; and of scripts."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, mode in folders:
            entry = tarfile.TarInfo(path)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            tar.addfile(entry)
        for path, source in sorted(files.items()):
            entry = tar.gettarinfo(os.path.realpath(source), path.lstrip("/"))
            entry.uid = entry.gid = 0
            entry.type, entry.linkname = tarfile.REGTYPE, ""
            entry.size = os.path.getsize(source)
            with open(source, "rb") as file:
                tar.addfile(entry, file)
        for path, mode, text in scripts:
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(text), mode
            tar.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def base(binaries):
    """What the distroless base has, of this machine's own files: libraries, authorities, no shell."""
    files = {path: path for binary in binaries for path in libraries(binary)}
    authorities = "/etc/ssl/certs/ca-certificates.crt"
    if os.path.exists(authorities):
        files[authorities] = authorities
    users = ("etc/passwd", 0o644, "root:x:0:0:root:/root:/sbin/nologin\n")
    groups = ("etc/group", 0o644, "root:x:0:\n")
    return archive(files, folders=[("tmp", 0o1777)], scripts=[users, groups])


def stripped(folder, binary):
    """A copy without what only a debugger reads, most of a debug build."""
    copy = folder / Path(binary).name
    run("strip", "-o", str(copy), binary)
    return str(copy)


def builder(binaries):
    """A builder whose cargo compiles nothing."""
    programs = ["sh", "cp", "find", "install", "mkdir", "touch"]
    paths = {f"/bin/{name}": shutil.which(name) for name in programs}
    files = dict(paths)
    for path in paths.values():
        files.update({library: library for library in libraries(path)})
    files.update({f"/binaries/{Path(binary).name}": binary for binary in binaries})
    return archive(files, folders=[("tmp", 0o1777)], scripts=[("bin/cargo", 0o755, CARGO)])


def toolchain(folder):
    """A builder that compiles: Debian, a C compiler, and this machine's Rust."""
    root = folder / "builder"
    include = "--include=gcc,libc6-dev,ca-certificates"
    run("debootstrap", "--variant=minbase", include, DEBIAN, str(root))
    sysroot = run("rustc", "--print", "sysroot").decode().strip()
    for part in ("bin", "lib"):
        shutil.copytree(f"{sysroot}/{part}", root / "usr/local" / part, dirs_exist_ok=True)
    authorities = "etc/ssl/certs/ca-certificates.crt"
    shutil.copy(f"/{authorities}", root / authorities)
    image = run("tar", "--directory", str(root), "--create", ".")
    shutil.rmtree(root)
    return image


def clone(folder):
    """The repository as it stands, without what git ignores."""
    names = run("git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, names.decode().split("\0")):
        if (ROOT / name).is_file():
            copy = folder / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy)
    return folder


@contextmanager
def scratch():
    """A folder that goes, with what a daemon may have left mounted in it."""
    path = Path(tempfile.mkdtemp(prefix="mymt5-docker-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for mount in sorted((m for m in mounts if m.startswith(f"{path}/")), reverse=True):
            subprocess.run(["umount", "--lazy", mount], check=False)
        shutil.rmtree(path, ignore_errors=True)
