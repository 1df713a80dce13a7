"""What Sparrow, Specter, Electrum, Core, Caravan, BlueWallet and hardware devices export.

`read_wallet` takes the bytes of a file or a pasted text, finds out what it is, and gives one value
without secrets. Any bytes are a value or a ParseError.
"""

import json
import re
import unicodedata
from typing import Any, Final

from wallet_gui.descriptors import import_json
from wallet_gui.descriptors.account_import import (
    SECRETS_INSIDE,
    CosignerOnly,
    KeyStatement,
    SecretsInside,
    WalletImport,
    account_descriptor,
    clean_name,
    distinct,
    multisig_account,
    preferred,
    read_key,
    single_key_account,
)
from wallet_gui.descriptors.descriptor import DescriptorType, MultisigType
from wallet_gui.descriptors.key_expression import KeyExpression
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.serialize import ParseError

MAX_SIZE: Final = 16_000_000
"""Bytes: an Electrum file with the labels of a long life."""

_PRIVATE_KEY = re.compile(
    r"(?<![1-9A-HJ-NP-Za-km-z])[xyztuvYZUV]prv[1-9A-HJ-NP-Za-km-z]{90}", re.ASCII
)
_WORD_COUNTS: Final = (12, 15, 18, 21, 24)
_FUNCTION = re.compile(
    r"(?:sh|wsh|wpkh|pkh|tr|pk|combo|multi|sortedmulti|raw|addr|rawtr)\(", re.ASCII
)
_POLICY = re.compile(r"(\d{1,2})\s*(?:of|/)\s*(\d{1,2})", re.ASCII | re.IGNORECASE)
_KEY_LINE = re.compile(r"([0-9a-fA-F]{8})\s*:\s*(\S+)", re.ASCII)
_MULTISIG_FORMATS: Final = {
    "P2WSH": MultisigType.WSH,
    "P2SH-P2WSH": MultisigType.SH_WSH,
    "P2WSH-P2SH": MultisigType.SH_WSH,
    "P2SH": MultisigType.SH,
}


def read_wallet(
    data: bytes | str, params: ChainParams, kind: DescriptorType | None = None
) -> WalletImport:
    """Read an export of a wallet of the network `params`.

    `kind` is what the person says of a key that does not tell its script type, and chooses one of
    several. Raises ParseError with one sentence; SecretsInside when there are secrets in it,
    ScriptTypeNeeded when `kind` is missing, CosignerOnly for one key of a multisig.
    """
    text = _text(data)
    refuse_secrets(text)
    value = _json(text)
    if value is not None:
        return import_json.read(value, params, kind)
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line]
    if lines[:1] == ["BSMS 1.0"]:
        return _bsms(lines, params)
    if any(re.match(r"Policy\s*:", line, re.IGNORECASE) for line in lines):
        return _multisig_file(lines, params)
    told = [line for line in lines if not line.startswith("#")]
    if any(_FUNCTION.match(line) for line in told):
        return _descriptor_lines(told, params)
    if len(told) != 1 or len(told[0]) > 500:
        raise ParseError(
            "This is no wallet export that is known here. Known are descriptors, extended keys, "
            "and the files of Sparrow, Specter, Electrum, Bitcoin Core, Caravan and hardware "
            "wallets."
        )
    account = single_key_account(read_key(told[0], params), params, kind)
    return WalletImport("extended public key", (account,))


def read_cosigner(data: bytes | str, params: ChainParams, kind: MultisigType) -> KeyExpression:
    """Read one cosigner's key for a multisig of `kind`: [origin]xpub or a device's file.

    Raises ParseError, SecretsInside.
    """
    text = _text(data)
    refuse_secrets(text)
    value = _json(text)
    if value is not None:
        key = import_json.cosigner(value, params, kind)
    else:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if lines[:1] == ["BSMS 1.0"] and len(lines) > 2:  # a signer's record (BIP129)
            lines = lines[2:3]
        if len(lines) != 1 or len(lines[0]) > 500:
            raise ParseError("A cosigner's key is one line: [fingerprint/path]xpub.")
        key = read_key(lines[0], params)
    if isinstance(key.kind, MultisigType) and key.kind is not kind:
        raise ParseError(
            f"This cosigner's key is for another kind of multisig: {key.kind.value}(...)"
            f"{')' * key.kind.value.count('(')}. Export the one for this wallet."
        )
    if key.origin is None:
        raise ParseError(
            "This cosigner's key does not say where it comes from, so its device could not sign. "
            "Give it as [fingerprint/path]xpub."
        )
    return KeyExpression(key.origin, key.xpub)


