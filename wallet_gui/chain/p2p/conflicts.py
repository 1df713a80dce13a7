"""Who lies where two sources tell different filter headers, found out block by block.

A peer's claim about a height is the hash of its filter; the claim that our stored chain makes has
peers who stand by it, or nobody any more. For each disputed height the block is delivered to the
wallets at once, whatever any filter says, so that nothing waits for the answer to who is right.
Then one peer of each camp is asked for its filter, and the block is held against them
(`filter_evidence`). A camp whose filter the block refutes is banned, whole; if it was our stored
chain's, that is rewound and built again. What the block cannot decide is decided by how many
networks stand for it, marked unresolved, and costs nobody a connection.

Source: design notes on conflicts; BIP157 (client operation) leaves the matter open.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from wallet_gui.chain.backend import BackendWarning
from wallet_gui.chain.p2p.filter_evidence import (
    PROOFS,
    BlockScripts,
    Finding,
    judge,
    scripts_of,
)
from wallet_gui.chain.p2p.filter_header_chain import chain
from wallet_gui.chain.p2p.filter_messages import GetCFilters
from wallet_gui.chain.p2p.protocol import FilterRun
from wallet_gui.chain.p2p.sync_state import Instant, Lane, Peer, SyncState
from wallet_gui.primitives.block import Block
from wallet_gui.primitives.hashes import sha256d
from wallet_gui.primitives.transaction import OutPoint

MAX_BLOCKS: Final = 50  # that one network can make us read per session without being right
MAX_OPEN: Final = 4  # looked into at a time
MAX_REMEMBERED: Final = 1000  # blocks with findings
MAX_TRIES: Final = 3
PATIENCE: Final = 60.0  # seconds for evidence; then the networks are counted without it

OURS: Final = b""
"""The claim of the stored chain, whose filter hash is not known before its filter is."""

DISAGREEMENT: Final = (
    "Two sources disagree about a block filter; the blocks in question are read "
    "in full, so your balance is right either way."
)
UNRESOLVED: Final = (
    "Two sources disagree about the filter of block {height} and the block cannot tell who is "
    "right. It was read in full, so your balance is right either way; what most networks say is "
    "believed."
)
OWN_PEER_IS_WRONG: Final = (
    "Your node {address} serves a wrong filter for block {height}. Its filter index may be "
    "damaged: stop it, delete its folder indexes/blockfilter, and start it again."
)


@dataclass(slots=True)
class _Camp:
    """A claim about one filter and how far it was looked into."""

    filter_hash: bytes | None  # None: that of the stored chain is not known yet
    data: bytes | None = None
    finding: Finding | None = None
    asked: int | None = None  # the peer that owes its filter
    sent: float = 0.0
    tries: int = 0
    refused: set[int] = field(default_factory=set)  # asked in vain
    is_silent: bool = False  # nobody left to ask
    looked_up: bool = False  # in the cache


@dataclass(slots=True)
class _Conflict:
    height: int
    block_hash: bytes
    opened: float
    camps: dict[bytes, _Camp] = field(default_factory=dict)
    block: Block | None = None
    scripts: BlockScripts | None = None
    is_judging: bool = False
    decided: frozenset[tuple[bytes, frozenset[bytes]]] | None = None  # for these camps

    @property
    def is_pending(self) -> bool:
        return self.decided is None


class Conflicts:
    """All disputes about filters. Peers' claims are in `Peer.disputes`."""

    def __init__(
        self,
        state: SyncState,
        *,
        request_block: Callable[[int, Callable[[Block, Instant], None]], None],
        on_opened: Callable[[int], None],
        on_overturned: Callable[[int], None],
    ) -> None:
        """Set what is called.

        `on_opened(height)` is to have the block delivered to the wallets; `on_overturned(height)`
        is called when the stored filter header at `height` turned out to be wrong.
        """
        self._state = state
        self._request_block = request_block
        self._on_opened = on_opened
        self._on_overturned = on_overturned
        self._conflicts: dict[int, _Conflict] = {}
        # block hash -> filter hash -> what the block said; true for ever
        self._findings: dict[bytes, dict[bytes, Finding]] = {}
        self._spent: Counter[bytes] = Counter()  # netgroup -> blocks read because of it
        self._included: set[int] = set()
        self._contradictions: Counter[int] = Counter()  # peer -> filters unlike its own headers
        self.unresolved: set[int] = set()
        self._warned: set[str] = set()

    @property
    def is_pending(self) -> bool:
        """Whether a dispute is being looked into."""
        return any(conflict.is_pending for conflict in self._conflicts.values())

    # --- what peers claim -------------------------------------------------------------------------

    def contest(self, peer: Peer, height: int, filter_hash: bytes) -> None:
        """Take notice of a filter, sent by a peer, that is not the agreed one at `height`."""
        if peer.vouches_for(height):
            self._contradictions[peer.number] += 1
            # Once may be a mishap: it is asked for again.
            if self._contradictions[peer.number] > 1:
                self._convict(peer, "It sent filters that differ from its own filter headers.")
            return
        peer.disputes[height] = filter_hash
        self._include(height, [peer])

    def plan(self, now: Instant) -> None:
        """Open what is disputed, ask for evidence and decide what can be decided."""
        claims: dict[int, list[Peer]] = {}
        for peer in self._state.peers.values():
            for height in peer.disputes:
                claims.setdefault(height, []).append(peer)
        if not claims and not self._conflicts:
            return
        for height in [h for h in self._conflicts if h not in claims]:
            del self._conflicts[height]  # whoever claimed otherwise is gone
        top = min(self._state.filter_headers.height, self._state.headers.height)
        for height in sorted(h for h in claims if h <= top):
            if height <= self._state.packaged_through():
                for peer in claims[height]:
                    self._convict(peer, "It contradicts a known filter header.", height)
                continue
            self._include(height, claims[height])
            if not self._pursue(height, now):
                return  # the stored chain ends below now
        self._drop_quarrelsome()

    def _include(self, height: int, claimants: Iterable[Peer]) -> None:
        """Have the block read, at the expense of those networks that say something else."""
        if height in self._included:
            return
        payers = [p for p in claimants if p.is_own or self._spent[p.netgroup] < MAX_BLOCKS]
        if not payers:
            return
        self._included.add(height)
        for netgroup in {p.netgroup for p in payers}:
            self._spent[netgroup] += 1
        self._warn(DISAGREEMENT, DISAGREEMENT)
        self._on_opened(height)

    def _pursue(self, height: int, now: Instant) -> bool:
        """Go on with one dispute; False when our own chain lost it."""
        conflict = self._conflicts.get(height)
        if conflict is None:
            pending = sum(c.is_pending for c in self._conflicts.values())
            if height not in self._included or pending >= MAX_OPEN:
                return True
            block_hash = self._state.headers.hash_at(height)
            conflict = _Conflict(height, block_hash, now.monotonic)
            self._conflicts[height] = conflict
        members = self._members(height)
        for key in members.keys() | {OURS}:
            if key not in conflict.camps:
                conflict.camps[key] = self._camp(conflict, key)
        camps = frozenset(
            (key, frozenset(p.netgroup for p in peers)) for key, peers in members.items()
        )
        if conflict.decided == camps:
            return True
        conflict.decided = None
        for key, camp in conflict.camps.items():
            if camp.finding is None and camp.data is None:
                self._ask(conflict, camp, members.get(key, []), now)
        if conflict.block is None and any(c.finding is None for c in conflict.camps.values()):
            self._request_block(height, self._on_block)
        self._judge(conflict)
        is_late = now.monotonic - conflict.opened >= PATIENCE
        if is_late or not any(self._is_awaited(key, conflict, members) for key in conflict.camps):
            conflict.decided = camps
            return self._decide(conflict, members)
        return True

    def _members(self, height: int) -> dict[bytes, list[Peer]]:
        """List who claims what."""
        members: dict[bytes, list[Peer]] = {}
        for peer in self._state.peers.values():
            if height in peer.disputes:
                members.setdefault(peer.disputes[height], []).append(peer)
            elif peer.vouches_for(height):
                members.setdefault(OURS, []).append(peer)
        return members

    def _camp(self, conflict: _Conflict, key: bytes) -> _Camp:
        known = self._findings.get(conflict.block_hash, {})
        if key != OURS:
            return _Camp(key, finding=known.get(key))
        for filter_hash, finding in known.items():
            if self._is_stored(conflict.height, filter_hash):
                return _Camp(filter_hash, finding=finding)
        return _Camp(None)

    def _is_stored(self, height: int, filter_hash: bytes) -> bool:
        ours = self._state.filter_headers
        return chain(filter_hash, ours.header_at(height - 1)) == ours.header_at(height)

    def _is_awaited(
        self, key: bytes, conflict: _Conflict, members: Mapping[bytes, list[Peer]]
    ) -> bool:
        camp = conflict.camps[key]
        if camp.finding is not None or camp.is_silent:
            return False
        return key == OURS or bool(members.get(key))

    # --- evidence ---------------------------------------------------------------------------------

    def _ask(self, conflict: _Conflict, camp: _Camp, members: list[Peer], now: Instant) -> None:
        if camp.asked is not None and any(p.number == camp.asked for p in members):
            return  # it is its turn
        camp.asked = None
        able = [p for p in members if p.number not in camp.refused]
        if able:
            peer = min(able, key=lambda p: p.stalled_until)
            camp.asked, camp.sent, camp.tries = peer.number, now.monotonic, 0
            camp.is_silent = False
            self._state.send(peer, GetCFilters(conflict.height, conflict.block_hash))
        elif camp.filter_hash is None and not camp.looked_up:
            camp.looked_up = True
            self._look_up(conflict, camp)
        elif camp.looked_up or camp.filter_hash is not None:
            camp.is_silent = True

    def _look_up(self, conflict: _Conflict, camp: _Camp) -> None:
        """Nobody stands by what we stored; the filter may still be in the cache."""
        store = self._state.stores.filters
        block_hash, height = conflict.block_hash, conflict.height

        def done(data: bytes | None, _now: Instant) -> None:
            if self._conflicts.get(height) is not conflict or camp.data is not None:
                return
            if data is not None and self._is_stored(height, sha256d(data)):
                camp.filter_hash, camp.data = sha256d(data), data
            else:
                camp.is_silent = True

        self._state.work(Lane.STORE, lambda: store.get(block_hash), done)

    def on_filters(self, peer: Peer, run: FilterRun, now: Instant) -> None:
        """Look at filters that came, for those that are owed as evidence. None is consumed."""
        del now
        if not self._conflicts:
            return
        for block_hash, start, stop in run.entries:
            for conflict in self._conflicts.values():
                if conflict.block_hash == block_hash:
                    self._on_filter(peer, conflict, bytes(run.data[start:stop]))

    def _on_filter(self, peer: Peer, conflict: _Conflict, data: bytes) -> None:
        for key, camp in conflict.camps.items():
            if camp.asked != peer.number or camp.data is not None:
                continue
            camp.asked = None
            filter_hash = sha256d(data)
            is_claimed = filter_hash == key
            if key == OURS:
                is_claimed = self._is_stored(conflict.height, filter_hash)
            if is_claimed:
                camp.filter_hash, camp.data = filter_hash, data
                return
            # It is asked once more: the second time it is no mishap.
            self._contradictions[peer.number] += 1
            if self._contradictions[peer.number] > 1:
                camp.refused.add(peer.number)
                self._convict(peer, "It sent a filter that differs from its own filter header.")
            return

    def _on_block(self, block: Block, _now: Instant) -> None:
        for conflict in self._conflicts.values():
            if conflict.block_hash == block.header.hash:
                conflict.block = block

    def _judge(self, conflict: _Conflict) -> None:
        block = conflict.block
        ready = [c for c in conflict.camps.values() if c.finding is None and c.data is not None]
        if block is None or not ready or conflict.is_judging:
            return
        conflict.is_judging = True
        known = dict(self._state.own_coins) if conflict.scripts is None else {}
        filters = [camp.data or b"" for camp in ready]
        scripts = conflict.scripts

        def run() -> tuple[BlockScripts, list[Finding]]:
            return judge_all(filters, block, scripts, known)

        def done(outcome: tuple[BlockScripts, list[Finding]], _now: Instant) -> None:
            conflict.is_judging = False
            conflict.scripts, findings = outcome
            while len(self._findings) >= MAX_REMEMBERED:
                del self._findings[next(iter(self._findings))]
            for camp, finding in zip(ready, findings, strict=True):
                camp.finding = finding
                if camp.filter_hash is not None:
                    found = self._findings.setdefault(conflict.block_hash, {})
                    found[camp.filter_hash] = finding

        self._state.work(Lane.ENGINE, run, done)

    # --- verdicts ---------------------------------------------------------------------------------

    def _decide(self, conflict: _Conflict, members: dict[bytes, list[Peer]]) -> bool:
        """Give the verdict; False when our own chain lost."""
        height = conflict.height
        standing = self._part_with_liars(conflict, members)
        winner = self._strongest(conflict, standing)
        if sum(bool(peers) or key == OURS for key, peers in standing.items()) > 1:
            self.unresolved.add(height)
            self._warn(UNRESOLVED, UNRESOLVED.format(height=height))
        else:
            self.unresolved.discard(height)
        if winner == OURS or (winner is None and OURS in standing):
            return True
        for key, peers in standing.items():
            for peer in peers:
                peer.has_lost = key != winner
        for later in [h for h in self._conflicts if h >= height]:
            del self._conflicts[later]
        self._on_overturned(height)
        return False

    def _part_with_liars(
        self, conflict: _Conflict, members: Mapping[bytes, list[Peer]]
    ) -> dict[bytes, list[Peer]]:
        """Hang up on those whose claim is refuted, or who do not show it; give the others."""
        standing: dict[bytes, list[Peer]] = {}
        is_proven = False
        for key, camp in conflict.camps.items():
            peers = members.get(key, [])
            if camp.finding in PROOFS:
                is_proven = True
                for peer in peers:
                    self._convict(
                        peer,
                        f"It told a false filter for block {conflict.height}.",
                        conflict.height,
                    )
                continue
            # Without its filter a claim is of no use, but nothing is proven against it.
            mute = [p for p in peers if camp.finding is None and p.number in camp.refused]
            for peer in mute:
                if not peer.is_own:
                    self._state.dismiss(peer, "It does not send a filter that it told of.")
            if peers or key == OURS:
                standing[key] = [p for p in peers if p not in mute]
        if is_proven:
            for peer in (p for peers in standing.values() for p in peers):
                self._spent[peer.netgroup] = 0  # it was right to object
        return standing

    def _strongest(self, conflict: _Conflict, standing: Mapping[bytes, list[Peer]]) -> bytes | None:
        """Choose whom to follow: evidence, own peers, number of networks, and the present chain."""
        camps = [key for key, peers in standing.items() if peers or key == OURS]
        order = [None, Finding.UNLIKELY, Finding.POSSIBLE, Finding.EXACT]

        def strength(key: bytes) -> tuple[int, bool, int, bool]:
            peers = standing[key]
            return (
                order.index(conflict.camps[key].finding),
                any(p.is_own for p in peers),
                len({p.netgroup for p in peers}),
                key == OURS,
            )

        return max(camps, key=strength, default=None)

    def _convict(self, peer: Peer, reason: str, height: int | None = None) -> None:
        if peer.is_own and height is not None:
            text = OWN_PEER_IS_WRONG.format(address=peer.address, height=height)
            self._warn(f"own {peer.address}", text)
        self._state.convict(peer, reason)

    def _drop_quarrelsome(self) -> None:
        """Part with those who dispute so much that it cannot be looked into."""
        if self.is_pending:
            return
        for peer in list(self._state.peers.values()):
            is_spent = self._spent[peer.netgroup] >= MAX_BLOCKS and not peer.is_own
            if is_spent and any(h not in self._included for h in peer.disputes):
                self._state.dismiss(peer, "It disagrees with the others about too many filters.")

    def _warn(self, once: str, sentence: str) -> None:
        if once not in self._warned:
            self._warned.add(once)
            self._state.emit(BackendWarning(sentence))

    # --- changes ----------------------------------------------------------------------------------

    def rewind(self, height: int) -> None:
        """Forget what is above `height`: the chain was reorganised there."""
        self._conflicts = {h: c for h, c in self._conflicts.items() if h <= height}
        self._included = {h for h in self._included if h <= height}
        self.unresolved = {h for h in self.unresolved if h <= height}

    def on_disconnected(self, peer: Peer) -> None:
        """Forget what a peer was asked and blamed for."""
        self._contradictions.pop(peer.number, None)
        for conflict in self._conflicts.values():
            for camp in conflict.camps.values():
                if camp.asked == peer.number:
                    camp.asked = None

    def tick(self, now: Instant) -> None:
        """Repeat requests for evidence that met with silence."""
        for conflict in self._conflicts.values():
            for camp in conflict.camps.values():
                peer = None if camp.asked is None else self._state.peers.get(camp.asked)
                if peer is None or camp.data is not None:
                    continue
                if not self._state.retry_is_due(camp.sent, camp.tries, peer, now):
                    continue
                camp.tries += 1
                camp.sent = now.monotonic
                if camp.tries >= MAX_TRIES:
                    camp.refused.add(peer.number)
                    camp.asked = None
                else:
                    self._state.send(peer, GetCFilters(conflict.height, conflict.block_hash))


def judge_all(
    filters: Iterable[bytes],
    block: Block,
    scripts: BlockScripts | None,
    known: Mapping[OutPoint, bytes],
) -> tuple[BlockScripts, list[Finding]]:
    """Hold a block against several filters; `scripts` are those of the block if known already."""
    if scripts is None:
        scripts = scripts_of(block, known)
    return scripts, [judge(data, block, scripts) for data in filters]
