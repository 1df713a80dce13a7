"""NodeAccess: a person's node with all that it takes to reach it; loads the node's code.

Nothing imports this before a node is wanted.
"""

from collections.abc import Awaitable, Callable

from wallet_gui.app.node_choice import NodeChoice, NodeSecrets
from wallet_gui.app.node_source import NodeChain, NodeSource, NodeWatch
from wallet_gui.app.p2p_choice import why_not_connect
from wallet_gui.chain.backend import ChainStores, EventSink, PeerStore
from wallet_gui.chain.bitcoind.connection import NodeConnection
from wallet_gui.chain.bitcoind.node_status import NodeStatus
from wallet_gui.chain.bitcoind.own_node import OwnNode
from wallet_gui.chain.bitcoind.ssh_target import NodeAddress
from wallet_gui.chain.bitcoind.tunnel_protocol import (
    Asker,
    HostKeyQuestion,
    SecretQuestion,
    SshSecrets,
    SshStore,
)
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.chain.p2p.second_look import SecondLook
from wallet_gui.chain.reports import LedgerEntry
from wallet_gui.primitives.params import ChainParams
from wallet_gui.storage.node_settings import NodeSettings


class CountingAsker:
    """Hands questions on to whoever is there, and knows whether one is open.

    Where nobody is there, every answer is no.
    """

    def __init__(self, asker: Callable[[], Asker | None]) -> None:
        """Prepare; `asker` is called with each question: the window comes after the start."""
        self._asker = asker
        self._open = 0

    @property
    def is_asking(self) -> bool:
        return self._open > 0

    async def trust_host_key(self, question: HostKeyQuestion) -> bool:
        """Ask whether the server is the right one."""
        asker = self._asker()
        if asker is None:
            return False
        self._open += 1
        try:
            return await asker.trust_host_key(question)
        finally:
            self._open -= 1

    async def secret(self, question: SecretQuestion) -> str | None:
        """Ask for a secret."""
        asker = self._asker()
        if asker is None:
            return None
        self._open += 1
        try:
            return await asker.secret(question)
        finally:
            self._open -= 1


class _Watch:
    """Keeps a connection to the node and does nothing with it."""

    def __init__(self, connection: NodeConnection) -> None:
        self._connection = connection

    def start(self) -> None:
        self._connection.start()

    async def stop(self) -> None:
        await self._connection.close()

    def node_status(self) -> NodeStatus:
        return self._connection.status

    def ledger(self) -> list[LedgerEntry]:
        return self._connection.ledger()


class NodeAccess:
    """See `NodeSource`. `secrets` gives what is remembered of the node at that moment."""

    def __init__(
        self,
        params: ChainParams,
        choice: NodeChoice,
        address: NodeAddress,
        store: SshStore,
        ssh_secrets: SshSecrets,
        asker: CountingAsker,
        secrets: Callable[[], NodeSecrets],
        remember: Callable[[str, str], Awaitable[None]],
    ) -> None:
        self._params = params
        self._choice = choice
        self._address = address
        self._store = store
        self._ssh_secrets = ssh_secrets
        self._asker = asker
        self._secrets = secrets
        self._remember = remember
        self._password = secrets().password

    @property
    def address(self) -> str:
        return self._choice.node.address

    @property
    def is_asking(self) -> bool:
        return self._asker.is_asking

    def is_same(self, other: NodeSource | None) -> bool:
        """Whether a connection made for the other one can go on: the same node, reached alike."""
        return isinstance(other, NodeAccess) and self.reached == other.reached

    @property
    def reached(self) -> tuple[NodeSettings, str]:
        """What makes a connection another one: the node's settings, and the password."""
        return self._choice.node, self._password

    def make_backend(
        self,
        stores: ChainStores,
        sink: EventSink,
        *,
        options: P2POptions | None,
        peer_store: PeerStore | None,
        on_failure: Callable[[BaseException], None],
    ) -> NodeChain:
        """Make a backend that is not started yet.

        `options`: how public peers may be asked besides, None where they may not be.
        """
        node = self._choice.node
        wants_peers = node.compare_with_public or node.broadcast_by_p2p
        look = None
        if wants_peers and options is not None and not why_not_connect(options, self._params):
            look = SecondLook(self._params, options, peer_store=peer_store)
        return OwnNode(
            self._params,
            self._connection(self._asker),
            stores,
            sink,
            look=look,
            compares=node.compare_with_public,
            broadcast_by_p2p=node.broadcast_by_p2p,
            on_failure=on_failure,
        )

    def make_watch(self) -> NodeWatch:
        """Make a watch that is not started yet; it asks the person nothing."""
        return _Watch(self._connection(CountingAsker(lambda: None)))

    def _connection(self, asker: Asker) -> NodeConnection:
        async def remember(kind: str, value: str) -> None:
            if kind == "cookie":
                await self._remember(self.address, value)

        return NodeConnection(
            self._address,
            self._choice.options(self._secrets()),
            asker,
            self._store,
            self._params,
            on_remember=remember,
            ssh_secrets=self._ssh_secrets,
        )
