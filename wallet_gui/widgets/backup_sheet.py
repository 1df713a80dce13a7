"""The backup sheet: a page to be printed and kept with the words, which are written in by hand.

It says which wallet the words belong to and how it is brought back. Nothing on it is secret before
a person writes the words into it: whoever prints it may do so on any printer. All of it is drawn
here, offline, for A4 and for Letter.
"""

import itertools
from pathlib import Path
from typing import Final

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QMarginsF, QPointF, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QImage,
    QPageSize,
    QPainter,
    QPdfWriter,
    QPen,
)

from wallet_gui.primitives.plain_text import plain_text
from wallet_gui.storage.fs import write_atomically
from wallet_gui.wallet.backup_sheet import SheetContents
from wallet_gui.widgets.fonts import MONOSPACE_FAMILY, TEXT_FAMILY
from wallet_gui.widgets.qr_code import qr_modules

A4: Final = "A4"
LETTER: Final = "Letter"
PAGE_SIZES: Final = {A4: QPageSize.PageSizeId.A4, LETTER: QPageSize.PageSizeId.Letter}
MOST_BOXES: Final = 24

_MARGIN: Final = 16.0  # mm
_INK: Final = QColor("#111418")
_MUTED: Final = QColor("#555c66")
_RULE: Final = QColor("#b9bfc7")
_COLUMNS: Final = 3
_MANY_COLUMNS: Final = 4
_MANY: Final = 15
_GAP: Final = 3.0
_WHY_SHARED: Final = (
    "The words alone do not find the money of a multisig: the keys of all cosigners are needed "
    "too, and they are in this text. Each cosigner should keep it with their words."
)
_WHY: Final = "It says which addresses belong to the wallet."
_QR_SIDE: Final = 95.0
_SMALLEST_QR: Final = 45.0
_QR_LIMIT: Final = 2_300  # bytes in one code that a telephone still reads from paper


