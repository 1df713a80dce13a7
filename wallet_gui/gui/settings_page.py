"""Settings: whom the wallet asks for the chain, how the window looks, and when it locks."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QPushButton,
    QWidget,
)

from wallet_gui.gui.network_card import NetworkCard
from wallet_gui.gui.source_card import SourceCard
from wallet_gui.primitives.params import ChainParams
from wallet_gui.widgets.labels import caption, card, heading, text_label
from wallet_gui.widgets.page import Page

_THEMES = (("system", "As the system"), ("light", "Light"), ("dark", "Dark"))
_LOCKS = (
    (1, "After a minute without use"),
    (5, "After 5 minutes without use"),
    (15, "After 15 minutes without use"),
    (60, "After an hour without use"),
    (0, "Never"),
)
_SCALES = (80, 90, 100, 110, 125, 150, 175, 200)


class SettingsPage(Page):
    """Changes leave as signals; the application stores and applies them."""

    theme_wanted = Signal(str)
    scale_wanted = Signal(int)
    lock_minutes_wanted = Signal(int)
    back_wanted = Signal()

    def __init__(self, params: ChainParams, parent: QWidget) -> None:
        super().__init__("settings_page", parent)
        layout = self.body
        self.back_button = QPushButton("&Back")
        self.back_button.setObjectName("settings_back")
        self.back_button.setAccessibleName("Back")
        self.back_button.setProperty("role", "plain")
        self.back_button.clicked.connect(self.back_wanted.emit)
        self.back_button.hide()
        layout.addWidget(self.back_button, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(heading("Settings"))
        self.source = SourceCard("source", self)
        layout.addWidget(self.source)
        self.network = NetworkCard(params, self)
        layout.addWidget(self.network)
        layout.addWidget(self._make_look())
        layout.addWidget(self._make_lock())
        layout.addStretch(1)

    def add_card(self, frame: QWidget) -> None:
        """Add a card below the others."""
        self.body.insertWidget(self.body.count() - 1, frame)

    def _make_look(self) -> QWidget:
        frame = card()
        form = QFormLayout(frame)
        form.setContentsMargins(22, 18, 22, 18)
        form.setVerticalSpacing(12)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.setHorizontalSpacing(18)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.FieldsStayAtSizeHint)
        form.addRow(heading("Look", 120))
        self.theme_box = QComboBox()
        self.theme_box.setObjectName("settings_theme")
        self.theme_box.setAccessibleName("Colours")
        for key, text in _THEMES:
            self.theme_box.addItem(text, key)
        self.theme_box.currentIndexChanged.connect(
            lambda index: self.theme_wanted.emit(self.theme_box.itemData(index))
        )
        self.scale_box = QComboBox()
        self.scale_box.setObjectName("settings_scale")
        self.scale_box.setAccessibleName("Text size")
        for percent in _SCALES:
            self.scale_box.addItem(f"{percent} %", percent)
        self.scale_box.currentIndexChanged.connect(
            lambda index: self.scale_wanted.emit(self.scale_box.itemData(index))
        )
        self.scale_box.setCurrentIndex(_SCALES.index(100))
        form.addRow(caption("C&olours", self.theme_box, beside=True), self.theme_box)
        form.addRow(caption("&Text size", self.scale_box, beside=True), self.scale_box)
        return frame

    def _make_lock(self) -> QWidget:
        frame = card()
        form = QFormLayout(frame)
        form.setContentsMargins(22, 18, 22, 18)
        form.setVerticalSpacing(12)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.setHorizontalSpacing(18)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.FieldsStayAtSizeHint)
        form.addRow(heading("Lock", 120))
        form.addRow(
            text_label(
                "A locked wallet is closed: what is on screen goes, and its password is asked "
                "again. It locks with the screen and before the computer sleeps, where the "
                "system tells so, and after a while. The program goes on reading the chain.",
                role="muted",
            )
        )
        self.lock_box = QComboBox()
        self.lock_box.setObjectName("settings_lock")
        self.lock_box.setAccessibleName("Lock by itself")
        for minutes, text in _LOCKS:
            self.lock_box.addItem(text, minutes)
        self.lock_box.setCurrentIndex(1)
        self.lock_box.currentIndexChanged.connect(
            lambda index: self.lock_minutes_wanted.emit(self.lock_box.itemData(index))
        )
        form.addRow(caption("Lock by &itself", self.lock_box, beside=True), self.lock_box)
        return frame

    def show_settings(self, theme: str, scale: int, lock_minutes: int) -> None:
        """Show what is stored, without announcing it as a change."""
        for box, value, words in (
            (self.theme_box, theme, theme),
            (self.scale_box, scale, f"{scale} %"),
            (self.lock_box, lock_minutes, f"After {lock_minutes} minutes without use"),
        ):
            box.blockSignals(True)
            if box.findData(value) < 0:
                # A value from a settings file that somebody wrote by hand.
                box.addItem(words, value)
            box.setCurrentIndex(box.findData(value))
            box.blockSignals(False)
