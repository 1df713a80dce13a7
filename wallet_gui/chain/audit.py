"""Two sources of the chain compared: the user's own node, and what public peers show.

Neither is believed more than the other here. Proof of work decides which chain is the longer one,
and both are held to the same rules before they come here; what remains is that a node may be behind
or cut off, follow another branch, or have a damaged filter index. A filter header commits to every
filter below it (BIP157), so one comparison speaks for all of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from wallet_gui.chain.backend import BlockRef

BEHIND: Final = 2
"""Blocks; one is on its way to somebody at any time."""

MAX_LOOK_BACK: Final = 2016
"""Blocks below the lower tip among which a height with both filter headers is looked for."""


@dataclass(frozen=True, slots=True)
class ChainView:
    """What one source shows of the chain.

    `networks`: how many networks show this tip. `hash_at` and `filter_header_at` give 32 bytes in
    wire order, or None where the source has not told.
    """

    tip: BlockRef
    chain_work: int
    networks: int
    hash_at: Callable[[int], bytes | None]
    filter_header_at: Callable[[int], bytes | None]


class Verdict(Enum):
    """What the comparison gives."""

    AGREES = "agrees"
    NODE_BEHIND = "node is behind"
    PEERS_BEHIND = "peers are behind"
    SPLIT = "split"
    FILTERS_DIFFER = "filters differ"
    UNKNOWN = "unknown"  # nothing to compare with


@dataclass(frozen=True, slots=True)
class Comparison:
    """The outcome. `sentence` is empty where nobody has to know.

    `height`: of the fork, or where filter headers were compared; None where neither was found.
    """

    verdict: Verdict
    sentence: str = ""
    height: int | None = None


def compare(node: ChainView, peers: ChainView | None) -> Comparison:
    """Compare the node's chain with that of public peers, and their filter headers."""
    if peers is None or peers.networks == 0:
        return Comparison(Verdict.UNKNOWN)
    low = min(node.tip.height, peers.tip.height)
    ours, theirs = node.hash_at(low), peers.hash_at(low)
    if ours is None or theirs is None:
        return Comparison(Verdict.UNKNOWN)
    compared = _split(node, peers, low) if ours != theirs else _filters(node, peers, low)
    if compared.sentence:
        return compared
    ahead = peers.tip.height - node.tip.height
    if ahead >= BEHIND:
        return Comparison(
            Verdict.NODE_BEHIND,
            f"Your node is {ahead} blocks behind what {_networks(peers)}. It may still be catching "
            "up; if this lasts, look whether it has a connection to the network.",
            compared.height,
        )
    verdict = Verdict.PEERS_BEHIND if -ahead >= BEHIND else compared.verdict
    return Comparison(verdict, "", compared.height)


def _split(node: ChainView, peers: ChainView, low: int) -> Comparison:
    fork = _fork(node, peers, low)
    after = "" if fork is None else f" since block {fork}"
    more = "more" if node.chain_work >= peers.chain_work else "less"
    return Comparison(
        Verdict.SPLIT,
        f"Your node follows another chain{after} than what {_networks(peers)}; its chain has "
        f"{more} work. Do not rely on payments confirmed after that block until this is settled.",
        fork,
    )


def _fork(node: ChainView, peers: ChainView, low: int) -> int | None:
    """Find the last common block; None when it lies below what one of them tells."""
    step = 1
    height = low
    wrong = low
    while height >= 0:
        ours, theirs = node.hash_at(height), peers.hash_at(height)
        if ours is None or theirs is None:
            break
        if ours == theirs:
            break
        wrong = height
        height -= step
        step *= 2
    else:
        height = -1
    good = max(height, -1)
    while wrong - good > 1:
        middle = (good + wrong) // 2
        ours, theirs = node.hash_at(middle), peers.hash_at(middle)
        if ours is not None and ours == theirs:
            good = middle
        elif ours is None or theirs is None:
            good = middle  # not told so far down: what is wrong lies above
        else:
            wrong = middle
    ours, theirs = node.hash_at(good), peers.hash_at(good)
    return good if ours is not None and ours == theirs else None


def _filters(node: ChainView, peers: ChainView, low: int) -> Comparison:
    """Compare at the highest block of which both have told the filter header."""
    for height in range(low, max(low - MAX_LOOK_BACK, -1), -1):
        theirs = peers.filter_header_at(height)
        ours = None if theirs is None else node.filter_header_at(height)
        if theirs is None or ours is None:
            continue
        if ours == theirs:
            return Comparison(Verdict.AGREES, "", height)
        return Comparison(
            Verdict.FILTERS_DIFFER,
            f"Your node's block filters differ from what {_networks(peers)}, at block {height} or "
            "below. One of them is wrong. If this stays so, let your node build its index anew: "
            "stop it, delete its folder indexes/blockfilter, and start it.",
            height,
        )
    return Comparison(Verdict.AGREES)


def _networks(peers: ChainView) -> str:
    return "one public peer shows" if peers.networks == 1 else f"{peers.networks} networks show"
