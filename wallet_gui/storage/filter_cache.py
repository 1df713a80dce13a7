"""Filters of blocks, kept so that new scripts and second wallets need no download.

The filters lie in plain files of some megabytes, as they came; where each run of them lies is a
row of the chain database. A file that was not read for longest goes when the cache is full. Nothing
here is trusted: whoever reads a filter compares its hash with the agreed filter header.
"""

import contextlib
import os
import sqlite3
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from io import FileIO
from pathlib import Path
from typing import Final, TypeAlias

from wallet_gui.storage.database import mapped_errors
from wallet_gui.storage.errors import Damaged
from wallet_gui.storage.fs import make_private_directory

FILE_BYTES: Final = 16 * 1024 * 1024
MAX_RUN: Final = 20_000  # filters in one row
_HASH: Final = 32
_NAME: Final = "{:08d}.filters"
_SHORT: Final = 4096  # bytes before the first filter that are stored along rather than cut off

FILTER_TABLES: Final = {
    "filter_files": (
        "CREATE TABLE filter_files "
        "(file INTEGER PRIMARY KEY, used INTEGER NOT NULL, size INTEGER NOT NULL)"
    ),
    "filter_runs": (
        "CREATE TABLE filter_runs (number INTEGER PRIMARY KEY, height INTEGER NOT NULL, "
        "file INTEGER NOT NULL, place INTEGER NOT NULL, hashes BLOB NOT NULL, "
        "starts BLOB NOT NULL, ends BLOB NOT NULL)"
    ),
    "filter_heights": "CREATE INDEX filter_heights ON filter_runs (height)",
}

Run: TypeAlias = tuple[int, bytes, bytes | bytearray | memoryview, "array[int]", "array[int]"]
"""First height, block hashes, one buffer, where each filter begins and ends in it."""


