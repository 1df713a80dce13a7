"""Known transactions: what confirms them, what they spend, which of them count.

The graph does not know scripts. It holds every transaction that the wallet cares about, with all
inputs indexed by outpoint, and settles which ones count:

- a transaction in a block of the active chain counts;
- an unconfirmed one counts unless it spends a coin that a counting transaction spends, it was
  abandoned, or one of its known parents does not count;
- one that lost to a rival stays out, as in a mempool, until it is seen again;
- of unconfirmed rivals the one seen last counts, with its ancestors: a replacement is announced
  after what it replaces, and a node announces only what is in its mempool;
- a coinbase outside the active chain never counts.
"""

from collections.abc import Collection, Iterable
from enum import Enum

from wallet_gui.primitives.transaction import OutPoint, Transaction, TxOut
from wallet_gui.wallet.changes import Anchor, CacheChange


class Standing(Enum):
    """Whether a transaction counts: in a block, waiting for one, or not at all."""

    CONFIRMED = "confirmed"
    PENDING = "pending"
    DEAD = "dead"


class TxGraph:
    """Transactions by id. Changes go to `staged`, which the owner empties."""

    def __init__(self, staged: CacheChange) -> None:
        self._staged = staged
        self._transactions: dict[bytes, Transaction] = {}
        self._anchors: dict[bytes, Anchor] = {}
        self._by_height: dict[int, set[bytes]] = {}
        self._first_seen: dict[bytes, int] = {}
        self._seen_order: dict[bytes, int] = {}
        self._next_order = 1
        self._abandoned: set[bytes] = set()
        self._spenders: dict[OutPoint, list[bytes]] = {}
        self._unconfirmed: set[bytes] = set()
        self._standing: dict[bytes, Standing] = {}
        self._touched: set[bytes] = set()

    # --- what is known

    def __contains__(self, txid: bytes) -> bool:
        return txid in self._transactions

    def __len__(self) -> int:
        return len(self._transactions)

    def transaction(self, txid: bytes) -> Transaction | None:
        return self._transactions.get(txid)

    def output(self, outpoint: OutPoint) -> TxOut | None:
        """Find an output of a stored transaction."""
        tx = self._transactions.get(outpoint.txid)
        return None if tx is None or outpoint.vout >= len(tx.outputs) else tx.outputs[outpoint.vout]

    def anchor(self, txid: bytes) -> Anchor | None:
        return self._anchors.get(txid)

    def first_seen(self, txid: bytes) -> int:
        return self._first_seen.get(txid, 0)

    def seen_order(self, txid: bytes) -> int:
        """Return a number that is higher the later it was seen; 0 once it lost to a rival."""
        return self._seen_order.get(txid, 0)

    def is_abandoned(self, txid: bytes) -> bool:
        return txid in self._abandoned

    def standing(self, txid: bytes) -> Standing:
        """Raise KeyError for an unknown transaction."""
        return self._standing[txid]

    def counts(self, txid: bytes) -> bool:
        return self._standing.get(txid, Standing.DEAD) is not Standing.DEAD

    def spent_outpoints(self) -> Collection[OutPoint]:
        """All that stored transactions spend, but what coinbases do; grows with the graph."""
        return self._spenders.keys()

    def spends_known_outpoint(self, outpoint: OutPoint) -> bool:
        """Tell whether any stored transaction, counting or not, spends the outpoint."""
        return outpoint in self._spenders

    def spenders(self, outpoint: OutPoint) -> tuple[bytes, ...]:
        return tuple(self._spenders.get(outpoint, ()))

    def spender(self, outpoint: OutPoint) -> bytes | None:
        """Find the one counting transaction that spends the outpoint."""
        for txid in self._spenders.get(outpoint, ()):
            if self.counts(txid):
                return txid
        return None

    def conflicts(self, txid: bytes) -> tuple[bytes, ...]:
        """List the other stored transactions that spend a coin of this one, sorted."""
        found: set[bytes] = set()
        for tx_in in self._transactions[txid].inputs:
            spenders = self._spenders.get(tx_in.prevout, ())
            if len(spenders) > 1:  # hardly ever: mostly it is this one alone
                found.update(spenders)
        found.discard(txid)
        return tuple(sorted(found))

    def replaced_by(self, txid: bytes) -> bytes | None:
        """Find the counting transaction that spends a coin of this dead one, if there is one."""
        if self.counts(txid):
            return None
        rivals = [rival for rival in self.conflicts(txid) if self.counts(rival)]
        return max(rivals, key=lambda rival: (rival in self._anchors, rival), default=None)

    def dead_parent(self, txid: bytes) -> bytes | None:
        """Find a stored parent that does not count, of a transaction that therefore does not."""
        if self.counts(txid):
            return None
        parents = {tx_in.prevout.txid for tx_in in self._transactions[txid].inputs}
        return min((p for p in parents if p in self and not self.counts(p)), default=None)

    def children(self, txid: bytes) -> set[bytes]:
        """List the stored transactions that spend an output of this one."""
        outputs = len(self._transactions[txid].outputs)
        return {
            child
            for vout in range(outputs)
            for child in self._spenders.get(OutPoint(txid, vout), ())
        }

    def unconfirmed_ancestors(self, tx: Transaction) -> list[Transaction]:
        """List the stored transactions without a block that this one builds on, parents first."""
        found: dict[bytes, Transaction] = {}
        queue = [tx_in.prevout.txid for tx_in in tx.inputs]
        while queue:
            txid = queue.pop()
            if txid in self._unconfirmed and txid not in found:
                found[txid] = self._transactions[txid]
                queue += [tx_in.prevout.txid for tx_in in found[txid].inputs]
        return sorted(found.values(), key=lambda parent: self._seen_order[parent.txid])

    def txids(self) -> list[bytes]:
        return list(self._transactions)

    def unconfirmed(self) -> frozenset[bytes]:
        return frozenset(self._unconfirmed)

    def anchored_above(self, height: int) -> list[bytes]:
        """List confirmed transactions above `height`, in chain order."""
        found = [txid for h, txids in self._by_height.items() if h > height for txid in txids]
        return sorted(found, key=self._chain_order)

    def block_at(self, height: int) -> bytes | None:
        """Return the hash of the block that confirms stored transactions at `height`."""
        txids = self._by_height.get(height)
        return self._anchors[next(iter(txids))].hash if txids else None

    def _chain_order(self, txid: bytes) -> tuple[int, int]:
        anchor = self._anchors[txid]
        return anchor.height, anchor.position

    # --- mutations; `settle` makes them count

    def restore(
        self,
        tx: Transaction,
        *,
        anchor: Anchor | None,
        first_seen: int,
        seen_order: int,
        abandoned: bool,
    ) -> None:
        """Put a stored transaction back without staging it."""
        txid = tx.txid
        self._store(tx)
        self._first_seen[txid] = first_seen
        self._seen_order[txid] = seen_order
        self._next_order = max(self._next_order, seen_order + 1)
        if abandoned:
            self._abandoned.add(txid)
        if anchor is not None:
            self._anchor(txid, anchor)

    def _anchor(self, txid: bytes, anchor: Anchor) -> None:
        earlier = self._anchors.get(txid)
        if earlier is not None:
            self._by_height[earlier.height].discard(txid)
        self._anchors[txid] = anchor
        self._by_height.setdefault(anchor.height, set()).add(txid)
        self._unconfirmed.discard(txid)

    def _store(self, tx: Transaction) -> None:
        txid = tx.txid
        self._transactions[txid] = tx
        # Coinbases all "spend" the null outpoint and are not rivals for it.
        for tx_in in () if tx.is_coinbase else tx.inputs:
            rivals = self._spenders.setdefault(tx_in.prevout, [])
            if txid not in rivals:
                rivals.append(txid)
        self._unconfirmed.add(txid)
        self._touched.add(txid)

    def add(self, tx: Transaction, now: int) -> bool:
        """Store a transaction; False when it was known. A witness seen first is kept."""
        txid = tx.txid
        if txid in self._transactions:
            return False
        self._store(tx)
        self._first_seen[txid] = now
        self._staged.transactions[txid] = tx.serialize()
        self._staged.first_seen[txid] = now
        self.see(txid)
        return True

    def see(self, txid: bytes) -> None:
        """Note that the network carries the transaction now: it wins over earlier rivals."""
        self._seen_order[txid] = self._next_order
        self._staged.seen_order[txid] = self._next_order
        self._next_order += 1
        self._touched.add(txid)
        if txid in self._abandoned:
            self._abandoned.discard(txid)
            self._staged.abandoned[txid] = False

    def confirm(self, tx: Transaction, anchor: Anchor) -> None:
        """Anchor a stored transaction in a block; the witness that is in the block is kept."""
        txid = tx.txid
        if self._anchors.get(txid) == anchor:
            return
        stored = self._transactions[txid]
        if stored.wtxid != tx.wtxid:
            self._transactions[txid] = tx
            self._staged.transactions[txid] = tx.serialize()
        for tx_in in tx.inputs:
            for rival in self.spenders(tx_in.prevout):
                # Two spends of one coin cannot be in one chain: the older anchor is stale.
                if rival != txid and rival in self._anchors:
                    self._unanchor(rival)
        self._anchor(txid, anchor)
        self._staged.anchors[txid] = anchor
        if txid in self._abandoned:
            self._abandoned.discard(txid)
            self._staged.abandoned[txid] = False
        self._touched.add(txid)

    def _unanchor(self, txid: bytes) -> None:
        anchor = self._anchors.pop(txid)
        self._by_height[anchor.height].discard(txid)
        self._staged.anchors[txid] = None
        self._unconfirmed.add(txid)
        self.see(txid)

    def rollback_to(self, height: int) -> None:
        """Take the confirmations above `height` away; the transactions wait again."""
        for txid in self.anchored_above(height):
            self._unanchor(txid)

    def abandon(self, txid: bytes) -> None:
        self._abandoned.add(txid)
        self._staged.abandoned[txid] = True
        self._touched.add(txid)

    # --- what counts

    def settle(self) -> dict[bytes, Standing | None]:
        """Decide anew which transactions count.

        Returns those whose standing or block changed, with their earlier standing (None: new),
        parents before children where both are unconfirmed.
        """
        if not self._touched:
            return {}
        pending = self._pending()
        changed: dict[bytes, Standing | None] = {}
        for txid in sorted(self._touched | self._unconfirmed, key=self._event_order):
            if txid in self._anchors:
                new = Standing.CONFIRMED
            else:
                new = Standing.PENDING if txid in pending else Standing.DEAD
            old = self._standing.get(txid)
            if new is not old or (new is Standing.CONFIRMED and txid in self._touched):
                changed[txid] = old
                self._standing[txid] = new
        self._touched.clear()
        for txid in self._unconfirmed:
            if self._seen_order[txid] and self.replaced_by(txid) is not None:
                self._seen_order[txid] = 0
                self._staged.seen_order[txid] = 0
        return changed

    def _event_order(self, txid: bytes) -> tuple[bool, int, int, bytes]:
        anchor = self._anchors.get(txid)
        if anchor is None:
            return True, self._seen_order[txid], 0, txid
        return False, anchor.height, anchor.position, txid

    def _pending(self) -> set[bytes]:
        live: set[bytes] = set()
        dead = {txid for txid in self._unconfirmed if self._cannot_confirm(txid)}
        taken: set[OutPoint] = set()
        newest_first = sorted(self._unconfirmed, key=self._seen_order.__getitem__, reverse=True)
        for txid in newest_first:
            if txid in live or txid in dead:
                continue
            family = self._undecided_family(txid, live)
            spent = [i.prevout for member in family for i in self._transactions[member].inputs]
            outpoints = set(spent)
            if family & dead or outpoints & taken or len(outpoints) != len(spent):
                dead.add(txid)
            else:
                live |= family
                taken |= outpoints
        return live

    def _cannot_confirm(self, txid: bytes) -> bool:
        tx = self._transactions[txid]
        if txid in self._abandoned or tx.is_coinbase or not self._seen_order[txid]:
            return True
        for tx_in in tx.inputs:
            parent = self._transactions.get(tx_in.prevout.txid)
            if parent is not None and tx_in.prevout.vout >= len(parent.outputs):
                return True
            if any(rival in self._anchors for rival in self._spenders[tx_in.prevout]):
                return True
        return False

    def _undecided_family(self, txid: bytes, live: Iterable[bytes]) -> set[bytes]:
        """Collect a transaction with its unconfirmed ancestors that do not count yet."""
        family: set[bytes] = set()
        queue = [txid]
        while queue:
            member = queue.pop()
            if member in family or member in live or member not in self._unconfirmed:
                continue
            family.add(member)
            queue.extend(i.prevout.txid for i in self._transactions[member].inputs)
        return family
