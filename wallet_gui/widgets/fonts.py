"""The bundled fonts: Inter for text, JetBrains Mono for addresses and amounts.

They are shipped because the fonts of a bare system may lack the bitcoin sign, and because
look-alike characters in an address must be told apart.
"""

from PySide6.QtGui import QFont, QFontDatabase, QTextLayout
from PySide6.QtWidgets import QApplication, QWidget

from wallet_gui.widgets.resources import resource

TEXT_FAMILY = "Inter"
MONOSPACE_FAMILY = "JetBrains Mono"
_FILES = (
    "Inter-Regular.otf",
    "Inter-SemiBold.otf",
    "JetBrainsMono-Regular.ttf",
    "JetBrainsMono-SemiBold.ttf",
)
MINIMUM_SCALE, MAXIMUM_SCALE = 80, 200
_WANTED = "wantedFont"
_LIGATURES = QFont.Tag("calt")
_BASE_POINTS_TIMES_TEN = 105


def install_fonts(application: QApplication, scale_percent: int = 100) -> None:
    """Register the bundled fonts and make Inter the application's font.

    `scale_percent` is the text size asked for in the settings, 80 to 200.
    """
    known = set(QFontDatabase.families())
    if not {TEXT_FAMILY, MONOSPACE_FAMILY} <= known:
        for name in _FILES:
            QFontDatabase.addApplicationFont(str(resource("fonts", name)))
    application.setFont(text_font(scale_percent))


def text_font(scale_percent: int = 100) -> QFont:
    """The text font at the given scale."""
    scale = max(MINIMUM_SCALE, min(MAXIMUM_SCALE, scale_percent))
    font = QFont(TEXT_FAMILY)
    font.setPointSizeF(_BASE_POINTS_TIMES_TEN * scale / 1000)
    return font


def use_font(
    widget: QWidget, *, percent: int = 100, bold: bool = False, monospace: bool = False
) -> None:
    """Give a widget a font that follows the text size of the application, also when it changes."""
    widget.setProperty(_WANTED, [percent, bold, monospace])
    font = resized(QApplication.font(), percent, bold=bold)
    widget.setFont(monospace_font(font, bold=bold) if monospace else font)


def change_scale(application: QApplication, scale_percent: int) -> None:
    """Change the text size of everything that is on screen."""
    application.setFont(text_font(scale_percent))
    for widget in application.allWidgets():
        wanted = widget.property(_WANTED)
        if wanted:
            percent, bold, monospace = wanted
            use_font(widget, percent=percent, bold=bold, monospace=monospace)


def monospace_font(like: QFont, *, bold: bool = False) -> QFont:
    """The monospace font in the size of `like`; digits align and 0 differs from O.

    Its ligatures are for program text: they would draw the "/*" of a descriptor as one sign.
    """
    font = QFont(MONOSPACE_FAMILY)
    font.setFeature(_LIGATURES, 0)
    font.setPointSizeF(like.pointSizeF())
    font.setStyleHint(QFont.StyleHint.Monospace)
    if bold:
        font.setWeight(QFont.Weight.DemiBold)
    return font


def has_glyphs(font: QFont, text: str) -> bool:
    """Whether `font`, or one that Qt takes in its place, can draw every character of `text`."""
    layout = QTextLayout(text, font)
    layout.beginLayout()
    while layout.createLine().isValid():
        pass
    layout.endLayout()
    return all(0 not in run.glyphIndexes() for run in layout.glyphRuns())


def resized(font: QFont, percent: int, *, bold: bool = False) -> QFont:
    """A copy of `font` at `percent` of its size, for headings and hints."""
    copy = QFont(font)
    copy.setPointSizeF(font.pointSizeF() * percent / 100)
    if bold:
        copy.setWeight(QFont.Weight.DemiBold)
    return copy
