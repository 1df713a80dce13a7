"""Addresses of nodes on the wire: addr, addrv2 (BIP155) and getaddr.

Networks that are not known, and the abolished version 2 of Tor, are skipped as BIP155 wants; wrong
lengths of known ones are an error.
"""

import base64
import ipaddress
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Final

from wallet_gui.chain.p2p import onion
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.primitives.serialize import ParseError, Reader, compact_size, var_bytes

MAX_ADDRESSES: Final = 1000
MAX_ADDRESS_SIZE: Final = 512
_MAPPED: Final = bytes(10) + b"\xff\xff"
_ONION_CAT: Final = b"\xfd\x87\xd8\x7e\xeb\x43"
_ADDR: Final = struct.Struct("<IQ16s")


class NetworkId(IntEnum):
    """BIP155's numbers."""

    IPV4 = 1
    IPV6 = 2
    TORV2 = 3
    TORV3 = 4
    I2P = 5
    CJDNS = 6
    YGGDRASIL = 7


_SIZES: Final = {
    NetworkId.IPV4: 4,
    NetworkId.IPV6: 16,
    NetworkId.TORV2: 10,
    NetworkId.TORV3: 32,
    NetworkId.I2P: 32,
    NetworkId.CJDNS: 16,
    NetworkId.YGGDRASIL: 16,
}


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """An address as somebody told it: when it was last seen (Unix time) and what it serves."""

    address: PeerAddress
    services: int
    time: int


@dataclass(frozen=True, slots=True)
class GetAddr:
    """Ask for addresses of other nodes."""

    command: ClassVar[str] = "getaddr"

    def serialize(self) -> bytes:
        return b""


@dataclass(frozen=True, slots=True)
class Addr:
    """Addresses in the old form: IPv4 and IPv6 only."""

    command: ClassVar[str] = "addr"
    entries: tuple[NodeAddress, ...]

    @classmethod
    def parse(cls, payload: bytes) -> "Addr":
        reader = Reader(payload)
        entries = []
        for _ in range(reader.compact_size(MAX_ADDRESSES)):
            time, services, packed = _ADDR.unpack(reader.read(_ADDR.size))
            port = reader.u16_be()
            entries.append(NodeAddress(PeerAddress(_ip_text(packed), port), services, time))
        reader.check_end()
        return cls(tuple(entries))

    def serialize(self) -> bytes:
        parts = []
        for entry in self.entries:
            ip = ipaddress.ip_address(entry.address.host)
            packed = ip.packed if ip.version == 6 else _MAPPED + ip.packed
            parts.append(_ADDR.pack(entry.time, entry.services, packed) + _port(entry.address))
        return compact_size(len(parts)) + b"".join(parts)


@dataclass(frozen=True, slots=True)
class AddrV2:
    """Addresses of any network (BIP155); those that cannot be written as text are left out."""

    command: ClassVar[str] = "addrv2"
    entries: tuple[NodeAddress, ...]

    @classmethod
    def parse(cls, payload: bytes) -> "AddrV2":
        reader = Reader(payload)
        entries = []
        for _ in range(reader.compact_size(MAX_ADDRESSES)):
            time = reader.u32()
            services = reader.compact_size(2**64 - 1)
            network = reader.u8()
            raw = reader.var_bytes(MAX_ADDRESS_SIZE)
            port = reader.u16_be()
            host = _host(network, raw)
            if host:
                entries.append(NodeAddress(PeerAddress(host, port), services, time))
        reader.check_end()
        return cls(tuple(entries))

    def serialize(self) -> bytes:
        parts = []
        for entry in self.entries:
            network, raw = _network_and_bytes(entry.address.host)
            parts.append(
                struct.pack("<I", entry.time)
                + compact_size(entry.services)
                + bytes((network,))
                + var_bytes(raw)
                + _port(entry.address)
            )
        return compact_size(len(parts)) + b"".join(parts)


def _host(network: int, raw: bytes) -> str:
    """Write an address as text; empty for a network of no interest."""
    if network not in _SIZES:
        return ""
    if len(raw) != _SIZES[NetworkId(network)]:
        raise ParseError(f"An address of network {network} has {len(raw)} bytes.")
    match network:
        case NetworkId.IPV4:
            return str(ipaddress.IPv4Address(raw))
        case NetworkId.TORV3:
            return onion.encode(raw)
        case NetworkId.I2P:
            return base64.b32encode(raw).decode().lower().rstrip("=") + ".b32.i2p"
        case NetworkId.IPV6:
            # BIP155: IPv4 and Tor addresses wrapped into IPv6 are to be ignored.
            is_wanted = not raw.startswith((_MAPPED, _ONION_CAT))
        case NetworkId.CJDNS:
            is_wanted = raw[0] == 0xFC
        case _:
            is_wanted = network == NetworkId.YGGDRASIL and raw[0] in {0x02, 0x03}
    return str(ipaddress.IPv6Address(raw)) if is_wanted else ""


def _network_and_bytes(host: str) -> tuple[NetworkId, bytes]:
    if host.endswith(".onion"):
        return NetworkId.TORV3, onion.decode(host)
    if host.endswith(".b32.i2p"):
        name = host.removesuffix(".b32.i2p").upper()
        return NetworkId.I2P, base64.b32decode(name + "=" * (-len(name) % 8))
    ip = ipaddress.ip_address(host)
    if ip.version == 4:
        return NetworkId.IPV4, ip.packed
    first = ip.packed[0]
    if first == 0xFC:
        return NetworkId.CJDNS, ip.packed
    return (NetworkId.YGGDRASIL if first in {2, 3} else NetworkId.IPV6), ip.packed


def _ip_text(packed: bytes) -> str:
    if packed.startswith(_MAPPED):
        return str(ipaddress.IPv4Address(packed[12:]))
    return str(ipaddress.IPv6Address(packed))


def _port(address: PeerAddress) -> bytes:
    return address.port.to_bytes(2, "big")
