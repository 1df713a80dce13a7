"""PSBTs from and to files and text: what a person opens, pastes, scans, saves."""

import secrets
from pathlib import Path
from typing import Final

from wallet_gui.primitives.psbt import MAX_SIZE, Psbt
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.transaction import Transaction
from wallet_gui.storage.fs import OS_FILES, FileSystem
from wallet_gui.transfer.recognition import Kind, recognise, recognise_bytes
from wallet_gui.wallet.psbt_return import from_transaction

_MAX_TEXT: Final = 3 * MAX_SIZE
_OTHER: Final = {
    Kind.PAYMENT: "This is an address or a payment link. It belongs on the page Send.",
    Kind.ACCOUNT: "This is a wallet's account, no payment. Use it where wallets are added.",
    Kind.DESCRIPTOR: "This is a wallet's descriptor, no payment. Use it where wallets are added.",
    Kind.XPUB: "This is an extended public key, no payment. Use it where wallets are added.",
}
_NO_PAYMENT: Final = "There is no payment here: neither a PSBT nor a signed transaction."


class PsbtFileError(Exception):
    """A file could not be read or written; the message is a sentence for the person."""


def read_file(path: Path, files: FileSystem = OS_FILES) -> bytes:
    """Return what a file holds, at most what a PSBT may have. Raises PsbtFileError."""
    try:
        data = files.read(path.resolve(), _MAX_TEXT)
    except OSError as error:
        raise PsbtFileError(f"{path.name} cannot be read: {error.strerror}.") from error
    if len(data) > _MAX_TEXT:
        raise PsbtFileError(f"{path.name} is too large for a payment.")
    return data


def parse(data: bytes | str) -> Psbt:
    """Read a PSBT of any version and form, or a signed transaction, which becomes a final one.

    Raises ParseError with a sentence that names what it is instead, or what is broken.
    """
    try:
        return Psbt.read_any(data)
    except ParseError as error:
        refusal = error
    kind, found = recognise_bytes(data) if isinstance(data, bytes) else recognise(data)
    if kind is Kind.TRANSACTION:
        return from_transaction(Transaction.parse(found))
    if kind is Kind.PSBT:
        raise refusal
    raise ParseError(_OTHER.get(kind, _NO_PAYMENT)) from refusal


def save(path: Path, psbt: Psbt, *, as_text: bool, files: FileSystem = OS_FILES) -> None:
    """Write a PSBT for the owner only, as a whole or not at all: its bytes, or base64 text.

    What stood under that name is replaced. Raises PsbtFileError.
    """
    data = (psbt.to_base64() + "\n").encode() if as_text else psbt.serialize()
    new = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}")
    try:
        files.write_new(new, data)
        try:
            files.replace(new, path)
        except OSError:
            files.remove(new)
            raise
        files.sync_directory(path.parent)
    except OSError as error:
        raise PsbtFileError(f"{path.name} cannot be written: {error.strerror}.") from error
