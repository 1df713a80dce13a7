"""Payments that wait for a block, as the person's own node sees them.

Where the node may know the scripts and can (29.0), it is asked for exactly what concerns them.
Otherwise the whole list of its mempool is compared with the last one, and what is new is read, as
from peers: then the node learns nothing. Everything is bounded, and checked against its txid.
"""

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from wallet_gui.chain.bitcoind.problems import RpcError, bad_reply
from wallet_gui.primitives.hashes import hash_from_hex, hash_to_hex
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.transaction import Transaction

MOST_PER_POLL: Final = 500
MOST_WAITING: Final = 5_000
LIST_LIMIT: Final = 64 * 1024 * 1024  # bytes: 900,000 txids
ACTIVITY_LIMIT: Final = 16 * 1024 * 1024
_MOST_HEX: Final = 8_000_000
_FIGURES: Final = ("size", "bytes", "usage", "total_fee")
# A node that needs long for an answer is asked less often: at most 5 % of its time.
_LEAST_PAUSE: Final = 2.0
_MOST_PAUSE: Final = 60.0
_PAUSE_FACTOR: Final = 20.0


class MempoolRpc(Protocol):
    """What is needed of a `NodeRpc`."""

    async def call(self, method: str, /, *params: Any, limit: int = ...) -> Any: ...
    async def batch(self, calls: Any, /) -> list[Any]: ...


