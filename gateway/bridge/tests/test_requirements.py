"""The pinned wheels: each Python gets its own, and the hashes are those of the index."""

import os
import re
import socket
import subprocess
import sys
import tempfile
import unittest

from support import official_surface, skip

REQUIREMENTS = os.path.join(os.path.dirname(os.path.dirname(__file__)), "requirements.txt")
VERSIONS = ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"]
DOWNLOAD = [
    sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
    "--require-hashes", "--only-binary=:all:", "--platform", "win_amd64",
]  # fmt: skip


def lines():
    """Each requirement: its name and version, its marker or "", its hashes as written."""
    with open(REQUIREMENTS) as file:
        text = file.read().replace("\\\n", " ")
    whole = [line for line in text.splitlines() if line and not line.startswith("#")]
    parts = [re.fullmatch(r"(\S+==\S+)\s*(?:;([^-]+?))?\s+(--hash=.+)", line) for line in whole]
    return [(part[1], (part[2] or "").strip(), part[3]) for part in parts]


def reachable():
    try:
        socket.create_connection(("pypi.org", 443), timeout=3).close()
        return True
    except OSError:
        return False


class Requirements(unittest.TestCase):
    def test_every_line_is_pinned_and_hashed(self):
        self.assertEqual(len(lines()), 5)
        for _, _, hashes in lines():
            self.assertRegex(hashes, r"^(--hash=sha256:[0-9a-f]{64}\s*)+$")

    def test_the_hashes_of_the_extracted_wheels(self):
        surface = official_surface()
        if surface is None:
            skip(self, "no surface.json; set MYMT5_SHARED to the folder over mt5/", absent=True)
        ours = set(re.findall("[0-9a-f]{64}", lines()[0][2]))
        self.assertEqual(ours, set(surface["package"]["wheels_sha256"].values()))

    def test_wheels_of_every_python(self):
        """pip reads markers for the Python it runs on, so those of the others are read here."""
        if os.environ.get("MYMT5_DOWNLOAD") != "1":
            skip(self, "MYMT5_DOWNLOAD=1 downloads 14 wheels", absent=True)
        if not reachable():
            skip(self, "pypi.org is not reachable")
        from pip._vendor.packaging.markers import Marker

        for version in VERSIONS:
            with self.subTest(version), tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "requirements.txt")
                with open(path, "w") as file:
                    for pinned, marker, hashes in lines():
                        if not marker or Marker(marker).evaluate({"python_version": version}):
                            file.write(f"{pinned} {hashes}\n")
                command = [*DOWNLOAD, "--python-version", version, "-d", folder, "-r", path]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 0, done.stderr[-2000:])
                wheels = [name for name in os.listdir(folder) if name.endswith(".whl")]
                self.assertEqual(len(wheels), 2, wheels)


if __name__ == "__main__":
    unittest.main()
