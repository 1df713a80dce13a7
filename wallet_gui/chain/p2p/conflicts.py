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
from typing import Final

from wallet_gui.chain.backend import BackendWarning
from wallet_gui.chain.p2p.evidence import OURS, Conflict, Evidence
from wallet_gui.chain.p2p.filter_evidence import PROOFS, Finding
from wallet_gui.chain.p2p.filter_messages import FilterRun
from wallet_gui.chain.p2p.sync_state import Instant, Peer, SyncState
from wallet_gui.primitives.block import Block

MAX_BLOCKS: Final = 50  # that one network can make us read per session without being right
MAX_ACCOUNTS: Final = 1000  # networks that are remembered for it
MAX_REFUTED: Final = 16  # filters of one block that are remembered as false
MAX_OPEN: Final = 4  # looked into at a time
PATIENCE: Final = 60.0  # seconds for evidence; then the networks are counted without it

DISAGREEMENT: Final = (
    "Two sources disagree about a block filter; the blocks in question are read "
    "in full, so your balance is right either way."
)
UNRESOLVED: Final = (
    "Two sources disagree about the filter of block {height} and the block cannot tell who is "
    "right. It was read in full, so your balance is right either way; what most networks say is "
    "believed."
)
ALL_LIED: Final = (
    "The filter of block {height} that every source agreed on hides something that the block "
    "holds. Those sources are parted with, and what they told is checked again with others."
)
OWN_PEER_IS_WRONG: Final = (
    "Your node {address} serves a wrong filter for block {height}. Its filter index may be "
    "damaged: stop it, delete its folder indexes/blockfilter, and start it again."
)


