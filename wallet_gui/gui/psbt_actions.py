"""PsbtActions: what can be done with a payment that somebody else asked for."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QPushButton, QVBoxLayout

from wallet_gui.app.psbt_desk import PsbtLook
from wallet_gui.gui.psbt_inputs import PsbtInputs
from wallet_gui.gui.psbt_outputs import PsbtOutputs
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import heading, set_role, text_label

_ADD, _ADDED = "Add a cop&y that another signed", "Do not add a cop&y"


class PsbtActions(QFrame):
    """Sign here, give it on, add what others signed, finish; one of them is the next step."""

    sign_wanted = Signal()
    send_wanted = Signal()
    save_wanted = Signal(object)
    given = Signal(object)
    refused = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("psbt_actions")
        self.setProperty("role", "card")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 16)
        layout.setSpacing(12)
        layout.addWidget(heading("What to do", 115))
        self.text = text_label(role="muted")
        self.text.setObjectName("psbt_next")
        layout.addWidget(self.text)
        row = FlowLayout(spacing=10)
        self.sign_button = self._button("psbt_sign", "Sign &here")
        self.add_button = self._button("psbt_add", _ADD)
        self.send_button = self._button("psbt_send", "Fi&nish and send")
        self.sign_button.clicked.connect(self.sign_wanted)
        self.add_button.clicked.connect(self._toggle_inputs)
        self.send_button.clicked.connect(self.send_wanted)
        for button in (self.sign_button, self.add_button, self.send_button):
            row.addWidget(button)
        layout.addLayout(row)
        self.inputs = PsbtInputs("psbt_copy")
        self.inputs.given.connect(self.given)
        self.inputs.refused.connect(self.refused)
        self.inputs.hide()
        layout.addWidget(self.inputs)
        layout.addWidget(text_label("Pass it on, or back to whoever asked for it:", role="muted"))
        self.outputs = PsbtOutputs("psbt_out")
        self.outputs.save_wanted.connect(self.save_wanted)
        layout.addWidget(self.outputs)

    @staticmethod
    def _button(name: str, words: str) -> QPushButton:
        button = QPushButton(words)
        button.setObjectName(name)
        button.setAccessibleName(words.replace("&", ""))
        return button

    def show_look(self, look: PsbtLook, data: bytes, text: str, name: str) -> None:
        """Show what can be done with a payment."""
        self.outputs.show_psbt(data, text, name)
        self.sign_button.setVisible(look.has_keys)
        if look.review is None:
            words = "Ask whoever made it for one that says what each coin is worth."
        elif look.can_sign:
            words = "Check what it does, then sign it."
        elif look.is_complete:
            words = "It has all its signatures: whoever sends it finishes it."
        else:
            words = look.why_not_send
        self.text.setText(words)
        set_role(self.sign_button, "primary" if look.can_sign else "")
        set_role(self.send_button, "primary" if look.is_complete and not look.can_sign else "")
        is_next = not look.can_sign and not look.is_complete and look.review is not None
        self.outputs.set_primary(is_primary=is_next)
        self._show_inputs(is_shown=False)

    def set_busy(self, *, is_busy: bool) -> None:
        """Hold back what would begin a second time."""
        self.sign_button.setEnabled(not is_busy)
        self.send_button.setEnabled(not is_busy)

    def clear(self) -> None:
        """Show nothing any more."""
        self.outputs.clear()
        self._show_inputs(is_shown=False)

    def _toggle_inputs(self) -> None:
        self._show_inputs(is_shown=self.inputs.isHidden())

    def _show_inputs(self, *, is_shown: bool) -> None:
        self.inputs.close_scanner()
        self.inputs.setVisible(is_shown)
        words = _ADDED if is_shown else _ADD
        self.add_button.setText(words)
        self.add_button.setAccessibleName(words.replace("&", ""))
