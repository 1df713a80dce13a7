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

from wallet_gui.wallet.lookalike import find_lookalike
from wallet_gui.widgets import mac

READ_BACK_MS: Final = 300
"""Malware replaces addresses within milliseconds; what watches more slowly is rare."""

CLEAR_AFTER_MS: Final = 10_000

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
        self._imposed = ""
        self._is_private = self._has_stayed = False
        board.dataChanged.connect(lambda: self.notice_change(is_ours=board.ownsClipboard()))
        self._clearing = QTimer(self)
        self._clearing.setSingleShot(True)
        self._clearing.setInterval(CLEAR_AFTER_MS)
        self._clearing.timeout.connect(self.clear)
        if isinstance(parent, QGuiApplication):
            parent.aboutToQuit.connect(self._leave)
            parent.applicationStateChanged.connect(self._follow)

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
        self._last, self._is_private, self._imposed = text, is_private, ""
        self._has_stayed = False  # what follows is our own doing
        content = QMimeData()
        content.setText(text)
        if is_private:
            _conceal(content)
        self._board.setMimeData(content)
        active = Qt.ApplicationState.ApplicationActive
        self._has_stayed = QGuiApplication.applicationState() is active
        if is_private:
            mac.conceal_pasteboard()
            self._clearing.start()
        QTimer.singleShot(READ_BACK_MS, owner, lambda: told(self.read_back(text)))

    def read_back(self, text: str) -> Copied:
        """Compare what is there now with what was copied."""
        found = self._board.text()
        if found == text:
            return Copied.KEPT
        if text == self._last:
            self._imposed = found
        return Copied.REPLACED if found else Copied.LOST

    def clear(self) -> None:
        """Take back what was copied here, unless something else is there by now."""
        self._clearing.stop()
        text, self._last, self._is_private, self._imposed = self._last, "", False, ""
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
        """Return a warning when what was pasted took the place of what was copied here last.

        Either another program put it there, or it is an address that only looks like the other.
        """
        text, last = _joined(pasted), _joined(self._last)
        if not text or not last or text == last:
            return ""
        if text == _joined(self._imposed):
            return (
                "Another program put this on the clipboard, in place of what you had copied in "
                "this one. Do not use it before you have compared every character."
            )
        if find_lookalike(text, [last]) is not None:
            return (
                "This looks like what you copied in this program, but only its ends are the same. "
                "A program on this computer may have exchanged it. Do not use it."
            )
        return ""

    # --- what happens meanwhile

    def notice_change(self, *, is_ours: bool) -> None:
        """Judge a new content: nobody copies elsewhere while they have not left this program."""
        if self._last and self._has_stayed and not is_ours:
            self._imposed = self._board.text()

    def _follow(self, state: Qt.ApplicationState) -> None:
        if state is not Qt.ApplicationState.ApplicationActive:
            self._has_stayed = False

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


def _joined(text: str) -> str:
    """An address may be pasted in groups of four, as this program shows it."""
    return "".join(text.split())


def _conceal(content: QMimeData) -> None:
    content.setData(*_KDE)
    if sys.platform == "win32":
        for name, value in _WINDOWS:
            content.setData(f'application/x-qt-windows-mime;value="{name}"', value)
