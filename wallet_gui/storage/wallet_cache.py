"""NAME.cache: what the chain can give again, as rows sealed under a key kept in the view box.

Whoever holds the file learns how much there is, not what: a row's id is a keyed hash and its
content is sealed, padded and bound to that id. A change set and the scan mark that belongs to it
are one database transaction, so the cache is at every instant the state after a whole block.
A cache that is missing, damaged or sealed under another key is begun anew, and `notices` says so;
the wallet then scans again. NAME.wallet's lock protects this file too.
"""

import hashlib
import hmac
import struct
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final

from wallet_gui.sealing import SealError, open_row, seal_row
from wallet_gui.storage.database import (
    Schema,
    Unusable,
    mapped_errors,
    open_database,
    set_aside,
    transaction,
)
from wallet_gui.storage.errors import Damaged
from wallet_gui.storage.file_names import CACHE_SUFFIX
from wallet_gui.wallet.changes import Anchor, Attempts, CacheChange, Evidence, Keychain

SUFFIX: Final = CACHE_SUFFIX
FORMAT: Final = 1

_SCHEMA: Final = Schema(
    application_id=int.from_bytes(b"WGca"),
    version=FORMAT,
    tables={"rows": "CREATE TABLE rows (id BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID"},
    durable=True,
    check_pages=True,
)

# What a row is about; its plaintext is this, the length of the key, the key, the value.
_COUNT: Final = b"n"
_TRANSACTION: Final = b"t"
_STATUS: Final = b"s"
_LAST_USED: Final = b"u"
_CHECKPOINT: Final = b"c"
_ATTEMPTS: Final = b"a"
_SCRIPTS: Final = b"k"

_CHAIN: Final = struct.Struct("<IB")
_CHUNK: Final = struct.Struct("<IBI")
_HEIGHT: Final = struct.Struct("<I")
_NUMBER: Final = struct.Struct("<q")
_ANCHOR: Final = struct.Struct("<I32sqI")
_TRIES: Final = struct.Struct("<qqqiIB")


@dataclass(frozen=True, slots=True)
class _Status:
    """Everything about one transaction but its bytes: one row."""

    anchor: Anchor | None = None
    first_seen: int | None = None
    seen_order: int | None = None
    abandoned: bool = False

    def encode(self) -> bytes:
        flags = (
            (self.anchor is not None)
            | (self.first_seen is not None) << 1
            | (self.seen_order is not None) << 2
            | self.abandoned << 3
        )
        parts = [bytes([flags])]
        if self.anchor is not None:
            anchor = self.anchor
            parts.append(_ANCHOR.pack(anchor.height, anchor.hash, anchor.time, anchor.position))
        parts += [_NUMBER.pack(n) for n in (self.first_seen, self.seen_order) if n is not None]
        return b"".join(parts)

    @classmethod
    def decode(cls, data: bytes) -> "_Status":
        flags, position = data[0], 1
        anchor = None
        if flags & 1:
            anchor = Anchor(*_ANCHOR.unpack_from(data, position))
            position += _ANCHOR.size
        numbers: list[int | None] = []
        for bit in (2, 4):
            if flags & bit:
                numbers.append(_NUMBER.unpack_from(data, position)[0])
                position += _NUMBER.size
            else:
                numbers.append(None)
        return cls(anchor, numbers[0], numbers[1], bool(flags & 8))


