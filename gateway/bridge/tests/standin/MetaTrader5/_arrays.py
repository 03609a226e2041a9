"""As much of a numpy structured array as callers of the package need."""

RATES = ("time", "open", "high", "low", "close", "tick_volume", "spread", "real_volume")
TICKS = ("time", "bid", "ask", "last", "volume", "time_msc", "flags", "volume_real")


class _Type:
    def __init__(self, names):
        self.names = names


class Table:
    """Rows by position, columns by name."""

    def __init__(self, names, rows):
        self.dtype, self._rows = _Type(tuple(names)), list(rows)

    def __len__(self):
        return len(self._rows)

    def __iter__(self):
        return (Record(self.dtype.names, row) for row in self._rows)

    def __getitem__(self, key):
        if isinstance(key, str):
            column = self.dtype.names.index(key)
            return [row[column] for row in self._rows]
        if isinstance(key, list):
            columns = [self.dtype.names.index(name) for name in key]
            return Table(key, [tuple(row[column] for column in columns) for row in self._rows])
        if isinstance(key, slice):
            return Table(self.dtype.names, self._rows[key])
        return Record(self.dtype.names, self._rows[key])

    def tolist(self):
        return list(self._rows)


class Record:
    """One row, by position or by name."""

    def __init__(self, names, row):
        self._names, self._row = names, row

    def __getitem__(self, key):
        return self._row[self._names.index(key) if isinstance(key, str) else key]

    def tolist(self):
        return tuple(self._row)
