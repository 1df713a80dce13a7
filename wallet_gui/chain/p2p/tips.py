"""Whether the newest block we know is the newest there is: what the peers' tips say together.

Proof of work shows that a chain is expensive, not that it is complete: peers may keep new blocks
from us, be behind, or follow another branch. So the tip counts as agreed when three networks
show it, or all that answer; an old tip is called possibly stale; nothing new for half an hour
makes us ask again, and somebody else; a peer that stays behind makes room for another; and a
split of the chain that lasts is told. All of this looks at headers only, and bans nobody.

Sources: Core `net_processing.cpp` (`ConsiderEviction`, stale tips); design notes on headers.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from wallet_gui.chain.backend import BackendWarning
from wallet_gui.chain.p2p.sync_state import Instant, Peer, SyncState

NEEDED: Final = 3  # networks
CONFIRMING: Final = 2  # networks that make a silent third worth less of a wait
STALE_AGE: Final = 3 * 3600  # seconds by its own date; one block in 65 million takes so long
QUIET: Final = 30 * 60.0  # without a new header from anyone
ASK_AGAIN: Final = 10 * 60.0
BEHIND_LIMIT: Final = 20 * 60.0  # Core CHAIN_SYNC_TIMEOUT
ANSWER_WAIT: Final = 20.0  # before the tip counts as agreed without a peer that sends something
SILENT_WAIT: Final = 10.0  # without one that sends nothing at all
CONFIRMED_WAIT: Final = 5.0  # the same, where several networks agree already
ANSWER_LIMIT: Final = 2 * 60.0  # Core HEADERS_RESPONSE_TIME
PROTECTED: Final = 4  # Core MAX_OUTBOUND_PEERS_TO_PROTECT_FROM_DISCONNECT
SPLIT_DEPTH: Final = 2  # blocks on either side
SPLIT_AFTER: Final = 10 * 60.0

STALE: Final = (
    "The newest block that any peer shows is {hours} hours old. Newer ones may be kept from this "
    "program: check the internet connection, or add a peer that you trust."
)
SPLIT: Final = (
    "The network is split above block {fork}: {others} of {all} sources follow another chain with "
    "less work. Payments confirmed after that block may not stand on both sides; better wait."
)


@dataclass(frozen=True, slots=True)
class TipReport:
    """What is known of the tip.

    `agreeing` networks show it, or the block before it; `needed` is how many should. `age` is in
    seconds by the tip's own date, and `quiet` since a header was last new to us. `split` is a
    sentence while part of the network follows another chain.
    """

    agreeing: int
    needed: int
    is_stale: bool
    age: int
    quiet: float
    split: str | None

    @property
    def is_agreed(self) -> bool:
        """Whether enough networks show the tip."""
        return self.agreeing >= self.needed


@dataclass(slots=True)
class _Watched:
    """How long a peer has been here, and behind or on another branch."""

    since: float
    behind_since: float | None = None
    asked: float | None = None
    is_protected: bool = False


@dataclass(slots=True)
class _Split:
    fork: int
    since: float
    others: frozenset[int] = field(default_factory=frozenset)  # peers


class Tips:
    """Compares tips. To be told of every new tip, and of the time."""

    def __init__(self, state: SyncState, ask: Callable[[Peer, Instant], None]) -> None:
        """Have `ask(peer, now)` send `getheaders`."""
        self._state = state
        self._ask = ask
        self._watched: dict[int, _Watched] = {}
        self._last_new: float | None = None
        self._last_asked = float("-inf")
        self._split: _Split | None = None
        self._was_agreed = False
        self._told: set[str] = set()

    def on_new_tip(self, now: Instant) -> None:
        """Note that there is a header that was not known before."""
        self._last_new = now.monotonic
        self._state.wants_extra_peer = False

    def on_disconnected(self, peer: Peer) -> None:
        """Forget a peer."""
        self._watched.pop(peer.number, None)
        if not self._state.peers:
            self._was_agreed = False

    # --- what is known ----------------------------------------------------------------------------

    def report(self, now: Instant) -> TipReport:
        """Sum up."""
        state = self._state
        agreeing = {p.netgroup for p in state.peers.values() if self._has_tip(p)}
        able = agreeing
        if not self._was_agreed:
            # Whoever has just been asked is waited for; later arrivals take nothing back.
            patience = SILENT_WAIT if len(agreeing) < CONFIRMING else CONFIRMED_WAIT
            awaited = (p for p in state.peers.values() if self._is_awaited(p, patience, now))
            able = agreeing | {p.netgroup for p in awaited}
        age = max(0, now.unix - self._tip_time())
        return TipReport(
            agreeing=len(agreeing),
            needed=max(1, min(NEEDED, len(able))),
            is_stale=self._expects_blocks and age > STALE_AGE,
            age=age,
            quiet=0.0 if self._last_new is None else now.monotonic - self._last_new,
            split=self._split_sentence(now),
        )

    @property
    def _expects_blocks(self) -> bool:
        # On regtest a block comes when somebody wants one.
        return not self._state.params.no_retargeting

    def _tip_time(self) -> int:
        headers = self._state.headers
        if headers.height < headers.start_height:
            return 0  # an anchor has no date
        return headers.header_at(headers.height).time

    def _is_awaited(self, peer: Peer, patience: float, now: Instant) -> bool:
        """Whether a peer may still tell of another tip; by its answers if it gives any."""
        if peer.headers_done:
            return False
        watched = self._watched.get(peer.number)
        began = now.monotonic if watched is None else watched.since
        if peer.headers_asked is not None:
            began = max(began, peer.headers_asked)  # the others had to be through first
        silence = now.monotonic - max(began, peer.last_answer)
        return silence < patience and now.monotonic - began < ANSWER_WAIT

    def _has_tip(self, peer: Peer) -> bool:
        headers = self._state.headers
        if not peer.headers_done or peer.shown_height < headers.height - 1:
            return False
        # One that has left for another branch had the tip only once.
        return peer.shown is None or headers.height_of(peer.shown.hash) is not None

    # --- the time ---------------------------------------------------------------------------------

    def tick(self, now: Instant) -> None:
        """Look at the clock: ask again, part with who stays behind, tell what lasts."""
        if self._last_new is None:
            self._last_new = now.monotonic
        report = self.report(now)
        self._was_agreed = self._was_agreed or (report.agreeing > 0 and report.is_agreed)
        if self._expects_blocks:
            self._mind_silence(report, now)
        self._mind_split(now)
        for peer in list(self._state.peers.values()):
            self._mind_laggard(peer, now)
        is_stale = report.is_stale and report.agreeing > 0
        self._tell("stale", STALE.format(hours=report.age // 3600) if is_stale else None)
        self._tell("split", report.split)

    def _mind_silence(self, report: TipReport, now: Instant) -> None:
        """Ask everybody again, and for somebody new, when nothing was new for long."""
        if report.quiet < QUIET or not self._state.peers:
            return
        self._state.wants_extra_peer = True
        if now.monotonic - self._last_asked >= ASK_AGAIN:
            self._last_asked = now.monotonic
            for peer in self._state.peers.values():
                if peer.headers_asked is None:
                    self._ask(peer, now)

    def _mind_laggard(self, peer: Peer, now: Instant) -> None:
        """Make room for another where a peer stays behind, after it was asked once more."""
        watched = self._watched.setdefault(peer.number, _Watched(now.monotonic))
        if self._has_tip(peer) or not peer.headers_done:
            watched.behind_since = watched.asked = None
            protected = sum(w.is_protected for w in self._watched.values())
            if peer.headers_done and protected < PROTECTED:
                watched.is_protected = True
            return
        if watched.behind_since is None:
            watched.behind_since = now.monotonic
        if peer.is_own or watched.is_protected:
            return
        if watched.asked is None:
            if now.monotonic - watched.behind_since >= BEHIND_LIMIT:
                watched.asked = now.monotonic
                self._ask(peer, now)
        elif now.monotonic - watched.asked >= ANSWER_LIMIT and len(self._state.peers) > 1:
            self._state.dismiss(peer, "It does not follow the chain with the most work.")

    # --- splits -----------------------------------------------------------------------------------

    def _mind_split(self, now: Instant) -> None:
        headers = self._state.headers
        forks: dict[int, set[int]] = {}
        for peer in self._state.peers.values():
            shown = peer.shown
            if shown is None or headers.height_of(shown.hash) is not None:
                continue
            fork = headers.fork_height_of(shown.hash)
            if fork is None:
                continue
            if min(shown.height, headers.height) - fork >= SPLIT_DEPTH:
                forks.setdefault(fork, set()).add(peer.number)
        if not forks:
            self._split = None
            return
        fork = max(forks, key=lambda height: (len(forks[height]), -height))
        if self._split is None or self._split.fork != fork:
            self._split = _Split(fork, now.monotonic)
        self._split.others = frozenset(forks[fork])

    def _split_sentence(self, now: Instant) -> str | None:
        split = self._split
        if split is None or now.monotonic - split.since < SPLIT_AFTER:
            return None
        peers = self._state.peers
        others = {p.netgroup for number, p in peers.items() if number in split.others}
        everybody = {p.netgroup for p in peers.values()}
        return SPLIT.format(fork=split.fork, others=len(others), all=len(everybody))

    def _tell(self, what: str, sentence: str | None) -> None:
        """Warn once each time something becomes so."""
        if sentence is None:
            self._told.discard(what)
        elif what not in self._told:
            self._told.add(what)
            self._state.emit(BackendWarning(sentence))
