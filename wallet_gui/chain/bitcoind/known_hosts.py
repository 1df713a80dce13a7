"""known_hosts files (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"): which keys a host is known by.

Reads plain, hashed, wildcard and negated names, `@revoked` and `@cert-authority`. A line that makes
no sense is skipped, as OpenSSH does, so any bytes are a value. Three answers are told apart before
any login: this key is known, nobody has vouched for the host yet, or the host is known by others.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from wallet_gui.chain.bitcoind.ssh_target import SSH_PORT
from wallet_gui.primitives.serialize import ParseError

_LONGEST_LINE: Final = 65536
_MOST_LINES: Final = 100_000
_HASH_MARK: Final = "|1|"
_ALGORITHMS: Final = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
"""Signature algorithms of a key type, where they have other names (RFC 8332)."""


@dataclass(frozen=True, slots=True)
class HostKey:
    """A public key as it stands in known_hosts: its type, and the blob of RFC 4253 6.6."""

    type: str
    blob: bytes

    @staticmethod
    def parse(line: str) -> "HostKey":
        """Read `type base64` with anything behind it; raises ParseError."""
        parts = line.split()
        if len(parts) < 2:
            raise ParseError("a key has a type and a text")
        try:
            blob = base64.b64decode(parts[1], validate=True)
        except (binascii.Error, ValueError):
            raise ParseError("the key is not base64") from None
        if not blob.startswith(_string(parts[0].encode("ascii", "replace"))):
            raise ParseError("the key is not of the type that it says")
        return HostKey(parts[0], blob)

    @property
    def text(self) -> str:
        """Type and base64, as in known_hosts and authorized_keys."""
        return f"{self.type} {base64.b64encode(self.blob).decode('ascii')}"

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` shows it: "SHA256:" and 43 letters."""
        digest = base64.b64encode(hashlib.sha256(self.blob).digest()).decode("ascii")
        return "SHA256:" + digest.rstrip("=")

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The signature algorithms with which a server shows that it has this key."""
        return _ALGORITHMS.get(self.type, (self.type,))


class Verdict(Enum):
    """What is to be thought of a server's key."""

    TRUSTED = "trusted"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    REVOKED = "revoked"


class _Marker(Enum):
    NONE = ""
    AUTHORITY = "@cert-authority"
    REVOKED = "@revoked"


@dataclass(frozen=True, slots=True)
class _Entry:
    marker: _Marker
    names: str
    key: HostKey
    where: str

    def names_host(self, name: str) -> bool:
        if self.names.startswith(_HASH_MARK):
            return _matches_hash(self.names, name)
        return matches_list(self.names, name)


class KnownHosts:
    """Some known_hosts files taken together."""

    def __init__(self, entries: Iterable[_Entry] = ()) -> None:
        self._entries = tuple(entries)

    @staticmethod
    def parse(data: bytes, source: str = "known_hosts") -> "KnownHosts":
        """Read a file; `source` is what the answers call it. Raises nothing."""
        entries = []
        for number, raw in enumerate(data.split(b"\n")[:_MOST_LINES], 1):
            entry = _entry(raw, f"{source}, line {number}")
            if entry is not None:
                entries.append(entry)
        return KnownHosts(entries)

    def __add__(self, other: "KnownHosts") -> "KnownHosts":
        """Take two together."""
        return KnownHosts(self._entries + other._entries)

    def __len__(self) -> int:
        """How many lines say something."""
        return len(self._entries)

    def keys(self, host: str, port: int) -> list[HostKey]:
        """The keys that the host is known by, without those revoked."""
        revoked = {entry.key for entry in self._of(host, port, _Marker.REVOKED)}
        return [
            entry.key for entry in self._of(host, port, _Marker.NONE) if entry.key not in revoked
        ]

    def authorities(self, host: str, port: int) -> list[HostKey]:
        """The keys whose certificates vouch for the host."""
        revoked = set(self.revoked(host, port))
        found = self._of(host, port, _Marker.AUTHORITY)
        return [entry.key for entry in found if entry.key not in revoked]

    def revoked(self, host: str, port: int) -> list[HostKey]:
        """The keys that must not be accepted for the host."""
        return [entry.key for entry in self._of(host, port, _Marker.REVOKED)]

    def verdict(self, host: str, port: int, key: HostKey) -> tuple[Verdict, str]:
        """Judge a server's key, and say where the line stands that decided.

        A host that is known by other keys only, be they of another type, has changed: whoever
        stands in between must not get around a known key by showing one of another type.
        """
        for entry in self._of(host, port, _Marker.REVOKED):
            if entry.key == key:
                return Verdict.REVOKED, entry.where
        known = self._of(host, port, _Marker.NONE)
        for entry in known:
            if entry.key == key:
                return Verdict.TRUSTED, entry.where
        if port != SSH_PORT:
            # As OpenSSH: what is known of the name without a port may vouch, but not accuse.
            for entry in self._named(host.lower(), _Marker.NONE):
                if entry.key == key:
                    return Verdict.TRUSTED, entry.where
        if known:
            return Verdict.CHANGED, known[0].where
        return Verdict.UNKNOWN, ""

    def _of(self, host: str, port: int, marker: _Marker) -> list[_Entry]:
        return self._named(host_name(host, port), marker)

    def _named(self, name: str, marker: _Marker) -> list[_Entry]:
        return [
            entry for entry in self._entries if entry.marker is marker and entry.names_host(name)
        ]


def host_name(host: str, port: int) -> str:
    """How a host is called in known_hosts: `name`, or `[name]:port` with an unusual port."""
    return host.lower() if port == SSH_PORT else f"[{host.lower()}]:{port}"


def trust_line(host: str, port: int, key: HostKey) -> str:
    """Write the line that makes `key` known for the host."""
    return f"{host_name(host, port)} {key.text}"


def matches_list(patterns: str, name: str) -> bool:
    """Whether one pattern of a list with commas matches and none with `!` does (ssh_config(5))."""
    found = False
    for pattern in patterns.lower().split(","):
        if pattern.startswith("!"):
            if matches_pattern(pattern[1:], name):
                return False
        elif matches_pattern(pattern, name):
            found = True
    return found


def matches_pattern(pattern: str, text: str) -> bool:
    """Match `*` and `?`, in a time that no pattern can stretch."""
    at = in_text = 0
    star, mark = -1, 0
    while in_text < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, mark = at, in_text
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", text[in_text]):
            at += 1
            in_text += 1
        elif star >= 0:
            mark += 1
            at, in_text = star + 1, mark
        else:
            return False
    return set(pattern[at:]) <= {"*"}


def _entry(raw: bytes, where: str) -> _Entry | None:
    if len(raw) > _LONGEST_LINE:
        return None
    line = raw.decode("utf-8", errors="replace").strip()
    if not line or line.startswith("#"):
        return None
    marker = _Marker.NONE
    words = line.split(None, 3)
    try:
        if words[0].startswith("@"):
            marker = _Marker(words.pop(0))
        return _Entry(marker, words[0], HostKey.parse(" ".join(words[1:])), where)
    except (ValueError, IndexError):  # a ParseError is a ValueError, too
        return None


def _matches_hash(hashed: str, name: str) -> bool:
    parts = hashed.split("|")
    if len(parts) != 4:
        return False
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in parts[2:])
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(hmac.new(salt, name.encode(), hashlib.sha1).digest(), digest)


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data