class Conflicts:
    """All disputes about filters. Peers' claims are in `Peer.disputes`."""

    def __init__(
        self,
        state: SyncState,
        *,
        request_block: Callable[[int, Callable[[Block, Instant], None]], None],
        is_deliverable: Callable[[int], bool],
        on_opened: Callable[[int], None],
        on_overturned: Callable[[int], None],
    ) -> None:
        """Set what is called.

        `on_opened(height)` is to have the block delivered to the wallets, and
        `is_deliverable(height)` tells whether that will be so at once; `on_overturned(height)` is
        called when the stored filter header at `height` turned out to be wrong.
        """
        self._state = state
        self._evidence = Evidence(state, request_block, self._on_contradiction)
        self._conflicts = self._evidence.open
        self._on_opened = on_opened
        self._is_deliverable = is_deliverable
        self._on_overturned = on_overturned
        self._spent: Counter[bytes] = Counter()  # netgroup -> blocks read because of it
        self._included: set[int] = set()
        self._audits: set[int] = set()
        self.unresolved: set[int] = set()
        self._warned: set[str] = set()

    @property
    def is_pending(self) -> bool:
        """Whether a dispute is being looked into."""
        return any(conflict.is_pending for conflict in self._conflicts.values())

    def is_judged(self, height: int) -> bool:
        """Whether the evidence about a height was weighed, as far as there is any."""
        conflict = self._conflicts.get(height)
        return conflict is not None and not conflict.is_pending

    # --- what peers claim -------------------------------------------------------------------------

    def contest(self, peer: Peer, height: int, filter_hash: bytes) -> None:
        """Take notice of a filter, sent by a peer, that is not the agreed one at `height`."""
        if peer.vouches_for(height):
            self._evidence.note_contradiction(peer)
            return
        peer.disputes[height] = filter_hash
        self._include(height, [peer])

    def audit(self, height: int) -> None:
        """Hold the stored claim at `height` against the block, though nobody disputes it."""
        self._audits.add(height)

    def on_filters(self, peer: Peer, run: FilterRun) -> None:
        """Look at filters that came, before others consume them."""
        if self._conflicts:
            self._evidence.on_filters(peer, run)

    def plan(self, now: Instant) -> None:
        """Open what is disputed, ask for evidence and decide what can be decided."""
        claims: dict[int, list[Peer]] = {}
        for peer in self._state.peers.values():
            for height in peer.disputes:
                claims.setdefault(height, []).append(peer)
        if not claims and not self._conflicts and not self._audits:
            return
        for height in [h for h in self._conflicts if h not in claims and h not in self._audits]:
            del self._conflicts[height]  # whoever claimed otherwise is gone
        top = min(self._state.filter_headers.height, self._state.headers.height)
        packaged = self._state.packaged_through()
        for height in sorted(h for h in claims.keys() | self._audits if h <= top):
            claimants = claims.get(height, [])
            if height <= packaged:
                self._audits.discard(height)
                for peer in claimants:
                    self._convict(peer, "It contradicts a known filter header.", height)
                continue
            self._include(height, claimants)
            conflict = self._conflicts.get(height) or self._open(height, now)
            if conflict is not None and not self._pursue(conflict, now):
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
        if len(self._spent) > MAX_ACCOUNTS:
            self._spent = Counter(dict(self._spent.most_common(MAX_ACCOUNTS // 2)))
        self._warn(DISAGREEMENT, DISAGREEMENT)
        self._on_opened(height)

    def _open(self, height: int, now: Instant) -> Conflict | None:
        """Begin to look into a dispute, if it is its turn."""
        pending = sum(conflict.is_pending for conflict in self._conflicts.values())
        is_due = height in self._included or height in self._audits
        if not is_due or pending >= MAX_OPEN:
            return None
        conflict = Conflict(height, self._state.headers.hash_at(height), now.monotonic)
        self._conflicts[height] = conflict
        return conflict

    def _pursue(self, conflict: Conflict, now: Instant) -> bool:
        """Go on with one dispute; False when our own chain lost it."""
        members = self._members(conflict.height)
        camps = frozenset(
            (key, frozenset(p.netgroup for p in peers)) for key, peers in members.items()
        )
        if conflict.decided == camps:
            return True
        conflict.decided = None
        conflict.is_audit = members.keys() <= {OURS}
        self._evidence.pursue(conflict, members, now)
        if now.monotonic - conflict.opened < PATIENCE:
            is_complete = self._evidence.is_complete(conflict, members)
            if not is_complete or self._waits_for_delivery(conflict):
                return True
        conflict.decided = camps
        conflict.block = conflict.scripts = None
        return self._decide(conflict, members)

    def _waits_for_delivery(self, conflict: Conflict) -> bool:
        """Let the wallets have a block before the chain is rewound below it.

        Where all have lied nobody may be left to scan it with for a while.
        """
        if conflict.camps[OURS].finding not in PROOFS:
            return False
        if not conflict.was_included:
            conflict.was_included = True
            self._on_opened(conflict.height)
        return self._is_deliverable(conflict.height)

    def _members(self, height: int) -> dict[bytes, list[Peer]]:
        """List who claims what."""
        members: dict[bytes, list[Peer]] = {}
        for peer in self._state.peers.values():
            if height in peer.disputes:
                members.setdefault(peer.disputes[height], []).append(peer)
            elif peer.vouches_for(height):
                members.setdefault(OURS, []).append(peer)
        return members

    # --- verdicts ---------------------------------------------------------------------------------

    def _decide(self, conflict: Conflict, members: dict[bytes, list[Peer]]) -> bool:
        """Give the verdict; False when our own chain lost."""
        height = conflict.height
        self._audits.discard(height)
        standing = self._part_with_liars(conflict, members)
        winner = self._strongest(conflict, standing)
        if sum(bool(peers) or key == OURS for key, peers in standing.items()) > 1:
            self.unresolved.add(height)
            self._warn(UNRESOLVED, UNRESOLVED.format(height=height))
        else:
            self.unresolved.discard(height)
        if winner == OURS:
            return True
        for key, peers in standing.items():
            for peer in peers:
                peer.has_lost = key != winner
        for later in [h for h in self._conflicts if h >= height]:
            del self._conflicts[later]
        self._on_overturned(height)
        return False

    def _part_with_liars(
        self, conflict: Conflict, members: Mapping[bytes, list[Peer]]
    ) -> dict[bytes, list[Peer]]:
        """Hang up on those whose claim is refuted, or who do not show it; give the others."""
        refuted = {key: camp for key, camp in conflict.camps.items() if camp.finding in PROOFS}
        for key, camp in refuted.items():
            if camp.filter_hash is not None:
                known = self._state.refuted.setdefault(conflict.height, set())
                if len(known) < MAX_REFUTED:
                    known.add(camp.filter_hash)  # any other is judged again
            for peer in members.get(key, []):
                self.convict(peer, conflict.height)
        if refuted and conflict.is_audit:
            self._warn(ALL_LIED, ALL_LIED.format(height=conflict.height))
        standing: dict[bytes, list[Peer]] = {}
        for key in (members.keys() | {OURS}) - refuted.keys():
            camp = conflict.camps[key]
            peers = members.get(key, [])
            # Without its filter a claim is of no use, but nothing is proven against it.
            mute = [p for p in peers if camp.finding is None and p.number in camp.refused]
            for peer in mute:
                if not peer.is_own:
                    self._state.dismiss(peer, "It does not send a filter that it told of.")
            standing[key] = [p for p in peers if p not in mute]
            for peer in standing[key] if refuted else []:
                self._spent[peer.netgroup] = 0  # it was right to object
        return standing

    def _strongest(self, conflict: Conflict, standing: Mapping[bytes, list[Peer]]) -> bytes | None:
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

    def _on_contradiction(self, peer: Peer) -> None:
        self._convict(peer, "It sent filters that differ from its own filter headers.")

    def convict(self, peer: Peer, height: int) -> None:
        """Part with a peer that tells, or told, a refuted filter for the block at `height`."""
        self._convict(peer, f"It told a false filter for block {height}.", height)

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
        for later in [h for h in self._conflicts if h > height]:
            del self._conflicts[later]
        self._included = {h for h in self._included if h <= height}
        self._audits = {h for h in self._audits if h <= height}
        refuted = self._state.refuted
        self._state.refuted = {h: hashes for h, hashes in refuted.items() if h <= height}
        self.unresolved = {h for h in self.unresolved if h <= height}

    def on_disconnected(self, peer: Peer) -> None:
        """Forget what a peer was asked and blamed for."""
        self._evidence.on_disconnected(peer)

    def tick(self, now: Instant) -> None:
        """Repeat requests for evidence that met with silence."""
        self._evidence.tick(now)
