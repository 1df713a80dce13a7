import os
import random
import subprocess
import sys
import time

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QGuiApplication, QImage
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from tests.unit.transfer.test_recognition import PSBT, signed_transaction
from tests.unit.transfer.ur_vectors import random_bytes
from wallet_gui.transfer.qr_frames import Decoder, Format, Frames, Kind
from wallet_gui.widgets.animated_qr import DENSITIES, MAX_SHOWN, AnimatedQr
from wallet_gui.widgets.qr_code import qr_modules
from wallet_gui.widgets.qr_images import read_codes
from wallet_gui.widgets.theme import ThemeSwitch

pytestmark = pytest.mark.qt_log_ignore("does not support propagateSizeHints", extend=True)

LARGE = PSBT + random_bytes(3000)


@pytest.fixture
def shown(qtbot: QtBot, themed: ThemeSwitch) -> AnimatedQr:
    widget = AnimatedQr()
    qtbot.addWidget(widget)
    widget.resize(520, 900)
    widget.show()
    return widget


def is_running(widget: AnimatedQr) -> bool:
    return widget.is_running


def frames(widget: AnimatedQr) -> Frames:
    assert widget.frames is not None
    return widget.frames


def grabbed(widget: AnimatedQr) -> QImage:
    return widget.qr.grab().toImage()


@pytest.mark.parametrize("format_", [Format.BBQR, Format.UR])
def test_what_is_on_the_screen_can_be_read(
    shown: AnimatedQr, qtbot: QtBot, format_: Format
) -> None:
    shown.show_message(Kind.PSBT, LARGE, format_)
    decoder = Decoder()
    for _ in range(frames(shown).count):
        (text,) = read_codes(grabbed(shown))
        assert text == shown.qr.text
        decoder.receive(text)
        QTest.mouseClick(shown.forward, Qt.MouseButton.LeftButton)
    assert decoder.progress.data == LARGE


def test_it_runs_while_it_is_visible(shown: AnimatedQr, qtbot: QtBot) -> None:
    assert not is_running(shown)
    shown.speed.setValue(15)
    shown.show_message(Kind.PSBT, LARGE)
    assert is_running(shown)
    assert shown._timer.interval() == 66
    seen = {shown.qr.text}

    def all_seen() -> bool:
        seen.add(shown.qr.text)
        return len(seen) == frames(shown).count

    qtbot.waitUntil(all_seen)
    shown.hide()
    assert not is_running(shown)
    shown.show()
    assert is_running(shown)
    shown.speed.setValue(2)
    assert shown._timer.interval() == 500
    assert shown.speed_caption.text() == "&Speed: 2 codes a second"


def test_pause_and_steps(shown: AnimatedQr) -> None:
    shown.show_message(Kind.PSBT, LARGE, Format.BBQR)
    count = frames(shown).count
    QTest.mouseClick(shown.pause, Qt.MouseButton.LeftButton)
    assert not is_running(shown)
    assert shown.pause.text() == "Go on"
    first = shown.qr.text
    QTest.mouseClick(shown.back, Qt.MouseButton.LeftButton)
    assert shown.position.text() == f"Code {count} of {count}"
    QTest.mouseClick(shown.forward, Qt.MouseButton.LeftButton)
    assert shown.qr.text == first
    shown.hide()
    shown.show()
    assert not is_running(shown)
    QTest.mouseClick(shown.pause, Qt.MouseButton.LeftButton)
    assert is_running(shown)
    QTest.mouseClick(shown.forward, Qt.MouseButton.LeftButton)
    assert not is_running(shown)


def test_fountain_goes_on_beyond_the_last_fragment(shown: AnimatedQr) -> None:
    shown.show_message(Kind.PSBT, LARGE, Format.UR)
    for _ in range(frames(shown).count + 2):
        shown._advance()
    assert shown.position.text().startswith(f"Code {frames(shown).count + 3}; any")
    assert len({frames(shown).frame(n) for n in range(30)}) == 30


def test_density_changes_the_number_of_codes(shown: AnimatedQr) -> None:
    shown.show_message(Kind.PSBT, LARGE)
    counts = []
    for level in range(len(DENSITIES)):
        shown.density.setValue(level)
        counts.append(frames(shown).count)
        assert f"{DENSITIES[level]} bytes" in shown.density.accessibleName()
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > 70
    assert counts[-1] == 4


def test_large_message_gets_denser_codes_or_a_sentence(shown: AnimatedQr) -> None:
    shown.density.setValue(0)
    shown.show_message(Kind.BINARY, random_bytes(60_000), Format.BBQR)
    assert shown.density.value() == 1
    shown.format.setCurrentIndex(shown.format.findData(Format.PLAIN))
    assert shown.frames is None
    assert "one QR code" in shown.notice.text
    assert not shown.density.isEnabled()
    assert not is_running(shown)
    shown.format.setCurrentIndex(shown.format.findData(Format.UR))
    assert not shown.notice.isVisible()


