"""ScreenWatch: learns from the system that the screen is locked or the computer goes to sleep.

On Linux from logind and the screen savers by D-Bus, on Windows from window messages. macOS tells
neither to programs without AppKit code of their own: there, and where no bus answers, the idle
lock is what remains, and `sources` is empty.
"""

import os
import sys
from pathlib import Path
from typing import Final

from PySide6.QtCore import QCoreApplication, QObject, Signal


class ScreenWatch(QObject):
    """Emits `left` with a sentence, each time somebody may have left the screen.

    One that was not started is the stand-in of tests: they emit what the system would say.
    """

    left = Signal(str)

    LOCKED: Final = "The screen was locked, and the wallet with it."
    ASLEEP: Final = "The computer went to sleep, and the wallet was locked."

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.sources: tuple[str, ...] = ()
        self._filter: object = None

    def start(self, window_id: int) -> None:
        """Listen to whatever this system has; `window_id` is the window that Windows tells."""
        match sys.platform:  # platform.system() would import socket on Windows
            case "win32":
                self._listen_to_messages(window_id)
            case "darwin":
                pass
            case _:
                self._listen_to_buses()

    def say_locked(self) -> None:
        self.left.emit(self.LOCKED)

    def say_asleep(self) -> None:
        self.left.emit(self.ASLEEP)

    def _listen_to_buses(self) -> None:
        # Loaded once the window is on screen.
        from PySide6.QtDBus import QDBusConnection  # noqa: PLC0415

        from wallet_gui.widgets.lock_bus import LockBus, session_path  # noqa: PLC0415

        bus = LockBus(self)
        bus.locked.connect(self.say_locked)
        bus.asleep.connect(self.say_asleep)
        session = session_path(os.environ.get("XDG_SESSION_ID", ""))
        found = []
        if bus.listen_to_logind(QDBusConnection.systemBus(), session):
            found.append("logind")
        # Without one the library would start a bus of its own.
        if _has_session_bus() and bus.listen_to_screen_savers(QDBusConnection.sessionBus()):
            found.append("screen saver")
        self.sources = tuple(found)

    def _listen_to_messages(self, window_id: int) -> None:
        from wallet_gui.widgets.lock_windows import (  # noqa: PLC0415 - exists on Windows only
            LockMessages,
            NativeFilter,
            ask_for_lock_messages,
        )

        application = QCoreApplication.instance()
        if application is None:
            return
        messages = LockMessages(self)
        messages.locked.connect(self.say_locked)
        messages.asleep.connect(self.say_asleep)
        self._filter = NativeFilter(messages)
        application.installNativeEventFilter(self._filter)
        heard = ("session",) if ask_for_lock_messages(window_id) else ()
        self.sources = (*heard, "power")


def _has_session_bus() -> bool:
    if os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return True
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return runtime is not None and (Path(runtime) / "bus").exists()
