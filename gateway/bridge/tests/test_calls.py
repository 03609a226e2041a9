"""One session's calls: answers, order, lateness, keys, recall, takeover, limits."""

import contextlib
import fcntl
import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
import unittest
from unittest import mock

import support
from support import BUY, PASSWORD, SECRET, STANDIN, TRACE, BridgeTest, Gateway, until


class Calls(BridgeTest):
    def setUp(self):
        super().setUp()
        self.bridge = self.start()

    def busy(self, gateway, name=None, ms=400, call="account"):
        """Makes the package busy with one slow call; its id."""
        self.state.fault({"account": "account_info"}.get(call, call), "delay_ms", before_ms=ms)
        args = {"key": name, "wait_ms": 9000, "request": BUY} if call == "order_send" else {}
        slow = gateway.send(call, args)
        until(lambda: gateway.call("ping")["ok"]["busy"] == call, what="busy with " + call)
        return slow

    def test_every_read(self):
        gateway = self.gateway(self.bridge)
        self.assertEqual(gateway.call("account")["ok"]["login"], 10000001)
        self.assertTrue(gateway.call("terminal")["ok"]["connected"])
        state = gateway.call("state")["ok"]
        self.assertEqual((state["orders"], state["positions"]), ([], []))
        self.assertIsNone(state["server_time"])
        names = gateway.call("symbols", {"names": ["EURUSD", "NOPE", "XAUUSD"]})["ok"]
        self.assertEqual([row and row["name"] for row in names], ["EURUSD", None, "XAUUSD"])
        price = {"action": 0, "symbol": "EURUSD", "volume": 1.0}
        self.assertEqual(gateway.call("margin", dict(price, price=1.1)), {"ok": 1100.0})
        profit = dict(price, price_open=1.1, price_close=1.2)
        self.assertEqual(gateway.call("profit", profit), {"ok": 10000.0})
        self.assertEqual(gateway.call("margin", dict(price, symbol="NOPE", price=1.1))["none"][0], -4)
        bars = {"symbol": "EURUSD", "timeframe": 1, "from": 2**31 - 1, "count": 5}
        self.assertEqual([len(bar) for bar in gateway.call("bars", bars)["ok"]], [8] * 5)
        second = int(time.time()) - 10
        ticks = {"symbol": "EURUSD", "from": second, "count": 3}
        rows = gateway.call("ticks", ticks)["ok"]
        self.assertEqual([len(row) for row in rows], [7] * 3)
        self.assertTrue(all(row[0] // 1000 >= second for row in rows), rows)
        self.assertEqual(rows[:2], gateway.call("ticks", dict(ticks, count=2))["ok"])
        self.assertEqual(gateway.call("ticks", dict(ticks, **{"from": 2**31 - 1}))["ok"], [])
        self.assertEqual(gateway.call("ticks", dict(ticks, symbol="NOPE"))["none"][0], -4)
        span = {"from": 0, "to": 2**31 - 1}
        self.assertEqual(gateway.call("history_orders", span), {"ok": {"rows": []}})
        self.assertEqual(len(gateway.call("history_deals", span)["ok"]["rows"]), 1)
        self.assertEqual(gateway.call("history_deals", {"from": 0, "to": 0}), {"ok": {"rows": []}})

    def test_nothing_before_the_login(self):
        gateway = self.gateway(self.bridge, login=False)
        self.assertEqual(gateway.order("a"), {"refused": "not logged in"})
        self.assertEqual(gateway.call("account"), {"refused": "not logged in"})
        self.assertEqual(self.state.sends(), 0)

    def test_login_refused_or_never_connected(self):
        gateway = self.gateway(self.bridge, login=False)
        self.assertEqual(gateway.login(password="wrong")["none"][0], -6)
        self.state.set(connect_ms=60000)
        began = time.monotonic()
        self.assertEqual(gateway.login(timeout_ms=300), {"none": [-10005, "not connected"]})
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(gateway.order("a"), {"refused": "not logged in"})
        self.state.set(connect_ms=100)
        self.assertTrue(gateway.login()["ok"]["terminal"]["connected"])

    def test_long_credentials(self):
        gateway = self.gateway(self.bridge, login=False)
        longest = {"password": "p" * 127 + "é", "server": "s" * 128}
        digest = hashlib.sha256(longest["password"].encode()).hexdigest()
        self.state.set(password_sha256=digest, server=longest["server"])
        self.assertIn("ok", gateway.login(**longest))
        for name in longest:
            answer = gateway.login(**dict(longest, **{name: "x" * 129}))
            self.assertEqual(answer, {"refused": "wrong arguments " + name})

    def test_bad_calls_are_refused(self):
        gateway = self.gateway(self.bridge)
        send = {"key": "k", "wait_ms": 1000, "request": BUY}
        for call, args in (
            ("eval", {}), ("ping_", {}), ("account", {"x": 1}), ("order_send", {}),
            ("order_send", dict(send, key="k" * 65)), ("order_send", dict(send, key="")),
            ("order_send", dict(send, correlation="c" * 65)), ("order_send", dict(send, correlation=1)),
            ("order_send", dict(send, wait_ms=0)), ("order_send", dict(send, wait_ms=True)),
            ("order_send", dict(send, request=dict(BUY, evil=1))),
            ("order_send", dict(send, request=dict(BUY, volume=[1]))),
            ("order_send", dict(send, request=dict(BUY, volume=True))),
            ("order_send", dict(send, request=dict(BUY, volume=10**30))),
            ("order_send", dict(send, request=[])),
            ("symbols", {"names": ["A"] * 257}), ("bars", {"symbol": "EURUSD"}),
            ("bars", {"symbol": "EURUSD", "timeframe": 1, "from": 0, "count": 5}),
            ("ticks", {"symbol": "EURUSD", "from": 0, "count": 5}),
            ("ticks", {"symbol": "EURUSD", "from": 1, "count": 65537}),
            ("history_deals", {"from": 1, "to": 2**31}), ("history_orders", {"from": -1, "to": 5}),
            ("watch", {"symbols": {"A": [1]}, "poll_ms": 5, "rows_ms": 5, "deals_from": 0}),
            ("watch", {"symbols": {}, "poll_ms": 5, "rows_ms": 5, "deals_from": 2**31}),
        ):  # fmt: skip
            with self.subTest(call=call, args=args):
                self.assertIn("refused", gateway.call(call, args))
        self.assertEqual(self.state.sends(), 0)
        self.assertEqual(gateway.call("recall", {"key": "k"})["ok"]["state"], "unheard")

    def test_none_and_exceptions(self):
        gateway = self.gateway(self.bridge)
        self.state.fault("account_info", "none:-10001")
        self.assertEqual(gateway.call("account")["none"][0], -10001)
        self.state.fault("order_send", "raise")
        self.assertEqual(gateway.order("a"), {"raised": "ValueError"})
        self.state.fault("order_send", "timeout_after")
        self.assertEqual(gateway.order("b")["none"], [-10005, "IPC timeout"])
        self.assertEqual(self.state.sends(executed=1), 1)
        self.assertEqual(gateway.order("b")["none"], [-10005, "IPC timeout"])
        self.assertEqual((self.state.sends(), self.state.sends(executed=1)), (2, 1))
        gateway.order("c")
        failed = [["order_send", repr(TRACE), kind] for kind in ("raised", "none")]
        until(lambda: [line.split()[1:] for line in self.bridge.lines if "order_" in line] == failed)
        self.assertNotIn("canary", self.bridge.log().lower())

    def test_a_check_refuses_before_anything_is_sent(self):
        gateway = self.gateway(self.bridge)
        for fault, why in (("none:-10005", "-10005"), ("raise", "ValueError")):
            self.state.fault("order_check", fault)
            refused = gateway.order(fault, check=True)
            self.assertEqual(refused, {"refused": "not read: " + why})
        poor = gateway.order("poor", dict(BUY, volume=95.0), check=True)
        self.assertEqual((poor["refused"], poor["check"]["retcode"]), ("by its check", 10019))
        self.assertNotIn("request", poor["check"])
        self.assertEqual(gateway.call("recall", {"key": "poor"})["ok"]["answer"], poor)
        self.assertEqual(self.state.sends(), 0)
        self.state.fault("order_check", "raise")
        self.assertIn("ok", gateway.order("unchecked"))
        self.assertEqual(gateway.order("read", check=True)["refused"], "not read: ValueError")
        self.assertIn("ok", gateway.order("rich", check=True))

    def test_what_grew_old_over_its_check_is_not_sent(self):
        gateway = self.gateway(self.bridge)
        self.state.fault("order_check", "delay_ms", before_ms=300)
        self.assertEqual(gateway.order("old", wait_ms=200, check=True), {"refused": "stale"})
        self.assertEqual(self.state.sends(), 0)

    def test_a_quiet_symbol_is_asked_for_less_often(self):
        gateway = self.gateway(self.bridge)
        watch = {"symbols": {"EURUSD": None}, "poll_ms": 1, "rows_ms": 5000, "deals_from": 0}
        gateway.call("watch", watch)

        def polls(seconds):
            count = "SELECT sum(count) FROM calls WHERE name = 'copy_ticks_from'"
            before, began = self.state.one(count) or 0, time.monotonic()
            until(lambda: time.monotonic() - began > seconds)
            return (self.state.one(count) or 0) - before

        gateway.push("ticks")
        until(lambda: polls(0.2) <= 0.2 / 0.005, what="a fifth of the polls")

    def test_a_key_is_executed_once(self):
        gateway = self.gateway(self.bridge)
        first = gateway.order("same")
        self.assertEqual(gateway.order("same"), first)
        recall = gateway.call("recall", {"key": "same"})["ok"]
        self.assertEqual(recall, {"state": "done", "answer": first})
        self.assertEqual(self.state.sends(), 1)

    def test_trades_first_then_reads_then_history(self):
        gateway = self.gateway(self.bridge)
        self.busy(gateway)
        span = {"from": 0, "to": 2**31 - 1}
        calls = [("history_deals", span), ("terminal", {}), ("account", {}),
                 ("order_send", {"request": BUY, "key": "1"}),
                 ("order_send", {"request": BUY, "key": "2"})]  # fmt: skip
        ids = [gateway.send(call, args) for call, args in calls]
        self.assertEqual(gateway.call("ping")["ok"]["queued"], 5)
        seen = []
        while len(seen) < 6:
            seen.append(gateway.read()["id"])
        history, terminal, account, send, send_2 = ids
        self.assertEqual(seen[1:], [send, send_2, terminal, account, history])

    def test_history_is_not_starved_by_polls(self):
        gateway = self.gateway(self.bridge)
        self.state.fault("*", "delay_ms", -1, before_ms=3)
        watch = {"symbols": {"EURUSD": None, "USDJPY": None}, "poll_ms": 1, "rows_ms": 1,
                 "deals_from": 0}  # fmt: skip
        gateway.call("watch", watch)
        for _ in range(3):
            self.assertIn("ok", gateway.call("history_deals", {"from": 0, "to": 2**31 - 1}))

    def test_too_many_rows_of_history(self):
        gateway = self.gateway(self.bridge)
        rows = "WITH RECURSIVE n(i) AS (SELECT 3000000 UNION ALL SELECT i + 1 FROM n LIMIT 5001) "
        self.state.db.execute(
            rows + "INSERT INTO deals (ticket, time, profit, commission, swap, fee, symbol)"
            " SELECT i, i, 0, 0, 0, 0, '' FROM n"
        )
        span = {"from": 3000000, "to": 4000000}
        self.assertEqual(gateway.call("history_deals", span), {"ok": {"total": 5001}})
        rows = gateway.call("history_deals", dict(span, to=3000002))["ok"]["rows"]
        self.assertEqual(len(rows), 3)
        watch = {"symbols": {}, "poll_ms": 10, "rows_ms": 10, "deals_from": 0}
        gateway.call("watch", watch)
        self.assertEqual(gateway.push("rows")["none"][0], -2)

    def test_pushes_of_deals_go_on_from_the_newest(self):
        gateway = self.gateway(self.bridge)
        newest = self.state.one("SELECT max(time) FROM deals")

        def book(ticket, time):
            columns = "(ticket, time, profit, commission, swap, fee, symbol)"
            row = f"({ticket}, {time}, 0, 0, 0, 0, '')"
            self.state.db.execute(f"INSERT INTO deals {columns} VALUES {row}")

        def pushed():
            return [row["ticket"] for row in gateway.push("rows")["deals"] if row["ticket"] < 9]

        book(1, newest - 3600)
        book(2, newest - 30)
        watch = {"symbols": {}, "poll_ms": 10, "rows_ms": 10, "deals_from": newest - 7200}
        gateway.call("watch", watch)
        self.assertEqual(pushed(), [1, 2])
        until(lambda: pushed() == [2], what="the last minute alone")
        # What the terminal loads late is in that minute, or left to the history.
        book(3, newest - 50)
        book(4, newest - 90)
        until(lambda: sorted(pushed()) == [2, 3], what="a deal that comes late")

    def test_every_eighth_push_goes_back_a_minute(self):
        """However many deals there are in a minute, the pushes between have few to read."""
        gateway = self.gateway(self.bridge)
        newest = self.state.one("SELECT max(time) FROM deals")
        columns = "(ticket, time, profit, commission, swap, fee, symbol)"
        for ticket, age in ((1, 30), (2, 1)):
            row = f"({ticket}, {newest - age}, 0, 0, 0, 0, '')"
            self.state.db.execute(f"INSERT INTO deals {columns} VALUES {row}")
        watch = {"symbols": {}, "poll_ms": 10, "rows_ms": 10, "deals_from": newest - 60}
        gateway.call("watch", watch)
        pushes = [gateway.push("rows")["deals"] for _ in range(17)]
        pushed = [[row["ticket"] for row in rows if row["ticket"] < 9] for rows in pushes]
        self.assertEqual(pushed, ([[1, 2]] + [[2]] * 7) * 2 + [[1, 2]])

    def test_too_many_deals_in_a_minute_are_still_pushed_as_they_come(self):
        gateway = self.gateway(self.bridge)
        newest = self.state.one("SELECT max(time) FROM deals")
        watch = {"symbols": {}, "poll_ms": 10, "rows_ms": 10, "deals_from": newest - 60}
        gateway.call("watch", watch)
        gateway.push("rows")
        self.state.db.execute(
            "WITH RECURSIVE n(i) AS (SELECT 3000000 UNION ALL SELECT i + 1 FROM n LIMIT 5001)"
            " INSERT INTO deals (ticket, time, profit, commission, swap, fee, symbol)"
            f" SELECT i, {newest - 30}, 0, 0, 0, 0, '' FROM n"
        )
        until(lambda: gateway.push("rows").get("none"), what="a read of the whole minute")
        pushes = [gateway.push("rows") for _ in range(16)]
        self.assertEqual(["none" in push for push in pushes], ([False] * 7 + [True]) * 2)

    def test_late_orders_are_refused(self):
        gateway = self.gateway(self.bridge)
        self.assertEqual(gateway.order("late", wait_ms=1000, late_ms=5000), {"refused": "stale"})
        self.assertIn("ok", gateway.order("in time", wait_ms=9000, late_ms=5000))
        self.busy(gateway, ms=300)
        self.assertEqual(gateway.order("waited", wait_ms=100), {"refused": "stale"})
        self.assertEqual(self.state.sends(), 1)

    def test_what_lay_before_a_stopped_bridge(self):
        gateway = self.gateway(self.bridge)
        self.bridge.process.send_signal(signal.SIGSTOP)
        args = {"key": "old", "wait_ms": 200, "request": BUY}
        sent = gateway.send("order_send", args)
        began = time.monotonic()
        until(lambda: time.monotonic() - began > 0.5)
        self.bridge.process.send_signal(signal.SIGCONT)
        self.assertEqual(gateway.wait(sent), {"refused": "stale"})
        self.assertEqual(self.state.sends(), 0)

    def test_takeover_waits_for_the_call_in_flight(self):
        first = self.gateway(self.bridge)
        self.busy(first, "running", call="order_send")
        first.send("order_send", {"key": "queued", "wait_ms": 9000, "request": BUY})
        until(lambda: first.call("recall", {"key": "queued"})["ok"]["state"] == "queued")
        second = self.gateway(self.bridge, login=False)
        ping = second.call("ping")["ok"]
        self.assertEqual(ping["busy"], "order_send")
        self.assertIn("ok", second.login())
        states = {k: second.call("recall", {"key": k})["ok"] for k in ("running", "queued")}
        self.assertEqual(states["running"]["state"], "done")
        self.assertEqual(states["running"]["answer"]["ok"]["retcode"], 10009)
        dropped = {"state": "dropped", "answer": {"refused": "dropped"}}
        self.assertEqual(states["queued"], dropped)
        self.assertEqual(second.order("queued"), {"refused": "dropped"})
        self.assertTrue(first.is_closed())
        self.assertEqual(self.state.sends(), 1)
        until(lambda: "taken over" in self.bridge.log())

    def test_what_a_dead_gateway_left_behind(self):
        first = self.gateway(self.bridge)
        self.busy(first)
        first.send("order_send", {"key": "orphan", "wait_ms": 9000, "request": BUY})
        until(lambda: first.call("recall", {"key": "orphan"})["ok"]["state"] == "queued")
        first.close()
        second = self.gateway(self.bridge)
        self.assertEqual(second.call("recall", {"key": "orphan"})["ok"]["state"], "dropped")
        self.assertEqual(self.state.sends(), 0)

    def test_a_thousand_sends_are_remembered(self):
        gateway = self.gateway(self.bridge)
        self.state.fault("order_send", "retcode:10006", -1)
        for i in range(1003):
            self.assertIn("ok", gateway.order(f"k{i}"))
        keys = ("k0", "k2", "k3", "k1002")
        known = [gateway.call("recall", {"key": key})["ok"]["state"] for key in keys]
        self.assertEqual(known, ["unheard", "unheard", "done", "done"])

    def test_frames_out_of_form_close(self):
        for data in (
            b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\1\0\1" + b" " * 65537,
            b"\0\0\0\2[]", b"\0\0\0\2{}", b"\0\0\0\3\xff\xfe\0",
        ):  # fmt: skip
            gateway = self.gateway(self.bridge)
            gateway.sock.sendall(data)
            self.assertTrue(gateway.is_closed(), data[:10])
        for other in ({"role": "bridge"}, {"id": -1}, {"id": "x"}, {"t": None}, {"args": []},
                      {"call": 5}, {"id": 1.5}, {"t": float("nan")}):  # fmt: skip
            gateway = self.gateway(self.bridge)
            frame = {"role": "gateway", "id": 9, "t": 1, "call": "ping", "args": {}}
            gateway.write(dict(frame, **other))
            self.assertTrue(gateway.is_closed(), other)


class Ending(BridgeTest):
    def test_signals(self):
        for how in (signal.SIGTERM, signal.SIGINT):
            bridge = self.start()
            gateway = self.gateway(bridge)
            bridge.process.send_signal(how)
            self.assertEqual(bridge.wait(), 0)
            self.assertTrue(gateway.is_closed())

    def test_waits_for_the_call_in_flight(self):
        bridge = self.start()
        gateway = self.gateway(bridge)
        self.state.fault("order_send", "delay_ms", before_ms=700)
        last = gateway.send("order_send", {"key": "last", "wait_ms": 9000, "request": BUY})
        gateway.send("order_send", {"key": "never", "wait_ms": 9000, "request": BUY})
        until(lambda: self.state.sends() == 1)
        bridge.process.send_signal(signal.SIGTERM)
        self.assertEqual(bridge.wait(), 0)
        self.assertEqual((self.state.sends(), self.state.sends(executed=1)), (1, 1))
        self.assertEqual(gateway.wait(last)["ok"]["retcode"], 10009)
        self.assertTrue(gateway.is_closed())

    def test_waits_not_long_for_a_gateway_that_does_not_read(self):
        bridge = self.start()
        gateway = self.gateway(bridge, buffer=4096)
        watch = {"symbols": {}, "poll_ms": 1, "rows_ms": 1, "deals_from": 0}
        gateway.call("watch", watch)

        def polls():
            return self.state.one("SELECT sum(count) FROM calls WHERE name = 'orders_get'")

        def stalled():
            before = polls()
            time.sleep(0.3)
            return before and polls() == before

        until(stalled, 60, "no polls while nobody reads")
        began = time.monotonic()
        bridge.process.send_signal(signal.SIGTERM)
        self.assertEqual(bridge.wait(), 0)
        self.assertLess(time.monotonic() - began, 4)

    def test_sigbreak_where_there_is_one(self):
        """Windows' Ctrl-Break: another signal bears its name here."""
        with open(os.path.join(self.folder, "sitecustomize.py"), "w") as file:
            file.write("import signal\nsignal.SIGBREAK = signal.SIGUSR1\n")
        bridge = self.start(env={"PYTHONPATH": self.folder + os.pathsep + STANDIN})
        bridge.address()
        bridge.process.send_signal(signal.SIGUSR1)
        self.assertEqual(bridge.wait(), 0)
        self.assertIn(" ended", bridge.log())

    def test_a_package_that_never_lets_go(self):
        """It ends the process, whatever else; of the frames only files, lines and names are told."""
        path = os.path.join(self.folder, "impatient.py")
        with open(path, "w") as file:
            file.write(
                f"import sys\nsys.path.insert(0, {os.path.dirname(support.BRIDGE)!r})\n"
                "import mymt5_bridge\nmymt5_bridge.BEAT_S, mymt5_bridge.HANG_S = 0.1, 1\n"
                "mymt5_bridge.main()\n"
            )
        with mock.patch.object(support, "BRIDGE", path):
            bridge = self.start()
        gateway = self.gateway(bridge)
        until(lambda: not time.sleep(1.5))  # it is not ended while it lives
        self.assertIn("ok", gateway.call("ping"))
        self.state.fault("order_send", "hold_ms", ms=60000)
        began = time.monotonic()
        gateway.send("order_send", {"key": "stuck", "wait_ms": 9000, "request": BUY})
        self.assertEqual(bridge.wait(), 1)
        self.assertLess(time.monotonic() - began, 10)
        self.assertIn("in _perform", bridge.log())
        for word in ("EURUSD", "stuck", SECRET, PASSWORD):
            self.assertNotIn(word, bridge.log())

    def test_a_log_that_nobody_reads(self):
        """Its pipe is full; calls, and the end, come all the same."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        fcntl.fcntl(writing, 1031, 4096)  # F_SETPIPE_SZ
        listener = socket.create_server(("127.0.0.1", 0))
        address = listener.getsockname()
        listener.close()
        env = dict(os.environ, PYTHONPATH=STANDIN, STANDIN_STATE=self.state.path)
        env["BRIDGE_SECRET"] = SECRET
        where = ["--plain", "--listen", "{}:{}".format(*address)]
        command = [sys.executable, support.BRIDGE, *where]
        process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stderr=writing)
        self.addCleanup(process.kill)
        os.close(writing)

        def enters():
            with contextlib.suppress(OSError, EOFError):
                return Gateway(address)

        gateway = until(enters)
        self.addCleanup(gateway.close)
        self.assertIn("ok", gateway.login())
        for _ in range(400):
            with Gateway(address, prove=False) as stranger:
                stranger.read()
                stranger.sock.sendall(b"\0\0\0\0")
                self.assertTrue(stranger.is_closed())
        self.assertIn("ok", gateway.call("ping"))
        self.assertIn("ok", gateway.order("unlogged"))
        process.terminate()
        self.assertEqual(process.wait(10), 0)
        log = os.read(reading, 65536).decode().splitlines()
        self.assertIn("listening on", log[0])
        self.assertIn("turned away", log[-2])

    def test_but_not_for_ever(self):
        bridge = self.start()
        gateway = self.gateway(bridge)
        self.state.fault("order_send", "delay_ms", before_ms=60000)
        gateway.send("order_send", {"key": "last", "wait_ms": 9000, "request": BUY})
        until(lambda: self.state.sends() == 1)
        bridge.process.send_signal(signal.SIGTERM)
        self.assertEqual(bridge.wait(10), 1)
        self.assertIn("call in flight", bridge.log())


if __name__ == "__main__":
    unittest.main()
