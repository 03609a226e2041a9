"""Changes of the audit trail, planted in copies of it: each must be found."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from report import Row


def edit(file, change):
    """Changes the lines of a file."""
    lines = file.read_bytes().splitlines(keepends=True)
    change(lines)
    file.write_bytes(b"".join(lines))


def flip(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def change_byte(files, _):
    file = files[1]
    data = file.read_bytes()
    file.write_bytes(flip(data, len(data) // 2))


def change_client(files, _):
    def change(lines):
        at = next(at for at, line in enumerate(lines) if b'"client":"' in line)
        lines[at] = lines[at].replace(b'"client":"', b'"client":"x')

    edit(files[1], change)


def drop_record(files, _):
    edit(files[1], lambda lines: lines.pop(1))


def drop_first(files, _):
    edit(files[0], lambda lines: lines.pop(0))


def cut_end(files, _):
    edit(files[2], lambda lines: lines.pop())


def cut_within(files, _):
    data = files[2].read_bytes()
    files[2].write_bytes(data[:-20])


def swap_records(files, _):
    def swap(lines):
        lines[1], lines[2] = lines[2], lines[1]

    edit(files[1], swap)


def duplicate_record(files, _):
    edit(files[1], lambda lines: lines.insert(1, lines[1]))


def make_up_record(files, _):
    edit(files[1], lambda lines: lines.insert(1, b'{"event":"asked","client":"operator"}\n'))


def remove_oldest(files, _):
    files[0].unlink()


def remove_middle(files, _):
    files[1].unlink()


def remove_newest(files, _):
    files[2].unlink()


def swap_files(files, _):
    first, second = files[0].read_bytes(), files[1].read_bytes()
    files[0].write_bytes(second)
    files[1].write_bytes(first)


def edit_head(_, head):
    data = head.read_bytes()
    digit = next(at for at, byte in enumerate(data) if chr(byte).isdigit())
    head.write_bytes(flip(data, digit))


def remove_head(_, head):
    head.unlink()


CHANGES = [
    change_byte,
    change_client,
    drop_record,
    drop_first,
    cut_end,
    cut_within,
    swap_records,
    duplicate_record,
    make_up_record,
    remove_oldest,
    remove_middle,
    remove_newest,
    swap_files,
    edit_head,
    remove_head,
]


class Copy:
    """A copy of a trail that is whole, in three files."""

    def __init__(self, folder, trail, head):
        self.folder, self.head = Path(folder), Path(folder) / "audit.head"
        shutil.copy(head, self.head)
        lines = [line for file in trail for line in file.read_bytes().splitlines(keepends=True)]
        day, third = trail[0].name.split(".")[1], len(lines) // 3
        parts = [lines[:third], lines[third : 2 * third], lines[2 * third :]]
        self.files = [self.folder / f"audit.{day}.{number:04}.jsonl" for number in range(3)]
        for file, part in zip(self.files, parts):
            file.write_bytes(b"".join(part))

    def verify(self, stage):
        folders = ["--folder", str(self.folder), "--data-folder", str(self.folder)]
        return stage.run("gateway", "audit", "verify", *folders, user=None)


def planted(scene):
    """Nothing writes the trail meanwhile: its gateway has ended."""
    found, missed = [], []
    for change in [None, *CHANGES]:
        with TemporaryDirectory(dir=str(scene.stage.home)) as folder:
            copy = Copy(folder, scene.trail(), scene.stage.home / "data/gateway/audit.head")
            if change:
                change(copy.files, copy.head)
            status, _ = copy.verify(scene.stage)
            wanted = 65 if change else 0
            name = change.__name__.replace("_", " ") if change else "an untouched copy"
            (found if status == wanted else missed).append(name)
    told = f"{len(found) - 1} of {len(CHANGES)} found"
    told += f"; not as it should be: {', '.join(missed)}" if missed else ""
    name = f"{len(CHANGES)} changes planted in copies of the audit trail"
    yield Row(name, "there was nothing to find them by", told, not missed)
