"""PsbtBoard: what the page Sign (PSBT) shows: the ways in, what waits, or one payment."""

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QMimeData, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from wallet_gui.app.psbt_desk import PsbtLook
from wallet_gui.gui.broadcast_ladder import BroadcastLadder
from wallet_gui.gui.confirm_strip import ConfirmStrip
from wallet_gui.gui.psbt_actions import PsbtActions
from wallet_gui.gui.psbt_inputs import PsbtInputs, holds_anything
from wallet_gui.gui.psbt_signers_card import SignersCard
from wallet_gui.gui.psbt_waiting_list import WaitingPayments, summary
from wallet_gui.gui.sign_offline_steps import SignOfflineSteps
from wallet_gui.primitives.hashes import hash_to_hex
from wallet_gui.widgets.labels import card, heading, text_label
from wallet_gui.widgets.notice import ERROR, INFORMATION, WARNING, Notice
from wallet_gui.widgets.page import Page
from wallet_gui.widgets.review_view import ReviewView
from wallet_gui.widgets.text import breakable

_HINT: Final = (
    "A payment that another program or person prepared (a PSBT), or one that was signed for this "
    "wallet: open its file, drop it here, paste it, or scan its QR codes."
)
_HIDDEN: Final = "Amounts are hidden. Show them to look at this payment."
_OWN, _OTHERS = "Payment to be signed elsewhere", "Payment to be signed"


