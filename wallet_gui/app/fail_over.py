"""FailOver: which source is in use when a person said "my node, else directly", and why.

Values and times in, a decision out: no socket and no clock of its own. The node comes first. When
it has not been ready for a while, public peers take over; the node goes on being tried, and is
used again once it answers and the peers have served for some minutes, so that a bad line does not
make the two alternate.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

AT_START: Final = 20.0
LATER: Final = 60.0
"""Seconds without the node after which public peers take over."""

WHILE_ASKING: Final = 120.0
"""So long a question to the person (a passphrase, an unknown server) may stand unanswered."""

LEAST_STAY: Final = 300.0
"""Seconds for which public peers are used at least, once they serve."""


class InUse(Enum):
    """One of the two sources."""

    NODE = "node"
    DIRECT = "direct"


@dataclass(frozen=True, slots=True)
class NodeNews:
    """What is known of the node at one moment.

    `problem` is the sentence on what is wrong, `is_final`: it will not be tried again by itself.
    `is_asking`: a question to the person is open.
    """

    is_ready: bool = False
    problem: str = ""
    is_final: bool = False
    is_asking: bool = False


@dataclass(frozen=True, slots=True)
class FailOverTimes:
    """The spans above; tests give shorter ones."""

    at_start: float = AT_START
    later: float = LATER
    while_asking: float = WHILE_ASKING
    least_stay: float = LEAST_STAY


class FailOver:
    """Decides at each `look`; times are in seconds of one clock that does not jump."""

    def __init__(self, now: float, times: FailOverTimes | None = None) -> None:
        self._times = times or FailOverTimes()
        self.in_use = InUse.NODE
        self._since = now
        self._absent_since: float | None = now
        self._was_ready = False
        self._reason = ""
        self._ready_at: float | None = None

    def look(self, now: float, news: NodeNews, *, direct_serves: bool) -> InUse:
        """Take what is known now; `direct_serves`: public peers are connected and answer."""
        if self.in_use is InUse.NODE:
            self._look_at_node(now, news)
        else:
            self._look_back(now, news, direct_serves=direct_serves)
        return self.in_use

    def _look_at_node(self, now: float, news: NodeNews) -> None:
        if news.is_ready:
            self._was_ready = True
            self._absent_since = None
            self._reason = ""
            return
        if self._absent_since is None:
            self._absent_since = now
        self._reason = news.problem or self._reason
        patience = self._times.later if self._was_ready else self._times.at_start
        if news.is_asking:
            patience = max(patience, self._times.while_asking)
        if (news.is_final and not news.is_asking) or now - self._absent_since >= patience:
            if news.is_asking:
                self._reason = "It waits for an answer of yours."
            self._use(InUse.DIRECT, now)

    def _look_back(self, now: float, news: NodeNews, *, direct_serves: bool) -> None:
        if not news.is_ready:
            self._ready_at = None
            self._reason = news.problem or self._reason
            return
        if self._ready_at is None:
            self._ready_at = now
        # Peers that do not serve have nothing that a change would interrupt.
        if not direct_serves or now - self._since >= self._times.least_stay:
            self._use(InUse.NODE, now)

    def _use(self, source: InUse, now: float) -> None:
        self.in_use = source
        self._since = now
        self._ready_at = None
        if source is InUse.NODE:
            self._absent_since = now
            # It has just answered: it gets the patience of one that was there.
            self._was_ready = True
            self._reason = ""

    @property
    def reason(self) -> str:
        """The last thing known to be wrong with the node, as a sentence; "" without one."""
        return self._reason

    def seconds_until_back(self, now: float) -> float | None:
        """How long public peers are still used although the node answers; None otherwise."""
        if self.in_use is InUse.NODE or self._ready_at is None:
            return None
        return max(0.0, self._times.least_stay - (now - self._since))