def refuse_secrets(text: str) -> None:
    """Raise SecretsInside for private keys and what looks like seed words."""
    if _PRIVATE_KEY.search(text):
        raise SecretsInside(SECRETS_INSIDE)
    start = unicodedata.normalize("NFC", text[:1000])
    numbered = (re.sub(r"^\d{1,2}[.):]?", "", word) for word in start.split())
    words = [word for word in numbered if word]
    if len(words) in _WORD_COUNTS and all(word.isalpha() and len(word) < 20 for word in words):
        raise SecretsInside(SECRETS_INSIDE)


def _text(data: bytes | str) -> str:
    if len(data) > MAX_SIZE:
        raise ParseError("This file is too large for the export of a wallet.")
    if isinstance(data, str):
        return data
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ParseError("This file is no text; a wallet's export is one.") from None


def _json(text: str) -> Any:
    """Return the JSON object or list, None for other text."""
    text = text.strip()
    if text.startswith("QklF"):  # base64 of BIE1, BIE2
        raise ParseError(
            "This wallet file is encrypted by Electrum. Copy the master public key from there "
            "(Wallet, Information), or export the file without encryption and without secrets."
        )
    # Coldcard's and Sparrow's recipe for Core: a command with the list in quotes.
    command = re.search(r"importdescriptors\s+'(\[.*?\])'", text, re.DOTALL)
    if command is not None:
        text = command[1]
    if not re.match(r"\{|\[\s*\{", text):
        return None
    try:
        # Electrum appends changes to its file, after a comma.
        value, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        raise ParseError("This file is damaged: it is not complete JSON.") from None
    if text[end:].strip() and not text[end:].lstrip().startswith(","):
        raise ParseError("This file is damaged: something follows its end.")
    return value


# --- texts


def _descriptor_lines(lines: list[str], params: ChainParams) -> WalletImport:
    """Descriptors one on a line: a receive one, perhaps its change one, perhaps others."""
    if len(lines) > 100:
        raise ParseError("These are too many descriptors for one wallet.")
    texts = [line for line in lines if _FUNCTION.match(line)]
    found = distinct(import_json.account_pairs(texts, params))
    return WalletImport("descriptor", found, active=preferred(found))


def _bsms(lines: list[str], params: ChainParams) -> WalletImport:
    """A coordinator's descriptor record (BIP129)."""
    if len(lines) < 2:
        raise ParseError("This BSMS file is not complete.")
    if not _FUNCTION.match(lines[1]):
        raise CosignerOnly(
            "This BSMS file holds one cosigner's key. Import the descriptor record, in which all "
            "cosigners are."
        )
    restrictions = lines[2] if len(lines) > 2 else ""
    if "/**" in lines[1] and restrictions not in ("", "/0/*,/1/*", "No path restrictions"):
        raise ParseError("This BSMS file has other chains than /0/* and /1/*.")
    account = account_descriptor(lines[1], params)
    if len(lines) > 3 and lines[3] != account.first_address:
        raise ParseError(
            "The first address in this BSMS file is not the one that its descriptor gives: it was "
            "changed, or it is for another network."
        )
    return WalletImport("BSMS", (account,))


def _multisig_file(lines: list[str], params: ChainParams) -> WalletImport:
    """The text file of Coldcard, also of BlueWallet, Sparrow, Passport, Jade, Keystone."""
    name, path, kind = "", "", MultisigType.SH
    policy: tuple[int, int] | None = None
    keys: list[KeyStatement] = []
    for line in lines:
        key_line = _KEY_LINE.fullmatch(line)
        if line.startswith("#"):
            continue
        if key_line is not None:
            keys.append(read_key(key_line[2], params, fingerprint=key_line[1], path=path))
            continue
        word, _, rest = (part.strip() for part in line.partition(":"))
        match word.lower():
            case "name":
                name = clean_name(rest)
            case "policy":
                policy = _policy(rest)
            case "derivation":
                path = rest
            case "format":
                kind = _format(rest)
            case _:
                raise ParseError("There is a line in this multisig file that is not understood.")
    if policy is None or len(keys) != policy[1]:
        raise ParseError(
            "This multisig file does not have as many keys as its policy says: it is not complete."
        )
    return WalletImport("multisig file", (multisig_account(kind, params, policy[0], keys),), name)


def _policy(text: str) -> tuple[int, int]:
    match = _POLICY.fullmatch(text)
    if match is None:
        raise ParseError("The policy of a multisig file reads 2 of 3.")
    return int(match[1]), int(match[2])


def _format(text: str) -> MultisigType:
    kind = _MULTISIG_FORMATS.get(text.upper())
    if kind is None:
        raise ParseError("This multisig file is of an unknown format; P2WSH is usual.")
    return kind