class FilterCache:
    """Runs of filters by height; implements `FilterStore` of chain/backend.py.

    "Used" counts in openings: a file that was read or written since the database was opened
    outlives those that were not.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        batch: Callable[[], AbstractContextManager[None]],
        folder: Path,
        capacity: int,
    ) -> None:
        """Use the tables behind `connection`; `batch` makes one transaction of what is inside."""
        self._connection = connection
        self._batch = batch
        self._folder = folder
        self._capacity = capacity
        self._file_bytes = max(1, min(FILE_BYTES, capacity // 8))
        self._is_off = False
        self._used: dict[int, int] = {}
        self._sizes: dict[int, int] = {}
        self._open: dict[int, FileIO] = {}
        with mapped_errors(folder):
            make_private_directory(folder)
        self.refresh()
        self._opening = max(self._used.values(), default=0) + 1
        with mapped_errors(folder):
            self._tidy()

    def refresh(self) -> None:
        """Take from the database what files there are."""
        rows = self._connection.execute("SELECT file, used, size FROM filter_files").fetchall()
        self._used = {file: used for file, used, _ in rows}
        self._sizes = {file: size for file, _, size in rows}
        self._current = max(self._sizes, default=None)  # the file that is written to

    def close(self) -> None:
        """Close the files."""
        for file in self._open.values():
            file.close()
        self._open.clear()

    def _tidy(self) -> None:
        """Remove files that no row knows: left over from a crash or a database begun anew."""
        known = {_NAME.format(file) for file in self._sizes}
        for path in self._folder.glob("*.filters"):
            if path.name not in known:
                path.unlink()

    # --- reading ----------------------------------------------------------------------------------

    def get_runs(self, height: int, hashes: bytes) -> list[Run]:
        """Give what there is of the filters of these blocks, the first of which is at `height`."""
        found: list[Run] = []
        if self._is_off:
            return found
        with self._begun_anew_when_damaged(), mapped_errors(self._folder):
            stop = height + len(hashes) // _HASH
            rows = self._connection.execute(
                "SELECT height, file, place, hashes, starts, ends FROM filter_runs "
                "WHERE height > ? AND height < ? ORDER BY height, number DESC",
                (height - MAX_RUN, stop),
            ).fetchall()
            next_height = height
            for row in rows:
                run = self._read(row, next_height, stop, hashes, height)
                if run is not None:
                    found.append(run)
                    next_height = run[0] + len(run[3])
        return found

    def _read(
        self,
        row: tuple[int, int, int, bytes, bytes, bytes],
        first: int,
        stop: int,
        hashes: bytes,
        base: int,
    ) -> Run | None:
        """Read the part of a row whose blocks are the ones wanted from height `first` on."""
        start, file, place, stored, raw_starts, raw_ends = row
        count = len(stored) // _HASH
        low, high = max(first - start, 0), min(stop - start, count)
        if low >= high or file not in self._sizes:
            return None
        wanted = hashes[_HASH * (start + low - base) : _HASH * (start + high - base)]
        if stored[_HASH * low : _HASH * high] != wanted:
            high = low + _equal(stored[_HASH * low :], wanted)
            if low == high:
                return None
        starts, ends = array("Q", raw_starts)[low:high], array("Q", raw_ends)[low:high]
        shift = starts[0]
        data = self._read_file(file, place + shift, ends[-1] - shift)
        if data is None:
            return None
        if shift:
            starts = array("Q", [each - shift for each in starts])
            ends = array("Q", [each - shift for each in ends])
        return start + low, stored[_HASH * low : _HASH * high], data, starts, ends

    def _read_file(self, file: int, place: int, size: int) -> bytes | None:
        opened = self._opened(file)
        opened.seek(place)
        data = opened.read(size)  # in one go from a plain file, and into memory nobody zeroed first
        if len(data) != size:
            return None
        if self._used[file] != self._opening:
            self._used[file] = self._opening
            with self._batch():
                self._connection.execute(
                    "UPDATE filter_files SET used = ? WHERE file = ?", (self._opening, file)
                )
        return data

    # --- writing ----------------------------------------------------------------------------------

    def put_runs(self, runs: Sequence[Run]) -> None:
        """Store filters; raises WriteFailed when the disk refuses."""
        rows = []
        if self._is_off:
            return
        with self._begun_anew_when_damaged(), mapped_errors(self._folder), self._batch():
            for height, hashes, data, starts, ends in runs:
                base = starts[0] if starts[0] > _SHORT else 0
                size = ends[-1] - base
                if size > self._capacity or len(starts) > MAX_RUN:
                    continue
                file = self._file_for(size)
                place = self._sizes[file]
                with memoryview(data) as view:
                    _write(self._opened(file), view[base : ends[-1]], place)
                self._sizes[file] = place + size
                # Positions are those in the buffer that the file holds from `place - base` on.
                rows.append((height, file, place - base, hashes, starts.tobytes(), ends.tobytes()))
            self._connection.executemany(
                "INSERT INTO filter_runs (height, file, place, hashes, starts, ends) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                rows,
            )
            self._connection.executemany(
                "REPLACE INTO filter_files (file, used, size) VALUES (?, ?, ?)",
                [(file, self._opening, self._sizes[file]) for file in {row[1] for row in rows}],
            )
            self._make_room()

    def _file_for(self, size: int) -> int:
        current = self._current
        if current is None or self._sizes[current] + size > self._file_bytes:
            current = self._current = max(self._sizes, default=0) + 1
            self._sizes[current] = 0
            self._used[current] = self._opening
        return current

    def _make_room(self) -> None:
        """Drop the files that were used least recently, but not the one that is written to."""
        total = sum(self._sizes.values())
        for file in sorted(self._sizes, key=lambda each: (self._used[each], each)):
            if total <= self._capacity:
                return
            if file == self._current:
                continue
            total -= self._sizes.pop(file)
            del self._used[file]
            self._connection.execute("DELETE FROM filter_runs WHERE file = ?", (file,))
            self._connection.execute("DELETE FROM filter_files WHERE file = ?", (file,))
            opened = self._open.pop(file, None)
            if opened is not None:
                opened.close()
            (self._folder / _NAME.format(file)).unlink(missing_ok=True)

    def _opened(self, file: int) -> FileIO:
        found = self._open.get(file)
        if found is None:
            path = self._folder / _NAME.format(file)
            found = self._open[file] = FileIO(path, "r+", opener=_private)
        return found

    @contextlib.contextmanager
    def _begun_anew_when_damaged(self) -> Iterator[None]:
        """Empty the cache when its pages are damaged: it may forget, it may not fail."""
        try:
            yield
        except Damaged:
            if self._connection.in_transaction:
                raise
            self._begin_anew()

    def _begin_anew(self) -> None:
        self.close()
        try:
            with self._batch():
                for table in ("filter_runs", "filter_files"):
                    self._connection.execute(f"DROP TABLE {table}")
                for statement in FILTER_TABLES.values():
                    self._connection.execute(statement)
        except Damaged:
            self._is_off = True  # even that is refused: go on without a cache
            return
        self.refresh()
        with mapped_errors(self._folder):
            self._tidy()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)


def _write(file: FileIO, view: memoryview, place: int) -> None:
    file.seek(place)
    while view:
        written = file.write(view)
        view = view[written:]


def _equal(one: bytes, other: bytes) -> int:
    """Count how many hashes at the beginning are equal."""
    count = 0
    most = min(len(one), len(other)) // _HASH
    while count < most and (
        one[_HASH * count : _HASH * count + _HASH] == other[_HASH * count : _HASH * count + _HASH]
    ):
        count += 1
    return count
