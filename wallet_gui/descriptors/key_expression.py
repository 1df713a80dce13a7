"""The keys inside descriptors: origin, key and the path below it (BIP380, BIP389)."""

import re
from dataclasses import dataclass, field
from typing import Self

from wallet_gui.curve import CurveError, check_public_key, check_x_only
from wallet_gui.descriptors.xpub import (
    HARDENED,
    MAX_DEPTH,
    PRIVATE_KEY_REFUSED,
    ExtendedPublicKey,
    KeyOrigin,
    is_private_key_text,
    parse_step,
)
from wallet_gui.primitives.hashes import hash160
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.psbt import KeyPath
from wallet_gui.primitives.serialize import ParseError


@dataclass(frozen=True, slots=True)
class KeyExpression:
    """One key of a descriptor.

    `key` is an extended public key, or a fixed compressed public key (33 bytes; for tr possibly
    32, x-only). `path` holds the steps after it; one of them may be a tuple, the branches of a
    BIP389 multipath such as <0;1>. `is_ranged` tells of a final /*.
    """

    origin: KeyOrigin | None
    key: ExtendedPublicKey | bytes
    path: tuple[int | tuple[int, ...], ...] = ()
    is_ranged: bool = False
    _parents: dict[int, ExtendedPublicKey] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @classmethod
    def parse(cls, expression: str, params: ChainParams, *, x_only: bool = False) -> Self:
        """Read [origin]key/path; `x_only` allows fixed keys of 32 bytes. Raises ParseError."""
        origin = None
        if expression.startswith("["):
            bracket, closing, expression = expression.partition("]")
            origin = KeyOrigin.parse(bracket + closing)
        text, *parts = expression.split("/")
        if is_private_key_text(text):
            raise ParseError(PRIVATE_KEY_REFUSED)
        if re.fullmatch(r"[0-9a-fA-F]*", text, re.ASCII):
            if parts:
                raise ParseError("Only an extended key (xpub or tpub) can have a path after it.")
            raw = bytes.fromhex(text) if len(text) % 2 == 0 else b""
            return cls(origin, _fixed_key(raw, x_only=x_only))
        key = ExtendedPublicKey.parse(text, params)
        is_ranged = bool(parts) and parts[-1] == "*"
        path = _parse_steps(parts[:-1] if is_ranged else parts)
        if key.depth + len(path) + is_ranged > MAX_DEPTH:
            raise ParseError("An extended key cannot be derived deeper than 255 steps.")
        return cls(origin, key, path, is_ranged)

    @property
    def keychains(self) -> int:
        """The number of branches: 2 for <0;1>, else 1."""
        return next((len(step) for step in self.path if isinstance(step, tuple)), 1)

    @property
    def fingerprint(self) -> bytes:
        """The master key's fingerprint (4 bytes), or the key's own when no origin is given."""
        if self.origin is not None:
            return self.origin.fingerprint
        return hash160(self.key)[:4] if isinstance(self.key, bytes) else self.key.fingerprint

    @property
    def is_account(self) -> bool:
        """Whether it gives receive and change keys without end: an extended key with <a;b>/*."""
        return isinstance(self.key, ExtendedPublicKey) and self.is_ranged and self.keychains == 2

    @property
    def identity(self) -> tuple[object, ...]:
        """What decides which keys it gives, whatever is said of its origin."""
        key = self.key
        known = key if isinstance(key, bytes) else (key.public_key, key.chain_code)
        return known, self.path, self.is_ranged

    def derive(self, index: int, keychain: int) -> tuple[bytes, KeyPath]:
        """Return the public key (33 bytes) at `index` of a branch, and its path from the master.

        A key without branches gives the same ones for every `keychain`.
        """
        if isinstance(self.key, bytes):
            public_key = self.key if len(self.key) == 33 else b"\x02" + self.key
        else:
            parent = self._parents.get(keychain)
            if parent is None:
                parent = self._parents[keychain] = self.key.derive(self._steps(keychain))
            public_key = parent.child_public_key(index) if self.is_ranged else parent.public_key
        last = (index,) if self.is_ranged else ()
        return public_key, KeyPath(self.fingerprint, (*self._prefix(keychain), *last))

    def index_at(self, path: KeyPath, keychain: int) -> int | None:
        """Return the index of a branch that a key path from the master names, if it names one."""
        if path.fingerprint != self.fingerprint:
            return None
        prefix = self._prefix(keychain)
        if not self.is_ranged:
            return 0 if path.path == prefix else None
        if path.path[:-1] != prefix or not path.path or path.path[-1] >= HARDENED:
            return None
        return path.path[-1]

    def _steps(self, keychain: int) -> tuple[int, ...]:
        return tuple(
            step[min(keychain, len(step) - 1)] if isinstance(step, tuple) else step
            for step in self.path
        )

    def _prefix(self, keychain: int) -> tuple[int, ...]:
        return (*(self.origin.path if self.origin else ()), *self._steps(keychain))

    def __str__(self) -> str:
        key = self.key.hex() if isinstance(self.key, bytes) else self.key.serialize()
        expression = "/".join([key, *map(_format_step, self.path), *("*" * self.is_ranged)])
        return expression if self.origin is None else f"{self.origin}{expression}"


def _format_step(step: int | tuple[int, ...]) -> str:
    return str(step) if isinstance(step, int) else f"<{';'.join(map(str, step))}>"


def _fixed_key(key: bytes, *, x_only: bool) -> bytes:
    try:
        if x_only and len(key) == 32:
            return check_x_only(key)
        if len(key) == 65:
            raise ParseError("Uncompressed public keys are not supported; use a compressed one.")
        return check_public_key(key)
    except CurveError:
        raise ParseError("The public key in this descriptor is not valid.") from None


def _parse_steps(parts: list[str]) -> tuple[int | tuple[int, ...], ...]:
    path: list[int | tuple[int, ...]] = []
    for part in parts:
        if part in ("*h", "*H", "*'"):
            raise ParseError("Hardened addresses (/*h) cannot be derived from a public key.")
        if part == "*":
            raise ParseError("The * of a descriptor stands at the end of its path.")
        if not part.startswith("<"):
            path.append(_unhardened(part))
            continue
        if not part.endswith(">"):
            raise ParseError("The branches of a descriptor are written <0;1>.")
        if any(isinstance(step, tuple) for step in path):
            raise ParseError("A descriptor can branch only once, as in <0;1>.")
        branches = tuple(_unhardened(branch) for branch in part[1:-1].split(";"))
        if len(branches) < 2 or len(set(branches)) != len(branches):
            raise ParseError("The branches of a descriptor are two different steps, as in <0;1>.")
        path.append(branches)
    return tuple(path)


def _unhardened(text: str) -> int:
    step = parse_step(text)
    if step >= HARDENED:
        raise ParseError(
            "A hardened step cannot follow an extended public key; only steps before it, in the "
            "key origin, can be hardened."
        )
    return step
