"""Which outputs are ours, and what follows: coins, balance, history.

The ledger reads the transaction graph through the eyes of the watch set. Entries are computed once
and kept until a transaction they depend on changes, so that a snapshot of a large wallet is cheap.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from wallet_gui.primitives.address import address_from_script, script_from_address
from wallet_gui.primitives.hashes import hash_from_hex, hash_to_hex
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.transaction import OutPoint, Transaction
from wallet_gui.wallet.keychain import ScriptPlace, WatchSet
from wallet_gui.wallet.labels import Labels
from wallet_gui.wallet.snapshot import Balance, Coin, HistoryEntry
from wallet_gui.wallet.tx_graph import Standing, TxGraph

COINBASE_MATURITY = 100
"""A mined coin may be spent in the block this many above its own (Core consensus.h)."""

POISON_LIMIT_SAT = 1_000
"""Unasked payments to used addresses up to this amount are taken for dust attacks."""

_SHOWN_ADDRESSES = 10

_Order = tuple[bool, int, int, bool, int, bytes]


class _Either(Collection[OutPoint]):
    """What is in one of two collections; counted twice and given twice when in both."""

    def __init__(self, one: Collection[OutPoint], other: Collection[OutPoint]) -> None:
        self._one = one
        self._other = other

    def __contains__(self, outpoint: object) -> bool:
        return outpoint in self._one or outpoint in self._other

    def __iter__(self) -> Iterator[OutPoint]:
        return chain(self._one, self._other)

    def __len__(self) -> int:
        return len(self._one) + len(self._other)


@dataclass(frozen=True, slots=True)
class OwnedOutput:
    """An output of a stored transaction that pays one of our scripts."""

    outpoint: OutPoint
    value_sat: int
    script_pubkey: bytes
    place: ScriptPlace


class Ledger:
    """Coins, balance and history of the stored transactions."""

    def __init__(
        self, graph: TxGraph, watch: WatchSet, labels: Labels, params: ChainParams
    ) -> None:
        self._graph = graph
        self._watch = watch
        self._labels = labels
        self._params = params
        self._owned: dict[OutPoint, OwnedOutput] = {}
        self._owned_on_script: dict[bytes, list[OutPoint]] = {}
        self._foreign_on_script: dict[bytes, list[OutPoint]] = {}
        self._open: dict[OutPoint, OwnedOutput] = {}
        self._entries: dict[bytes, HistoryEntry | None] = {}
        self._orders: dict[bytes, _Order] = {}
        self._history: tuple[HistoryEntry, ...] | None = None
        self._coins: tuple[Coin, ...] | None = None
        self._coins_tip: int | None = None
        self._addresses: dict[bytes, str] = {}

    # --- ownership

    def add(self, tx: Transaction) -> None:
        """Find our outputs in a newly stored transaction; payments may grow the watch set."""
        txid = tx.txid
        new: list[bytes] = []
        for vout, output in enumerate(tx.outputs):
            outpoint = OutPoint(txid, vout)
            place = self._watch.place(output.script_pubkey)
            if place is None:
                self._foreign_on_script.setdefault(output.script_pubkey, []).append(outpoint)
            else:
                new += self._own(outpoint, place)
        self._adopt(new)
        self._forget_around(txid)

    def _own(self, outpoint: OutPoint, place: ScriptPlace) -> list[bytes]:
        tx = self._graph.transaction(outpoint.txid)
        if tx is None:
            raise KeyError(outpoint.txid)
        output = tx.outputs[outpoint.vout]
        owned = OwnedOutput(outpoint, output.value_sat, output.script_pubkey, place)
        self._owned[outpoint] = owned
        self._open[outpoint] = owned
        self._owned_on_script.setdefault(output.script_pubkey, []).append(outpoint)
        return self._watch.mark_used(place)

    def _adopt(self, scripts: list[bytes]) -> None:
        # Scripts that just joined the watch set may have been paid by transactions stored before.
        while scripts:
            script = scripts.pop()
            place = self._watch.place(script)
            for outpoint in self._foreign_on_script.pop(script, ()):
                if place is not None:
                    scripts += self._own(outpoint, place)
                    self._forget_around(outpoint.txid)

    def adopt(self, scripts: Iterable[bytes]) -> None:
        """Look for outputs to scripts that joined the watch set otherwise than by a payment."""
        self._adopt(list(scripts))

    def owned(self, outpoint: OutPoint) -> OwnedOutput | None:
        return self._owned.get(outpoint)

    def known_outpoints(self) -> Collection[OutPoint]:
        """Ours and all that stored transactions spend, so that rivals are seen."""
        return _Either(self._owned.keys(), self._graph.spent_outpoints())

    def is_relevant(self, tx: Transaction) -> bool:
        """Tell whether the transaction pays us, spends from us, or rivals a stored one."""
        if any(self._watch.place(output.script_pubkey) is not None for output in tx.outputs):
            return True
        return any(
            tx_in.prevout in self._owned
            or self._graph.spends_known_outpoint(tx_in.prevout)
            or self._watch.is_own_key(tx_in.witness[-1] if tx_in.witness else b"")
            or self._watch.is_own_key(tx_in.script_sig[-33:])
            for tx_in in tx.inputs
        )

    def involves_us(self, tx: Transaction) -> bool:
        """Tell whether a stored transaction pays us or spends a coin of ours."""
        txid = tx.txid
        return any(OutPoint(txid, vout) in self._owned for vout in range(len(tx.outputs))) or any(
            tx_in.prevout in self._owned for tx_in in tx.inputs
        )

    def received_on(self, script: bytes) -> list[tuple[OwnedOutput, bool]]:
        """List counting outputs that ever paid the script, each with whether it is confirmed."""
        return [
            (self._owned[outpoint], self._graph.anchor(outpoint.txid) is not None)
            for outpoint in self._owned_on_script.get(script, ())
            if self._graph.counts(outpoint.txid)
        ]

    def address(self, script: bytes) -> str:
        """Show the address of a script; "" when it has none."""
        found = self._addresses.get(script)
        if found is None:
            found = address_from_script(script, self._params) or ""
            self._addresses[script] = found
        return found

    def known_addresses(self) -> set[str]:
        """All addresses that appear in the stored transactions, ours and others'."""
        scripts = [*self._owned_on_script, *self._foreign_on_script]
        return {self.address(script) for script in scripts} - {""}

    # --- what changed

    def note(self, changed: Mapping[bytes, Standing | None]) -> None:
        """Forget what depended on the standing of these transactions."""
        self._history = self._coins = None
        for txid, before in changed.items():
            if before is Standing.CONFIRMED:
                self._open = dict(self._owned)
            self._forget_around(txid)

    def forget_label(self, kind: str, ref: str) -> None:
        """Look again at what shows this label: a transaction, or all that paid an address."""
        self._history = self._coins = None
        try:
            txid = hash_from_hex(ref) if kind == "tx" else b""
            script = script_from_address(ref, self._params) if kind == "addr" else b""
        except ParseError:
            return  # imported, and of nothing that is here
        self._entries.pop(txid, None)
        if script:
            paid = (self._owned_on_script, self._foreign_on_script)
            for outpoint in chain.from_iterable(where.get(script, ()) for where in paid):
                self._entries.pop(outpoint.txid, None)

    def forget_coins(self) -> None:
        """Look again at which coins are frozen."""
        self._coins = None

    def _forget_around(self, txid: bytes) -> None:
        self._history = self._coins = None
        if not self._entries:  # while a stored wallet is read
            return
        self._entries.pop(txid, None)
        for other in (*self._graph.conflicts(txid), *self._graph.children(txid)):
            self._entries.pop(other, None)

    # --- coins and balance

    def coins(self, tip_height: int, frozen: Collection[OutPoint]) -> tuple[Coin, ...]:
        """List unspent outputs of counting transactions, oldest confirmed first."""
        if self._coins is not None and self._coins_tip in {None, tip_height}:
            return self._coins
        trust: dict[bytes, bool] = {}
        found = []
        buried = []
        for outpoint, output in self._open.items():
            spender = self._graph.spender(outpoint)
            if spender is not None:
                if self._graph.anchor(spender) is not None:
                    buried.append(outpoint)
                continue
            if not self._graph.counts(outpoint.txid):
                continue
            found.append(self._coin(output, tip_height, frozen, trust))
        for outpoint in buried:
            del self._open[outpoint]
        self._coins = tuple(sorted(found, key=_coin_order))
        # The tip matters only to coins that ripen.
        ripening = any(coin.is_coinbase for coin in found)
        self._coins_tip = tip_height if ripening else None
        return self._coins

    def confirmed_coins(self) -> dict[OutPoint, tuple[int, int]]:
        """Map the outputs that the chain has unspent to (amount in sat, height).

        What only an unconfirmed payment spends is among them: a node's coin set has it too.
        """
        found = {}
        for outpoint, output in self._open.items():
            spender = self._graph.spender(outpoint)
            is_spent = spender is not None and self._graph.anchor(spender) is not None
            anchor = self._graph.anchor(outpoint.txid)
            if not is_spent and anchor is not None:
                found[outpoint] = output.value_sat, anchor.height
        return found

    def _coin(
        self,
        output: OwnedOutput,
        tip_height: int,
        frozen: Collection[OutPoint],
        trust: dict[bytes, bool],
    ) -> Coin:
        txid = output.outpoint.txid
        anchor = self._graph.anchor(txid)
        tx = self._graph.transaction(txid)
        is_coinbase = tx is not None and tx.is_coinbase
        height = None if anchor is None else anchor.height
        address = self.address(output.script_pubkey)
        return Coin(
            outpoint=output.outpoint,
            value_sat=output.value_sat,
            script_pubkey=output.script_pubkey,
            keychain=output.place.keychain,
            index=output.place.index,
            descriptor_index=output.place.descriptor_index,
            height=height,
            is_coinbase=is_coinbase,
            frozen=output.outpoint in frozen,
            is_own_change=height is None and self._is_trusted(txid, trust),
            is_mature=not is_coinbase or (height or 0) + COINBASE_MATURITY <= tip_height,
            is_suspicious=self._is_poison(output),
            address=address,
            label=self._labels.get("output", str(output.outpoint))
            or self._labels.get("addr", address),
        )

    def _is_trusted(self, txid: bytes, trust: dict[bytes, bool]) -> bool:
        """Tell whether a transaction is confirmed, or made only of our own trusted coins."""
        stack = [txid]
        while stack:
            current = stack[-1]
            tx = self._graph.transaction(current)
            if current in trust:
                stack.pop()
            elif tx is None or self._graph.anchor(current) is not None:
                trust[stack.pop()] = tx is not None
            elif any(tx_in.prevout not in self._owned for tx_in in tx.inputs):
                trust[stack.pop()] = False
            else:
                parents = {tx_in.prevout.txid for tx_in in tx.inputs}
                waiting = parents - trust.keys()
                if waiting:
                    stack.extend(waiting)
                else:
                    trust[stack.pop()] = all(trust[parent] for parent in parents)
        return trust[txid]

    def _is_poison(self, output: OwnedOutput) -> bool:
        if output.value_sat > POISON_LIMIT_SAT:
            return False
        others = self._owned_on_script[output.script_pubkey]
        if len(others) < 2 or self._spends_ours(output.outpoint.txid):
            return False
        mine = self._arrival(output.outpoint.txid)
        return any(
            self._arrival(other.txid) < mine
            for other in others
            if other.txid != output.outpoint.txid and self._graph.counts(other.txid)
        )

    def _arrival(self, txid: bytes) -> tuple[bool, int, int]:
        anchor = self._graph.anchor(txid)
        if anchor is None:
            return True, self._graph.seen_order(txid), 0
        return False, anchor.height, anchor.position

    def _spends_ours(self, txid: bytes) -> bool:
        tx = self._graph.transaction(txid)
        return tx is not None and any(tx_in.prevout in self._owned for tx_in in tx.inputs)

    # --- history

    def history(self) -> tuple[HistoryEntry, ...]:
        """List all transactions that involve us, newest first; orphaned coinbases are left out."""
        if self._history is not None:
            return self._history
        entries, orders = self._entries, self._orders
        for txid in self._graph.txids():
            if txid not in entries:
                entries[txid] = self._entry(txid)
                orders.pop(txid, None)
        found = [entry for entry in entries.values() if entry is not None]
        found.sort(key=self._kept_order, reverse=True)
        self._history = tuple(found)
        return self._history

    def _kept_order(self, entry: HistoryEntry) -> _Order:
        # In a block, an entry's place depends on nothing but what its own change forgets.
        order = self._orders.get(entry.txid)
        if order is None:
            order = self._history_order(entry.txid)
            if entry.height is not None:
                self._orders[entry.txid] = order
        return order

    def _history_order(self, txid: bytes) -> _Order:
        # A transaction that lost stands just below the confirmed one that settled its fate.
        current, is_live = txid, self._graph.counts(txid)
        while True:
            anchor = self._graph.anchor(current)
            if anchor is not None:
                first_seen = self._graph.first_seen(txid)
                return False, anchor.height, anchor.position, is_live, first_seen, txid
            rival = self._graph.replaced_by(current) or self._graph.dead_parent(current)
            if rival is None:
                order = self._graph.seen_order(current)
                return True, order, 0, is_live, self._graph.first_seen(txid), txid
            current = rival

    def fee(self, tx: Transaction) -> int | None:
        """Compute the fee in sat; None unless every coin that is spent is known."""
        total = -sum(output.value_sat for output in tx.outputs)
        for tx_in in tx.inputs:
            parent = self._graph.transaction(tx_in.prevout.txid)
            if parent is None or tx_in.prevout.vout >= len(parent.outputs):
                return None
            total += parent.outputs[tx_in.prevout.vout].value_sat
        return total if total >= 0 else None

    def _entry(self, txid: bytes) -> HistoryEntry | None:
        tx = self._graph.transaction(txid)
        anchor = self._graph.anchor(txid)
        if tx is None or not self.involves_us(tx) or (tx.is_coinbase and anchor is None):
            return None
        spent = [coin.value_sat for i in tx.inputs if (coin := self._owned.get(i.prevout))]
        ours = [self._watch.place(output.script_pubkey) is not None for output in tx.outputs]
        received = sum(o.value_sat for o, own in zip(tx.outputs, ours, strict=True) if own)
        is_all_own = len(spent) == len(tx.inputs)
        shown = [
            address
            for output, own in zip(tx.outputs, ours, strict=True)
            if own != bool(spent) and (address := self.address(output.script_pubkey))
        ][:_SHOWN_ADDRESSES]
        notes = [self._labels.get("tx", hash_to_hex(txid))]
        # What was noted about an address says it too.
        notes += [self._labels.get("addr", address) for address in shown]
        is_live = self._graph.counts(txid)
        return HistoryEntry(
            txid=txid,
            height=None if anchor is None else anchor.height,
            block_time=None if anchor is None else anchor.time,
            first_seen=self._graph.first_seen(txid),
            received_sat=received,
            sent_sat=sum(spent),
            fee_sat=None if tx.is_coinbase else self.fee(tx),
            net_sat=received - sum(spent),
            label=next(filter(None, notes), ""),
            conflicts=self._graph.conflicts(txid),
            is_own=bool(spent),
            replaced_by=self._graph.replaced_by(txid),
            abandoned=self._graph.is_abandoned(txid),
            is_live=is_live,
            is_coinbase=tx.is_coinbase,
            can_bump=is_live and anchor is None and is_all_own,
            vsize=tx.vsize,
            addresses=tuple(shown),
            signals_rbf=anchor is None and tx.signals_rbf,
        )


def sum_up(coins: Iterable[Coin]) -> Balance:
    """Add coins up, each in the part that says most about it."""
    confirmed = trusted_pending = incoming = immature = frozen = 0
    for coin in coins:
        if coin.frozen:
            frozen += coin.value_sat
        elif not coin.is_mature:
            immature += coin.value_sat
        elif coin.height is not None:
            confirmed += coin.value_sat
        elif coin.is_own_change:
            trusted_pending += coin.value_sat
        else:
            incoming += coin.value_sat
    return Balance(confirmed, trusted_pending, incoming, immature, frozen)


def _coin_order(coin: Coin) -> tuple[bool, int, bytes, int]:
    return coin.height is None, coin.height or 0, coin.outpoint.txid, coin.outpoint.vout