@dataclass(frozen=True, slots=True)
class MempoolNews:
    """What a poll found: transactions not reported before, and txids that are there no more.

    `gone` names only what concerns the scripts, or was asked for with `has`; it may be in a block.
    """

    seen: tuple[Transaction, ...] = ()
    gone: tuple[bytes, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not self.seen and not self.gone


@dataclass(slots=True)
class NodeMempool:
    """The view of one node's mempool; txids in wire order."""

    has_activity: bool
    tells_scripts: bool
    clock: Callable[[], float] = time.monotonic
    pause: float = _LEAST_PAUSE
    _known: set[bytes] = field(default_factory=set)  # what is there, as of the last poll
    _ours: set[bytes] = field(default_factory=set)
    _asked: set[bytes] = field(default_factory=set)
    _waiting: deque[bytes] = field(default_factory=deque)  # not read yet
    _figures: Any = None
    _scripts: frozenset[bytes] = frozenset()
    _is_first: bool = True

    def has(self, txid: bytes) -> bool:
        """Whether the node had it at the last poll; from now on its leaving is told."""
        if len(self._asked) < MOST_WAITING:
            self._asked.add(txid)
        return txid in self._known

    async def poll(self, rpc: MempoolRpc, scripts: Collection[bytes]) -> MempoolNews:
        """Look at the mempool; `pause` says how many seconds later to look again.

        Raises NodeProblem; then nothing has changed here, and the next poll finds it all.
        """
        began = self.clock()
        watched = frozenset(scripts)
        figures = _figures(await rpc.call("getmempoolinfo"))
        if figures == self._figures and watched == self._scripts and not self._waiting:
            return MempoolNews()
        if self.has_activity and self.tells_scripts:
            news = await self._by_activity(rpc, watched)
        else:
            news = await self._by_difference(rpc, watched)
        self._figures, self._scripts, self._is_first = figures, watched, False
        took = self.clock() - began
        self.pause = min(_MOST_PAUSE, max(_LEAST_PAUSE, _PAUSE_FACTOR * took))
        return news

    async def _by_activity(self, rpc: MempoolRpc, scripts: frozenset[bytes]) -> MempoolNews:
        """Ask what concerns the scripts; unconfirmed activity names no block (Core 29.0)."""
        present: set[bytes] = set()
        if scripts:
            objects = sorted(f"raw({script.hex()})" for script in scripts)
            told = await rpc.call("getdescriptoractivity", [], objects, True, limit=ACTIVITY_LIMIT)
            present = set(_txids_of(told))
        new = sorted(present - self._known)[:MOST_PER_POLL]
        seen = await self._read(rpc, new)
        held = present - set(new) | {tx.txid for tx in seen}
        late = present - held  # in a block meanwhile, or more than are read at once
        gone = self._gone(present)
        self._known = present - late
        self._ours = set(self._known)
        self._waiting = deque(late)
        return MempoolNews(tuple(seen), gone)

    async def _by_difference(self, rpc: MempoolRpc, scripts: frozenset[bytes]) -> MempoolNews:
        """Compare the whole list with the last one and read what is new, newest first."""
        listed = await rpc.call("getrawmempool", limit=LIST_LIMIT)
        present = set(_txids(listed))
        fresh = sorted(present - self._known)
        waiting = [txid for txid in self._waiting if txid in present]
        # What waited before we came is read little by little, and not all of it where that is much.
        queue = (waiting + fresh if self._is_first else fresh + waiting)[:MOST_WAITING]
        seen = await self._read(rpc, queue[:MOST_PER_POLL])
        gone = self._gone(present)
        self._known = present
        self._waiting = deque(queue[MOST_PER_POLL:])
        self._ours = (self._ours & present) | {
            tx.txid for tx in seen if any(o.script_pubkey in scripts for o in tx.outputs)
        }
        return MempoolNews(tuple(seen), gone)

    def _gone(self, present: set[bytes]) -> tuple[bytes, ...]:
        gone = (self._known - present) & (self._ours | self._asked)
        self._asked -= gone
        return tuple(sorted(gone))

    async def _read(self, rpc: MempoolRpc, txids: Sequence[bytes]) -> list[Transaction]:
        """Read transactions, parents before children; those that left meanwhile are missing."""
        if not txids:
            return []
        calls = [("getrawtransaction", [hash_to_hex(txid)]) for txid in txids]
        answers = await rpc.batch(calls)
        found = []
        for txid, answer in zip(txids, answers, strict=True):
            if isinstance(answer, RpcError):
                continue
            tx = _transaction(answer)
            if tx.txid != txid:
                raise bad_reply("getrawtransaction gave another transaction")
            found.append(tx)
        return in_order(found)


def in_order(transactions: Iterable[Transaction]) -> list[Transaction]:
    """Put transactions behind those of them that they spend from."""
    left = {tx.txid: tx for tx in transactions}
    ordered: list[Transaction] = []
    while left:
        stack = [next(iter(left))]
        while stack:
            tx = left.get(stack[-1])
            if tx is None:
                stack.pop()
                continue
            # No circle is possible: a txid is a hash of those of its parents.
            missing = [each.prevout.txid for each in tx.inputs if each.prevout.txid in left]
            if missing:
                stack += missing
            else:
                ordered.append(left.pop(stack.pop()))
    return ordered


def _figures(info: Any) -> tuple[Any, ...]:
    """What changes when the mempool does."""
    if not isinstance(info, dict):
        raise bad_reply("getmempoolinfo")
    return tuple(info.get(name) for name in _FIGURES)


def _txids(listed: Any) -> list[bytes]:
    if not isinstance(listed, list):
        raise bad_reply("getrawmempool")
    return [_txid(each) for each in listed]


def _txids_of(told: Any) -> list[bytes]:
    """Read which transactions an activity report names."""
    if not isinstance(told, dict) or not isinstance(told.get("activity"), list):
        raise bad_reply("getdescriptoractivity")
    txids = []
    for entry in told["activity"]:
        if not isinstance(entry, dict):
            raise bad_reply("getdescriptoractivity")
        if not entry.get("blockhash"):
            is_spend = entry.get("type") == "spend"
            txids.append(_txid(entry.get("spend_txid" if is_spend else "txid")))
    return txids


def _txid(value: Any) -> bytes:
    try:
        return hash_from_hex(value)
    except (ParseError, TypeError, AttributeError):
        raise bad_reply("a txid is malformed") from None


def _transaction(value: Any) -> Transaction:
    if not isinstance(value, str) or len(value) > _MOST_HEX:
        raise bad_reply("getrawtransaction")
    try:
        tx = Transaction.parse(bytes.fromhex(value))
        tx.check_sanity()
    except (ParseError, ValueError):
        raise bad_reply("getrawtransaction") from None
    return tx
