"""WaitingPayments: what was asked for or signed here and waits for the signatures of others."""

from collections.abc import Sequence
from datetime import datetime

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QPushButton, QVBoxLayout, QWidget

from wallet_gui.app.psbt_desk import PsbtLook
from wallet_gui.gui.wallet_model import MASK
from wallet_gui.primitives.amount import format_btc
from wallet_gui.wallet.review import OutputKind
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import card, heading, text_label
from wallet_gui.widgets.text import shortened


class WaitingPayments(QWidget):
    """One card for each."""

    open_wanted = Signal(object)  # PsbtLook
    forget_wanted = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("psbt_waiting")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(12)
        layout.addWidget(heading("Waiting for signatures", 115))
        self._list = QVBoxLayout()
        self._list.setSpacing(12)
        layout.addLayout(self._list)
        self._looks: tuple[PsbtLook, ...] = ()
        self._is_hidden = False
        self.hide()

    @property
    def has_any(self) -> bool:
        return bool(self._looks)

    def show_looks(self, looks: Sequence[PsbtLook]) -> None:
        """Show these, in this order."""
        self._looks = tuple(looks)
        self._draw()

    def set_hidden(self, hidden: bool) -> None:  # noqa: FBT001 - a Qt slot
        """Mask the amounts, or show them."""
        if hidden is not self._is_hidden:
            self._is_hidden = hidden
            self._draw()

    def _draw(self) -> None:
        while (item := self._list.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.setParent(None)
                widget.deleteLater()
        for number, look in enumerate(self._looks, 1):
            self._list.addWidget(self._row(number, look))

    def _row(self, number: int, look: PsbtLook) -> QFrame:
        frame = card()
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(20, 14, 20, 14)
        layout.setSpacing(6)
        title = text_label(summary(look, is_hidden=self._is_hidden))
        title.setObjectName(f"psbt_waiting_{number}_title")
        layout.addWidget(title)
        layout.addWidget(text_label(_state(look), role="warning" if look.spent_by else "muted"))
        row = FlowLayout(spacing=10)
        for key, words, signal in (
            ("open", "Go on", self.open_wanted),
            ("forget", "Give up\u2026", self.forget_wanted),
        ):
            button = QPushButton(words)
            button.setObjectName(f"psbt_waiting_{number}_{key}")
            button.setAccessibleName(f"{words.rstrip(chr(0x2026))}, payment {number}")
            button.setProperty("role", "" if key == "open" else "plain")
            button.clicked.connect(lambda _=False, s=signal: s.emit(look))
            row.addWidget(button)
        layout.addLayout(row)
        return frame


def summary(look: PsbtLook, *, is_hidden: bool = False) -> str:
    """Say in a line what a payment does."""
    review = look.review
    if review is None:
        return "A payment whose amounts are not known"
    foreign = [o for o in review.outgoing if o.kind is OutputKind.PAYMENT] or list(review.outgoing)
    amount = MASK if is_hidden else format_btc(review.sent_sat)
    if not foreign:
        return f"{amount} BTC, to this wallet itself"
    where = shortened(foreign[0].address or foreign[0].script_pubkey.hex(), 12)
    more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
    return f"{amount} BTC to {where}{more}"


def _state(look: PsbtLook) -> str:
    if look.spent_by is not None:
        return "Another payment has spent a coin of it: it cannot be sent any more."
    signatures = look.signatures
    parts = [f"{signatures.present} of {signatures.required} signatures"]
    if look.created:
        parts.append(f"begun {datetime.fromtimestamp(look.created).astimezone():%Y-%m-%d %H:%M}")
    if not look.is_asked:
        parts.append("asked for by somebody else")
    if not look.is_kept:
        parts.append("too large for the wallet file: save it to a file before you close")
    return ", ".join(parts) + "."
