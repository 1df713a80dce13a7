"""One thing at a time in the background, with its end told in the window's thread."""

import sys
import threading
from collections.abc import Callable
from typing import Any, Final

import shiboken6
from PySide6.QtCore import QObject, Qt, Signal

from wallet_gui.curve import CurveError
from wallet_gui.custody.vault_errors import VaultError
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.storage.errors import StorageError
from wallet_gui.vault.offline.files import FileExists, TooLarge
from wallet_gui.wallet.errors import WalletError

TOLD: Final[tuple[type[Exception], ...]] = (
    CurveError,
    FileExists,
    OSError,
    ParseError,
    StorageError,
    TooLarge,
    VaultError,
    WalletError,
)
"""What is a sentence for the person; anything else is a bug, told and reported."""


class Task(QObject):
    """Runs `work` in a thread of its own; `ended` gives its result or its error, one of them None.

    The thread is a daemon: closing the window does not wait for a person in the vault's window.
    """

    ended = Signal(object, object)
    _finished = Signal(object, object)

    def __init__(self, parent: QObject, work: Callable[[], Any]) -> None:
        super().__init__(parent)
        self._work = work
        self._finished.connect(self._deliver, Qt.ConnectionType.QueuedConnection)
        self._thread = threading.Thread(target=self._run, name="offline", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait for the thread; whether it has ended."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        result: object = None
        error: BaseException | None = None
        is_finished = False
        try:
            result = self._work()
            is_finished = True
        except TOLD as raised:
            error = raised
        finally:
            # A bug is told like a refusal, and goes on to threading.excepthook.
            if not is_finished and error is None:
                error = sys.exc_info()[1]
            if shiboken6.isValid(self):
                self._finished.emit(result, error)

    def _deliver(self, result: object, error: BaseException | None) -> None:
        self.ended.emit(result, error)
