"""The bridge as a Windows program, as far as Wine shows: how it is ended, what it listens with, and
where it lies."""

import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from official import HERE, skip, windows_python
from simulated import END_S, START_S, Lines, Relay, Terminal, terminal_binary, windows
from windows_bridge import terminal_path
from windows_python import ended

sys.path.append(str(HERE.parent / "tests"))
from support import BRIDGE, SECRET, Gateway, until

ODD = "Wächter & Söhne, 2 Börsen"  # a folder's name
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: a close is a reset
UNICODE = {"LC_ALL": "C.UTF-8"}  # by which Wine knows other words than ASCII's


def certificate(folder):
    """A certificate and its key, made in a folder."""
    files = folder / "certificate.pem", folder / "key.pem"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", files[1], "-out", files[0], "-days", "2", "-subj", "/CN=bridge",
         "-addext", "subjectAltName=DNS:bridge"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    if made.returncode:
        skip("openssl makes no certificate here")
    return files


class WindowsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.python = windows_python()
        cls.folder = Path(tempfile.mkdtemp(prefix="mymt5-")) / ODD
        cls.addClassCleanup(shutil.rmtree, cls.folder.parent)
        cls.folder.mkdir()
        pems = certificate(cls.folder)
        cls.tls = ssl.create_default_context(cafile=str(pems[0]))
        kinds = zip(("certificate", "key"), pems)
        cls.words = [f"--tls-{kind}={windows(pem)}" for kind, pem in kinds]

    def start(self, *before, script=BRIDGE, listen="127.0.0.1:0", **environment):
        """A bridge: its process, what it logs, and its address once it listens."""
        words = [*before, windows(script), "--listen", listen, *self.words]
        given = dict({"BRIDGE_SECRET": SECRET}, **UNICODE, **environment)
        process = self.python.start(*words, stdin=subprocess.PIPE, **given)
        self.addCleanup(ended(process).__exit__)
        log = Lines(process.stderr)
        return process, log

    def address(self, log):
        ready = log.next(START_S) or ""
        self.assertIn("listening on ", ready)
        self.assertIn("with TLS", ready)
        return "127.0.0.1", int(re.search(r"127\.0\.0\.1:(\d+)", ready)[1])

    def gateway(self, address):
        gateway = Gateway(address, tls=self.tls)
        self.addCleanup(gateway.close)
        self.assertIn("ok", gateway.call("ping"))
        return gateway

    def ends(self, process, log, gateway, status):
        self.assertEqual(process.wait(END_S), status)
        self.assertTrue(gateway.is_closed())
        return [line for line in iter(lambda: log.next(1), None)]


class Ends(WindowsTest):
    def host(self, mode):
        return self.start(windows(HERE / "host.py"), mode)

    def press(self, process):
        process.stdin.write(b"\n")
        process.stdin.flush()

    def test_ctrl_c_and_ctrl_break(self):
        """It ends as it does elsewhere by a signal: after the call in flight, told in the log."""
        for mode in ("ctrl-c", "break"):
            with self.subTest(mode):
                process, log = self.host(mode)
                gateway = self.gateway(self.address(log))
                self.press(process)
                said = self.ends(process, log, gateway, 0)
                self.assertTrue(said[-1].endswith(" ended"), said)

    def test_signals_of_the_system_that_wine_runs_on(self):
        """SIGINT is a Ctrl-C. By the others it is gone at once, without a word."""
        for name, status, last in (("SIGINT", 0, " ended"), ("SIGTERM", -signal.SIGTERM, "begun")):
            with self.subTest(name):
                process, log = self.start()
                gateway = self.gateway(self.address(log))
                # What is on its way to the log when it is killed may be lost.
                begun = log.next(START_S) or ""
                self.assertTrue(begun.endswith("begun"), begun)
                process.send_signal(getattr(signal, name))
                said = [begun, *self.ends(process, log, gateway, status)]
                self.assertTrue(said[-1].endswith(last), said)

    def test_its_console_is_closed(self):
        """Windows gives it no time then."""
        # Below nohup it is ignored, and by all that is started there.
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        process, log = self.start()
        gateway = self.gateway(self.address(log))
        process.send_signal(signal.SIGHUP)  # Wine makes it the console's close event
        self.assertTrue(process.wait(END_S))
        self.assertTrue(gateway.is_closed())


