"""One sentence on which source of blocks is in use and why, and on whether its tip is the newest.

The same in the window and on the command line.
"""

from typing import Final

from wallet_gui.app.fail_over import InUse
from wallet_gui.app.network_words import duration_text
from wallet_gui.app.node_words import MY_NODE, state_words
from wallet_gui.chain.bitcoind.node_status import NodeStatus
from wallet_gui.chain.p2p.tips import STALE_AGE, TipReport
from wallet_gui.primitives.params import REGTEST, ChainParams
from wallet_gui.primitives.plain_text import plain_text

DIRECTLY: Final = "Directly (P2P)"
DIRECTLY_FOR_NOW: Final = "Directly, my node is away"

_PROBLEM = 300
_IN_FLIGHT = 2  # blocks that a node is about to have read


def node_words(status: NodeStatus, *, has_reserve: bool) -> str:
    """The node is in use; `has_reserve`: public peers take over when it is away."""
    place = f"My node ({plain_text(status.via or status.address, 80)})"
    if status.is_ready:
        reserve = "; public peers take over if it stops answering" if has_reserve else ""
        return f"{place}: {state_words(status.state)}{reserve}."
    if status.problem is not None:
        return f"{place} is not there: {plain_text(status.problem.title, _PROBLEM)}"
    return f"{place}: {state_words(status.state)}."


def direct_words() -> str:
    """Nothing but public peers was ever wanted."""
    return "Directly: public peers are asked for the chain, and what they say is compared."


def reserve_words(reason: str, seconds_until_back: float | None) -> str:
    """Public peers have taken over for the node."""
    if seconds_until_back is not None:
        span = duration_text(int(seconds_until_back) + 1)
        return f"Directly: my node answers again and is used in {span}, if it stays."
    why = plain_text(reason, _PROBLEM) or "It does not answer."
    return f"Directly, while my node is away and is tried again: {why}"


def doubt_words(report: TipReport | None, params: ChainParams, *, is_synced: bool) -> str:
    """Why the tip may not be the newest one, as a sentence; "" without a reason."""
    if report is None or params is REGTEST:
        return ""
    if report.split:
        return report.split
    if report.is_stale:
        return (
            f"The newest block is {report.age // 3600} hours old. Either none was found since, "
            "or the peers hold newer ones back."
        )
    if is_synced and not report.is_agreed:
        return f"Only {report.agreeing} of {report.needed} networks show this newest block so far."
    return ""


def node_doubt_words(status: NodeStatus, params: ChainParams) -> str:
    """Why the node's tip may not be the newest one, as a sentence; "" without a reason."""
    if status.doubt:
        return plain_text(status.doubt, _PROBLEM)
    if params is REGTEST or not status.is_ready:
        return ""
    if status.blocks_behind > _IN_FLIGHT:
        return (
            f"Your node has {status.blocks_behind:,} blocks still to read. Payments in them are "
            "missing until it has."
        )
    if status.tip_age is None:
        return ""
    if status.tip_age < STALE_AGE:
        return ""
    return (
        f"The newest block of your node is {status.tip_age // 3600} hours old. Either none was "
        "found since, or your node is cut off from the others."
    )


def source_label(in_use: InUse, *, wants_node: bool) -> str:
    """A few words for the status bar."""
    if in_use is InUse.NODE:
        return MY_NODE
    return DIRECTLY_FOR_NOW if wants_node else DIRECTLY
