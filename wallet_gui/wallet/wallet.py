"""The watch-only state machine: blocks and transactions in, balance and history out.

Nothing here does I/O. Each mutation stages what must be stored (`take_staged`) and returns what
happened (`WalletEvent`s). Blocks come in height order; when the watch set grows, earlier blocks are
matched and applied again, which changes nothing where nothing new is in them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace

from wallet_gui.descriptors.descriptor import Descriptor
from wallet_gui.primitives.block import ScannedBlock
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.transaction import OutPoint, Transaction
from wallet_gui.wallet import labels as bip329
from wallet_gui.wallet.changes import (
    Anchor,
    BlockRef,
    ChainKey,
    ChangeSet,
    Keychain,
    PaymentRequest,
    RequestKey,
    TipChanged,
    TxAdded,
    TxConfirmed,
    TxDropped,
    TxReplaced,
    TxUnconfirmed,
    WalletDescription,
    WalletEvent,
    WalletState,
    WindowGrew,
)
from wallet_gui.wallet.errors import NotReplaceable, UnknownCoin
from wallet_gui.wallet.keychain import ScriptPlace, WatchSet
from wallet_gui.wallet.labels import Labels
from wallet_gui.wallet.ledger import Ledger, OwnedOutput, sum_up
from wallet_gui.wallet.lookalike import find_lookalike
from wallet_gui.wallet.own_transactions import OwnTransactions
from wallet_gui.wallet.psbt_signers import signing_of
from wallet_gui.wallet.requests import RequestBook
from wallet_gui.wallet.scan_marks import ScanMarks
from wallet_gui.wallet.signatures import Verdict, check_input, spent_script
from wallet_gui.wallet.snapshot import Balance, Coin, HistoryEntry, RequestEntry, WalletSnapshot
from wallet_gui.wallet.tx_graph import Standing, TxGraph


class Wallet:
    """One wallet. `state` is what its files hold, None for a new wallet.

    Raises ParseError when a descriptor or a stored transaction cannot be read.
    """

    def __init__(
        self,
        description: WalletDescription,
        params: ChainParams,
        state: WalletState | None = None,
    ) -> None:
        state = state or WalletState()
        self.description = description
        self.params = params
        self.descriptors = tuple(Descriptor.parse(d, params) for d in description.descriptors)
        if not all(descriptor.is_account for descriptor in self.descriptors):
            raise ValueError("A wallet needs descriptors with a receive and a change chain.")
        self._staged = ChangeSet()
        self._watch = WatchSet(
            self.descriptors,
            self._staged,
            revealed=state.view.revealed,
            last_used=state.cache.last_used,
            stored=state.cache.scripts,
        )
        self._graph = TxGraph(self._staged.cache)
        self._labels = Labels(self._staged.view, state.view.labels)
        self._ledger = Ledger(self._graph, self._watch, self._labels, params)
        self._requests = RequestBook(
            self._staged.view, self._watch, self._ledger, state.view.requests
        )
        self._frozen = {outpoint for outpoint, frozen in state.view.frozen.items() if frozen}
        self._own = OwnTransactions(
            self._staged.view.own_transactions,
            state.view.own_transactions,
            self._graph,
            self._staged.cache.attempts,
            state.cache.attempts,
        )
        self._marks = ScanMarks(self._staged.cache.checkpoints, state.cache.checkpoints)
        self._tip: BlockRef | None = None
        self._restore(state)

    def _restore(self, state: WalletState) -> None:
        cache = state.cache
        for txid, raw in cache.transactions.items():
            if raw is None:
                continue
            tx = Transaction.parse(raw)
            self._graph.restore(
                tx,
                anchor=cache.anchors.get(txid),
                first_seen=cache.first_seen.get(txid) or 0,
                seen_order=cache.seen_order.get(txid) or 0,
                abandoned=cache.abandoned.get(txid, False),
            )
            self._ledger.add(tx)
        # After a lost cache, or a stop between the two files, the wallet file knows more.
        for tx, created in self._own.missing():
            self._graph.add(tx, created)
            self._ledger.add(tx)
        self._ledger.note(self._graph.settle())
        self._watch.take_new()

    # --- what the chain says

    def is_relevant(self, tx: Transaction) -> bool:
        """Tell whether the transaction pays us, spends from us, or rivals a known one."""
        return tx.txid in self._graph or self._ledger.is_relevant(tx)

    def apply_block(self, block: ScannedBlock, height: int) -> list[WalletEvent]:
        """Take what concerns us from a block of the active chain; again is no harm.

        When payments in it grow the watch set, no scan mark holds until `scanned` says so again:
        filters from this block on must be matched against `take_new_scripts()`. Those below need
        not: an address beyond the window is never given out before one inside it is paid (BIP44).
        """
        ref = BlockRef(height, block.header.hash)
        # A block may tell of a reorganisation that the chain source did not report.
        events = self.rollback_to(height - 1) if self._contradicts(ref) else []
        grown = len(self._watch)
        while True:
            before = len(self._watch)
            # What may concern us is parsed; what does is found out by looking at it.
            for position, tx in block.candidates(
                self._watch.known_scripts(),
                self._ledger.known_outpoints(),
                self._watch.public_keys(),
            ):
                if not self.is_relevant(tx):
                    continue
                if self._graph.add(tx, block.header.time):
                    self._ledger.add(tx)
                anchor = Anchor(height, ref.hash, block.header.time, position)
                self._graph.confirm(tx, anchor)
            if len(self._watch) == before:
                break
        return events + self._settle(grown)

    def _contradicts(self, ref: BlockRef) -> bool:
        return self._marks.contradicts(ref) or self._graph.block_at(ref.height) not in {
            None,
            ref.hash,
        }

    def apply_unconfirmed(self, tx: Transaction, now: int) -> list[WalletEvent]:
        """Take a transaction that the network carries, if it concerns us.

        One that spends our coins without a valid signature is a lie of a peer and left out.
        """
        if tx.is_coinbase or not self.is_relevant(tx) or self._is_forged(tx):
            return []
        txid = tx.txid
        grown = len(self._watch)
        if self._graph.add(tx, now):
            self._ledger.add(tx)
        elif not self._graph.counts(txid) and not self._is_outbid(txid):
            self._graph.see(txid)
        return self._settle(grown)

    def _is_forged(self, tx: Transaction) -> bool:
        owned = [self._ledger.owned(tx_in.prevout) for tx_in in tx.inputs]
        if tx.txid in self._graph or not any(owned):
            return False
        spent = [self._graph.output(tx_in.prevout) for tx_in in tx.inputs]
        return any(
            coin is not None and check_input(tx, index, spent) is Verdict.INVALID
            for index, coin in enumerate(owned)
        )

    def _is_outbid(self, txid: bytes) -> bool:
        """Tell whether our own replacement pays more: then an echo of the old one is just late."""
        rival = self._graph.replaced_by(txid)
        if rival is None or rival not in self._own:
            return False
        old, new = self._fee(txid), self._fee(rival)
        return old is not None and new is not None and new > old

    def _fee(self, txid: bytes) -> int | None:
        tx = self._graph.transaction(txid)
        return None if tx is None else self._ledger.fee(tx)

    def rollback_to(self, height: int) -> list[WalletEvent]:
        """Forget confirmations and scan marks above `height`; the transactions wait again."""
        self._marks.forget(height)
        if self._tip is not None and self._tip.height > height:
            self._tip = None
        self._graph.rollback_to(height)
        return self._settle(len(self._watch))

    def scanned(self, ref: BlockRef) -> None:
        """Note that every block up to `ref`, and none above, was matched against all scripts.

        Scripts that joined count as matched below the block that brought them.
        """
        self._marks.set(ref)

    def set_tip(self, ref: BlockRef) -> list[WalletEvent]:
        """Note the last block of the active chain: confirmations and maturity count from it."""
        if ref == self._tip:
            return []
        self._tip = ref
        self._own.drop_buried(ref.height)
        return [TipChanged(ref)]

    # --- what the person does

    def insert_own(self, tx: Transaction, now: int) -> list[WalletEvent]:
        """Take a transaction that we signed; store the change before it is broadcast."""
        txid = tx.txid
        grown = len(self._watch)
        self._own.add(tx, now)
        if self._graph.add(tx, now):
            self._ledger.add(tx)
        elif not self._graph.counts(txid):
            self._graph.see(txid)
        return self._settle(grown)

    def abandon(self, txid: bytes) -> list[WalletEvent]:
        """Give a pending transaction up: its coins are free again unless the network has it.

        Raises NotReplaceable when it is unknown or confirmed.
        """
        if txid not in self._graph:
            raise NotReplaceable("This transaction is not in the wallet.")
        if self._graph.anchor(txid) is not None:
            raise NotReplaceable("This transaction is confirmed and cannot be taken back.")
        self._own.drop(txid)
        self._graph.abandon(txid)
        self._ledger.note({txid: self._graph.standing(txid)})
        return self._settle(len(self._watch))

    def next_address(
        self,
        label: str = "",
        *,
        amount_sat: int | None = None,
        message: str = "",
        now: int = 0,
        expires: int | None = None,
    ) -> tuple[int, bytes]:
        """Reveal the next receive address of the active descriptor: (index, script_pubkey).

        The staged change must be stored before the address is shown. An address is never given
        twice. Raises GapLimit when 20 unused ones are waiting.
        """
        watched = len(self._watch)
        place = self._watch.reveal_next(self.description.active, Keychain.RECEIVE)
        self._adopt_after(watched)
        script = self._watch.script(place)
        self.set_request(
            PaymentRequest(
                keychain=place.keychain,
                index=place.index,
                descriptor_index=place.descriptor_index,
                label=bip329.clean(label),
                amount_sat=amount_sat,
                message=bip329.clean(message),
                created=now,
                expires=expires,
            )
        )
        return place.index, script

    def set_request(self, request: PaymentRequest) -> None:
        """Store or change what the person noted about an address that was given away."""
        self._requests.set(request)
        self.set_label("addr", self._requests.address(request), request.label)

    def remove_request(self, key: RequestKey) -> None:
        """Take a request off the list; its address stays watched and stays used up."""
        self._requests.remove(key)

    def reserve_change(self, place: ScriptPlace) -> None:
        """Keep a change address for a payment that goes to signing, so that no other takes it."""
        watched = len(self._watch)
        self._watch.reveal(place)
        self._adopt_after(watched)

    def _adopt_after(self, watched: int) -> None:
        new = self._watch.scripts_after(watched)
        if new:
            self._marks.suspend(-1)
            self._ledger.adopt(new)

    def set_label(self, kind: str, ref: str, text: str) -> None:
        """Label a "tx" (id as shown), an "addr" or an "output" ("txid:n"); "" takes it away."""
        if self._labels.set(kind, ref, text):
            self._ledger.forget_label(kind, ref)

    def set_frozen(self, outpoint: OutPoint, *, frozen: bool) -> None:
        """Set a coin aside, or free it. Raises UnknownCoin for an output that is not ours."""
        if self._ledger.owned(outpoint) is None:
            raise UnknownCoin("This coin is not in the wallet.")
        if frozen is (outpoint in self._frozen):
            return
        (self._frozen.add if frozen else self._frozen.discard)(outpoint)
        self._staged.view.frozen[outpoint] = frozen
        self._ledger.forget_coins()

    def label(self, kind: str, ref: str) -> str:
        return self._labels.get(kind, ref)

    def export_labels(self) -> list[str]:
        """Write all labels and frozen coins as BIP329 lines."""
        origin = self.descriptors[self.description.active].abbreviated()
        frozen = sorted(str(outpoint) for outpoint in self._frozen)
        return list(bip329.export_lines(self._labels.items(), frozen, origin))

    def import_labels(self, lines: Iterable[str]) -> bip329.ImportResult:
        """Take BIP329 labels over; those of the wallet are replaced where the file has others."""
        result = bip329.import_lines(lines)
        for (kind, ref), text in result.labels.items():
            self.set_label(kind, ref, text)
        by_text = {str(coin.outpoint): coin.outpoint for coin in self.coins()}
        for ref, spendable in result.spendable.items():
            if ref in by_text:
                self.set_frozen(by_text[ref], frozen=not spendable)
        return result

    # --- what is so

    @property
    def tip(self) -> BlockRef | None:
        """The last known block: what `set_tip` said, or the scan mark right after a start."""
        return self._tip or self.scan_mark

    @property
    def scan_mark(self) -> BlockRef | None:
        """Up to here everything is scanned for every watched script; None for nothing."""
        return self._marks.newest

    def checkpoints(self) -> list[BlockRef]:
        """List the kept scan marks, newest first."""
        return self._marks.newest_first()

    def unmarked_blocks(self) -> list[BlockRef]:
        """List blocks above the scan mark that confirm stored transactions, ascending.

        They were seen before a crash, or before the mark fell: only the chain's source can tell
        whether they are still on the active chain.
        """
        mark = self.scan_mark
        anchored = self._graph.anchored_above(-1 if mark is None else mark.height)
        anchors = (self._graph.anchor(txid) for txid in anchored)
        return sorted({anchor.block for anchor in anchors if anchor is not None})

    def watch_scripts(self) -> list[bytes]:
        return self._watch.scripts()

    def rival_scripts(self) -> list[bytes]:
        """List scripts of others whose coins pending payments to us spend, where they are known.

        Matching new blocks against these too finds the block in which such a payment is replaced
        by one that no longer pays us. Nothing in earlier blocks needs them.
        """
        found = set()
        for txid in self._graph.unconfirmed():
            tx = self._graph.transaction(txid)
            if tx is None or not self._graph.counts(txid):
                continue
            for tx_in in tx.inputs:
                if self._ledger.owned(tx_in.prevout) is None:
                    parent = self._graph.output(tx_in.prevout)
                    found.add(spent_script(tx_in) if parent is None else parent.script_pubkey)
        return sorted(script for script in found if script is not None)

    def take_new_scripts(self) -> list[bytes]:
        """Return the scripts that joined the watch set since the last call."""
        return self._watch.take_new()

    def known_indexes(self) -> dict[ChainKey, int]:
        """Highest index shown or paid per chain; -1 for none."""
        return self._watch.known_indexes()

    def place_of(self, script: bytes) -> ScriptPlace | None:
        return self._watch.place(script)

    def owned_output(self, outpoint: OutPoint) -> OwnedOutput | None:
        return self._ledger.owned(outpoint)

    def next_change(self) -> ScriptPlace:
        return self._watch.next_change(self.description.active)

    def script_at(self, place: ScriptPlace) -> bytes:
        return self._watch.script(place)

    def transaction(self, txid: bytes) -> Transaction | None:
        return self._graph.transaction(txid)

    @property
    def graph(self) -> TxGraph:
        """The transactions; to be read only."""
        return self._graph

    def pending_own(self) -> list[Transaction]:
        """List own transactions that wait for a block, parents first: to be broadcast again."""
        return self._own.pending()

    @property
    def own(self) -> OwnTransactions:
        """The transactions signed here."""
        return self._own

    def is_own(self, txid: bytes) -> bool:
        """Tell whether the transaction was signed here and is not yet buried."""
        return txid in self._own

    def coins(self) -> tuple[Coin, ...]:
        """List our unspent outputs, oldest first, those not to be spent included."""
        tip = self.tip
        return self._ledger.coins(0 if tip is None else tip.height, self._frozen)

    def confirmed_coins(self) -> dict[OutPoint, tuple[int, int]]:
        return self._ledger.confirmed_coins()

    def balance(self) -> Balance:
        return sum_up(self.coins())

    def history(self) -> tuple[HistoryEntry, ...]:
        """List all transactions that involve us, newest first."""
        return self._ledger.history()

    def lookalike(self, address: str) -> str | None:
        """Find a known address that a person might mistake this one for; None when there is none.

        "Known" are all addresses in the stored transactions, ours and others'.
        """
        return find_lookalike(address, self._ledger.known_addresses())

    def requests(self, now: int) -> tuple[RequestEntry, ...]:
        """List the payment requests, newest first, with what arrived for each."""
        return self._requests.entries(now)

    def snapshot(self, now: int) -> WalletSnapshot:
        """Freeze everything that the screens show."""
        coins = self.coins()
        return WalletSnapshot(
            name=self.description.name,
            network=self.description.network,
            balance=sum_up(coins),
            history=self.history(),
            coins=coins,
            requests=self.requests(now),
            receive=self._requests.receive_state((self.description.active, Keychain.RECEIVE)),
            tip=self.tip,
            scan_mark=self.scan_mark,
            taken=now,
            signing=signing_of(self.description, self.descriptors),
        )

    def rename(self, name: str) -> None:
        """Change the name in the description, which the caller stores."""
        self.description = replace(self.description, name=bip329.clean(name))

    def take_staged(self) -> ChangeSet:
        """Hand out what changed since the last call."""
        taken = ChangeSet().merge(self._staged)
        for half in (self._staged.view, self._staged.cache):
            for part in fields(half):
                getattr(half, part.name).clear()
        return taken

    def _settle(self, grown: int) -> list[WalletEvent]:
        changed = self._graph.settle()
        self._ledger.note(changed)
        events: list[WalletEvent] = []
        for txid, before in changed.items():
            tx = self._graph.transaction(txid)
            if tx is not None and self._ledger.involves_us(tx):
                events += self._events(txid, before)
        new = self._watch.scripts_after(grown)
        if new:
            self._marks.suspend(-1)
            events.append(WindowGrew(new))
        return events

    def _events(self, txid: bytes, before: Standing | None) -> Sequence[WalletEvent]:
        anchor = self._graph.anchor(txid)
        events: list[WalletEvent] = [TxAdded(txid)] if before is None else []
        if anchor is not None:
            return [*events, TxConfirmed(txid, anchor.height, anchor.hash)]
        if before is Standing.CONFIRMED:
            events.append(TxUnconfirmed(txid))
        if self._graph.counts(txid):
            return events if before is not Standing.DEAD else [TxUnconfirmed(txid)]
        rival = self._graph.replaced_by(txid)
        return [*events, TxDropped(txid) if rival is None else TxReplaced(txid, rival)]
