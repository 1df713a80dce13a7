"""Which scripts of a PSBT are ours: decided by deriving them again, never by what the PSBT says."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wallet_gui.descriptors.descriptor import DerivedKey, Descriptor
from wallet_gui.primitives.psbt import KeyPath, PsbtInput, PsbtOutput

SEARCHED = 100
"""Indexes per chain that are tried for scripts that come without a key path."""


@dataclass(frozen=True, slots=True)
class OwnScript:
    """A script that `descriptors[descriptor_index]` gives at `index` of branch `keychain`."""

    descriptor_index: int
    keychain: int
    index: int
    derived: DerivedKey


class Ownership:
    """Recognises the scripts of some descriptors."""

    def __init__(self, descriptors: Sequence[Descriptor]) -> None:
        self.descriptors = tuple(descriptors)
        self.fingerprints = frozenset[bytes]().union(*(d.fingerprints for d in self.descriptors))
        self._first_scripts: dict[bytes, tuple[int, int, int]] | None = None

    @property
    def is_shared(self) -> bool:
        """Whether the wallet is one of several cosigners."""
        return any(descriptor.is_multisig for descriptor in self.descriptors)

    def find(self, script_pubkey: bytes, hints: Iterable[KeyPath]) -> OwnScript | None:
        """Return where `script_pubkey` comes from, or None if it is not ours.

        Key paths are hints: one that leads to another script is worth nothing, and scripts within
        the first SEARCHED indexes are found without any.
        """
        # The cosigners' paths name the same place: it is derived once.
        places = dict.fromkeys(place for hint in hints for place in self._places(hint))
        for number, keychain, index in places:
            derived = self.descriptors[number].derive(index, keychain)
            if derived.script_pubkey == script_pubkey:
                return OwnScript(number, keychain, index, derived)
        place = self._table().get(script_pubkey)
        if place is None:
            return None
        number, keychain, index = place
        return OwnScript(*place, self.descriptors[number].derive(index, keychain))

    def is_claimed(self, hints: Iterable[KeyPath]) -> bool:
        """Tell whether a key path names a place in one of our descriptors."""
        return any(True for hint in hints for _ in self._places(hint))

    def _places(self, hint: KeyPath) -> Iterable[tuple[int, int, int]]:
        for number, descriptor in enumerate(self.descriptors):
            for keychain, index in descriptor.places(hint):
                yield number, keychain, index

    def _table(self) -> dict[bytes, tuple[int, int, int]]:
        if self._first_scripts is None:
            self._first_scripts = {
                descriptor.script_pubkey(index, keychain): (number, keychain, index)
                for number, descriptor in enumerate(self.descriptors)
                for keychain in range(descriptor.keychains)
                for index in range(SEARCHED if descriptor.is_ranged else 1)
            }
        return self._first_scripts


def key_paths(part: PsbtInput | PsbtOutput) -> list[KeyPath]:
    """Return every key path that an input or output of a PSBT mentions."""
    taproot = [key_path for _, key_path in part.tap_bip32_derivations.values()]
    return [*part.bip32_derivations.values(), *taproot]
