"""chain.db: headers, filter headers and recent filters of one network, shared by all its wallets.

All of it is public and can be had again, so nothing is sealed, and a database that is damaged or
of another network is dropped and begun anew. Headers and filter headers lie in segments of 2016,
each with a CRC: bit rot in a filter header would otherwise look like a lying peer. Filters lie in
files beside (`filter_cache`).
"""

import contextlib
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from wallet_gui.primitives.params import ChainParams
from wallet_gui.storage.database import (
    Foreign,
    Schema,
    Unusable,
    discard,
    mapped_errors,
    open_database,
    set_aside,
    transaction,
)
from wallet_gui.storage.errors import Damaged
from wallet_gui.storage.filter_cache import FILTER_TABLES, FilterCache
from wallet_gui.storage.fs import make_private_directory
from wallet_gui.storage.locks import FileLock

FORMAT: Final = 2
SEGMENT: Final = 2016
HEADER_SIZE: Final = 80
FILTER_HEADER_SIZE: Final = 32
FILTER_CACHE_BYTES: Final = 256 * 1024 * 1024

_FETCHED_AGAIN: Final = "The stored chain data was damaged and is fetched again. Nothing is lost."
_SEGMENTS: Final = (
    "CREATE TABLE {} (segment INTEGER PRIMARY KEY, first INTEGER NOT NULL, "
    "crc INTEGER NOT NULL, data BLOB NOT NULL)"
)


def _schema(params: ChainParams) -> Schema:
    return Schema(
        # Two signets differ in their magic, which is made from the challenge.
        application_id=int.from_bytes(params.magic, "big", signed=True),
        version=FORMAT,
        tables={
            "headers": _SEGMENTS.format("headers"),
            "filter_headers": _SEGMENTS.format("filter_headers"),
            **FILTER_TABLES,
        },
        durable=False,
        check_pages=False,  # the segments' own CRCs are checked instead: ten times faster
    )


class ChainDb:
    """The chain database of one network; one process owns it, one thread uses it.

    `headers`, `filter_headers` and `filters` implement the store protocols of chain/backend.py.
    The constructor takes the lock and raises InUse or WriteFailed; `notices` says when the
    database had to be begun anew.
    """

    def __init__(
        self, path: Path, params: ChainParams, *, filter_cache_bytes: int = FILTER_CACHE_BYTES
    ) -> None:
        self.path = path
        self.notices: tuple[str, ...] = ()
        self._filter_cache_bytes = filter_cache_bytes
        self._schema = _schema(params)
        self._depth = 0
        with mapped_errors(path):
            make_private_directory(path.parent)
        self._lock = FileLock(path, "The chain database")
        self._lock.acquire()
        try:
            try:
                self._open()
            except (Unusable, Damaged) as error:
                if isinstance(error, Foreign):
                    set_aside(path)
                else:
                    discard(path)
                self.notices = (_FETCHED_AGAIN,)
                self._open()
        except BaseException:
            self._lock.release()
            raise

    def _open(self) -> None:
        self.connection = open_database(self.path, self._schema)
        try:
            with mapped_errors(self.path):
                self.headers = SegmentStore(self, "headers", HEADER_SIZE)
                self.filter_headers = SegmentStore(self, "filter_headers", FILTER_HEADER_SIZE)
                self.filters = FilterCache(
                    self.connection,
                    self.batch,
                    self.path.with_name(self.path.name + ".filters"),
                    self._filter_cache_bytes,
                )
        except BaseException:
            self.connection.close()
            raise

    @contextlib.contextmanager
    def batch(self) -> Iterator[None]:
        """Make one transaction of everything stored inside; may be nested.

        After an exception nothing of it is stored.
        """
        if self._depth:
            yield
            return
        self._depth += 1
        try:
            with transaction(self.connection, self.path):
                yield
        except BaseException:
            with mapped_errors(self.path):
                self.headers.refresh()
                self.filter_headers.refresh()
                self.filters.refresh()
            raise
        finally:
            self._depth -= 1

    def begin_anew(self) -> None:
        """Drop what is stored, because it is damaged; nobody may be using it meanwhile.

        The stores are others afterwards. Raises InUse or WriteFailed; then call it again later.
        """
        self.filters.close()
        self.connection.close()
        discard(self.path)
        self.notices = (_FETCHED_AGAIN,)
        self._open()

    def close(self) -> None:
        """Close the database and give the lock back."""
        self.filters.close()
        self.connection.close()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


