"""The states that a connection to one's own node goes through, until it can be used."""

from typing import Final

from wallet_gui.chain.bitcoind.node_status import NodeState

ON_THE_WAY: Final = (
    NodeState.RESOLVING,
    NodeState.CONNECTING,
    NodeState.HOST_KEY,
    NodeState.LOGIN,
    NodeState.CHANNEL,
    NodeState.RPC_LOGIN,
    NodeState.CHECKING,
    NodeState.READY,
)
