"""Ctrl-C, `kill` and the end of a session close the window as its own button does."""

import os
import signal
import sys
from types import FrameType

from PySide6.QtCore import QObject, QSocketNotifier
from PySide6.QtWidgets import QApplication


class ShutdownSignals(QObject):
    """Ends the event loop on SIGINT, SIGTERM and SIGHUP.

    Python runs its handlers only between two of its own instructions, and an idle Qt loop has
    none: the byte that the interpreter writes to the wake-up pipe makes Qt run some.
    """

    def __init__(self, qt: QApplication) -> None:
        super().__init__(qt)
        self._qt = qt
        if sys.platform == "win32":
            signal.signal(signal.SIGINT, self._quit)
            return
        read_end, write_end = os.pipe()
        for descriptor in (read_end, write_end):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        self._notifier = QSocketNotifier(read_end, QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(lambda _: os.read(read_end, 64))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._quit)

    def _quit(self, _number: int, _frame: FrameType | None) -> None:
        self._qt.quit()
