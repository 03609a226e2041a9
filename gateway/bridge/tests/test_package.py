"""What the bridge asks of the package itself, as its C functions and its clock have it."""

import asyncio
import ctypes
import gc
import importlib.util
import socket
import types
import unittest
from unittest import mock

from support import BRIDGE, BUY, SECRET, Gateway, skip


def load():
    spec = importlib.util.spec_from_file_location("bridge_for_package", BRIDGE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.log = lambda *_, **__: None
    return module


class MethodDef(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p), ("function", ctypes.c_void_p), ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]  # fmt: skip


class Sender:
    """A package whose order_send and order_check are C functions that begin as the real ones do:
    only such a function can tell no keyword arguments (NULL) from an empty dict of them."""

    def __init__(self):
        self.error = (1, "Success")
        kind = ctypes.PYFUNCTYPE(
            ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p
        )
        self._function = kind(self._begin)
        address = ctypes.cast(self._function, ctypes.c_void_p)
        keywords = 0x1 | 0x2  # METH_VARARGS | METH_KEYWORDS
        self._method = MethodDef(b"order_send", address, keywords, None)
        make = ctypes.PYFUNCTYPE(
            ctypes.py_object, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p
        )(("PyCFunction_NewEx", ctypes.pythonapi))
        self.order_send = self.order_check = make(ctypes.addressof(self._method), None, None)

    def _begin(self, _, args, keywords):
        if keywords is not None and args:
            self.error = (-2, "Unnamed arguments not allowed")
            return None
        return types.SimpleNamespace(_asdict=lambda: {"retcode": 10009, "request": args[0]})

    def last_error(self):
        return self.error


class Sends(unittest.TestCase):
    def test_sends_take_no_keywords_not_even_none(self):
        package = load().Package(Sender(), None, False)
        for function in ("order_send", "order_check"):
            self.assertEqual(package.ask(function, BUY), {"retcode": 10009})


POSITION = {"ticket": 5, "type": 0, "volume": 0.3, "sl": 1.0, "tp": 1.2}
WORKING = {"ticket": 6, "price_open": 1.5, "price_stoplimit": 0.0, "sl": 1.1, "tp": 1.3,
           "type_time": 0, "time_expiration": 0}  # fmt: skip
ANSWERS = {
    "account_info": {"login": 9, "margin_mode": 2},
    "positions_get": (dict(POSITION, ticket=4, volume=0.7), POSITION),
    "orders_get": (WORKING,),
    "order_send": {"retcode": 10009, "deal": 8, "order": 7, "request": None},
    "history_deals_get": ({"ticket": 8, "order": 7},),
    "order_check": {"retcode": 0, "request": None},
}


class Recorder:
    """A package that notes how it is called."""

    def __init__(self):
        self.asked = []

    def __getattr__(self, name):
        def record(fields):
            return types.SimpleNamespace(_asdict=lambda: fields)

        def function(*args, **named):
            self.asked.append((name, *args, named))
            answer = ANSWERS[name]
            return tuple(map(record, answer)) if isinstance(answer, tuple) else record(answer)

        return function


class Order(unittest.TestCase):
    """What a send asks of the package, how, and in which order."""

    def send(self, request, take=(), check=False):
        recorder = Recorder()
        package = load().Package(recorder, None, False)
        package.before = float("inf")
        answer = package.send(request, take, 9, check)
        self.asked = recorder.asked
        return answer

    def test_a_close(self):
        request = {"action": 1, "type": 1, "position": 5}
        answer = self.send(request, ["volume"])
        wanted = [
            ("positions_get", {"ticket": 5}),
            ("account_info", {}),
            ("order_send", dict(request, volume=0.3), {}),
            ("history_deals_get", {"ticket": 8}),
        ]
        self.assertEqual(self.asked, wanted)
        self.assertEqual((answer["volume_sent"], len(answer["deals"])), (0.3, 1))
        self.assertNotIn("volume", request)

    def test_changes(self):
        levels = {"action": 6, "position": 5, "sl": 1.05}
        self.send(levels, ["tp"])
        self.assertEqual(self.asked[2], ("order_send", dict(levels, tp=1.2), {}))
        order = {"action": 7, "order": 6, "expiration": 3}
        self.send(order, ["price", "stoplimit", "sl", "tp", "type_time", "expiration"])
        self.assertEqual(self.asked[0], ("orders_get", {"ticket": 6}))
        taken = {"price": 1.5, "stoplimit": 0.0, "sl": 1.1, "tp": 1.3, "type_time": 0}
        sent = dict({"action": 7, "order": 6}, **taken)
        self.assertEqual(self.asked[2], ("order_send", sent, {}))

    def test_an_entry(self):
        answer = self.send({"action": 5, "volume": 0.1})
        names = [asked[0] for asked in self.asked]
        self.assertEqual(names, ["account_info", "order_send", "history_deals_get"])
        self.assertEqual(answer["volume_sent"], 0.1)
        self.assertEqual(self.send({"action": 8, "order": 6})["volume_sent"], 0)
        self.send({"action": 1, "volume": 0.1}, check=True)
        names = [asked[0] for asked in self.asked]
        wanted = ["order_check", "account_info", "order_send", "history_deals_get"]
        self.assertEqual(names, wanted)

    def test_deals_of_what_was_executed(self):
        for retcode, deal, number in ((10008, 8, 1), (10010, 8, 1), (10012, 8, 0), (10009, 0, 0)):
            result = {"retcode": retcode, "deal": deal, "order": 7}
            with mock.patch.dict(ANSWERS, order_send=result):
                self.assertEqual(len(self.send(BUY)["deals"]), number)


