"""The units by themselves: systemd-analyze, and what they must and must not grant."""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
ROOM = REPOSITORY / "deploy/systemd"
UNITS = ["mymt5-gateway.service", "mymt5-engine@.service"]
DROP_INS = {
    "terminal.conf": {"MT5_LOGIN", "MT5_PASSWORD", "MT5_SERVER", "BRIDGE_SECRET"},
    "notify.conf": {"SMTP_PASSWORD", "TELEGRAM_BOT_TOKEN"},
}
# Growing pauses came with systemd 254; an older one says that it does not know them, and keeps the first.
NEWER = re.compile(r"Unknown key (name )?'Restart(Steps|MaxDelaySec)' in section")


def settings(unit: str) -> dict[str, list[str]]:
    found = {}
    for line in (ROOM / unit).read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found.setdefault(key, []).append(value)
    return found


class Units(unittest.TestCase):
    def test_exposure_is_at_most_one_and_a_half(self):
        for unit in UNITS:
            command = [
                "systemd-analyze",
                "security",
                "--offline=true",
                "--threshold=15",
                "--no-pager",
            ]
            done = subprocess.run(
                [*command, str(ROOM / unit)], check=False, capture_output=True, text=True
            )
            overall = re.search(r"exposure level for \S+: (\S+)", done.stdout)
            self.assertIsNotNone(overall, done.stdout + done.stderr)
            self.assertEqual(done.returncode, 0, overall[0])
            self.assertLessEqual(float(overall[1]), 1.5, unit)

    def test_they_are_as_systemd_wants_them(self):
        self.assertEqual(self.complaints(lambda text: text), [])

    def test_a_misspelt_key_is_found(self):
        for key in ("PrivateTmp=", "LoadCredential="):
            self.assertTrue(self.complaints(lambda text, key=key: text.replace(key, "X" + key)))

    def test_a_drop_in_brings_secrets_and_the_way_to_who_takes_them(self):
        self.assertEqual({path.name for path in ROOM.glob("*.conf")}, set(DROP_INS))
        for name, secrets in DROP_INS.items():
            found = settings(name)
            loaded = dict(line.split(":") for line in found.pop("LoadCredential"))
            self.assertEqual(loaded, {secret: f"/etc/mymt5/secrets/{secret}" for secret in secrets})
            self.assertEqual(set(found), {"IPAddressAllow"})

    def test_what_is_enabled_starts_with_the_machine(self):
        with tempfile.TemporaryDirectory() as root:
            units = pathlib.Path(root, "etc/systemd/system")
            units.mkdir(parents=True)
            for unit in UNITS:
                shutil.copy(ROOM / unit, units)
            for name in ("mymt5-gateway.service", "mymt5-engine@main.service"):
                command = ["systemctl", f"--root={root}", "enable", name]
                subprocess.run(command, check=True, capture_output=True)
                self.assertTrue((units / "multi-user.target.wants" / name).is_symlink(), name)

    def complaints(self, change) -> list[str]:
        """Of `systemd-analyze verify`, on copies whose programs are there."""
        with tempfile.TemporaryDirectory() as folder:
            for unit in UNITS:
                text = (
                    (ROOM / unit).read_text().replace("/usr/local/bin/mymt5-", f"{folder}/mymt5-")
                )
                pathlib.Path(folder, unit.replace("@", "@main")).write_text(change(text))
            drop_ins = pathlib.Path(folder, f"{UNITS[0]}.d")
            drop_ins.mkdir()
            for name in DROP_INS:
                (drop_ins / name).write_text(change((ROOM / name).read_text()))
            for program in ("mymt5-gateway", "mymt5-engine"):
                shutil.copy("/bin/true", pathlib.Path(folder, program))
            units = [str(path) for path in pathlib.Path(folder).glob("*.service")]
            done = subprocess.run(
                ["systemd-analyze", "verify", *units], check=False, capture_output=True, text=True
            )
        lines = [line for line in done.stderr.splitlines() if not NEWER.search(line)]
        return [line for line in lines if "mymt5" in line]

    def test_two_users_write_into_their_logs_and_data_alone(self):
        owners = {}
        for unit, name in zip(UNITS, ("gateway", "engine-%i")):
            found = settings(unit)
            owners[unit] = found["User"]
            self.assertEqual(
                found["ReadWritePaths"], [f"/var/lib/mymt5/{name} /var/log/mymt5/{name}"]
            )
            for kind in ("StateDirectory", "LogsDirectory"):
                self.assertEqual(found[kind], [f"mymt5/{name}"])
                self.assertEqual(found[f"{kind}Mode"], ["0700"])
            self.assertEqual(found["ProtectSystem"], ["strict"])
            self.assertEqual(found["IPAddressDeny"], ["any"])
            self.assertEqual(found["RestartPreventExitStatus"], ["78"])
            self.assertGreaterEqual(int(found["WatchdogSec"][0]), 20)
            self.assertGreater(int(found["RestartMaxDelaySec"][0]), int(found["RestartSec"][0]))
            self.assertEqual(found["MemorySwapMax"], ["0"])
            self.assertEqual(found["WantedBy"], ["multi-user.target"])
        self.assertNotEqual(*owners.values())
        self.assertNotIn("LoadCredential", settings(UNITS[1]))


if __name__ == "__main__":
    unittest.main()
