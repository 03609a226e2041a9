"""When a symbol is polled, by a clock of our own: how late a tick may be seen, how seldom it wakes."""

import importlib.util
import types
import unittest

from support import BRIDGE

NAMES = [f"S{i}" for i in range(10)]
POLL_MS = 20
AWAKE_MS = 250  # until a symbol whose ticks come fast is polled as fast again, after any silence


class Table(list):
    """Rows of ticks, of which all columns are asked for."""

    def __getitem__(self, key):
        return self if isinstance(key, list) else list.__getitem__(self, key)

    def tolist(self):
        return list(self)


class Schedule(unittest.TestCase):
    def setUp(self):
        spec = importlib.util.spec_from_file_location("bridge_for_schedule", BRIDGE)
        self.module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.module)
        self.now, self.ticks, self.polled = 1_000_007.3, {}, []
        self.module.now_ms = lambda: self.now
        symbols = {name: [1, 0] for name in NAMES}
        self.watch = self.module.Watch(symbols, POLL_MS, 10**6, 0)
        self.package = self.module.Package(
            types.SimpleNamespace(
                copy_ticks_from=self.copy_ticks,
                last_error=lambda: (-1, "there are no rows here"),
                history_deals_get=lambda *_: None,
            ),
            None,
            False,
        )

    def copy_ticks(self, name, *_):
        self.polled.append((self.now, name))
        return Table(self.ticks.get(name, []))

    def tick(self, name):
        rows = self.ticks.setdefault(name, [])
        rows.append((1000 + len(rows), 1.0, 1.1, 0.0, 0, 6, 0.0))

    def run_for(self, ms):
        """Polls whenever something is due, each in a third of a millisecond: what was pushed."""
        end, pushes, self.polled = self.now + ms, [], []
        while min(self.watch.due.values()) <= end:
            self.now = max(self.now, min(self.watch.due.values())) + 0.3
            pushes.append(self.watch.step(self.package))
        self.now = max(self.now, end)
        return [push for push in pushes if push and push["push"] == "ticks"]

    def pauses(self, name):
        times = [at for at, polled in self.polled if polled == name]
        return [later - at for at, later in zip(times, times[1:])]

    def moments(self):
        """How often the bridge had to wake up for its polls."""
        times = sorted(at for at, _ in self.polled)
        return 1 + sum(later - at > 1 for at, later in zip(times, times[1:]))

    def test_a_symbol_that_just_ticked_is_polled_as_often_as_was_asked(self):
        for fresh in (0, 1, 79):
            for now in (1e6, 1e6 + 0.1, 1e6 + 13.37, 1e6 + 19.9):
                due = self.module.next_poll(now, now - fresh, POLL_MS)
                self.assertTrue(now < due <= now + POLL_MS, (fresh, now, due))

    def test_silence_makes_polls_rare_and_has_a_bound(self):
        for silence, most in ((159, 20), (160, 40), (639, 40), (640, 100), (10**9, 100)):
            due = self.module.next_poll(1e6 + 7, 1e6 + 7 - silence, POLL_MS)
            self.assertTrue(1e6 + 7 < due <= 1e6 + 7 + most, (silence, due))
            self.assertEqual(due % most, 0)

    def test_quiet_symbols_are_polled_together(self):
        self.run_for(1000)
        self.run_for(1000)
        self.assertEqual(len(self.polled), 100)
        self.assertLessEqual(self.moments(), 11)

    def test_busy_symbols_are_polled_together(self):
        """However their ticks fall, it wakes up once a poll, not once a symbol."""
        for i in range(100):
            self.tick(NAMES[i % len(NAMES)])
            self.run_for(7)
        polled = self.polled
        for i in range(100):
            self.tick(NAMES[i * 7 % len(NAMES)])
            self.run_for(10)
            polled += self.polled
        self.polled = polled
        self.assertLessEqual(self.moments(), 100 + 10)

    def test_the_first_tick_after_silence_is_seen_within_the_bound(self):
        for wait in (100, 333, 1001, 60_000):
            self.run_for(wait)
            self.tick("S3")
            pushes = self.run_for(5 * POLL_MS + 5)
            self.assertEqual([push["symbol"] for push in pushes], ["S3"], wait)

    def ticking(self, name, apart, ms):
        """The pauses between polls of a symbol whose ticks come at that pace, and each tick's age
        when it was seen."""
        came, polled = [], []
        for _ in range(0, ms, apart):
            self.tick(name)
            came.append(self.now)
            self.run_for(apart)
            polled += self.polled
        self.polled = polled
        times = [at for at, polled in self.polled if polled == name]
        seen = [next((at for at in times if at >= tick), self.now) for tick in came]
        return self.pauses(name), [at - tick for at, tick in zip(seen, came)]

    def test_it_is_polled_fast_again_soon_after_any_silence(self):
        for name, silence in zip(NAMES, (*range(5000, 5100, 11), 600_000)):
            self.run_for(silence)
            self.assertGreater(min(self.pauses(name)[-10:]), 4 * POLL_MS)
            _, ages = self.ticking(name, 10, AWAKE_MS)
            self.assertLessEqual(max(ages), 5 * POLL_MS + 5, silence)
            pauses, ages = self.ticking(name, 10, 1000)
            self.assertGreaterEqual(len(pauses), 40)
            self.assertLessEqual(max(pauses), POLL_MS + 5, silence)
            self.assertLessEqual(max(ages), POLL_MS + 5, silence)

    def test_it_is_polled_at_the_pace_of_its_ticks(self):
        """The slower they come, the rarer: a single tick after many does not change that."""
        for apart, most in ((200, 15), (100, 35), (50, 35), (10, 60)):
            self.ticking("S3", apart, 3000)
            pauses, ages = self.ticking("S3", apart, 1000)
            self.assertLessEqual(len(pauses), most, apart)
            for late in (max(pauses), max(ages)):
                self.assertLessEqual(late, 5 * POLL_MS + 5)
                self.assertLessEqual(late, max(POLL_MS, apart // 2 + POLL_MS) + 5, apart)

    def test_slow_ticks_wake_it_up_ten_times_a_second_for_all_symbols(self):
        """Ten symbols, each with five ticks a second, however they fall."""
        for i in range(150):
            self.tick(NAMES[i * 3 % len(NAMES)])
            self.run_for(20)
        polled = []
        for i in range(100):
            self.tick(NAMES[i * 3 % len(NAMES)])
            self.run_for(20)
            polled += self.polled
        self.polled = polled
        self.assertLessEqual(len(self.polled), 2 * 130)
        self.assertLessEqual(self.moments(), 2 * 20)

    def test_slow_rows_keep_their_own_pace(self):
        now = 1e6 + 3
        self.assertTrue(now < self.module.next_poll(now, now, 250) <= now + 250)


class Remembered(unittest.TestCase):
    def setUp(self):
        spec = importlib.util.spec_from_file_location("bridge_for_sends", BRIDGE)
        self.module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.module)
        self.bridge = self.module.Bridge(None)

    def note(self, key, state, answer=None):
        call = types.SimpleNamespace(name="order_send", args={"key": str(key)})
        self.bridge.note(call, state, answer)

    def test_the_oldest_settled_sends_are_forgotten_and_no_other(self):
        self.note("under way", "running")
        for key in range(self.module.REMEMBERED + 5):
            self.note(key, "queued")
            self.note(key, "running")
            self.note(key, "done", {"ok": {}})
        kept = list(self.bridge.sends)
        self.assertEqual(len(kept), self.module.REMEMBERED)
        self.assertEqual(kept[:2], ["under way", "6"])


if __name__ == "__main__":
    unittest.main()
