"""What the facts about a node mean for a person: the words of steps 8 to 13. Pure.

A node whose RPC cannot be used tells less, but enough, in its P2P greeting: `OF_GREETING`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from wallet_gui.chain.bitcoind import steps
from wallet_gui.chain.bitcoind.money import sat_per_kvb
from wallet_gui.chain.bitcoind.node_facts import IndexState, NodeFacts
from wallet_gui.chain.bitcoind.port_kind import PortFinding
from wallet_gui.chain.bitcoind.problems import (
    Code,
    Fix,
    NodeProblem,
    bad_reply,
    index_building,
    no_filter_index,
    not_synced,
)
from wallet_gui.chain.bitcoind.steps import Step
from wallet_gui.chain.bitcoind.ticks import Finding
from wallet_gui.chain.p2p.messages import Services
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.serialize import ParseError

FEE_TARGET: Final = 6  # blocks, about an hour
_BEST_VERSION: Final = 290_000


def no_filters_served(port: int) -> NodeProblem:
    """The P2P port is all that may be used, and it serves no filters (BIP157)."""
    return NodeProblem(
        Code.NO_FILTER_INDEX,
        f"The node serves no filters over its P2P port {port}.",
        "Add the lines blockfilterindex=1 and peerblockfilters=1 to its bitcoin.conf and restart "
        "it; building the index takes some hours.",
        fix=Fix("Copy the line for bitcoin.conf", "peerblockfilters=1"),
    )


def network(facts: NodeFacts) -> Finding:
    """Step 8: the network is the wallet's, which `probe` has made sure of."""
    return Finding(f"{facts.network}, with the same first block")


def version(facts: NodeFacts) -> Finding:
    """Step 9."""
    name = facts.subversion.strip("/") or f"version {facts.version}"
    if facts.version >= _BEST_VERSION:
        return Finding(name)
    return Finding(f"{name} works; version 29 or newer answers faster", is_warning=True)


def in_sync(facts: NodeFacts) -> Finding:
    """Step 10."""
    if facts.is_synced:
        words = f"at block {facts.blocks:,}"
        if facts.warnings:
            return Finding(f"{words}; the node warns: {facts.warnings[0]}", is_warning=True)
        return Finding(words)
    percent, behind = f"{facts.percent} %", max(0, facts.headers - facts.blocks)
    problem = not_synced(percent, behind)
    if facts.blocks >= facts.headers:
        return Finding(f"at block {facts.blocks:,}; the newest block is old", problem)
    soon = ", usable soon" if facts.percent >= 50 else ""
    return Finding(f"{percent}{soon}", problem)


def lookup(facts: NodeFacts) -> Finding:
    """Step 11."""
    index = facts.filter_index
    match index.state:
        case IndexState.READY:
            return Finding("filter index ready")
        case IndexState.BUILDING:
            problem = index_building(index.height, facts.blocks)
            return Finding("filter index not finished yet", problem)
        case IndexState.ABSENT:
            return Finding("no filter index", no_filter_index())


def blocks(facts: NodeFacts) -> Finding:
    """Step 12: pruned is fine."""
    if not facts.is_pruned:
        return Finding("all of them")
    lowest = facts.prune_height or 0
    if not lowest:
        return Finding("all of them so far (pruned)")
    return Finding(
        f"from block {lowest:,} on (pruned, which is fine: older ones come from public peers and "
        "are checked)"
    )


def fees(estimate: Any, facts: NodeFacts) -> Finding:
    """Step 13, from the answer of estimatesmartfee; raises NodeProblem for none that it gives."""
    try:
        rate = estimate.get("feerate")
        if rate is None:
            least = FeeRate(max(facts.min_relay_rate, facts.mempool_min_rate))
            return Finding(
                f"not enough payments seen yet; at least {least} sat/vB", is_warning=True
            )
        return Finding(f"{FeeRate(sat_per_kvb(rate))} sat/vB for the next hour")
    except (ParseError, AttributeError):
        raise bad_reply("estimatesmartfee") from None


def _filters_served(greeting: PortFinding) -> Finding:
    if greeting.services & Services.COMPACT_FILTERS:
        return Finding("filters served over its P2P port")
    return Finding("its P2P port serves no filters")


def _blocks_served(greeting: PortFinding) -> Finding:
    if greeting.services & Services.NETWORK:
        return Finding("all of them")
    return Finding("the newest (pruned, which is fine: older ones come from public peers)")


OF_FACTS: Final[Mapping[Step, Callable[[NodeFacts], Finding]]] = {
    steps.VERSION: version,
    steps.IN_SYNC: in_sync,
    steps.LOOKUP: lookup,
    steps.BLOCKS: blocks,
}

OF_GREETING: Final[Mapping[Step, Callable[[PortFinding], Finding]]] = {
    steps.NETWORK: lambda greeting: Finding(f"{greeting.network}, by its P2P greeting"),
    steps.VERSION: lambda greeting: Finding(greeting.agent.strip("/") or "it gives no name"),
    steps.IN_SYNC: lambda greeting: Finding(f"at block {greeting.height:,}, it says"),
    steps.LOOKUP: _filters_served,
    steps.BLOCKS: _blocks_served,
    steps.FEES: lambda _: Finding("from the newest blocks, without its RPC", is_warning=True),
}
