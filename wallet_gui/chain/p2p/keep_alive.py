"""Pings: who is gone, how far away the others are, and whether it is our own line that is dead.

A peer is dropped after twenty minutes of silence, as Core does; requests have shorter time-outs of
their own. But when nobody at all answers, or the computer was asleep, the fault is ours: then all
connections are made anew, and nobody is blamed.
"""

from dataclasses import dataclass, field
from typing import Final

from wallet_gui.chain.p2p.sync_state import Instant

PING_INTERVAL: Final = 120.0
SILENCE: Final = 20 * 60.0
LINE_DEAD_AFTER: Final = 40.0  # nobody answers
AWAKE_AFTER: Final = 15.0  # the same, after the computer was asleep
ASLEEP: Final = 30.0  # between two looks at the clock


@dataclass(slots=True)
class _Pulse:
    heard: float
    pinged: float = float("-inf")
    nonce: int | None = None  # of a ping that was not answered
    milliseconds: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done: pings to send as `(peer, nonce)`, peers to drop, the line is dead."""

    pings: list[tuple[int, int]] = field(default_factory=list)
    silent: list[int] = field(default_factory=list)
    is_line_dead: bool = False


class KeepAlive:
    """The pulse of every connection."""

    def __init__(self) -> None:
        self._pulses: dict[int, _Pulse] = {}
        self._looked: Instant | None = None
        self._awake_since: float | None = None

    def on_ready(self, peer: int, now: Instant) -> None:
        """Look after a peer more."""
        self._pulses[peer] = _Pulse(now.monotonic)

    def on_disconnected(self, peer: int) -> None:
        """Look after a peer less."""
        self._pulses.pop(peer, None)

    def heard(self, peer: int, now: Instant) -> None:
        """Note that something came."""
        pulse = self._pulses.get(peer)
        if pulse is not None:
            pulse.heard = now.monotonic

    def on_pong(self, peer: int, nonce: int, now: Instant) -> None:
        """Take the answer to a ping; any other is nothing to us."""
        pulse = self._pulses.get(peer)
        if pulse is not None and pulse.nonce == nonce:
            pulse.nonce = None
            pulse.milliseconds = round((now.monotonic - pulse.pinged) * 1000)

    def milliseconds(self, peer: int) -> int | None:
        """Tell how long the last answer took."""
        pulse = self._pulses.get(peer)
        return None if pulse is None else pulse.milliseconds

    def tick(self, now: Instant) -> Verdict:
        """Look at the clock."""
        verdict = Verdict()
        if self._has_slept(now):
            self._awake_since = now.monotonic
        for peer, pulse in self._pulses.items():
            if now.monotonic - max(pulse.heard, 0.0) >= SILENCE and pulse.nonce is not None:
                verdict.silent.append(peer)
            elif self._is_due(pulse, now):
                pulse.nonce = (peer << 32) | (int(now.monotonic * 1000) & 0xFFFFFFFF)
                pulse.pinged = now.monotonic
                verdict.pings.append((peer, pulse.nonce))
        if self._awake_since is not None and now.monotonic - self._awake_since > SILENCE:
            self._awake_since = None
        patience = LINE_DEAD_AFTER if self._awake_since is None else AWAKE_AFTER
        waiting = [self._waits_since(pulse) for pulse in self._pulses.values()]
        if waiting and all(s is not None and now.monotonic - s >= patience for s in waiting):
            return Verdict(verdict.pings, verdict.silent, is_line_dead=True)
        return verdict

    def _is_due(self, pulse: _Pulse, now: Instant) -> bool:
        since = now.monotonic - pulse.pinged
        if self._awake_since is not None and pulse.pinged < self._awake_since:
            return True
        return pulse.nonce is None and since >= PING_INTERVAL

    @staticmethod
    def _waits_since(pulse: _Pulse) -> float | None:
        """Tell since when nothing has come though a ping is out; None when that is not so."""
        return pulse.pinged if pulse.nonce is not None and pulse.heard <= pulse.pinged else None

    def _has_slept(self, now: Instant) -> bool:
        """Whether the computer was asleep; some clocks stand still then and others do not."""
        before, self._looked = self._looked, now
        if before is None:
            return False
        passed = now.monotonic - before.monotonic
        return passed >= ASLEEP or now.unix - before.unix - passed >= ASLEEP
