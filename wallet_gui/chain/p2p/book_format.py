"""How the address book is written to disk: one checked piece of bytes."""

import random
import struct
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from wallet_gui.chain.p2p.address_book import (
    BUCKET_SIZE,
    MAX_ANCHORS,
    MAX_REFERENCES,
    NEW_BUCKETS,
    TRIED_BUCKETS,
    AddressBook,
    Record,
)
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.netgroup import Netgroup
from wallet_gui.primitives.serialize import ParseError, Reader, compact_size, var_bytes

MAGIC: Final = b"peers\x01"
"""What every book begins with; the last byte is the number of the format."""

MAX_RECORDS: Final = (NEW_BUCKETS + TRIED_BUCKETS) * BUCKET_SIZE
MAX_GROUP_BANS: Final = 1000
_MAX_TEXT: Final = 255
_RECORD: Final = struct.Struct("<QIIIHIIIIB")
_TRIED, _FILTERS, _V2 = 1, 2, 4


def write_book(book: AddressBook) -> bytes:
    """Serialize a book."""
    records = list(book)
    parts = [
        MAGIC,
        book.secret,
        _time(book.seeds_asked).to_bytes(4, "little"),
        compact_size(len(book.anchors)),
        *(_address(address) for address in book.anchors),
        compact_size(len(book.group_bans)),
        *(
            var_bytes(group) + _time(until).to_bytes(4, "little")
            for group, until in book.group_bans.items()
        ),
        compact_size(len(records)),
        *(_record(record) for record in records),
    ]
    body = b"".join(parts)
    return body + sha256(body).digest()


def read_book(
    data: bytes,
    now: int,
    *,
    group_of: Netgroup,
    is_welcome: Callable[[PeerAddress], bool],
    rng: random.Random | None = None,
) -> AddressBook:
    """Read a book; raise ParseError for anything that was not written by `write_book`."""
    if len(data) < 32 or sha256(data[:-32]).digest() != data[-32:]:
        raise ParseError("The list of peers is damaged.")
    reader = Reader(data[:-32])
    if reader.read(len(MAGIC)) != MAGIC:
        raise ParseError("This is not a list of peers of this version.")
    book = AddressBook(reader.read(32), group_of=group_of, is_welcome=is_welcome, rng=rng)
    book.seeds_asked = min(reader.u32(), now)  # a clock that was wrong must not hold it up
    book.anchors = [_read_address(reader) for _ in range(reader.compact_size(MAX_ANCHORS))]
    for _ in range(reader.compact_size(MAX_GROUP_BANS)):
        group = reader.var_bytes(_MAX_TEXT)
        book.group_bans[group] = reader.u32()
    for _ in range(reader.compact_size(MAX_RECORDS)):
        book.restore(_read_record(reader), now)
    reader.check_end()
    book.is_changed = False
    return book


def _time(value: int) -> int:
    return min(max(value, 0), 0xFFFFFFFF)


def _address(address: PeerAddress) -> bytes:
    return var_bytes(address.host.encode()) + address.port.to_bytes(2, "big")


def _read_address(reader: Reader) -> PeerAddress:
    try:
        host = reader.var_bytes(_MAX_TEXT).decode()
    except UnicodeDecodeError:
        raise ParseError("A host is not text.") from None
    port = reader.u16_be()
    if not host or not port or not all(c.isprintable() and not c.isspace() for c in host):
        raise ParseError("An address is not one.")
    return PeerAddress(host, port)


def _record(record: Record) -> bytes:
    flags = _TRIED * record.is_tried + _FILTERS * record.served_filters + _V2 * record.is_v2
    fixed = _RECORD.pack(
        record.services,
        _time(record.last_seen),
        _time(record.last_try),
        _time(record.last_ok),
        min(record.fails, 0xFFFF),
        min(record.speed, 0xFFFFFFFF),
        _time(record.no_filters_until),
        _time(record.v1_only_until),
        _time(record.ban_until),
        flags,
    )
    buckets = bytes(sorted(record.buckets))
    return _address(record.address) + var_bytes(record.source) + fixed + var_bytes(buckets)


def _read_record(reader: Reader) -> Record:
    address = _read_address(reader)
    source = reader.var_bytes(_MAX_TEXT)
    (
        services,
        last_seen,
        last_try,
        last_ok,
        fails,
        speed,
        no_filters_until,
        v1_only_until,
        ban_until,
        flags,
    ) = _RECORD.unpack(reader.read(_RECORD.size))
    buckets = set(reader.var_bytes(MAX_REFERENCES))
    if any(bucket >= NEW_BUCKETS for bucket in buckets):
        raise ParseError("A bucket is none.")
    return Record(
        address,
        source,
        services,
        last_seen,
        last_try,
        last_ok,
        fails,
        speed,
        bool(flags & _FILTERS),
        no_filters_until,
        bool(flags & _V2),
        v1_only_until,
        ban_until,
        bool(flags & _TRIED),
        buckets,
    )
