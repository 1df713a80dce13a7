"""Reads QR codes out of pictures and picture files. All of it may run outside the GUI thread."""

from collections.abc import Iterator
from typing import Final

from PySide6.QtCore import QFileInfo, Qt
from PySide6.QtGui import QColor, QImage, QImageReader, QPainter

from wallet_gui.primitives.serialize import ParseError
from wallet_gui.widgets.text import plain

MAX_FILE_BYTES: Final = 50_000_000
MAX_PIXELS: Final = 60_000_000
"""In one picture: twice what a good telephone takes."""

MAX_FRAMES: Final = 3_000
"""Pictures in one file, where it is animated."""

MAX_CODES: Final = 64
"""QR codes in one picture."""

_NO_PICTURE: Final = "That is not a picture that can be read. Use a PNG or JPEG file."
_TOO_LARGE: Final = "That picture is too large. Cut out the part with the QR code."


def read_codes(image: QImage) -> list[str]:
    """Return the texts of the QR codes in a picture, each once, in reading order of the finder.

    A code of raw bytes is left out: no wallet writes one. Raises ParseError when the picture is
    too large.
    """
    # Loaded with the first picture, so that the first window does not wait for it.
    import zxingcpp  # noqa: PLC0415

    if image.isNull():
        raise ParseError(_NO_PICTURE)
    if image.width() * image.height() > MAX_PIXELS:
        raise ParseError(_TOO_LARGE)
    gray = _on_white(image).convertToFormat(QImage.Format.Format_Grayscale8)
    # Rows are padded to four bytes: the padding is read as up to three more columns of picture.
    shape = [gray.height(), gray.bytesPerLine()]
    pixels = memoryview(bytes(gray.constBits())).cast("B", shape=shape)
    formats = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
    found = zxingcpp.read_barcodes(pixels, formats=formats)
    texts = []
    for barcode in found[:MAX_CODES]:
        try:
            text = barcode.bytes.decode()
        except UnicodeDecodeError:
            continue
        if text and text not in texts:
            texts.append(text)
    return texts


def _on_white(image: QImage) -> QImage:
    """The picture as it is seen on paper; what is transparent would be black otherwise."""
    if not image.hasAlphaChannel():
        return image
    flat = QImage(image.size(), QImage.Format.Format_RGB32)
    flat.fill(QColor(Qt.GlobalColor.white))
    painter = QPainter(flat)
    painter.drawImage(0, 0, image)
    painter.end()
    return flat


def pictures_of(path: str) -> Iterator[QImage]:
    """Read the pictures of a file one by one: one, or as many as an animation has.

    Raises ParseError with a sentence when it is too large or not a picture.
    """
    information = QFileInfo(path)
    name = plain(information.fileName(), 80)
    if not information.isFile() or not information.isReadable():
        raise ParseError(f"The file {name} cannot be read.")
    if information.size() > MAX_FILE_BYTES:
        raise ParseError(_TOO_LARGE)
    reader = QImageReader(path)
    reader.setAutoTransform(True)
    # What a picture is says its content, never the end of its name.
    reader.setDecideFormatFromContent(True)
    size = reader.size()
    if size.isValid() and size.width() * size.height() > MAX_PIXELS:
        raise ParseError(_TOO_LARGE)
    for number in range(MAX_FRAMES):
        image = reader.read()
        if image.isNull():
            if number == 0:
                raise ParseError(_NO_PICTURE)
            return
        yield image
        if not reader.supportsAnimation():
            return
