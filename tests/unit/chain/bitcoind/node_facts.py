"""Facts about a usual node, to be changed one by one."""

from typing import Any

from wallet_gui.chain.bitcoind.node_facts import FilterIndex, IndexState, NodeFacts


def node_facts(**changes: Any) -> NodeFacts:
    """A synced full node of version 29 with its filter index."""
    facts: dict[str, Any] = {
        "network": "regtest",
        "version": 290000,
        "subversion": "/Satoshi:29.0.0/",
        "blocks": 100,
        "headers": 100,
        "is_ibd": False,
        "percent": 100,
        "is_pruned": False,
        "prune_height": None,
        "filter_index": FilterIndex(IndexState.READY, 100),
        "has_scan": True,
        "has_activity": True,
        "has_package_relay": True,
        "min_relay_rate": 1000,
        "mempool_min_rate": 1000,
        "warnings": (),
        "uptime": 5,
        "tip_time": 1_700_000_000,
    }
    return NodeFacts(**{**facts, **changes})
