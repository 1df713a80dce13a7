"""Output descriptors of single-signature and multisig wallets (BIP380-383, 386, 389).

Supported are pkh(KEY), sh(wpkh(KEY)), wpkh(KEY) and tr(KEY), and sortedmulti (BIP67) or multi
inside wsh, sh(wsh) and sh. Everything else is refused with a sentence: a wallet that half
understands a script would show wrong balances.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Self

from wallet_gui.curve import taproot_output_key
from wallet_gui.descriptors.checksum import checksum
from wallet_gui.descriptors.key_expression import KeyExpression
from wallet_gui.descriptors.xpub import (
    HARDENED,
    PRIVATE_KEY_REFUSED,
    ExtendedPublicKey,
    KeyOrigin,
)
from wallet_gui.primitives import script
from wallet_gui.primitives.address import address_from_script
from wallet_gui.primitives.hashes import hash160, sha256
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.psbt import KeyPath
from wallet_gui.primitives.serialize import ParseError, compact_size

MAX_COSIGNERS: Final = 15
"""What fits into a P2SH script with compressed keys (BIP383); we keep to it for wsh as well."""

_MAX_TEXT: Final = 10_000
_CACHE_SIZE: Final = 4096
_SUPPORTED: Final = (
    "supported are pkh(KEY), sh(wpkh(KEY)), wpkh(KEY), tr(KEY), and sortedmulti or multi inside "
    "wsh, sh(wsh or sh."
)


class DescriptorType(Enum):
    """The four script types of a single key; the value is the function's name in a descriptor."""

    PKH = "pkh"
    SH_WPKH = "sh(wpkh"
    WPKH = "wpkh"
    TR = "tr"


class MultisigType(Enum):
    """What wraps a multisig script; the value is the function's name in a descriptor."""

    WSH = "wsh"
    SH_WSH = "sh(wsh"
    SH = "sh"


# Weight of an input with its signature, in weight units. 41 bytes are outpoint, sequence and the
# script's length. ECDSA signatures take 71 bytes with the hash type, because signing grinds low R.
_INPUT_WEIGHT: Final = {
    DescriptorType.PKH: 4 * (41 + 1 + 71 + 1 + 33),
    DescriptorType.SH_WPKH: 4 * (41 + 23) + 1 + 1 + 71 + 1 + 33,
    DescriptorType.WPKH: 4 * 41 + 1 + 1 + 71 + 1 + 33,
    DescriptorType.TR: 4 * 41 + 1 + 1 + 64,
}

# A cosigner's device may not grind low R: 72 bytes with the hash type, and one that says so.
_COSIGNATURE_SIZE: Final = 1 + 72

