#!/usr/bin/env python3
"""Installs Wine and a Windows Python with the official MetaTrader5 package, on Debian or Ubuntu.

    python3 deploy/terminal/windows_python.py [FOLDER]

Everything but Wine goes into FOLDER (~/.cache/mymt5/wine): a prefix of its own, so that no other
Wine program is touched. What is there already is kept: a second run takes a second. The downloads
are pinned by their hashes; pip fetches them, with its own settings for proxies and mirrors.
"""

import contextlib
import importlib.util
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import zipfile
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
FOLDER = Path(os.environ.get("MYMT5_WINE") or CACHE / "mymt5" / "wine")
WINE = ["wine", "wine64"]  # Debian's packages: 64 bit alone, no desktop
PINS = Path(__file__).with_suffix(".txt")
ORIGIN = "C:\\mymt5\\terminal"  # where the package believes the terminal to be installed
PATIENCE_S = 300  # of one step


class Fault(Exception):
    """What is missing or went wrong, with its fix."""


def say(text):
    print(text, file=sys.stderr, flush=True)


class WindowsPython:
    """An installed Windows Python: how its programs are started, and how they end."""

    def __init__(self, folder=FOLDER):
        self.folder = Path(folder).resolve()
        self.prefix, self.home = self.folder / "prefix", self.folder / "python"
        self.terminal = self.prefix / "drive_c" / "mymt5" / "terminal" / "terminal64.exe"
        self.wine = shutil.which("wine64") or shutil.which("wine")

    def is_there(self):
        stamp = self.folder / "installed"
        return bool(self.wine) and stamp.exists() and stamp.read_text() == PINS.read_text()

    def environment(self, **more):
        own = {"WINEPREFIX": str(self.prefix), "WINEARCH": "win64", "WINEDEBUG": "-all"}
        # Neither .NET nor a browser is asked for, nor a window shown.
        return {**os.environ, **own, "WINEDLLOVERRIDES": "mscoree,mshtml=", **more}

    def start(self, *arguments, stdin=subprocess.DEVNULL, **environment):
        """Starts the Python. Its streams are pipes: it dies where standard error is a file."""
        return subprocess.Popen(
            [self.wine, str(self.home / "python.exe"), "-X", "utf8", "-u", *map(str, arguments)],
            env=self.environment(**environment), stdin=stdin,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *arguments, **environment):
        """Runs the Python with this process's streams; its exit status."""
        process = self.start(*arguments, stdin=None, **environment)
        with ended(process):
            outs = (process.stdout, sys.stdout.buffer), (process.stderr, sys.stderr.buffer)
            copies = [threading.Thread(target=copy, args=pair) for pair in outs]
            for thread in copies:
                thread.start()
            for thread in copies:
                thread.join()
            return process.wait()


class ended:
    """Ends a process where a block ends."""

    def __init__(self, process):
        self.process = process

    def __enter__(self):
        return self.process

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def copy(source, target):
    # Who has closed the target, as head does, ends the source as well.
    with source, contextlib.suppress(BrokenPipeError):
        for piece in iter(lambda: source.read1(65536), b""):
            target.write(piece)
            target.flush()


def step(what, command, patience_s=PATIENCE_S, **more):
    """Runs one command of the installation, quietly unless it fails."""
    say(f"-- {what}")
    try:
        done = subprocess.run(
            list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=patience_s, check=False, **more
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Fault(f"{what}: not done in {patience_s} s; try again") from None
    except OSError as fault:
        raise Fault(f"{what}: {command[0]}: {fault.strerror}") from None
    if done.returncode:
        last = done.stdout.decode(errors="replace").strip().splitlines()[-8:]
        raise Fault("\n".join([f"{what}: status {done.returncode}", *last]))


def install_wine():
    if shutil.which("wine64") or shutil.which("wine"):
        return
    wait = ["-o", "DPkg::Lock::Timeout=120"]
    command = ["apt-get", *wait, "install", "-y", "--no-install-recommends", *WINE]
    if not shutil.which("apt-get"):
        raise Fault("Wine is missing: install your system's 64 bit Wine")
    if os.geteuid():
        raise Fault(f"Wine is missing; as root: apt-get update && {' '.join(command)}")
    apt = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    step("apt-get update", ["apt-get", *wait, "update"], env=apt)
    step("Wine: 400 MB", command, None, env=apt)  # dpkg is not to be cut off


def download(folder):
    """Has pip fetch what is pinned, for Windows."""
    if not importlib.util.find_spec("pip"):
        raise Fault("pip is missing: apt-get install python3-pip, or run this in a venv")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    windows = ["--platform=win_amd64", "--python-version=3.11"]
    step("Python 3.11, MetaTrader5, numpy: 27 MB", [*pip, *windows, f"--dest={folder}", "-r", PINS])


def unpack(folder, home):
    """Makes the Python of the downloaded files."""
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as files:
        name = next(name for name in files.getnames() if name.endswith("/data.zip"))
        data = files.extractfile(name).read()
    with zipfile.ZipFile(io.BytesIO(data)) as files:
        files.extractall(folder)
    made = folder / "cp311"
    # Without this file it looks for modules as any Python does: beside the script, in PYTHONPATH.
    (made / "python311._pth").unlink()
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as files:
            files.extractall(made / "Lib" / "site-packages")
    shutil.rmtree(home, ignore_errors=True)
    shutil.move(str(made), str(home))


def pretend(python):
    """Puts the files there by which initialize() finds a terminal without being told its path."""
    users = python.prefix / "drive_c" / "users"
    roaming = [user / "AppData" / "Roaming" for user in users.iterdir() if user.name != "Public"]
    python.terminal.parent.mkdir(parents=True, exist_ok=True)
    python.terminal.touch()
    for data in roaming:
        data = data / "MetaQuotes" / "Terminal" / "SIMULATED"
        for folder in ("MQL5", "config"):
            (data / folder).mkdir(parents=True, exist_ok=True)
        for name in ("accounts.dat", "terminal.ini"):
            (data / "config" / name).touch()
        (data / "origin.txt").write_bytes(b"\xff\xfe" + ORIGIN.encode("utf-16-le"))


def install(folder=FOLDER):
    """Installs what is not there yet; the Windows Python."""
    install_wine()
    python = WindowsPython(folder)
    if python.is_there():
        return python
    python.folder.mkdir(parents=True, exist_ok=True)
    quiet = python.environment()
    step("Wine's prefix", [python.wine, "wineboot", "--init"], env=quiet)
    with tempfile.TemporaryDirectory(dir=python.folder) as downloads:
        downloads = Path(downloads)
        download(downloads)
        unpack(downloads, python.home)
    pretend(python)
    show = "import MetaTrader5, sys; print(MetaTrader5.__version__, 'on Python', sys.version)"
    process = python.start("-c", show)
    try:
        out, errors = process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise Fault("the Windows Python does not answer; remove " + str(python.folder)) from None
    if process.returncode:
        raise Fault("the package does not load: " + errors.decode(errors="replace")[-2000:])
    say("MetaTrader5 " + out.decode().strip())
    (python.folder / "installed").write_text(PINS.read_text())
    return python


def main(folder=FOLDER):
    began = time.monotonic()
    try:
        python = install(folder)
    except Fault as fault:
        say(f"error: {fault}")
        return 1
    say(f"installed in {python.folder} ({time.monotonic() - began:.0f} s)")
    return 0


if __name__ == "__main__":
    if len(sys.argv) > 2 or "-h" in sys.argv or "--help" in sys.argv:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
