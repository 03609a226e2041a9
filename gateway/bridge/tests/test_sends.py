"""One send: what it reads before and after, what refuses it, and the calls that share its key."""

import unittest

from support import BUY, BridgeTest, until

MONDAY = 1_704_672_000_000
DEAL, PENDING, SLTP, MODIFY, REMOVE = 1, 5, 6, 7, 8
LIMIT = {"action": PENDING, "symbol": "EURUSD", "volume": 0.2, "type": 2, "price": 1.09,
         "sl": 1.08, "tp": 1.2, "type_filling": 2, "magic": 8}  # fmt: skip


class Sending(BridgeTest):
    """A quiet market, EURUSD at 1.10000 / 1.10010, and a gateway that has logged in."""

    def setUp(self):
        super().setUp()
        self.state.set(feed="manual")
        self.state.tick(MONDAY)
        self.bridge = self.start()
        self.peer, self.keys = self.gateway(self.bridge), 0

    def send(self, request, take=(), **more):
        """The answer to a send with a key of its own."""
        self.keys += 1
        return self.peer.order(f"key {self.keys}", request, take=list(take), **more)

    def done(self, request, take=(), **more):
        answer = self.send(request, take, **more)
        self.assertIn(answer.get("ok", answer).get("retcode"), (10008, 10009), answer)
        return answer["ok"]

    def refused(self, why, request, take=(), **more):
        before = self.state.sends()
        self.assertEqual(self.send(request, take, **more), {"refused": why})
        self.assertEqual(self.state.sends(), before)

    def close(self, position, volume=None, **more):
        request = dict(BUY, type=1, position=position)
        del request["volume"]
        return dict(request, **({"volume": volume} if volume else {}), **more)

    def row(self, table="positions"):
        (row,) = self.peer.call("state")["ok"][table]
        return row

    def calls(self, name):
        return self.state.one("SELECT coalesce(max(count), 0) FROM calls WHERE name = ?", name)


class Account(Sending):
    def test_a_send_is_for_one_account(self):
        self.refused("another account", BUY, login=5)
        self.refused("another account", self.close(77), login=5)
        self.state.fault("account_info", "wrong_account", login=5)
        self.refused("another account", BUY)
        self.assertEqual(self.done(BUY)["retcode"], 10009)

    def test_an_account_that_is_not_read(self):
        self.state.fault("account_info", "none:-10001")
        self.refused("not read: -10001", BUY)
        self.state.fault("account_info", "raise")
        self.refused("not read: ValueError", BUY)
        self.assertNotIn("canary", self.bridge.log())


class Closing(Sending):
    def setUp(self):
        super().setUp()
        self.position = self.done(BUY)["order"]

    def test_the_whole_is_what_there_is_at_that_moment(self):
        part = self.done(self.close(self.position, 0.04))
        self.assertEqual(part["volume_sent"], 0.04)
        rest = self.done(self.close(self.position), ["volume"])
        self.assertEqual(rest["volume_sent"], 0.06)
        self.assertEqual(self.peer.call("state")["ok"]["positions"], [])

    def test_what_is_taken_replaces_what_was_asked(self):
        whole = self.done(self.close(self.position, 5.0), ["volume"])
        self.assertEqual(whole["volume_sent"], 0.1)

    def test_on_netting_never_more_than_asked(self):
        """The row may lag: what it has too much would open the other side."""
        self.state.set(margin_mode=0)
        self.assertEqual(self.done(self.close(self.position, 0.04), ["volume"])["volume_sent"], 0.04)
        self.assertEqual(self.done(self.close(self.position, 5.0), ["volume"])["volume_sent"], 0.06)

    def test_never_more_than_the_position_has(self):
        self.refused("more than the position has", self.close(self.position, 0.11))
        self.done(self.close(self.position, 0.1 + 1e-10))

    def test_a_position_that_is_not_there(self):
        """Rows lag: where its ticket pins the close, the broker itself says what there is."""
        for take in ([], ["volume"]):
            self.assertEqual(self.send(self.close(77, 0.1), take)["ok"]["retcode"], 10036)
        self.state.set(margin_mode=0)
        for take in ([], ["volume"]):
            self.refused("no such position", self.close(77, 0.1), take)

    def test_a_close_does_not_wait_for_rows_that_lag(self):
        self.state.set(lag_ms=10**9)
        fresh = self.done(BUY)["order"]
        self.assertNotIn(fresh, [row["ticket"] for row in self.peer.call("state")["ok"]["positions"]])
        self.assertEqual(self.done(self.close(fresh, 0.1), ["volume"])["volume_sent"], 0.1)

    def test_a_position_that_has_turned(self):
        for take in ([], ["volume"]):
            self.refused("the position turned", self.close(self.position, 0.1, type=0), take)

    def test_a_position_that_is_not_read(self):
        self.state.fault("positions_get", "none:-10002")
        self.refused("not read: -10002", self.close(self.position, 0.1))
        self.state.fault("positions_get", "raise")
        self.refused("not read: ValueError", self.close(self.position, 0.1))
        self.refused("not read: TypeError", self.close(self.position, "all"))
        self.assertNotIn("canary", self.bridge.log())

    def test_a_refusal_is_remembered(self):
        self.state.fault("positions_get", "none:-10002")
        answers = [self.peer.order("once", self.close(self.position, 0.1)) for _ in range(2)]
        self.assertEqual(answers, [{"refused": "not read: -10002"}] * 2)
        self.assertEqual(self.state.sends(), 1)


