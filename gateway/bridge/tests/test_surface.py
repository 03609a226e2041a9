"""The stand-in has the official package's surface: names, values, field order."""

import hashlib
import json
import os
import subprocess
import sys
import unittest

from support import STANDIN, official_surface, skip

# SHA-256 of the official surface as `describe` writes it, so that the test needs no other file.
DIGEST = "23ec4bcd9cf7b47ee317140d1097059a1e12979e48e8d994b0f9320e78d5c313"
DUMP = """
import json, MetaTrader5 as m
upper = {n: getattr(m, n) for n in dir(m) if n.isupper()}
tuples = {n: list(getattr(m, n)._fields) for n in dir(m) if hasattr(getattr(m, n), "_fields")}
calls = [n for n in dir(m) if callable(getattr(m, n)) and n[0].islower()]
m.initialize()
t = m.symbol_info_tick("EURUSD").time
arrays = {"ticks": m.copy_ticks_from("EURUSD", t, 1, -1).dtype.names,
          "rates": m.copy_rates_from("EURUSD", 1, t, 1).dtype.names}
print(json.dumps([upper, tuples, calls, arrays]))
"""


def standin():
    environment = dict(os.environ, PYTHONPATH=STANDIN)
    environment.pop("STANDIN_STATE", None)
    return json.loads(subprocess.check_output([sys.executable, "-c", DUMP], env=environment))


def official():
    """The extracted surface in the form of `standin`; None without."""
    surface = official_surface()
    if surface is None:
        return None
    constants = {k: v for group in surface["constants"].values() for k, v in group.items()}
    structures = {name: struct["fields"] for name, struct in surface["structs"].items()}
    functions = sorted(function["name"] for function in surface["functions"])
    arrays = {name: array["fields"] for name, array in surface["arrays"].items()}
    return [constants, structures, functions, arrays]


def describe(surface):
    return hashlib.sha256(json.dumps(surface, sort_keys=True).encode()).hexdigest()


class Surface(unittest.TestCase):
    maxDiff = None

    def test_counts_and_digest(self):
        constants, structures, functions, _ = surface = standin()
        self.assertEqual((len(constants), len(structures), len(functions)), (223, 11, 32))
        self.assertEqual(describe(surface), DIGEST)

    def test_against_the_extracted_surface(self):
        wanted = official()
        if wanted is None:
            skip(self, "no surface.json; set MYMT5_SHARED to the folder over mt5/", absent=True)
        for ours, theirs in zip(standin(), wanted):
            self.assertEqual(ours, theirs)
        self.assertEqual(describe(wanted), DIGEST)


if __name__ == "__main__":
    unittest.main()
