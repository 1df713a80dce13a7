"""IdleLock: notices that nobody has used the window for a while."""

import time
from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QTimer, Signal
from PySide6.QtWidgets import QApplication

_CHECK_MS = 1_000
_INPUT = frozenset(
    {
        QEvent.Type.KeyPress,
        QEvent.Type.MouseButtonPress,
        QEvent.Type.MouseMove,
        QEvent.Type.Wheel,
        QEvent.Type.TouchBegin,
        QEvent.Type.TabletPress,
    }
)


class IdleLock(QObject):
    """Emits `idle` once after so many minutes without input; 0 minutes never."""

    idle = Signal(int)

    def __init__(self, parent: QObject, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(parent)
        self._clock = clock
        self._minutes = 0
        self._is_watching = False
        self._last_input = clock()
        self._timer = QTimer(self)
        self._timer.setInterval(_CHECK_MS)
        self._timer.timeout.connect(self.check)

    def set_minutes(self, minutes: int) -> None:
        """Lock after this many minutes; 0 switches it off."""
        self._minutes = minutes
        self._update()

    def watch(self, *, is_open: bool) -> None:
        """Watch while a wallet is open, and only then."""
        self._is_watching = is_open
        self._update()

    @property
    def last_input(self) -> float:
        """When the window was used last, by the clock."""
        return self._last_input

    def touch(self) -> None:
        """Count now as used: the person is busy in the vault's window, say."""
        self._last_input = self._clock()

    def check(self) -> None:
        """Compare with the clock, which goes on while the computer sleeps or the timer waits."""
        if self._clock() - self._last_input >= self._minutes * 60:
            minutes = self._minutes
            self.watch(is_open=False)
            self.idle.emit(minutes)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if event.type() in _INPUT:
            self._last_input = self._clock()
        return False

    def _update(self) -> None:
        application = QApplication.instance()
        wanted = self._is_watching and self._minutes > 0
        if application is None or wanted == self._timer.isActive():
            return
        if wanted:
            self.touch()
            application.installEventFilter(self)
            self._timer.start()
        else:
            application.removeEventFilter(self)
            self._timer.stop()
