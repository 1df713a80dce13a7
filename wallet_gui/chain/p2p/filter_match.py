"""What is done to filters away from the loop: verifying them, and matching for several wallets."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from wallet_gui.chain.filters import FilterEngine
from wallet_gui.chain.scan import ScanRange, WalletScan


@dataclass(frozen=True, slots=True)
class Verdict:
    """`wrong` is the first height whose filter is not the agreed one, None if all are right.

    `tolerated` are wrong ones at heights where the agreed header itself is disputed.
    """

    wrong: int | None
    tolerated: frozenset[int]


def verify(
    engine: FilterEngine,
    filters: Sequence[memoryview],
    start: int,
    agreed: bytes,
    before: bytes,
    disputed: frozenset[int],
) -> Verdict:
    """Compare filters from height `start` on with their agreed headers (32 bytes each)."""
    tolerated = set()
    previous = before
    for index, filter_hash in enumerate(engine.hash_many(filters)):
        header = agreed[32 * index : 32 * index + 32]
        if sha256(sha256(filter_hash + previous).digest()).digest() != header:
            if start + index not in disputed:
                return Verdict(start + index, frozenset(tolerated))
            tolerated.add(start + index)
        previous = header
    return Verdict(None, frozenset(tolerated))


@dataclass(frozen=True, slots=True)
class MatchJob:
    """Filters from height `first` on, and which wallet wants which of them matched for what."""

    first: int
    hashes: list[bytes]
    filters: list[memoryview]
    scans: list[tuple[WalletScan, ScanRange]]

    def run(self, engine: FilterEngine) -> list[list[int]]:
        """Give the matched heights, one list for each of `scans`.

        Wallets that want the same heights are matched together, since decoding costs most; only
        the few hits are then looked at for each.
        """
        found: list[list[int]] = [[] for _ in self.scans]
        spans: dict[tuple[int, int], list[int]] = {}
        for index, (_, scanned) in enumerate(self.scans):
            spans.setdefault((scanned.start, scanned.stop), []).append(index)
        for (start, stop), indexes in spans.items():
            part = slice(start - self.first, stop + 1 - self.first)
            pairs = list(zip(self.hashes[part], self.filters[part], strict=True))
            union = {s for index in indexes for s in self.scans[index][1].scripts}
            if not union:
                continue
            matched = engine.match_many(pairs, list(union))
            hits = [offset for offset, hit in enumerate(matched) if hit]
            for index in indexes:
                mine = hits
                if len(indexes) > 1 and hits:
                    again = engine.match_many(
                        [pairs[offset] for offset in hits], self.scans[index][1].scripts
                    )
                    mine = [offset for offset, hit in zip(hits, again, strict=True) if hit]
                found[index] = [start + offset for offset in mine]
        return found
