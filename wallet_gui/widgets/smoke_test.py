"""Runs the checks of `--smoke-test` while a real window is on screen, and tells each in a line.

What the checks are, the two windows say: `gui.smoke_test`, `vault.offline.smoke_test`.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

from PySide6.QtCore import (
    QMessageLogContext,
    QObject,
    Qt,
    QTimer,
    QtMsgType,
    Signal,
    qInstallMessageHandler,
)
from PySide6.QtWidgets import QApplication

from wallet_gui.primitives.check_failed import CheckFailed
from wallet_gui.storage.throw_away import remove_folder, throw_away_folder

LIMIT_SECONDS: Final = 60
_LOOK_EVERY_MS: Final = 50
_KILL_SECONDS: Final = LIMIT_SECONDS + 5

# What Qt says about the desktop that it was started on, and not about this program.
_ABOUT_THE_DESKTOP: Final = (
    "This plugin does not support",  # offscreen: hints of sizes, raising windows
    "XDG_RUNTIME_DIR",  # not set, or not as it should be: no session manager
    "propagateSizeHints",
    "Detected locale",  # no UTF-8 locale is set: Qt takes C.UTF-8 by itself
    "Wayland does not support",
)


@dataclass(frozen=True, slots=True)
class Check:
    """One line. `run` returns what it found, in words, and raises for what is wrong.

    It runs in a thread, or with `on_screen` in Qt's own, where it may return None for "not yet"
    and is asked again.
    """

    name: str
    run: Callable[[], str | None]
    on_screen: bool = False


def say(line: str) -> None:
    """Write a line to standard output, which a program without a console may not have."""
    if sys.stdout is not None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


class SmokeTest(QObject):
    """Made before anything of Qt, so that nothing that Qt says is missed.

    `passed` tells in the end whether every check did. Whatever happens, the process ends a minute
    after it began.
    """

    _done = Signal(object)

    def __init__(self, folder: Path) -> None:
        """Begin the minute; `folder` is removed when the process has to be ended."""
        super().__init__()
        self.passed = False
        self.began = time.monotonic()
        self.qt_messages: list[str] = []
        self._checks: list[Check] = []
        self._current: Check | None = None
        self._is_looking = False
        self._since = self.began
        self._failures = 0
        self._has_ended = False
        self._qt: QApplication | None = None
        self._running: Future[str | None] | None = None
        self._worker = ThreadPoolExecutor(1, "smoke test")
        self._done.connect(self._finish, Qt.ConnectionType.QueuedConnection)
        self._watchdog = threading.Timer(_KILL_SECONDS, self._kill, (folder,))
        self._watchdog.daemon = True
        self._watchdog.start()
        self._hook = sys.excepthook
        sys.excepthook = self._unexpected
        qInstallMessageHandler(self._hear)

    def run(self, qt: QApplication, checks: Sequence[Check]) -> None:
        """Run the checks in their order; then the application ends."""
        self._qt = qt
        self._checks = list(checks)
        QTimer.singleShot(LIMIT_SECONDS * 1000, self, self._give_up)
        self._next()

    def fail(self, sentence: str, qt: QApplication | None = None) -> None:
        """End at once: the program could not be started."""
        self._qt = qt
        say(f"start: FAILED: {sentence}")
        self._failures += 1
        self._end()

    def close(self) -> None:
        """Give everything back that outlives the window."""
        self._worker.shutdown(wait=False, cancel_futures=True)
        # A check that never ends would keep the process: then the watchdog ends both.
        if self._running is None or self._running.done():
            self._watchdog.cancel()
        sys.excepthook = self._hook
        qInstallMessageHandler(None)

    # --- one check after the other

    def _next(self) -> None:
        if self._has_ended:
            return
        if not self._checks:
            self._end()
            return
        self._current = self._checks.pop(0)
        self._since = time.monotonic()
        if self._current.on_screen:
            QTimer.singleShot(0, self, self._look)
        else:
            self._running = self._worker.submit(self._current.run)
            self._running.add_done_callback(self._done.emit)

    def _look(self) -> None:
        """Run a check of Qt's own thread; what it raises comes to `_unexpected`."""
        check = self._current
        if self._has_ended or check is None or not check.on_screen:
            return
        self._is_looking = True
        found = check.run()
        self._is_looking = False
        if self._current is not check:
            return  # something that it drew has failed, and it was told with that
        if found is None:
            QTimer.singleShot(_LOOK_EVERY_MS, self, self._look)
        else:
            self._tell(found, None)

    def _finish(self, future: Future[str]) -> None:
        error = future.exception()
        self._tell("" if error else future.result(), error)

    def _unexpected(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        """Take what nobody caught in Qt's thread: of a check there, or of the window itself."""
        if self._is_looking:
            self._is_looking = False
            self._tell("", error)
            return
        self._hook(kind, error, trace)
        if not self._has_ended:
            self._failures += 1
            say(f"beside the checks: FAILED: {_words(error)}")

    def _tell(self, found: str, error: BaseException | None) -> None:
        if self._has_ended or self._current is None:
            return
        milliseconds = int((time.monotonic() - self._since) * 1000)
        if error is None:
            say(f"{self._current.name}: ok, {milliseconds} ms ({found})")
        else:
            self._failures += 1
            say(f"{self._current.name}: FAILED, {milliseconds} ms: {_words(error)}")
        self._current = None
        self._next()

    # --- the end

    def _give_up(self) -> None:
        if self._current is not None:
            self._checks = []
            self._tell("", CheckFailed(f"This was not done within {LIMIT_SECONDS} seconds."))

    def _end(self) -> None:
        self._has_ended = True
        self.passed = not self._failures
        seconds = time.monotonic() - self.began
        if self.passed:
            say(f"All checks passed in {seconds:.1f} s.")
        else:
            say(f"{self._failures} of the checks failed; this program must not be used as it is.")
        if self._qt is not None:
            self._qt.exit(0 if self.passed else 1)

    def _kill(self, folder: Path) -> None:
        say(f"The smoke test did not end within {LIMIT_SECONDS} seconds and was stopped.")
        remove_folder(folder)
        os._exit(1)

    def _hear(self, kind: QtMsgType, _context: QMessageLogContext, message: str) -> None:
        quiet = (QtMsgType.QtDebugMsg, QtMsgType.QtInfoMsg)
        if kind not in quiet and not any(words in message for words in _ABOUT_THE_DESKTOP):
            self.qt_messages.append(message)


def _words(error: BaseException) -> str:
    text = " ".join(str(error).split())
    # The errors of this program are sentences already.
    return text if text.endswith(".") else f"{type(error).__name__}: {text}"


def run_smoke_test(open_window: Callable[[Path, SmokeTest], int]) -> int:
    """Open a window in a folder that is gone afterwards, check it, and end; the exit status.

    `open_window` takes the folder and the test, and returns when the window is closed. Raises
    StorageError where no such folder can be made.
    """
    with throw_away_folder() as folder:
        test = SmokeTest(folder)
        try:
            status = open_window(folder, test)
        except OSError as error:
            # A file of the program is not there.
            test.fail(str(error))
            status = 1
        finally:
            test.close()
        return status or (0 if test.passed else 1)