class Keeping(Sending):
    """What is not to be changed is taken from where it is."""

    def test_levels(self):
        position = self.done(BUY)["order"]
        change = {"action": SLTP, "position": position, "symbol": "EURUSD"}
        self.done(dict(change, sl=1.05, tp=1.15))
        self.done(dict(change, tp=1.16), ["sl"])
        self.assertEqual((self.row()["sl"], self.row()["tp"]), (1.05, 1.16))
        self.done(dict(change, sl=1.06), ["tp"])
        self.assertEqual((self.row()["sl"], self.row()["tp"]), (1.06, 1.16))
        self.refused("no such position", dict(change, position=77, sl=1.05), ["tp"])
        self.refused("not read: -10002", dict(change, sl=1.05), ["tp"], fault="positions_get")

    def test_an_order(self):
        order = self.done(dict(LIMIT, type_time=2, expiration=MONDAY // 1000 + 99))["order"]
        change = {"action": MODIFY, "order": order, "symbol": "EURUSD"}
        fields = ("price_open", "sl", "tp", "type_time", "time_expiration", "price_stoplimit")

        def order_row():
            return [self.row("orders")[field] for field in fields]

        self.done(dict(change, tp=1.3), ["price", "stoplimit", "sl", "type_time", "expiration"])
        self.assertEqual(order_row(), [1.09, 1.08, 1.3, 2, MONDAY // 1000 + 99, 0.0])
        self.done(dict(change, price=1.095, type_time=0), ["sl", "tp"])
        self.assertEqual(order_row(), [1.095, 1.08, 1.3, 0, 0, 0.0])
        self.refused("no such order", dict(change, order=77, price=1.05), ["tp"])
        self.refused("not read: -10002", dict(change, price=1.05), ["tp"], fault="orders_get")

    def test_a_stop_limit_order(self):
        stop = dict(LIMIT, type=6, price=1.11, stoplimit=1.105, sl=1.08)
        order = self.done(stop)["order"]
        kept = ["price", "stoplimit", "tp", "type_time", "expiration"]
        self.done({"action": MODIFY, "order": order, "sl": 1.07}, kept)
        row = self.row("orders")
        self.assertEqual((row["price_open"], row["price_stoplimit"]), (1.11, 1.105))

    def refused(self, why, request, take=(), fault=None):
        if fault:
            self.state.fault(fault, "none:-10002")
        super().refused(why, request, take)

    def test_nothing_is_read_where_nothing_is_taken(self):
        for request, code in (
            ({"action": SLTP, "position": 77, "sl": 1.05, "tp": 1.2}, 10036),
            ({"action": MODIFY, "order": 77, "price": 1.05}, 10035),
            ({"action": REMOVE, "order": 77}, 10035),
        ):
            self.assertEqual(self.send(request)["ok"]["retcode"], code)
        self.assertEqual((self.calls("positions_get"), self.calls("orders_get")), (0, 0))

    def test_what_cannot_be_taken(self):
        wrong = "wrong arguments take"
        for request, take in (
            (BUY, ["volume"]), (dict(BUY, position=5), ["sl"]), (LIMIT, ["price"]), ({}, ["sl"]),
            ({"action": SLTP, "position": 5}, ["volume"]), ({"action": SLTP}, ["sl"]),
            ({"action": MODIFY, "order": 5}, ["volume"]), ({"action": REMOVE, "order": 5}, ["sl"]),
            ({"action": 10, "position": 5, "position_by": 6}, ["volume"]),
            (BUY, ["evil"]), (BUY, [5]), (BUY, [["sl"]]), (BUY, ["volume"] * 8),
        ):  # fmt: skip
            with self.subTest(request=request, take=take):
                self.refused(wrong, request, take)
        for more in ({"take": "volume"}, {"take": None}, {"take": {"sl": 1}}):
            answer = self.peer.order("form", BUY, **more)
            self.assertEqual(answer, {"refused": wrong})
        for login in (0, -1, True, 2**63, "10000001", 10000001.0, None):
            answer = self.peer.order("form", BUY, login=login)
            self.assertEqual(answer, {"refused": "wrong arguments login"})

    def test_symbol_and_price_where_they_are_not_needed(self):
        self.done(dict(BUY, price=1.1001))
        self.done(dict(self.close(self.row()["ticket"], 0.1), price=1.1))
        order = self.done(LIMIT)["order"]
        self.done({"action": MODIFY, "order": order, "symbol": "EURUSD", "price": 1.08, "sl": 1.07})
        self.done({"action": REMOVE, "order": order, "symbol": "EURUSD"})


class Told(Sending):
    """What the answer says besides the result."""

    def test_volume_and_deals(self):
        bought = self.done(BUY)
        (deal,) = bought["deals"]
        self.assertEqual((deal["ticket"], deal["order"]), (bought["deal"], bought["order"]))
        self.assertEqual((deal["volume"], bought["volume_sent"]), (0.1, 0.1))
        placed = self.done(LIMIT)
        self.assertEqual((placed["deals"], placed["volume_sent"]), ([], 0.2))
        before = self.calls("history_deals_get")
        gone = self.done({"action": REMOVE, "order": placed["order"]})
        self.assertEqual((gone["deals"], gone["volume_sent"]), ([], 0))
        self.state.fault("order_send", "retcode:10006")
        self.assertEqual(self.send(BUY)["ok"]["deals"], [])
        self.state.fault("order_send", "retcode:10012")
        self.assertEqual(self.send(BUY)["ok"]["deals"], [])
        self.assertEqual(self.calls("history_deals_get"), before)

    def test_deals_that_are_not_there_yet(self):
        self.state.fault("order_send", "late_history", ms=3600000)
        self.assertEqual(self.done(BUY)["deals"], [])
        for kind in ("none:-10002", "raise"):
            self.state.fault("history_deals_get", kind)
            self.assertEqual(self.done(BUY)["deals"], [])
        self.assertEqual(self.state.faults_left(), 0)
        self.state.db.execute("UPDATE deals SET visible_at = 0")
        watch = {"symbols": {}, "poll_ms": 9, "rows_ms": 9, "deals_from": 0}
        self.peer.call("watch", watch)
        self.assertEqual(len(self.peer.push("rows")["deals"]), 4)

    def test_a_terminal_that_lags(self):
        """The answer tells what the terminal shows then; the rows follow."""
        bridge = self.start(env={"MYMT5_STANDIN_LAG_MS": "300"})
        self.peer = self.gateway(bridge)
        until(lambda: self.done(BUY)["deals"] == [], what="a deal that the terminal shows late")
        self.peer.call("watch", {"symbols": {}, "poll_ms": 9, "rows_ms": 9, "deals_from": 0})
        wanted = self.state.one("SELECT count(*) FROM deals")
        until(lambda: len(self.peer.push("rows")["deals"]) == wanted)
        until(lambda: len(self.peer.push("rows")["positions"]) == wanted - 1)

    def test_it_is_recalled_as_it_was_told(self):
        first = self.peer.order("key")
        self.assertTrue(first["ok"]["deals"])
        recalled = self.peer.call("recall", {"key": "key"})["ok"]
        self.assertEqual(recalled, {"state": "done", "answer": first})


class Keys(Sending):
    """A key is executed once, and nobody is told of it what is not so."""

    def busy(self, peer, key="slow", ms=400):
        """Sends an order that takes a while; its id."""
        self.state.fault("order_send", "delay_ms", before_ms=ms)
        slow = peer.send("order_send", {"key": key, "request": BUY})
        until(lambda: peer.call("ping")["ok"]["busy"] == "order_send")
        return slow

    def test_the_same_call_while_the_first_one_runs_or_waits(self):
        running = [self.busy(self.peer)]
        queued = [self.peer.send("order_send", {"key": "two", "request": BUY})]
        recall = [self.peer.call("recall", {"key": key})["ok"]["state"] for key in ("slow", "two")]
        self.assertEqual(recall, ["running", "queued"])
        running.append(self.peer.send("order_send", {"key": "slow", "request": BUY}))
        queued.append(self.peer.send("order_send", {"key": "two", "request": BUY}))
        answers = {}
        while len(answers) < 4:
            frame = self.peer.read()
            answers[frame.pop("id")] = frame
        for first, second in (running, queued):
            self.assertIn("ok", answers[first])
            self.assertEqual(answers[first], answers[second])
        self.assertEqual(self.state.sends(), 2)
        self.assertEqual(self.peer.order("two")["ok"], answers[queued[0]]["ok"])

    def test_few_calls_wait_for_one_answer(self):
        slow = self.busy(self.peer)
        ids = [self.peer.send("order_send", {"key": "slow", "request": BUY}) for _ in range(9)]
        self.assertEqual(self.peer.wait(ids[-1]), {"raised": "Busy"})
        heard = {frame["id"]: frame for frame in (self.peer.read() for _ in range(9))}
        self.assertEqual(set(heard), {slow, *ids[:8]})
        self.assertEqual({frame["ok"]["retcode"] for frame in heard.values()}, {10009})
        self.assertEqual(self.state.sends(), 1)

    def test_those_that_went_away_do_not_count(self):
        self.busy(self.peer, ms=1000)
        ids = [self.peer.send("order_send", {"key": "slow", "request": BUY}) for _ in range(9)]
        self.assertEqual(self.peer.wait(ids[-1]), {"raised": "Busy"})
        second = self.gateway(self.bridge, login=False)
        self.peer.close()
        until(lambda: "lost" in self.bridge.log())
        self.assertEqual(second.order("slow")["ok"]["retcode"], 10009)
        self.assertEqual(self.state.sends(), 1)

    def test_over_a_takeover(self):
        self.busy(self.peer)
        self.peer.send("order_send", {"key": "queued", "request": BUY})
        until(lambda: self.peer.call("recall", {"key": "queued"})["ok"]["state"] == "queued")
        second = self.gateway(self.bridge, login=False)
        running = second.send("order_send", {"key": "slow", "request": BUY})
        queued = second.send("order_send", {"key": "queued", "request": BUY})
        answers = {frame["id"]: frame for frame in (second.read(), second.read())}
        self.assertEqual(answers[running]["ok"]["retcode"], 10009)
        self.assertEqual(answers[queued]["refused"], "dropped")
        self.assertEqual(second.order("queued"), {"refused": "dropped"})
        self.assertEqual(self.state.sends(), 1)

    def test_a_call_that_found_the_queue_full_is_never_done(self):
        slow = self.busy(self.peer)
        for n in range(256):
            self.peer.send("order_send", {"key": str(n), "wait_ms": 1, "request": BUY})
        self.assertEqual(self.peer.order("over"), {"refused": "queue full"})
        recalled = self.peer.call("recall", {"key": "over"})["ok"]
        self.assertEqual(recalled, {"state": "dropped", "answer": {"refused": "queue full"}})
        self.assertIn("ok", self.peer.wait(slow))
        until(lambda: self.peer.call("ping")["ok"]["queued"] == 0)
        self.assertEqual(self.peer.order("over"), {"refused": "queue full"})
        self.assertEqual(self.state.sends(), 1)

    def test_reads_leave_room_for_orders(self):
        self.busy(self.peer)
        ticks = {"symbol": "EURUSD", "from": 1, "count": 1}
        for call, args in [("ticks", ticks), ("terminal", {})]:
            for _ in range(256):
                self.peer.send(call, args)
        self.peer.send("order_send", {"key": "exit", "request": BUY})
        self.assertLessEqual(self.peer.call("ping")["ok"]["queued"], 128 + 1)
        until(lambda: self.peer.call("recall", {"key": "exit"})["ok"]["state"] == "done")
        answer = self.peer.call("recall", {"key": "exit"})["ok"]["answer"]
        self.assertEqual(answer["ok"]["retcode"], 10009)


if __name__ == "__main__":
    unittest.main()