class _Canvas:
    """A painter that thinks in millimetres, goes down the page and turns it when it is full."""

    def __init__(self, writer: QPdfWriter, title: str, made: str, pages: int) -> None:
        self._writer = writer
        self._title = title
        self._made = made
        self._pages = pages
        self.painter = QPainter(writer)
        self._scale = writer.logicalDpiX() / 25.4
        self.painter.scale(self._scale, self._scale)
        size = writer.pageLayout().pageSize().size(QPageSize.Unit.Millimeter)
        self.width = size.width() - 2 * _MARGIN
        self.height = size.height() - 2 * _MARGIN
        self.y = 0.0
        self.page = 1

    def font(self, millimetres: float, *, bold: bool = False, mono: bool = False) -> QFont:
        """A font whose capitals and descenders together are about so high."""
        font = QFont(MONOSPACE_FAMILY if mono else TEXT_FAMILY)
        # Pixels are millimetres here; Qt takes whole ones, so it is drawn larger and scaled down.
        font.setPixelSize(round(millimetres * 100))
        if bold:
            font.setWeight(QFont.Weight.DemiBold)
        return font

    def height_of(self, text: str, font: QFont, width: float, *, anywhere: bool = False) -> float:
        metrics = QFontMetricsF(font)
        flags = Qt.TextFlag.TextWrapAnywhere if anywhere else Qt.TextFlag.TextWordWrap
        box = metrics.boundingRect(QRectF(0, 0, width * 100, 1e7), int(flags), text)
        return box.height() / 100

    def draw(
        self,
        text: str,
        font: QFont,
        x: float,
        y: float,
        width: float,
        *,
        colour: QColor = _INK,
        anywhere: bool = False,
        align: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft,
    ) -> float:
        """Draw wrapped text and return how high it is."""
        height = self.height_of(text, font, width, anywhere=anywhere)
        painter = self.painter
        painter.save()
        painter.translate(x, y)
        painter.scale(0.01, 0.01)
        painter.setFont(font)
        painter.setPen(colour)
        wrap = Qt.TextFlag.TextWrapAnywhere if anywhere else Qt.TextFlag.TextWordWrap
        box = QRectF(0, 0, width * 100, height * 100 + 50)
        painter.drawText(box, int(wrap) | int(align), text)
        painter.restore()
        return height

    def room(self) -> float:
        """How much is left above the footer."""
        return self.height - 10 - self.y

    def need(self, height: float) -> None:
        """Turn the page unless so much fits."""
        if height > self.room():
            self.turn()

    def turn(self) -> None:
        self.foot()
        self._writer.newPage()
        self.page += 1
        self.y = 0.0
        font = self.font(3.2, bold=True)
        self.y += self.draw(self._title, font, 0, 0, self.width, colour=_MUTED) + 5

    def foot(self) -> None:
        """Write the day and the number of the page at its foot."""
        font = self.font(2.9)
        y = self.height - 4
        self.draw(self._made, font, 0, y, self.width, colour=_MUTED)
        number = f"Page {self.page} of {self._pages or self.page}"
        right = Qt.AlignmentFlag.AlignRight
        self.draw(number, font, 0, y, self.width, colour=_MUTED, align=right)

    def line(self) -> None:
        """A line to write on."""
        self.painter.setPen(QPen(_INK, 0.2))
        self.painter.drawLine(QPointF(0, self.y), QPointF(self.width, self.y))

    def dates(self, count: int) -> None:
        """So many short lines to write dates on."""
        width = (self.width - (count - 1) * 2 * _GAP) / count
        self.painter.setPen(QPen(_INK, 0.2))
        for index in range(count):
            left = index * (width + 2 * _GAP)
            self.painter.drawLine(QPointF(left, self.y), QPointF(left + width, self.y))
        self.y += 1

    def code(self, image: QImage, side: float) -> None:
        """Draw a QR code in the middle, as rectangles: sharp on any printer."""
        module = side / image.width()
        left = (self.width - side) / 2
        self.painter.setPen(Qt.PenStyle.NoPen)
        self.painter.setBrush(QColor("#000000"))
        for row in range(image.height()):
            dark = [image.pixelColor(x, row).value() < 128 for x in range(image.width())]
            for is_dark, run in itertools.groupby(enumerate(dark), key=lambda pair: pair[1]):
                columns = [column for column, _ in run]
                if is_dark:
                    self.painter.drawRect(
                        QRectF(
                            left + columns[0] * module,
                            self.y + row * module,
                            len(columns) * module,
                            module,
                        )
                    )
        self.y += side

    def paragraph(
        self,
        text: str,
        size: float = 3.5,
        *,
        bold: bool = False,
        colour: QColor = _INK,
        after: float = 2.0,
    ) -> None:
        font = self.font(size, bold=bold)
        self.need(self.height_of(text, font, self.width))
        self.y += self.draw(text, font, 0, self.y, self.width, colour=colour) + after

    def section(self, text: str, *, least: float = 25.0) -> None:
        """A heading with a thin rule; it does not stand alone at the foot of a page."""
        self.y += 3
        self.need(least)
        self.painter.setPen(QPen(_RULE, 0.2))
        self.painter.drawLine(QPointF(0, self.y), QPointF(self.width, self.y))
        self.y += 3
        self.paragraph(text, 4.4, bold=True)


def sheet_pdf(contents: SheetContents, page_size: str = A4) -> bytes:
    """Draw the sheet and return the PDF; needs a QGuiApplication with the bundled fonts.

    Raises ValueError for an unknown page size.
    """
    if page_size not in PAGE_SIZES:
        raise ValueError("a sheet is printed on A4 or Letter")
    pages = _drawn(contents, page_size, 0)[1]
    return _drawn(contents, page_size, pages)[0]


def write_sheet(path: Path, contents: SheetContents, page_size: str = A4) -> None:
    """Draw the sheet into a file, as a whole or not at all; raises OSError."""
    write_atomically(path, sheet_pdf(contents, page_size))


