"""How long an address rests after an attempt. No socket, no clock."""

import random
from dataclasses import dataclass
from typing import Final

from wallet_gui.chain.p2p.addresses import PeerAddress

FIRST_DELAY: Final = 1.0
LAST_DELAY: Final = 60.0
LAST_PUBLIC_DELAY: Final = 600.0  # of an address that nobody named: there are many of them
MAX_REMEMBERED: Final = 2000
FORGET_AFTER: Final = 3600.0  # seconds since an address might be dialled again
FAULT_DELAY: Final = 20.0  # it broke a rule: a user's own node may be mended meanwhile


@dataclass(slots=True)
class _Pause:
    delay: float = FIRST_DELAY
    due: float = float("-inf")


class BackOff:
    """Doubling pauses, in seconds of the monotonic clock."""

    def __init__(self, rng: random.Random) -> None:
        self._random = rng
        self._pauses: dict[PeerAddress, _Pause] = {}

    def is_due(self, address: PeerAddress, now: float) -> bool:
        """Whether an address may be dialled again."""
        pause = self._pauses.get(address)
        return pause is None or now >= pause.due

    def delay(
        self,
        address: PeerAddress,
        now: float,
        *,
        is_own: bool,
        is_fault: bool = False,
        was_good: bool = False,
    ) -> None:
        """Let an address rest: longer each time, until a connection to it `was_good`."""
        pause = self._pauses.setdefault(address, _Pause())
        if is_fault:
            pause.delay = max(pause.delay, FAULT_DELAY)
        elif was_good:
            pause.delay = FIRST_DELAY
        pause.due = now + pause.delay * (0.75 + 0.5 * self._random.random())
        pause.delay = min(2 * pause.delay, LAST_DELAY if is_own else LAST_PUBLIC_DELAY)
        if len(self._pauses) > MAX_REMEMBERED:
            self._prune(now)

    def _prune(self, now: float) -> None:
        """Forget what is over for long; where that is not enough, those that are due first."""
        latest = sorted(self._pauses.items(), key=lambda item: -item[1].due)
        recent = [(a, p) for a, p in latest if now - p.due < FORGET_AFTER]
        self._pauses = dict(recent[: MAX_REMEMBERED // 2])

    def clear(self) -> None:
        """Let every address be dialled at once."""
        self._pauses.clear()