class SegmentStore:
    """Items of one size by height, without gaps, in rows of up to 2016.

    A segment begins at a multiple of 2016; the first may lack its beginning, the last its end.
    """

    def __init__(self, database: ChainDb, table: str, item_size: int) -> None:
        self._database = database
        self._table = table
        self._size = item_size
        self._start, content = self._read()
        self._count = len(content) // item_size
        self._loaded: bytes | None = content

    def load(self) -> tuple[int, bytes]:
        """Return the height of the first item and all items; (0, b"") when there are none.

        Raises Damaged when the segments do not fit together; opening the database again then
        begins it anew.
        """
        if self._loaded is not None:  # read and checked when the database was opened
            loaded, self._loaded = self._loaded, None
            return self._start, loaded
        with mapped_errors(self._database.path):
            try:
                return self._read()
            except Unusable as error:
                raise Damaged(
                    "The stored chain data is damaged; it is dropped and fetched again."
                ) from error

    def append(self, height: int, raw: bytes) -> None:
        """Store items of which the first has `height`: the next one, or any in an empty store.

        Raises ValueError for a gap or half an item, WriteFailed when the disk refuses.
        """
        if height < 0 or (self._count and height != self._start + self._count):
            raise ValueError(f"{self._table}: {height} is not the next height")
        self._put(height, raw)

    def prepend(self, height: int, raw: bytes) -> None:
        """Extend downwards: the last of these items is just below the first stored one.

        An empty store takes them as they are. Raises ValueError for a gap or half an item.
        """
        if height < 0 or (self._count and height + len(raw) // self._size != self._start):
            raise ValueError(f"{self._table}: {height} does not end below the first height")
        self._put(height, raw)

    def truncate(self, height: int) -> None:
        """Drop every item above `height`; that one and those below stay."""
        kept = min(max(height + 1 - self._start, 0), self._count)
        if kept == self._count:
            return
        last = self._start + kept - 1
        self._loaded = None
        with self._database.batch():
            segment = last // SEGMENT if kept else -1
            self._execute(f"DELETE FROM {self._table} WHERE segment > ?", segment)  # noqa: S608
            if kept:
                first, data = self._segment(segment)
                self._store(segment, first, data[: (last + 1 - first) * self._size])
            self._count = kept
            self._start = self._start if kept else 0

    def refresh(self) -> None:
        """Take start and length from the database again, after a transaction was undone."""
        self._loaded = None
        query = f"SELECT first, length(data) FROM {self._table} ORDER BY segment"  # noqa: S608
        rows = self._database.connection.execute(query).fetchall()
        self._start = rows[0][0] if rows else 0
        self._count = sum(length for _, length in rows) // self._size

    def _put(self, height: int, raw: bytes) -> None:
        count, rest = divmod(len(raw), self._size)
        if rest:
            raise ValueError(f"{self._table}: half an item")
        if not count:
            return
        self._loaded = None
        with self._database.batch():
            position = 0
            while position < count:
                at = height + position
                segment = at // SEGMENT
                part = raw[
                    position * self._size : (position + (segment + 1) * SEGMENT - at) * self._size
                ]
                first, data = self._segment(segment)
                if not data:
                    self._store(segment, at, part)
                elif at < first:
                    self._store(segment, at, part + data)
                else:
                    self._store(segment, first, data + part)
                position += len(part) // self._size
            self._start = min(self._start, height) if self._count else height
            self._count += count

    def _execute(self, statement: str, *values: object) -> sqlite3.Cursor:
        return self._database.connection.execute(statement, values)

    def _segment(self, segment: int) -> tuple[int, bytes]:
        query = f"SELECT first, data FROM {self._table} WHERE segment = ?"  # noqa: S608
        row: tuple[int, bytes] | None = self._execute(query, segment).fetchone()
        return row or (0, b"")

    def _store(self, segment: int, first: int, data: bytes) -> None:
        self._execute(
            f"REPLACE INTO {self._table} (segment, first, crc, data) VALUES (?, ?, ?, ?)",  # noqa: S608
            segment,
            first,
            zlib.crc32(data),
            data,
        )

    def _read(self) -> tuple[int, bytes]:
        """Return start and content; Unusable unless every segment is whole and joins the next."""
        query = f"SELECT segment, first, crc, data FROM {self._table} ORDER BY segment"  # noqa: S608
        parts: list[bytes] = []
        start, next_height = 0, None
        for segment, first, crc, data in self._execute(query):
            if not isinstance(data, bytes) or zlib.crc32(data) != crc:
                raise Unusable("a segment is damaged")
            end = first + len(data) // self._size
            fits = data and len(data) % self._size == 0
            if not fits or first // SEGMENT != segment or (end - 1) // SEGMENT != segment:
                raise Unusable("a segment is not where it belongs")
            if next_height is None:
                start = first
            elif first != next_height:
                raise Unusable("a segment is missing")
            next_height = end
            parts.append(data)
        return start, b"".join(parts)
