"""Where peers listen, as people write it."""

import ipaddress
from dataclasses import dataclass

from wallet_gui.primitives.serialize import ParseError


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """Where a peer listens: a host name or an IP address, and a port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, default_port: int) -> "PeerAddress":
        """Read `host`, `host:port` or `[ipv6]:port`; raise ParseError with a sentence."""
        text = text.strip()
        host, port = text, ""
        if text.startswith("["):
            host, bracket, rest = text[1:].partition("]")
            if not bracket or (rest and not rest.startswith(":")) or rest == ":":
                raise ParseError(f"{text[:80]!r} is not an address; write [::1]:8333.")
            port = rest[1:]
        elif text.count(":") == 1:
            host, _, port = text.partition(":")
            if not port:
                raise ParseError(f"{text[:80]!r} lacks the port after the colon.")
        if not host or len(host) > 255 or any(c.isspace() or not c.isprintable() for c in host):
            raise ParseError(f"{text[:80]!r} is not a host; write for example 127.0.0.1:8333.")
        if ":" in host:
            try:
                ipaddress.IPv6Address(host)
            except ValueError:
                raise ParseError(f"{host[:80]!r} is not an IPv6 address.") from None
        if port and not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
            raise ParseError(f"{port[:20]!r} is not a port; ports go from 1 to 65535.")
        return cls(host, int(port) if port else default_port)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
