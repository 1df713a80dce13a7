"""The secret box of a wallet file: what is inside, and how a password opens it.

The box holds entropy and language, never the stretched seed and never the words as text. The
passphrase (25th word) is not stored; the fingerprint of the wallet that it leads to is, so that a
mistyped one is noticed before coins seem to have disappeared.

Of a multisig wallet the whole descriptor is inside, with the cosigners' public keys: what was
agreed on when the wallet was made decides what is ours, whatever the view box or a PSBT says.

A wallet that was imported as an extended private key has that key in the place of the entropy, and
its descriptors as those of a multisig: nothing else says what was imported.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

from wallet_gui.descriptors.descriptor import DescriptorType
from wallet_gui.descriptors.xpub import HARDENED
from wallet_gui.keys.errors import CorruptSecretBox, PasswordWrong, SeedError
from wallet_gui.keys.imported import Root, parse_root
from wallet_gui.keys.kdf import derive_key, derive_new_key
from wallet_gui.keys.seed import ENTROPY_BITS, LANGUAGES, Seed
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.sealing import (
    DEFAULT,
    REDUCED,
    SECRET,
    DamagedBox,
    KdfParameters,
    NewerFormat,
    WrongKeyOrHeader,
    new_salt,
    open_box,
    parse_box,
    seal_box,
)

FORMAT: Final = 3
"""Goes up with each change of the contents; a newer number is refused untouched.

