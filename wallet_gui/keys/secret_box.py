"""The secret box of a wallet file: what is inside, and how a password opens it.

The box holds entropy and language, never the stretched seed and never the words as text. The
passphrase (25th word) is not stored; the fingerprint of the wallet that it leads to is, so that a
mistyped one is noticed before coins seem to have disappeared.

Of a multisig wallet the whole descriptor is inside, with the cosigners' public keys: what was
agreed on when the wallet was made decides what is ours, whatever the view box or a PSBT says.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

from wallet_gui.descriptors.descriptor import DescriptorType
from wallet_gui.descriptors.xpub import HARDENED
from wallet_gui.keys.errors import CorruptSecretBox, PasswordWrong
from wallet_gui.keys.kdf import derive_key, derive_new_key
from wallet_gui.keys.seed import ENTROPY_BITS, LANGUAGES, Seed
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

FORMAT: Final = 2
"""Goes up with each change of the contents; a newer number is refused untouched.

1: without `descriptors`. It is read, and becomes 2 when the box is sealed anew.
"""

MAX_DESCRIPTOR: Final = 10_000


@dataclass(frozen=True, slots=True, repr=False)
class SecretPayload:
    """The contents of a secret box.

    `entropy` has 16 to 32 bytes; `language` names the BIP39 list of the words on paper.
    `passphrase_fingerprint` (4 bytes) is the master fingerprint with the passphrase, or None when
    the wallet has none. `network` is the name of the network the wallet was made for, "" if it was
    not said. `imported_keys` is reserved and empty. A multisig wallet has no `script_types`, but
    `descriptors`: the agreed ones, as normalised text with checksum.
    """

    entropy: bytes
    language: str = "english"
    passphrase_fingerprint: bytes | None = None
    network: str = ""
    script_types: tuple[str, ...] = ("wpkh",)
    account: int = 0
    imported_keys: tuple[str, ...] = ()
    descriptors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.entropy) * 8 not in ENTROPY_BITS:
            raise ValueError("entropy has 128, 160, 192, 224 or 256 bits")
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

    def __repr__(self) -> str:
        return "<SecretPayload>"

    @property
    def needs_passphrase(self) -> bool:
        return self.passphrase_fingerprint is not None

    def seed(self, passphrase: str = "") -> Seed:
        return Seed(self.entropy, self.language, passphrase)

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
        except (ValueError, KeyError, TypeError):
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
        known = {
            "format",
            "entropy",
            "language",
            "network",
            "script_types",
            "account",
            "passphrase_fingerprint",
            "imported_keys",
        }
        if written_by > 1:
            known.add("descriptors")
        if set(contents) != known or imported != []:
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
    return seal_box(new.key, SECRET, new.parameters, salt, payload.encode(), minimum=minimum)


def open(  # noqa: A001 - read as secret_box.open
    password: str, data: bytes, *, minimum: KdfParameters | None = None
) -> SecretPayload:
    """Open a secret box; takes seconds. `data` is exactly the box.

    Raises PasswordWrong, CorruptSecretBox, NewerFormat, or NotEnoughMemory.
    """
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
    return SecretPayload.decode(plaintext)


def _unreadable() -> CorruptSecretBox:
    return CorruptSecretBox(
        "The wallet's secrets cannot be read. Open an older copy of the file, or restore the "
        "wallet from its seed words."
    )
