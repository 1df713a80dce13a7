"""What Windows tells a window when its session is locked or the computer goes to sleep."""

import ctypes
from typing import Any, Final

from PySide6.QtCore import QAbstractNativeEventFilter, QByteArray, QObject, Signal

_WM_POWERBROADCAST: Final = 0x0218
_WM_WTSSESSION_CHANGE: Final = 0x02B1
_PBT_APMSUSPEND: Final = 4
_WTS_SESSION_LOCK: Final = 7
_THIS_SESSION: Final = 0


class _Message(ctypes.Structure):
    """The beginning of MSG (winuser.h)."""

    _fields_ = (
        ("window", ctypes.c_void_p),
        ("message", ctypes.c_uint),
        ("parameter", ctypes.c_size_t),
    )


class LockMessages(QObject):
    """Emits `locked` and `asleep` for the messages of the application's windows."""

    locked = Signal()
    asleep = Signal()

    def take(self, message: int, parameter: int) -> None:
        """Judge a window message (WM_...) by its number and wParam."""
        if (message, parameter) == (_WM_WTSSESSION_CHANGE, _WTS_SESSION_LOCK):
            self.locked.emit()
        elif (message, parameter) == (_WM_POWERBROADCAST, _PBT_APMSUSPEND):
            self.asleep.emit()


class NativeFilter(QAbstractNativeEventFilter):
    """Shows every message to LockMessages; all of them go on to Qt."""

    def __init__(self, messages: LockMessages) -> None:
        super().__init__()
        self._messages = messages

    def nativeEventFilter(
        self, _kind: QByteArray | bytes | bytearray | memoryview, message: int
    ) -> tuple[bool, int]:
        read = _Message.from_address(int(message))
        self._messages.take(read.message, read.parameter)
        return False, 0


def ask_for_lock_messages(window_id: int) -> bool:
    """Let Windows tell a window when the session is locked; sleep is told to all of them."""
    library: Any = ctypes.WinDLL("wtsapi32")  # type: ignore[attr-defined,unused-ignore]
    return bool(library.WTSRegisterSessionNotification(ctypes.c_void_p(window_id), _THIS_SESSION))
