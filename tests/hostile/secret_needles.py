"""Every form in which a wallet's secrets may lie in memory or in a file, and a fast search.

The forms are made here, from the words, the passphrase and the password of a test, in a process
that is not searched.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from wallet_gui.curve import taproot_secret
from wallet_gui.descriptors.xpub import HARDENED
from wallet_gui.keys.kdf import derive_key
from wallet_gui.keys.seed import bip39_seed, entropy_from_words
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives.base58 import encode_check
from wallet_gui.primitives.params import ChainParams
from wallet_gui.sealing import parse_box
from wallet_gui.storage.wallet_layout import parse

_PURPOSES = (44, 49, 84, 86)
_INDEXES = 6
_LEAST = 8  # bytes of a needle: shorter ones would be found by chance
_WIF_VERSIONS = {True: 0xEF, False: 0x80}


@dataclass(frozen=True)
class Needle:
    """Bytes that give a secret away; `name` says which, without it."""

    name: str
    data: bytes


def needles(
    words: str, passphrase: str, password: str, params: ChainParams, wallet_file: bytes | None
) -> list[Needle]:
    """Make all needles; of the wallet file the key of the secret box is made."""
    found = [*_texts(words, passphrase, password)]
    entropy, language = entropy_from_words(words)
    found += _raw("entropy", entropy)
    for name, phrase in (("seed", passphrase), ("seed without passphrase", "")):
        seed = bip39_seed(entropy, language, phrase)
        found += [*_raw(name, seed), *_raw(f"{name}, half", seed[:32])]
        found += _keys(ExtendedPrivateKey.from_seed(seed, params), params)
    if wallet_file is not None:
        contents = parse(wallet_file)
        assert contents.secret_box is not None
        header, _ = parse_box(contents.secret_box)
        found += _raw("secret-box key", derive_key(password, header.salt, header.kdf))
    unique = {needle.data: needle for needle in found if len(needle.data) >= _LEAST}
    return list(unique.values())


def _encoded(name: str, text: str) -> Iterator[Needle]:
    for form in {text, *(unicodedata.normalize(f, text) for f in ("NFC", "NFD", "NFKD"))}:
        for code in ("utf-8", "utf-16-le", "utf-32-le"):
            yield Needle(f"{name} ({code})", form.encode(code))
        if form.isascii() or max(map(ord, form)) < 256:
            # How CPython keeps such a text: one byte for each character.
            yield Needle(f"{name} (latin-1)", form.encode("latin-1"))


def _texts(words: str, passphrase: str, password: str) -> Iterator[Needle]:
    yield from _encoded("password", password)
    yield from _encoded("passphrase", passphrase)
    each = words.split()
    for start in range(len(each) - 3):
        for between in (" ", "\n", "\0", '", "', "', '", ","):
            yield from _encoded(f"words {start + 1} to {start + 4}", between.join(each[start:][:4]))


def _raw(name: str, data: bytes) -> Iterator[Needle]:
    yield Needle(name, data)
    yield Needle(f"{name}, backwards", data[::-1])  # how libsecp256k1 keeps a scalar
    for text in (data.hex(), data.hex().upper()):
        for code in ("ascii", "utf-16-le", "utf-32-le"):
            yield Needle(f"{name} (hex, {code})", text.encode(code))


def _keys(root: ExtendedPrivateKey, params: ChainParams) -> Iterator[Needle]:
    yield from _key("root key", root, params)
    for purpose in _PURPOSES:
        account = root.derive((purpose + HARDENED, params.coin_type + HARDENED, HARDENED))
        yield from _key(f"account key of purpose {purpose}", account, params)
        for chain in (0, 1):
            branch = account.derive((chain,))
            yield from _key(f"chain key {purpose}/{chain}", branch, params)
            for index in range(_INDEXES):
                leaf = branch.derive((index,))
                yield from _key(f"key {purpose}/{chain}/{index}", leaf, params)
                if purpose == 86:
                    yield from _raw(f"tweaked key {chain}/{index}", taproot_secret(leaf.secret))


def _key(name: str, key: ExtendedPrivateKey, params: ChainParams) -> Iterator[Needle]:
    yield from _raw(name, key.secret)
    wif = encode_check(bytes([_WIF_VERSIONS[params.is_test]]) + key.secret + b"\x01")
    for code in ("ascii", "utf-16-le", "utf-32-le"):
        yield Needle(f"{name} (WIF)", wif.encode(code))
        yield Needle(f"{name} (xprv)", key.serialize().encode(code))


class Search:
    """Looks for many needles in much data: by their first eight bytes, at every offset."""

    def __init__(self, wanted: Iterable[Needle]) -> None:
        self._by_start: dict[int, list[Needle]] = {}
        for needle in wanted:
            start = int.from_bytes(needle.data[:8], "little")
            self._by_start.setdefault(start, []).append(needle)
        self._starts = np.array(sorted(self._by_start), dtype=np.uint64)
        self._low = np.zeros(1 << 16, dtype=bool)
        self._low[(self._starts & np.uint64(0xFFFF)).astype(np.int64)] = True

    def __call__(self, data: bytes) -> list[str]:
        """Return the names of the needles in `data`, each once."""
        found = set()
        for offset in range(8):
            count = (len(data) - offset) // 8
            if count <= 0:
                break
            numbers = np.frombuffer(data, dtype="<u8", count=count, offset=offset)
            low = np.frombuffer(data, dtype="<u2", count=count * 4, offset=offset)[::4]
            likely = np.flatnonzero(self._low[low])
            hits = likely[np.isin(numbers[likely], self._starts)]
            for hit in hits.tolist():
                place = offset + hit * 8
                for needle in self._by_start[int(numbers[hit])]:
                    if data.startswith(needle.data, place):
                        found.add(needle.name)
        return sorted(found)