class PsbtBoard(QWidget):
    """Emits what the person wants; `look` is the payment on screen, or None."""

    given = Signal(object)
    added = Signal(object)
    open_wanted = Signal(object)
    forget_wanted = Signal(object)
    sign_wanted = Signal()
    send_wanted = Signal()
    save_wanted = Signal(object)
    closed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.look: PsbtLook | None = None
        self._is_hidden = False
        self._forgetting: PsbtLook | None = None
        self.setAcceptDrops(True)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        page = Page("psbt_form", self)
        outer.addWidget(page)
        self._body = page.body
        page.body.addLayout(self._build_title())
        self.notice = Notice(self)
        page.body.addWidget(self.notice)
        self.strip = ConfirmStrip(self)
        self.strip.confirmed.connect(lambda *_: self._forget())
        page.body.addWidget(self.strip)
        self.ladder = BroadcastLadder("psbt_ladder", self)
        page.body.addWidget(self.ladder)
        self._build_start()
        self._build_payment()
        page.body.addStretch(1)
        self.show_start(())

    def _build_title(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self.title = heading("Sign (PSBT)")
        row.addWidget(self.title, 1)
        self.back_button = QPushButton("&Back to the list")
        self.back_button.setObjectName("psbt_back")
        self.back_button.setAccessibleName("Back to the list")
        self.back_button.clicked.connect(self.closed)
        row.addWidget(self.back_button)
        return row

    def _build_start(self) -> None:
        self.start = card()
        layout = QVBoxLayout(self.start)
        layout.setContentsMargins(20, 16, 20, 16)
        layout.setSpacing(12)
        layout.addWidget(heading("Bring a payment in", 115))
        layout.addWidget(text_label(_HINT, role="muted"))
        self.inputs = PsbtInputs("psbt_in", has_primary=True)
        self.inputs.given.connect(self.given)
        self.inputs.refused.connect(self.show_failure)
        layout.addWidget(self.inputs)
        self._body.addWidget(self.start)
        self.waiting = WaitingPayments()
        self.waiting.open_wanted.connect(self.open_wanted)
        self.waiting.forget_wanted.connect(self._ask_forget)
        self._body.addWidget(self.waiting)

    def _build_payment(self) -> None:
        self.steps = SignOfflineSteps()
        self.choices = PsbtActions()
        for part in (self.steps, self.choices):
            part.sign_wanted.connect(self.sign_wanted)
            part.send_wanted.connect(self.send_wanted)
            part.save_wanted.connect(self.save_wanted)
            part.given.connect(self.added)
            part.refused.connect(self.show_failure)
        self.signers = SignersCard()
        self.review = ReviewView(self)
        self.no_review = text_label(role="warning")
        self.no_review.setObjectName("psbt_no_review")
        self._what = QFrame()
        layout = QVBoxLayout(self._what)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(12)
        layout.addWidget(heading("What it does", 115))
        layout.addWidget(self.no_review)
        layout.addWidget(self.review)
        # Who asked for it knows what it does; who did not must read that first.
        for widget in (self.steps, self.signers, self._what, self.choices):
            self._body.addWidget(widget)

    # --- what is shown

    def show_start(self, looks: Sequence[PsbtLook]) -> None:
        """Show the ways in and what waits; the payment that was shown is put away."""
        self.look = None
        self.title.setText("Sign (PSBT)")
        self.steps.clear()
        self.choices.clear()
        self.signers.clear()
        self.review.clear()
        self.strip.dismiss()
        self.waiting.show_looks(looks)
        self._show_parts()

    def show_waiting(self, looks: Sequence[PsbtLook]) -> None:
        """Show anew what waits, wherever the person is."""
        self.waiting.show_looks(looks)
        self._show_parts()

    def show_payment(self, look: PsbtLook) -> None:
        """Show one payment."""
        before = self.look
        is_other = before is None or before.txid != look.txid
        is_new = is_other or before is None or before.signatures != look.signatures
        self.look = look
        self.inputs.close_scanner()
        if is_other:
            self.ladder.clear()
            self.strip.dismiss()
        self.title.setText(_OWN if look.is_asked else _OTHERS)
        data, text = look.psbt.serialize(), look.psbt.to_base64()
        name = f"payment-{hash_to_hex(look.txid)[:8]}"
        if look.signatures.present:
            name += "-signed" if look.is_complete else "-part-signed"
        part = self.steps if look.is_asked else self.choices
        part.show_look(look, data, text, name)
        self.signers.show_look(look)
        self._show_review()
        self._show_parts()
        if is_new and look.is_asked:
            # Where the keyboard was may be gone: it goes on with the next step.
            self.steps.focus_next()
        elif is_other:
            self.back_button.setFocus()
        if look.spent_by is not None:
            self.notice.say(
                "Another payment has spent a coin of this one: it cannot be sent any more.", WARNING
            )
        elif look.shares_coins:
            self.notice.say(
                "Another payment on the list spends one of the same coins: only one of the two can "
                "be sent. Give the other one up when you send this one.",
                WARNING,
            )
        elif look.is_waiting and not look.is_kept:
            self.notice.say(
                "This payment is too large for the wallet file. Save it to a file before you close "
                "the program.",
                WARNING,
            )

    def _show_review(self) -> None:
        look = self.look
        if look is None:
            return
        words = look.why_not
        if self._is_hidden:
            words = _HIDDEN
        self.no_review.setText(breakable(words))
        self.no_review.setVisible(bool(words))
        if look.review is None or self._is_hidden:
            self.review.clear()
        elif self.review.review != look.review:
            self.review.set_review(look.review, look.warnings)

    def _show_parts(self) -> None:
        look = self.look
        self.start.setVisible(look is None)
        self.waiting.setVisible(look is None and self.waiting.has_any)
        self.back_button.setVisible(look is not None)
        self.steps.setVisible(look is not None and look.is_asked)
        self.choices.setVisible(look is not None and not look.is_asked)
        self.signers.setVisible(look is not None and look.review is not None)
        self._what.setVisible(look is not None)

    def hide_amounts(self, hidden: bool) -> None:  # noqa: FBT001 - a Qt slot
        """Mask or show amounts."""
        self._is_hidden = hidden
        self.waiting.set_hidden(hidden)
        self.steps.set_hidden(hidden)
        if hidden:
            # What they say may name amounts.
            self.notice.clear()
            self.strip.dismiss()
        self._show_review()
        self._show_parts()

    # --- how it goes

    def show_compared(self, sentence: str) -> None:
        """What came back is what was asked for."""
        self.notice.clear()
        self.steps.show_compared(sentence)
        if self.look is not None and not self.look.is_asked:
            self.notice.say(sentence, INFORMATION)

    def show_refusal(self, sentence: str) -> None:
        """What came back is something else."""
        if self.look is not None and self.look.is_asked:
            self.steps.show_refusal(sentence)
            self.notice.say("What came back was refused: see step 4.", ERROR)
        else:
            self.notice.say(breakable(sentence), ERROR)

    def show_failure(self, sentence: str) -> None:
        """Something did not go; everything stays as it is."""
        self.set_busy("")
        self.notice.say(breakable(sentence), ERROR)

    def say(self, sentence: str) -> None:
        """Say something that needs nothing to be done."""
        self.notice.say(sentence, INFORMATION)

    def set_busy(self, sentence: str) -> None:
        """Say what is going on; "" when it is over."""
        for part in (self.steps, self.choices):
            part.set_busy(is_busy=bool(sentence))
        if sentence:
            self.notice.say(sentence, INFORMATION)
        else:
            self.notice.clear()

    # --- giving up

    def _ask_forget(self, look: PsbtLook) -> None:
        self._forgetting = look
        what = summary(look, is_hidden=self._is_hidden)
        self.strip.ask(
            "forget",
            f"Give up this payment ({what})? Its signatures are forgotten here. Whoever has it "
            "signed can still send it.",
            "Gi&ve it up",
        )

    def _forget(self) -> None:
        look, self._forgetting = self._forgetting, None
        if look is not None:
            self.forget_wanted.emit(look)

    # --- dropped files

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if holds_anything(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        self.take(event.mimeData())
        event.acceptProposedAction()

    def take(self, content: QMimeData) -> None:
        """Take what was dropped: a payment, or a copy of the one on screen."""
        if self.look is None:
            self.inputs.take(content)
        elif self.look.is_asked:
            self.steps.inputs.take(content)
        else:
            self.choices.inputs.take(content)
