"""What a node is and can, as the probe found it. Plain values."""

from dataclasses import dataclass
from enum import Enum


class IndexState(Enum):
    """How far the node's index of compact filters is."""

    ABSENT = "absent"
    BUILDING = "building"
    READY = "ready"


@dataclass(frozen=True, slots=True)
class FilterIndex:
    """The index and the height up to which it reaches (-1: there is none)."""

    state: IndexState
    height: int = -1


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """A node as it was at one moment; texts are cleaned, rates in sat/kvB."""

    network: str
    version: int  # 290500 is 29.5
    subversion: str
    blocks: int
    headers: int
    is_ibd: bool
    percent: int  # of the chain that was verified, rounded down
    is_pruned: bool
    prune_height: int | None  # the lowest block that it still has
    filter_index: FilterIndex
    has_scan: bool
    has_activity: bool
    has_package_relay: bool
    min_relay_rate: int
    mempool_min_rate: int
    warnings: tuple[str, ...]
    uptime: int
    tip_time: int = 0  # Unix time, the newest block's own; 0: not told

    @property
    def is_synced(self) -> bool:
        """Whether it has read the chain up to the newest header that it knows."""
        return not self.is_ibd and self.blocks >= self.headers - 1

    @property
    def has_index(self) -> bool:
        return self.filter_index.state is IndexState.READY
