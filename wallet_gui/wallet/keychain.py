"""The scripts of a wallet: receive and change indexes, the gap, and the one watch set.

Two limits: at most `GAP_LIMIT` unused addresses are shown to the person, so that any other wallet
finds all payments when it restores the words; `LOOKAHEAD` scripts beyond the last used one are
watched at the least, which finds payments to addresses that a less careful wallet gave out.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from wallet_gui.descriptors.descriptor import DerivedKey, Descriptor
from wallet_gui.wallet.changes import ChainKey, ChangeSet, Keychain, ScriptChunk, chains
from wallet_gui.wallet.errors import GapLimit
from wallet_gui.wallet.watched_scripts import CHUNK, Watched, pack, unpack, watched

GAP_LIMIT = 20
LOOKAHEAD = 100

WINDOW_STEP = 50
"""The watch set grows in steps of so many scripts: each growth matches filters again."""


@dataclass(frozen=True, slots=True)
class ScriptPlace:
    """Where one of our scripts comes from."""

    descriptor_index: int
    keychain: Keychain
    index: int

    @property
    def chain(self) -> ChainKey:
        return self.descriptor_index, self.keychain


class WatchSet:
    """All scripts 0..last_used+100 of every chain, rounded up to whole steps of the window.

    It grows when a payment raises `last_used`. Its extent depends on nothing else, so that a
    restored wallet watches the same. Changes go to `staged`, which the owner empties.
    """

    def __init__(
        self,
        descriptors: Sequence[Descriptor],
        staged: ChangeSet,
        *,
        revealed: Mapping[ChainKey, int],
        last_used: Mapping[ChainKey, int],
        stored: Mapping[ScriptChunk, bytes],
    ) -> None:
        """Watch what was shown and paid; scripts that are stored in chunks are not derived."""
        self._descriptors = tuple(descriptors)
        self._staged = staged
        keys = list(chains(len(self._descriptors)))
        self._revealed = {key: revealed.get(key, -1) for key in keys}
        self._last_used = {key: last_used.get(key, -1) for key in keys}
        self._scripts: dict[ChainKey, list[bytes]] = {key: [] for key in keys}
        self._places: dict[bytes, ScriptPlace] = {}
        self._public_keys: set[bytes] = set()
        self._order: list[bytes] = []
        # Since the last whole chunk of each chain, waiting for the next one to be whole.
        self._loose: dict[ChainKey, list[Watched]] = {key: [] for key in keys}
        for key in keys:
            self._take_stored(key, stored)
            self._fill(key)
        self._taken = len(self._order)

    def __len__(self) -> int:
        return len(self._order)

    def _fill(self, key: ChainKey) -> list[bytes]:
        added = []
        for index in range(len(self._scripts[key]), self._wanted(key)):
            pair = watched(self._descriptors[key[0]].derive(index, key[1]))
            self._watch(key, index, pair)
            added.append(pair[0])
            self._keep(key, pair)
        self._order.extend(added)
        return added

    def _take_stored(self, key: ChainKey, stored: Mapping[ScriptChunk, bytes]) -> None:
        descriptor_index, keychain = key
        descriptor = self._descriptors[descriptor_index]
        wanted = self._wanted(key)
        number = 0
        while (number + 1) * CHUNK <= wanted:
            data = stored.get((*key, number))
            pairs = None if data is None else unpack(descriptor, keychain, number, data)
            if pairs is None:
                break
            for index, pair in enumerate(pairs, number * CHUNK):
                self._watch(key, index, pair)
            self._order.extend(script for script, _ in pairs)
            number += 1

    def _watch(self, key: ChainKey, index: int, pair: Watched) -> None:
        script, revealed = pair
        self._scripts[key].append(script)
        self._places[script] = ScriptPlace(*key, index)
        if revealed:
            self._public_keys.add(revealed)

    def _keep(self, key: ChainKey, pair: Watched) -> None:
        loose = self._loose[key]
        loose.append(pair)
        if len(loose) == CHUNK:
            number = len(self._scripts[key]) // CHUNK - 1
            self._staged.cache.scripts[*key, number] = pack(self._descriptors[key[0]], loose)
            loose.clear()

    def _wanted(self, key: ChainKey) -> int:
        """How many scripts of a chain are watched now."""
        # Revealed addresses are watched even when the cache that knew `last_used` is lost.
        least = max(self._last_used[key] + LOOKAHEAD, self._revealed[key] + GAP_LIMIT) + 1
        return -(-least // WINDOW_STEP) * WINDOW_STEP

    def place(self, script: bytes) -> ScriptPlace | None:
        return self._places.get(script)

    def known_scripts(self) -> Collection[bytes]:
        """All watched scripts; grows with the watch set."""
        return self._places.keys()

    def public_keys(self) -> Collection[bytes]:
        """The public keys of all watched scripts; grows with the watch set."""
        return self._public_keys

    def is_own_key(self, public_key: bytes) -> bool:
        """Tell whether a compressed public key is one behind the watched scripts."""
        return public_key in self._public_keys

    def script(self, place: ScriptPlace) -> bytes:
        scripts = self._scripts[place.chain]
        if place.index < len(scripts):
            return scripts[place.index]
        return self.derive(place).script_pubkey

    def derive(self, place: ScriptPlace) -> DerivedKey:
        return self._descriptors[place.descriptor_index].derive(place.index, place.keychain)

    def scripts(self) -> list[bytes]:
        """Return the whole watch set, chain by chain."""
        return [script for scripts in self._scripts.values() for script in scripts]

    def take_new(self) -> list[bytes]:
        """Return the scripts that joined since the last call, in the order of joining."""
        new = self._order[self._taken :]
        self._taken = len(self._order)
        return new

    def scripts_after(self, count: int) -> tuple[bytes, ...]:
        """Return the scripts that joined when the set already had `count`."""
        return tuple(self._order[count:])

    def last_used(self, key: ChainKey) -> int:
        return self._last_used[key]

    def revealed(self, key: ChainKey) -> int:
        return self._revealed[key]

    def known_indexes(self) -> dict[ChainKey, int]:
        """Highest index shown or paid per chain; -1 for none."""
        return {key: max(self._revealed[key], used) for key, used in self._last_used.items()}

    def mark_used(self, place: ScriptPlace) -> list[bytes]:
        """Note a payment to `place`; the scripts that join the watch set for it."""
        if place.index <= self._last_used[place.chain]:
            return []
        self._last_used[place.chain] = place.index
        self._staged.cache.last_used[place.chain] = place.index
        return self._fill(place.chain)

    def reveal_next(self, descriptor_index: int, keychain: Keychain) -> ScriptPlace:
        """Take the next address never shown before. Raises GapLimit when 20 are waiting."""
        key = (descriptor_index, keychain)
        index = max(self._revealed[key], self._last_used[key]) + 1
        if index > self._last_used[key] + GAP_LIMIT:
            raise GapLimit(GAP_LIMIT)
        self.reveal(ScriptPlace(*key, index))
        return ScriptPlace(*key, index)

    def reveal(self, place: ScriptPlace) -> None:
        if place.index > self._revealed[place.chain]:
            self._revealed[place.chain] = place.index
            self._staged.view.revealed[place.chain] = place.index
            self._fill(place.chain)

    def next_change(self, descriptor_index: int) -> ScriptPlace:
        """Propose the change address of a new payment without taking it.

        Plans that were reserved but never sent do not push change beyond the gap: then the
        first address after the last used one serves again.
        """
        key = (descriptor_index, Keychain.CHANGE)
        index = max(self._revealed[key], self._last_used[key]) + 1
        if index > self._last_used[key] + GAP_LIMIT:
            index = self._last_used[key] + 1
        return ScriptPlace(*key, index)
