"""Keeps the vault's window out of screenshots and shared screens, where a system can do that.

Windows: SetWindowDisplayAffinity, since Windows 10 2004 with an image that leaves the window out,
before with a black one. macOS: NSWindow.sharingType. X11 lets every program read the screen, and
under Wayland the compositor asks the person; neither has a way to exclude one window.
"""

import ctypes
import sys
from typing import Any, Final

from PySide6.QtWidgets import QWidget

from wallet_gui.widgets import mac

_LEAVE_OUT: Final = 0x11  # WDA_EXCLUDEFROMCAPTURE
_BLACK: Final = 0x01  # WDA_MONITOR

EXCLUDED: Final = "Screenshots and shared screens do not show this window."
NOT_EXCLUDED: Final = (
    "This system cannot keep a window out of screenshots: close programs that share or record the "
    "screen while secrets are on it."
)


def exclude_from_capture(window: QWidget) -> bool:
    """Ask the system to leave a top-level window out of every capture; tells whether it will."""
    match sys.platform:  # platform.system() would import socket on Windows
        case "win32":
            return exclude_on_windows(int(window.winId()), _user32())
        case "darwin":
            return mac.exclude_from_capture(int(window.winId()))
        case _:
            return False


def exclude_on_windows(handle: int, user32: Any) -> bool:
    """Try the better way, then the older one, on a window's handle."""
    window = ctypes.c_void_p(handle)
    return any(
        bool(user32.SetWindowDisplayAffinity(window, ctypes.c_uint32(how)))
        for how in (_LEAVE_OUT, _BLACK)
    )


def _user32() -> Any:
    return ctypes.WinDLL("user32")  # type: ignore[attr-defined,unused-ignore]
