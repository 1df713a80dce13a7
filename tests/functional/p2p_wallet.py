"""A wallet for tests of the chain backend: it knows scripts and coins, and nothing of keys.

It grows its window as a real one does and applies what it is told in the order it is told; so a
wrong order or a missed block shows as a wrong balance.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.patience import PATIENCE
from wallet_gui.chain.backend import (
    BackendState,
    BackendWarning,
    BlockMatched,
    BlockRef,
    BroadcastProgress,
    ChainEvent,
    PeerStore,
    Reorganized,
    Scanned,
    SyncProgress,
    TipChanged,
    TxSeen,
)
from wallet_gui.chain.checkpoints import Checkpoints
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.backend import P2PBackend, system_clock
from wallet_gui.chain.p2p.netgroup import Netgroup
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.chain.p2p.seeds import Resolver
from wallet_gui.chain.p2p.sync_state import Instant
from wallet_gui.primitives.address import address_from_script
from wallet_gui.primitives.hashes import hash160
from wallet_gui.primitives.params import REGTEST, ChainParams
from wallet_gui.primitives.script import p2wpkh
from wallet_gui.primitives.transaction import OutPoint, Transaction
from wallet_gui.storage.chain_db import ChainDb

DEFAULT = P2POptions()


class ScriptWallet:
    """Scripts `0..last used + gap`, the coins they received and the blocks that did it."""

    def __init__(self, name: str = "w", gap: int = 20) -> None:
        self.name = name
        self.gap = gap
        self.birthday_time: int | None = None
        self.scripts: list[bytes] = []
        self._index: dict[bytes, int] = {}
        self.coins: dict[OutPoint, tuple[int, int, int]] = {}  # index, value, height
        self.spent: dict[OutPoint, int] = {}  # height at which
        self.blocks: dict[int, bytes] = {}
        self.marks: dict[int, bytes] = {}
        self.filter_headers: dict[int, bytes] = {}
        self.unconfirmed: dict[bytes, Transaction] = {}
        self.heights: list[int] = []  # in the order of delivery
        self._grow(gap)

    def script(self, index: int) -> bytes:
        return p2wpkh(hash160(f"{self.name}/{index}".encode()))

    def address(self, index: int) -> str:
        text = address_from_script(self.script(index), REGTEST)
        assert text is not None
        return text

    def _grow(self, count: int) -> list[bytes]:
        new = [self.script(index) for index in range(len(self.scripts), count)]
        for script in new:
            self._index[script] = len(self.scripts)
            self.scripts.append(script)
        return new

    def apply(self, event: BlockMatched) -> list[bytes]:
        """Take a block; return the scripts that are to be watched in addition."""
        self.heights.append(event.height)
        self.blocks[event.height] = event.block.header.hash
        highest = -1
        for tx in event.block.transactions:
            self.unconfirmed.pop(tx.txid, None)
            for tx_input in tx.inputs:
                if tx_input.prevout in self.coins:
                    self.spent[tx_input.prevout] = event.height
            for vout, output in enumerate(tx.outputs):
                index = self._index.get(output.script_pubkey)
                if index is not None:
                    highest = max(highest, index)
                    coin = (index, output.value_sat, event.height)
                    self.coins[OutPoint(tx.txid, vout)] = coin
        return self._grow(highest + 1 + self.gap)

    def rewind(self, height: int) -> None:
        self.coins = {k: v for k, v in self.coins.items() if v[2] <= height}
        self.spent = {k: v for k, v in self.spent.items() if v <= height}
        self.blocks = {k: v for k, v in self.blocks.items() if k <= height}
        self.marks = {k: v for k, v in self.marks.items() if k <= height}

    def mark(self, event: Scanned) -> None:
        self.marks = {k: v for k, v in self.marks.items() if k < event.height}
        self.marks[event.height] = event.hash
        self.filter_headers[event.height] = event.filter_header

    @property
    def checkpoints(self) -> list[BlockRef]:
        return [
            BlockRef(h, self.marks[h], self.filter_headers.get(h, b""))
            for h in sorted(self.marks, reverse=True)
        ]

    @property
    def balance(self) -> int:
        return sum(value for coin, (_, value, _) in self.coins.items() if coin not in self.spent)

    @property
    def used(self) -> set[int]:
        return {index for index, _, _ in self.coins.values()}


def own_group(address: PeerAddress) -> bytes:
    """Take each node for a network of its own, which on one computer they are not."""
    return str(address).encode()


@dataclass(frozen=True)
class Setup:
    """What a backend of a test is made of, beside its database."""

    options: P2POptions = DEFAULT
    params: ChainParams = REGTEST
    peer_store: PeerStore | None = None
    resolver: Resolver | None = None
    netgroup: Netgroup = own_group
    clock: Callable[[], Instant] = system_clock
    checkpoints: Checkpoints | None = None


class Client:
    """A backend with its chain database and wallets, and what it has told them."""

    def __init__(
        self,
        database: ChainDb,
        wallets: Sequence[ScriptWallet],
        setup: Setup,
    ) -> None:
        self.wallets = {wallet.name: wallet for wallet in wallets}
        self.events: list[ChainEvent] = []
        self.failures: list[BaseException] = []
        self.tip: BlockRef | None = None
        self._changed = asyncio.Event()
        self.backend = P2PBackend(
            setup.params,
            setup.options,
            database,
            self._sink,
            peer_store=setup.peer_store,
            resolver=setup.resolver,
            netgroup=setup.netgroup,
            checkpoints=setup.checkpoints,
            clock=setup.clock,
            on_failure=self.failures.append,
        )

    async def _sink(self, event: ChainEvent) -> None:
        self.events.append(event)
        match event:
            case BlockMatched(name):
                new = self.wallets[name].apply(event)
                if new:
                    self.backend.extend_watch(name, new)
            case Reorganized(name, height):
                self.wallets[name].rewind(height)
            case Scanned(name):
                self.wallets[name].mark(event)
            case TipChanged(ref):
                self.tip = ref
            case TxSeen(tx):
                for wallet in self.wallets.values():
                    if any(output.script_pubkey in wallet.scripts for output in tx.outputs):
                        wallet.unconfirmed[tx.txid] = tx
            case SyncProgress() | BackendState() | BackendWarning() | BroadcastProgress():
                pass
        self._changed.set()

    def watch(self, wallet: ScriptWallet) -> None:
        self.wallets[wallet.name] = wallet
        self.backend.watch(
            wallet.name,
            wallet.scripts,
            checkpoints=wallet.checkpoints,
            birthday_time=wallet.birthday_time,
        )

    async def start(self) -> None:
        for wallet in self.wallets.values():
            self.watch(wallet)
        await self.backend.start()

    async def until(self, condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Wait until something holds; fail with what was told last."""
        deadline = time.monotonic() + seconds
        while not condition():
            if self.failures:
                raise self.failures[0]
            if time.monotonic() > deadline:
                told = [e for e in self.events if not isinstance(e, BlockMatched)][-12:]
                raise AssertionError(f"not within {seconds} s; last events: {told}")
            self._changed.clear()
            try:
                async with asyncio.timeout(0.1):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def until_synced(self, height: int, tip_hex: str, seconds: float = PATIENCE) -> None:
        """Wait until every wallet was scanned up to this block."""
        tip = bytes.fromhex(tip_hex)[::-1]

        def is_synced() -> bool:
            return (
                self.tip == BlockRef(height, tip)
                and all(w.marks.get(height) == tip for w in self.wallets.values())
                and self.backend.is_synced()
            )

        await self.until(is_synced, seconds)


