"""LockFlow: when the open wallet is locked, apart from the button that says so."""

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from wallet_gui.widgets.idle_lock import IdleLock
from wallet_gui.widgets.screen_watch import ScreenWatch


class LockFlow(QObject):
    """Emits `wanted` with the reason: nobody used it, the screen was locked, the computer sleeps.

    `is_in_vault` tells whether a vault window is open: what the person does there is not seen
    here, so that only the screen and sleep lock meanwhile, not the clock.
    """

    wanted = Signal(str)

    def __init__(self, window: QWidget, is_in_vault: Callable[[], bool]) -> None:
        super().__init__(window)
        self._window = window
        self._is_in_vault = is_in_vault
        self.idle = IdleLock(self)
        self.idle.idle.connect(self._unused)
        self.screen = ScreenWatch(self)
        self.screen.left.connect(self.wanted)

    def start(self) -> None:
        """Begin to listen to the system; the window is on screen by now."""
        self.screen.start(int(self._window.winId()))

    def _unused(self, minutes: int) -> None:
        if self._is_in_vault():
            self.idle.watch(is_open=True)
            return
        span = "a minute" if minutes == 1 else f"{minutes} minutes"
        self.wanted.emit(f"The wallet was locked after {span} without use.")
