"""Wallets of other programs and devices: what an export holds, and the wallet made of it.

What reads is blocking and pure but for `contents`; it belongs into a worker thread. What begins
with a wish to make or to export something is called on the engine's loop.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wallet_gui.app.published import NewWallet, OpenedWallet
from wallet_gui.app.vault_requests import cosigner_key_request, join_request, watch_request
from wallet_gui.descriptors.account_import import WalletImport
from wallet_gui.descriptors.descriptor import Descriptor, DescriptorType, MultisigType
from wallet_gui.descriptors.importers import MAX_SIZE, read_cosigner, read_wallet
from wallet_gui.descriptors.key_expression import KeyExpression
from wallet_gui.descriptors.xpub import format_path
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.storage.errors import StorageError
from wallet_gui.transfer.bbqr import is_bbqr
from wallet_gui.transfer.qr_frames import Decoder, Kind
from wallet_gui.transfer.ur import is_ur

if TYPE_CHECKING:
    from wallet_gui.app.online import Online

Given = Path | str | bytes
"""A file, what was pasted or scanned, or what a code held."""

KIND_WORDS: Final = {
    DescriptorType.WPKH: "Native SegWit",
    DescriptorType.TR: "Taproot",
    DescriptorType.SH_WPKH: "Wrapped SegWit",
    DescriptorType.PKH: "Legacy",
    MultisigType.WSH: "Native SegWit",
    MultisigType.SH_WSH: "Wrapped SegWit",
    MultisigType.SH: "Legacy",
}
SHOWN_ADDRESSES: Final = 3
MOST_KEYS: Final = 15
_WALLET_FILE: Final = b"WGUI-WLT"
_COSIGNER = re.compile(r"((?:sh\()?wsh|sh)\(cosigner\((\S+?)\)\)+(?:#[a-z0-9]{8})?", re.ASCII)
_NOT_A_WALLET: Final = {
    Kind.PSBT: "This is a payment (PSBT), no wallet. Open it where payments are signed.",
    Kind.TRANSACTION: "This is a finished transaction, no wallet.",
    Kind.PAYMENT: (
        "This is a single address or a payment link. A wallet needs the extended public key or the "
        "descriptor, from which all its addresses are made."
    ),
    Kind.BINARY: "This code holds no text; a wallet's export is text.",
}


class ImportRefused(Exception):
    """What was given cannot be read; the message is a sentence for the person."""


@dataclass(frozen=True, slots=True)
class KeyLook:
    """One key as a person compares it: eight hex digits ("" if unknown), a path, the key."""

    fingerprint: str
    path: str
    key: str


@dataclass(frozen=True, slots=True)
class AccountLook:
    """One descriptor as a person recognises it; `addresses` are the first receive addresses."""

    kind: str
    required: int
    keys: tuple[KeyLook, ...]
    addresses: tuple[str, ...]
    is_multisig: bool
    descriptor: Descriptor

    @property
    def words(self) -> str:
        """Say what kind of wallet it is, for a heading."""
        if not self.is_multisig:
            return f"{self.kind}, one key"
        signatures = "signature" if self.required == 1 else "signatures"
        return f"{self.kind}, {self.required} of {len(self.keys)} {signatures}"


@dataclass(frozen=True, slots=True)
class ImportLook:
    """What an export holds, worked out once so that the window only shows it."""

    found: WalletImport
    accounts: tuple[AccountLook, ...]

    @property
    def is_multisig(self) -> bool:
        return self.accounts[self.found.active].is_multisig


# --- reading ------------------------------------------------------------------------------------


def contents(given: Given) -> bytes | str:
    """Read what was given; a file is read up to the size of the largest export.

    Raises ImportRefused, and ParseError for codes that are not complete.
    """
    if isinstance(given, Path):
        try:
            with given.open("rb") as file:
                data = file.read(MAX_SIZE + 1)
        except OSError as error:
            raise ImportRefused(f"The file cannot be read: {error.strerror}.") from error
        if data.startswith(_WALLET_FILE):
            raise ImportRefused(
                "This is a wallet file of this program. Go back and choose Restore, then From a "
                "wallet file."
            )
        return data
    return _decoded(given) if isinstance(given, str) else given


def _decoded(text: str) -> str:
    """Put codes together that were pasted as their text, one a line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines or not all(is_bbqr(line) or is_ur(line) for line in lines):
        return text
    decoder = Decoder()
    progress = decoder.progress
    for line in lines:
        progress = decoder.receive(line)
    if progress.kind is None or progress.data is None:
        raise ParseError(
            f"These are {progress.received} of {progress.total} codes. Scan all of them instead."
        )
    return scanned(progress.kind, progress.data)


def scanned(kind: Kind, data: bytes) -> str:
    """Take what a code held as text. Raises ParseError when it is no wallet and no key."""
    if kind in _NOT_A_WALLET:
        raise ParseError(_NOT_A_WALLET[kind])
    return data.decode()


def read(given: Given, params: ChainParams, kind: DescriptorType | None = None) -> ImportLook:
    """Read a wallet of whatever source. Raises ImportRefused and what `read_wallet` raises."""
    data = contents(given)
    accounts = _without_cosigners(data)
    found = read_wallet(data if accounts is None else accounts, params, kind)
    if kind is not None and len(found.descriptors) > 1:
        found = _only(found, kind)
    return ImportLook(found, tuple(look(descriptor) for descriptor in found.descriptors))


