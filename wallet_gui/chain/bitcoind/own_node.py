"""`OwnNode`: the person's node as one source, whichever way the chain is read from it.

Over its RPC (`NodeBackend`) or over its P2P port (`p2p_node`): the connection finds out what the
node offers, and when that changes for good the other way takes over where the first one was.
Public peers stand beside it where the person wants that: they give the blocks that a pruned node
threw away, and are compared with it.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from wallet_gui.chain.audit import ChainView
from wallet_gui.chain.backend import (
    BackendState,
    BackendWarning,
    BlockRef,
    BroadcastResult,
    ChainBackend,
    ChainEvent,
    ChainStores,
    CoinsOf,
    ConnectionState,
    EventSink,
    NoPeers,
    Reorganized,
    Scanned,
)
from wallet_gui.chain.bitcoind.backend import NodeBackend
from wallet_gui.chain.bitcoind.connection import NodeConnection
from wallet_gui.chain.bitcoind.in_order import end
from wallet_gui.chain.bitcoind.node_audit import Finding, NodeAudit
from wallet_gui.chain.bitcoind.node_replies import block_hash as block_hash_of
from wallet_gui.chain.bitcoind.node_replies import field
from wallet_gui.chain.bitcoind.node_status import NodeStatus
from wallet_gui.chain.bitcoind.p2p_node import make_p2p_node
from wallet_gui.chain.bitcoind.problems import NodeProblem
from wallet_gui.chain.bitcoind.rungs import Rung
from wallet_gui.chain.bitcoind.session import Session
from wallet_gui.chain.bitcoind.session_link import SessionLink
from wallet_gui.chain.bitcoind.tunnel_protocol import Tunnel
from wallet_gui.chain.checkpoints import Checkpoints
from wallet_gui.chain.p2p.backend import P2PBackend
from wallet_gui.chain.p2p.long_scans import PreviewScripts
from wallet_gui.chain.p2p.second_look import SecondLook
from wallet_gui.chain.reports import FeeAdvice, LedgerEntry, PeerInfo, ScanPlan, SeenBy
from wallet_gui.chain.unbroken import to_the_end
from wallet_gui.primitives.hashes import hash_to_hex
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.transaction import Transaction

LOOK_SECONDS: Final = 1.0
MARKS: Final = 20  # scan marks kept of each wallet, to go on from when the way changes
_OFFLINE: Final = "There is no connection to your node; the payment was not sent."


@dataclass(slots=True)
class _Watched:
    """What a wallet asked for, brought up to date by what was told since."""

    scripts: list[bytes]
    marks: list[BlockRef]  # the newest first
    birthday_time: int | None
    anchors: tuple[BlockRef, ...]
    preview_scripts: PreviewScripts | None
    coins: CoinsOf | None

    def drop_above(self, height: int) -> None:
        self.marks = [mark for mark in self.marks if mark.height <= height]

    def add(self, mark: BlockRef) -> None:
        self.drop_above(mark.height - 1)
        self.marks = [mark, *self.marks][:MARKS]


class OwnNode:
    """A person's own node. Lives on the engine's loop."""

    def __init__(
        self,
        params: ChainParams,
        connection: NodeConnection,
        stores: ChainStores,
        sink: EventSink,
        *,
        look: SecondLook | None = None,
        compares: bool = True,
        broadcast_by_p2p: bool = False,
        checkpoints: Checkpoints | None = None,
        on_failure: Callable[[BaseException], None] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; `start` connects. The connection and `look` are this object's from here on.

        `look` are the public peers, None where they may not be asked anything; `compares`: they
        are asked for their view of the chain, and not only for blocks that the node lacks.
        """
        self._params = params
        self._connection = connection
        self._stores = stores
        self._sink = sink
        self._look = look
        if look is not None:
            look.sink = self._deliver
        self._compares = compares
        self._broadcast_by_p2p = broadcast_by_p2p and look is not None
        self._checkpoints = checkpoints
        self._on_failure = on_failure
        self._monotonic = monotonic
        self._watched: dict[str, _Watched] = {}
        self._inner: NodeBackend | P2PBackend | None = None
        self._is_running = False
        self._is_receiving = False
        self._is_paused = False
        self._approved: set[str] = set()
        self._finding = Finding()
        self._news: deque[ChainEvent] = deque()
        self._state: BackendState | None = None
        self._delivering = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    # --- the ChainBackend protocol ----------------------------------------------------------------

    async def start(self) -> None:
        """Begin to connect; returns at once."""
        if not self._is_running:
            self._is_running = True
            self._connection.start()
            self._spawn(self._run())

    async def stop(self) -> None:
        """Hang up; no event comes after this."""
        self._is_running = False
        await end(self._tasks)
        inner, self._inner = self._inner, None
        if inner is not None:
            await inner.stop()
        if self._look is not None:
            await self._look.stop()
        await self._connection.close()

    def watch(
        self,
        wallet_id: str,
        scripts: Sequence[bytes],
        *,
        checkpoints: Sequence[BlockRef],
        birthday_time: int | None,
        anchors: Sequence[BlockRef] = (),
        preview_scripts: PreviewScripts | None = None,
        coins: CoinsOf | None = None,
    ) -> None:
        """Scan for a wallet's scripts; see `ChainBackend.watch`."""
        self._watched[wallet_id] = watched = _Watched(
            list(scripts),
            list(checkpoints),
            birthday_time,
            tuple(anchors),
            preview_scripts,
            coins,
        )
        if self._inner is not None:
            _hand_over(self._inner, wallet_id, watched)

    def extend_watch(
        self, wallet_id: str, scripts: Sequence[bytes], *, from_height: int | None = None
    ) -> None:
        """Add scripts; raises KeyError when the wallet is not watched."""
        watched = self._watched[wallet_id]
        watched.scripts += scripts
        # Until the marks are told anew, none holds for these scripts.
        watched.drop_above(-1 if from_height is None else from_height - 1)
        if self._inner is not None:
            self._inner.extend_watch(wallet_id, scripts, from_height=from_height)

    def unwatch(self, wallet_id: str) -> None:
        """Forget a wallet."""
        self._watched.pop(wallet_id, None)
        if self._inner is not None:
            self._inner.unwatch(wallet_id)

    async def broadcast(
        self, tx: Transaction, parents: Sequence[Transaction] = ()
    ) -> BroadcastResult:
        """Send a transaction, by the node or, where the person prefers that, by public peers."""
        if not self._is_running:
            raise NoPeers(_OFFLINE)  # asked now, the public peers would be connected to anew
        if self._broadcast_by_p2p and self._look is not None:
            return await self._look.broadcast(tx, parents)
        if self._inner is None:
            raise NoPeers(_OFFLINE)
        return await self._inner.broadcast(tx, parents)

    def withdraw(self, txid: bytes) -> None:
        """Send a transaction no more."""
        if self._look is not None:
            self._look.withdraw(txid)
        if self._inner is not None:
            self._inner.withdraw(txid)

    def suspect_block(self, height: int) -> None:
        """Read a block in full: a payment is thought to be in it."""
        if self._inner is not None:
            self._inner.suspect_block(height)

    def tip(self) -> BlockRef | None:
        """Tell the tip of the most-work chain; None before there was a connection."""
        return None if self._inner is None else self._inner.tip()

    def minimum_fee_rates(self) -> list[int]:
        """List below which rate, in sat/kvB, the node takes no transaction."""
        return [] if self._inner is None else self._inner.minimum_fee_rates()

    def is_synced(self) -> bool:
        """Whether every wallet was scanned up to the node's tip, and nothing differs."""
        return self._inner is not None and self._inner.is_synced()

    def peers(self) -> list[PeerInfo]:
        """List the node while it is connected, and the public peers."""
        beside = [] if self._look is None else self._look.peers()
        return [*([] if self._inner is None else self._inner.peers()), *beside]

    def ledger(self) -> list[LedgerEntry]:
        """List every contact with another host since the start, the newest first."""
        entries = self._connection.ledger()
        if self._inner is not None:
            own = self._inner.ledger()
            entries = [*own, *entries] if isinstance(self._inner, P2PBackend) else own
        if self._look is not None:
            entries = [*entries, *self._look.ledger()]
        return sorted(entries, key=lambda entry: -entry.began)

    def scan_plans(self) -> list[ScanPlan]:
        """Tell what is left to scan, wallet by wallet."""
        return [] if self._inner is None else self._inner.scan_plans()

    def approve_scan(self, wallet_id: str) -> None:
        """Begin a scan that waits because it is long."""
        self._approved.add(wallet_id)
        if self._inner is not None:
            self._inner.approve_scan(wallet_id)

    def pause_scans(self, *, paused: bool) -> None:
        """Hold back what scans read, or let it go on."""
        self._is_paused = paused
        if self._inner is not None:
            self._inner.pause_scans(paused=paused)

    def fee_advice(self) -> FeeAdvice | None:
        """Tell usual fee rates; None while nothing is known."""
        return None if self._inner is None else self._inner.fee_advice()

    def seen_by(self, txid: bytes) -> SeenBy | None:
        """Tell who has an unconfirmed transaction; None when that is unknown."""
        return None if self._inner is None else self._inner.seen_by(txid)

    def set_receiving(self, *, is_receiving: bool) -> None:
        """Say whether a person waits for a payment."""
        self._is_receiving = is_receiving
        if self._inner is not None:
            self._inner.set_receiving(is_receiving=is_receiving)

    def node_status(self) -> NodeStatus:
        """Tell where the connection stands, and what the comparison with public peers gave."""
        finding = self._finding
        inner = self._inner
        status = inner.node_status() if isinstance(inner, NodeBackend) else self._connection.status
        return replace(status, doubt=finding.doubt, compared=finding.compared)

    def network_changed(self) -> None:
        """Try at once what waits: the computer is on another network, or woke up."""
        self._connection.network_changed()

    # --- tasks ------------------------------------------------------------------------------------

    async def _run(self) -> None:
        """Wait for the node, then see to it that the right way of reading is in use."""
        if self._look is not None:
            self._spawn(self._fill_gaps(self._look))
            if self._compares:
                await self._look.start()
                self._spawn(self._audit(self._look))
        while True:
            session = await self._session()
            if session is not None:
                is_p2p = session.choice.rung is Rung.P2P
                if self._inner is None or isinstance(self._inner, P2PBackend) is not is_p2p:
                    await self._change(session)
            while self._news:
                await self._deliver(self._news.popleft())
            await asyncio.sleep(LOOK_SECONDS)

    async def _session(self) -> Session | None:
        """Give the present session, waiting a moment for one; None where there is none."""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                session = await self._connection.ready()
        except (NodeProblem, TimeoutError):
            problem = self._connection.problem
            state = ConnectionState.CONNECTING if problem is None else ConnectionState.OFFLINE
            self._say(BackendState(state, 0, "" if problem is None else str(problem)))
            return None
        return session

    def _say(self, state: BackendState) -> None:
        """Tell where the connection stands while nothing reads over it that would."""
        if self._inner is None and state != self._state:
            self._state = state
            self._news.append(state)

    async def _change(self, session: Session) -> None:
        """Read the other way from now on, from where the first one was."""
        old, self._inner = self._inner, None
        if old is not None:
            await to_the_end(old.stop())  # nobody else knows of it any more
        inner: NodeBackend | P2PBackend
        if session.choice.rung is Rung.P2P:
            inner = make_p2p_node(
                self._params,
                session.p2p_port,
                self._tunnel,
                self._stores,
                self._told,
                checkpoints=self._checkpoints,
                on_failure=self._on_failure,
            )
        else:
            inner = NodeBackend(
                self._params,
                SessionLink(self._connection, owns=False),
                self._stores,
                self._told,
                public=self._look,
                checkpoints=self._checkpoints,
                on_failure=self._on_failure,
            )
        inner.set_receiving(is_receiving=self._is_receiving)
        for wallet_id, watched in self._watched.items():
            _hand_over(inner, wallet_id, watched)
        await inner.start()
        self._inner = inner
        if self._is_paused:
            inner.pause_scans(paused=True)
        for wallet_id in self._approved & self._watched.keys():
            inner.approve_scan(wallet_id)

    async def _told(self, event: ChainEvent) -> None:
        """Pass an event on, and keep what another way would have to know."""
        match event:
            case Scanned(wallet_id, height) if wallet_id in self._watched:
                mark = BlockRef(height, event.hash, event.filter_header)
                self._watched[wallet_id].add(mark)
            case Reorganized(wallet_id, fork_height) if wallet_id in self._watched:
                self._watched[wallet_id].drop_above(fork_height)
        await self._deliver(event)

    async def _deliver(self, event: ChainEvent) -> None:
        async with self._delivering:  # one at a time, from wherever they come
            await self._sink(event)

    async def _tunnel(self) -> Tunnel:
        return (await self._connection.ready()).tunnel

    async def _fill_gaps(self, look: SecondLook) -> None:
        """Get the blocks that a pruned node's P2P port cannot give from public peers."""
        while True:
            inner = self._inner
            for ref in inner.lacking_blocks() if isinstance(inner, P2PBackend) else ():
                try:
                    raw = await look.fetch_block(ref.height, ref.hash)
                except NoPeers as failure:
                    self._news.append(BackendWarning(str(failure)))
                    break
                if isinstance(inner, P2PBackend) and self._inner is inner:
                    inner.give_block(ref, raw)
            await asyncio.sleep(LOOK_SECONDS)

    # --- the comparison ---------------------------------------------------------------------------

    async def _audit(self, look: SecondLook) -> None:
        audit = NodeAudit(self._view, self._filter_header, look, self._monotonic)
        await audit.run(self._found)

    def _found(self, finding: Finding) -> None:
        if finding.doubt and finding.doubt != self._finding.doubt:
            self._news.append(BackendWarning(finding.doubt))
        self._finding = finding

    def _view(self) -> ChainView | None:
        return None if self._inner is None else self._inner.view()

    async def _filter_header(self, height: int, block_hash: bytes) -> bytes | None:
        if isinstance(self._inner, P2PBackend):
            view = self._inner.view()
            return None if view is None else view.filter_header_at(height)
        session = self._connection.session
        if session is None or session.facts is None or not session.facts.has_index:
            return None
        try:
            told = await session.rpc.call("getblockfilter", hash_to_hex(block_hash))
            return block_hash_of(field(told, "header"), "header")
        except NodeProblem:
            return None  # the connection sees to what is wrong

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            if self._on_failure is not None:
                self._on_failure(error)
            else:
                asyncio.get_running_loop().call_exception_handler(
                    {"message": "Reading from the node failed.", "exception": error}
                )


def _hand_over(inner: ChainBackend, wallet_id: str, watched: _Watched) -> None:
    inner.watch(
        wallet_id,
        watched.scripts,
        checkpoints=watched.marks,
        birthday_time=watched.birthday_time,
        anchors=watched.anchors,
        preview_scripts=watched.preview_scripts,
        coins=watched.coins,
    )
