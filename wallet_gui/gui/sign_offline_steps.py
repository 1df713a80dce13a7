"""SignOfflineSteps: a payment of this wallet on its way to another signer and back, in five steps.

1 take it over, 2 sign it there, 3 bring it back, 4 compared with what was asked, 5 send. One step
is open at a time, with one primary button; what comes back moves it on by itself.
"""

from enum import IntEnum

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from wallet_gui.app.psbt_desk import PsbtLook
from wallet_gui.gui.psbt_inputs import PsbtInputs
from wallet_gui.gui.psbt_outputs import PsbtOutputs
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.fonts import use_font
from wallet_gui.widgets.labels import set_role, text_label
from wallet_gui.widgets.text import breakable, plain

_HIDDEN = "It differs. Show the amounts to read in what."
_DONE = "\N{CHECK MARK}"
_WRONG = "\N{BALLOT X}"


class Stage(IntEnum):
    """Which step is open."""

    TAKE = 1
    RETURN = 3
    SEND = 5


class _Step(QWidget):
    """A number or a tick, a title, a line of text, and what is there to do while it is open."""

    def __init__(self, number: int, title: str) -> None:
        super().__init__()
        self.number = number
        self._title = title
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        self.mark = text_label(str(number), wrap=False)
        self.mark.setObjectName(f"offline_step_{number}_mark")
        use_font(self.mark, percent=115, bold=True)
        self.mark.setMinimumWidth(22)
        column = QVBoxLayout()
        column.setSpacing(6)
        self.title = text_label(title)
        use_font(self.title, bold=True)
        self.text = text_label(role="muted")
        self.text.setObjectName(f"offline_step_{number}_text")
        self.content = QWidget()
        self.body = QVBoxLayout(self.content)
        self.body.setContentsMargins(0, 4, 0, 6)
        self.body.setSpacing(10)
        for widget in (self.title, self.text, self.content):
            column.addWidget(widget)
        mark_column = QVBoxLayout()
        mark_column.addWidget(self.mark)
        mark_column.addStretch(1)
        row.addLayout(mark_column)
        row.addLayout(column, 1)
        self.content.hide()

    def show_state(self, text: str, mark: str = "", *, is_open: bool = False) -> None:
        """Show how far the step is; `mark` takes the place of its number."""
        self.mark.setText(mark or str(self.number))
        role = {_DONE: "positive", _WRONG: "negative"}.get(mark, "accent" if is_open else "muted")
        set_role(self.mark, role)
        spoken = {_DONE: "done", _WRONG: "refused"}.get(mark, "now" if is_open else "later")
        self.mark.setAccessibleName(f"{self.mark.text()} {self._title}: {spoken}")
        self.text.setText(text)
        set_role(self.text, "negative" if mark == _WRONG else "muted")
        self.text.setVisible(bool(text))
        set_role(self.title, "" if is_open or mark else "muted")
        self.content.setVisible(is_open)


