"""After a login nothing in the bridge holds the password: no live object, no environment, no
traceback; nor do log, arguments or other frames."""

import asyncio
import gc
import importlib.util
import inspect
import os
import socket
import sys
import threading
import types
import unittest
from unittest import mock

from support import BRIDGE, LOGIN, PASSWORD, SECRET, STANDIN, BridgeTest, Gateway, skip, until


def holders(word):
    """Where a live object other than the test's own holds that text or those bytes."""
    gc.collect()
    found, seen, queue = [], set(), list(gc.get_objects())
    for thread, frame in sys._current_frames().items():
        while frame and thread != threading.get_ident():
            if not frame.f_code.co_flags & inspect.CO_COROUTINE:  # those are listed by gc
                queue.append(frame.f_locals)
            frame = frame.f_back
    own = {id(globals()), id(LOGIN), id(sys.modules["support"].__dict__), id(queue)}
    while queue:
        holder = queue.pop()
        if id(holder) in own or id(holder) in seen or isinstance(holder, types.FrameType):
            continue
        seen.add(id(holder))
        for part in gc.get_referents(holder):
            if isinstance(part, (dict, list, tuple, set)):  # not all of them are listed by gc
                queue.append(part)
            elif isinstance(part, str) and word in part and part is not word:
                found.append((type(holder).__name__, "str"))
            elif isinstance(part, (bytes, bytearray)) and word.encode() in part:
                found.append((type(holder).__name__, "bytes"))
    return found


class InProcess(BridgeTest):
    """The bridge as a module of this process, so that its objects can be looked at."""

    def setUp(self):
        if (3, 12) <= sys.version_info < (3, 12, 2):
            skip(self, "the collector of 3.12.1 hangs after a walk over referents", absent=True)
        super().setUp()
        sys.path.insert(0, STANDIN)
        self.addCleanup(sys.path.remove, STANDIN)
        for name in [n for n in sys.modules if n.split(".")[0] == "MetaTrader5"]:
            del sys.modules[name]
        with mock.patch.dict(os.environ, STANDIN_STATE=self.state.path):
            import MetaTrader5

            MetaTrader5.shutdown()
            sys.modules["MetaTrader5._link"].here.store = sys.modules[
                "MetaTrader5._link"
            ].open_store()
        self.addCleanup(sys.modules["MetaTrader5._link"].here.store.db.close)
        spec = importlib.util.spec_from_file_location("bridge_in_process", BRIDGE)
        self.module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.module)
        self.module.log = lambda text: None
        self.bridge = self.module.Bridge(self.module.Package(MetaTrader5, None, False))
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        self.address = listener.getsockname()
        self.addCleanup(listener.close)
        door = (self.bridge, listener, None, SECRET.encode())
        self.loop = asyncio.new_event_loop()
        self.serving = self.loop.create_task(self.module.serve(*door))
        works = (lambda: self.loop.run_until_complete(asyncio.wait([self.serving])), self.bridge.run)
        self.threads = [threading.Thread(target=work, daemon=True) for work in works]
        for thread in self.threads:
            thread.start()
        self.addCleanup(self.stop)

    def stop(self):
        self.bridge.end()
        self.loop.call_soon_threadsafe(self.serving.cancel)
        for thread in self.threads:
            thread.join(10)
        self.loop.close()

    def connect(self):
        gateway = Gateway(self.address)
        self.addCleanup(gateway.close)
        return gateway

    def test_the_scan_finds_what_is_held(self):
        text = "".join(reversed(PASSWORD))
        self.assertEqual(holders(text), [])
        self.bridge.kept = {"password": text + "!"}
        self.assertEqual(holders(text), [("dict", "str")])
        self.bridge.kept = (text + "!").encode()
        self.assertTrue(holders(text))

    def test_a_refused_login_is_forgotten_before_its_answer(self):
        async def session():
            return self.module.Session(self.bridge, None, None, "session")

        for name, more in (("login", {"extra": 1}), ("logon", {})):
            frame = {"id": 1, "t": 1, "call": name, "args": dict(LOGIN, **more)}
            call, kept, hearing = self.module.Call(frame), [], asyncio.run(session())
            hearing.put = lambda answer, call=call, kept=kept: kept.append((answer, call.args))
            hearing._hear(call)
            ((answer, args),) = kept
            self.assertIn("refused", answer)
            self.assertEqual(args, {})

    def test_after_every_kind_of_login(self):
        gateway = self.connect()
        self.assertIn("ok", gateway.login())
        self.assertEqual(holders(PASSWORD), [])
        gateway.call("ping")
        wrong = "x".join(reversed(PASSWORD))[:60]
        self.assertIn("none", gateway.call("login", dict(LOGIN, password=wrong)))
        self.assertEqual(holders(wrong), [])
        self.state.fault("initialize", "raise", when="after")
        self.assertEqual(gateway.login(), {"raised": "ValueError"})
        self.assertEqual(holders(PASSWORD), [])
        self.assertIn("refused", gateway.call("login", dict(LOGIN, extra=1)))
        self.assertIn("refused", gateway.call("logon", LOGIN))
        self.assertEqual(holders(PASSWORD), [])
        self.state.set(connect_ms=60000)
        gateway.send("login", LOGIN)
        until(lambda: gateway.call("ping")["ok"]["busy"] == "login")
        gateway.send("login", LOGIN)
        until(lambda: gateway.call("ping")["ok"]["queued"] == 1)
        gateway.close()
        until(lambda: not (self.bridge.sessions and self.bridge.sessions[0].calls))
        until(lambda: holders(PASSWORD) == [], what="nothing holds the password")


class OutOfProcess(BridgeTest):
    def test_log_and_answers(self):
        bridge = self.start()
        gateway = Gateway(bridge.address())
        self.addCleanup(gateway.close)
        self.state.fault("initialize", "raise", when="after")
        answers = [gateway.login(), gateway.login(), gateway.login(password="x" + PASSWORD)]
        answers += [gateway.call("state"), gateway.order("k"), gateway.call("ping")]
        bridge.end()
        for text in (str(answers), bridge.log()):
            self.assertNotIn(PASSWORD, text)
            self.assertNotIn(SECRET, text)
        for word in ("10000001", "StandIn-Demo", "EURUSD", "Canary", "canary"):
            self.assertNotIn(word, bridge.log())

    def test_the_environment_forgets_the_secret(self):
        path = os.path.join(self.folder, "MetaTrader5.py")
        with open(path, "w") as file:
            file.write("import os\n__version__ = str('BRIDGE_SECRET' in os.environ)\n")
        bridge = self.start(env={"PYTHONPATH": self.folder})
        bridge.address()
        self.assertIn("MetaTrader5 False", bridge.log())


if __name__ == "__main__":
    unittest.main()
