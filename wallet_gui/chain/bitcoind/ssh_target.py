"""What a person types to name their node: `ssh://user@host:port`, an alias, or `local:port`.

The text is checked here, before any part of it reaches a socket, a configuration file's patterns or
another program's command line: only names that can be a host, a user and a port are let through.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from wallet_gui.primitives.serialize import ParseError

SSH_PORT: Final = 22
_LONGEST_TEXT: Final = 512
# Letters that no shell, no option parser and no pattern of a configuration file gives a meaning to.
_HOST: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,252}\Z")
_USER: Final = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.+-]{0,63}\Z")
_PORT: Final = re.compile(r"[0-9]{1,5}\Z")
_IPV6: Final = re.compile(r"[0-9A-Fa-f:.]{2,45}\Z")
_EXAMPLE: Final = "Write it like ssh://bitcoin@mynode.local or ssh://bitcoin@192.168.1.5:2222."


@dataclass(frozen=True, slots=True)
class SshTarget:
    """A machine that is reached by SSH; what is None comes from the user's ssh configuration.

    `host` is a name, an alias of the configuration, or an address (IPv6 without brackets).
    """

    host: str
    port: int | None = None
    user: str | None = None

    @staticmethod
    def parse(text: str) -> "SshTarget":
        """Read `ssh://user@host:port`; scheme, user and port may be left out.

        Raises ParseError with one sentence.
        """
        rest = _plain(text)
        if rest[:6].lower() == "ssh://":
            rest = rest[6:].removesuffix("/")
        elif "://" in rest:
            raise ParseError(f"This does not begin with ssh://. {_EXAMPLE}")
        if any(mark in rest for mark in "/?#"):
            raise ParseError(f"Only a user, a host and a port are wanted here. {_EXAMPLE}")
        user, at, place = rest.rpartition("@")
        if at and not user:
            raise ParseError(f"There is no user before the @. {_EXAMPLE}")
        if ":" in user:
            raise ParseError(
                "A password does not belong into the address; you are asked for it when the "
                "server wants one. Leave out the part between : and @."
            )
        host, port = _split_port(place)
        return SshTarget(checked_host(host), port, checked_user(user) if at else None)

    @property
    def text(self) -> str:
        """The canonical form, which `parse` reads again."""
        user = f"{self.user}@" if self.user is not None else ""
        port = f":{self.port}" if self.port is not None else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ssh://{user}{host}{port}"

    def __str__(self) -> str:
        """The canonical form."""
        return self.text


@dataclass(frozen=True, slots=True)
class LocalNode:
    """A node on this computer, reached over the loopback interface and nothing else.

    `port` is its RPC port; None means the usual one of the network.
    """

    port: int | None = None

    @property
    def text(self) -> str:
        """The canonical form, which `parse_node` reads again."""
        return "local" if self.port is None else f"local:{self.port}"

    def __str__(self) -> str:
        """The canonical form."""
        return self.text


NodeAddress: TypeAlias = SshTarget | LocalNode


def parse_node(text: str) -> NodeAddress:
    """Read what stands in the address field: `local`, `local:PORT`, or a target of SSH.

    A machine whose ssh alias is "local" is written ssh://local. Raises ParseError.
    """
    rest = _plain(text)
    name, colon, port = rest.partition(":")
    if name.lower() == "local":
        return LocalNode(_port(port) if colon else None)
    return SshTarget.parse(rest)


def checked_host(host: str) -> str:
    """Return a host name, alias or address as it is; raises ParseError when it is none."""
    if not host:
        raise ParseError(f"There is no host. {_EXAMPLE}")
    if host.startswith("-"):
        raise ParseError(f"A host cannot begin with a minus sign. {_EXAMPLE}")
    if ":" in host:
        try:
            if _IPV6.match(host):
                return ipaddress.IPv6Address(host).compressed
        except ipaddress.AddressValueError:
            pass
        raise ParseError(f"This is neither a host and a port nor an IPv6 address. {_EXAMPLE}")
    if not host.isascii():
        raise ParseError(
            "A host is written in plain letters a to z here (names in other letters begin with "
            f"xn-- then). {_EXAMPLE}"
        )
    if not _HOST.match(host):
        raise ParseError(
            f"A host has letters, digits, dots and minus signs, and nothing else. {_EXAMPLE}"
        )
    return host


def checked_user(user: str) -> str:
    """Return a user name as it is; raises ParseError when it is none."""
    if user.startswith("-"):
        raise ParseError(f"A user cannot begin with a minus sign. {_EXAMPLE}")
    if not _USER.match(user):
        raise ParseError(
            f"A user has letters, digits, dots, minus signs and _, and nothing else. {_EXAMPLE}"
        )
    return user


def _plain(text: str) -> str:
    if len(text) > _LONGEST_TEXT:
        raise ParseError(f"This is too long for an address. {_EXAMPLE}")
    rest = text.strip(" \t\r\n")
    if not rest:
        raise ParseError(f"There is no address yet. {_EXAMPLE}")
    if any(not mark.isprintable() or mark.isspace() for mark in rest):
        raise ParseError(f"An address has no spaces and no invisible characters. {_EXAMPLE}")
    if "%" in rest:
        raise ParseError(f"An address has no % sign. {_EXAMPLE}")
    return rest


def _split_port(place: str) -> tuple[str, int | None]:
    if place.startswith("["):
        host, bracket, port = place[1:].partition("]")
        if not bracket or ":" not in host or (port and not port.startswith(":")):
            raise ParseError(f"An IPv6 address stands in brackets, then :port. {_EXAMPLE}")
        return host, _port(port[1:]) if port else None
    if place.count(":") > 1:
        return place, None  # an IPv6 address without brackets
    host, colon, port = place.partition(":")
    return host, _port(port) if colon else None


def _port(text: str) -> int:
    if not _PORT.match(text) or not 0 < int(text) < 65536:
        raise ParseError("A port is a number from 1 to 65535.")
    return int(text)