_MULTISIG = re.compile(r"(wsh|sh\(wsh|sh)\((sortedmulti|multi)\(([^()]*)\)(\)+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class DerivedKey:
    """What an index of a descriptor stands for, as a PSBT needs it.

    `keys` are the public keys (33 bytes, not tweaked), each with its path from its master key, in
    the descriptor's order; a single one but for multisig. `redeem_script` is set inside sh,
    `witness_script` inside wsh, `tap_internal_key` (32 bytes) for tr.
    """

    script_pubkey: bytes
    keys: tuple[tuple[bytes, KeyPath], ...]
    redeem_script: bytes | None
    witness_script: bytes | None
    tap_internal_key: bytes | None

    @property
    def public_key(self) -> bytes:
        """The only key; ValueError for multisig."""
        return self._single[0]

    @property
    def key_path(self) -> KeyPath:
        """The path to the only key; ValueError for multisig."""
        return self._single[1]

    @property
    def _single(self) -> tuple[bytes, KeyPath]:
        if self.is_multisig:
            raise ValueError("a multisig script has several keys")
        return self.keys[0]

    @property
    def multisig_script(self) -> bytes | None:
        """The script that counts signatures, wherever it is wrapped; None for a single key."""
        if self.witness_script is not None:
            return self.witness_script
        redeem = self.redeem_script
        return redeem if redeem is not None and script.parse_multisig(redeem) else None

    @property
    def is_multisig(self) -> bool:
        return self.multisig_script is not None


type_of_name: Final = {kind.value: kind for kind in DescriptorType}


@dataclass(frozen=True, slots=True)
class Descriptor:
    """One parsed descriptor. Equality is that of the normalised text.

    `keys` are one or, for multisig, 1 to 15; `required` signatures unlock. With `is_sorted` the
    derived keys are put in BIP67's order, else they stay as written.
    """

    type: DescriptorType | MultisigType
    params: ChainParams
    keys: tuple[KeyExpression, ...]
    required: int = 1
    is_sorted: bool = False
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
            raise ParseError("This descriptor is too long for one of 15 keys.")
        if re.search(r"\b[a-zA-Z]prv[1-9A-HJ-NP-Za-km-z]{20}", text):
            raise ParseError(PRIVATE_KEY_REFUSED)
        body, separator, given = text.partition("#")
        expected = checksum(body)
        if separator and given != expected:
            raise ParseError(
                "The checksum of this descriptor is wrong: a character was changed or lost. "
                "Copy it again."
            )
        match = _MULTISIG.fullmatch(body)
        if match is not None and len(match[4]) == 1 + match[1].count("("):
            threshold, *expressions = match[3].split(",")
            keys = tuple(KeyExpression.parse(part, params) for part in expressions)
            required = _threshold(threshold)
            _check_cosigners(required, keys)
            return cls(MultisigType(match[1]), params, keys, required, match[2] != "multi")
        kind, expression = _split_function(body)
        is_taproot = kind is DescriptorType.TR
        return cls(kind, params, (KeyExpression.parse(expression, params, x_only=is_taproot),))

    @classmethod
    def account(
        cls,
        kind: DescriptorType,
        params: ChainParams,
        origin: KeyOrigin | None,
        xpub: ExtendedPublicKey,
    ) -> Self:
        """Return the usual descriptor of an account: KIND([origin]xpub/<0;1>/*)."""
        return cls(kind, params, (KeyExpression(origin, xpub, ((0, 1),), is_ranged=True),))

    @classmethod
    def multisig(
        cls,
        kind: MultisigType,
        params: ChainParams,
        required: int,
        cosigners: Sequence[tuple[KeyOrigin | None, ExtendedPublicKey]],
    ) -> Self:
        """Return KIND(sortedmulti(required,[origin]xpub/<0;1>/*,...)); raise ParseError."""
        keys = tuple(
            KeyExpression(origin, xpub, ((0, 1),), is_ranged=True) for origin, xpub in cosigners
        )
        _check_cosigners(required, keys)
        return cls(kind, params, keys, required, is_sorted=True)

    @property
    def is_multisig(self) -> bool:
        return isinstance(self.type, MultisigType)

    @property
    def is_account(self) -> bool:
        """Whether a wallet can use it: every key gives receive and change keys without end."""
        return all(key.is_account for key in self.keys)

    @property
    def _only_key(self) -> KeyExpression:
        if self.is_multisig:
            raise ValueError("a multisig descriptor has several keys")
        return self.keys[0]

    @property
    def origin(self) -> KeyOrigin | None:
        """The origin of the only key; ValueError for multisig, as for the next ones."""
        return self._only_key.origin

    @property
    def key(self) -> ExtendedPublicKey | bytes:
        return self._only_key.key

    @property
    def path(self) -> tuple[int | tuple[int, ...], ...]:
        return self._only_key.path

    @property
    def fingerprint(self) -> bytes:
        """The master key's fingerprint (4 bytes), or the key's own when no origin is given."""
        return self._only_key.fingerprint

    @property
    def xpub(self) -> ExtendedPublicKey:
        """The extended public key; ValueError when the descriptor holds a single fixed key."""
        if isinstance(self.key, bytes):
            raise ValueError("this descriptor holds a single key")  # noqa: TRY004 - a value, not a type
        return self.key

    @property
    def fingerprints(self) -> frozenset[bytes]:
        """The master fingerprints of all keys, as in `fingerprint`."""
        return frozenset(key.fingerprint for key in self.keys)

    @property
    def is_ranged(self) -> bool:
        return any(key.is_ranged for key in self.keys)

    @property
    def is_multipath(self) -> bool:
        return self.keychains > 1

    @property
    def keychains(self) -> int:
        """The number of branches: 2 for <0;1>, else 1."""
        return max(key.keychains for key in self.keys)

    @property
    def has_witness(self) -> bool:
        """Whether inputs that spend such outputs carry a witness."""
        return self.type not in (DescriptorType.PKH, MultisigType.SH)

    @property
    def input_weight(self) -> int:
        """Weight units of an input that spends such an output, signatures included.

        For multisig the least that is never exceeded. A transaction with any witness adds one
        unit for each input without one.
        """
        if isinstance(self.type, DescriptorType):
            return _INPUT_WEIGHT[self.type]
        script_size = 1 + 34 * len(self.keys) + 1 + 1
        # An empty item comes first, which CHECKMULTISIG takes from the stack for nothing.
        signatures = 1 + _COSIGNATURE_SIZE * self.required
        if self.type is MultisigType.SH:
            push = 1 if script_size < 76 else 2 if script_size < 256 else 3
            size = signatures + push + script_size
            return 4 * (40 + len(compact_size(size)) + size)
        nested = 35 if self.type is MultisigType.SH_WSH else 0
        count = 1
        return 4 * (41 + nested) + (
            count + signatures + len(compact_size(script_size)) + script_size
        )

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

    def places(self, path: KeyPath) -> Iterator[tuple[int, int]]:
        """Give (keychain, index) of scripts in which a key has that path, for `derive`."""
        for keychain in range(self.keychains):
            indexes = (key.index_at(path, keychain) for key in self.keys)
            for index in dict.fromkeys(indexes):
                if index is not None and (self.is_ranged or index == 0):
                    yield keychain, index

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
        keys = tuple(key.derive(index, keychain) for key in self.keys)
        if isinstance(self.type, MultisigType):
            return self._derive_multisig(keys, self.type)
        public_key = keys[0][0]
        if self.type is DescriptorType.TR:
            internal = public_key[1:]
            output_script = script.p2tr(taproot_output_key(internal)[0])
            return DerivedKey(output_script, keys, None, None, internal)
        key_hash = hash160(public_key)
        if self.type is DescriptorType.PKH:
            return DerivedKey(script.p2pkh(key_hash), keys, None, None, None)
        witness_program = script.p2wpkh(key_hash)
        if self.type is DescriptorType.WPKH:
            return DerivedKey(witness_program, keys, None, None, None)
        nested = script.p2sh(hash160(witness_program))
        return DerivedKey(nested, keys, witness_program, None, None)

    def _derive_multisig(
        self, keys: tuple[tuple[bytes, KeyPath], ...], kind: MultisigType
    ) -> DerivedKey:
        public_keys = [public_key for public_key, _ in keys]
        if self.is_sorted:
            public_keys.sort()
        inner = script.multisig(self.required, public_keys)
        if kind is MultisigType.SH:
            return DerivedKey(script.p2sh(hash160(inner)), keys, inner, None, None)
        program = script.p2wsh(sha256(inner))
        if kind is MultisigType.WSH:
            return DerivedKey(program, keys, None, inner, None)
        return DerivedKey(script.p2sh(hash160(program)), keys, program, inner, None)

    def to_string(self) -> str:
        """Write the descriptor, hardened steps marked h, with its checksum."""
        body = self._body(map(str, self.keys))
        return f"{body}#{checksum(body)}"

    def abbreviated(self) -> str:
        """Write it without keys, their paths and the checksum: what BIP329 calls the origin.

        "" when the origin of a key is not known.
        """
        if any(key.origin is None for key in self.keys):
            return ""
        return self._body(str(key.origin) for key in self.keys)

    def _body(self, keys: Iterator[str]) -> str:
        inner = ",".join(keys)
        if self.is_multisig:
            inner = f"{'sorted' * self.is_sorted}multi({self.required},{inner})"
        return f"{self.type.value}({inner}{')' * (1 + self.type.value.count('('))}"

    def __str__(self) -> str:
        return self.to_string()


def _threshold(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,3}", text, re.ASCII):
        raise ParseError("A multisig descriptor begins with the number of signatures it takes.")
    return int(text)


def _check_cosigners(required: int, keys: tuple[KeyExpression, ...]) -> None:
    if not keys:
        raise ParseError("This multisig descriptor has no keys.")
    if len(keys) > MAX_COSIGNERS:
        raise ParseError(
            f"This multisig has {len(keys)} keys; up to {MAX_COSIGNERS} are supported."
        )
    if not 1 <= required <= len(keys):
        raise ParseError(
            f"A multisig of {len(keys)} keys takes 1 to {len(keys)} signatures, not {required}."
        )
    if len({key.identity for key in keys}) != len(keys):
        raise ParseError("The same key stands twice in this multisig; each cosigner has its own.")
    if len({key.keychains for key in keys} - {1}) > 1:
        raise ParseError("The keys of this multisig have different numbers of branches.")


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
    name = re.match(r"(?:sh\()?(?:wsh\()?[a-z][a-z_0-9]{0,20}(?=\()", body, re.ASCII)
    if name is None:
        raise ParseError(f"This is not a descriptor; {_SUPPORTED}")
    if name[0] in type_of_name or _MULTISIG.match(body + ")"):
        raise ParseError("The parentheses of this descriptor do not match. Copy it again.")
    function = f"{name[0]}(...)" + ")" * name[0].count("(")
    raise ParseError(f"{function} descriptors are not supported; {_SUPPORTED}")
