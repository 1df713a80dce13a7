"""BackendSelector: which source of blocks is in use, and one picture of how far it is.

Today there is one kind, compact filters over P2P. The selector owns the backend of one network,
hands its events to every open wallet and condenses what it tells into a `SyncSnapshot`.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from wallet_gui.app.contacts import Contacts
from wallet_gui.app.p2p_choice import why_not_connect
from wallet_gui.app.published import PHASES, PhaseProgress, SyncSnapshot
from wallet_gui.app.session import WalletSession
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
    EventSink,
    PeerStore,
    Phase,
    Reorganized,
    SyncProgress,
    TipChanged,
    TxSeen,
)
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.chain.p2p.tips import TipReport
from wallet_gui.chain.reports import FeeAdvice
from wallet_gui.primitives.params import REGTEST, ChainParams
from wallet_gui.primitives.transaction import Transaction
from wallet_gui.storage.errors import Damaged, StorageError

logger = logging.getLogger(__name__)

_PUBLISH_INTERVAL = 0.1
# What changes without an event (bytes, pings, contacts) is shown as often as this.
_REPORT_INTERVAL = 1.0
# A backend that the disk stopped is started again after so many seconds.
_RESTART_SECONDS = 30.0
# Being in sync is looked at after each event, and as often as this.
_LOOK_SECONDS = 0.5
# Ten thousand ordinary transactions: some twenty minutes of what the network relays. They are held
# as objects, which take about ten times as much.
_RECENT_BYTES = 3_000_000


class PeerBackend(ChainBackend, Protocol):
    """A source of blocks whose peers a person decides about."""

    def set_options(self, options: P2POptions) -> None:
        """Apply other options while it runs."""
        ...

    def tip_report(self) -> TipReport | None:
        """Tell whether the tip can be the newest there is; None while that is not known."""
        ...


class BackendFactory(Protocol):
    """Makes the backend of a network; tests give one with scripted peers."""

    def __call__(
        self,
        params: ChainParams,
        options: P2POptions,
        stores: ChainStores,
        sink: EventSink,
        *,
        peer_store: PeerStore | None = None,
        on_failure: Callable[[BaseException], None],
    ) -> PeerBackend:
        """Make a backend that is not started yet; `on_failure` hears of an error that ended it."""
        ...


class RecentTransactions:
    """The newest unconfirmed transactions that peers relayed, up to a number of bytes."""

    def __init__(self, limit: int = _RECENT_BYTES) -> None:
        self._limit = limit
        self._sizes = 0
        self._kept: deque[Transaction] = deque()

    def add(self, tx: Transaction) -> None:
        """Keep one more; the oldest ones make room."""
        self._kept.append(tx)
        self._sizes += tx.total_size
        while self._sizes > self._limit:
            self._sizes -= self._kept.popleft().total_size

    def transactions(self) -> list[Transaction]:
        """List them, the oldest first."""
        return list(self._kept)


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
    ) -> None:
        """Prepare; `repair` begins damaged stores anew, in a thread while no backend uses them."""
        self.params = params
        self._stores = stores
        self._peer_store = peer_store
        self._repair = repair
        self._clock = clock
        self._make_backend = make_backend
        self._publish = publish
        self._sessions: dict[str, WalletSession] = {}
        self._backend: PeerBackend | None = None
        self._snapshot = SyncSnapshot(params.name, "Directly (P2P)")
        self._publishing: asyncio.TimerHandle | None = None
        self.reorganizations = 0
        self._recent = RecentTransactions()
        self._catching_up: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self._options = P2POptions()
        self._contacts = Contacts()
        self._reporting: asyncio.Task[None] | None = None
        self._is_receiving = False
        self._is_paying = False
        self._failure: BaseException | None = None
        self._restarting: asyncio.TimerHandle | None = None
        self._restart_task: asyncio.Task[None] | None = None

    @property
    def snapshot(self) -> SyncSnapshot:
        return self._snapshot

    @property
    def tip_height(self) -> int | None:
        tip = None if self._backend is None else self._backend.tip()
        return None if tip is None else tip.height

    @property
    def backend(self) -> ChainBackend | None:
        return self._backend

    async def start(self, options: P2POptions) -> None:
        """Connect as these options say; open wallets are scanned on. Replaces a running backend.

        Where nothing may be connected to, nothing is, and the snapshot says why.
        """
        await self.stop()
        self._options = options
        reason = why_not_connect(options, self.params)
        if reason:
            self._update(state=ConnectionState.STOPPED, detail=reason)
            return
        backend = self._backend = self._make_backend(
            self.params,
            options,
            self._stores,
            self._sink,
            peer_store=self._peer_store,
            on_failure=self._failed,
        )
        backend.set_receiving(is_receiving=self._is_receiving)
        if self._snapshot.is_paused:
            backend.pause_scans(paused=True)
        for session in self._sessions.values():
            session.attach(backend)
        await backend.start()
        self._reporting = asyncio.get_running_loop().create_task(self._report())

    async def use(self, options: P2POptions) -> None:
        """Go on with other options, without a new start where the backend runs already."""
        backend = self._backend
        if backend is None or self._failure is not None or why_not_connect(options, self.params):
            await self.start(options)
            return
        self._options = options
        backend.set_options(options)
        self._update()

    async def hold(self, reason: str) -> None:
        """Stay unconnected, or disconnect, for a reason that the person is told."""
        await self.stop()
        self._update(state=ConnectionState.STOPPED, detail=reason)

    async def stop(self) -> None:
        """Disconnect. Wallets stay open and show what is stored."""
        if self._restarting is not None:
            self._restarting.cancel()
            self._restarting = None
        self._failure = None
        reporting, self._reporting = self._reporting, None
        if reporting is not None:
            reporting.cancel()
            await asyncio.wait([reporting])
        backend, self._backend = self._backend, None
        if backend is None:
            return
        for session in self._sessions.values():
            session.detach()
        contacts = backend.ledger()
        await backend.stop()
        self._contacts.keep(backend.ledger() or contacts, self._clock())
        self._update(
            state=ConnectionState.STOPPED,
            phase=Phase.PEERS,
            phases=tuple(PhaseProgress(phase) for phase in PHASES),
            peers=(),
            plans=(),
            detail="",
            warning="",
            doubt="",
            ledger=self._contacts.all(()),
        )

    async def close(self) -> None:
        """Disconnect for good; nothing is published after this."""
        await self.stop()
        if self._restart_task is not None:
            self._restart_task.cancel()
            await asyncio.wait([self._restart_task])
        if self._publishing is not None:
            self._publishing.cancel()
            self._publishing = None

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
        self._update(state=ConnectionState.OFFLINE, detail=sentence, warning=sentence)
        if is_storage and self._restarting is None:
            loop = asyncio.get_running_loop()
            self._restarting = loop.call_later(_RESTART_SECONDS, self._restart)

    def _restart(self) -> None:
        self._restarting = None
        self._restart_task = asyncio.get_running_loop().create_task(self._start_again())

    async def _start_again(self) -> None:
        is_damaged = isinstance(self._failure, Damaged)
        await self.stop()
        if is_damaged and self._repair is not None:
            try:
                await asyncio.to_thread(self._repair)
            except StorageError as error:
                self._failed(error)
                return
        await self.start(self._options)

    def add(self, session: WalletSession) -> None:
        """Scan for one more wallet."""
        self._sessions[session.wallet_id] = session
        if self._backend is not None:
            session.attach(self._backend)
        task = asyncio.get_running_loop().create_task(self._catch_up(session))
        self._catching_up[session.wallet_id] = task

    async def _catch_up(self, session: WalletSession) -> None:
        """Show a wallet what peers relayed before it was opened: they do not send it again."""
        for count, tx in enumerate(self._recent.transactions()):
            await self._hand_to(session, TxSeen(tx, ""))
            if count % 100 == 99:
                await asyncio.sleep(0)
        self._catching_up.pop(session.wallet_id, None)
        self._changed.set()

    def remove(self, session: WalletSession) -> None:
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
                raise ChainError(self._snapshot.detail) from self._failure
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
                self._progress(event)
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

    async def _hand_to(self, session: WalletSession, event: ChainEvent) -> None:
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

    def _progress(self, event: SyncProgress) -> None:
        if event.phase is Phase.SYNCED:
            phases = tuple(replace(item, done=item.total) for item in self._snapshot.phases)
        else:
            phases = tuple(
                PhaseProgress(
                    event.phase, event.done, event.total, event.speed, event.bytes_per_second
                )
                if item.phase is event.phase
                else item
                for item in self._snapshot.phases
            )
        self._update(phase=event.phase, phases=phases)

    def _update(self, **changes: object) -> None:
        self._snapshot = replace(self._snapshot, **changes)  # type: ignore[arg-type]
        if self._publishing is None:
            loop = asyncio.get_running_loop()
            self._publishing = loop.call_later(_PUBLISH_INTERVAL, self._publish_now)

    async def _report(self) -> None:
        """Tell now and then what changes without an event."""
        while (backend := self._backend) is not None:
            self._update(ledger=self._contacts.all(backend.ledger()), doubt=self._doubt())
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
        source = "What the connected peers ask for at least; usual rates are not known yet."
        return FeeAdvice(None, None, None, rates[len(rates) // 2], source, self._clock())

    def _doubt(self) -> str:
        """Why the tip may not be the newest one, as a sentence; "" without a reason."""
        report = None if self._backend is None else self._backend.tip_report()
        if report is None or self.params is REGTEST:
            return ""
        if report.split:
            return report.split
        if report.is_stale:
            return (
                f"The newest block is {report.age // 3600} hours old. Either none was found since, "
                "or the peers hold newer ones back."
            )
        if self._snapshot.is_synced and not report.is_agreed:
            return (
                f"Only {report.agreeing} of {report.needed} networks show this newest block so far."
            )
        return ""

    def _publish_now(self) -> None:
        self._publishing = None
        backend = self._backend
        if backend is not None:
            self._snapshot = replace(
                self._snapshot, peers=tuple(backend.peers()), plans=tuple(backend.scan_plans())
            )
        self._publish(self._snapshot)

    def picture(self) -> SyncSnapshot:
        """Everything as it is at this moment."""
        backend = self._backend
        if backend is None:
            return self._snapshot
        return replace(
            self._snapshot,
            peers=tuple(backend.peers()),
            plans=tuple(backend.scan_plans()),
            ledger=self._contacts.all(backend.ledger()),
            fee_advice=self.fee_advice(),
        )