def test_what_would_take_minutes_is_left_to_a_file(shown: AnimatedQr) -> None:
    began = time.process_time()
    shown.show_message(Kind.BINARY, random.Random(1).randbytes(MAX_SHOWN), Format.BBQR)
    assert time.process_time() - began < 1
    assert frames(shown).count <= 1295
    assert shown.density.value() == len(DENSITIES) - 1
    shown.show_message(Kind.BINARY, bytes(MAX_SHOWN + 1), Format.BBQR)
    assert shown.frames is None
    assert "file" in shown.notice.text


def test_one_code_stands_still(shown: AnimatedQr) -> None:
    shown.show_message(Kind.PAYMENT, b"bitcoin:bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4")
    assert not is_running(shown)
    assert not shown.pause.isEnabled()
    assert shown.position.text() == "One code holds it all"
    assert shown.qr.accessibleName() == "QR code: one code"
    shown.clear()
    assert shown.qr.text == ""
    assert not shown.as_text.isEnabled()


def test_codes_are_black_on_white_and_whole_pixels_in_the_dark_too(
    shown: AnimatedQr, themed: ThemeSwitch
) -> None:
    themed.choose("dark")
    try:
        shown.show_message(Kind.PSBT, LARGE)
        image = grabbed(shown)
        modules = shown.qr._modules
        assert modules is not None
        side = min(shown.qr.width(), shown.qr.height()) // modules.width()
        left = (shown.qr.width() - side * modules.width()) // 2
        top = (shown.qr.height() - side * modules.height()) // 2
        for x in range(modules.width()):
            for y in range(0, modules.height(), 5):
                expected = modules.pixelColor(x, y)
                assert expected in (QColor("black"), QColor("white"))
                for dx in (0, side - 1):
                    pixel = image.pixelColor(left + side * x + dx, top + side * y + side // 2)
                    assert pixel == expected, (x, y)
        # The quiet zone of four modules is there, and white.
        for step in range(4):
            assert modules.pixelColor(step, modules.height() // 2) == QColor("white")
    finally:
        themed.choose("light")


SCALED = """
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget
from wallet_gui.widgets.qr_code import QrCode, qr_modules
application = QApplication([])
window = QWidget()
window.setStyleSheet("background: #101010")
layout = QVBoxLayout(window)
layout.setContentsMargins(7, 13, 5, 3)
code = QrCode()
layout.addWidget(code)
window.resize(501, 467)
window.show()
text = "B$ZP0A01" + "ABCDEFG234567" * 20
code.set_modules(text, qr_modules(text, level="L", version=12), "code")
application.processEvents()
image = window.grab().toImage()
modules = code._modules
ratio = code.devicePixelRatioF()
light = [
    (x, y)
    for x in range(image.width())
    for y in range(image.height())
    if image.pixelColor(x, y).lightness() > 128
]
left, top = (min(place[axis] for place in light) for axis in (0, 1))
width = max(x for x, _ in light) - left + 1
side = width // modules.width()
assert side >= 4 and width == side * modules.width(), (width, modules.width())
for x in range(width):
    for y in range(width):
        pixel = image.pixelColor(left + x, top + y)
        assert pixel == modules.pixelColor(x // side, y // side), (x, y, ratio)
print(ratio, side)
"""


@pytest.mark.parametrize("factor", ["1", "1.25", "1.5", "1.75", "2"])
def test_codes_are_whole_pixels_on_any_display(factor: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCALED],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "QT_SCALE_FACTOR": factor},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[0]) == float(factor)


def test_all_codes_have_one_size(shown: AnimatedQr) -> None:
    for format_ in (Format.BBQR, Format.UR):
        shown.show_message(Kind.PSBT, LARGE, format_)
        sizes = set()
        for _ in range(3 * frames(shown).count):
            assert shown.qr._modules is not None
            sizes.add(shown.qr._modules.width())
            shown._step(1)
        assert len(sizes) == 1


def test_capitals_are_packed_in_alphanumeric_mode(qtbot: QtBot) -> None:
    # 4,296 of them fill version 40, and small letters do not fit at all.
    assert qr_modules("A" * 4296, level="L").width() == 177 + 8
    with pytest.raises(ValueError, match=r".+"):
        qr_modules("a" * 4296, level="L")


def test_message_as_text_for_those_who_cannot_scan(shown: AnimatedQr, qtbot: QtBot) -> None:
    shown.show_message(Kind.PSBT, LARGE)
    assert not shown.text.isVisible()
    QTest.mouseClick(shown.as_text, Qt.MouseButton.LeftButton)
    assert shown.text.isVisible()
    assert Decoder().receive(shown.text.toPlainText()).data == LARGE
    assert max(map(len, shown.text.toPlainText().split("\n"))) == 76
    QTest.mouseClick(shown.copy, Qt.MouseButton.LeftButton)
    assert Decoder().receive(QGuiApplication.clipboard().text()).data == LARGE
    qtbot.waitUntil(lambda: shown.notice.text.startswith("Copied."))
    shown.show_message(Kind.TRANSACTION, signed_transaction())
    assert Decoder().receive(shown.text.toPlainText()).data == signed_transaction()
    QTest.mouseClick(shown.as_text, Qt.MouseButton.LeftButton)
    assert shown.text.toPlainText() == ""
    shown.show_message(Kind.TEXT, b"two words")
    assert shown.message_text() == "two words"
    QGuiApplication.clipboard().clear()
