"""Scans of the node that may have missed something, and answers that cannot be true.

Each makes a `NodeProblem`; until it is over, no balance is shown.
"""

from wallet_gui.chain.bitcoind.problems import Code, NodeProblem


def scan_incomplete(detail: str = "") -> NodeProblem:
    """The index did not reach the end of what was scanned: blocks may have been skipped."""
    return NodeProblem(
        Code.SCAN_INCOMPLETE,
        "The node's filter index fell behind during a scan, so blocks may have been skipped.",
        "The scan is repeated; no balance is shown before.",
        detail=detail,
    )


def scan_lost() -> NodeProblem:
    """Somebody ended our scan, or its matches may have been erased by a second one."""
    return NodeProblem(
        Code.SCAN_LOST,
        "Another program disturbed the scan on the node.",
        "The scan is repeated; no balance is shown before.",
    )


def balance_differs() -> NodeProblem:
    """Our coins and the node's own set of unspent coins do not agree."""
    return NodeProblem(
        Code.BALANCE_DIFFERS,
        "The history and the node's set of unspent coins do not agree yet.",
        "The wallet is checking again; no balance is shown before.",
    )


def node_lies(detail: str) -> NodeProblem:
    """What the node says cannot be true: it contradicts proof of work, or its own words."""
    return NodeProblem(
        Code.NODE_LIES,
        "The node says something about the chain that cannot be true.",
        "Nothing of it was used. The node may be broken, or it is not yours.",
        detail=detail,
        is_final=True,
    )
