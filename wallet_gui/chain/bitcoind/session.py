"""A node that can be asked: the clients of its RPC in one tunnel, and what is known of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from wallet_gui.chain.bitcoind.credentials import (
    CookieCredentials,
    Credentials,
    UserPassword,
    usual_cookie_paths,
)
from wallet_gui.chain.bitcoind.networks import P2P_PORTS, RPC_PORTS
from wallet_gui.chain.bitcoind.node_facts import NodeFacts
from wallet_gui.chain.bitcoind.node_options import NodeOptions
from wallet_gui.chain.bitcoind.port_kind import PortKind, greet, port_kind
from wallet_gui.chain.bitcoind.problems import (
    Code,
    NodeProblem,
    not_a_node,
    p2p_to_rpc,
    rpc_to_p2p,
    wrong_network,
)
from wallet_gui.chain.bitcoind.rpc import NodeRpc
from wallet_gui.chain.bitcoind.rungs import Choice, P2PFacts
from wallet_gui.chain.bitcoind.tunnel_protocol import Channel, Tunnel
from wallet_gui.chain.p2p.messages import Services
from wallet_gui.primitives.params import ChainParams

HOST: Final = "127.0.0.1"  # as seen from the node's machine


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """A node that can be asked. `scan_rpc` is for calls that take long, `poll_rpc` for waiting.

    `facts` is None where only the P2P port is used: its RPC cannot be logged in to.
    """

    tunnel: Tunnel
    rpc: NodeRpc
    scan_rpc: NodeRpc
    poll_rpc: NodeRpc
    facts: NodeFacts | None
    choice: Choice
    p2p_port: int
    p2p: P2PFacts | None = None  # None: not asked, or closed

    async def open_p2p(self) -> Channel:
        """Connect to the node's P2P port."""
        return await self.tunnel.open_channel(HOST, self.p2p_port)


def login_for(
    tunnel: Tunnel,
    options: NodeOptions,
    network: str,
    remembered: str | None,
    remember: Callable[[str], Awaitable[None]] | None,
) -> Credentials:
    """Choose how to log in to the RPC; raises NodeProblem for a user that HTTP cannot carry."""
    if options.user is not None and options.password is not None:
        try:
            return UserPassword(options.user, options.password)
        except ValueError as error:
            raise NodeProblem(
                Code.RPC_AUTH, str(error), "Correct the login.", is_final=True
            ) from None
    paths = (options.cookie_path,) if options.cookie_path else usual_cookie_paths(network)
    return CookieCredentials(
        tunnel, paths, remembered, remember=remember, forced_first=options.ssh.own_key
    )


def client_for(
    tunnel: Tunnel,
    port: int,
    params: ChainParams,
    login: Credentials,
    channels: int,
    clock: Callable[[], float],
) -> NodeRpc:
    """Make a client of the RPC at `port`, which finds out what is there if it is no RPC."""

    async def open_channel() -> Channel:
        return await tunnel.open_channel(HOST, port)

    async def explain() -> NodeProblem | None:
        finding = await port_kind(open_channel, params)
        if finding.kind is PortKind.P2P:
            return rpc_to_p2p(port, RPC_PORTS[params.name])
        # A port that says nothing may be that of a node which is just stopping.
        is_strange = finding.kind not in {PortKind.RPC, PortKind.SILENT}
        return not_a_node(port) if is_strange else None

    depth = 4 if channels > 1 else 2
    return NodeRpc(
        open_channel,
        login,
        depth=depth,
        channels=channels,
        port=port,
        explain=explain,
        clock=clock,
    )


async def p2p_facts(
    tunnel: Tunnel, port: int, params: ChainParams, seconds: float = 3.0
) -> P2PFacts | None:
    """Ask the node's P2P port what it serves; None where it cannot be reached."""

    async def open_channel() -> Channel:
        return await tunnel.open_channel(HOST, port)

    try:
        finding = await greet(open_channel, params, seconds)
    except NodeProblem:
        return None  # closed, or not permitted: then that way is none
    if finding is None:
        return None
    return P2PFacts(
        has_filters=Services.COMPACT_FILTERS in finding.services,
        keeps_all_blocks=Services.NETWORK in finding.services,
    )


async def explain_p2p(tunnel: Tunnel, port: int, params: ChainParams) -> NodeProblem:
    """Find out why there is no P2P node of the right network at a port."""

    async def open_channel() -> Channel:
        return await tunnel.open_channel(HOST, port)

    try:
        finding = await port_kind(open_channel, params)
    except NodeProblem as problem:
        return problem
    if finding.kind is PortKind.RPC:
        return p2p_to_rpc(port, P2P_PORTS[params.name])
    if finding.kind is PortKind.P2P and finding.network != params.name:
        return wrong_network(params.name, finding.network or "another network")
    return not_a_node(port)
