"""Output descriptors of single-signature wallets (BIP380-382, 386, 389).

Supported are pkh(KEY), sh(wpkh(KEY)), wpkh(KEY) and tr(KEY). Everything else is refused with a
sentence: a wallet that half understands a script would show wrong balances.
"""

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Self

from wallet_gui.curve import CurveError, check_public_key, check_x_only, taproot_output_key
from wallet_gui.descriptors.xpub import (
    HARDENED,
    MAX_DEPTH,
    PRIVATE_KEY_REFUSED,
    ExtendedPublicKey,
    KeyOrigin,
    is_private_key_text,
    parse_step,
)
from wallet_gui.primitives import script
from wallet_gui.primitives.address import address_from_script
from wallet_gui.primitives.hashes import hash160
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.psbt import KeyPath
from wallet_gui.primitives.serialize import ParseError

_MAX_TEXT: Final = 1000
_CACHE_SIZE: Final = 4096
_SUPPORTED: Final = "supported are pkh(KEY), sh(wpkh(KEY)), wpkh(KEY) and tr(KEY)."

# BIP380: characters in groups of 32, so that upper and lower case differ in the group only.
_INPUT_CHARSET: Final = (
    "0123456789()[],'/*abcdefgh@:$%{}"
    "IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~"
    'ijklmnopqrstuvwxyzABCDEFGH`#"\\ '
)
_CHECKSUM_CHARSET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR: Final = (0xF5DEE51989, 0xA9FDCA3312, 0x1BAB10E32D, 0x3706B1677A, 0x644D626FFD)


class DescriptorType(Enum):
    """The four script types; the value is the function's name in a descriptor."""

    PKH = "pkh"
    SH_WPKH = "sh(wpkh"
    WPKH = "wpkh"
    TR = "tr"


# Weight of an input with its signature, in weight units. 41 bytes are outpoint, sequence and the
# script's length. ECDSA signatures take 71 bytes with the hash type, because signing grinds low R.
_INPUT_WEIGHT: Final = {
    DescriptorType.PKH: 4 * (41 + 1 + 71 + 1 + 33),
    DescriptorType.SH_WPKH: 4 * (41 + 23) + 1 + 1 + 71 + 1 + 33,
    DescriptorType.WPKH: 4 * 41 + 1 + 1 + 71 + 1 + 33,
    DescriptorType.TR: 4 * 41 + 1 + 1 + 64,
}


def checksum(text: str) -> str:
    """Return the 8 characters that follow # (BIP380); raise ParseError for foreign characters."""
    symbols: list[int] = []
    groups: list[int] = []
    for character in text:
        position = _INPUT_CHARSET.find(character)
        if position < 0:
            raise ParseError("A descriptor has only printable ASCII characters.")
        symbols.append(position & 31)
        groups.append(position >> 5)
        if len(groups) == 3:
            symbols.append(groups[0] * 9 + groups[1] * 3 + groups[2])
            groups.clear()
    if len(groups) == 1:
        symbols.append(groups[0])
    elif groups:
        symbols.append(groups[0] * 3 + groups[1])
    state = 1
    for symbol in (*symbols, 0, 0, 0, 0, 0, 0, 0, 0):
        top = state >> 35
        state = (state & 0x7FFFFFFFF) << 5 ^ symbol
        for bit, generator in enumerate(_GENERATOR):
            if top >> bit & 1:
                state ^= generator
    state ^= 1
    return "".join(_CHECKSUM_CHARSET[state >> 5 * (7 - n) & 31] for n in range(8))


@dataclass(frozen=True, slots=True)
class DerivedKey:
    """What an index of a descriptor stands for, as a PSBT needs it.

    `public_key` (33 bytes) is the derived key, not tweaked; `key_path` leads to it from the master
    key. `redeem_script` is set for sh(wpkh), `tap_internal_key` (32 bytes) for tr.
    """

    script_pubkey: bytes
    public_key: bytes
    key_path: KeyPath
    redeem_script: bytes | None
    tap_internal_key: bytes | None


type_of_name: Final = {kind.value: kind for kind in DescriptorType}


