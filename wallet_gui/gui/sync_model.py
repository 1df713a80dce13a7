"""SyncModel: the last SyncSnapshot, and the words for it."""

from PySide6.QtCore import QObject, Signal

from wallet_gui.app.node_words import MY_NODE
from wallet_gui.app.published import PhaseProgress, SyncSnapshot
from wallet_gui.chain.backend import ConnectionState, Phase

PHASE_NAMES = {
    Phase.PEERS: "Finding peers",
    Phase.HEADERS: "Block headers",
    Phase.FILTER_HEADERS: "Filter headers",
    Phase.FILTERS: "Filters",
    Phase.BLOCKS: "Blocks",
    Phase.SYNCED: "In sync",
}


def phase_name(snapshot: SyncSnapshot, phase: Phase) -> str:
    """What the source is busy with; a node of one's own is no peer that has to be found."""
    if phase is Phase.PEERS and snapshot.node is not None and snapshot.backend == MY_NODE:
        return MY_NODE
    return PHASE_NAMES[phase]


class SyncModel(QObject):
    """Keeps the last snapshot and emits only what changed."""

    changed = Signal(object)
    synced_changed = Signal(bool)
    warned = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.snapshot: SyncSnapshot | None = None

    @property
    def is_synced(self) -> bool:
        return self.snapshot is not None and self.snapshot.is_synced

    @property
    def tip_height(self) -> int | None:
        return None if self.snapshot is None else self.snapshot.tip_height

    def update(self, snapshot: SyncSnapshot) -> None:
        """Take a new snapshot."""
        before, self.snapshot = self.snapshot, snapshot
        if before == snapshot:
            return
        self.changed.emit(snapshot)
        if (before is not None and before.is_synced) != snapshot.is_synced:
            self.synced_changed.emit(snapshot.is_synced)
        if snapshot.warning and (before is None or before.warning != snapshot.warning):
            self.warned.emit(snapshot.warning)


def summary(snapshot: SyncSnapshot) -> str:
    """One short line for the status bar."""
    match snapshot.state:
        case ConnectionState.STOPPED:
            return "Not connected"
        case ConnectionState.OFFLINE:
            return "Offline"
        case ConnectionState.CONNECTING:
            return "Connecting"
    if snapshot.phase is Phase.SYNCED:
        return "In sync"
    progress = current(snapshot)
    percent = f" {percent_of(progress)} %" if progress is not None and progress.total else ""
    return f"{phase_name(snapshot, snapshot.phase)}{percent}"


def current(snapshot: SyncSnapshot) -> PhaseProgress | None:
    """The progress of the phase under way."""
    for item in snapshot.phases:
        if item.phase is snapshot.phase:
            return item
    return None


def percent_of(progress: PhaseProgress) -> int:
    """Whole percent, never 100 before it is all there."""
    if progress.total <= 0:
        return 0
    if progress.done >= progress.total:
        return 100
    return min(99, progress.done * 100 // progress.total)
