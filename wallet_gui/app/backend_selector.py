"""BackendSelector: which source of blocks is in use, and one picture of how far it is.

There are two kinds: compact filters over P2P, and a person's own node. The selector runs one of
them for a network, hands its events to every open wallet and condenses what it tells into a
`SyncSnapshot`. Changing the source, by choice or because the node went away, only attaches the
wallets to the other one: their scan marks and the chain database are shared, so nothing is read
twice.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from wallet_gui.app.fail_over import FailOverTimes
from wallet_gui.app.node_source import NodePlan
from wallet_gui.app.published import SyncSnapshot
from wallet_gui.app.recent_transactions import RecentTransactions
from wallet_gui.app.source_switch import BackendFactory, PeerBackend, SourceSwitch
from wallet_gui.app.source_words import DIRECTLY
from wallet_gui.app.sync_picture import SyncPicture
from wallet_gui.chain.backend import (
    BackendState,
    BackendWarning,
    BroadcastProgress,
    BroadcastStage,
    ChainBackend,
    ChainError,
    ChainEvent,
    ChainStores,
    ConnectionState,
    PeerStore,
    Reorganized,
    SyncProgress,
    TipChanged,
    TxSeen,
)
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.chain.reports import FeeAdvice, LedgerEntry
from wallet_gui.chain.unbroken import to_the_end
from wallet_gui.primitives.params import ChainParams
from wallet_gui.storage.errors import Damaged, StorageError

if TYPE_CHECKING:
    from wallet_gui.app.session import WalletSession

__all__ = ["BackendFactory", "BackendSelector", "PeerBackend"]

logger = logging.getLogger(__name__)

# What changes without an event (bytes, pings, contacts) is shown as often as this, and as often
# is looked whether the node is there.
_REPORT_INTERVAL = 1.0
# A backend that the disk stopped is started again after so many seconds.
_RESTART_SECONDS = 30.0
# Being in sync is looked at after each event, and as often as this.
_LOOK_SECONDS = 0.5


class BackendSelector:
    """Owns the backend of one network; lives on the engine's loop."""

    def __init__(
        self,
        params: ChainParams,
        stores: ChainStores,
        make_backend: BackendFactory,
        publish: Callable[[SyncSnapshot | BroadcastProgress], None],
        *,
        peer_store: PeerStore | None = None,
        repair: Callable[[], None] | None = None,
        clock: Callable[[], int] = lambda: int(time.time()),
        monotonic: Callable[[], float] = time.monotonic,
        fail_over_times: FailOverTimes | None = None,
    ) -> None:
        """Prepare; `repair` begins damaged stores anew, in a thread while no backend uses them."""
        self.params = params
        self._repair = repair
        self._clock = clock
        self._publish = publish
        self._source = SourceSwitch(
            params,
            stores,
            make_backend,
            self._sink,
            self._failed,
            peer_store=peer_store,
            clock=clock,
            monotonic=monotonic,
            times=fail_over_times,
        )
        self._sessions: dict[str, WalletSession] = {}
        # Starting, changing and stopping wait for one another.
        self._changing = asyncio.Lock()
        self._change_task: asyncio.Task[None] | None = None
        self._picture = SyncPicture(
            SyncSnapshot(params.name, DIRECTLY), publish, self._with_what_is_asked
        )
        self.reorganizations = 0
        self._recent = RecentTransactions()
        self._catching_up: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self._reporting: asyncio.Task[None] | None = None
        self._is_receiving = False
        self._is_paying = False
        self._failure: BaseException | None = None
        self._restarting: asyncio.TimerHandle | None = None
        self._restart_task: asyncio.Task[None] | None = None

    @property
    def snapshot(self) -> SyncSnapshot:
        return self._picture.snapshot

    @property
    def _backend(self) -> ChainBackend | None:
        return self._source.backend

    @property
    def tip_height(self) -> int | None:
        tip = None if self._backend is None else self._backend.tip()
        return None if tip is None else tip.height

    @property
    def backend(self) -> ChainBackend | None:
        return self._backend

    # --- starting, changing, stopping

    async def start(self, options: P2POptions | None, node: NodePlan | None = None) -> None:
        """Connect as these say; open wallets are scanned on. Replaces a running backend.

        `options` are None where public peers may not be contacted. Where nothing may be connected
        to, nothing is, and the snapshot says why.
        """
        async with self._changing:
            await self._start(options, node)

    async def use(
        self, options: P2POptions | None, node: NodePlan | None = None, *, is_wish: bool = False
    ) -> None:
        """Go on with other options, without a new start where the backend runs already.

        `is_wish`: a person has just asked for this source. A node that is away, or that was given
        up, is tried at once then.
        """
        async with self._changing:
            waits = is_wish and node is not None and not self._source.serves_from_node
            if not waits and self._failure is None and self._source.take_on(options, node):
                self._say_source()
            else:
                await self._start(options, node)

    async def hold(self, reason: str) -> None:
        """Stay unconnected, or disconnect, for a reason that the person is told."""
        async with self._changing:
            await self._stop()
            self._update(state=ConnectionState.STOPPED, detail=reason, source_words=reason)

    async def stop(self) -> None:
        """Disconnect. Wallets stay open and show what is stored."""
        async with self._changing:
            await self._stop()

    async def try_node_again(self) -> None:
        """Use the node at once, though public peers have taken over or it was given up."""
        async with self._changing:
            if self._source.plan is not None:
                await self._start(self._source.options, self._source.plan)

    async def _start(self, options: P2POptions | None, node: NodePlan | None) -> None:
        await self._stop()
        self._source.choose(options, node)
        await self._run()
        self._reporting = asyncio.get_running_loop().create_task(self._report())

    async def _run(self) -> None:
        """Run the source that is to be used now."""
        backend = self._source.make()
        self._say_source()
        if backend is None:
            self._update(state=ConnectionState.STOPPED, detail=self._source.why_not)
            return
        backend.set_receiving(is_receiving=self._is_receiving)
        if self.snapshot.is_paused:
            backend.pause_scans(paused=True)
        for session in self._sessions.values():
            session.attach(backend)
        await backend.start()

    async def _stop(self) -> None:
        self._forget_failure()
        for task in (self._reporting, self._change_task):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        self._reporting = self._change_task = None
        await self._end()
        self._forget_failure()  # it may fail in its last moment, and is not started again for that

    def _forget_failure(self) -> None:
        if self._restarting is not None:
            self._restarting.cancel()
        if self._restart_task is not None:
            self._restart_task.cancel()  # it waits for its turn
        self._restarting = self._restart_task = None
        self._failure = None

    async def _end(self) -> None:
        """Let go of the source that runs."""
        was_running = self._backend is not None
        if was_running:
            for session in self._sessions.values():
                session.detach()
        await self._source.end()
        if was_running:
            self._picture.begin_anew(ledger=self._source.ledger())

    async def close(self) -> None:
        """Disconnect for good; nothing is published after this."""
        await self.stop()
        self._picture.close()

    async def _change(self) -> None:
        """Let the other source take over."""
        async with self._changing:
            # What runs from here on is not cut off in the middle by a stop: that waits.
            self._change_task = None
            try:
                await self._end()
                await self._run()
            except (ChainError, StorageError) as error:
                self._failed(error)

    def _say_source(self) -> None:
        label, words = self._source.words()
        self._update(backend=label, source_words=words, node=self._source.node_status())

    # --- when it fails

    def _failed(self, error: BaseException) -> None:
        """The backend ended by an error of ours: say so, and try again when the disk was at fault.

        What was read is in the stores; nothing of it is lost.
        """
        self._failure = error
        is_storage = isinstance(error, StorageError)
        logger.error(
            "The chain backend ended: %s",
            type(error).__name__,
            exc_info=None if is_storage else error,
        )
        sentence = (
            str(error)
            if is_storage
            else "Reading the chain ended by an error of this program "
            f"({type(error).__name__}). Start the program again."
        )
        self._picture.update(state=ConnectionState.OFFLINE, detail=sentence, warning=sentence)
        if is_storage and self._restarting is None:
            loop = asyncio.get_running_loop()
            self._restarting = loop.call_later(_RESTART_SECONDS, self._restart)

    def _restart(self) -> None:
        self._restarting = None
        self._restart_task = asyncio.get_running_loop().create_task(self._start_again())

    async def _start_again(self) -> None:
        async with self._changing:
            self._restart_task = None  # as in `_change`: a stop waits from here on
            is_damaged = isinstance(self._failure, Damaged)
            await self._stop()
            try:
                if is_damaged and self._repair is not None:
                    await to_the_end(asyncio.to_thread(self._repair))
                await self._start(self._source.options, self._source.plan)
            except (ChainError, StorageError) as error:
                self._failed(error)

    def add(self, session: "WalletSession") -> None:
        """Scan for one more wallet."""
        self._sessions[session.wallet_id] = session
        if self._backend is not None:
            session.attach(self._backend)
        task = asyncio.get_running_loop().create_task(self._catch_up(session))
        self._catching_up[session.wallet_id] = task

    async def _catch_up(self, session: "WalletSession") -> None:
        """Show a wallet what peers relayed before it was opened: they do not send it again."""
        for count, tx in enumerate(self._recent.transactions()):
            await self._hand_to(session, TxSeen(tx, ""))
            if count % 100 == 99:
                await asyncio.sleep(0)
        self._catching_up.pop(session.wallet_id, None)
        self._changed.set()

    def remove(self, session: "WalletSession") -> None:
        """Forget a wallet."""
        if self._sessions.pop(session.wallet_id, None) is not None:
            session.detach()
            task = self._catching_up.pop(session.wallet_id, None)
            if task is not None:
                task.cancel()
            self._changed.set()

    # --- what a person decides while it runs

    def approve_scan(self, wallet_id: str) -> None:
        """Begin a scan that waits because it is long."""
        if self._backend is not None:
            self._backend.approve_scan(wallet_id)
            self._update()

    def pause_scans(self, *, paused: bool) -> None:
        """Hold back, or let go on, what long scans download."""
        if self._backend is not None:
            self._backend.pause_scans(paused=paused)
        self._update(is_paused=paused)

    def set_paying(self, *, is_paying: bool) -> None:
        """Say whether a person looks at fee rates."""
        self._is_paying = is_paying
        if is_paying:
            self._update(fee_advice=self.fee_advice())

    def set_receiving(self, *, is_receiving: bool) -> None:
        """Say whether a person waits for a payment."""
        self._is_receiving = is_receiving
        if self._backend is not None:
            self._backend.set_receiving(is_receiving=is_receiving)

    async def wait_until_synced(self) -> None:
        """Return once headers are at the peers' tip and every open wallet is scanned up to it.

        "Scanned" means applied and stored. Raises what ended the backend, when something did.
        """
        while not self.is_synced():
            if isinstance(self._failure, StorageError):
                raise self._failure
            if self._failure is not None:
                raise ChainError(self.snapshot.detail) from self._failure
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._changed.wait()

    def is_synced(self) -> bool:
        """Whether headers are at the peers' tip and every open wallet is scanned up to it."""
        backend = self._backend
        tip = None if backend is None else backend.tip()
        return (
            backend is not None
            and tip is not None
            and backend.is_synced()
            and not self._catching_up
            and all(session.is_scanned_to(tip) for session in self._sessions.values())
        )

    async def _sink(self, event: ChainEvent) -> None:
        match event:
            case SyncProgress():
                self._picture.progress(event)
            case TxSeen(tx):
                self._recent.add(tx)
            case Reorganized():
                self.reorganizations += 1
            case BackendState(state, _, detail):
                self._update(state=state, detail=detail)
            case BackendWarning(sentence):
                self._update(warning=sentence)
            case BroadcastProgress():
                self._publish(event)
                await self._show_to_others(event)
            case TipChanged(ref, tip_time):
                self._update(tip_height=ref.height, tip_time=tip_time)
        for session in list(self._sessions.values()):
            await self._hand_to(session, event)
        self._changed.set()

    async def _hand_to(self, session: "WalletSession", event: ChainEvent) -> None:
        try:
            await session.handle(event)
        except StorageError as error:
            # A full disk must not end the sync: the change is kept and tried again.
            logger.warning("Storing a wallet failed: %s", type(error).__name__)
            self._update(warning=str(error))

    async def _show_to_others(self, event: BroadcastProgress) -> None:
        """Tell every open wallet of a payment that one of them sent.

        Peers do not send our own transactions back to us.
        """
        if event.stage not in {BroadcastStage.REQUESTED, BroadcastStage.ECHOED}:
            return
        known = (session.wallet.transaction(event.txid) for session in self._sessions.values())
        tx = next((tx for tx in known if tx is not None), None)
        if tx is not None:
            for session in list(self._sessions.values()):
                if session.wallet.transaction(event.txid) is None:
                    await self._hand_to(session, TxSeen(tx, ""))

    def _update(self, **changes: object) -> None:
        self._picture.update(**changes)

    def note_contacts(self, entries: Sequence[LedgerEntry]) -> None:
        """Take over what was contacted outside of a backend: a test of the connection."""
        self._source.keep_contacts(entries)
        self._update(ledger=self._source.ledger())

    async def _report(self) -> None:
        """Tell now and then what changes without an event."""
        while True:
            is_online = self.snapshot.state is ConnectionState.ONLINE
            if self._change_task is None and self._source.look(is_online=is_online):
                self._change_task = asyncio.get_running_loop().create_task(self._change())
            self._say_source()
            self._update(ledger=self._source.ledger(), doubt=self._doubt())
            if self._is_paying:
                # Being asked makes the source look for rates, which costs data.
                self._update(fee_advice=self.fee_advice())
            await asyncio.sleep(_REPORT_INTERVAL)

    def fee_advice(self) -> FeeAdvice | None:
        """What the source knows; when it knows no usual rates, at least what peers ask for."""
        if self._backend is None:
            return None
        advice = self._backend.fee_advice()
        rates = sorted(self._backend.minimum_fee_rates())
        if advice is not None or not rates:
            return advice
        who = "the connected peers ask" if self._source.node is None else "your node asks"
        source = f"What {who} for at least; usual rates are not known yet."
        return FeeAdvice(None, None, None, rates[len(rates) // 2], source, self._clock())

    def _doubt(self) -> str:
        """Why the tip may not be the newest one, as a sentence; "" without a reason."""
        return self._source.doubt(is_synced=self.snapshot.is_synced)

    def _with_what_is_asked(self, snapshot: SyncSnapshot) -> SyncSnapshot:
        backend = self._backend
        if backend is None:
            return snapshot
        label, words = self._source.words()
        return replace(
            snapshot,
            backend=label,
            source_words=words,
            node=self._source.node_status(),
            peers=tuple(backend.peers()),
            plans=tuple(backend.scan_plans()),
        )

    def picture(self) -> SyncSnapshot:
        """Everything as it is at this moment."""
        self._say_source()
        snapshot = self._with_what_is_asked(self.snapshot)
        return replace(snapshot, ledger=self._source.ledger(), fee_advice=self.fee_advice())
