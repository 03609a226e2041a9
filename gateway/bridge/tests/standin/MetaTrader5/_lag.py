"""What a terminal shows of the account lags behind the server: positions, orders and deals are each
shown as of a moment of their own, at most `lag_ms` ago, drawn again at every call and never before
the one that was shown last. The moments are SQLite's own: readers whose transactions stay open."""

import random
import time

from ._store import Store, connect

STEPS = 32  # moments that are kept over the lag


class Moment(Store):
    """The tables as they are now, for as long as this is kept."""

    def __init__(self, path):
        assert path != ":memory:", "lag_ms wants a STANDIN_STATE that is a file"
        self.ms, self.db = time.monotonic() * 1000.0, connect(path)
        self.db.execute("BEGIN")
        self.db.execute("SELECT count(*) FROM counters").fetchone()  # the first read fixes it


class Lag:
    """The last moments, and which of them each kind of rows was shown at."""

    def __init__(self, path):
        self._path, self._kept, self._shown = path, [], {}

    def keep(self, lag_ms):
        """Keeps this moment if it is time for one, and forgets those that are too old."""
        now = time.monotonic() * 1000.0
        while self._kept and self._kept[0].ms < now - lag_ms:
            self._kept.pop(0).db.close()
        if not self._kept or self._kept[-1].ms <= now - lag_ms / STEPS:
            self._kept.append(Moment(self._path))

    def show(self, kind, lag_ms):
        """The moment that a kind of rows is shown at now."""
        drawn = time.monotonic() * 1000.0 - random.random() * lag_ms
        least = max(drawn, self._shown.get(kind, 0.0))
        moment = next((kept for kept in self._kept if kept.ms >= least), None)
        if moment is None:
            moment = Moment(self._path)
            self._kept.append(moment)
        self._shown[kind] = moment.ms
        return moment

    def close(self):
        while self._kept:
            self._kept.pop().db.close()
