"""The backend of one's own node in this process, on a real bitcoind, with wallets that check it.

`DirectLink` connects over the loopback interface; what is tested is everything above it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.functional.bitcoind import Node
from tests.functional.p2p_wallet import ScriptWallet
from tests.functional.p2p_wallet import _file_of as file_of
from tests.patience import PATIENCE
from wallet_gui.chain.backend import (
    BalanceChecked,
    BlockMatched,
    BlockRef,
    ChainEvent,
    CheckState,
    OwnCoins,
    PreviewMatched,
    Reorganized,
    Scanned,
    TipChanged,
)
from wallet_gui.chain.bitcoind.backend import NodeBackend
from wallet_gui.chain.bitcoind.credentials import CookieCredentials
from wallet_gui.chain.bitcoind.local_socket import LocalTunnel
from wallet_gui.chain.bitcoind.node_chain import ScanMode
from wallet_gui.chain.bitcoind.node_session import NodeCalls, NodeUse, PublicPeers
from wallet_gui.chain.bitcoind.node_status import NodeStatus
from wallet_gui.chain.bitcoind.problems import NodeProblem
from wallet_gui.chain.bitcoind.rpc import NodeRpc
from wallet_gui.chain.checkpoints import Checkpoints
from wallet_gui.chain.reports import LedgerEntry
from wallet_gui.primitives.params import REGTEST
from wallet_gui.storage.chain_db import ChainDb


class DirectLink:
    """Connects to a node's RPC port on this computer; `port` may be that of a proxy before it."""

    def __init__(
        self,
        node: Node,
        mode: ScanMode = ScanMode.NODE,
        *,
        port: int | None = None,
        may_ask_for_coins: bool = True,
        has_activity: bool = True,
    ) -> None:
        self.node = node
        self.mode = mode
        self.port = port
        self.may_ask_for_coins = may_ask_for_coins
        self.has_activity = has_activity
        self.problem: NodeProblem | None = None
        self.problems: list[NodeProblem] = []
        self.connections = 0
        self._rpcs: list[NodeRpc] = []
        self._tunnel: LocalTunnel | None = None

    async def ready(self) -> NodeUse:
        await self._hang_up()
        tunnel = self._tunnel = LocalTunnel(lambda path, limit: path.read_bytes()[: limit + 1])
        cookie = self.node.directory / self.node.network / ".cookie"
        credentials = CookieCredentials(tunnel, [str(cookie)])
        port = self.node.rpc_port if self.port is None else self.port
        self._rpcs = [
            NodeRpc(lambda: tunnel.open_channel("127.0.0.1", port), credentials) for _ in range(3)
        ]
        rpc, scan, poll = self._rpcs
        info = await rpc.call("getblockchaininfo")
        network = await rpc.call("getnetworkinfo")
        self.connections += 1
        self.problem = None
        calls = NodeCalls(
            rpc,
            scan,
            poll,
            is_knots="Knots" in network["subversion"],
            has_activity=self.has_activity,
            prune_height=info.get("pruneheight"),
        )
        return NodeUse(calls, self.mode, self.may_ask_for_coins)

    async def _hang_up(self) -> None:
        rpcs, self._rpcs = self._rpcs, []
        for rpc in rpcs:
            await rpc.close()
        if self._tunnel is not None:
            await self._tunnel.close()

    def drop(self) -> None:
        """Lose the connection, as a cable that is pulled does."""
        for channel in [] if self._tunnel is None else list(self._tunnel._channels):
            channel.abort()

    def failed(self, problem: NodeProblem) -> None:
        self.problem = problem
        self.problems.append(problem)

    async def close(self) -> None:
        await self._hang_up()

    def ledger(self) -> list[LedgerEntry]:
        return []

    def status(self) -> NodeStatus:
        return NodeStatus(problem=self.problem)


