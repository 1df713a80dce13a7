"""The backup sheet: what stands on it, that nothing secret does, and that its code is read."""

import re
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
import zxingcpp
from PySide6.QtGui import QImage, QPainter
from pytestqt.qtbot import QtBot

from tests.unit.descriptors.cosigners import ROOTS, wallet_of
from wallet_gui.custody.backup_sheets import drawn, write_sheet
from wallet_gui.descriptors.descriptor import Descriptor, DescriptorType, MultisigType
from wallet_gui.keys.accounts import account_descriptors
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.storage.errors import WriteFailed
from wallet_gui.wallet.backup_checks import BackupChecks
from wallet_gui.wallet.backup_sheet import SheetContents, sheet_of
from wallet_gui.wallet.changes import WalletDescription
from wallet_gui.widgets.backup_sheet import A4, LETTER, sheet_pdf
from wallet_gui.widgets.qr_code import qr_modules
from wallet_gui.widgets.theme import ThemeSwitch

SHARED = wallet_of(MultisigType.WSH, 2, 3)
SINGLE = account_descriptors(ROOTS[0], REGTEST)[DescriptorType.WPKH]


def contents(*given: Descriptor, **changes: object) -> SheetContents:
    descriptors = given or (SINGLE,)
    texts = tuple(map(str, descriptors))
    description = WalletDescription("Savings", "regtest", texts, 0, "73c5da0a", 1, bytes(32))
    sheet = sheet_of(description, descriptors, BackupChecks(word_count=12), 1_790_000_000)
    return replace(sheet, **changes)  # type: ignore[arg-type]


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


def size(pdf: bytes) -> tuple[int, int]:
    found = re.search(rb"/MediaBox\s*\[\s*0\s+0\s+([\d.]+)\s+([\d.]+)", pdf)
    assert found is not None
    return round(float(found[1])), round(float(found[2]))


def drawing(pdf: bytes) -> bytes:
    """All that is drawn, as PDF operators."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    out = b""
    for stream in streams:
        try:
            out += zlib.decompress(stream)
        except zlib.error:
            continue
    return out


@pytest.mark.parametrize(("paper", "points"), [(A4, (595, 842)), (LETTER, (612, 792))])
def test_one_page_for_a_wallet_of_one_key(
    themed: ThemeSwitch, paper: str, points: tuple[int, int]
) -> None:
    pdf = sheet_pdf(contents(word_count=24), paper)
    assert pdf.startswith(b"%PDF-")
    assert pages(pdf) == 1
    assert size(pdf) == points


def test_a_multisig_has_its_descriptor_and_a_code_on_more_pages(themed: ThemeSwitch) -> None:
    sheet = contents(SHARED)
    assert sheet.policy == "2 of 3 cosigners sign"
    assert sheet.descriptor == str(SHARED)
    one, several = sheet_pdf(contents(), A4), sheet_pdf(sheet, A4)
    assert pages(several) > pages(one)
    # The modules of the code are rectangles: many more than the boxes of the words.
    assert drawing(several).count(b" re\n") > drawing(one).count(b" re\n") + 500


def test_the_code_of_the_descriptor_is_read_back(themed: ThemeSwitch) -> None:
    image = qr_modules(str(SHARED), level="L")
    enlarged = image.scaled(image.width() * 4, image.height() * 4)
    canvas = QImage(enlarged.size(), QImage.Format.Format_RGB32)
    painter = QPainter(canvas)
    painter.drawImage(0, 0, enlarged)
    painter.end()
    grey = canvas.convertToFormat(QImage.Format.Format_Grayscale8)
    data = memoryview(grey.constBits()).cast("B", (grey.height(), grey.bytesPerLine()))
    (found,) = zxingcpp.read_barcodes(data)
    assert found.text == str(SHARED)


def test_the_longest_multisig_and_odd_names_are_drawn(themed: ThemeSwitch) -> None:
    many = wallet_of(MultisigType.WSH, 8, 15)
    sheet = contents(many, name="Ä" * 500, word_count=None, birthday="")
    assert pages(sheet_pdf(sheet, LETTER)) >= 2
    with pytest.raises(ValueError, match="A4 or Letter"):
        sheet_pdf(sheet, "A3")


def test_a_wallet_without_words_has_no_boxes(themed: ThemeSwitch) -> None:
    with_words, without = contents(word_count=24), contents(word_count=0)
    assert len(drawing(sheet_pdf(with_words, A4))) > len(drawing(sheet_pdf(without, A4)))


def test_it_is_drawn_by_a_process_of_its_own(tmp_path: Path) -> None:
    path = write_sheet(contents(SHARED), tmp_path / "sheet", A4)
    assert path == tmp_path / "sheet.pdf"
    assert path.read_bytes().startswith(b"%PDF-")
    assert [entry.name for entry in tmp_path.iterdir()] == ["sheet.pdf"]
    with pytest.raises(WriteFailed):
        write_sheet(contents(), tmp_path / "none" / "sheet.pdf", A4)
    with pytest.raises(WriteFailed, match="could not be drawn"):
        drawn(contents(), "A3")


def test_the_process_takes_nothing_else() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "wallet_gui", "--draw-sheet", "A4"],
        input=b"{}",
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stdout == b""


def test_what_it_says_crosses_as_json(qtbot: QtBot) -> None:
    sheet = contents(SHARED)
    assert SheetContents.from_json(sheet.to_json()) == sheet
    for text in ("", "[]", "{}", '{"accounts": 1}'):
        with pytest.raises(ParseError):
            SheetContents.from_json(text)