class WalletCache:
    """One wallet's cache; opened, used and closed by one thread at a time.

    `cache_key` (32 bytes) is `WalletDescription.cache_key`. Raises InUse and WriteFailed, from
    the constructor too; everything else it repairs by beginning anew.
    """

    def __init__(self, path: Path, cache_key: bytes) -> None:
        self.path = path
        self.notices: tuple[str, ...] = ()
        self._key = cache_key
        self._id_key = hmac.digest(cache_key, b"wallet-gui cache row id", hashlib.sha256)
        self._rows: set[bytes] = set()
        self._status: dict[bytes, _Status] = {}
        self._last_used: dict[tuple[int, Keychain], int] = {}
        self._content = CacheChange()
        try:
            self._connection = open_database(path, _SCHEMA)
            try:
                self._content = self._read()
            except (Unusable, Damaged):
                self._connection.close()
                raise
        except (Unusable, Damaged) as error:
            self._begin_anew("it is damaged" if isinstance(error, Damaged) else str(error))

    def __repr__(self) -> str:
        return f"WalletCache({str(self.path)!r})"  # without the key

    def load(self) -> CacheChange:
        """Return the total of all stored changes, as it was when the cache was opened."""
        return self._content

    def store(self, change: CacheChange) -> None:
        """Store a change and its scan mark in one transaction, on the disk when this returns.

        Raises WriteFailed or Damaged; nothing of the change is stored then.
        """
        if change.is_empty:
            return
        status = self._changed_status(change)
        last_used = {
            key: index
            for key, index in change.last_used.items()
            if index > self._last_used.get(key, -1)
        }
        puts: list[tuple[bytes, bytes, bytes]] = []
        drops: list[bytes] = []
        named: list[tuple[bytes, bytes, bytes | None]] = [
            *((_TRANSACTION, txid, raw) for txid, raw in change.transactions.items()),
            *((_ATTEMPTS, txid, _encode_attempts(t)) for txid, t in change.attempts.items()),
            *((_CHECKPOINT, _HEIGHT.pack(h), name) for h, name in change.checkpoints.items()),
            *((_SCRIPTS, _CHUNK.pack(*chunk), data) for chunk, data in change.scripts.items()),
        ]
        for kind, key, value in named:
            if value is None:
                drops.append(self._row_id(kind, key))
            else:
                puts.append((kind, key, value))
        for txid, item in status.items():
            if item == _Status():
                drops.append(self._row_id(_STATUS, txid))
            else:
                puts.append((_STATUS, txid, item.encode()))
        for (descriptor_index, keychain), index in last_used.items():
            chain = _CHAIN.pack(descriptor_index, keychain)
            puts.append((_LAST_USED, chain, _NUMBER.pack(index)))
        self._write(puts, drops)
        self._status.update(status)
        self._last_used.update(last_used)

    def close(self) -> None:
        self._connection.close()

    def _changed_status(self, change: CacheChange) -> dict[bytes, _Status]:
        changed: dict[bytes, _Status] = {}

        def before(txid: bytes) -> _Status:
            return changed.get(txid) or self._status.get(txid) or _Status()

        for txid, anchor in change.anchors.items():
            changed[txid] = replace(before(txid), anchor=anchor)
        for txid, first_seen in change.first_seen.items():
            changed[txid] = replace(before(txid), first_seen=first_seen)
        for txid, seen_order in change.seen_order.items():
            changed[txid] = replace(before(txid), seen_order=seen_order)
        for txid, abandoned in change.abandoned.items():
            changed[txid] = replace(before(txid), abandoned=abandoned)
        return changed

    def _row_id(self, kind: bytes, key: bytes) -> bytes:
        return hmac.digest(self._id_key, kind + key, hashlib.sha256)[:16]

    def _sealed(self, kind: bytes, key: bytes, value: bytes) -> tuple[bytes, bytes]:
        row_id = self._row_id(kind, key)
        plaintext = kind + bytes([len(key)]) + key + value
        return row_id, seal_row(self._key, row_id, plaintext)

    def _write(self, puts: Iterable[tuple[bytes, bytes, bytes]], drops: Iterable[bytes]) -> None:
        sealed = [self._sealed(*put) for put in puts]
        dropped = [(row_id,) for row_id in drops]
        rows = self._rows.difference(row_id for (row_id,) in dropped)
        rows.update(row_id for row_id, _ in sealed)
        # A row that vanished without a trace would be a payment that is not shown.
        sealed.append(self._sealed(_COUNT, b"", _NUMBER.pack(len(rows))))
        with transaction(self._connection, self.path):
            self._connection.executemany("DELETE FROM rows WHERE id = ?", dropped)
            self._connection.executemany(
                "INSERT INTO rows (id, sealed) VALUES (?, ?) "
                "ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed",
                sealed,
            )
        self._rows = rows

    def _read(self) -> CacheChange:
        """Open every row. Raises Unusable when one cannot be, or when the count is another."""
        with mapped_errors(self.path):
            rows = self._connection.execute("SELECT id, sealed FROM rows").fetchall()
        content = CacheChange()
        count = None
        try:
            for row_id, sealed in rows:
                kind, key, value = _split(open_row(self._key, row_id, sealed))
                if row_id != self._row_id(kind, key):
                    raise Unusable("a row is in another's place")
                if kind == _COUNT:
                    (count,) = _NUMBER.unpack(value)
                    continue
                self._rows.add(row_id)
                self._take(content, kind, key, value)
        except (SealError, TypeError, ValueError, IndexError, struct.error) as error:
            raise Unusable("a row does not open") from error
        if count != (len(self._rows) if rows else None):
            raise Unusable("rows are missing")
        self._last_used = dict(content.last_used)
        return content

    def _take(self, content: CacheChange, kind: bytes, key: bytes, value: bytes) -> None:
        if kind == _TRANSACTION:
            content.transactions[key] = value
        elif kind == _STATUS:
            self._take_status(content, key, value)
        elif kind == _LAST_USED:
            descriptor_index, keychain = _CHAIN.unpack(key)
            (index,) = _NUMBER.unpack(value)
            content.last_used[descriptor_index, Keychain(keychain)] = index
        elif kind == _CHECKPOINT:
            content.checkpoints[_HEIGHT.unpack(key)[0]] = value
        elif kind == _ATTEMPTS:
            first, last, due, height, count, evidence = _TRIES.unpack(value)
            tried = Attempts(first, last, due, height, count, Evidence(evidence))
            content.attempts[key] = tried
        elif kind == _SCRIPTS:
            descriptor_index, keychain, number = _CHUNK.unpack(key)
            content.scripts[descriptor_index, Keychain(keychain), number] = value
        else:
            raise Unusable("a row is of an unknown kind")

    def _take_status(self, content: CacheChange, key: bytes, value: bytes) -> None:
        status = self._status[key] = _Status.decode(value)
        if status.anchor is not None:
            content.anchors[key] = status.anchor
        if status.first_seen is not None:
            content.first_seen[key] = status.first_seen
        if status.seen_order is not None:
            content.seen_order[key] = status.seen_order
        if status.abandoned:
            content.abandoned[key] = True

    def _begin_anew(self, reason: str) -> None:
        set_aside(self.path)
        self._rows.clear()
        self._status.clear()
        self._connection = open_database(self.path, _SCHEMA)
        notice = (
            f"The cache {self.path.name} could not be used ({reason}) and was begun anew. "
            "Nothing is lost: the transactions are read from the chain again."
        )
        self.notices = (notice,)


def _encode_attempts(tried: Attempts | None) -> bytes | None:
    if tried is None:
        return None
    return _TRIES.pack(
        tried.first, tried.last, tried.due, tried.height, tried.count, tried.evidence
    )


def _split(plaintext: bytes) -> tuple[bytes, bytes, bytes]:
    end = 2 + plaintext[1]
    return plaintext[:1], plaintext[2:end], plaintext[end:]


# A new part of a change must get a row of its own above, or it would be lost here.
_STORED: Final = {
    "transactions",
    "anchors",
    "first_seen",
    "seen_order",
    "last_used",
    "checkpoints",
    "abandoned",
    "attempts",
    "scripts",
}
if {part.name for part in fields(CacheChange)} != _STORED:
    raise ImportError("the cache does not store every part of a CacheChange")
