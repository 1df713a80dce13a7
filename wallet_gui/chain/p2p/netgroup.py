"""Which networks an address belongs to: who is reachable how, and who may be one and the same.

Whoever rents a /16 gets thousands of addresses for little money, so those of one *netgroup* count
as one source of information and only one of them is connected to at a time. Source: Core
`netgroup.cpp`, `netaddress.cpp`.
"""

import ipaddress
from collections.abc import Callable
from enum import Enum
from typing import Final

from wallet_gui.chain.p2p.addresses import PeerAddress

ONION_CHARACTERS: Final = 56  # of a version 3 name, without ".onion"


class Network(Enum):
    """What kind of address it is; what cannot be dialled is only parsed."""

    IPV4 = "IPv4"
    IPV6 = "IPv6"
    ONION = "onion"
    I2P = "I2P"
    CJDNS = "CJDNS"
    YGGDRASIL = "Yggdrasil"
    NAME = "name"


Netgroup = Callable[[PeerAddress], bytes]

_CJDNS: Final = ipaddress.IPv6Network("fc00::/8")
_YGGDRASIL: Final = ipaddress.IPv6Network("200::/7")
_TEREDO: Final = ipaddress.IPv6Network("2001::/32")
_SIX_TO_FOUR: Final = ipaddress.IPv6Network("2002::/16")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


def network_of(address: PeerAddress) -> Network:
    """Tell the kind of an address by its host."""
    host = address.host
    if host.endswith(".onion"):
        return Network.ONION
    if host.endswith(".b32.i2p"):
        return Network.I2P
    ip = ip_of(host)
    if ip is None:
        return Network.NAME
    if isinstance(ip, ipaddress.IPv4Address):
        return Network.IPV4
    if ip in _CJDNS:
        return Network.CJDNS
    return Network.YGGDRASIL if ip in _YGGDRASIL else Network.IPV6


def ip_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an IP address; None for a name. An IPv4 address mapped into IPv6 is the former."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ip


def netgroup(address: PeerAddress) -> bytes:
    """Give the group of an address: /16 of IPv4, /32 of IPv6, four bits of an onion's key."""
    host = address.host
    kind = network_of(address)
    label = str(kind.value).encode()
    match kind:
        case Network.IPV4 | Network.IPV6:
            ip = ip_of(host)
            if isinstance(ip, ipaddress.IPv6Address):
                inner = _inner(ip)
                if inner is None:
                    return label + ip.packed[:4]
                ip = inner
            return b"IPv4" + (b"" if ip is None else ip.packed[:2])
        case Network.ONION | Network.I2P:
            return label + bytes((_first_five_bits(host) & ~1,))
        case Network.CJDNS | Network.YGGDRASIL:
            ip = ip_of(host)
            # The first byte is the same for all of them.
            return label + (b"" if ip is None else ip.packed[:3])
        case Network.NAME:
            return label + host.lower().encode("utf-8", "replace")


def group_text(address: PeerAddress) -> str:
    """Write an address's group for a person, "93.184.0.0/16"."""
    match network_of(address):
        case Network.IPV4 | Network.IPV6:
            ip = ip_of(address.host)
            if isinstance(ip, ipaddress.IPv6Address):
                ip = _inner(ip) or ip
            if ip is None:
                return address.host
            length = 16 if ip.version == 4 else 32
            return str(ipaddress.ip_network((ip, length), strict=False))
        case Network.NAME:
            return address.host
        case kind:
            return str(kind.value)


def is_routable(address: PeerAddress) -> bool:
    """Whether an address that a stranger told may be one of the public network."""
    if not 0 < address.port < 65536:
        return False
    match network_of(address):
        case Network.ONION:
            return len(address.host) == ONION_CHARACTERS + len(".onion")
        case Network.IPV4 | Network.IPV6:
            ip = ip_of(address.host)
            return ip is not None and ip.is_global and not ip.is_multicast
        case _:
            return False  # not dialled here: there is no way to CJDNS, I2P or Yggdrasil


def _inner(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Give the IPv4 address that an IPv6 address of a tunnel stands for."""
    if ip in _SIX_TO_FOUR:
        return ip.sixtofour
    if ip in _TEREDO and ip.teredo is not None:
        return ip.teredo[1]
    if ip in _NAT64:
        return ipaddress.IPv4Address(ip.packed[12:])
    return None


def _first_five_bits(host: str) -> int:
    """Read the first character of a base32 name."""
    return max(0, "abcdefghijklmnopqrstuvwxyz234567".find(host[:1].lower()))
