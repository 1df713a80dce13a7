"""The messages of the peer-to-peer protocol that a light client speaks, and their wire forms.

Payloads only: the framing around them belongs to `transport`. Every `parse` takes exactly one
payload and raises `ParseError` for anything else; limits are those that Core enforces on itself
(`net_processing.cpp`, `protocol.h`), so nothing an honest node sends is refused. Hashes are 32
bytes in wire order. Sources: BIP31, 130, 133, 144, 155, 157, 339; Core `protocol.h`.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import ClassVar, Final, Protocol

from wallet_gui.chain.p2p.addr_messages import Addr, AddrV2, GetAddr
from wallet_gui.chain.p2p.compact_block import MAX_COMPACT_BLOCK, CompactBlock
from wallet_gui.chain.p2p.filter_messages import (
    MAX_FILTER_HEADERS,
    MAX_FILTER_SIZE,
    CFCheckpt,
    CFHeaders,
    CFilter,
    GetCFCheckpt,
    GetCFHeaders,
    GetCFilters,
    read_hashes,
    write_hashes,
)
from wallet_gui.primitives.serialize import ParseError, Reader, compact_size, var_bytes
from wallet_gui.primitives.transaction import Transaction

PROTOCOL_VERSION: Final = 70016  # wtxid relay (BIP339)
MAX_HEADERS: Final = 2000
MAX_INVENTORY: Final = 50_000
MAX_LOCATOR: Final = 101
MAX_USER_AGENT: Final = 256
MAX_BLOCK_SIZE: Final = 4_000_000
MAX_MESSAGE_SIZE: Final = 4_000_000
_MAX_OTHER: Final = 1_900_000  # 50,000 inventory entries and some air

PAYLOAD_LIMITS: Final[Mapping[str, int]] = {
    "version": 1024,
    "verack": 0,
    "wtxidrelay": 0,
    "sendaddrv2": 0,
    "sendheaders": 0,
    "getaddr": 0,
    "addr": 3 + 30 * 1000,
    "addrv2": 3 + 1000 * (4 + 9 + 1 + 3 + 512 + 2),
    "ping": 8,
    "pong": 8,
    "feefilter": 8,
    "headers": 3 + 81 * MAX_HEADERS,
    "cfheaders": 65 + 3 + 32 * MAX_FILTER_HEADERS,
    "cfilter": 33 + 5 + MAX_FILTER_SIZE,
    "block": MAX_BLOCK_SIZE,
    "cmpctblock": MAX_COMPACT_BLOCK,
    "tx": MAX_MESSAGE_SIZE,
}
"""The largest payload accepted per command, checked before any memory is set aside for it."""


def payload_limit(command: str) -> int:
    """Give the largest payload that is read for `command`, known or not."""
    return PAYLOAD_LIMITS.get(command, _MAX_OTHER)


class Services(IntFlag):
    """What a node claims to offer (Core `protocol.h`); unknown bits are kept and ignored."""

    NONE = 0
    NETWORK = 1 << 0
    BLOOM = 1 << 2
    WITNESS = 1 << 3
    COMPACT_FILTERS = 1 << 6
    NETWORK_LIMITED = 1 << 10
    P2P_V2 = 1 << 11


class InventoryType(IntEnum):
    """What an inventory entry names."""

    TX = 1
    BLOCK = 2
    COMPACT_BLOCK = 4  # BIP152; only in getdata
    WTX = 5  # by wtxid (BIP339)
    WITNESS_TX = 0x40000001  # by txid, with witness (BIP144); only in getdata
    WITNESS_BLOCK = 0x40000002  # only in getdata


class Message(Protocol):
    """One message: a command and a payload."""

    @property
    def command(self) -> str:
        """Name it as on the wire."""
        ...

    def serialize(self) -> bytes:
        """Give the payload."""
        ...


_VERSION = struct.Struct("<iQq26s26sQ")
_INVENTORY = struct.Struct("<I32s")
_U64 = struct.Struct("<Q")
_NO_ADDRESS: Final = bytes(26)


@dataclass(frozen=True, slots=True)
class Version:
    """The first message of both sides. Address fields are written as zeros and never read."""

    command: ClassVar[str] = "version"
    protocol: int
    services: int
    time: int
    nonce: int
    user_agent: str
    start_height: int
    relay: bool

    @classmethod
    def parse(cls, payload: bytes) -> "Version":
        """Read a version message; fields after the known ones are ignored, as Core does."""
        reader = Reader(payload)
        protocol = reader.i32()
        services = reader.u64()
        time = reader.i64()
        reader.read(26)
        reader.read(26)
        nonce = reader.u64()
        agent = reader.var_bytes(MAX_USER_AGENT)
        start_height = reader.i32()
        relay = reader.u8() != 0 if reader.remaining else True  # BIP37: absent means true
        text = agent.decode("ascii", errors="replace")
        plain = "".join(c if c.isprintable() and c != "\ufffd" else "?" for c in text)
        return cls(protocol, services, time, nonce, plain, start_height, relay)

    def serialize(self) -> bytes:
        fixed = _VERSION.pack(
            self.protocol, self.services, self.time, _NO_ADDRESS, _NO_ADDRESS, self.nonce
        )
        agent = var_bytes(self.user_agent.encode("ascii"))
        return fixed + agent + struct.pack("<i?", self.start_height, self.relay)


class _Empty:
    """A message without a payload."""

    __slots__ = ()

    def serialize(self) -> bytes:
        return b""


@dataclass(frozen=True, slots=True)
class Verack(_Empty):
    command: ClassVar[str] = "verack"


@dataclass(frozen=True, slots=True)
class WtxidRelay(_Empty):
    """Announce transactions by wtxid (BIP339); only before verack."""

    command: ClassVar[str] = "wtxidrelay"


@dataclass(frozen=True, slots=True)
class SendAddrV2(_Empty):
    """Send addresses as addrv2 (BIP155); only before verack."""

    command: ClassVar[str] = "sendaddrv2"


@dataclass(frozen=True, slots=True)
class SendHeaders(_Empty):
    """Announce blocks by headers (BIP130)."""

    command: ClassVar[str] = "sendheaders"


@dataclass(frozen=True, slots=True)
class Ping:
    command: ClassVar[str] = "ping"
    nonce: int

    @classmethod
    def parse(cls, payload: bytes) -> "Ping":
        return cls(_parse_u64(payload))

    def serialize(self) -> bytes:
        return _U64.pack(self.nonce)


@dataclass(frozen=True, slots=True)
class Pong:
    command: ClassVar[str] = "pong"
    nonce: int

    @classmethod
    def parse(cls, payload: bytes) -> "Pong":
        return cls(_parse_u64(payload))

    def serialize(self) -> bytes:
        return _U64.pack(self.nonce)


@dataclass(frozen=True, slots=True)
class FeeFilter:
    """The peer announces no transaction below this rate, in sat/kvB (BIP133)."""

    command: ClassVar[str] = "feefilter"
    sat_per_kvb: int

    @classmethod
    def parse(cls, payload: bytes) -> "FeeFilter":
        return cls(_parse_u64(payload))

    def serialize(self) -> bytes:
        return _U64.pack(self.sat_per_kvb)


@dataclass(frozen=True, slots=True)
class GetHeaders:
    """Ask for up to 2000 headers after the first locator hash that the peer knows."""

    command: ClassVar[str] = "getheaders"
    locator: tuple[bytes, ...]
    stop: bytes = bytes(32)

    @classmethod
    def parse(cls, payload: bytes) -> "GetHeaders":
        reader = Reader(payload)
        reader.u32()
        locator = read_hashes(reader, MAX_LOCATOR)
        stop = reader.read(32)
        reader.check_end()
        return cls(locator, stop)

    def serialize(self) -> bytes:
        version = struct.pack("<I", PROTOCOL_VERSION)
        return version + write_hashes(self.locator) + self.stop


@dataclass(frozen=True, slots=True)
class Headers:
    """Up to 2000 block headers of 80 bytes, concatenated in `raw` without their zero counts."""

    command: ClassVar[str] = "headers"
    raw: bytes

    @classmethod
    def parse(cls, payload: bytes) -> "Headers":
        reader = Reader(payload)
        count = reader.compact_size(MAX_HEADERS)
        entries = reader.read(81 * count)
        reader.check_end()
        if any(entries[80::81]):
            raise ParseError("A headers message carries transactions.")
        return cls(b"".join([entries[i : i + 80] for i in range(0, len(entries), 81)]))

    def serialize(self) -> bytes:
        entries = (self.raw[i : i + 80] + b"\0" for i in range(0, len(self.raw), 80))
        return compact_size(len(self)) + b"".join(entries)

    def __len__(self) -> int:
        """Count the headers."""
        return len(self.raw) // 80


@dataclass(frozen=True, slots=True)
class _Inventory:
    """What inv, getdata and notfound share: `(type, hash)` entries of any type."""

    entries: tuple[tuple[int, bytes], ...]

    @classmethod
    def _entries(cls, payload: bytes) -> tuple[tuple[int, bytes], ...]:
        reader = Reader(payload)
        count = reader.compact_size(MAX_INVENTORY)
        entries = reader.read(36 * count)
        reader.check_end()
        return tuple(_INVENTORY.iter_unpack(entries))

    def serialize(self) -> bytes:
        return compact_size(len(self.entries)) + b"".join(_INVENTORY.pack(*e) for e in self.entries)


@dataclass(frozen=True, slots=True)
class Inv(_Inventory):
    """The sender has these."""

    command: ClassVar[str] = "inv"

    @classmethod
    def parse(cls, payload: bytes) -> "Inv":
        return cls(cls._entries(payload))


@dataclass(frozen=True, slots=True)
class GetData(_Inventory):
    """The sender wants these."""

    command: ClassVar[str] = "getdata"

    @classmethod
    def parse(cls, payload: bytes) -> "GetData":
        return cls(cls._entries(payload))


@dataclass(frozen=True, slots=True)
class NotFound(_Inventory):
    """The sender was asked for these and has them not (transactions only)."""

    command: ClassVar[str] = "notfound"

    @classmethod
    def parse(cls, payload: bytes) -> "NotFound":
        return cls(cls._entries(payload))


@dataclass(frozen=True, slots=True)
class Tx:
    command: ClassVar[str] = "tx"
    tx: Transaction

    @classmethod
    def parse(cls, payload: bytes) -> "Tx":
        return cls(Transaction.parse(payload))

    def serialize(self) -> bytes:
        return self.tx.serialize()


@dataclass(frozen=True, slots=True)
class RawBlock:
    """A block as bytes: parsing and checking one takes long enough to be done elsewhere."""

    command: ClassVar[str] = "block"
    raw: bytes

    @classmethod
    def parse(cls, payload: bytes) -> "RawBlock":
        if len(payload) < 80:
            raise ParseError("A block message is shorter than a header.")
        return cls(payload)

    @property
    def header(self) -> bytes:
        return self.raw[:80]

    def serialize(self) -> bytes:
        return self.raw


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message of no interest here: skipped, and never an error."""

    command: str
    size: int

    def serialize(self) -> bytes:
        raise NotImplementedError(f"{self.command} is not a message we send.")