class NodeClient:
    """A backend with its chain database and wallets, and what it has told them."""

    def __init__(
        self,
        database: ChainDb,
        link: DirectLink,
        wallets: Sequence[ScriptWallet],
        *,
        public: PublicPeers | None = None,
        checkpoints: Checkpoints | None = None,
    ) -> None:
        self.link = link
        self.wallets = {wallet.name: wallet for wallet in wallets}
        self.events: list[ChainEvent] = []
        self.failures: list[BaseException] = []
        self.checks: dict[str, CheckState] = {}
        self.previewed: dict[str, list[int]] = {}
        self.tip: BlockRef | None = None
        self.on_event: Callable[[ChainEvent], None] = lambda _event: None
        self._changed = asyncio.Event()
        self.backend = NodeBackend(
            REGTEST,
            link,
            database,
            self._sink,
            public=public,
            checkpoints=checkpoints,
            on_failure=self.failures.append,
        )

    async def _sink(self, event: ChainEvent) -> None:
        self.events.append(event)
        match event:
            case BlockMatched(name):
                new = self.wallets[name].apply(event)
                if new:
                    self.backend.extend_watch(name, new, from_height=event.height)
            case PreviewMatched(name, height):
                self.previewed.setdefault(name, []).append(height)
            case Reorganized(name, height):
                self.wallets[name].rewind(height)
            case Scanned(name):
                self.wallets[name].mark(event)
            case BalanceChecked(name, state):
                self.checks[name] = state
            case TipChanged(ref):
                self.tip = ref
            case _:
                pass
        self.on_event(event)
        self._changed.set()

    def watch(self, wallet: ScriptWallet) -> None:
        self.wallets[wallet.name] = wallet
        self.checks.pop(wallet.name, None)
        self.backend.watch(
            wallet.name,
            wallet.scripts,
            checkpoints=wallet.checkpoints,
            birthday_time=wallet.birthday_time,
            coins=lambda: own_coins(wallet),
        )

    async def start(self) -> None:
        for wallet in self.wallets.values():
            self.watch(wallet)
        await self.backend.start()

    async def until(self, condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Wait until something holds; fail with what was told last."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not condition():
            if self.failures:
                raise self.failures[0]
            if asyncio.get_running_loop().time() > deadline:
                told = [e for e in self.events if not isinstance(e, BlockMatched)][-12:]
                raise AssertionError(
                    f"not within {seconds} s; {self.link.problems[-3:]} last events: {told}"
                )
            self._changed.clear()
            try:
                async with asyncio.timeout(0.1):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def until_synced(self, node: Node, seconds: float = PATIENCE) -> None:
        """Wait until every wallet was scanned up to the node's tip."""
        height, tip_hex = await asyncio.to_thread(lambda: (node.height, node.tip))
        tip = bytes.fromhex(tip_hex)[::-1]

        def is_synced() -> bool:
            return (
                self.tip == BlockRef(height, tip)
                and all(w.marks.get(height) == tip for w in self.wallets.values())
                and self.backend.is_synced()
            )

        await self.until(is_synced, seconds)

    async def until_checked(self, node: Node, seconds: float = PATIENCE) -> None:
        """Wait until the node's own coins are those of every wallet."""
        await self.until_synced(node, seconds)
        await self.until(
            lambda: all(self.checks.get(name) is CheckState.AGREES for name in self.wallets),
            seconds,
        )


def own_coins(wallet: ScriptWallet) -> OwnCoins:
    coins = {
        outpoint: (value, height)
        for outpoint, (_, value, height) in wallet.coins.items()
        if outpoint not in wallet.spent
    }
    return OwnCoins(list(wallet.scripts), coins)


@asynccontextmanager
async def running(
    directory: Path,
    link: DirectLink,
    *wallets: ScriptWallet,
    public: PublicPeers | None = None,
) -> AsyncIterator[NodeClient]:
    """A started client; nothing of it is left afterwards."""
    with ChainDb(directory / "chain.db", REGTEST) as database:
        client = NodeClient(database, link, wallets, public=public)
        await client.start()
        try:
            yield client
        finally:
            await client.backend.stop()
        left = [task for task in asyncio.all_tasks() if "wallet_gui" in file_of(task)]
        assert left == [], "the backend left a task behind"
        if client.failures:
            raise client.failures[0]
