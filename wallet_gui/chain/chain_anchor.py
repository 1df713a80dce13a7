"""A block that is taken as known: a chain of headers may start above it."""

from dataclasses import dataclass

from wallet_gui.chain.difficulty import HeaderCursor
from wallet_gui.primitives.params import ChainParams


@dataclass(frozen=True, slots=True)
class ChainAnchor:
    """The last block of a difficulty epoch, taken as known; the chain starts above it.

    `next_bits` is what the following epoch's blocks must have (on testnet4, its first block), and
    `chain_work` the work through `height`.
    """

    height: int
    hash: bytes
    next_bits: int
    chain_work: int


def cursor_on_anchor(params: ChainParams, anchor: ChainAnchor) -> HeaderCursor:
    """Stand on an anchor: what its epoch began with is not at hand, what follows it is known."""
    return HeaderCursor(
        params,
        height=anchor.height,
        hash=anchor.hash,
        chain_work=anchor.chain_work,
        bits=anchor.next_bits,
        required_bits=anchor.next_bits,
    )
