"""Stands between a test and a program on Windows, for what only a Windows program can do to it.

    python.exe host.py ctrl-c|break|no-streams PROGRAM [ARGUMENT ...]

    ctrl-c      runs it in a console of its own, and presses Ctrl-C there
    break       runs it in this very process, and has SIGBREAK come: Wine 8 presses no Ctrl-Break
    no-streams  runs it as pythonw.exe does: without a console and without standard streams

A line on standard input is the moment for it, and ends the last of them. PROGRAM is a Python script.
The program's standard error is this one's, and its exit status too.
"""

import asyncio  # noqa: F401
import ctypes
import os
import runpy
import signal
import ssl  # noqa: F401
import subprocess
import sys
import threading

import MetaTrader5  # noqa: F401, like the two above: a library cannot load while `press` reads


def ctrl_c(program):
    kernel = ctypes.windll.kernel32
    kernel.FreeConsole()
    kernel.AllocConsole()
    # The new console is nobody's standard error.
    how = {"stdin": subprocess.DEVNULL, "stderr": sys.stderr}
    child = subprocess.Popen([sys.executable, "-X", "utf8", "-u", *program], **how)
    sys.stdin.readline()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it comes to all of the console
    kernel.GenerateConsoleCtrlEvent(int(signal.CTRL_C_EVENT), 0)
    return child.wait()


def press_break(program):
    def press():
        sys.stdin.readline()
        signal.raise_signal(signal.SIGBREAK)

    threading.Thread(target=press, daemon=True).start()
    sys.argv = program
    runpy.run_path(program[0], run_name="__main__")


def no_streams(program):
    windowed = os.path.join(os.path.dirname(sys.executable), "pythonw.exe")
    how = {"creationflags": subprocess.DETACHED_PROCESS, "close_fds": True}
    child = subprocess.Popen([windowed, "-X", "utf8", *program], **how)
    sys.stdin.readline()
    child.terminate()
    return child.wait()


MODES = {"ctrl-c": ctrl_c, "break": press_break, "no-streams": no_streams}
sys.exit(MODES[sys.argv[1]](sys.argv[2:]))
