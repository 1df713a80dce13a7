"""Gathers what decides a dispute about a filter: each camp's filter, the block, what it shows.

A camp is everybody who claims the same filter hash for a block; one of them is asked for the
filter, another when nothing comes. Filters are judged away from the loop, and what was found
stays true for the block and the filter hash, whoever claims it next.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from wallet_gui.chain.backend import StoredFilters
from wallet_gui.chain.p2p.filter_evidence import BlockScripts, Finding, judge, scripts_of
from wallet_gui.chain.p2p.filter_header_chain import chain
from wallet_gui.chain.p2p.filter_messages import FilterRun, GetCFilters
from wallet_gui.chain.p2p.sync_state import Instant, Lane, Peer, SyncState
from wallet_gui.primitives.block import Block
from wallet_gui.primitives.hashes import sha256d
from wallet_gui.primitives.transaction import OutPoint

MAX_REMEMBERED: Final = 1000  # blocks with findings
MAX_TRIES: Final = 3

OURS: Final = b""
"""The claim of the stored chain, whose filter hash is not known before its filter is."""


@dataclass(slots=True)
class Camp:
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
    is_looking_up: bool = False


@dataclass(slots=True)
class Conflict:
    """A block about whose filter something is to be found out; camps by what they claim."""

    height: int
    block_hash: bytes
    opened: float
    camps: dict[bytes, Camp] = field(default_factory=dict)
    block: Block | None = None
    scripts: BlockScripts | None = None
    is_judging: bool = False
    was_included: bool = False  # for delivery, since its filter is proven false
    is_audit: bool = False  # nobody claims anything else than what is stored
    decided: frozenset[tuple[bytes, frozenset[bytes]]] | None = None  # for these camps

    @property
    def is_pending(self) -> bool:
        """Whether somebody waits for the verdict."""
        return self.decided is None and not self.is_audit


class Evidence:
    """Asks for filters and blocks, and has them judged."""

    def __init__(
        self,
        state: SyncState,
        request_block: Callable[[int, Callable[[Block, Instant], None]], None],
        on_contradiction: Callable[[Peer], None],
    ) -> None:
        """Have `on_contradiction(peer)` called when a peer's filter is not what it claimed."""
        self.open: dict[int, Conflict] = {}  # by height
        self._state = state
        self._request_block = request_block
        self._on_contradiction = on_contradiction
        # block hash -> filter hash -> what the block said; true for ever
        self._findings: dict[bytes, dict[bytes, Finding]] = {}
        self._contradictions: Counter[int] = Counter()  # peer -> filters unlike its own headers

    def pursue(self, conflict: Conflict, members: Mapping[bytes, list[Peer]], now: Instant) -> None:
        """Ask for what is missing, and judge what is there; `members` are the camps' peers."""
        for key in members.keys() | {OURS}:
            if key not in conflict.camps:
                conflict.camps[key] = self._camp(conflict, key)
        for key, camp in conflict.camps.items():
            if camp.finding is None and camp.data is None:
                self._ask(conflict, camp, members.get(key, []), now)
        if conflict.block is None and any(c.finding is None for c in conflict.camps.values()):
            self._request_block(conflict.height, self._on_block)
        self._judge(conflict)

    def is_complete(self, conflict: Conflict, members: Mapping[bytes, list[Peer]]) -> bool:
        """Tell whether nothing more will come."""
        return all(
            camp.finding is not None or camp.is_silent or (key != OURS and not members.get(key))
            for key, camp in conflict.camps.items()
        )

    def note_contradiction(self, peer: Peer) -> None:
        """Count a filter that is not what its sender told; the second time is no mishap."""
        self._contradictions[peer.number] += 1
        if self._contradictions[peer.number] > 1:
            self._on_contradiction(peer)

    def _camp(self, conflict: Conflict, key: bytes) -> Camp:
        known = self._findings.get(conflict.block_hash, {})
        if key != OURS:
            return Camp(key, finding=known.get(key))
        for filter_hash, finding in known.items():
            if self._is_stored(conflict.height, filter_hash):
                return Camp(filter_hash, finding=finding)
        return Camp(None)

    def _is_stored(self, height: int, filter_hash: bytes) -> bool:
        ours = self._state.filter_headers
        return chain(filter_hash, ours.header_at(height - 1)) == ours.header_at(height)

    # --- filters ----------------------------------------------------------------------------------

    def _ask(self, conflict: Conflict, camp: Camp, members: list[Peer], now: Instant) -> None:
        if conflict.is_audit and not camp.looked_up:
            self._look_up(conflict, camp)  # which may spare a download
        if camp.is_looking_up or any(p.number == camp.asked for p in members):
            return
        camp.asked = None
        able = [p for p in members if p.number not in camp.refused]
        if able:
            peer = min(able, key=lambda p: p.stalled_until)
            camp.asked, camp.sent, camp.tries = peer.number, now.monotonic, 0
            camp.is_silent = False
            self._state.send(peer, GetCFilters(conflict.height, conflict.block_hash))
        elif camp.filter_hash is None and not camp.looked_up:
            self._look_up(conflict, camp)  # nobody stands by what we stored
        else:
            camp.is_silent = True

    def _look_up(self, conflict: Conflict, camp: Camp) -> None:
        """Look for the filter of the stored claim in the cache."""
        store = self._state.stores.filters
        block_hash, height = conflict.block_hash, conflict.height
        camp.looked_up = camp.is_looking_up = True

        def done(runs: list[StoredFilters], _now: Instant) -> None:
            camp.is_looking_up = False
            if self.open.get(height) is not conflict or camp.data is not None or not runs:
                return
            _, _, buffer, starts, ends = runs[0]
            data = bytes(buffer[starts[0] : ends[0]])
            if self._is_stored(height, sha256d(data)):
                camp.filter_hash, camp.data = sha256d(data), data

        self._state.work(Lane.STORE, lambda: store.get_runs(height, block_hash), done)

    def on_filters(self, peer: Peer, run: FilterRun) -> None:
        """Look at filters that came, for those that are owed as evidence. None is consumed."""
        if not any(c.asked == peer.number for f in self.open.values() for c in f.camps.values()):
            return
        wanted = {conflict.block_hash: conflict for conflict in self.open.values()}
        for index, (start, stop) in enumerate(zip(run.starts, run.ends, strict=True)):
            conflict = wanted.get(run.hashes[32 * index : 32 * index + 32])
            if conflict is not None:
                self._on_filter(peer, conflict, bytes(run.data[start:stop]))

    def _on_filter(self, peer: Peer, conflict: Conflict, data: bytes) -> None:
        owed = (
            (key, camp)
            for key, camp in conflict.camps.items()
            if camp.asked == peer.number and camp.data is None
        )
        key, camp = next(owed, (OURS, None))
        if camp is None:
            return
        camp.asked = None
        filter_hash = sha256d(data)
        is_stored = key == OURS and self._is_stored(conflict.height, filter_hash)
        if filter_hash == key or is_stored:
            camp.filter_hash, camp.data = filter_hash, data
        else:
            self.note_contradiction(peer)

    # --- the block --------------------------------------------------------------------------------

    def _on_block(self, block: Block, _now: Instant) -> None:
        for conflict in self.open.values():
            if conflict.block_hash == block.header.hash:
                conflict.block = block

    def _judge(self, conflict: Conflict) -> None:
        block = conflict.block
        ready = [c for c in conflict.camps.values() if c.finding is None and c.data is not None]
        if block is None or not ready or conflict.is_judging:
            return
        conflict.is_judging = True
        scripts = conflict.scripts
        known = dict(self._state.own_coins) if scripts is None else {}
        filters = [camp.data or b"" for camp in ready]

        def run() -> tuple[BlockScripts, list[Finding]]:
            return judge_all(filters, block, scripts, known)

        def done(outcome: tuple[BlockScripts, list[Finding]], _now: Instant) -> None:
            conflict.is_judging = False
            conflict.scripts, findings = outcome
            while len(self._findings) >= MAX_REMEMBERED:
                del self._findings[next(iter(self._findings))]
            for camp, finding in zip(ready, findings, strict=True):
                camp.finding = finding
                camp.data = None
                if camp.filter_hash is not None:
                    found = self._findings.setdefault(conflict.block_hash, {})
                    found[camp.filter_hash] = finding

        self._state.work(Lane.ENGINE, run, done)

    # --- changes ----------------------------------------------------------------------------------

    def on_disconnected(self, peer: Peer) -> None:
        """Forget what a peer was asked and blamed for."""
        self._contradictions.pop(peer.number, None)
        for conflict in self.open.values():
            for camp in conflict.camps.values():
                if camp.asked == peer.number:
                    camp.asked = None

    def tick(self, now: Instant) -> None:
        """Repeat requests that met with silence, and give up in the end."""
        for conflict in self.open.values():
            for camp in conflict.camps.values():
                peer = None if camp.asked is None else self._state.peers.get(camp.asked)
                if peer is None or not self._state.retry_is_due(camp.sent, camp.tries, peer, now):
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