class SignOfflineSteps(QFrame):
    """Shows one payment; `given` brings what came back, to be compared by whoever listens."""

    sign_wanted = Signal()
    send_wanted = Signal()
    save_wanted = Signal(object)
    given = Signal(object)
    refused = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("offline_steps")
        self.setProperty("role", "card")
        self._look: PsbtLook | None = None
        self._stage = Stage.TAKE
        self._compared = ""
        self._refusal = ""
        self._is_hidden = False
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 18, 20, 18)
        layout.setSpacing(14)
        self.take = _Step(1, "Take it to the computer that signs")
        self.there = _Step(2, "Check and sign")
        self.back = _Step(3, "Bring it back")
        self.compare = _Step(4, "Compared with what you asked for")
        self.send = _Step(5, "Send it")
        for step in (self.take, self.there, self.back, self.compare, self.send):
            layout.addWidget(step)
        self._build_take()
        self._build_there()
        self._build_back()
        self._build_send()

    def _build_take(self) -> None:
        self.outputs = PsbtOutputs("offline_out")
        self.outputs.shown.connect(self._show_state)
        self.outputs.save_wanted.connect(self.save_wanted)
        self.take.body.addWidget(self.outputs)
        self.go_on = self._button("offline_go_on", "It is there: &go on")
        self.go_on.clicked.connect(self._went)
        self.outputs.add_button(self.go_on)

    def _build_there(self) -> None:
        row = FlowLayout(spacing=10)
        self.sign_here = self._button("offline_sign_here", "Sign &here")
        self.sign_here.clicked.connect(self.sign_wanted)
        row.addWidget(self.sign_here)
        self.there.body.addLayout(row)

    def _build_back(self) -> None:
        self.inputs = PsbtInputs("offline_in", has_primary=True)
        self.inputs.given.connect(self.given)
        self.inputs.refused.connect(self.refused)
        self.back.body.addWidget(self.inputs)
        row = FlowLayout(spacing=10)
        self.again = self._button("offline_again", "Show it once &more")
        self.again.clicked.connect(self._show_again)
        self.again.setProperty("role", "plain")
        row.addWidget(self.again)
        self.back.body.addLayout(row)

    def _build_send(self) -> None:
        row = FlowLayout(spacing=10)
        self.send_button = self._button("offline_send", "Se&nd the payment")
        self.send_button.clicked.connect(self.send_wanted)
        row.addWidget(self.send_button)
        self.send.body.addLayout(row)

    @staticmethod
    def _button(name: str, words: str) -> QPushButton:
        button = QPushButton(words)
        button.setObjectName(name)
        button.setAccessibleName(words.replace("&", ""))
        return button

    # --- what is shown

    @property
    def stage(self) -> Stage:
        return self._stage

    def show_look(self, look: PsbtLook, data: bytes, text: str, name: str) -> None:
        """Show a payment, or how it stands now; another one begins with the first step."""
        before, self._look = self._look, look
        self.outputs.show_psbt(data, text, name)
        is_other = before is None or before.txid != look.txid
        has_more = before is None or before.signatures.present != look.signatures.present
        if is_other:
            self._compared = self._refusal = ""
            self.outputs.hide_qr()
            self.inputs.close_scanner()
        if look.is_complete:
            self._stage = Stage.SEND
        elif is_other or has_more:
            self._stage = Stage.TAKE
            self.outputs.hide_qr()
        self._show_state()

    def show_compared(self, sentence: str) -> None:
        """Say that what came back is what was asked for."""
        self._compared, self._refusal = sentence, ""
        self._show_state()

    def show_refusal(self, sentence: str) -> None:
        """Say how what came back differs; what was asked for stays as it is."""
        self._refusal = sentence
        self._show_state()

    def show_saved(self, name: str) -> None:
        """The file is written: the way goes on with bringing back."""
        self._went()
        self.there.text.setText(f"Saved as {breakable(plain(name, 80))}. {self.there.text.text()}")

    def focus_next(self) -> None:
        """Give the keyboard to the next step."""
        is_first_here = self.sign_here.property("role") == "primary"
        button = {
            Stage.TAKE: self.sign_here if is_first_here else self.outputs.qr_button,
            Stage.RETURN: self.inputs.scan_button,
            Stage.SEND: self.send_button,
        }[self._stage]
        button.setFocus()

    def set_busy(self, *, is_busy: bool) -> None:
        """Hold back what would begin a second time."""
        self.sign_here.setEnabled(not is_busy)
        self.send_button.setEnabled(not is_busy)

    def set_hidden(self, hidden: bool) -> None:  # noqa: FBT001 - a Qt slot
        """Mask or show amounts, which a refusal may name."""
        self._is_hidden = hidden
        self._show_state()

    def clear(self) -> None:
        """Show nothing any more."""
        self._look = None
        self._compared = self._refusal = ""
        self.outputs.clear()
        self.inputs.close_scanner()

    def _went(self) -> None:
        if self._stage is Stage.TAKE:
            self._stage = Stage.RETURN
            self.outputs.hide_qr()
            self._show_state()
            self.inputs.scan_button.setFocus()

    def _show_again(self) -> None:
        self._stage = Stage.TAKE
        self.inputs.close_scanner()
        self._show_state()
        self.outputs.qr_button.setFocus()

    def _show_state(self) -> None:
        look = self._look
        if look is None:
            return
        stage = self._stage
        is_on_the_way = stage is Stage.TAKE
        signs_here = look.can_sign and is_on_the_way
        is_first_here = signs_here and look.signatures.is_shared
        who = self._next_signers(look)
        self.take.show_state(
            f"By QR codes, or as a file on a USB stick{who}. It holds no secrets."
            if is_on_the_way
            else "",
            "" if is_on_the_way else _DONE,
            is_open=is_on_the_way,
        )
        has_codes = self.outputs.qr is not None
        self.outputs.set_primary(is_primary=not has_codes and not is_first_here)
        set_role(self.go_on, "primary" if has_codes and not is_first_here else "")
        there = (
            "Open it there on the page Sign, compare address, amount and fee with what stands "
            "below, and sign."
        )
        if signs_here:
            there = (
                "This wallet has a key, too: sign with it here."
                if is_first_here
                else "Or sign with the keys of this wallet, on this computer."
            )
        if stage is Stage.SEND:
            self.there.show_state("", _DONE)
        else:
            self.there.show_state(there, is_open=signs_here)
        set_role(self.sign_here, "primary" if is_first_here else "")
        self.back.show_state(
            "Scan the codes that it shows then, or open the file that it wrote. The file may also "
            "be dropped on this page."
            if stage is Stage.RETURN
            else "",
            _DONE if stage is Stage.SEND else "",
            is_open=stage is Stage.RETURN,
        )
        if stage is Stage.RETURN:
            set_role(self.there.title, "")
        if self._refusal:
            words = _HIDDEN if self._is_hidden else plain(self._refusal, 600)
            self.compare.show_state(breakable(words), _WRONG)
        elif self._compared:
            self.compare.show_state(breakable(plain(self._compared, 1_500)), _DONE)
        else:
            self.compare.show_state("", _DONE if stage is Stage.SEND else "")
        is_ready = stage is Stage.SEND
        missing = "" if is_ready else breakable(plain(look.why_not_send, 600))
        self.send.show_state(missing, is_open=is_ready)
        set_role(self.send_button, "primary" if is_ready else "")

    @staticmethod
    def _next_signers(look: PsbtLook) -> str:
        others = [signer for signer in look.signatures.unsigned if not signer.is_own]
        if not look.signatures.is_shared or not others:
            return ""
        names = [breakable(plain(signer.title, 80)) for signer in others[:3]]
        more = " or another cosigner" if len(others) > len(names) else ""
        return f", to {' or '.join(names)}{more}"