def _without_cosigners(data: bytes | str) -> str | None:
    """Leave the keys for multisig out of an account; None where there are none."""
    lines = _lines(data)
    rest = [line for line in lines if not _COSIGNER.fullmatch(line)]
    return "\n".join(rest) if rest and len(rest) < len(lines) else None


def _lines(data: bytes | str) -> list[str]:
    if len(data) > MAX_SIZE:
        return []
    text = data if isinstance(data, str) else data.decode("utf-8", "replace")
    return [line.strip() for line in text.splitlines() if line.strip()]


def _only(found: WalletImport, kind: DescriptorType) -> WalletImport:
    chosen = tuple(item for item in found.descriptors if item.type is kind)
    return replace(found, descriptors=chosen, active=0) if chosen else found


def look(descriptor: Descriptor) -> AccountLook:
    """Work out what a person compares."""
    return AccountLook(
        KIND_WORDS[descriptor.type],
        descriptor.required,
        tuple(key_look(key) for key in descriptor.keys),
        tuple(descriptor.address(index) for index in range(SHOWN_ADDRESSES)),
        descriptor.is_multisig,
        descriptor,
    )


def key_look(key: KeyExpression) -> KeyLook:
    """Take a key apart for the screen."""
    origin = key.origin
    text = key.key.hex() if isinstance(key.key, bytes) else key.key.serialize()
    if origin is None:
        return KeyLook("", "", text)
    path = "/".join(["m", *filter(None, [format_path(origin.path)])])
    return KeyLook(origin.fingerprint.hex(), path, text)


def cosigner(given: Given, params: ChainParams, kind: MultisigType) -> KeyExpression:
    """Read one cosigner's key: a device's file, a code, [fingerprint/path]xpub.

    Raises ImportRefused and what `read_cosigner` raises.
    """
    data = contents(given)
    wanted = _cosigner_of_account(data, kind)
    return read_cosigner(data if wanted is None else wanted, params, kind)


def _cosigner_of_account(data: bytes | str, kind: MultisigType) -> str | None:
    """Pick the key of a kind out of an account with keys for multisig; None where none is one."""
    matches = [_COSIGNER.fullmatch(line) for line in _lines(data)]
    found = [(match[1], match[2]) for match in matches if match is not None]
    if not found:
        return None
    for prefix, key in found:
        if prefix == kind.value:
            return key
    raise ParseError(
        "This account has no key for this kind of multisig. Export the one for it on the device."
    )


def check_new_key(new: KeyExpression, known: Sequence[KeyExpression]) -> str:
    """Raise ParseError for a key that is there already or too many; return a warning, or ""."""
    if len(known) >= MOST_KEYS:
        raise ParseError(f"A shared wallet has at most {MOST_KEYS} keys.")
    for number, key in enumerate(known, 1):
        if key.identity == new.identity:
            raise ParseError(f"This is the key of cosigner {number} once more. Take another one.")
    for number, key in enumerate(known, 1):
        if key.fingerprint == new.fingerprint:
            return (
                f"This key and that of cosigner {number} come from the same words: whoever has "
                "those has both."
            )
    return ""


def together(
    kind: MultisigType, params: ChainParams, required: int, keys: Sequence[KeyExpression]
) -> ImportLook:
    """Put the cosigners' keys together to a new shared wallet. Raises ParseError."""
    cosigners = []
    for key in keys:
        if isinstance(key.key, bytes):
            raise ParseError("A cosigner's key is an extended one, xpub or tpub.")
        cosigners.append((key.origin, key.key))
    descriptor = Descriptor.multisig(kind, params, required, cosigners)
    found = WalletImport("new shared wallet", (descriptor,), birthday_time=int(time.time()))
    return ImportLook(found, (look(descriptor),))


# --- making -------------------------------------------------------------------------------------


async def watch(
    online: "Online", name: str, found: WalletImport, birthday_time: int | None
) -> OpenedWallet:
    """Let the vault make a wallet that only watches, then open it. Raises VaultError."""
    found = replace(found, birthday_time=birthday_time)
    request = watch_request(name, None, found, None, online.params, online.vault_look())
    return await _with_labels(online, await online.make_wallet(request), found.labels)


async def join(
    online: "Online", name: str, found: WalletImport, source: str, birthday_time: int | None
) -> OpenedWallet:
    """Let the vault make the wallet of a multisig with the words of the wallet file `source`."""
    request = join_request(
        name,
        None,
        found.descriptors[found.active].to_string(),
        source,
        birthday_time,
        online.params,
        online.vault_look(),
    )
    return await _with_labels(online, await online.make_wallet(request), found.labels)


async def restore_shared(online: "Online", wanted: NewWallet, found: WalletImport) -> OpenedWallet:
    """Let the vault make the wallet of a multisig with the words of one cosigner, typed there."""
    return await _with_labels(online, await online.restore_wallet(wanted), found.labels)


async def _with_labels(
    online: "Online", opened: OpenedWallet, labels: Sequence[tuple[str, str, str]]
) -> OpenedWallet:
    if not labels:
        return opened
    try:
        await online.session(opened.wallet_id).set_labels(labels)
    except StorageError as error:
        # The wallet is there and open: only its labels are missing.
        return replace(opened, notices=(*opened.notices, f"Labels were not stored. {error}"))
    return opened


async def own_cosigner_key(
    online: "Online", path: str, kind: MultisigType, account: int = 0
) -> KeyExpression:
    """Let the vault hand out the public key with which a wallet file joins a multisig."""
    request = cosigner_key_request(path, kind.name.lower(), account, online.vault_look())
    key = await online.cosigner_key(request)
    return await asyncio.to_thread(read_cosigner, key, online.params, kind)
