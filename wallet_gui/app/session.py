"""WalletSession: one open wallet, from the events of the chain to what is stored and shown.

It lives on the engine's loop and is the only place where the wallet's state machine, its two files
and a chain backend meet. Whatever is acknowledged (an address shown, a payment signed) was stored
before.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random, SystemRandom
from typing import Any

from wallet_gui.app.pending import PendingReports, check_fee_rate
from wallet_gui.app.preview import Preview
from wallet_gui.app.published import RevealedAddress, SessionUpdate
from wallet_gui.app.sending import Sending
from wallet_gui.app.wallet_stores import CacheStore, ViewStore
from wallet_gui.chain.backend import (
    BalanceChecked,
    BlockMatched,
    BroadcastResult,
    ChainBackend,
    ChainEvent,
    CheckState,
    NoPeers,
    OwnCoins,
    PendingChanged,
    Reorganized,
    Scanned,
    TipChanged,
    TxSeen,
)
from wallet_gui.chain.backend import BlockRef as ChainBlockRef
from wallet_gui.chain.unbroken import to_the_end
from wallet_gui.primitives.address import address_from_script
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.transaction import OutPoint, Transaction
from wallet_gui.storage.errors import StorageError
from wallet_gui.wallet import replacement, spend
from wallet_gui.wallet.changes import BlockRef, ChangeSet
from wallet_gui.wallet.draft import SpendPlan
from wallet_gui.wallet.signed import finish
from wallet_gui.wallet.snapshot import WalletSnapshot
from wallet_gui.wallet.spend import Recipient
from wallet_gui.wallet.wallet import Wallet

logger = logging.getLogger(__name__)

# Screens are told at most this often; what is stored does not wait for them. A large wallet, whose
# picture takes long to make, is shown less often: it may cost a tenth of the time.
_PUBLISH_INTERVAL = 0.1
_PUBLISH_SHARE = 10
# What the disk refused is tried again, also when nothing new happens.
_RETRY_SECONDS = 10.0
_BUMP_PERCENT = 150


class WalletClosed(StorageError):
    """The wallet was closed meanwhile; nothing was changed."""

    def __init__(self) -> None:
        super().__init__("The wallet is closed. Open it again.")


class WalletSession:
    """An open wallet. Every method is called on the engine's loop."""

    def __init__(
        self,
        wallet_id: str,
        path: str,
        wallet: Wallet,
        view_store: ViewStore,
        cache_store: CacheStore,
        publish: Callable[[SessionUpdate], None],
        *,
        release: Callable[[], None] = lambda: None,
        clock: Callable[[], int] = lambda: int(time.time()),
    ) -> None:
        self.wallet_id = wallet_id
        self.path = path
        self.wallet = wallet
        self.view_store = view_store
        self._cache_store = cache_store
        self._publish = publish
        self._release = release
        self._clock = clock
        self._rng: Random = SystemRandom()
        self._backend: ChainBackend | None = None
        self.storing = asyncio.Lock()
        self._publishing: asyncio.TimerHandle | None = None
        self._publish_interval = _PUBLISH_INTERVAL
        self._retry: asyncio.TimerHandle | None = None
        self._retrying: asyncio.Task[None] | None = None
        self._unsaved = ChangeSet()
        self._rivals: set[bytes] = set()
        self.sending = Sending(wallet, clock, self._rng)
        self._reports = PendingReports(wallet, self.publish_soon)
        self._scanned_height: int | None = None
        self._check: CheckState | None = None
        self._check_sentence = ""
        self._preview: Preview | None = None
        self._is_closed = False
        self._is_released = False

    @property
    def params(self) -> ChainParams:
        return self.wallet.params

    # --- the chain -------------------------------------------------------------------------------

    def attach(self, backend: ChainBackend) -> None:
        """Let a backend scan for this wallet, from where the last one stopped."""
        wallet = self.wallet
        self._backend = backend
        self._rivals = set(wallet.rival_scripts())
        mark = wallet.scan_mark
        self._scanned_height = None if mark is None else mark.height
        self._preview = preview = Preview(self.wallet_id, wallet)
        backend.watch(
            self.wallet_id,
            [*wallet.watch_scripts(), *self._rivals],
            checkpoints=[
                ChainBlockRef(ref.height, ref.hash, ref.filter_header)
                for ref in wallet.checkpoints()
            ],
            birthday_time=wallet.description.birthday_time,
            anchors=[ChainBlockRef(ref.height, ref.hash) for ref in wallet.unmarked_blocks()],
            preview_scripts=preview.scripts,
            coins=self._own_coins,
        )
        wallet.take_new_scripts()
        self._follow_tip()

    def _own_coins(self) -> OwnCoins:
        return OwnCoins(self.wallet.watch_scripts(), self.wallet.confirmed_coins())

    def detach(self) -> None:
        """Stop listening to the backend."""
        if self._backend is not None:
            self._backend.unwatch(self.wallet_id)
            self._backend = None
            self._preview = None
            self._check, self._check_sentence = None, ""

    async def handle(self, event: ChainEvent) -> None:
        """Apply one event of the chain; events of other wallets are ignored.

        Blocks are stored together with the scan mark that covers them: a crash before that only
        means that they are asked for again.
        """
        if self._is_closed:
            return
        wallet = self.wallet
        self._take_for_show(event)
        match event:
            case BlockMatched(wallet_id, height, block) if wallet_id == self.wallet_id:
                wallet.apply_block(block, height)
                # Scripts that this block brought are looked for from here on (BIP44's gap rule):
                # from the wallet's birthday, each payment would read a year of filters again.
                self._extend_watch(height)
                self.publish_soon()
            case Scanned(wallet_id, height) if wallet_id == self.wallet_id:
                wallet.scanned(BlockRef(height, event.hash, event.filter_header))
                self._scanned_height = height
                await self._store()
            case Reorganized(wallet_id, fork_height) if wallet_id == self.wallet_id:
                wallet.rollback_to(fork_height)
                if self._scanned_height is not None:
                    self._scanned_height = min(self._scanned_height, fork_height)
                self._follow_tip()
                self._extend_watch()
                await self._store()
            case TipChanged(ref):
                wallet.set_tip(BlockRef(ref.height, ref.hash))
                await self._store()
            case TxSeen(tx):
                await self._on_relayed(tx)
            case PendingChanged():
                self._reports.look(self._backend)
            case _:
                pass

    def _take_for_show(self, event: ChainEvent) -> None:
        """Take what is only shown: previews, and whether the node has the same coins."""
        is_new = self._preview is not None and self._preview.take(event)
        if isinstance(event, BalanceChecked) and event.wallet_id == self.wallet_id:
            self._check, self._check_sentence = event.state, event.sentence
            is_new = True
        if is_new:
            self.publish_soon()

    async def _on_relayed(self, tx: Transaction) -> None:
        if self.wallet.apply_unconfirmed(tx, self._clock()):
            self._extend_watch()
            await self._store()
        self._reports.look_at(tx.txid, self._backend)

    def _follow_tip(self) -> None:
        tip = None if self._backend is None else self._backend.tip()
        if tip is not None:
            self.wallet.set_tip(BlockRef(tip.height, tip.hash))

    def _extend_watch(self, height: int | None = None) -> None:
        """Watch what joined since the last time, from `height` or what is not scanned yet on."""
        scripts = self.wallet.take_new_scripts()
        if self._backend is None:
            return
        scanned = self._scanned_height
        unscanned = None if scanned is None else scanned + 1
        if scripts:
            start = unscanned if height is None else height
            self._backend.extend_watch(self.wallet_id, scripts, from_height=start)
        # Blocks from here on in which a payment to us is replaced by one to somebody else.
        rivals = set(self.wallet.rival_scripts()) - self._rivals
        if rivals:
            self._rivals |= rivals
            self._backend.extend_watch(self.wallet_id, sorted(rivals), from_height=unscanned)

    def is_scanned_to(self, tip: ChainBlockRef) -> bool:
        """Whether everything up to this block was matched, applied and stored."""
        mark = self.wallet.scan_mark
        return mark is not None and (mark.height, mark.hash) == (tip.height, tip.hash)

    # --- what a person does ----------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._is_closed:
            raise WalletClosed

    async def new_request(
        self,
        label: str = "",
        amount_sat: int | None = None,
        message: str = "",
        expires: int | None = None,
    ) -> RevealedAddress:
        """Reveal the next receive address and store that before it is shown.

        Raises GapLimit when twenty unused addresses are waiting already.
        """
        self._check_open()
        index, script = self.wallet.next_address(
            label, amount_sat=amount_sat, message=message, now=self._clock(), expires=expires
        )
        self._extend_watch()
        await self._store()
        address = address_from_script(script, self.params) or ""
        return RevealedAddress(self.wallet.description.active, index, address)

    async def set_label(self, kind: str, reference: str, text: str) -> None:
        """Label a transaction, address or coin (BIP329 type and reference)."""
        await self.set_labels([(kind, reference, text)])

    async def set_labels(self, labels: Sequence[tuple[str, str, str]]) -> None:
        """Set many labels (type, reference, text) with one save."""
        self._check_open()
        for kind, reference, text in labels:
            self.wallet.set_label(kind, reference, text)
        await self._store()

    async def label_recipients(self, recipients: Sequence[Recipient]) -> None:
        """Keep what the person noted about whom they pay, as labels of the addresses."""
        self._check_open()
        for recipient in recipients:
            address = address_from_script(recipient.script_pubkey, self.params)
            if recipient.label and address is not None:
                self.wallet.set_label("addr", address, recipient.label)
        await self._store()

    async def set_frozen(self, outpoint: OutPoint, *, frozen: bool) -> None:
        """Keep a coin out of every payment, or let it in again."""
        self._check_open()
        self.wallet.set_frozen(outpoint, frozen=frozen)
        await self._store()

    async def abandon(self, txid: bytes) -> None:
        """Give up on an unconfirmed payment of ours; its coins are free again."""
        self._check_open()
        self.wallet.abandon(txid)
        if self._backend is not None:
            self._backend.withdraw(txid)
        await self._store()

    async def plan_payment(
        self,
        recipients: Sequence[Recipient],
        fee_rate: FeeRate,
        *,
        coins: Sequence[OutPoint] | None = None,
        allow_high_fee: bool = False,
    ) -> SpendPlan:
        """Choose coins and build the unsigned payment; raises WalletError with a sentence."""
        self._check_open()
        notes = check_fee_rate(fee_rate, self._minimum_rates())
        plan = spend.create(
            self.wallet,
            recipients,
            fee_rate,
            rng=self._rng,
            tip_height=self._tip_height,
            coins=coins,
            now=self._clock(),
            allow_high_fee=allow_high_fee,
        )
        return replace(plan, notes=(*plan.notes, *notes))

    async def plan_bump(
        self, txid: bytes, fee_rate: FeeRate | None = None, *, allow_high_fee: bool = False
    ) -> SpendPlan:
        """Build a replacement of our unconfirmed payment with a higher fee (BIP125).

        Without a rate it is half as much again, or the least that peers accept.
        """
        tx = self.wallet.transaction(txid)
        if fee_rate is None:
            fee_rate = replacement.least_bump_rate(self.wallet, txid)
            old = next((e for e in self.wallet.history() if e.txid == txid), None)
            if tx is not None and old is not None and old.fee_sat is not None:
                half_more = FeeRate.of(old.fee_sat * _BUMP_PERCENT // 100, tx.vsize)
                fee_rate = max(fee_rate, half_more)
        notes = check_fee_rate(fee_rate, self._minimum_rates())
        plan = replacement.bump(
            self.wallet,
            txid,
            fee_rate,
            rng=self._rng,
            tip_height=self._tip_height,
            allow_high_fee=allow_high_fee,
        )
        return replace(plan, notes=(*plan.notes, *notes))

    def _minimum_rates(self) -> list[int]:
        return [] if self._backend is None else self._backend.minimum_fee_rates()

    async def reserve(self, plan: SpendPlan) -> None:
        """Keep the change address of a plan that goes to signing, before anybody sees it."""
        self._check_open()
        if plan.change_place is not None:
            self.wallet.reserve_change(plan.change_place)
            self._extend_watch()
            await self._store()

    async def accept_final(self, tx: Transaction) -> None:
        """Store a finished payment that was signed elsewhere, before it is sent.

        One that spends no coin of this wallet is only sent.
        """
        spends = any(self.wallet.owned_output(i.prevout) is not None for i in tx.inputs)
        if spends:
            self._check_open()
            self.wallet.insert_own(tx, self._clock())
            self._extend_watch()
            await self._store()

    async def accept_signed(self, plan: SpendPlan, signed: Psbt) -> Transaction:
        """Check that what came back is what was asked for, and store it; nothing is sent yet.

        Raises WrongSignedPsbt when the signed payment differs from the plan or a signature is
        wrong.
        """
        self._check_open()
        tx = finish(plan.psbt, signed)
        self.wallet.insert_own(tx, self._clock())
        self._extend_watch()
        await self._store()
        return tx

    @property
    def _tip_height(self) -> int:
        tip = self.wallet.tip
        return 0 if tip is None else tip.height

    async def broadcast(self, tx: Transaction) -> BroadcastResult:
        """Send a stored payment; raises ChainError when nobody could be asked."""
        if self._backend is None:
            raise NoPeers("The wallet is not connected to the network; the payment is kept.")
        result = await self.sending.send(self._backend, tx)
        if not self._is_closed:
            self.sending.note(result)
            try:
                await self._store()
            except StorageError as error:
                # The payment was sent all the same; `_store` has set the next try.
                logger.warning("Storing when a payment was sent failed: %s", type(error).__name__)
        return result

    def unconfirmed_own(self) -> list[Transaction]:
        """Our payments that no block holds yet, parents first, to be sent again."""
        return [] if self._is_closed else self.wallet.pending_own()

    # --- what else is kept in the wallet file

    def kept_setting(self, key: str) -> Any:
        """A value that is kept in the view box; None when there is none."""
        return self.view_store.settings.get(key)

    async def keep_setting(self, key: str, value: Any) -> None:
        """Keep a JSON value in the view box, or take it away (None). Raises StorageError."""
        async with self.storing:
            if self._is_released:
                raise WalletClosed
            await asyncio.to_thread(self.view_store.keep_setting, key, value)

    # --- keeping and showing ---------------------------------------------------------------------

    async def _store(self) -> None:
        """Store what changed; raises StorageError and keeps the change for the next time."""
        storing = asyncio.ensure_future(self._store_in_order())
        storing.add_done_callback(self._retry_later)
        try:
            # Shielded: half a change must not be taken for a whole one when the caller gives up.
            await asyncio.shield(storing)
        finally:
            self.publish_soon()

    async def _store_in_order(self) -> None:
        async with self.storing:
            if self._is_released:
                raise WalletClosed
            # A change that a full disk refused stays here and goes out with the next one.
            change = self._unsaved = self._unsaved.merge(self.wallet.take_staged())
            # The wallet file comes first: it is what the chain cannot give again.
            if not change.view.is_empty:
                await asyncio.to_thread(self.view_store.merge, change.view)
                change = self._unsaved = ChangeSet(cache=change.cache)
            if not change.cache.is_empty:
                await asyncio.to_thread(self._cache_store.store, change.cache)
                self._unsaved = ChangeSet()

    def _retry_later(self, stored: "asyncio.Future[None]") -> None:
        has_failed = not stored.cancelled() and isinstance(stored.exception(), StorageError)
        if has_failed and self._retry is None and not self._is_closed:
            loop = asyncio.get_running_loop()
            self._retry = loop.call_later(_RETRY_SECONDS, self._start_retry)

    def _start_retry(self) -> None:
        self._retry = None
        self._retrying = asyncio.get_running_loop().create_task(self._store_again())

    async def _store_again(self) -> None:
        try:
            await self._store()
        except StorageError as error:
            # The person was told when it failed first; `_store` has set the next try.
            logger.warning("Storing a wallet failed again: %s", type(error).__name__)

    def publish_soon(self) -> None:
        """Show the present state within a tenth of a second; several changes become one."""
        if self._publishing is None and not self._is_closed:
            loop = asyncio.get_running_loop()
            self._publishing = loop.call_later(self._publish_interval, self.publish_now)

    def snapshot(self) -> WalletSnapshot:
        """The present state, frozen."""
        return self.wallet.snapshot(self._clock())

    def publish_now(self) -> None:
        """Show the present state; while a change is being stored, once it is."""
        self._publishing = None
        if self._is_closed or self.storing.locked():
            return
        began = time.perf_counter()
        reports = self._reports.collect(self._backend)
        snapshot = self.snapshot()
        preview = None if self._preview is None else self._preview.snapshot()
        self._publish(
            SessionUpdate(
                self.wallet_id, snapshot, preview, reports, self._check, self._check_sentence
            )
        )
        spent = time.perf_counter() - began
        self._publish_interval = max(_PUBLISH_INTERVAL, spent * _PUBLISH_SHARE)

    async def close(self) -> None:
        """Store what is left and release the files."""
        if self._is_closed:
            return
        self.detach()
        self._is_closed = True
        for timer in (self._publishing, self._retry):
            if timer is not None:
                timer.cancel()
        await to_the_end(self._store_and_release())

    async def _store_and_release(self) -> None:
        if self._retrying is not None:
            await asyncio.wait([self._retrying])
        try:
            await self._store()
        finally:
            async with self.storing:
                self._is_released = True
                await asyncio.to_thread(self._cache_store.close)
                await asyncio.to_thread(self._release)  # it may finish a copy
