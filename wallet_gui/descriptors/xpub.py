"""Extended public keys, derivation paths and key origins (BIP32, BIP380)."""

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

from wallet_gui.curve import CurveError, check_public_key, tweak_public_key
from wallet_gui.primitives import base58
from wallet_gui.primitives.hashes import hash160
from wallet_gui.primitives.params import MAINNET, REGTEST, ChainParams
from wallet_gui.primitives.serialize import ParseError

HARDENED: Final = 0x80000000
MAX_DEPTH: Final = 255

_STEP = re.compile(r"([0-9]{1,10})([hH']?)", re.ASCII)

# SLIP132: the same keys under other version bytes, which say the network and the script type.
_SLIP132: Final = {
    bytes.fromhex("049d7cb2"): ("ypub", True, "sh(wpkh"),
    bytes.fromhex("04b24746"): ("zpub", True, "wpkh"),
    bytes.fromhex("044a5262"): ("upub", False, "sh(wpkh"),
    bytes.fromhex("045f1cf6"): ("vpub", False, "wpkh"),
    bytes.fromhex("0295b43f"): ("Ypub", True, "sh(wsh"),
    bytes.fromhex("02aa7ed3"): ("Zpub", True, "wsh"),
    bytes.fromhex("024289ef"): ("Upub", False, "sh(wsh"),
    bytes.fromhex("02575483"): ("Vpub", False, "wsh"),
}


def parse_path(text: str) -> tuple[int, ...]:
    """Read "m/84'/0'/0'", "84h/0h/0h", "m" or "" as steps, hardened ones with HARDENED added.

    Raises ParseError.
    """
    text = text.strip()
    if text in ("", "m", "M"):
        return ()
    if text[:2] in ("m/", "M/"):
        text = text[2:]
    steps = tuple(parse_step(part) for part in text.split("/"))
    if len(steps) > MAX_DEPTH:
        raise ParseError("A derivation path has at most 255 steps.")
    return steps


def parse_step(text: str) -> int:
    """Read one step of a path: 0 to 2147483647, with h, H or ' when hardened."""
    match = _STEP.fullmatch(text)
    if match is None or int(match[1]) >= HARDENED:
        raise ParseError(
            "A step of a derivation path is a number from 0 to 2147483647, followed by h if it is "
            "hardened."
        )
    return int(match[1]) + (HARDENED if match[2] else 0)


def format_path(path: Iterable[int]) -> str:
    """Write steps as "84h/0h/0h"; the empty path is ""."""
    return "/".join(
        f"{step - HARDENED}h" if step >= HARDENED else str(step)
        for step in map(_checked_step, path)
    )


def path_steps(path: str | int | Iterable[int]) -> tuple[int, ...]:
    """Return the steps of a path given as text, as one step, or as steps; each is checked."""
    if isinstance(path, str):
        return parse_path(path)
    if isinstance(path, int):
        return (_checked_step(path),)
    return tuple(_checked_step(step) for step in path)


def _checked_step(step: int) -> int:
    if not 0 <= step < 2 * HARDENED:
        raise ValueError("a step of a derivation path has 32 bits")
    return step


