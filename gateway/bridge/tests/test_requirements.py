"""The pinned wheels: each Python gets its own, and the hashes are those of the index."""

import os
import socket
import subprocess
import sys
import tempfile
import unittest

REQUIREMENTS = os.path.join(os.path.dirname(os.path.dirname(__file__)), "requirements.txt")
VERSIONS = ["3.%d" % minor for minor in range(8, 15)]
DOWNLOAD = [
    sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
    "--require-hashes", "--only-binary=:all:", "--platform", "win_amd64", "--no-deps",
]  # fmt: skip


def reachable():
    try:
        socket.create_connection(("pypi.org", 443), timeout=3).close()
        return True
    except OSError:
        return False


class Requirements(unittest.TestCase):
    def test_every_line_is_pinned_and_hashed(self):
        with open(REQUIREMENTS) as file:
            text = file.read().replace("\\\n", " ")
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        self.assertEqual(len(lines), 5)
        for line in lines:
            self.assertIn("==", line)
            self.assertIn("--hash=sha256:", line)

    def test_wheels_of_every_python(self):
        """Markers are read for the Python that runs pip, so each line is asked for by itself."""
        if os.environ.get("MYMT5_DOWNLOAD") != "1":
            self.skipTest("skipped: MYMT5_DOWNLOAD=1 downloads 14 wheels")
        if not reachable():
            self.skipTest("skipped: pypi.org is not reachable")
        with open(REQUIREMENTS) as file:
            lines = file.read().replace("\\\n", " ").splitlines()
        from_marker = {"3.8": "1.24.4", "3.9": "2.0.2", "3.10": "2.2.6"}
        for version in VERSIONS:
            numpy = "numpy==" + from_marker.get(version, "2.4.6")
            with self.subTest(version), tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "requirements.txt")
                with open(path, "w") as file:
                    for line in lines:
                        name, _, hashes = line.partition("--hash")
                        if name.startswith(("MetaTrader5", numpy)):
                            file.write(name.split(";")[0] + " --hash" + hashes + "\n")
                command = DOWNLOAD + ["--python-version", version, "-d", folder, "-r", path]
                done = subprocess.run(command, capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stderr[-2000:])
                wheels = [name for name in os.listdir(folder) if name.endswith(".whl")]
                self.assertEqual(len(wheels), 2, wheels)


if __name__ == "__main__":
    unittest.main()
