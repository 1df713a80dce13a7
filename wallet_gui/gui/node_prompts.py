"""NodePrompts: what SSH asks of a person: is this the server, a passphrase, a password, a code.

The engine awaits an answer; the window shows one question after the other and never waits itself.
What is typed here is of SSH and the node; secrets of the wallet are typed in the vault only.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any, Final

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from wallet_gui.chain.bitcoind.tunnel_protocol import HostKeyQuestion, SecretKind, SecretQuestion
from wallet_gui.widgets.copy_line import CopyLine
from wallet_gui.widgets.fonts import use_font
from wallet_gui.widgets.labels import caption, card, heading, text_label
from wallet_gui.widgets.text import chunked, plain

_HOST_LIMIT, _PROMPT_LIMIT, _SECRET_LIMIT = 120, 300, 1_024
_FINGERPRINT_LIMIT = 120
_GROUP = 5
_LETTERS, _WIDEST = 84, 900  # how wide a question is: letters of a line, at most so many pixels

_TITLES: Final = {
    SecretKind.PASSPHRASE: "Passphrase of your SSH key",
    SecretKind.PASSWORD: "Password of your login on the server",
    SecretKind.CHALLENGE: "The server asks a question",
}
_FIELDS: Final = {
    SecretKind.PASSPHRASE: "Passphrase",
    SecretKind.PASSWORD: "Password",
    SecretKind.CHALLENGE: "Answer",
}
_MEANINGS: Final = {
    SecretKind.PASSPHRASE: (
        "It opens the key file on this computer. It is kept in memory until the program ends, and "
        "is never written or sent."
    ),
    SecretKind.PASSWORD: (
        "It goes to the server through the encrypted connection, and is kept in memory until the "
        "program ends. It is not the password of your wallet."
    ),
    SecretKind.CHALLENGE: (
        "The answer goes to the server through the encrypted connection and is not kept. It is "
        "never the password or the words of your wallet."
    ),
}


@dataclass(eq=False)
class _Asked:
    """One question under way, and where the engine waits for its answer."""

    question: HostKeyQuestion | SecretQuestion
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]

    def answer(self, value: bool | str | None) -> None:  # noqa: FBT001 - an answer
        """Hand the answer over to the engine's thread; a loop that has ended needs none."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._settle, value)

    def _settle(self, value: bool | str | None) -> None:  # noqa: FBT001 - an answer
        if not self.future.done():
            self.future.set_result(value)


class NodePrompts(QObject):
    """An `Asker` for the engine's thread whose questions appear in the window's thread."""

    _came = Signal(object)
    _withdrawn = Signal(object)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._waiting: deque[_Asked] = deque()
        self._shown: _Asked | None = None
        self._is_closed = False
        self.dialog: Prompt | None = None
        self._came.connect(self._take, Qt.ConnectionType.QueuedConnection)
        self._withdrawn.connect(self._drop, Qt.ConnectionType.QueuedConnection)

    # --- in the engine's thread

    async def trust_host_key(self, question: HostKeyQuestion) -> bool:
        """Ask whether the server is the right one; False when nobody is there to say so."""
        return await self._ask(question) is True

    async def secret(self, question: SecretQuestion) -> str | None:
        """Ask for a secret; None when the person gave none."""
        answer = await self._ask(question)
        return answer if isinstance(answer, str) else None

    async def _ask(self, question: HostKeyQuestion | SecretQuestion) -> Any:
        loop = asyncio.get_running_loop()
        asked = _Asked(question, loop, loop.create_future())
        self._came.emit(asked)
        try:
            return await asked.future
        except asyncio.CancelledError:
            # The connection is not wanted any more: nor is the answer.
            self._withdrawn.emit(asked)
            raise

    # --- in the window's thread

    def close_all(self) -> None:
        """Answer everything with no, also what is asked later: the window closes."""
        self._is_closed = True
        if self.dialog is not None:
            self.dialog.reject()
        while self._waiting:
            self._waiting.popleft().answer(None)

    def _take(self, asked: _Asked) -> None:
        if self._is_closed:
            asked.answer(None)
            return
        self._waiting.append(asked)
        self._show_next()

    def _drop(self, asked: _Asked) -> None:
        if asked is self._shown and self.dialog is not None:
            self.dialog.reject()
        elif asked in self._waiting:
            self._waiting.remove(asked)

    def _show_next(self) -> None:
        if self._is_closed or self._shown is not None or not self._waiting:
            return
        asked = self._shown = self._waiting.popleft()
        question = asked.question
        dialog: Prompt
        if isinstance(question, HostKeyQuestion):
            dialog = HostKeyPrompt(question, self._window)
        else:
            dialog = SecretPrompt(question, self._window)
        self.dialog = dialog
        dialog.finished.connect(lambda _: self._answered(asked, dialog))
        # Not exec(): the window goes on.
        dialog.open()

    def _answered(self, asked: _Asked, dialog: "Prompt") -> None:
        asked.answer(dialog.answer())
        dialog.forget()
        dialog.deleteLater()
        self.dialog = None
        self._shown = None
        self._show_next()


