"""Who gets in: both sides prove the secret, and nobody else gets a word."""

import contextlib
import os
import re
import secrets
import ssl
import subprocess
import sys
import unittest

from support import LOGIN, SECRET, TESTS, BridgeTest, Gateway, skip, until
from test_package import load

MESSAGES = os.path.join(TESTS, "messages.txt")
WEAK = os.path.join(TESTS, "weak_secrets.txt")
PLACES = load().PENDING_HANDSHAKES
GATEWAYS = 20  # that come one after the other while strangers do


class Attacked(BridgeTest):
    """Strangers before the door."""

    def strangers(self, number, source):
        """Connections that prove nothing, in the order in which the bridge took them."""
        strangers = []
        for _ in range(number):
            strangers.append(Gateway(self.bridge.address(), prove=False, source=source))
            self.addCleanup(strangers[-1].close)
        return strangers

    def flood(self, *words):
        """Starts strangers that come again and again, and waits until they are there."""
        port = str(self.bridge.address()[1])
        command = [sys.executable, os.path.join(TESTS, "flood.py"), port, *words]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        process = subprocess.Popen(command, **pipes)
        for ending in (process.stdout.close, process.wait, process.stdin.close):
            self.addCleanup(ending)
        self.assertEqual(process.stdout.readline(), b"flooded" + os.linesep.encode())

    def gateways_get_in(self, tls=None):
        """Each of several, soon. A machine that is busy with something else may cost an attempt."""

        def enters():
            address, lost = self.bridge.address(), contextlib.suppress(OSError, EOFError)
            with lost, Gateway(address, tls=tls) as gateway:
                return "ok" in gateway.call("ping")

        for _ in range(GATEWAYS):
            until(enters, what="a gateway among strangers")


class Handshake(Attacked):
    def answer(self, gateway, **other):
        """Reads the bridge's nonce and writes an answer that differs from the right one."""
        theirs = gateway.read()["nonce"]
        ours = other.pop("nonce", secrets.token_hex(32))
        right = gateway.proof("gateway", theirs, ours)
        frame = {"role": "gateway", "protocol": 2, "nonce": ours, "proof": right}
        gateway.write(dict(frame, **other))
        return theirs, ours

    def turned_away(self, **other):
        with Gateway(self.bridge.address(), prove=False) as gateway:
            self.answer(gateway, **other)
            with self.assertRaises(EOFError):
                gateway.read()

    def setUp(self):
        super().setUp()
        self.bridge = self.start()

    def test_right_proof(self):
        gateway = self.gateway(self.bridge)
        self.assertIn("ok", gateway.call("ping"))

    def test_wrong_answers(self):
        self.turned_away(proof=secrets.token_hex(32))
        self.turned_away(role="bridge")
        self.turned_away(protocol=1)
        self.turned_away(nonce="A" * 64)
        self.turned_away(proof=None)
        self.turned_away(proof="é" * 64)
        self.gateway(self.bridge)
        self.assertEqual(self.state.one("SELECT count(*) FROM logins"), 1)

    def test_another_secret(self):
        with self.assertRaises(EOFError):
            Gateway(self.bridge.address(), secret=SECRET[::-1])

    def test_replayed(self):
        with Gateway(self.bridge.address(), prove=False) as first:
            theirs = first.read()["nonce"]
            ours = secrets.token_hex(32)
            proof = first.proof("gateway", theirs, ours)
            frame = {"role": "gateway", "protocol": 2, "nonce": ours, "proof": proof}
            first.write(frame)
            self.assertIn("proof", first.read())
        with Gateway(self.bridge.address(), prove=False) as second:
            self.assertNotEqual(second.read()["nonce"], theirs)
            second.write(frame)
            self.assertTrue(second.is_closed())

    def test_reflected(self):
        with Gateway(self.bridge.address(), prove=False) as gateway:
            nonce = gateway.read()["nonce"]
            gateway.write({"role": "gateway", "protocol": 2, "nonce": nonce,
                           "proof": gateway.proof("gateway", nonce, nonce)})  # fmt: skip
            self.assertTrue(gateway.is_closed())

    def test_calls_before_the_proof(self):
        with Gateway(self.bridge.address(), prove=False) as gateway:
            gateway.read()
            gateway.send("login", LOGIN)
            self.assertTrue(gateway.is_closed())
        self.assertEqual(self.state.one("SELECT count(*) FROM logins"), 0)

    def test_too_long_before_the_proof(self):
        with Gateway(self.bridge.address(), prove=False) as gateway:
            self.answer(gateway, padding="x" * 1024)
            self.assertTrue(gateway.is_closed())

    def greeted(self, number, source):
        strangers = self.strangers(number, source)
        for stranger in strangers:
            with contextlib.suppress(EOFError):  # another one may have its place by now
                stranger.read()
        return strangers

    def still_there(self, gateway):
        gateway.sock.setblocking(False)
        try:
            return gateway.sock.recv(1) != b""
        except BlockingIOError:
            return True

    def test_a_newcomer_gets_the_oldest_place_of_the_crowd(self):
        alone = self.greeted(1, "127.0.0.3")
        crowd = self.greeted(PLACES - 1, "127.0.0.2")
        self.gateway(self.bridge)
        self.assertTrue(crowd[0].is_closed())
        self.assertTrue(all(map(self.still_there, alone + crowd[1:])))

    def test_strangers_of_one_address_are_few(self):
        strangers = self.greeted(PLACES + 200, "127.0.0.2")
        for stranger in strangers[:200]:
            self.assertTrue(stranger.is_closed())
        self.assertTrue(all(map(self.still_there, strangers[200:])))
        self.gateway(self.bridge)

    def test_strangers_of_many_addresses(self):
        for number in range(2, 250):
            self.strangers(2, f"127.0.0.{number}")
        self.gateways_get_in()

    def test_a_flood(self):
        """From the gateway's own address, and from another."""
        for source in ("127.0.0.1", "127.0.0.2"):
            self.flood(source)
        self.gateways_get_in()

    def test_strangers_fill_no_log(self):
        self.greeted(PLACES + 200, "127.0.0.2")
        self.gateway(self.bridge)
        until(lambda: self.bridge.log().count("turned away") == 60)
        self.bridge.end()
        self.assertEqual(self.bridge.log().count("turned away"), 60)

    def test_a_strangers_network(self):
        network = load().network
        self.assertEqual(network("2001:db8::1"), network("2001:db8::ffff:0:0:2"))
        self.assertEqual(network("fe80::1%eth0"), network("fe80::2"))
        self.assertNotEqual(network("2001:db8::1"), network("2001:db8:0:1::1"))
        self.assertNotEqual(network("10.0.0.1"), network("10.0.0.2"))

    def test_no_proof_in_time(self):
        (stranger,) = self.greeted(1, "127.0.0.2")
        self.assertTrue(stranger.is_closed())
        until(lambda: "turned away: no proof in time" in self.bridge.log())