class Listener(unittest.TestCase):
    def options(self, address="127.0.0.1:0"):
        listener, _ = load().open_listener(address, None, None, True)
        self.addCleanup(listener.close)
        names = ("SO_REUSEADDR", "SO_KEEPALIVE")
        return [bool(listener.getsockopt(socket.SOL_SOCKET, getattr(socket, n))) for n in names]

    def test_nobody_else_listens_there(self):
        """Windows has an option for that: another one bears its name here."""
        self.assertEqual(self.options(), [True, False])
        alone = {"create": True, "new": socket.SO_KEEPALIVE}
        with mock.patch.object(socket, "SO_EXCLUSIVEADDRUSE", **alone):
            self.assertEqual(self.options(), [False, True])

    def test_ipv6_is_only_that(self):
        try:
            listener = load().listen("::", 0, socket.AF_INET6)
        except OSError:
            skip(self, "no IPv6 here", absent=True)
        self.addCleanup(listener.close)
        self.assertTrue(listener.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))


class Ticks(unittest.TestCase):
    """A package that has endlessly many ticks in one second."""

    def setUp(self):
        self.module, self.asked = load(), []
        self.module.PAGE, self.module.LAST_PAGE, self.module.STUCK_PAGE = 4, 16, 64
        row = (5000, 1.0, 1.1, 0.0, 0, 6, 0.0)

        def ticks(name, start, count, flags):
            self.asked.append((start, count))
            rows = mock.MagicMock(spec=["__getitem__", "__len__"])
            rows.__len__.return_value = count
            rows.__getitem__.return_value.tolist.return_value = [row] * count
            return rows

        tick = types.SimpleNamespace(_asdict=lambda: {"time": 5})
        terminal = types.SimpleNamespace(copy_ticks_from=ticks, symbol_info_tick=lambda name: tick)
        self.package = self.module.Package(terminal, None, False)

    def watch(self, at):
        watch = self.module.Watch({"EURUSD": at}, 60_000, 10**9, 0)
        watch.due[""] = float("inf")
        return watch

    def test_the_page_grows_to_an_end(self):
        watch = self.watch([5, 100])
        for _ in range(9):
            self.assertIsNone(watch.step(self.package))
        self.assertEqual([count for _, count in self.asked[:6]], [4, 8, 16, 32, 64, 64])
        self.assertGreater(watch.due["EURUSD"], self.module.now_ms())
        self.assertEqual({start for start, _ in self.asked}, {5})

    def test_a_start_in_such_a_second(self):
        watch = self.watch(None)
        pushes = [watch.step(self.package) for _ in range(5)]
        self.assertEqual(pushes[:4], [None] * 4)
        self.assertEqual((len(pushes[4]["rows"]), pushes[4]["at"]), (1, [5, 64]))


class Sessions(unittest.TestCase):
    """Sessions that come and go while the package is busy, in this process."""

    def setUp(self):
        self.module = load()
        self.bridge = self.module.Bridge(self.module.Package(None, None, False))

    def run_with(self, work):
        """Serves while `work` runs in a thread; what asyncio complained of, and what is left."""
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        self.addCleanup(listener.close)

        async def main():
            loop, complaints = asyncio.get_running_loop(), []
            loop.set_exception_handler(lambda _, context: complaints.append(context))
            door = self.module.serve(self.bridge, listener, None, SECRET.encode())
            serving = asyncio.ensure_future(door)
            await loop.run_in_executor(None, work, listener.getsockname())
            for _ in range(200):
                others = asyncio.all_tasks() - {serving, asyncio.current_task()}
                if not others:
                    break
                await asyncio.sleep(0.01)
            serving.cancel()
            gc.collect()  # a task whose exception nobody took complains now
            return complaints, others

        return asyncio.run(main())

    def test_what_has_ended_is_forgotten(self):
        def work(address):
            for _ in range(5):
                with Gateway(address) as gateway:
                    gateway.call("ping")

        self.assertEqual(self.run_with(work), ([], set()))
        self.assertEqual(len(self.bridge.sessions), 1)

    def test_no_task_outlives_its_session(self):
        def work(address):
            for data in (b"\0\0\0\0", b"\0\0\0\2{}", b"\0\0"):
                with Gateway(address) as gateway:
                    gateway.sock.sendall(data)
                    gateway.sock.shutdown(socket.SHUT_WR)
                    self.assertTrue(gateway.is_closed())

        self.assertEqual(self.run_with(work), ([], set()))

    def test_a_writer_that_fails_takes_the_reader_along(self):
        async def fails(session):
            raise self.module.Closed("no writer")

        def work(address):
            with Gateway(address) as gateway:
                self.assertTrue(gateway.is_closed())

        self.module.Session._write = fails
        self.assertEqual(self.run_with(work), ([], set()))

    def test_answers_do_not_wait_for_more(self):
        seen = []

        def work(address):
            with Gateway(address) as gateway:
                gateway.call("ping")
                taken = self.bridge.sessions[-1].writer.get_extra_info("socket")
                seen.append(taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

        self.run_with(work)
        self.assertTrue(seen[0])


if __name__ == "__main__":
    unittest.main()