@asynccontextmanager
async def running(
    directory: Path,
    ports: Sequence[int],
    *wallets: ScriptWallet,
    clock: Callable[[], Instant] = system_clock,
    options: P2POptions = DEFAULT,
) -> AsyncIterator[Client]:
    """A started client; nothing of it is left afterwards.

    Its peers are those of `options` and the `ports` of this computer.
    """
    peers = (PeerAddress("127.0.0.1", port) for port in ports)
    options = replace(options, own_peers=(*options.own_peers, *peers))
    setup = Setup(options, clock=clock)
    async with running_with(directory, setup, *wallets) as client:
        yield client


@asynccontextmanager
async def running_with(
    directory: Path, setup: Setup, *wallets: ScriptWallet
) -> AsyncIterator[Client]:
    """A started client with this setup; nothing of it is left afterwards."""
    with ChainDb(directory / "chain.db", setup.params) as database:
        client = Client(database, wallets, setup)
        await client.start()
        try:
            yield client
        finally:
            await client.backend.stop()
        left = [task for task in asyncio.all_tasks() if "wallet_gui" in _file_of(task)]
        assert left == [], "the backend left a task behind"
        if client.failures:
            raise client.failures[0]


def _file_of(task: asyncio.Task[object]) -> str:
    code = getattr(task.get_coro(), "cr_code", None)
    return "" if code is None else str(code.co_filename)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run one scenario to its end."""

    async def main() -> None:
        await scenario()

    asyncio.run(main())
