import re

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QFont, QFontDatabase, QFontMetrics, QTextLayout
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QCheckBox,
    QComboBox,
    QPushButton,
    QRadioButton,
    QTabBar,
    QWidget,
)
from pytestqt.qtbot import QtBot

from wallet_gui.widgets import fonts, theme


def _luminance(colour: str) -> float:
    channels = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(first: str, second: str) -> float:
    low, high = sorted((_luminance(first), _luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [theme.LIGHT, theme.DARK], ids=lambda item: item.name)
@pytest.mark.parametrize(("front", "back"), theme.TEXT_PAIRS)
def test_text_has_the_contrast_that_wcag_asks_for(
    scheme: theme.Theme, front: str, back: str
) -> None:
    assert _contrast(getattr(scheme, front), getattr(scheme, back)) >= 4.5


@pytest.mark.parametrize("scheme", [theme.LIGHT, theme.DARK], ids=lambda item: item.name)
def test_every_token_of_the_style_sheet_is_replaced(scheme: theme.Theme) -> None:
    assert not re.findall(r"\$\w+", theme.style_sheet(scheme))


def test_bundled_fonts_have_the_bitcoin_sign(qtbot: QtBot, qapp: QApplication) -> None:
    fonts.install_fonts(qapp)
    assert fonts.TEXT_FAMILY in QFontDatabase.families()
    for font in (fonts.text_font(), fonts.monospace_font(fonts.text_font())):
        assert QFontMetrics(font).inFontUcs4(0x20BF)


def _glyphs(font: QFont, text: str) -> list[int]:
    layout = QTextLayout(text, font)
    layout.beginLayout()
    layout.createLine()
    layout.endLayout()
    return [glyph for run in layout.glyphRuns() for glyph in run.glyphIndexes()]


def test_signs_of_a_descriptor_are_drawn_one_by_one(qtbot: QtBot, qapp: QApplication) -> None:
    fonts.install_fonts(qapp)
    font = fonts.monospace_font(fonts.text_font())
    for text in ("/*", "<0;1>/*)#", "www", "--", "=>"):
        assert _glyphs(font, text) == [glyph for sign in text for glyph in _glyphs(font, sign)]


@pytest.mark.parametrize("kind", [QPushButton, QCheckBox, QRadioButton, QComboBox, QTabBar])
def test_the_keyboard_has_one_mark(
    qtbot: QtBot, themed: theme.ThemeSwitch, kind: type[QWidget]
) -> None:
    assert themed.choice == "light"
    window = QWidget()
    qtbot.addWidget(window)
    widget = kind(window)
    if isinstance(widget, QAbstractButton):
        widget.setText("Settings")
    elif isinstance(widget, QComboBox):
        widget.addItem("Settings")
    elif isinstance(widget, QTabBar):
        widget.addTab("Settings")
    widget.resize(160, 40)
    window.show()
    with qtbot.waitActive(window):
        window.activateWindow()
    widget.clearFocus()
    without = widget.grab().toImage()
    widget.setFocus(Qt.FocusReason.MouseFocusReason)
    by_keyboard = Qt.WidgetAttribute.WA_KeyboardFocusChange
    window.setAttribute(by_keyboard, on=False)
    marked = widget.grab().toImage()
    assert marked != without
    window.setAttribute(by_keyboard, on=True)
    assert widget.grab().toImage() == marked


@pytest.mark.parametrize("role", ["", "plain", "danger", "primary"])
def test_a_button_that_is_held_back_looks_so(
    qtbot: QtBot, themed: theme.ThemeSwitch, role: str
) -> None:
    assert themed.choice == "light"
    button = QPushButton("Settings")
    qtbot.addWidget(button)
    button.setProperty("role", role)
    offered = button.grab().toImage()
    button.setEnabled(False)
    assert button.grab().toImage() != offered
