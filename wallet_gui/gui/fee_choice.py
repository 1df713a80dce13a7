"""FeeChoice: three speeds as the network suggests them, or a rate of one's own."""

import time
from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QLineEdit, QVBoxLayout, QWidget

from wallet_gui.app.network_words import advice_age, rate_text
from wallet_gui.chain.reports import FeeAdvice
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import text_label
from wallet_gui.widgets.text import plain

_SPEEDS = (
    ("slow", "Whenever there is room"),
    ("normal", "Within hours"),
    ("fast", "Soon"),
)
_LEAST = "The least that peers take"
_OWN = "Own rate"
_NOTHING_KNOWN = (
    "No usual rates are known: none of the connected peers has told anything yet, and no website "
    "is asked. Type a rate of your own."
)


class FeeChoice(QWidget):
    """A choice stays what the person chose while the advice behind it changes."""

    changed = Signal()

    def __init__(self, parent: QWidget, clock: Callable[[], float] = time.time) -> None:
        super().__init__(parent)
        self._clock = clock
        self._advice: FeeAdvice | None = None
        self._is_chosen = False  # by the person: advice that comes later does not change it
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        row = FlowLayout(spacing=12)
        caption = text_label("&Fee", role="muted", wrap=False)
        caption.setContentsMargins(0, 8, 0, 8)
        row.addWidget(caption)
        self.choice = QComboBox()
        self.choice.setObjectName("send_fee_choice")
        self.choice.setAccessibleName("How soon it should confirm")
        self.choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        caption.setBuddy(self.choice)
        row.addWidget(self.choice)
        self.rate = QLineEdit()
        self.rate.setObjectName("send_fee_rate")
        self.rate.setAccessibleName("Fee rate in satoshis per virtual byte")
        self.rate.setPlaceholderText("2.5")
        self.rate.setMaxLength(12)
        self.rate.setMaximumWidth(110)
        row.addWidget(self.rate)
        unit = text_label("sat/vB", role="muted", wrap=False)
        unit.setContentsMargins(0, 8, 0, 8)
        row.addWidget(unit)
        layout.addLayout(row)
        self.source = text_label(role="muted")
        self.source.setObjectName("send_fee_source")
        layout.addWidget(self.source)
        self.warning = text_label(role="warning")
        self.warning.setObjectName("send_fee_warning")
        self.warning.hide()
        layout.addWidget(self.warning)
        # Not `activated`: a screen reader may change the choice, which is no click.
        self.choice.currentIndexChanged.connect(self._choose)
        self.rate.textEdited.connect(self._type)
        self.show_advice(None)

    def show_advice(self, advice: FeeAdvice | None) -> None:
        """Show what the network suggests; what the person typed stays."""
        items = _items(advice)
        shown = [
            (self.choice.itemText(n), self.choice.itemData(n)) for n in range(self.choice.count())
        ]
        wanted = [*((text, key) for key, text, _ in items), (_OWN, "")]
        key = self.choice.currentData()
        self._advice = advice
        if shown != wanted:
            self.choice.blockSignals(True)
            self.choice.clear()
            for text, data in wanted:
                self.choice.addItem(text, data)
            self.choice.blockSignals(False)
        keys = [key for key, _, _ in items]
        if not self._is_chosen or (key and key not in keys):
            key = next((k for k in ("normal", "slow", "least", "fast") if k in keys), "")
        # A rate that was typed is never replaced by what somebody else suggests.
        self._select(key or "")
        rate = next((rate for k, _, rate in items if k == key), None)
        if rate is not None and self.rate.text() != str(FeeRate(rate)):
            self.rate.setText(str(FeeRate(rate)))
            self.changed.emit()
        self._say()

    def reset(self) -> None:
        """Go back to what is suggested."""
        self._is_chosen = False
        self.rate.clear()
        self.show_advice(self._advice)

    def read(self) -> tuple[FeeRate | None, str]:
        """The rate, or what is wrong with it as one sentence."""
        return read_fee_rate(self.rate.text())

    def _choose(self, index: int) -> None:
        self._is_chosen = True
        key = self.choice.itemData(index)
        rate = next((rate for k, _, rate in _items(self._advice) if k == key), None)
        if rate is None:
            self.rate.setFocus()
            self.rate.selectAll()
        else:
            self.rate.setText(str(FeeRate(rate)))
        self._say()
        self.changed.emit()

    def _select(self, key: str) -> None:
        """Show a choice without taking it for the person's."""
        self.choice.blockSignals(True)
        self.choice.setCurrentIndex(max(0, self.choice.findData(key)))
        self.choice.blockSignals(False)

    def _type(self, _text: str) -> None:
        self._is_chosen = True
        self._select("")
        self._say()
        self.changed.emit()

    def _say(self) -> None:
        advice = self._advice
        if advice is None:
            self.source.setText(_NOTHING_KNOWN)
        else:
            age = advice_age(advice, int(self._clock()))
            self.source.setText(f"{plain(advice.source, 300)} Learned {age}.")
        rate, problem = self.read()
        least = None if advice is None else advice.minimum
        is_low = rate is not None and not problem and least is not None
        is_low = is_low and rate is not None and least is not None and rate.sat_per_kvb < least
        self.warning.setVisible(is_low)
        self.warning.setText(
            f"Peers take nothing below {rate_text(least)} at present: this payment would not "
            "spread until that falls."
            if is_low and least is not None
            else ""
        )


def _items(advice: FeeAdvice | None) -> list[tuple[str, str, int]]:
    """What can be chosen: (key, text, sat/kvB)."""
    if advice is None:
        return []
    items = [
        (key, f"{words} ({rate_text(rate)})", rate)
        for key, words in _SPEEDS
        if (rate := getattr(advice, key)) is not None
    ]
    if not items and advice.minimum:
        items = [("least", f"{_LEAST} ({rate_text(advice.minimum)})", advice.minimum)]
    return items


def read_fee_rate(text: str) -> tuple[FeeRate | None, str]:
    """Read a fee rate as a person types it; what is wrong comes back as one sentence."""
    text = text.strip()
    if not text:
        return None, "Enter a fee rate in sat/vB, such as 2.5."
    try:
        rate = FeeRate.parse(text)
    except ParseError as error:
        return None, str(error)
    if rate.sat_per_kvb == 0:
        return None, "Without a fee nobody would confirm the payment: enter a rate above 0."
    return rate, ""