class Listens(WindowsTest):
    def test_without_a_console_and_standard_streams(self):
        """As the Task Scheduler and pythonw.exe start it: there is no log, and nothing else lacks."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = free.getsockname()
        listen = "{}:{}".format(*address)
        process, log = self.start(windows(HERE / "host.py"), "no-streams", listen=listen)

        def served():
            with socket.socket() as one:
                return one.connect_ex(address) == 0 or process.poll()

        until(served, START_S, "listening")
        first = self.gateway(address)
        for _ in range(100):
            self.assertIn("ok", first.call("ping"))
        self.gateway(address)  # takes over, which is told where there is a log
        self.assertTrue(first.is_closed())
        process.stdin.close()
        self.assertTrue(process.wait(END_S))
        self.assertIsNone(log.next(1))

    def test_connections_that_are_reset(self):
        """Windows tells of them at other moments than other systems do."""
        _, log = self.start()
        address = self.address(log)
        gateway = self.gateway(address)
        for number in range(150):
            with socket.create_connection(address) as stranger:
                stranger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                if number % 3 == 1:
                    stranger.sendall(b"\x16\x03\x01 no hello")
                if number % 3 == 2:
                    stranger.sendall(b"\x16")
        self.assertIn("ok", gateway.call("ping"))
        self.gateway(address)
        self.assertLess(len(log.rest()), 100, "they fill the log")

    def test_nobody_else_listens_there(self):
        _, log = self.start()
        host, port = self.address(log)
        process, log = self.start(listen=f"{host}:{port}")
        self.assertEqual(process.wait(START_S), 78)
        self.assertIn("cannot listen on", log.next(1))

    def test_from_a_folder_with_blanks_and_umlauts(self):
        script = self.folder / "mymt5_bridge.py"
        shutil.copy(BRIDGE, script)
        secret = self.folder / "geheim.txt"
        secret.write_text(SECRET + "\r\n")
        files = {"BRIDGE_SECRET": "", "BRIDGE_SECRET_FILE": windows(secret)}
        process, log = self.start(script=script, **files)
        gateway = self.gateway(self.address(log))
        process.send_signal(signal.SIGINT)
        self.ends(process, log, gateway, 0)
        missing = dict(files, BRIDGE_SECRET_FILE=windows(self.folder / "nichts.txt"))
        process, log = self.start(script=script, **missing)
        self.assertEqual(process.wait(START_S), 78)
        self.assertIn("BRIDGE_SECRET_FILE: cannot read", log.next(1))


class Terminals(WindowsTest):
    def test_in_a_folder_with_blanks_and_umlauts(self):
        if not terminal_binary():
            skip("no simulated terminal; run cargo build -p mymt5-simulated-terminal")
        terminal = Terminal(terminal_binary(), "--password=right")
        self.addCleanup(terminal.close)
        own = terminal_path(self.python, ODD)
        path = own.__enter__()
        self.addCleanup(own.__exit__, None, None, None)
        relay = Relay(self.python, terminal.port, path, **UNICODE)
        self.addCleanup(relay.close)
        self.words = [*self.words, "--terminal-path", path]
        _, log = self.start()
        login = {"login": 10000001, "password": "right", "server": "MyMT5-Simulator"}
        answer = self.gateway(self.address(log)).login(**login)
        self.assertEqual(answer["ok"]["account"]["login"], 10000001, answer)


if __name__ == "__main__":
    unittest.main()
