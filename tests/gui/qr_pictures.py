"""QR codes as pictures, as a person would have them: drawn, in a file, several in one."""

from pathlib import Path

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter

from wallet_gui.widgets.qr_code import qr_modules


def picture(text: str, scale: int = 4, *, version: int | None = None) -> QImage:
    """One code as the window draws it."""
    modules = qr_modules(text, level="L", version=version)
    size = QSize(modules.width() * scale, modules.height() * scale)
    return modules.scaled(
        size, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.FastTransformation
    )


def sheet(texts: list[str], columns: int = 2, *, scale: int = 4) -> QImage:
    """Several codes side by side on one page."""
    codes = [picture(text, scale) for text in texts]
    width = max(code.width() for code in codes)
    rows = -(-len(codes) // columns)
    page = QImage(columns * width, rows * width, QImage.Format.Format_RGB32)
    page.fill(QColor("white"))
    painter = QPainter(page)
    for number, code in enumerate(codes):
        painter.drawImage(number % columns * width, number // columns * width, code)
    painter.end()
    return page


def saved(image: QImage, path: Path) -> str:
    assert image.save(str(path))
    return str(path)
