"""What an import is made of: keys with their origin, and descriptors as other programs write them.

Whatever is read here comes from a file or the clipboard: it is checked, capped, never repeated in
an error, and refused as a whole when it holds a secret.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from wallet_gui.descriptors.checksum import checksum
from wallet_gui.descriptors.descriptor import Descriptor, DescriptorType, MultisigType
from wallet_gui.descriptors.key_expression import KeyExpression
from wallet_gui.descriptors.xpub import ExtendedPublicKey, KeyOrigin, parse_path
from wallet_gui.primitives.params import MAINNET, ChainParams
from wallet_gui.primitives.plain_text import plain_text
from wallet_gui.primitives.serialize import ParseError

SECRETS_INSIDE: Final = (
    "There are secret keys or seed words in this. Nothing was read: do not keep or send them so. "
    "Export the wallet again without secrets (watch-only, public keys or descriptor), or restore "
    "it from its seed words."
)
_LONGEST_NAME: Final = 60
_GENESIS_TIME: Final = 1_231_006_505  # of the main network
# Less than blocks of the main network have ever taken on the average since the first.
_LEAST_BLOCK_SECONDS: Final = 560

# BIP44, 49, 84, 86, and the last step of BIP48.
_KIND_OF_PURPOSE: Final = {
    44: DescriptorType.PKH,
    49: DescriptorType.SH_WPKH,
    84: DescriptorType.WPKH,
    86: DescriptorType.TR,
}
_KIND_OF_SCRIPT: Final = {1: MultisigType.SH_WSH, 2: MultisigType.WSH}
_HARDENED: Final = 0x80000000

Kind = DescriptorType | MultisigType
KINDS: Final[dict[str, Kind]] = {
    **{kind.value: kind for kind in DescriptorType},
    **{kind.value: kind for kind in MultisigType},
}

_EXTENDED_KEY = re.compile(r"\b[xyztuvYZUV]pub[1-9A-HJ-NP-Za-km-z]{100,112}\b", re.ASCII)


class SecretsInside(ParseError):
    """What was to be imported holds a private key or seed words."""


class ScriptTypeNeeded(ParseError):
    """A key without any word about its script type: the person has to say it."""


class CosignerOnly(ParseError):
    """One cosigner's key of a multisig: the others' keys are missing."""


@dataclass(frozen=True, slots=True)
class WalletImport:
    """What another program's export says of a wallet, without any secret.

    `descriptors` are account descriptors (each gives receive and change scripts); `active` is the
    one that hands out addresses. `labels` are (BIP329 type, ref, text). `birthday_time` is a Unix
    time before which nothing was paid. `notices` are sentences for the person.
    """

    source: str
    descriptors: tuple[Descriptor, ...]
    name: str = ""
    active: int = 0
    birthday_time: int | None = None
    labels: tuple[tuple[str, str, str], ...] = ()
    notices: tuple[str, ...] = ()


def clean_name(text: object) -> str:
    """Return a name from outside as plain text, capped; "" for what is no text."""
    return plain_text(text, _LONGEST_NAME).strip() if isinstance(text, str) else ""


def birthday_of_height(height: object, params: ChainParams) -> int | None:
    """Return a time surely before a block of the main network; None for others."""
    if type(height) is not int or not 0 < height < 10_000_000 or params is not MAINNET:
        return None
    return _GENESIS_TIME + height * _LEAST_BLOCK_SECONDS


def birthday_of_time(time: object) -> int | None:
    return time if type(time) is int and _GENESIS_TIME < time < 1 << 33 else None


@dataclass(frozen=True, slots=True)
class KeyStatement:
    """An extended key with what is said of it; `kind` is None when nothing tells the script."""

    origin: KeyOrigin | None
    xpub: ExtendedPublicKey
    kind: Kind | None


def read_key(
    text: str, params: ChainParams, *, fingerprint: str = "", path: str = ""
) -> KeyStatement:
    """Read [origin]xpub, or an xpub whose origin is told beside it; SLIP132 forms too.

    A path that is unknown, or that does not fit the key's depth, gives no origin. Raises
    ParseError.
    """
    text = text.strip()
    origin = None
    if text.startswith("["):
        bracket, closing, text = text.partition("]")
        origin = KeyOrigin.parse(bracket + closing)
    elif re.fullmatch(r"[0-9a-fA-F]{8}", fingerprint.strip(), re.ASCII):
        origin = _told_origin(fingerprint.strip(), path)
    # Some write the chains after it, which every account has.
    text = re.sub(r"/(?:\*\*|<0;1>/\*|\{0,1\}/\*|0/\*|\*)$", "", text)
    xpub, form = ExtendedPublicKey.parse_any(text, params)
    if origin is not None and len(origin.path) != xpub.depth:
        raise ParseError(
            "The path of a key does not fit the key: one of them was mistyped. Export it again."
        )
    kind = KINDS[form] if form else None
    return KeyStatement(origin, xpub, kind or _kind_of_path(origin))


def _told_origin(fingerprint: str, path: str) -> KeyOrigin | None:
    if path.strip().lower() in {"", "unknown"}:
        return None
    return KeyOrigin(bytes.fromhex(fingerprint), parse_path(path))


def _kind_of_path(origin: KeyOrigin | None) -> Kind | None:
    path = [step - _HARDENED for step in origin.path] if origin is not None else []
    if len(path) == 3:
        return _KIND_OF_PURPOSE.get(path[0])
    if path == [45]:
        return MultisigType.SH
    return _KIND_OF_SCRIPT.get(path[3]) if len(path) == 4 and path[0] == 48 else None


def single_key_account(
    key: KeyStatement, params: ChainParams, kind: DescriptorType | None
) -> Descriptor:
    """Return the account of one key; `kind` is what the person says where the key does not.

    Raises ScriptTypeNeeded, CosignerOnly.
    """
    if isinstance(key.kind, MultisigType) and kind is None:
        raise CosignerOnly(
            "This is one cosigner's key of a multisig wallet. Import the wallet's descriptor or "
            "multisig file, in which all cosigners are."
        )
    told = key.kind if isinstance(key.kind, DescriptorType) else None
    chosen = kind or told
    if chosen is None:
        raise ScriptTypeNeeded(
            "This key does not say what kind of addresses it is for. Choose between native SegWit "
            "(wpkh), Taproot (tr), wrapped SegWit (sh_wpkh) and legacy (pkh)."
        )
    return Descriptor.account(chosen, params, key.origin, key.xpub)


def multisig_account(
    kind: MultisigType | None,
    params: ChainParams,
    required: int,
    keys: Sequence[KeyStatement],
) -> Descriptor:
    """Return the sortedmulti account of some cosigners. Raises ParseError."""
    kinds = {key.kind for key in keys if isinstance(key.kind, MultisigType)}
    if kind is None:
        if len(kinds) != 1:
            raise ParseError("The cosigners' keys do not agree on the kind of script.")
        (kind,) = kinds
    return Descriptor.multisig(kind, params, required, [(key.origin, key.xpub) for key in keys])


def account_descriptor(text: str, params: ChainParams) -> Descriptor:
    """Read a descriptor of whatever chain notation as an account: KIND(KEY/<0;1>/*).

    Understood are <0;1>, {0,1}, /** (BIP389, Specter, BSMS), a receive descriptor that ends in
    /0/*, and keys without anything after them; SLIP132 forms of keys too. Raises ParseError.
    """
    text = text.strip()
    body, separator, given = text.partition("#")
    if separator and checksum(body) != given:
        raise ParseError(
            "The checksum of this descriptor is wrong: a character was changed or lost. "
            "Copy it again."
        )
    body = body.replace("/{0,1}/*", "/<0;1>/*").replace("/**", "/<0;1>/*")
    body = _EXTENDED_KEY.sub(lambda m: str(ExtendedPublicKey.parse_any(m[0], params)[0]), body)
    descriptor = Descriptor.parse(body, params)
    keys = tuple(_account_key(key) for key in descriptor.keys)
    return Descriptor(
        descriptor.type, params, keys, required=descriptor.required, is_sorted=descriptor.is_sorted
    )


def _account_key(key: KeyExpression) -> KeyExpression:
    if key.is_account:
        return key
    if isinstance(key.key, bytes):
        raise ParseError("This descriptor is of one address; a wallet needs an extended key.")
    if not key.path and not key.is_ranged:
        return replace(key, path=((0, 1),), is_ranged=True)
    if key.is_ranged and key.path and key.path[-1] == 0 and key.keychains == 1:
        return replace(key, path=(*key.path[:-1], (0, 1)))
    if key.is_ranged and key.path and key.path[-1] == 1 and key.keychains == 1:
        raise ParseError("This is the descriptor of the change only; import the receive one.")
    raise ParseError(
        "This descriptor does not tell receive addresses from change: it has to end in /<0;1>/* "
        "or /0/*."
    )


def distinct(descriptors: Iterable[Descriptor]) -> tuple[Descriptor, ...]:
    return tuple(dict.fromkeys(descriptors))


def preferred(descriptors: Sequence[Descriptor]) -> int:
    """Choose whose addresses are handed out when nothing says it: native SegWit if it is there."""
    kinds = [descriptor.type for descriptor in descriptors]
    for kind in (DescriptorType.WPKH, MultisigType.WSH):
        if kind in kinds:
            return kinds.index(kind)
    return 0
