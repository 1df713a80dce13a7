"""Derived scripts, packed to be kept: a wallet of very many addresses opens without deriving them.

A chunk holds CHUNK scripts of one chain in a row, each with what an input reveals at its end. It
names the descriptor, and its first and last script are derived again when it is read: what does not
fit is not believed, and everything is derived as if no chunk were there.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

from wallet_gui.descriptors.descriptor import DerivedKey, Descriptor

CHUNK: Final = 500

Watched = tuple[bytes, bytes]
"""A script_pubkey, and the public key or script that an input of it reveals, or b""."""

_ID_SIZE: Final = 16


def watched(derived: DerivedKey) -> Watched:
    """Return what is watched for of a derived key."""
    # What an input reveals at its end: the key, or a script with several.
    revealed = derived.witness_script or (b"" if derived.is_multisig else derived.public_key)
    return derived.script_pubkey, revealed


def pack(descriptor: Descriptor, scripts: Sequence[Watched]) -> bytes:
    """Pack exactly CHUNK scripts."""
    if len(scripts) != CHUNK:
        raise ValueError("a chunk of scripts has a fixed size")
    parts = [_identity(descriptor)]
    for pair in scripts:
        for item in pair:
            parts += [len(item).to_bytes(2, "little"), item]
    return b"".join(parts)


def unpack(descriptor: Descriptor, keychain: int, number: int, data: bytes) -> list[Watched] | None:
    """Return the scripts of chunk `number` of a branch; None when they are not its scripts."""
    if not data.startswith(_identity(descriptor)):
        return None
    items = list(_items(data, _ID_SIZE))
    scripts = list(zip(items[::2], items[1::2], strict=False))
    if len(items) != 2 * CHUNK:
        return None
    first = number * CHUNK
    for place in (0, CHUNK - 1):
        if scripts[place] != watched(descriptor.derive(first + place, keychain)):
            return None
    return scripts


def _items(data: bytes, position: int) -> Iterator[bytes]:
    while position + 2 <= len(data):
        end = position + 2 + int.from_bytes(data[position : position + 2], "little")
        yield data[position + 2 : end]
        position = end


def _identity(descriptor: Descriptor) -> bytes:
    return hashlib.sha256(descriptor.to_string().encode()).digest()[:_ID_SIZE]
