"""What a wallet hands to other programs and cosigners: its public side, in every format."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wallet_gui.descriptors.descriptor import Descriptor
from wallet_gui.descriptors.exporters import EXPORTERS
from wallet_gui.descriptors.key_expression import KeyExpression
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.storage.errors import write_failed
from wallet_gui.storage.fs import write_atomically
from wallet_gui.transfer.qr_frames import Kind
from wallet_gui.wallet.wallet import Wallet

_FORMATS: Final = {
    "descriptor": ("Descriptor: most programs", Kind.DESCRIPTOR, "txt"),
    "core": ("Bitcoin Core: importdescriptors", Kind.JSON, "json"),
    "specter": ("Specter, and programs that read its file", Kind.JSON, "json"),
    "sparrow": ("Sparrow", Kind.JSON, "json"),
    "coldcard": ("Multisig file: Coldcard and other devices", Kind.TEXT, "txt"),
}


@dataclass(frozen=True, slots=True)
class Export:
    """One format: what it is called for a person, its text, and how codes carry it."""

    key: str
    title: str
    text: str
    kind: Kind
    file_name: str


def exports_of(wallet: Wallet) -> tuple[Export, ...]:
    """Write a wallet in every format that can say what it is; the most useful first."""
    description = wallet.description
    return of_descriptors(wallet.descriptors, description.name, description.birthday_time)


def of_descriptors(
    descriptors: Sequence[Descriptor], name: str, birthday: int | None
) -> tuple[Export, ...]:
    """Write descriptors in every format that can say what they are."""
    found = []
    is_multisig = any(descriptor.is_multisig for descriptor in descriptors)
    for key, (title, kind, suffix) in _FORMATS.items():
        if key == "coldcard" and not is_multisig:
            continue
        try:
            text = EXPORTERS[key](descriptors, name, birthday)
        except ParseError:
            # The format cannot say this; others can.
            continue
        if key == "descriptor":
            text = text.strip()
        shown = Kind.ACCOUNT if key == "descriptor" and len(descriptors) > 1 else kind
        found.append(Export(key, title, text, shown, f"{name}-{key}.{suffix}"))
    keys = [key for descriptor in descriptors for key in descriptor.keys]
    if not is_multisig and all(not isinstance(key.key, bytes) for key in keys):
        found.insert(1, _extended_keys(keys, name))
    return tuple(found)


def _extended_keys(keys: Sequence[KeyExpression], name: str) -> Export:
    texts = list(dict.fromkeys(str(KeyExpression(key.origin, key.key)) for key in keys))
    kind = Kind.XPUB if len(texts) == 1 else Kind.TEXT
    title = "Extended public key (xpub)" if len(texts) == 1 else "Extended public keys (xpub)"
    return Export("xpub", title, "\n".join(texts), kind, f"{name}-xpub.txt")


def of_cosigner_key(key: KeyExpression, name: str) -> tuple[Export, ...]:
    """Write the key with which one joins somebody else's multisig."""
    return (Export("key", "Key of one cosigner", str(key), Kind.XPUB, f"{name}-cosigner.txt"),)


def save(path: str, text: str) -> None:
    """Write a text to a file that the person chose; blocking. Raises StorageError."""
    try:
        write_atomically(Path(path), text.encode() if text.endswith("\n") else f"{text}\n".encode())
    except OSError as error:
        raise write_failed("The file", error) from error
