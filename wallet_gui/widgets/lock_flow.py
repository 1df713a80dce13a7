"""LockFlow: when the open wallet is locked, apart from the button that says so."""

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from wallet_gui.widgets.idle_lock import IdleLock
from wallet_gui.widgets.screen_watch import ScreenWatch

_MOST_WAITS: Final = 2


class LockFlow(QObject):
    """Emits `wanted` with the reason: nobody used it, the screen was locked, the computer sleeps.

    `is_in_vault` tells whether a vault window is open: what the person does there is not seen
    here, so that the clock waits for it, but not for ever.
    """

    wanted = Signal(str)

    def __init__(self, window: QWidget, is_in_vault: Callable[[], bool]) -> None:
        super().__init__(window)
        self._window = window
        self._is_in_vault = is_in_vault
        self._waits = 0
        self._waited_at = 0.0
        self.idle = IdleLock(self)
        self.idle.idle.connect(self._unused)
        self.screen = ScreenWatch(self)
        self.screen.left.connect(self.wanted)

    def start(self) -> None:
        """Begin to listen to the system; the window is on screen by now."""
        self.screen.start(int(self._window.winId()))

    def _unused(self, minutes: int) -> None:
        if self.idle.last_input != self._waited_at:
            self._waits = 0
        if self._is_in_vault() and self._waits < _MOST_WAITS:
            self._waits += 1
            self.idle.watch(is_open=True)
            self._waited_at = self.idle.last_input
            return
        self._waits = 0
        span = "a minute" if minutes == 1 else f"{minutes} minutes"
        self.wanted.emit(f"The wallet was locked after {span} without use.")