class Prompt(QDialog):
    """A question over the window; closing it is the same as Cancel."""

    def __init__(self, name: str, title: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setWindowTitle(title)
        self.setWindowModality(Qt.WindowModality.WindowModal)
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(26, 22, 26, 20)
        self.body.setSpacing(12)
        self.body.addWidget(heading(title, 140))

    def add_buttons(self, yes: str, *, is_yes_default: bool) -> None:
        """Add Cancel and the other one; only one of them is pressed by Return."""
        row = QHBoxLayout()
        row.setContentsMargins(0, 8, 0, 0)
        self.cancel = QPushButton("Cancel")
        self.cancel.clicked.connect(self.reject)
        self.yes = QPushButton(yes)
        self.yes.clicked.connect(self.accept)
        for button, name in ((self.cancel, "prompt_cancel"), (self.yes, "prompt_yes")):
            button.setObjectName(name)
            button.setAccessibleName(button.text())
            button.setAutoDefault(False)
        chosen = self.yes if is_yes_default else self.cancel
        chosen.setDefault(True)
        chosen.setProperty("role", "primary")
        row.addWidget(self.cancel)
        row.addStretch(1)
        row.addWidget(self.yes)
        self.body.addLayout(row)
        if not is_yes_default:
            self.cancel.setFocus()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.setMinimumWidth(min(_LETTERS * self.fontMetrics().averageCharWidth(), _WIDEST))
        self._fit()

    def event(self, event: QEvent) -> bool:
        handled = super().event(event)
        if event.type() is QEvent.Type.LayoutRequest and self.isVisible():
            self._fit()
        return handled

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """As high as its wrapped texts: a fingerprint that is cut off cannot be compared."""
        needed = self.body.totalHeightForWidth(max(self.width(), self.minimumWidth()))
        if needed > 0 and needed != self.minimumHeight():
            self.setMinimumHeight(needed)

    def answer(self) -> bool | str | None:
        """What the person said; None without an answer."""
        raise NotImplementedError

    def forget(self) -> None:
        """Forget what was typed."""


class HostKeyPrompt(Prompt):
    """Is this your server? The safe answer is the one that Return gives."""

    def __init__(self, question: HostKeyQuestion, parent: QWidget) -> None:
        super().__init__("host_key_prompt", "Is this your server?", parent)
        host = plain(question.host, _HOST_LIMIT)
        self.body.addWidget(
            text_label(
                f"{host}, port {question.port}, was never contacted from here. Somebody on the way "
                "could pretend to be it. It shows this fingerprint of its "
                f"{plain(question.key_type, 40)} key:"
            )
        )
        frame = card()
        inside = QVBoxLayout(frame)
        inside.setContentsMargins(18, 14, 18, 14)
        fingerprint = plain(question.fingerprint, _FINGERPRINT_LIMIT)
        method, colon, value = fingerprint.partition(":")
        shown = f"{method}: {chunked(value, _GROUP)}" if colon else chunked(fingerprint, _GROUP)
        self.fingerprint = text_label(shown)
        self.fingerprint.setObjectName("prompt_fingerprint")
        self.fingerprint.setAccessibleName(f"Fingerprint: {fingerprint}")
        self.fingerprint.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.fingerprint.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
        use_font(self.fingerprint, percent=125, monospace=True)
        inside.addWidget(self.fingerprint)
        self.body.addWidget(frame)
        self.body.addWidget(
            text_label(
                "Compare it with what the server itself says: at its own screen, or where you are "
                "logged in already, type this."
            )
        )
        self.command = CopyLine("prompt_compare", "Command to compare", self)
        self.command.show_line(plain(question.compare_command, 300), "Copy the command")
        self.body.addWidget(self.command)
        self.body.addWidget(
            text_label(
                "Groups and blanks do not count. If a single letter differs, cancel.", role="muted"
            )
        )
        self.add_buttons("It is the same: trust it", is_yes_default=False)

    def answer(self) -> bool:
        return self.result() == QDialog.DialogCode.Accepted


class SecretPrompt(Prompt):
    """Asks for one secret; the server's own words stand apart from ours."""

    def __init__(self, question: SecretQuestion, parent: QWidget) -> None:
        super().__init__("secret_prompt", _TITLES[question.kind], parent)
        prompt = plain(question.prompt, _PROMPT_LIMIT)
        if question.is_retry:
            self.body.addWidget(text_label("That was not right. Try again.", role="negative"))
        if prompt:
            says = "" if question.kind is SecretKind.PASSPHRASE else "The server says: "
            self.words = text_label(f"{says}{prompt}")
            self.words.setObjectName("prompt_words")
            self.body.addWidget(self.words)
        self.edit = QLineEdit()
        self.edit.setObjectName("prompt_secret")
        self.edit.setMaxLength(_SECRET_LIMIT)
        self.edit.setEchoMode(
            QLineEdit.EchoMode.Normal if question.echo else QLineEdit.EchoMode.Password
        )
        self.edit.setInputMethodHints(
            Qt.InputMethodHint.ImhSensitiveData | Qt.InputMethodHint.ImhNoPredictiveText
        )
        name = _FIELDS[question.kind]
        self.edit.setAccessibleName(name)
        self.edit.setAccessibleDescription(prompt)
        self.body.addWidget(caption(name, self.edit))
        self.body.addWidget(self.edit)
        self.body.addWidget(text_label(_MEANINGS[question.kind], role="muted"))
        self.add_buttons("Continue", is_yes_default=True)
        self.edit.setFocus()

    def answer(self) -> str | None:
        accepted = self.result() == QDialog.DialogCode.Accepted
        return self.edit.text() if accepted else None

    def forget(self) -> None:
        self.edit.clear()
