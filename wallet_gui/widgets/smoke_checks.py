"""Checks of what only a window has: fonts, icons, QR codes, and the window itself on the screen."""

import time
from collections.abc import Callable, Mapping
from typing import Final

from PySide6.QtCore import QEvent, QObject, qVersion
from PySide6.QtGui import QFontDatabase, QFontMetrics, QGuiApplication, QIcon, QImage
from PySide6.QtWidgets import QWidget

from wallet_gui.primitives.check_failed import CheckFailed
from wallet_gui.widgets.fonts import MONOSPACE_FAMILY, TEXT_FAMILY, monospace_font, text_font
from wallet_gui.widgets.qr_code import qr_modules
from wallet_gui.widgets.qr_images import read_codes
from wallet_gui.widgets.resources import resource

BITCOIN_SIGN: Final = 0x20BF
_ICON_SIZE: Final = 64
_LEAST_ICONS: Final = 5
_LEAST_COLOURS: Final = 4
_SAMPLES: Final = 40
_LINK: Final = "bitcoin:bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu?amount=0.5"


def check_fonts() -> str:
    """Whether the fonts that are shipped are there and have the bitcoin sign, in text and code."""
    families = set(QFontDatabase.families())
    for family in (TEXT_FAMILY, MONOSPACE_FAMILY):
        if family not in families:
            raise CheckFailed(f"The font {family} is missing.")
    for font in (text_font(), monospace_font(text_font())):
        if not QFontMetrics(font).inFontUcs4(BITCOIN_SIGN):
            raise CheckFailed(f"The font {font.family()} has no bitcoin sign (U+20BF).")
    return f"{TEXT_FAMILY} and {MONOSPACE_FAMILY}, both with U+20BF"


def check_icons() -> str:
    """Whether every icon that is shipped can be drawn, which takes Qt's plug-ins for SVG."""
    paths = sorted(resource("icons").glob("*.svg"))
    if len(paths) < _LEAST_ICONS:
        raise CheckFailed("Icons are missing.")
    for path in paths:
        image = QIcon(str(path)).pixmap(_ICON_SIZE).toImage()
        if image.isNull() or not _opaque(image):
            raise CheckFailed(f"The icon {path.name} cannot be drawn.")
    return f"{len(paths)} drawn from SVG"


def _opaque(image: QImage) -> bool:
    return any(
        image.pixelColor(x, y).alpha()
        for y in range(image.height())
        for x in range(0, image.width(), 2)
    )


def check_codes() -> str:
    """Whether a QR code that is drawn can be read again."""
    modules = qr_modules(_LINK)
    size = modules.size() * 4
    if read_codes(modules.scaled(size)) != [_LINK]:
        raise CheckFailed("A QR code that was drawn here cannot be read here.")
    return "one drawn and read"


class FirstFrame(QObject):
    """Notes when a window was painted for the first time."""

    def __init__(self, window: QWidget, began: float) -> None:
        """Watch a window that is not shown yet; `began` is a time of the monotonic clock."""
        super().__init__(window)
        self._began = began
        self.milliseconds: int | None = None
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: ARG002 - Qt's
        if self.milliseconds is None and event.type() == QEvent.Type.Paint:
            self.milliseconds = int((time.monotonic() - self._began) * 1000)
        return False


def look_at_window(
    window: QWidget,
    first_frame: FirstFrame,
    pages: Mapping[str, Callable[[], object]],
    qt_messages: list[str],
) -> str | None:
    """Whether a window is on screen and each of its pages can be drawn; None while it is not.

    `pages` shows each page in its window. Raises CheckFailed for an empty picture, and for
    whatever Qt has complained about since the start.
    """
    # Only a window that was painted has a handle.
    if first_frame.milliseconds is None or not window.windowHandle().isExposed():
        return None
    for name, show in pages.items():
        show()
        if _colours(window.grab().toImage()) < _LEAST_COLOURS:
            raise CheckFailed(f"The page {name} is empty.")
    if qt_messages:
        raise CheckFailed(f"Qt complained: {qt_messages[0].rstrip('.')}.")
    ratio = window.devicePixelRatioF()
    return (
        f"{len(pages)} pages drawn, first frame after {first_frame.milliseconds} ms, "
        f"{window.width()}x{window.height()} at {ratio:g}, "
        f"platform {QGuiApplication.platformName()}, Qt {qVersion()}"
    )


def _colours(image: QImage) -> int:
    """Count the colours of a picture at points spread over it."""
    if image.isNull():
        return 0
    across, down = max(1, image.width() // _SAMPLES), max(1, image.height() // _SAMPLES)
    return len(
        {
            image.pixel(x, y)
            for x in range(0, image.width(), across)
            for y in range(0, image.height(), down)
        }
    )