@dataclass(frozen=True, slots=True)
class Descriptor:
    """One parsed descriptor. Equality is that of the normalised text.

    `key` is an extended public key, or a fixed compressed public key (33 bytes; for tr possibly
    32, x-only). `path` holds the steps after it; one of them may be a tuple, the branches of a
    BIP389 multipath such as <0;1>. `is_ranged` tells of a final /*.
    """

    type: DescriptorType
    params: ChainParams
    origin: KeyOrigin | None
    key: ExtendedPublicKey | bytes
    path: tuple[int | tuple[int, ...], ...] = ()
    is_ranged: bool = False
    _parents: dict[int, ExtendedPublicKey] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _derived: dict[tuple[int, int], DerivedKey] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @classmethod
    def parse(cls, text: str, params: ChainParams) -> Self:
        """Read a descriptor of the network `params`, with or without #checksum.

        Hardened steps may be marked h, H or '. Raises ParseError with one sentence, which never
        repeats the text: it may hold a private key.
        """
        text = text.strip()
        if len(text) > _MAX_TEXT:
            raise ParseError("This descriptor is too long to be one of a single key.")
        if re.search(r"\b[a-zA-Z]prv[1-9A-HJ-NP-Za-km-z]{20}", text):
            raise ParseError(PRIVATE_KEY_REFUSED)
        body, separator, given = text.partition("#")
        expected = checksum(body)
        if separator and given != expected:
            raise ParseError(
                "The checksum of this descriptor is wrong: a character was changed or lost. "
                "Copy it again."
            )
        kind, expression = _split_function(body)
        origin, key, path, is_ranged = _parse_key(expression, kind, params)
        return cls(kind, params, origin, key, path, is_ranged)

    @classmethod
    def account(
        cls, kind: DescriptorType, params: ChainParams, origin: KeyOrigin, xpub: ExtendedPublicKey
    ) -> Self:
        """Return the usual descriptor of an account: KIND([origin]xpub/<0;1>/*)."""
        return cls(kind, params, origin, xpub, ((0, 1),), is_ranged=True)

    @property
    def xpub(self) -> ExtendedPublicKey:
        """The extended public key; ValueError when the descriptor holds a single fixed key."""
        if isinstance(self.key, bytes):
            raise ValueError("this descriptor holds a single key")  # noqa: TRY004 - a value, not a type
        return self.key

    @property
    def is_multipath(self) -> bool:
        return self.keychains > 1

    @property
    def keychains(self) -> int:
        """The number of branches: 2 for <0;1>, else 1."""
        return next((len(step) for step in self.path if isinstance(step, tuple)), 1)

    @property
    def fingerprint(self) -> bytes:
        """The master key's fingerprint (4 bytes), or the key's own when no origin is given."""
        if self.origin is not None:
            return self.origin.fingerprint
        if isinstance(self.key, bytes):
            return hash160(self.key)[:4]
        return self.key.fingerprint

    @property
    def input_weight(self) -> int:
        """Weight units of an input that spends such an output, signature included.

        A transaction with any witness adds one unit for each pkh input.
        """
        return _INPUT_WEIGHT[self.type]

    def script_pubkey(self, index: int = 0, keychain: int = 0) -> bytes:
        return self.derive(index, keychain).script_pubkey

    def address(self, index: int = 0, keychain: int = 0) -> str:
        text = address_from_script(self.script_pubkey(index, keychain), self.params)
        if text is None:
            raise ValueError("this script has no address")
        return text

    @property
    def first_address(self) -> str:
        """The first receive address: what a person compares after a restore."""
        return self.address(0, 0)

    def derive(self, index: int, keychain: int = 0) -> DerivedKey:
        """Return script and keys at `index` (0 to 2^31-1) of branch `keychain`.

        A descriptor without /* has index 0 only, one without multipath keychain 0 only; others
        are a ValueError.
        """
        cached = self._derived.get((keychain, index))
        if cached is not None:
            return cached
        if not 0 <= index < (HARDENED if self.is_ranged else 1):
            raise ValueError("this descriptor has no script at that index")
        if not 0 <= keychain < self.keychains:
            raise ValueError("this descriptor has no such keychain")
        if len(self._derived) >= _CACHE_SIZE:
            self._derived.clear()
        derived = self._derive(index, keychain)
        self._derived[keychain, index] = derived
        return derived

    def _derive(self, index: int, keychain: int) -> DerivedKey:
        steps = tuple(step[keychain] if isinstance(step, tuple) else step for step in self.path)
        if isinstance(self.key, bytes):
            public_key = self.key if len(self.key) == 33 else b"\x02" + self.key
        else:
            parent = self._parents.get(keychain)
            if parent is None:
                parent = self._parents[keychain] = self.key.derive(steps)
            public_key = parent.child_public_key(index) if self.is_ranged else parent.public_key
        if self.is_ranged:
            steps = (*steps, index)
        path = KeyPath(self.fingerprint, (*(self.origin.path if self.origin else ()), *steps))
        if self.type is DescriptorType.TR:
            internal = public_key[1:]
            output_script = script.p2tr(taproot_output_key(internal)[0])
            return DerivedKey(output_script, public_key, path, None, internal)
        key_hash = hash160(public_key)
        if self.type is DescriptorType.PKH:
            return DerivedKey(script.p2pkh(key_hash), public_key, path, None, None)
        witness_program = script.p2wpkh(key_hash)
        if self.type is DescriptorType.WPKH:
            return DerivedKey(witness_program, public_key, path, None, None)
        nested = script.p2sh(hash160(witness_program))
        return DerivedKey(nested, public_key, path, witness_program, None)

    def to_string(self) -> str:
        """Write the descriptor, hardened steps marked h, with its checksum."""
        key = self.key.hex() if isinstance(self.key, bytes) else self.key.serialize()
        expression = "/".join([key, *map(_format_step, self.path), *("*" * self.is_ranged)])
        origin = "" if self.origin is None else str(self.origin)
        closing = ")" * (1 + self.type.value.count("("))
        body = f"{self.type.value}({origin}{expression}{closing}"
        return f"{body}#{checksum(body)}"

    def __str__(self) -> str:
        return self.to_string()


