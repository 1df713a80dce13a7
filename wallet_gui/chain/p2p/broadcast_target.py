"""One peer that is told of a transaction of ours, and all of those of one broadcast."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

ANSWER_TIMEOUT: Final = 3.0
"""Seconds within which a node answers whether it has a transaction."""

PROBE_AFTER: Final = (0.5, 1.0, 2.0, 3.0, 5.0, 5.0)
"""Seconds between probes of a peer that took the transaction; the last repeats."""

VERDICT_AFTER: Final = 30.0
UNREQUESTED_AFTER: Final = 30.0
FAREWELL_AFTER: Final = 45.0
MAX_TIMES: Final = 5


class Step(Enum):
    """How far one peer is."""

    PROBED = "asked whether it has it"
    ANNOUNCED = "told of it"
    REQUESTED = "was given it"
    REFUSED = "was given it and has it not"
    KEPT = "was given it and has it"
    HAD = "has it from somebody else"


@dataclass(slots=True)
class Target:
    """A peer that was asked for the transaction or told of it; times on the monotonic clock."""

    since: float
    step: Step = Step.PROBED
    can_answer: bool = True  # it tells, when asked, what is in its memory pool
    was_given: bool = False
    given: float = 0.0
    _times: int = 0
    _probes: int = 0
    _next_probe: float = float("inf")

    def announce(self, now: float) -> None:
        """It was told of the transaction."""
        self.step, self.since = Step.ANNOUNCED, now
        self._next_probe = now + PROBE_AFTER[-1]

    def request(self, now: float) -> None:
        """It asked for the transaction and got it."""
        self.step, self.was_given, self.given = Step.REQUESTED, True, now
        self._times += 1
        self._probes = 0
        self._next_probe = now + PROBE_AFTER[0]

    @property
    def may_have_it(self) -> bool:
        """Whether it was told of it and has not had it too often already."""
        return self.step is not Step.PROBED and self._times < MAX_TIMES

    def miss(self, now: float) -> None:
        """It said that it has it not; early after it got it that means nothing."""
        if self.step is Step.REQUESTED and now - self.given >= VERDICT_AFTER:
            self.step = Step.REFUSED

    def is_silent(self, now: float) -> bool:
        """Whether it should have said by now if it has the transaction."""
        return self.step is Step.PROBED and now - self.since >= ANSWER_TIMEOUT

    def probe_is_due(self, now: float) -> bool:
        """Whether to ask now whether it has it; counts as asked then."""
        if self.step not in {Step.ANNOUNCED, Step.REQUESTED} or now < self._next_probe:
            return False
        self._probes += 1
        is_given = self.step is Step.REQUESTED
        pause = (
            PROBE_AFTER[min(self._probes, len(PROBE_AFTER) - 1)] if is_given else PROBE_AFTER[-1]
        )
        self._next_probe = now + pause
        return True

    def is_refused(self, now: float) -> bool:
        """Whether nothing good is to be expected from it any more."""
        return (
            self.step is Step.REFUSED
            or (self.step is Step.ANNOUNCED and now - self.since >= UNREQUESTED_AFTER)
            or (self.step is Step.REQUESTED and now - self.given >= FAREWELL_AFTER)
        )

    def is_done(self, now: float, *, is_over: bool) -> bool:
        """Whether a connection that is there for this alone may be closed."""
        if self.step in {Step.KEPT, Step.HAD} or self.is_refused(now):
            return True
        return is_over and (self.was_given or self.step is Step.PROBED)


@dataclass(slots=True)
class Told:
    """Everybody who was asked or told, in order, and the netgroups that were given it, ever."""

    targets: dict[int, Target] = field(default_factory=dict)
    given_groups: set[bytes] = field(default_factory=set)
    is_lacked: bool = False  # somebody had it not before being told

    def offered(self) -> list[Target]:
        """List those who were told that it exists."""
        return [t for t in self.targets.values() if t.step not in {Step.PROBED, Step.HAD}]

    def latest(self) -> Target | None:
        """Give the one who was turned to last."""
        return max(self.targets.values(), key=lambda target: target.since, default=None)

    @property
    def is_known(self) -> bool:
        """Whether somebody had it already."""
        return any(target.step is Step.HAD for target in self.targets.values())

    @property
    def was_missing(self) -> bool:
        """Whether nobody who was asked before being told had it."""
        return self.is_lacked and not self.is_known

    def count_given(self) -> int:
        return sum(target.was_given for target in self.targets.values())

    def first_given(self) -> float | None:
        """Tell when somebody got it for the first time."""
        return min((t.given for t in self.targets.values() if t.was_given), default=None)
