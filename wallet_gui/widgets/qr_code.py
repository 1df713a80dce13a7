"""A QR code drawn with whole pixels per module, always dark on light."""

from typing import cast

from PySide6.QtCore import QPoint, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

_QUIET_MODULES = 4
_DARK, _LIGHT = QColor("#000000"), QColor("#ffffff")


def qr_modules(text: str, *, level: str = "M", version: int | None = None) -> QImage:
    """One pixel per module, with the quiet zone of four modules that scanners need.

    `level` is the error correction, L to H. `version` is the size, 1 to 40, that a code has at
    least; without it the text alone decides. A text of capitals is packed in alphanumeric mode.
    """
    # Loaded with the first code, so that the first window does not wait for it.
    import zxingcpp  # noqa: PLC0415

    options = {} if version is None else {"version": version}
    barcode = zxingcpp.create_barcode(
        text, zxingcpp.BarcodeFormat.QRCode, ec_level=level, **options
    )
    pixels = zxingcpp.write_barcode_to_image(barcode, scale=1, add_quiet_zones=False)
    height, width = pixels.shape[0], pixels.shape[1]
    # An Image speaks the buffer protocol, which its type stub does not say.
    data = bytes(memoryview(cast("bytes", pixels)))
    image = QImage(data, width, height, width, QImage.Format.Format_Grayscale8)
    framed = QImage(
        width + 2 * _QUIET_MODULES, height + 2 * _QUIET_MODULES, QImage.Format.Format_Grayscale8
    )
    framed.fill(_LIGHT)
    painter = QPainter(framed)
    painter.drawImage(_QUIET_MODULES, _QUIET_MODULES, image)
    painter.end()
    return framed


class QrCode(QWidget):
    """Shows a text as a QR code; the accessible name says what it holds."""

    def __init__(
        self, caption: str = "QR code", parent: QWidget | None = None, *, side: int | None = None
    ) -> None:
        """Make an empty frame; `side` is the most that it grows to."""
        super().__init__(parent)
        self._side = side
        self._caption = caption
        self._modules: QImage | None = None
        self.text = ""
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setMinimumSize(180, 180)
        self.set_text("")

    def set_text(self, text: str, spoken: str = "") -> None:
        """Draw `text`; an empty one leaves an empty frame. `spoken` is named in its place."""
        self.text = text
        self._modules = qr_modules(text) if text else None
        self.setAccessibleName(
            f"{self._caption}: {spoken or text}" if text else f"{self._caption}: none yet"
        )
        self.update()

    def set_modules(self, text: str, modules: QImage, spoken: str) -> None:
        """Draw a code that was made before: one of `text`, named `spoken`."""
        self.text = text
        self._modules = modules
        self.setAccessibleName(f"{self._caption}: {spoken}")
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(240, 240)

    def heightForWidth(self, width: int) -> int:
        return width if self._side is None else min(width, self._side)

    def paintEvent(self, _event: QPaintEvent) -> None:
        if self._modules is None:
            return
        ratio = self.devicePixelRatioF()
        side = self._modules.width()
        # Whole device pixels per module: a scaled module would blur its edges.
        available = int(min(self.width(), self.height()) * ratio)
        drawn = max(1, available // side) * side / ratio
        # The corner lies on a device pixel too, which a whole point need not be at 125 or 150 %.
        origin = self.mapTo(self.window(), QPoint(0, 0))
        left = round((origin.x() + (self.width() - drawn) / 2) * ratio) / ratio - origin.x()
        top = round((origin.y() + (self.height() - drawn) / 2) * ratio) / ratio - origin.y()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, on=False)
        painter.drawImage(
            QRectF(left, top, drawn, drawn),
            self._modules.convertToFormat(
                QImage.Format.Format_RGB32, Qt.ImageConversionFlag.NoOpaqueDetection
            ),
        )
