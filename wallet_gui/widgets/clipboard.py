"""The clipboard, distrusted: what is copied is read back, what is private does not stay there.

Malware waits for an address on the clipboard and puts another one in its place; so every copy is
looked at again a moment later, and whatever is pasted can be compared with what was copied here
last. Words, passwords and private keys are never copyable, from no page.
"""

import sys
from collections.abc import Callable
from enum import Enum
from typing import Final

from PySide6.QtCore import QMimeData, QObject, Qt, QTimer
from PySide6.QtGui import QClipboard, QGuiApplication

from wallet_gui.widgets import mac

READ_BACK_MS: Final = 300
"""Malware replaces addresses within milliseconds; what watches more slowly is rare."""

CLEAR_AFTER_MS: Final = 10_000

_COMPARED_ENDS: Final = 4
_NAME: Final = "wallet_gui_clipboard"
# Clipboard managers that honour one of these neither keep nor show the text: KDE's Klipper,
# Windows' clipboard history and cloud, and what reads nspasteboard.org on macOS.
_KDE: Final = ("x-kde-passwordManagerHint", b"secret")
_WINDOWS: Final = (
    ("ExcludeClipboardContentFromMonitorProcessing", b"\x01\x00\x00\x00"),
    ("CanIncludeInClipboardHistory", b"\x00\x00\x00\x00"),
    ("CanUploadToCloudClipboard", b"\x00\x00\x00\x00"),
)


class Copied(Enum):
    """What the clipboard held a moment after a text was copied."""

    KEPT = "kept"
    REPLACED = "replaced"
    """Something else: another program writes to the clipboard."""
    LOST = "lost"

    def sentence(self, what: str = "", *, is_private: bool = False) -> str:
        """Say it to a person; `what` was copied, such as "The address"."""
        passing = " It is taken back after ten seconds." if is_private else ""
        match self:
            case Copied.KEPT if what:
                return f"{what} is copied, and the clipboard holds exactly it.{passing}"
            case Copied.KEPT:
                return f"Copied.{passing}"
            case Copied.REPLACED:
                return (
                    f"{what or 'It'} was copied, but the clipboard now holds something else. "
                    "Another program changed it: compare every character before you use what you "
                    "paste."
                )
            case Copied.LOST:
                return "The clipboard did not keep it. Try again."


class Clipboard(QObject):
    """The application's clipboard; get it by `clipboard()`."""

    def __init__(self, parent: QObject, board: QClipboard) -> None:
        super().__init__(parent)
        self.setObjectName(_NAME)
        self._board = board
        self._last = ""
        self._is_private = False
        self._clearing = QTimer(self)
        self._clearing.setSingleShot(True)
        self._clearing.setInterval(CLEAR_AFTER_MS)
        self._clearing.timeout.connect(self.clear)
        if isinstance(parent, QGuiApplication):
            parent.aboutToQuit.connect(self._leave)

    @property
    def last(self) -> str:
        """What was copied here last; "" before, and after it was cleared."""
        return self._last

    def copy(
        self,
        text: str,
        owner: QObject,
        told: Callable[[Copied], None],
        *,
        is_private: bool = False,
    ) -> None:
        """Copy a text; `told` learns a moment later what is there, unless `owner` is gone.

        What `is_private` (public keys, descriptors, unsigned payments) is marked as such for
        clipboard managers and taken back after ten seconds if it is still there.
        """
        self._clearing.stop()
        self._last, self._is_private = text, is_private
        content = QMimeData()
        content.setText(text)
        if is_private:
            _conceal(content)
        self._board.setMimeData(content)
        if is_private:
            mac.conceal_pasteboard()
            self._clearing.start()
        QTimer.singleShot(READ_BACK_MS, owner, lambda: told(self.read_back(text)))

    def read_back(self, text: str) -> Copied:
        """Compare what is there now with what was copied."""
        found = self._board.text()
        if found == text:
            return Copied.KEPT
        return Copied.REPLACED if found else Copied.LOST

    def clear(self) -> None:
        """Take back what was copied here, unless something else is there by now."""
        self._clearing.stop()
        text, self._last, self._is_private = self._last, "", False
        if text and self._board.text() == text:
            self._board.clear()

    def forget(self) -> None:
        """Take back all that comes from this program, also what was marked with the mouse."""
        self.clear()
        for mode, is_ours in (
            (QClipboard.Mode.Clipboard, self._board.ownsClipboard()),
            (QClipboard.Mode.Selection, self._board.ownsSelection()),
        ):
            if is_ours:
                self._board.clear(mode)

    def doubt_about(self, pasted: str) -> str:
        """Return a warning when what was pasted poses as what was copied here last; "" if not."""
        text = "".join(pasted.split())
        last = "".join(self._last.split())
        if not text or not last or text == last:
            return ""
        ends = (text[:_COMPARED_ENDS], text[-_COMPARED_ENDS:])
        if ends != (last[:_COMPARED_ENDS], last[-_COMPARED_ENDS:]):
            return ""
        return (
            "This looks like what you copied in this program, but it is not the same: only its "
            "ends are. A program on this computer may have exchanged it. Do not use it."
        )

    def _leave(self) -> None:
        # An address that was copied to be sent to somebody outlives the window.
        if self._is_private:
            self.clear()


def clipboard() -> Clipboard:
    """Return the clipboard of the running application."""
    application = QGuiApplication.instance()
    if application is None:
        raise RuntimeError("There is no clipboard before the application.")
    found = application.findChild(Clipboard, _NAME, Qt.FindChildOption.FindDirectChildrenOnly)
    return found or Clipboard(application, QGuiApplication.clipboard())


def _conceal(content: QMimeData) -> None:
    content.setData(*_KDE)
    if sys.platform == "win32":
        for name, value in _WINDOWS:
            content.setData(f'application/x-qt-windows-mime;value="{name}"', value)
