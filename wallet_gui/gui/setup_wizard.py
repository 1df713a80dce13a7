"""The pages before a wallet is open: welcome, the form of a new wallet, how to see the chain."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import shiboken6
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QComboBox,
    QLineEdit,
    QPushButton,
    QStackedWidget,
    QWidget,
)

from wallet_gui.app.published import NewWallet, WalletEntry
from wallet_gui.gui.welcome_page import WelcomePage
from wallet_gui.gui.wizard_step import WizardStep
from wallet_gui.primitives.params import ChainParams
from wallet_gui.widgets.notice import INFORMATION, Notice

if TYPE_CHECKING:
    from wallet_gui.gui.new_wallet_page import NewWalletPage
    from wallet_gui.gui.restore_page import RestorePage
    from wallet_gui.gui.source_card import SourceCard


class SetupWizard(QStackedWidget):
    """Welcome, and the form of a new or restored wallet; secrets are typed in the vault only.

    Other wizards add their pages with `add_step` and show them with `go_to`.
    """

    open_wanted = Signal(str)
    create_wanted = Signal(object)
    restore_wanted = Signal(object)
    # The NodeChoice that goes with the first wallet.
    source_wanted = Signal(object)
    cancel_wanted = Signal()
    settings_wanted = Signal()
    play_wanted = Signal()
    watch_wanted = Signal()
    multisig_wanted = Signal()
    pair_wanted = Signal()
    file_wanted = Signal()
    offline_wanted = Signal()
    # The SourceCard of the page that asks where the chain comes from, once it is there.
    source_made = Signal(object)

    def __init__(self, params: ChainParams, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("setup_wizard")
        self._is_restore = False
        self._is_busy = False
        self._held: list[QPushButton] = []
        self._focus_back: QWidget | None = None
        self._offers_source = False
        self._wanted: NewWallet | None = None
        self._after_source: Callable[[], None] = lambda: None
        self._steps: list[WizardStep] = []
        self._trail: list[WizardStep] = []
        self._params = params
        self.welcome = WelcomePage(params)
        self.add_step(self.welcome)
        self._connect()
        self.greeting = self.welcome.text
        self.welcome_notice = self.welcome.notice
        self.settings_button = self.welcome.settings_button

    def _connect(self) -> None:
        for wanted, signal in (
            (self.welcome.open_wanted, self.open_wanted),
            (self.welcome.settings_wanted, self.settings_wanted),
            (self.welcome.play_wanted, self.play_wanted),
            (self.welcome.watch_wanted, self.watch_wanted),
            (self.welcome.multisig_wanted, self.multisig_wanted),
            (self.welcome.pair_wanted, self.pair_wanted),
            (self.welcome.offline_wanted, self.offline_wanted),
        ):
            wanted.connect(signal)
        self.welcome.create_wanted.connect(self._start_create)
        self.welcome.restore_wanted.connect(lambda: self.go_to(self.restore))

    # --- pages that are made when they are asked for, so that the first window is there sooner

    @cached_property
    def restore(self) -> "RestorePage":
        from wallet_gui.gui.restore_page import RestorePage  # noqa: PLC0415

        page = RestorePage()
        page.file_wanted.connect(self.file_wanted)
        page.watch_wanted.connect(self.watch_wanted)
        page.words_wanted.connect(self._start_restore)
        self.add_step(page)
        return page

    @cached_property
    def form(self) -> "NewWalletPage":
        from wallet_gui.gui.new_wallet_page import NewWalletPage  # noqa: PLC0415

        page = NewWalletPage(self._params)
        page.wanted.connect(self._submit)
        self.add_step(page)
        return page

    @cached_property
    def source_page(self) -> WizardStep:
        from wallet_gui.gui.source_card import SourceCard  # noqa: PLC0415

        page = WizardStep(
            "source_page",
            "How shall it see the blockchain?",
            "Both ways are checked by this program itself, and both can be changed at any time in "
            "Settings, without reading anything again.",
        )
        page.setObjectName("source_page")
        card = SourceCard("first_source", page, is_part=True)
        page.column.addWidget(card)
        page.add_bottom("&Continue in the vault")
        page.next_wanted.connect(self._submit_source)
        self.add_step(page)
        self.source_made.emit(card)
        return page

    @property
    def source(self) -> "SourceCard":
        """The card of the page that asks where the chain comes from."""
        from wallet_gui.gui.source_card import SourceCard  # noqa: PLC0415

        card = self.source_page.findChild(SourceCard)
        if card is None:
            raise RuntimeError("The page has no card.")
        return card

    # --- pages

    def add_step(self, step: WizardStep) -> None:
        """Take a page over: its way back, its notice, and its buttons while something goes on."""
        self._steps.append(step)
        self.addWidget(step)
        step.back_wanted.connect(self._go_back)
        step.cancel_wanted.connect(self.cancel_wanted.emit)

    def drop_step(self, step: WizardStep) -> None:
        """Forget a page with all that was typed there."""
        self._steps.remove(step)
        self._trail = [kept for kept in self._trail if kept is not step]
        self.removeWidget(step)
        step.deleteLater()

    @property
    def step(self) -> WizardStep:
        """The page on screen."""
        current = self.currentWidget()
        return next((step for step in self._steps if step is current), self.welcome)

    def go_to(self, step: WizardStep) -> None:
        """Show a page; the way back leads to the one that is shown now."""
        if step is not self.step:
            self._trail.append(self.step)
        self.setCurrentWidget(step)
        self._focus(step)

    @staticmethod
    def _focus(step: WizardStep) -> None:
        field = step.first_field()
        if field is not None and step.isVisible():
            field.setFocus()

    def _go_back(self) -> None:
        if self._is_busy:
            return
        if not self._trail:
            self.show_welcome()
            return
        step = self._trail.pop()
        self.setCurrentWidget(step)
        self._focus(step)

    def show_wallets(self, entries: Sequence[WalletEntry]) -> None:
        """List the wallets of this network, each to be unlocked by a press."""
        self.welcome.show_wallets(entries)
        self.show_welcome()
        self._focus(self.welcome)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.currentWidget() is not self.welcome:
            self._go_back()
            return
        super().keyPressEvent(event)

    def show_welcome(self) -> None:
        """Go back to the first page."""
        self.set_busy("")
        self._trail.clear()
        self.setCurrentWidget(self.welcome)

    # --- the form

    @property
    def next_button(self) -> QPushButton:
        return self.form.next_button

    @property
    def form_notice(self) -> Notice:
        return self.form.notice

    @property
    def name_edit(self) -> QLineEdit:
        return self.form.name_edit

    @property
    def type_box(self) -> QComboBox:
        return self.form.type_box

    @property
    def words_box(self) -> QComboBox:
        return self.form.words_box

    def _start_create(self) -> None:
        self._show_form(is_restore=False)

    def _start_restore(self) -> None:
        self._show_form(is_restore=True)

    def _show_form(self, *, is_restore: bool) -> None:
        self._is_restore = is_restore
        self.form.begin(is_restore=is_restore)
        self.go_to(self.form)

    def _submit(self, wanted: NewWallet) -> None:
        if self._is_busy:
            return
        self._wanted = wanted
        self.after_source(lambda: self._ask_for(wanted))

    def _ask_for(self, wanted: NewWallet) -> None:
        (self.restore_wanted if self._is_restore else self.create_wanted).emit(wanted)

    # --- where the chain comes from

    @property
    def source_next(self) -> QPushButton:
        return self.source_page.next_button

    def offer_source(self, *, offered: bool) -> None:
        """Say whether a new wallet also asks where the chain comes from: once, with the first."""
        self._offers_source = offered

    def after_source(self, act: Callable[[], None]) -> None:
        """Go on at once, or after the question where the chain comes from, if it is to be asked."""
        self._after_source = act
        if self._offers_source:
            self.go_to(self.source_page)
        else:
            act()

    def _submit_source(self) -> None:
        choice = self.source.choice()
        if self._is_busy or choice is None:
            return
        self._offers_source = False
        self.source_wanted.emit(choice)
        self._after_source()

    # --- what is going on

    @property
    def _notices(self) -> tuple[Notice, ...]:
        return tuple(step.notice for step in self._steps)

    def set_busy(self, sentence: str, *, can_cancel: bool = False) -> None:
        """Hold the buttons back while something is under way; "" lets go."""
        self._is_busy = bool(sentence)
        focus = self.window().focusWidget()
        notices = tuple(notice.button for notice in self._notices)
        for button in self._held if not sentence else ():
            if shiboken6.isValid(button):
                button.setEnabled(True)
        if not sentence:
            self._held.clear()
        for step in self._steps if sentence else ():
            for button in step.findChildren(QPushButton):
                # Those that a page holds back itself stay so.
                if button.isEnabled() and button not in notices:
                    button.setEnabled(False)
                    self._held.append(button)
        self.say(sentence)
        for button in notices:
            button.setVisible(can_cancel)
        self._keep_focus(focus, can_cancel=can_cancel)

    def _keep_focus(self, focus: QWidget | None, *, can_cancel: bool) -> None:
        """A button that is held back loses the keyboard: it stays here, and comes back to it.

        Otherwise Qt hands it to whatever comes next, a button outside of these pages at worst.
        """
        if self._is_busy and focus in self._held:
            self._focus_back = focus
            (self.step.notice.button if can_cancel else self.step).setFocus()
        elif not self._is_busy and self._focus_back is not None:
            back, self._focus_back = self._focus_back, None
            is_here = focus in {None, self.step, self.step.notice.button}
            if is_here and shiboken6.isValid(back) and back.isVisible():
                back.setFocus()

    def say(self, sentence: str, kind: str = INFORMATION) -> None:
        """Show one sentence on the page that is on screen; "" takes it away."""
        for notice in self._notices:
            notice.button.hide()
            if sentence:
                notice.say(sentence, kind)
            else:
                notice.clear()
