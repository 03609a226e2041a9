"""The real package's arrays are numpy's: the bridge reads them as it reads the stand-in's."""

import importlib.util
import json
import sys
import unittest

from support import BRIDGE, skip

TICKS = [("time", "<i8"), ("bid", "<f8"), ("ask", "<f8"), ("last", "<f8"), ("volume", "<u8"),
         ("time_msc", "<i8"), ("flags", "<u4"), ("volume_real", "<f8")]  # fmt: skip


class Arrays(unittest.TestCase):
    def test_numpy_rows(self):
        try:
            import numpy
        except ImportError:
            skip(self, "no numpy here", absent=sys.prefix == sys.base_prefix)
        spec = importlib.util.spec_from_file_location("bridge_for_arrays", BRIDGE)
        bridge = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(bridge)

        class Terminal:
            def copy_ticks_from(self, *_):
                row = (1, 1.5, 1.6, float("nan"), 2, 1500, 6, 0.0)
                return numpy.array([row, row], dtype=TICKS)

        package = bridge.Package(Terminal(), None, False)
        table = package.ask("copy_ticks_from", "EURUSD", 1, 10, -1)
        rows = table[bridge.TICK].tolist()
        self.assertEqual(len(rows), 2)
        data = bridge.encode({"push": "ticks", "rows": rows[:1]})
        frame = json.loads(data[4:].decode())
        self.assertEqual(frame["rows"], [[1500, 1.5, 1.6, None, 2, 6, 0.0]])


if __name__ == "__main__":
    unittest.main()