def _drawn(contents: SheetContents, page_size: str, pages: int) -> tuple[bytes, int]:
    """Draw the sheet, with `pages` as the number of all pages, which the first run finds out."""
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    writer = QPdfWriter(buffer)
    writer.setPageSize(QPageSize(PAGE_SIZES[page_size]))
    writer.setPageMargins(QMarginsF(_MARGIN, _MARGIN, _MARGIN, _MARGIN))
    writer.setResolution(600)
    name = plain_text(contents.name, 60)
    writer.setTitle(f"Backup sheet of {name}")
    writer.setCreator("Wallet GUI")
    made = f"Made on {contents.made} with Wallet GUI" if contents.made else "Wallet GUI"
    canvas = _Canvas(writer, f"Backup sheet of {name}, continued", made, pages)
    _Sheet(canvas, contents).draw()
    canvas.painter.end()
    buffer.close()
    return bytes(data.data()), canvas.page


class _Sheet:
    """The parts of the sheet, from top to bottom."""

    def __init__(self, canvas: _Canvas, contents: SheetContents) -> None:
        self._canvas = canvas
        self._contents = contents

    def draw(self) -> None:
        self._head()
        self._facts()
        if self._contents.has_words:
            self._words()
        self._restoring()
        self._checks()
        if self._contents.descriptor:
            self._descriptor()
        self._canvas.foot()

    def _head(self) -> None:
        canvas, contents = self._canvas, self._contents
        canvas.paragraph("Backup sheet", 3.4, bold=True, colour=_MUTED, after=0.5)
        canvas.paragraph(plain_text(contents.name, 60), 8.0, bold=True, after=1.5)
        if not contents.has_words:
            text = "Nothing on this sheet is secret, but it tells which wallet is yours."
        else:
            text = (
                "Print it, then write the words in by hand. From then on whoever sees this sheet "
                "can take the money: never photograph, scan or type it."
            )
        canvas.paragraph(text, 3.5, colour=_MUTED, after=3)

    def _facts(self) -> None:
        contents = self._contents
        rows = [("Network", contents.network)]
        if contents.policy:
            rows.append(("Signatures", contents.policy))
        if contents.fingerprint:
            rows.append(("Fingerprint", contents.fingerprint))
        rows += [(account.kind, account.path) for account in contents.accounts]
        rows.append(("Birthday", contents.birthday or "not known: search from the beginning"))
        canvas = self._canvas
        caption, value = canvas.font(3.3), canvas.font(3.7, bold=True, mono=True)
        left = 52.0
        for name, text in rows:
            width = canvas.width - left
            height = max(
                canvas.height_of(name, caption, left - 3),
                canvas.height_of(text, value, width),
            )
            canvas.need(height + 1.5)
            canvas.draw(name, caption, 0, canvas.y, left - 3, colour=_MUTED)
            canvas.draw(text, value, left, canvas.y - 0.3, width)
            canvas.y += height + 1.5

    def _words(self) -> None:
        canvas, contents = self._canvas, self._contents
        count = contents.word_count or MOST_BOXES
        canvas.section("The words", least=60)
        if contents.word_count is None:
            canvas.paragraph(
                "A wallet has 12, 15, 18, 21 or 24 words; the boxes that are left over stay empty.",
                3.3,
                colour=_MUTED,
            )
        columns = _MANY_COLUMNS if count > _MANY else _COLUMNS
        rows = -(-count // columns)
        height = 10.0 if count > _MANY else 11.0
        width = (canvas.width - (columns - 1) * _GAP) / columns
        canvas.need(rows * (height + 2.2))
        number = canvas.font(3.2, mono=True)
        painter = canvas.painter
        for index in range(count):
            column, row = divmod(index, rows)
            box = QRectF(column * (width + _GAP), canvas.y + row * (height + 2.2), width, height)
            painter.setPen(QPen(_INK, 0.3))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box, 1.4, 1.4)
            canvas.draw(str(index + 1), number, box.x() + 1.6, box.y() + 1.2, 9, colour=_MUTED)
        canvas.y += rows * (height + 2.2)
        self._passphrase()

    def _passphrase(self) -> None:
        canvas, known = self._canvas, self._contents.has_passphrase
        if known is False:
            return
        text = (
            "This wallet also has a passphrase (25th word). It belongs on another paper, in "
            "another place:"
            if known
            else "If the wallet also has a passphrase (25th word), note here where it is kept:"
        )
        font = canvas.font(3.3)
        canvas.need(16)
        canvas.y += 1.5
        canvas.y += canvas.draw(text, font, 0, canvas.y, canvas.width, colour=_MUTED) + 7
        canvas.line()
        canvas.y += 1

    def _steps(self) -> list[str]:
        contents = self._contents
        has_words = contents.has_words
        if contents.policy:
            take = "Take the descriptor from the end of this sheet or from a cosigner"
            steps = [
                "Install Wallet GUI, or another wallet for descriptors, on a clean computer.",
                f"{take}, and type the words." if has_words else f"{take}.",
                "One set of words is not enough to pay: the other cosigners sign too.",
            ]
        elif has_words:
            steps = [
                "Install Wallet GUI, or another wallet for BIP39 words, on a clean computer.",
                "Choose “Restore”, type the words in order and, if there is one, the passphrase.",
                "Choose the kind of addresses and the birthday that are printed above.",
            ]
        else:
            copy = "This wallet has no words here. It comes back from a copy of its file, which"
            steps = [f"{copy} opens with its password, or from what it was imported from."]
        if contents.fingerprint and has_words and not contents.policy:
            must = f"Compare the fingerprint: it must be {contents.fingerprint}."
            steps.append(f"{must} Another one means a wrong word or passphrase.")
        never = (
            "Type the words into no website, no telephone and no message, whoever asks for them."
        )
        return [*steps, never] if has_words else steps

    def _restoring(self) -> None:
        steps = self._steps()
        canvas = self._canvas
        canvas.section("To bring the wallet back", least=30)
        font, number = canvas.font(3.5), canvas.font(3.5, bold=True)
        for index, step in enumerate(steps, 1):
            height = canvas.height_of(step, font, canvas.width - 7)
            canvas.need(height)
            canvas.draw(f"{index}.", number, 0, canvas.y, 6)
            canvas.draw(step, font, 7, canvas.y, canvas.width - 7)
            canvas.y += height + 1.3

    def _checks(self) -> None:
        """Where the person notes when the paper was tried."""
        canvas = self._canvas
        canvas.section("Checked on", least=26)
        canvas.paragraph(
            "The program can check this sheet without showing anything: Settings, Backup. It "
            "reminds you when that is due.",
            3.3,
            colour=_MUTED,
            after=8,
        )
        canvas.dates(4)

    def _descriptor(self) -> None:
        canvas, text = self._canvas, self._contents.descriptor
        has_code = len(text.encode()) <= _QR_LIMIT
        canvas.section("The descriptor", least=60)
        why = _WHY_SHARED if self._contents.policy else _WHY
        canvas.paragraph(f"{why} It cannot spend, but whoever has it sees all payments.")
        font = canvas.font(3.0, mono=True)
        letter = QFontMetricsF(font).horizontalAdvance("0") / 100
        length = int(canvas.width / letter)
        for line in itertools.chain(*(_lines_of(one, length) for one in text.splitlines())):
            canvas.need(4.5)
            canvas.y += canvas.draw(line, font, 0, canvas.y, canvas.width) + 0.6
        canvas.y += 3
        if not has_code:
            canvas.paragraph(
                "(It is too long for one QR code that paper holds.)", 3.2, colour=_MUTED
            )
            return
        if canvas.room() < _SMALLEST_QR + 30:
            canvas.turn()
        side = min(_QR_SIDE, canvas.room() - 6, canvas.width)
        canvas.code(qr_modules(text, level="L"), side)


def _lines_of(text: str, length: int) -> list[str]:
    return [text[start : start + length] for start in range(0, len(text), length)]
