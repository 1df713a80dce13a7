"""What the parts that read a node's chain share, and what a scan costs there.

The rules of scanning are those of the P2P client (`watches`, `long_scans`, `scan`); what differs
is what the source has: every height that there is a header for can be scanned at once.
"""

from enum import Enum
from typing import Final

from wallet_gui.chain.backend import BlockRef
from wallet_gui.chain.p2p.long_scans import PREVIEW_BLOCKS, LongScan, LongScans
from wallet_gui.chain.p2p.scan_plan import block_bytes
from wallet_gui.chain.p2p.sync_state import SyncState
from wallet_gui.primitives.params import MAINNET

PREVIEW_ABOVE: Final = 20_000  # heights of a scan on the node from which on a preview comes first
COINS_ABOVE: Final = 144  # heights of blocks to be read in full before which the coins are shown
_BLOCK_BYTES: Final = {MAINNET.name: 1_700_000}
_BLOCK_ELSEWHERE: Final = 30_000


class ScanMode(Enum):
    """Who finds out which blocks concern a wallet."""

    NODE = "the node scans"
    FILTERS = "filters are matched here"
    BLOCKS = "every block is read"


class NodeChain(SyncState):
    """The state of `sync_state` for one node: no peers, and the node's own claims."""

    mode = ScanMode.NODE
    may_ask_for_coins = True
    sorts_out = False  # blocks that match by chance are dropped before they are read
    node_height = -1  # of its active chain, as it said last
    is_at_tip = False  # its tip was ours when it was last asked

    @property
    def lowest_height(self) -> int:
        """Every header has its block."""
        return self.headers.start_height

    @property
    def scannable_height(self) -> int:
        """Nothing beside the headers is waited for."""
        return self.headers.height

    def can_judge(self, mark: BlockRef) -> bool:  # noqa: ARG002 (the node has all filters)
        """A mark is compared with the filter headers that are stored, and stands without them."""
        return True

    def claimed_height(self) -> int:
        """Tell how high the node says its chain is."""
        return self.node_height

    def sources(self) -> tuple[int, int]:
        """Count the node itself, which is in no network of strangers."""
        return 1, 0

    def request_start(self, height: int) -> bool:
        """Have the headers extended downwards; False where no known block leads there."""
        anchor = self.checkpoints.anchor_at_or_below(height - 1)
        lowest = 0 if anchor is None else anchor.height + 1
        known = self.headers.anchor
        if self.headers.start_height > lowest and (
            known is None or self.checkpoints.hashes.get(known.height) != known.hash
        ):
            return False
        self.wanted_start = lowest if self.wanted_start is None else min(self.wanted_start, lowest)
        return True

    @property
    def is_synced(self) -> bool:
        """Whether the headers are the node's, and enough work for the real chain."""
        return self.is_at_tip and self.headers.has_minimum_work


class NodeScans(LongScans):
    """What a scan costs where the node does the work, and when a first look comes before it."""

    def __init__(self, state: NodeChain) -> None:
        super().__init__(state)
        self._chain = state

    def _download(self, first: int, top: int, scripts: int) -> int:
        count = max(0, top + 1 - first)
        params = self._chain.params
        if self._chain.mode is ScanMode.FILTERS:
            return super()._download(first, top, scripts)
        if self._chain.mode is ScanMode.BLOCKS:
            return count * _BLOCK_BYTES.get(params.name, _BLOCK_ELSEWHERE)
        # What the blocks of real payments take is not known beforehand.
        return 0 if self._chain.sorts_out else block_bytes(params, count, scripts, self._mean_size)

    def _is_worth_a_preview(self, each: LongScan) -> bool:
        if self._chain.mode is ScanMode.FILTERS:
            return super()._is_worth_a_preview(each)
        if self._chain.mode is ScanMode.BLOCKS:
            return each.remaining > COINS_ABOVE and self._chain.may_ask_for_coins
        return each.remaining > max(PREVIEW_ABOVE, 2 * PREVIEW_BLOCKS)

    def _preview_start(self, each: LongScan, top: int) -> int:
        if self._chain.mode is ScanMode.BLOCKS:
            return max(each.scan.mark + 1, 1)  # the node's set of coins covers all of it
        return super()._preview_start(each, top)
