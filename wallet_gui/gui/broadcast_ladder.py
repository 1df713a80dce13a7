"""BroadcastLadder: the evidence that a payment spreads, step by step."""

from PySide6.QtWidgets import QFrame, QLabel, QVBoxLayout, QWidget

from wallet_gui.chain.backend import BroadcastStage
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import set_role, text_label

_STEPS = (
    (BroadcastStage.SENT, "1  Sent", "offered to"),
    (BroadcastStage.REQUESTED, "2  Requested", "fetched by"),
    (BroadcastStage.ECHOED, "3  Accepted", "held by"),
    (BroadcastStage.SPREAD, "4  Spread", "known to"),
)
_ORDER = [stage for stage, _, _ in _STEPS]
_MEANING = {
    BroadcastStage.SENT: "Waiting for a peer to fetch the payment.",
    BroadcastStage.REQUESTED: "A peer has fetched it. Waiting for one to show that it took it in.",
    BroadcastStage.ECHOED: "A peer took it in: it announced the payment, or gave it back.",
    BroadcastStage.SPREAD: (
        "Peers of two networks that did not get it from us have it: it is out. A block has to hold "
        "it before it is confirmed."
    ),
}


class BroadcastLadder(QFrame):
    """Hidden until a payment is sent."""

    def __init__(self, name: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setProperty("role", "card")
        self._reached = -1
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 10, 16, 10)
        layout.setSpacing(8)
        steps = FlowLayout(spacing=12, equal=True)
        self.steps: dict[BroadcastStage, QLabel] = {}
        self._details: dict[BroadcastStage, QLabel] = {}
        for stage, title, _ in _STEPS:
            cell = QWidget()
            column = QVBoxLayout(cell)
            column.setContentsMargins(0, 0, 0, 0)
            column.setSpacing(2)
            label = text_label(title, wrap=False)
            detail = text_label("\N{EN DASH}", role="muted", wrap=False)
            column.addWidget(label)
            column.addWidget(detail)
            steps.addWidget(cell)
            self.steps[stage], self._details[stage] = label, detail
        layout.addLayout(steps)
        self.sentence = text_label()
        self.sentence.setObjectName(f"{name}_sentence")
        layout.addWidget(self.sentence)
        self.hide()

    @property
    def reached(self) -> BroadcastStage | None:
        """The highest stage so far."""
        return _ORDER[self._reached] if self._reached >= 0 else None

    def begin(self) -> None:
        """Begin with a payment that is about to be sent."""
        self._reached = -1
        for detail in self._details.values():
            detail.setText("\N{EN DASH}")
        self._draw("Signed and stored. Looking for a peer to send it to.")
        self.show()

    def reach(self, stage: BroadcastStage, peers: int) -> None:
        """Show that a stage was reached, with how many peers stand for it."""
        if stage not in _MEANING:
            return
        self._reached = max(self._reached, _ORDER.index(stage))
        verb = next(words for step, _, words in _STEPS if step is stage)
        self._details[stage].setText(f"{verb} {peers} peer{'' if peers == 1 else 's'}")
        self._draw(_MEANING[_ORDER[self._reached]])
        self.show()

    def fail(self, sentence: str) -> None:
        """The payment is not known to have spread; it is kept and sent again."""
        self._draw(sentence, is_failure=True)
        self.show()

    def clear(self) -> None:
        """Nothing is being sent."""
        self.hide()

    def _draw(self, sentence: str, *, is_failure: bool = False) -> None:
        for number, (stage, title, _) in enumerate(_STEPS):
            is_reached = number <= self._reached
            label = self.steps[stage]
            set_role(label, "positive" if is_reached else "muted")
            state = "reached" if is_reached else "not yet"
            label.setAccessibleName(f"{title}: {state}, {self._details[stage].text()}")
        self.sentence.setText(sentence)
        set_role(self.sentence, "warning" if is_failure else "")