class Tls(Attacked):
    def setUp(self):
        super().setUp()
        certificate, self.key = (os.path.join(self.folder, n) for n in ("c.pem", "k.pem"))
        made = subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-keyout", self.key, "-out", certificate, "-days", "2", "-subj", "/CN=bridge",
             "-addext", "subjectAltName=DNS:bridge"],
            capture_output=True, check=False,
        )  # fmt: skip
        if made.returncode:
            skip(self, "openssl makes no certificate here")
        os.chmod(self.key, 0o600)
        self.options = ["--tls-certificate", certificate, "--tls-key", self.key]
        self.bridge = self.start(*self.options)
        self.context = ssl.create_default_context(cafile=certificate)

    def test_the_whole_way(self):
        gateway = self.gateway(self.bridge, tls=self.context)
        watch = {"symbols": {"EURUSD": None}, "poll_ms": 5, "rows_ms": 20, "deals_from": 0}
        self.assertEqual(gateway.call("watch", watch), {"ok": {}})
        for i in range(200):  # both directions at once
            self.assertIn("ok", gateway.call("ping"))
        self.assertIn("ok", gateway.order("tls"))
        self.assertTrue(gateway.push("ticks") and gateway.push("rows"))

    def test_without_it_nobody_gets_a_word(self):
        with self.assertRaises((EOFError, OSError)):
            Gateway(self.bridge.address())

    def test_half_open_handshakes(self):
        """A few, then hundreds, then such that come again and again."""
        for number in (6, PLACES + 200):
            silent = self.strangers(number, "127.0.0.1")
            self.gateways_get_in(self.context)
        self.assertEqual(silent[0].sock.recv(1), b"")  # another one has its place
        self.flood("127.0.0.1", "hello")
        self.gateways_get_in(self.context)

    def test_beyond_loopback(self):
        self.bridge = self.start("--listen", "0.0.0.0:0", *self.options)
        self.strangers(PLACES + 6, "127.0.0.2")
        self.gateways_get_in(self.context)

    def test_a_key_that_others_may_read(self):
        os.chmod(self.key, 0o644)
        self.assertEqual(self.start(*self.options).wait(), 78)


