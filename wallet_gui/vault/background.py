"""Runs the slow parts (Argon2id, writing the file) in a thread, so that the window stays alive."""

import sys
import threading
from collections.abc import Callable
from typing import Any, Final

import shiboken6
from PySide6.QtCore import QObject, Qt, Signal

from wallet_gui.vault.errors import EXPECTED, PersonCancelled

_TOLD: Final[tuple[type[Exception], ...]] = (PersonCancelled, *EXPECTED)
Work = Callable[[Callable[[str, float | None], None]], Any]


class BackgroundTask(QObject):
    """One piece of work in a thread of its own; all signals arrive in the window's thread.

    `cancel` makes the work raise PersonCancelled at its next step; what has begun to be written is
    finished. The thread is a daemon: ending the process does not wait for Argon2id.
    """

    progressed = Signal(str, object)
    succeeded = Signal(object)
    failed = Signal(object)
    _ended = Signal(object, object)

    def __init__(self, parent: QObject, work: Work) -> None:
        super().__init__(parent)
        self._work = work
        self._cancelled = threading.Event()
        self._ended.connect(self._deliver, Qt.ConnectionType.QueuedConnection)
        self._thread = threading.Thread(target=self._run, name="vault", daemon=True)

    @property
    def is_cancelled(self) -> bool:
        return self._cancelled.is_set()

    def start(self) -> None:
        self._thread.start()

    def cancel(self) -> None:
        """Ask the work to stop; its end is still reported."""
        self._cancelled.set()

    def _step(self, step: str, fraction: float | None) -> None:
        if self._cancelled.is_set():
            raise PersonCancelled
        if shiboken6.isValid(self):
            self.progressed.emit(step, fraction)

    def _run(self) -> None:
        result: object = None
        error: BaseException | None = None
        is_finished = False
        try:
            result = self._work(self._step)
            is_finished = True
        except _TOLD as raised:
            error = raised
        finally:
            # A bug is told like a refusal, and goes on to threading.excepthook.
            if not is_finished and error is None:
                error = sys.exc_info()[1]
            if shiboken6.isValid(self):
                self._ended.emit(result, error)

    def _deliver(self, result: object, error: BaseException | None) -> None:
        if error is None:
            self.succeeded.emit(result)
        else:
            self.failed.emit(error)
