"""Rung 3: the light client over the tunnel to the P2P port of the person's own node.

No RPC and no login at bitcoind is needed, and the node learns nothing but which blocks are read.
It is asked for headers, filters and blocks under the same rules as any public peer.
"""

from collections.abc import Awaitable, Callable

from wallet_gui.chain.backend import ChainStores, EventSink
from wallet_gui.chain.bitcoind.tunnel import Tunnel
from wallet_gui.chain.checkpoints import Checkpoints
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.backend import P2PBackend
from wallet_gui.chain.p2p.connect import TunnelDial
from wallet_gui.chain.p2p.options import P2POptions, RelayMode
from wallet_gui.chain.p2p.peer import Connection
from wallet_gui.primitives.params import ChainParams

NODE_HOST = "127.0.0.1"
"""As seen from the machine at the far end of the tunnel."""


def tunnelled(port: int, relay: RelayMode = RelayMode.ALWAYS) -> P2POptions:
    """Make the options of a client whose only peer is the node behind the tunnel."""
    return P2POptions(
        own_peers=(PeerAddress(NODE_HOST, port),),
        only_own_peers=True,
        relay=relay,
        is_tunnelled=True,
    )


def dial_through(tunnel: Callable[[], Awaitable[Tunnel]]) -> TunnelDial:
    """Let connections run over channels of the tunnel that `tunnel` gives each time.

    What it raises (ChainError) is why there is no connection.
    """

    async def dial(address: PeerAddress, connection: Connection) -> None:
        channel = await (await tunnel()).open_channel(address.host, address.port)
        try:
            channel.attach(connection)
        except BaseException:
            channel.abort()
            raise

    return dial


def make_p2p_node(
    params: ChainParams,
    port: int,
    tunnel: Callable[[], Awaitable[Tunnel]],
    stores: ChainStores,
    sink: EventSink,
    *,
    relay: RelayMode = RelayMode.ALWAYS,
    checkpoints: Checkpoints | None = None,
    on_failure: Callable[[BaseException], None] | None = None,
) -> P2PBackend:
    """Make the backend, not started; it contacts nobody but the node, and that by the tunnel."""
    return P2PBackend(
        params,
        tunnelled(port, relay),
        stores,
        sink,
        tunnel=dial_through(tunnel),
        checkpoints=checkpoints,
        on_failure=on_failure,
    )
