"""SyncPicture: what a source tells, condensed into one frozen value, shown ten times a second."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from wallet_gui.app.published import PHASES, PhaseProgress, SyncSnapshot
from wallet_gui.chain.backend import ConnectionState, Phase, SyncProgress

_PUBLISH_INTERVAL = 0.1


class SyncPicture:
    """Holds the present `SyncSnapshot`; lives on the engine's loop."""

    def __init__(
        self,
        snapshot: SyncSnapshot,
        publish: Callable[[SyncSnapshot], None],
        complete: Callable[[SyncSnapshot], SyncSnapshot],
    ) -> None:
        """Prepare; `complete` adds what is only asked for when it is shown."""
        self.snapshot = snapshot
        self._publish = publish
        self._complete = complete
        self._publishing: asyncio.TimerHandle | None = None

    def update(self, **changes: object) -> None:
        """Change some fields; it is shown soon."""
        self.snapshot = replace(self.snapshot, **changes)  # type: ignore[arg-type]
        if self._publishing is None:
            loop = asyncio.get_running_loop()
            self._publishing = loop.call_later(_PUBLISH_INTERVAL, self._publish_now)

    def progress(self, event: SyncProgress) -> None:
        """Take how far a phase is."""
        if event.phase is Phase.SYNCED:
            phases = tuple(replace(item, done=item.total) for item in self.snapshot.phases)
        else:
            phases = tuple(
                PhaseProgress(
                    event.phase, event.done, event.total, event.speed, event.bytes_per_second
                )
                if item.phase is event.phase
                else item
                for item in self.snapshot.phases
            )
        self.update(phase=event.phase, phases=phases)

    def begin_anew(self, **changes: object) -> None:
        """Forget what the source told that has ended; what was read of the chain stays."""
        self.update(
            state=ConnectionState.STOPPED,
            phase=Phase.PEERS,
            phases=tuple(PhaseProgress(phase) for phase in PHASES),
            peers=(),
            plans=(),
            detail="",
            warning="",
            doubt="",
            node=None,
            **changes,
        )

    def close(self) -> None:
        """Show nothing any more."""
        if self._publishing is not None:
            self._publishing.cancel()
            self._publishing = None

    def _publish_now(self) -> None:
        self._publishing = None
        self.snapshot = self._complete(self.snapshot)
        self._publish(self.snapshot)
