"""What the connection to a person's own node tells about itself: values for screens.

Text of the node and of the server is cleaned and capped before it comes in here.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from wallet_gui.chain.bitcoind.node_facts import NodeFacts
from wallet_gui.chain.bitcoind.problems import NodeProblem


class NodeState(Enum):
    """Where the connection stands, in the order in which it is made."""

    OFF = "off"
    RESOLVING = "resolving"
    CONNECTING = "connecting"  # to the SSH port
    HOST_KEY = "host key"  # perhaps the person is asked whether it is the right server
    LOGIN = "login"  # at the server; perhaps the person is asked for a passphrase or code
    CHANNEL = "channel"  # to bitcoind's port
    RPC_LOGIN = "rpc login"
    WARMING_UP = "warming up"
    CHECKING = "checking"  # network, version, index
    READY = "ready"
    RECONNECTING = "reconnecting"
    STOPPED = "stopped"  # by a problem that trying again cannot mend


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One moment of the connection.

    `address` is as the person wrote it, `via` how it is reached ("ssh bitcoin@mynode.local", "this
    computer"), `version` what the node calls itself. `rung` says in plain words how the chain is
    read, `learns` what the node gets to know by that. `tip_age`: seconds since the date of the
    node's newest block, `blocks_behind` how many it has still to read, `warnings` its own words
    about itself. `problem` is why it is not ready; while it warms up its own words. `doubt`
    says in what public peers see the chain otherwise, `compared` that they see the same.
    """

    state: NodeState = NodeState.OFF
    address: str = ""
    via: str = ""
    version: str = ""
    rung: str = ""
    learns: str = ""
    problem: NodeProblem | None = None
    tip_age: int | None = None
    is_pruned: bool = False
    blocks_behind: int = 0
    warnings: tuple[str, ...] = ()
    doubt: str = ""
    compared: str = ""

    @property
    def is_ready(self) -> bool:
        return self.state is NodeState.READY


def told_by(facts: NodeFacts, now: int) -> dict[str, Any]:
    """Give what of a status follows from the node's answers; `now` is the Unix time."""
    return {
        "version": facts.subversion,
        "is_pruned": facts.is_pruned,
        "tip_age": max(0, now - facts.tip_time) if facts.tip_time else None,
        "blocks_behind": max(0, facts.headers - facts.blocks),
        "warnings": facts.warnings,
    }
