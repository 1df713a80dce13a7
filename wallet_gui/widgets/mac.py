"""The few calls of AppKit that Qt has no name for, through the Objective-C runtime.

Every function does nothing, and says so by False, on other systems and where AppKit is not what it
was: none of them is worth a window that does not open.
"""

import ctypes
import ctypes.util
import sys
from typing import Any, Final

_SHARING_NONE: Final = 0  # NSWindowSharingNone
_CONCEALED: Final = b"org.nspasteboard.ConcealedType"


def exclude_from_capture(view: int) -> bool:
    """Keep the window of an NSView (QWidget.winId) out of screenshots and shared screens."""
    runtime = _runtime()
    if runtime is None:
        return False
    window = _send(runtime, view, b"window")
    if not window:
        return False
    _send(runtime, window, b"setSharingType:", ctypes.c_ulong(_SHARING_NONE))
    return int(_send(runtime, window, b"sharingType") or 0) == _SHARING_NONE


def conceal_pasteboard() -> bool:
    """Mark what was copied last as concealed (nspasteboard.org), for clipboard managers."""
    runtime = _runtime()
    if runtime is None:
        return False
    board = _send(runtime, runtime.objc_getClass(b"NSPasteboard"), b"generalPasteboard")
    kind = _text(runtime, _CONCEALED)
    if not board or not kind:
        return False
    types = _send(
        runtime, runtime.objc_getClass(b"NSArray"), b"arrayWithObject:", ctypes.c_void_p(kind)
    )
    if not types:
        return False
    nobody = ctypes.c_void_p(None)
    _send(runtime, board, b"addTypes:owner:", ctypes.c_void_p(types), nobody)
    empty = ctypes.c_void_p(_text(runtime, b""))
    return bool(_send(runtime, board, b"setString:forType:", empty, ctypes.c_void_p(kind)))


def _runtime() -> Any:
    system: str = sys.platform
    if system != "darwin":
        return None
    name = ctypes.util.find_library("objc")
    if name is None:
        return None
    runtime = ctypes.CDLL(name)
    runtime.objc_getClass.restype = ctypes.c_void_p
    runtime.objc_getClass.argtypes = [ctypes.c_char_p]
    runtime.sel_registerName.restype = ctypes.c_void_p
    runtime.sel_registerName.argtypes = [ctypes.c_char_p]
    return runtime


def _send(runtime: Any, receiver: int | None, selector: bytes, *arguments: Any) -> int | None:
    """Send a message to an object; a null receiver answers null, as in Objective-C."""
    if not receiver:
        return None
    # Each call has its own signature: a shared one would be wrong for the next.
    kinds: list[Any] = [ctypes.c_void_p, ctypes.c_void_p, *map(type, arguments)]
    call = ctypes.CFUNCTYPE(ctypes.c_void_p, *kinds)(("objc_msgSend", runtime))
    result: int | None = call(receiver, runtime.sel_registerName(selector), *arguments)
    return result


def _text(runtime: Any, text: bytes) -> int | None:
    string = runtime.objc_getClass(b"NSString")
    return _send(runtime, string, b"stringWithUTF8String:", ctypes.c_char_p(text))