class Faults(BridgeTest):
    """Faults of the configuration: status 78 and a message with the fix."""

    def refused(self, words, *options, **more):
        process = self.start(*options, **more)
        self.assertEqual(process.wait(), 78)
        self.assertIn(words, process.log())
        self.assertNotIn(SECRET, process.log())
        self.listed(process)
        return process

    def listed(self, process):
        """What is told has a fix, and stands in the list for people to read. The list is written
        where MYMT5_WRITE_MESSAGES=1."""
        told = process.log().partition("error: ")[2].strip().replace(self.folder, "DIR")
        told = re.sub(r"load \(.*\);", "load (WHY);", told)
        told = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", told)
        self.assertRegex(told, r"; (chmod|give|keep|let|run|set) |^invalid .+: expected ")
        with open(MESSAGES, encoding="utf-8") as file:
            kept = set(file.read().splitlines())
        if os.environ.get("MYMT5_WRITE_MESSAGES") == "1":
            kept.add(told)
            with open(MESSAGES, "w", encoding="utf-8") as file:
                file.write("\n".join(sorted(kept)) + "\n")
        self.assertIn(told, kept)

    def test_configuration(self):
        path = os.path.join(self.folder, "secret")
        with open(path, "w") as file:
            file.write(SECRET + "\n")
        os.chmod(path, 0o644)
        self.refused("no secret", secret=None)
        self.refused("fewer than 32", secret="short")
        self.refused("easily guessed", secret="*" * 33)
        self.refused("both set", env={"BRIDGE_SECRET_FILE": path})
        self.refused("chmod 600", secret=None, env={"BRIDGE_SECRET_FILE": path})
        self.refused("cannot read", secret=None, env={"BRIDGE_SECRET_FILE": path + "x"})
        self.refused("beyond loopback", "--listen", "0.0.0.0:0")
        self.refused("beyond loopback", "--listen", "[::]:0")
        self.refused("give either", plain=False)
        self.refused("give either", "--tls-certificate", path, "--tls-key", path, plain=True)
        self.refused("IP:PORT", "--listen", "example.org:1")
        self.refused("IP:PORT", "--listen", "18812")
        self.refused("matching pair", "--tls-key", path)
        os.chmod(path, 0o600)
        bridge = self.start(secret=None, env={"BRIDGE_SECRET_FILE": path})
        self.gateway(bridge)
        address = "{}:{}".format(*bridge.address())
        self.refused("cannot listen", "--listen", address)

    def test_what_is_easily_guessed(self):
        weakness = load().weakness
        with open(WEAK, "rb") as file:
            weak = file.read().splitlines()
        for secret in weak + [bytes([byte]) * 64 for byte in range(33, 127)]:
            with self.subTest(secret):
                self.assertIsNotNone(weakness(secret))
        for _ in range(1000):
            for make in (secrets.token_hex, secrets.token_urlsafe):
                self.assertIsNone(weakness(make(32).encode()))
        # Few ways from one digit to the next are no walk: of the shortest not quite all are taken.
        short = [secrets.token_hex(16) for _ in range(1000)]
        digits = [f"{secrets.randbelow(10**32):032}" for _ in range(1000)]
        for made, taken in ((short, 990), (digits, 950)):
            self.assertGreaterEqual(sum(weakness(s.encode()) is None for s in made), taken)

    def test_a_package_that_does_not_load(self):
        missing = {"PYTHONPATH": self.folder}
        self.refused("does not load (No module named 'MetaTrader5'); run pip install", env=missing)
        for line, why in (
            ("import numpie", "No module named 'numpie'"),
            ("import MetaTrader5._core", "No module named 'MetaTrader5._core'"),
            ("from os import nothing", "cannot import name 'nothing'"),
            ("raise ImportError('numpy is too old\\nand more')", "numpy is too old); run pip"),
        ):
            with open(os.path.join(self.folder, "MetaTrader5.py"), "w") as file:
                file.write(line + "\n")
            process = self.refused(why, env={"PYTHONPATH": self.folder})
            self.assertIn("does not load (" + why, process.log())
            self.assertEqual(len(process.lines), 1, process.log())


if __name__ == "__main__":
    unittest.main()
