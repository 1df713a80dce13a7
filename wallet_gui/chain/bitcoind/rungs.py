"""Which way a wallet reads the chain from a node, chosen from what the node can. Pure.

Each choice says in plain words how the history is found and what the node learns by it.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from wallet_gui.chain.bitcoind.node_facts import IndexState, NodeFacts
from wallet_gui.chain.bitcoind.problems import Fix

INDEX_LINE: Final = Fix("Copy the line for bitcoin.conf", "blockfilterindex=1")


class Rung(Enum):
    """The ways, the best first. `PRUNED` is one of the first three with blocks from elsewhere."""

    ACTIVITY = 1
    SCAN = 2
    P2P = 3
    PRUNED = 4
    COINS = 5


@dataclass(frozen=True, slots=True)
class P2PFacts:
    """What the node's P2P port offers; None in its place: it cannot be reached."""

    has_filters: bool
    keeps_all_blocks: bool = True


@dataclass(frozen=True, slots=True)
class Wish:
    """What the person asks for: no script for the node, or one way in particular."""

    tell_nothing: bool = False
    rung: Rung | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The way that is taken; `rung` is never `PRUNED`, `needs_public_blocks` says so instead."""

    rung: Rung
    needs_public_blocks: bool
    sentence: str
    offer: Fix | None = None
    tells_scripts: bool = True
    learns: str = ""

    @property
    def shown_rung(self) -> Rung:
        """The rung by which the ladder calls it."""
        is_modified = self.needs_public_blocks and self.rung is not Rung.COINS
        return Rung.PRUNED if is_modified else self.rung


_HOW: Final = {
    (Rung.ACTIVITY, True): "The node looks up this wallet's payments by its filters, very quickly.",
    (Rung.SCAN, True): "The node finds the blocks of this wallet by its filters, and this program "
    "reads them.",
    (Rung.SCAN, False): "The node's filters are matched on this computer.",
    (Rung.P2P, False): "The node's filters are read over its P2P port and matched on this computer;"
    " its RPC is not needed.",
    (Rung.COINS, True): "The node looks up this wallet's coins; the history is found more slowly, "
    "for the node has no filters.",
    (Rung.COINS, False): "Every block is read from the node and searched on this computer, which "
    "is slow, for the node has no filters.",
}
_LEARNS_SCRIPTS: Final = (
    "The node learns which addresses are yours, not the key behind them, and keeps none of it."
)
_LEARNS_BLOCKS: Final = "The node learns nothing but which blocks were read."
_LEARNS_NOTHING: Final = "The node learns nothing about the wallet."
_PUBLIC_BLOCKS: Final = (
    "Old blocks that the node has deleted come from public peers and are checked."
)
_NOT_POSSIBLE: Final = "The way you chose is not possible with this node."
_BUILDING: Final = "It becomes faster when the node has finished its filter index."


def choose(facts: NodeFacts | None, *, p2p: P2PFacts | None, wish: Wish) -> Choice:
    """Choose the way to read the chain.

    `facts` is None where the RPC cannot be logged in to, `p2p` where the P2P port does not answer.
    Raises ValueError when neither gives a way.
    """
    possible = _possible(facts, p2p, tell_nothing=wish.tell_nothing)
    if not possible:
        raise ValueError("the node offers neither RPC nor filters")
    wished = Rung.SCAN if wish.rung is Rung.PRUNED else wish.rung
    is_granted = wished in possible
    rung = wished if wished is not None and is_granted else possible[0]
    needs_public_blocks = _lacks_blocks(facts, p2p, rung) or (
        wish.rung is Rung.PRUNED and is_granted
    )
    tells_scripts = rung is not Rung.P2P and not wish.tell_nothing
    learns = _learns(rung, tells_scripts=tells_scripts)
    is_without_index = facts is not None and not facts.has_index
    is_building = facts is not None and facts.filter_index.state is IndexState.BUILDING
    parts = [
        _NOT_POSSIBLE if wished is not None and not is_granted else "",
        _HOW[rung, tells_scripts],
        learns,
        _PUBLIC_BLOCKS if needs_public_blocks else "",
        _BUILDING if rung is Rung.COINS and is_building else "",
    ]
    return Choice(
        rung=rung,
        needs_public_blocks=needs_public_blocks,
        sentence=" ".join(part for part in parts if part),
        offer=INDEX_LINE if rung is Rung.COINS and is_without_index and not is_building else None,
        tells_scripts=tells_scripts,
        learns=learns,
    )


def _possible(facts: NodeFacts | None, p2p: P2PFacts | None, *, tell_nothing: bool) -> list[Rung]:
    """List the ways that the node offers, the preferred one first."""
    has_index = facts is not None and facts.has_index
    has_p2p = p2p is not None and p2p.has_filters
    possible = []
    if facts is not None and has_index and not tell_nothing:
        if facts.has_activity and facts.has_scan:
            possible.append(Rung.ACTIVITY)
        if facts.has_scan:
            possible.append(Rung.SCAN)
    if has_p2p:
        possible.append(Rung.P2P)
    if has_index and Rung.SCAN not in possible and tell_nothing:
        possible.append(Rung.SCAN)
    if facts is not None:
        possible.append(Rung.COINS)
    return possible


def _lacks_blocks(facts: NodeFacts | None, p2p: P2PFacts | None, rung: Rung) -> bool:
    if facts is not None and facts.is_pruned:
        return True
    return rung is Rung.P2P and p2p is not None and not p2p.keeps_all_blocks


def _learns(rung: Rung, *, tells_scripts: bool) -> str:
    if tells_scripts:
        return _LEARNS_SCRIPTS
    return _LEARNS_NOTHING if rung is Rung.COINS else _LEARNS_BLOCKS
