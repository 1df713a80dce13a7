"""The vault's one window: a strip that says what it is, and the page of the moment below it."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent, QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from wallet_gui.transfer.messages import Cancelled, Failed, Reply
from wallet_gui.vault.background import BackgroundTask, Work
from wallet_gui.vault.errors import EXPECTED, PersonCancelled, internal_failure
from wallet_gui.vault.hardening import Protections
from wallet_gui.vault.page import VaultPage
from wallet_gui.vault.screen_capture import EXCLUDED, NOT_EXCLUDED, exclude_from_capture
from wallet_gui.vault.step_pages import ProgressPage, RefusedPage
from wallet_gui.widgets.labels import heading, text_label

TITLE = "Wallet GUI \u2013 Vault"
_SIDE_IN_EM = 44


class VaultWindow(QWidget):
    """Shows pages, runs work in the background, and holds the one reply.

    `finished` comes once, when `reply` is final and the window closes.
    """

    finished = Signal()

    def __init__(
        self, protections: Protections, progress: Callable[[str, float | None], None]
    ) -> None:
        super().__init__()
        self.setObjectName("vault_window")
        self.setWindowTitle(TITLE)
        self.setProperty("role", "page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._fit_to_screen()
        self.reply: Reply = Cancelled()
        self._progress = progress
        self._is_finished = False
        self._task: BackgroundTask | None = None
        self.pages = QStackedWidget()
        self.progress_page = ProgressPage()
        self.progress_page.left.connect(self._cancel_task)
        self.pages.addWidget(self.progress_page)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        self.header = VaultHeader(protections)
        layout.addWidget(self.header)
        layout.addWidget(self.pages, 1)

    def _fit_to_screen(self) -> None:
        side = _SIDE_IN_EM * self.fontMetrics().height()
        room = self.screen().availableSize()
        self.resize(min(side, room.width()), min(side, room.height()))

    @property
    def page(self) -> VaultPage:
        """The page on screen."""
        page = self.pages.currentWidget()
        if not isinstance(page, VaultPage):
            raise TypeError("only pages are shown")
        return page

    def show_page(self, page: VaultPage) -> None:
        """Put a page on screen; it stays in the window, so that one can come back to it."""
        if self.pages.indexOf(page) < 0:
            self.pages.addWidget(page)
        self.pages.setCurrentWidget(page)
        page.opened()

    def finish(self, reply: Reply) -> None:
        """Take the reply and close. Later ones are ignored."""
        if self._is_finished:
            return
        self._is_finished = True
        self.reply = reply
        self.forget_secrets()
        self.close()
        self.finished.emit()

    def cancel(self) -> None:
        """Close without having done anything."""
        self.finish(Cancelled())

    def refuse(self, title: str, reply: Failed) -> None:
        """Tell why it cannot be done; closing the page gives the reply."""
        page = RefusedPage(title, reply.sentence)
        page.submitted.connect(lambda: self.finish(reply))
        # Closing the window by its frame gives the same reply.
        self.reply = reply
        self.show_page(page)

    def forget_secrets(self) -> None:
        """Clear the fields of every page; the end of the process does the rest."""
        for page in self.pages.findChildren(VaultPage):
            page.forget()

    # --- background work

    def work(
        self,
        work: Work,
        succeeded: Callable[[Any], None],
        failed: Callable[[Exception], None],
        *,
        back_to: VaultPage,
    ) -> None:
        """Run `work(step)` in a thread while the progress page is shown.

        `failed` gets one of the EXPECTED errors; a cancelled one goes back to its page, and
        anything else ends the vault.
        """
        task = BackgroundTask(self, work)
        self._task = task
        self.progress_page.secondary.setEnabled(True)
        self.progress_page.secondary.setText("Cancel")
        self.progress_page.show_step("Starting", None)
        self.show_page(self.progress_page)

        def deliver(result: object) -> None:
            self._task = None
            succeeded(result)

        def fail(error: object) -> None:
            self._task = None
            if isinstance(error, PersonCancelled):
                self.show_page(back_to)
            elif isinstance(error, EXPECTED):
                self.show_page(back_to)
                failed(error)
            elif isinstance(error, BaseException):
                self.refuse("The vault had to stop", internal_failure(error))

        queued = Qt.ConnectionType.QueuedConnection
        task.progressed.connect(self._show_step, queued)
        task.succeeded.connect(deliver)
        task.failed.connect(fail)
        task.start()

    @property
    def is_working(self) -> bool:
        return self._task is not None

    def _show_step(self, step: str, fraction: float | None) -> None:
        if self._task is not None and not self._task.is_cancelled:
            self.progress_page.show_step(step, fraction)
            self._progress(step, fraction)

    def _cancel_task(self) -> None:
        if self._task is None:
            return
        self._task.cancel()
        self.progress_page.secondary.setEnabled(False)
        self.progress_page.secondary.setText("Cancelling …")
        self.progress_page.show_step("Cancelling", None)

    # --- Qt's overrides

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        # The system knows the window only from now on.
        self.header.tell(EXCLUDED if exclude_from_capture(self) else NOT_EXCLUDED)

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._task is not None and not self._is_finished:
            # What is being written is finished first, then its page comes back.
            self._cancel_task()
            event.ignore()
            return
        event.accept()
        if not self._is_finished:
            self.finish(self.reply)


class VaultHeader(QFrame):
    """Says what this window is and which of its protections hold."""

    def __init__(self, protections: Protections) -> None:
        super().__init__()
        self.setObjectName("vault_header")
        self.setProperty("role", "vault-header")
        title = heading("Vault", 125)
        blocked = protections.is_network_blocked_by_kernel
        self.state_label = text_label(
            "● Network blocked by the system" if blocked else "● Network blocked in Python only",
            role="positive" if blocked else "warning",
            wrap=False,
        )
        self.state_label.setObjectName("vault_network_state")
        self.details_button = QPushButton("&Details")
        self.details_button.setObjectName("vault_details")
        self.details_button.setAccessibleName("Details of the protection")
        self.details_button.setProperty("role", "plain")
        self.details_button.setCheckable(True)
        self.details_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.details = text_label(
            "Your keys are in this window only: a process of its own, started for this one request "
            "and ended with it. " + " ".join(protections.sentences()),
            role="muted",
        )
        self.details.setObjectName("vault_protections")
        self.details.hide()
        self.details_button.toggled.connect(self.details.setVisible)
        self.play_badge = text_label("Play money", role="play-badge", wrap=False)
        self.play_badge.setObjectName("vault_play_money")
        self.play_badge.hide()
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addWidget(title)
        row.addWidget(self.play_badge, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addStretch(1)
        row.addWidget(self.state_label)
        row.addWidget(self.details_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 10, 16, 10)
        layout.setSpacing(6)
        layout.addLayout(row)
        layout.addWidget(self.details)

    def tell(self, sentence: str) -> None:
        """Add what was found out later to the details."""
        if sentence not in self.details.text():
            self.details.setText(f"{self.details.text()} {sentence}")