_PARSERS: Final[Mapping[str, Callable[[bytes], Message]]] = {
    "version": Version.parse,
    "ping": Ping.parse,
    "pong": Pong.parse,
    "feefilter": FeeFilter.parse,
    "getheaders": GetHeaders.parse,
    "headers": Headers.parse,
    "inv": Inv.parse,
    "getdata": GetData.parse,
    "notfound": NotFound.parse,
    "tx": Tx.parse,
    "block": RawBlock.parse,
    "cmpctblock": CompactBlock.parse,
    "getcfilters": GetCFilters.parse,
    "getcfheaders": GetCFHeaders.parse,
    "cfheaders": CFHeaders.parse,
    "getcfcheckpt": GetCFCheckpt.parse,
    "cfcheckpt": CFCheckpt.parse,
    "cfilter": CFilter.parse,
    "addr": Addr.parse,
    "addrv2": AddrV2.parse,
}
_EMPTY: Final[Mapping[str, Message]] = {
    message.command: message
    for message in (Verack(), WtxidRelay(), SendAddrV2(), SendHeaders(), GetAddr())
}


def parse(command: str, payload: bytes) -> Message:
    """Turn a frame into a message; `Unknown` for commands not spoken here; raise ParseError."""
    if command in _EMPTY:
        if payload:
            raise ParseError(f"A {command} message has a payload.")
        return _EMPTY[command]
    parser = _PARSERS.get(command)
    return Unknown(command, len(payload)) if parser is None else parser(payload)


def _parse_u64(payload: bytes) -> int:
    if len(payload) != 8:
        raise ParseError(f"Eight bytes were expected, not {len(payload)}.")
    return int.from_bytes(payload, "little")