@dataclass(frozen=True, slots=True)
class KeyOrigin:
    """Where an extended key comes from: the master key's fingerprint (4 bytes) and the path."""

    fingerprint: bytes
    path: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.fingerprint) != 4:
            raise ValueError("a key fingerprint has 4 bytes")

    def __str__(self) -> str:
        return "[" + "/".join(filter(None, (self.fingerprint.hex(), format_path(self.path)))) + "]"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "[d34db33f/84h/0h/0h]"; raise ParseError."""
        match = re.fullmatch(r"\[([0-9a-fA-F]{8})((?:/[0-9]{1,10}[hH']?)*)\]", text, re.ASCII)
        if match is None:
            raise ParseError(
                "A key origin is written [fingerprint/path], with a fingerprint of 8 hexadecimal "
                "digits."
            )
        return cls(bytes.fromhex(match[1]), parse_path(match[2][1:]))


class ExtendedKeyFields(NamedTuple):
    """The 78 bytes of a serialized extended key, public or private, taken apart."""

    version: bytes
    depth: int
    parent_fingerprint: bytes
    child_number: int
    chain_code: bytes
    key: bytes  # 33: a compressed public key, or 00 and a secret

    def to_base58(self) -> str:
        return base58.encode_check(
            self.version
            + bytes([self.depth])
            + self.parent_fingerprint
            + self.child_number.to_bytes(4, "big")
            + self.chain_code
            + self.key
        )

    @classmethod
    def from_base58(cls, text: str) -> Self:
        """Decode and apply the checks that public and private keys share; raise ParseError.

        The message never contains the text, which may be a private key.
        """
        if len(text) > 120:
            raise ParseError("An extended key has 111 characters; this text is longer.")
        payload = base58.decode_check(text)
        if len(payload) != 78:
            raise ParseError("This is not an extended key: it has the wrong length.")
        fields = cls(
            payload[:4],
            payload[4],
            payload[5:9],
            int.from_bytes(payload[9:13], "big"),
            payload[13:45],
            payload[45:],
        )
        if fields.depth == 0 and (fields.child_number or any(fields.parent_fingerprint)):
            raise ParseError("This extended key claims to be a master key and a child at once.")
        return fields


@dataclass(frozen=True, slots=True)
class ExtendedPublicKey:
    """A public key with its chain code: every key below it can be derived, never a secret.

    `version` (4 bytes) names the network, `public_key` has 33 bytes, `chain_code` 32.
    """

    version: bytes
    depth: int
    parent_fingerprint: bytes
    child_number: int
    chain_code: bytes
    public_key: bytes

    @classmethod
    def parse(cls, text: str, params: ChainParams | None = None) -> Self:
        """Read an xpub or tpub, of the network `params` if given.

        Raises ParseError with a sentence that tells private keys, SLIP132 forms (zpub) and keys
        of the wrong network apart, and never repeats the text.
        """
        text = text.strip()
        if is_private_key_text(text):
            raise ParseError(PRIVATE_KEY_REFUSED)
        fields = ExtendedKeyFields.from_base58(text)
        slip132 = _SLIP132.get(fields.version)
        if slip132 is not None:
            raise ParseError(
                f"Keys that start with {slip132[0]} are not supported. Export the account's "
                "descriptor instead; it holds the same key as an xpub or tpub."
            )
        known = (MAINNET.xpub_version, REGTEST.xpub_version)
        if fields.version not in (known if params is None else (*known, params.xpub_version)):
            raise ParseError("This is not an extended public key of a Bitcoin network.")
        if params is not None and fields.version != params.xpub_version:
            kind = "the main network" if fields.version == MAINNET.xpub_version else "test networks"
            raise ParseError(f"This key is for {kind}, and the wallet is on {params.name}.")
        try:
            check_public_key(fields.key)
        except CurveError:
            raise ParseError("The public key inside this extended key is not valid.") from None
        return cls(*fields)

    @classmethod
    def parse_any(cls, text: str, params: ChainParams) -> tuple[Self, str]:
        """Read also the forms of SLIP132 (ypub, zpub, Ypub, Zpub and the test networks' ones).

        Returns the key as xpub or tpub, and the name of the script type that the form stands for
        as in a descriptor ("wpkh", "sh(wsh"), "" for none. Raises ParseError.
        """
        text = text.strip()
        if is_private_key_text(text):
            raise ParseError(PRIVATE_KEY_REFUSED)
        fields = ExtendedKeyFields.from_base58(text)
        name, is_main, kind = _SLIP132.get(fields.version, ("", False, ""))
        if not name:
            return cls.parse(text, params), ""
        if is_main is not (params.xpub_version == MAINNET.xpub_version):
            network = "the main network" if is_main else "test networks"
            raise ParseError(f"This {name} is for {network}, and the wallet is on {params.name}.")
        plain = fields._replace(version=params.xpub_version).to_base58()
        return cls.parse(plain, params), kind

    def serialize(self) -> str:
        return ExtendedKeyFields(
            self.version,
            self.depth,
            self.parent_fingerprint,
            self.child_number,
            self.chain_code,
            self.public_key,
        ).to_base58()

    def __str__(self) -> str:
        return self.serialize()

    @property
    def fingerprint(self) -> bytes:
        """The first 4 bytes of HASH160 of the public key."""
        return hash160(self.public_key)[:4]

    def derive(self, path: str | int | Iterable[int]) -> Self:
        """Return the key at `path` below this one.

        Raises ParseError for a hardened step (only the private key can take it) or a path that
        is too deep, and CurveError in the case of probability 2^-127 that a step gives no key.
        """
        key = self
        for step in path_steps(path):
            if key.depth == MAX_DEPTH:
                raise ParseError("An extended key cannot be derived deeper than 255 steps.")
            child, chain_code = key._child(step)
            key = type(self)(self.version, key.depth + 1, key.fingerprint, step, chain_code, child)
        return key

    def child_public_key(self, step: int) -> bytes:
        """Return only the public key (33 bytes) of derive(step): the fast way to many scripts."""
        return self._child(step)[0]

    def _child(self, step: int) -> tuple[bytes, bytes]:
        if not 0 <= step < HARDENED:
            raise ParseError("A hardened step cannot be derived from a public key.")
        data = self.public_key + step.to_bytes(4, "big")
        digest = hmac.digest(self.chain_code, data, hashlib.sha512)
        return tweak_public_key(self.public_key, digest[:32]), digest[32:]


PRIVATE_KEY_REFUSED: Final = (
    "This is a private key. Keep it secret and do not paste it here: a wallet is restored from its "
    "seed words, and a watch-only wallet needs only the public descriptor."
)


def is_private_key_text(text: str) -> bool:
    """Tell whether a key expression is an extended private key (xprv...) or a WIF private key."""
    if re.match(r"[a-zA-Z]prv", text):
        return True
    if not 50 <= len(text) <= 53:
        return False
    try:
        payload = base58.decode_check(text)
    except ParseError:
        return False
    return len(payload) in (33, 34) and payload[0] in (MAINNET.wif_version, REGTEST.wif_version)