1: without `descriptors`; 2: without `imported_xprv`. Both are read, and become 3 when the box is
sealed anew.
"""

MAX_DESCRIPTOR: Final = 10_000
MAX_XPRV: Final = 4_000  # an origin may have 255 steps

NO_WORDS: Final = (
    "This wallet has no words: it was imported as an extended private key. Its backup is a copy of "
    "the wallet file, or what it was imported from."
)

_FIELDS: Final = frozenset(
    {
        "format",
        "entropy",
        "language",
        "network",
        "script_types",
        "account",
        "passphrase_fingerprint",
        "imported_keys",
    }
)
_FIELDS_SINCE: Final = {2: "descriptors", 3: "imported_xprv"}


@dataclass(frozen=True, slots=True, repr=False)
class SecretPayload:
    """The contents of a secret box.

    `entropy` has 16 to 32 bytes; `language` names the BIP39 list of the words on paper. Of a wallet
    that has no words it is empty, and `imported_xprv` holds the key as [fingerprint/path]xprv, a
    master key without the origin.
    `passphrase_fingerprint` (4 bytes) is the master fingerprint with the passphrase, or None when
    the wallet has none. `network` is the name of the network the wallet was made for, "" if it was
    not said. `imported_keys` is reserved and empty. A multisig wallet has no `script_types`, but
    `descriptors`: the agreed ones, as normalised text with checksum; an imported wallet has its own
    there.
    """

    entropy: bytes
    language: str = "english"
    passphrase_fingerprint: bytes | None = None
    network: str = ""
    script_types: tuple[str, ...] = ("wpkh",)
    account: int = 0
    imported_keys: tuple[str, ...] = ()
    descriptors: tuple[str, ...] = ()
    imported_xprv: str = ""

    def __post_init__(self) -> None:
        self._check_origin_of_keys()
        if self.language not in LANGUAGES:
            raise ValueError("there is no BIP39 word list of that name")
        if self.passphrase_fingerprint is not None and len(self.passphrase_fingerprint) != 4:
            raise ValueError("a key fingerprint has 4 bytes")
        known = {kind.name.lower() for kind in DescriptorType}
        if not set(self.script_types) <= known:
            raise ValueError("a wallet has one or more of the known script types")
        if bool(self.script_types) is bool(self.descriptors):
            raise ValueError("a wallet has either script types or agreed descriptors")
        if any(type(d) is not str or len(d) > MAX_DESCRIPTOR for d in self.descriptors):
            raise ValueError("a descriptor is text of bounded length")
        if len(set(self.script_types)) != len(self.script_types):
            raise ValueError("a wallet has each script type once")
        if type(self.account) is not int or not 0 <= self.account < HARDENED:
            raise ValueError("account numbers go from 0 to 2147483647")

    def _check_origin_of_keys(self) -> None:
        if type(self.imported_xprv) is not str or len(self.imported_xprv) > MAX_XPRV:
            raise ValueError("an imported key is text of bounded length")
        if self.imported_xprv and (self.entropy or self.passphrase_fingerprint is not None):
            raise ValueError("an imported key has neither words nor a passphrase")
        if self.imported_xprv and not self.descriptors:
            raise ValueError("a wallet of an imported key names its descriptors")
        if not self.imported_xprv and len(self.entropy) * 8 not in ENTROPY_BITS:
            raise ValueError("entropy has 128, 160, 192, 224 or 256 bits")

    def __repr__(self) -> str:
        return "<SecretPayload>"

    @property
    def is_imported(self) -> bool:
        """Whether the wallet has an extended private key instead of words."""
        return bool(self.imported_xprv)

    @property
    def needs_passphrase(self) -> bool:
        return self.passphrase_fingerprint is not None

    def seed(self, passphrase: str = "") -> Seed:
        """Return what the words stand for. Raises SeedError for a wallet without words."""
        if self.is_imported:
            raise SeedError(NO_WORDS)
        return Seed(self.entropy, self.language, passphrase)

    def root(self, params: ChainParams, passphrase: str = "") -> Root:
        """Return the key from which all others come. Raises CorruptSecretBox.

        Whether the passphrase is the right one, `passphrase_fingerprint` tells.
        """
        if not self.is_imported:
            return ExtendedPrivateKey.from_seed(self.seed(passphrase).stretched(), params)
        try:
            return parse_root(self.imported_xprv, params)
        except ParseError:
            raise _unreadable() from None

    def encode(self) -> bytes:
        """Return canonical JSON (sorted keys, no blanks, ASCII)."""
        fingerprint = self.passphrase_fingerprint
        contents = {
            "format": FORMAT,
            "entropy": self.entropy.hex(),
            "language": self.language,
            "network": self.network,
            "script_types": list(self.script_types),
            "account": self.account,
            "passphrase_fingerprint": None if fingerprint is None else fingerprint.hex(),
            "imported_keys": list(self.imported_keys),
            "descriptors": list(self.descriptors),
            "imported_xprv": self.imported_xprv,
        }
        return json.dumps(contents, sort_keys=True, separators=(",", ":")).encode("ascii")

    @classmethod
    def decode(cls, data: bytes) -> "SecretPayload":
        """Read what encode wrote; raise NewerFormat or CorruptSecretBox, without its contents."""
        try:
            contents = json.loads(data.decode("ascii"))
            written_by = contents["format"]
            payload = None
            if type(written_by) is int and 1 <= written_by <= FORMAT:
                payload = cls._from_contents(contents, written_by)
        except (ValueError, KeyError, TypeError, RecursionError):
            raise _unreadable() from None
        if payload is not None:
            return payload
        if isinstance(written_by, int) and written_by > FORMAT:
            raise NewerFormat(
                "The wallet's secrets were written by a newer version of this program. "
                "Update the program to open it; the file was left as it is."
            )
        raise _unreadable()

    @classmethod
    def _from_contents(cls, contents: dict[str, Any], written_by: int) -> "SecretPayload":
        language, network = contents["language"], contents["network"]
        fingerprint, imported = contents["passphrase_fingerprint"], contents["imported_keys"]
        added = {name for since, name in _FIELDS_SINCE.items() if since <= written_by}
        if set(contents) != _FIELDS | added or imported != []:
            raise ValueError("unexpected contents")
        if not isinstance(language, str) or not isinstance(network, str):
            raise TypeError("unexpected contents")
        script_types, descriptors = contents["script_types"], contents.get("descriptors", [])
        if not isinstance(script_types, list) or not isinstance(descriptors, list):
            raise TypeError("unexpected contents")
        return cls(
            bytes.fromhex(contents["entropy"]),
            language,
            None if fingerprint is None else bytes.fromhex(fingerprint),
            network,
            tuple(script_types),
            contents["account"],
            descriptors=tuple(descriptors),
            imported_xprv=contents.get("imported_xprv", ""),
        )


def seal(
    password: str,
    payload: SecretPayload,
    *,
    parameters: KdfParameters = DEFAULT,
    fallback: KdfParameters = REDUCED,
    minimum: KdfParameters | None = None,
) -> bytes:
    """Seal the payload under a password with a new salt; takes seconds.

    The parameters used can be read back with sealing.parse_box: `fallback` means that the system
    refused the usual memory. Raises NotEnoughMemory, or KdfRefused for parameters below `minimum`.
    """
    salt = new_salt()
    new = derive_new_key(password, salt, parameters, fallback)
    return seal_with(new.key, new.parameters, salt, payload, minimum=minimum)


def seal_with(
    key: bytes,
    parameters: KdfParameters,
    salt: bytes,
    payload: SecretPayload,
    *,
    minimum: KdfParameters | None = None,
) -> bytes:
    """Seal the payload under a key that is derived already, and read the box back.

    Raises CorruptSecretBox when it does not open again.
    """
    box = seal_box(key, SECRET, parameters, salt, payload.encode(), minimum=minimum)
    # A computer that makes mistakes must not replace the box that still opens.
    if SecretPayload.decode(open_box(key, box, minimum=minimum)) != payload:
        raise CorruptSecretBox(
            "What was sealed does not open again: this computer makes mistakes. Nothing was "
            "changed; restart it and try again."
        )
    return box


def open(  # noqa: A001 - read as secret_box.open
    password: str, data: bytes, *, minimum: KdfParameters | None = None
) -> SecretPayload:
    """Open a secret box; takes seconds. `data` is exactly the box.

    Raises PasswordWrong, CorruptSecretBox, NewerFormat, or NotEnoughMemory.
    """
    return open_with_key(password, data, minimum=minimum)[0]


def open_with_key(
    password: str, data: bytes, *, minimum: KdfParameters | None = None
) -> tuple[SecretPayload, bytes]:
    """Open a secret box as `open` does; the second part is the key of the password."""
    try:
        header, _ = parse_box(data, minimum=minimum)
        if header.kind != SECRET:
            raise CorruptSecretBox("This is not the part of a wallet file that holds its secrets.")
        key = derive_key(password, header.salt, header.kdf)
        plaintext = open_box(key, data, minimum=minimum)
    except WrongKeyOrHeader as error:
        raise PasswordWrong(str(error)) from None
    except DamagedBox as error:
        raise CorruptSecretBox(str(error)) from None
    return SecretPayload.decode(plaintext), key


def _unreadable() -> CorruptSecretBox:
    return CorruptSecretBox(
        "The wallet's secrets cannot be read. Open an older copy of the file, or restore the "
        "wallet from its seed words."
    )