def _format_step(step: int | tuple[int, ...]) -> str:
    return str(step) if isinstance(step, int) else f"<{';'.join(map(str, step))}>"


def _split_function(body: str) -> tuple[DescriptorType, str]:
    for kind in (
        DescriptorType.SH_WPKH,
        DescriptorType.PKH,
        DescriptorType.WPKH,
        DescriptorType.TR,
    ):
        opening = f"{kind.value}("
        closing = ")" * opening.count("(")
        if body.startswith(opening) and body.endswith(closing):
            expression = body[len(opening) : len(body) - len(closing)]
            if kind is DescriptorType.TR and "," in expression:
                raise ParseError(f"tr(KEY,TREE) with scripts is not supported; {_SUPPORTED}")
            if "(" not in expression and ")" not in expression:
                return kind, expression
    name = re.match(r"(?:sh\()?[a-z][a-z_0-9]{0,20}(?=\()", body, re.ASCII)
    if name is None:
        raise ParseError(f"This is not a descriptor; {_SUPPORTED}")
    if name[0] in type_of_name:
        raise ParseError("The parentheses of this descriptor do not match. Copy it again.")
    function = f"{name[0]}(...)" + ")" * name[0].count("(")
    raise ParseError(f"{function} descriptors are not supported; {_SUPPORTED}")


def _parse_key(
    expression: str, kind: DescriptorType, params: ChainParams
) -> tuple[KeyOrigin | None, ExtendedPublicKey | bytes, tuple[int | tuple[int, ...], ...], bool]:
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
        return (
            origin,
            _fixed_key(bytes.fromhex(text) if len(text) % 2 == 0 else b"", kind),
            (),
            False,
        )
    key = ExtendedPublicKey.parse(text, params)
    is_ranged = bool(parts) and parts[-1] == "*"
    path = _parse_steps(parts[:-1] if is_ranged else parts)
    if key.depth + len(path) + is_ranged > MAX_DEPTH:
        raise ParseError("An extended key cannot be derived deeper than 255 steps.")
    return origin, key, path, is_ranged


def _fixed_key(key: bytes, kind: DescriptorType) -> bytes:
    try:
        if kind is DescriptorType.TR and len(key) == 32:
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
