"""Words for what a person's node tells about itself, the same in the window and in commands.

Text of the node and of its machine is made plain and capped here once more.
"""

from typing import Final

from wallet_gui.app.network_words import count_text, duration_text
from wallet_gui.chain.bitcoind.node_status import NodeState, NodeStatus
from wallet_gui.primitives.plain_text import plain_text

MY_NODE: Final = "My node"
"""The name of the source in use, when it is the person's own node."""

RUNG_CHOICES: Final[tuple[tuple[int | None, str], ...]] = (
    (None, "By itself: the best that the node offers"),
    (1, "The node looks scripts up and names what they did (version 29 or newer)"),
    (2, "The node looks scripts up; blocks are read here"),
    (3, "Filters and blocks through its P2P port; nothing is asked by RPC"),
    (5, "The node counts coins; the history is read block by block"),
)
"""The rungs that can be chosen, by number; which old blocks come from public peers is no choice."""

_TEXT, _SENTENCE = 120, 400
_STATES: Final = {
    NodeState.OFF: "it is not connected",
    NodeState.RESOLVING: "its machine is being looked for",
    NodeState.CONNECTING: "its machine is being called",
    NodeState.HOST_KEY: "its machine's identity is being checked",
    NodeState.LOGIN: "the login is under way",
    NodeState.CHANNEL: "bitcoind is being called",
    NodeState.RPC_LOGIN: "bitcoind checks the login",
    NodeState.WARMING_UP: "bitcoind is starting",
    NodeState.CHECKING: "its chain is being checked",
    NodeState.READY: "it answers",
    NodeState.RECONNECTING: "the connection is being made again",
    NodeState.STOPPED: "it cannot be used as it is",
}
_TITLES: Final = {
    NodeState.OFF: "Not connected",
    NodeState.READY: "Connected",
    NodeState.RECONNECTING: "Reconnecting",
    NodeState.STOPPED: "Not usable as it is",
    NodeState.WARMING_UP: "bitcoind is starting",
}


def state_words(state: NodeState) -> str:
    """Where the connection stands, as a part of a sentence."""
    return _STATES[state]


def state_title(state: NodeState) -> str:
    """Where the connection stands, in two words."""
    return _TITLES.get(state, "Connecting")


def node_lines(status: NodeStatus) -> tuple[tuple[str, str], ...]:
    """What there is to say about a node, as captions and values."""
    blocks = "Pruned: old blocks come from public peers and are checked" if status.is_pruned else ""
    if not blocks and status.is_ready:
        blocks = "All blocks"
    tip = ""
    if status.tip_age is not None:
        tip = f"{duration_text(max(0, status.tip_age))} old"
    if status.blocks_behind:
        tip += f"; the node has {count_text(status.blocks_behind, 'block')} still to read"
    # The way is told with what the node learns by it, which has a line of its own here.
    way = status.rung.replace(status.learns, "") if status.learns else status.rung
    lines = (
        ("State", state_title(status.state)),
        ("Connected via", plain_text(status.via or status.address, _TEXT)),
        ("Says it is", plain_text(status.version, _TEXT)),
        ("How the chain is read", plain_text(way, _SENTENCE)),
        ("What it learns", plain_text(status.learns, _SENTENCE)),
        ("Newest block", tip),
        ("Blocks", blocks),
        ("Public peers", plain_text(status.doubt or status.compared, _SENTENCE)),
        ("Its warnings", plain_text(" ".join(status.warnings), _SENTENCE)),
    )
    return tuple((title, value) for title, value in lines if value)
