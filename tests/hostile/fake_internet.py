"""A small internet on the loopback addresses: nodes in netgroups, DNS seeds, a book in memory.

The node `127.0.G.N` belongs to netgroup G. All listen at one port, as on the real network, and tell
addresses when they are asked for them.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

from tests.functional.p2p_wallet import Client, ScriptWallet, Setup
from tests.hostile.fake_chain import FakeChain
from tests.hostile.fake_peer import FakeNode, serve
from tests.patience import PATIENCE
from wallet_gui.chain.p2p.addr_messages import AddrV2, GetAddr, NodeAddress
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.backend import system_clock
from wallet_gui.chain.p2p.links import Link, Role
from wallet_gui.chain.p2p.messages import Message, Services, Version
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.chain.p2p.sync_state import Instant
from wallet_gui.primitives.params import REGTEST, ChainParams

FILTERS = Services.NETWORK | Services.WITNESS | Services.COMPACT_FILTERS
PLAIN = Services.NETWORK | Services.WITNESS


def host(group: int, number: int = 1) -> str:
    return f"127.0.{group}.{number}"


def group_of(address: PeerAddress) -> bytes:
    return address.host.split(".")[2].encode() if address.host[0].isdigit() else b"name"


class MemoryPeers:
    """A `PeerStore`."""

    def __init__(self) -> None:
        self.data = b""

    def load(self) -> bytes:
        return self.data

    def save(self, data: bytes) -> None:
        self.data = data


@dataclass
class Neighbour(FakeNode):
    """A node that tells addresses and remembers what its visitors said."""

    tells: tuple[NodeAddress, ...] = ()
    versions: list[Version] = field(default_factory=list)

    def greet(self, message: Message) -> list[Message]:
        if isinstance(message, Version):
            self.versions.append(message)
        return super().greet(message)

    def _answer(self, message: Message) -> list[Message]:
        if isinstance(message, GetAddr):
            return [AddrV2(self.tells)] if self.tells else []
        return super()._answer(message)


class Internet:
    """The nodes that are there; each may be taken from the net and put back."""

    def __init__(self, stack: AsyncExitStack, port: int) -> None:
        self.port = port
        self.nodes: dict[str, Neighbour] = {}
        self.seeds: dict[str, list[str]] = {}
        self.asked: list[str] = []
        self.peers = MemoryPeers()
        self._stack = stack
        self._servers: dict[str, AsyncExitStack] = {}

    async def add(self, where: str, node: Neighbour) -> Neighbour:
        """Put a node on the net."""
        self.nodes[where] = node
        server = AsyncExitStack()
        await server.enter_async_context(serve(node, host=where, port=self.port, v2=True))
        self._servers[where] = server
        return node

    async def remove(self, where: str) -> None:
        """Take a node from the net; its connections break."""
        await self._servers.pop(where).aclose()

    async def close(self) -> None:
        for where in list(self._servers):
            await self.remove(where)

    def address(self, where: str) -> PeerAddress:
        return PeerAddress(where, self.port)

    def tell(self, hosts: Iterable[str], services: int, time: int) -> tuple[NodeAddress, ...]:
        return tuple(NodeAddress(self.address(h), int(services), time) for h in hosts)

    async def resolve(self, name: str) -> list[str]:
        """Answer as a seed does: for x849 with those who serve filters, for others nothing."""
        self.asked.append(name)
        prefix, _, seed = name.partition(".")
        await asyncio.sleep(0)
        if prefix != "x849" or seed not in self.seeds:
            raise OSError(-2, "Name or service not known")
        return self.seeds[seed]

    @property
    def params(self) -> ChainParams:
        return replace(REGTEST, dns_seeds=tuple(self.seeds), default_port=self.port)

    def setup(self, options: P2POptions | None = None) -> Setup:
        return Setup(
            options or P2POptions(),
            self.params,
            peer_store=self.peers,
            resolver=self.resolve,
            netgroup=group_of,
        )

    def visited(self) -> Mapping[str, int]:
        """Count the handshakes of each node."""
        return {where: len(node.versions) for where, node in self.nodes.items() if node.versions}


BTC = 10**8


@asynccontextmanager
async def internet(
    chain: FakeChain, groups: Iterable[int] = (), *, services: int = FILTERS
) -> AsyncIterator[Internet]:
    """A net with one honest node for each of these groups, known to one seed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with AsyncExitStack() as stack:
        net = Internet(stack, port)
        for group in groups:
            await net.add(host(group), Neighbour(chain, services, nonce=5000 + group))
        net.seeds["seed.test"] = list(net.nodes)
        try:
            yield net
        finally:
            await net.close()


def paid(wallet: ScriptWallet, height: int = 40) -> FakeChain:
    chain = FakeChain()
    chain.mine_empty(height - 11)
    chain.mine(to=wallet.script(0))
    chain.mine_empty(10)
    return chain


def links(client: Client, *roles: Role) -> list[Link]:
    group = client.backend._group
    if group is None:
        return []  # the chain is being read still
    wanted = roles or tuple(role for role in Role if role.is_sync)
    return [s.link for s in group.sessions.values() if s.link.role in wanted]


async def synced(client: Client, chain: FakeChain, seconds: float = PATIENCE) -> None:
    await client.until_synced(chain.height, chain.tip[::-1].hex(), seconds)


def hurried(factor: float) -> Callable[[], Instant]:
    """A clock that runs faster, for what takes minutes."""
    began = system_clock()

    def now() -> Instant:
        real = system_clock().monotonic - began.monotonic
        return Instant(began.monotonic + factor * real, began.unix + int(factor * real))

    return now
