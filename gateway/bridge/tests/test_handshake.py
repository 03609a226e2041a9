"""Who gets in: both sides prove the secret, and nobody else gets a word."""

import os
import re
import secrets
import socket
import ssl
import subprocess
import unittest

from support import LOGIN, SECRET, TESTS, BridgeTest, Gateway, skip, until

MESSAGES = os.path.join(TESTS, "messages.txt")


class Handshake(BridgeTest):
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

    def strangers(self, number, source):
        """Connections that prove nothing, in the order in which the bridge took them."""
        strangers = []
        for _ in range(number):
            strangers.append(Gateway(self.bridge.address(), prove=False, source=source))
            self.addCleanup(strangers[-1].close)
            strangers[-1].read()
        return strangers

    def still_there(self, gateway):
        gateway.sock.setblocking(False)
        try:
            return gateway.sock.recv(1) != b""
        except BlockingIOError:
            return True

    def test_a_newcomer_gets_the_oldest_place_of_the_crowd(self):
        alone = self.strangers(1, "127.0.0.3")
        crowd = self.strangers(15, "127.0.0.2")
        self.gateway(self.bridge)
        self.assertTrue(crowd[0].is_closed())
        self.assertTrue(all(map(self.still_there, alone + crowd[1:])))

    def test_strangers_of_one_address_are_few(self):
        strangers = self.strangers(40, "127.0.0.2")
        for stranger in strangers[:24]:
            self.assertTrue(stranger.is_closed())
        self.assertTrue(all(map(self.still_there, strangers[24:])))
        self.gateway(self.bridge)
        until(lambda: self.bridge.log().count("turned away") == 25)

    def test_no_proof_in_time(self):
        (stranger,) = self.strangers(1, "127.0.0.2")
        self.assertTrue(stranger.is_closed())
        until(lambda: "turned away: no proof in time" in self.bridge.log())


class Tls(BridgeTest):
    def test_beyond_loopback_and_the_whole_way(self):
        certificate, key = (os.path.join(self.folder, n) for n in ("c.pem", "k.pem"))
        made = subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=bridge",
             "-addext", "subjectAltName=DNS:bridge"],
            capture_output=True, check=False,
        )  # fmt: skip
        if made.returncode:
            skip(self, "openssl makes no certificate here")
        os.chmod(key, 0o600)
        tls = ["--tls-certificate", certificate, "--tls-key", key]
        bridge = self.start(*tls)
        context = ssl.create_default_context(cafile=certificate)
        gateway = self.gateway(bridge, tls=context)
        watch = {"symbols": {"EURUSD": None}, "poll_ms": 5, "rows_ms": 20, "deals_from": 0}
        self.assertEqual(gateway.call("watch", watch), {"ok": {}})
        for i in range(200):  # both directions at once
            self.assertIn("ok", gateway.call("ping"))
        self.assertIn("ok", gateway.order("tls"))
        self.assertTrue(gateway.push("ticks") and gateway.push("rows"))
        with self.assertRaises((EOFError, OSError)):
            Gateway(bridge.address())
        silent = [socket.create_connection(bridge.address(), 10) for _ in range(17)]
        for stranger in silent:
            self.addCleanup(stranger.close)
        self.assertEqual(silent[0].recv(1), b"")  # another one has its place
        self.gateway(bridge, tls=context)
        os.chmod(key, 0o644)
        self.assertEqual(self.start(*tls).wait(), 78)


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
        self.refused("both set", env={"BRIDGE_SECRET_FILE": path})
        self.refused("chmod 600", secret=None, env={"BRIDGE_SECRET_FILE": path})
        self.refused("cannot read", secret=None, env={"BRIDGE_SECRET_FILE": path + "x"})
        self.refused("beyond loopback", "--listen", "0.0.0.0:0")
        self.refused("IP:PORT", "--listen", "example.org:1")
        self.refused("IP:PORT", "--listen", "18812")
        self.refused("matching pair", "--tls-key", path)
        os.chmod(path, 0o600)
        bridge = self.start(secret=None, env={"BRIDGE_SECRET_FILE": path})
        self.gateway(bridge)
        address = "{}:{}".format(*bridge.address())
        self.refused("cannot listen", "--listen", address)

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
