"""What the connection to a person's own node tells about itself: values for screens.

Text of the node and of the server is cleaned and capped before it comes in here.
"""

from dataclasses import dataclass
from enum import Enum

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
    node's newest block. `problem` is why it is not ready; while it warms up its own words. `doubt`
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
    doubt: str = ""
    compared: str = ""

    @property
    def is_ready(self) -> bool:
        return self.state is NodeState.READY
