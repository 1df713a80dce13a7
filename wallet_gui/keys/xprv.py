"""Extended private keys (BIP32)."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from wallet_gui.curve import CurveError, check_secret, public_key, tweak_secret
from wallet_gui.descriptors.xpub import (
    HARDENED,
    MAX_DEPTH,
    ExtendedKeyFields,
    ExtendedPublicKey,
    path_steps,
)
from wallet_gui.primitives.hashes import hash160
from wallet_gui.primitives.params import MAINNET, REGTEST, ChainParams
from wallet_gui.primitives.serialize import ParseError

_XPUB_VERSION: Final = {
    MAINNET.xprv_version: MAINNET.xpub_version,
    REGTEST.xprv_version: REGTEST.xpub_version,
}

# SLIP132: the same keys under other version bytes, which say the network and the script type.
_SLIP132: Final = {
    bytes.fromhex("049d7878"): ("yprv", True, "sh(wpkh"),
    bytes.fromhex("04b2430c"): ("zprv", True, "wpkh"),
    bytes.fromhex("044a4e28"): ("uprv", False, "sh(wpkh"),
    bytes.fromhex("045f18bc"): ("vprv", False, "wpkh"),
    bytes.fromhex("0295b005"): ("Yprv", True, "sh(wsh"),
    bytes.fromhex("02aa7a99"): ("Zprv", True, "wsh"),
    bytes.fromhex("024285b5"): ("Uprv", False, "sh(wsh"),
    bytes.fromhex("02575048"): ("Vprv", False, "wsh"),
}


@dataclass(frozen=True, slots=True, repr=False)
class ExtendedPrivateKey:
    """A secret (32 bytes) with its chain code (32 bytes). Its repr shows the fingerprint only.

    `version` (4 bytes) names the network: xprv or tprv.
    """

    version: bytes
    depth: int
    parent_fingerprint: bytes
    child_number: int
    chain_code: bytes
    secret: bytes

    def __repr__(self) -> str:
        return f"<ExtendedPrivateKey {self.fingerprint.hex()} depth {self.depth}>"

    @classmethod
    def from_seed(cls, seed: bytes, params: ChainParams = MAINNET) -> Self:
        """Return the master key of a seed of 16 to 64 bytes; BIP39 gives 64.

        Raises ValueError for another length, CurveError in the case of probability 2^-127 that
        the seed gives no key.
        """
        if not 16 <= len(seed) <= 64:
            raise ValueError("a BIP32 seed has 16 to 64 bytes")
        digest = hmac.digest(b"Bitcoin seed", seed, hashlib.sha512)
        secret = check_secret(digest[:32])
        return cls(params.xprv_version, 0, bytes(4), 0, digest[32:], secret)

    @classmethod
    def parse(cls, text: str, params: ChainParams | None = None) -> Self:
        """Read an xprv or tprv, of the network `params` if given; raise ParseError.

        No message repeats the text.
        """
        fields = ExtendedKeyFields.from_base58(text.strip())
        if fields.version in _XPUB_VERSION.values():
            raise ParseError("This is a public key; the private one starts with xprv or tprv.")
        if fields.version not in _XPUB_VERSION:
            raise ParseError("This is not an extended private key of a Bitcoin network.")
        if params is not None and fields.version != params.xprv_version:
            kind = "the main network" if fields.version == MAINNET.xprv_version else "test networks"
            raise ParseError(f"This key is for {kind}, and the wallet is on {params.name}.")
        if fields.key[0] != 0:
            raise ParseError("The private key inside this extended key is not valid.")
        try:
            secret = check_secret(fields.key[1:])
        except CurveError:
            raise ParseError("The private key inside this extended key is not valid.") from None
        return cls(*fields[:5], secret)

    @classmethod
    def parse_any(cls, text: str, params: ChainParams) -> tuple[Self, str]:
        """Read also the forms of SLIP132 (yprv, zprv, Yprv, Zprv and the test networks' ones).

        Returns the key as xprv or tprv, and the script type that the form stands for as in a
        descriptor ("wpkh", "sh(wsh"), "" for none. Raises ParseError; no message repeats the text.
        """
        text = text.strip()
        fields = ExtendedKeyFields.from_base58(text)
        name, is_main, kind = _SLIP132.get(fields.version, ("", False, ""))
        if not name:
            return cls.parse(text, params), ""
        if is_main is not (params.xprv_version == MAINNET.xprv_version):
            network = "the main network" if is_main else "test networks"
            raise ParseError(f"This {name} is for {network}, and the wallet is on {params.name}.")
        plain = fields._replace(version=params.xprv_version).to_base58()
        return cls.parse(plain, params), kind

    def serialize(self) -> str:
        """Write the key as xprv or tprv: a secret, to be shown to its owner only."""
        return ExtendedKeyFields(
            self.version,
            self.depth,
            self.parent_fingerprint,
            self.child_number,
            self.chain_code,
            b"\x00" + self.secret,
        ).to_base58()

    @property
    def public_key(self) -> bytes:
        """The compressed public key (33 bytes)."""
        return public_key(self.secret)

    @property
    def fingerprint(self) -> bytes:
        """The first 4 bytes of HASH160 of the public key."""
        return hash160(self.public_key)[:4]

    def neuter(self) -> ExtendedPublicKey:
        """Return the extended public key of this key."""
        return ExtendedPublicKey(
            _XPUB_VERSION[self.version],
            self.depth,
            self.parent_fingerprint,
            self.child_number,
            self.chain_code,
            self.public_key,
        )

    def derive(self, path: str | int | Iterable[int]) -> Self:
        """Return the key at `path` below this one, for example "m/84h/0h/0h".

        Raises ParseError for a path that is malformed or too deep, and CurveError in the case of
        probability 2^-127 that a step gives no key.
        """
        key = self
        for step in path_steps(path):
            if key.depth == MAX_DEPTH:
                raise ParseError("An extended key cannot be derived deeper than 255 steps.")
            own_public_key = key.public_key
            data = b"\x00" + key.secret if step >= HARDENED else own_public_key
            digest = hmac.digest(key.chain_code, data + step.to_bytes(4, "big"), hashlib.sha512)
            key = type(self)(
                self.version,
                key.depth + 1,
                hash160(own_public_key)[:4],
                step,
                digest[32:],
                tweak_secret(key.secret, digest[:32]),
            )
        return key
