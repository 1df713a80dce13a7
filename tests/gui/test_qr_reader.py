import importlib
import importlib.util
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import shiboken6
from PySide6.QtCore import QByteArray, QMimeData, QObject, QRect, QTimer, QUrl, Signal
from PySide6.QtGui import QColor, QGuiApplication, QImage, QPainter, QTransform
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from tests.gui.qr_pictures import picture, saved, sheet
from tests.patience import PATIENCE
from tests.unit.transfer.test_recognition import PSBT
from tests.unit.transfer.ur_vectors import random_bytes, vectors
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer.qr_frames import Format, Frames, Kind, Progress, encode
from wallet_gui.widgets import camera, qr_images, qr_reader
from wallet_gui.widgets.camera import NO_CAMERA, NO_CAMERA_SUPPORT, CameraDevice, QtCamera
from wallet_gui.widgets.qr_images import pictures_of, read_codes
from wallet_gui.widgets.qr_reader import QrReader

LARGE = PSBT + random_bytes(1500)


def frames_of(format_: Format = Format.UR) -> Frames:
    return encode(Kind.PSBT, LARGE, format=format_, max_fragment=300)


class Heard:
    """What a reader said, in order."""

    def __init__(self, reader: QrReader) -> None:
        self.progress: list[Progress] = []
        self.finished: list[Progress] = []
        self.refused: list[str] = []
        reader.progressed.connect(self.progress.append)
        reader.finished.connect(self.finished.append)
        reader.refused.connect(self.refused.append)


class FakeCamera:
    """A camera that sees what a test holds in front of it."""

    def __init__(self) -> None:
        self.started = self.stopped = 0
        self.see: Callable[[QImage], None] = lambda _picture: None
        self.fail: Callable[[str], None] = lambda _sentence: None

    def devices(self) -> list[CameraDevice]:
        return [CameraDevice("1", "Webcam")]

    def start(
        self,
        device_id: str,
        on_picture: Callable[[QImage], None],
        on_failure: Callable[[str], None],
    ) -> None:
        assert device_id == "1"
        self.started += 1
        self.see, self.fail = on_picture, on_failure

    def stop(self) -> None:
        self.stopped += 1


@pytest.fixture
def owner(qtbot: QtBot) -> QWidget:
    widget = QWidget()
    qtbot.addWidget(widget)
    return widget


@pytest.fixture
def reader(qtbot: QtBot, owner: QWidget) -> QrReader:
    return QrReader(owner)


def idle(reader: QrReader) -> Callable[[], bool]:
    return lambda: not reader.is_busy


# --- pictures


def test_codes_of_a_picture_are_read_whatever_its_looks(qtbot: QtBot) -> None:
    text = vectors()["psbt"]["ur"].upper()
    plain = picture(text)
    turned = plain.transformed(QTransform().rotate(37))
    colourful = plain.convertToFormat(QImage.Format.Format_ARGB32)
    inverted = plain.copy()
    inverted.invertPixels()
    odd = plain.scaled(plain.width() + 3, plain.height() + 1)
    for image in (plain, turned, colourful, inverted, odd):
        assert read_codes(image) == [text]


def test_transparent_picture_is_seen_on_white(qtbot: QtBot) -> None:
    modules = picture("hello", 4)
    clear = QImage(modules.size(), QImage.Format.Format_ARGB32)
    clear.fill(QColor(0, 0, 0, 0))
    painter = QPainter(clear)
    for x in range(0, modules.width(), 4):
        for y in range(0, modules.height(), 4):
            if modules.pixelColor(x, y).black() > 127:
                painter.fillRect(x, y, 4, 4, QColor("black"))
    painter.end()
    assert read_codes(clear) == ["hello"]


def test_all_codes_of_a_page_are_read_once(qtbot: QtBot) -> None:
    texts = [frames_of().frame(n) for n in range(6)]
    assert sorted(read_codes(sheet([*texts, texts[0]], 3))) == sorted(texts)


def test_pictures_without_codes_and_too_large_ones(qtbot: QtBot) -> None:
    blank = QImage(300, 200, QImage.Format.Format_RGB32)
    blank.fill(QColor("white"))
    assert read_codes(blank) == []
    with pytest.raises(ParseError):
        read_codes(QImage())
    with pytest.raises(ParseError, match="too large"):
        read_codes(QImage(10_000, 10_000, QImage.Format.Format_Mono))


def test_files_are_bounded_and_told_by_their_content(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(picture("hello"), tmp_path / "a.png")
    named_wrong = tmp_path / "a.txt"
    named_wrong.write_bytes(Path(path).read_bytes())
    for each in (path, str(named_wrong)):
        assert [read_codes(image) for image in pictures_of(each)] == [["hello"]]
    text = tmp_path / "b.png"
    text.write_text("not a picture")
    for bad in (str(text), str(tmp_path / "none.png"), str(tmp_path)):
        with pytest.raises(ParseError):
            list(pictures_of(bad))
    # A header that promises more than anybody has memory for, in 60 bytes.
    bomb = tmp_path / "bomb.png"
    data = bytearray(Path(path).read_bytes())
    data[16:24] = (200_000).to_bytes(4, "big") * 2
    bomb.write_bytes(data)
    with pytest.raises(ParseError):
        list(pictures_of(str(bomb)))
    monkeypatch.setattr(qr_images, "MAX_FILE_BYTES", 100)
    with pytest.raises(ParseError, match="too large"):
        list(pictures_of(path))


# --- the reader


@pytest.mark.parametrize("format_", [Format.BBQR, Format.UR])
def test_message_from_several_files(
    reader: QrReader, qtbot: QtBot, tmp_path: Path, format_: Format
) -> None:
    heard = Heard(reader)
    frames = frames_of(format_)
    paths = [saved(picture(frames.frame(n)), tmp_path / f"{n}.png") for n in range(frames.count)]
    reader.read_files(paths[:2])
    qtbot.waitUntil(idle(reader))
    assert heard.progress[-1].received == 2
    assert not heard.finished
    reader.read_files(paths[1:])
    qtbot.waitUntil(lambda: bool(heard.finished))
    assert (heard.finished[0].kind, heard.finished[0].data) == (Kind.PSBT, LARGE)
    assert heard.refused == []


def test_whole_message_from_one_page(reader: QrReader, qtbot: QtBot) -> None:
    heard = Heard(reader)
    frames = frames_of()
    reader.read_image(sheet([frames.frame(n) for n in range(frames.count)], 3))
    qtbot.waitUntil(lambda: bool(heard.finished))
    assert heard.finished[0].data == LARGE
    # It is done: nothing more is looked at until somebody starts over.
    reader.read_text("hello")
    assert not reader.is_busy or reader.progress.data == LARGE
    qtbot.waitUntil(idle(reader))
    reader.start_over()
    reader.read_text("hello")
    qtbot.waitUntil(lambda: len(heard.finished) == 2)
    assert heard.finished[1].data == b"hello"


def test_refusals_are_said_and_change_nothing(reader: QrReader, qtbot: QtBot) -> None:
    heard = Heard(reader)
    blank = QImage(100, 100, QImage.Format.Format_RGB32)
    blank.fill(QColor("white"))
    reader.read_image(blank)
    qtbot.waitUntil(lambda: len(heard.refused) == 1)
    assert "No QR code" in heard.refused[0]
    reader.read_text(frames_of().frame(0))
    reader.read_image(picture(encode(Kind.TEXT, b"hello", format=Format.PLAIN).frame(0)))
    qtbot.waitUntil(lambda: len(heard.refused) == 2)
    assert "another message" in heard.refused[1]
    reader.read_files(["/nowhere/at/all.png"])
    qtbot.waitUntil(lambda: len(heard.refused) == 3)
    qtbot.waitUntil(idle(reader))
    assert reader.progress.received == 1


def test_pasted_lines_are_codes_of_their_own(reader: QrReader, qtbot: QtBot) -> None:
    heard = Heard(reader)
    frames = frames_of(Format.BBQR)
    reader.read_text("\n".join(frames.frame(n) for n in range(frames.count)))
    qtbot.waitUntil(lambda: bool(heard.finished))
    assert heard.finished[0].data == LARGE


def test_clipboard(reader: QrReader, qtbot: QtBot, tmp_path: Path) -> None:
    heard = Heard(reader)
    clipboard = QGuiApplication.clipboard()
    clipboard.clear()
    reader.read_clipboard()
    assert "neither" in heard.refused[0]
    content = QMimeData()
    content.setUrls([QUrl.fromLocalFile(saved(picture("from a file"), tmp_path / "a.png"))])
    clipboard.setMimeData(content)
    reader.read_clipboard()
    qtbot.waitUntil(lambda: len(heard.finished) == 1)
    reader.start_over()
    qtbot.waitUntil(idle(reader))
    clipboard.setImage(picture("from a picture"))
    reader.read_clipboard()
    qtbot.waitUntil(lambda: len(heard.finished) == 2)
    reader.start_over()
    qtbot.waitUntil(idle(reader))
    clipboard.setText("from text")
    reader.read_clipboard()
    qtbot.waitUntil(lambda: len(heard.finished) == 3)
    texts = [progress.data for progress in heard.finished]
    assert texts == [b"from a file", b"from a picture", b"from text"]
    clipboard.clear()


def test_screen(reader: QrReader, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard(reader)
    shown = sheet(["left", "right"])

    class Pixmap:
        def __init__(self, image: QImage) -> None:
            self._image = image

        def isNull(self) -> bool:  # noqa: N802
            return self._image.isNull()

        def toImage(self) -> QImage:  # noqa: N802
            return self._image

    def screen(x: int, picture: QImage) -> Any:
        return SimpleNamespace(
            geometry=lambda: QRect(x, 0, shown.width(), shown.height()),
            grabWindow=lambda _id, *place: Pixmap(picture.copy(QRect(*place))),
        )

    screens = [screen(0, QImage()), screen(shown.width(), shown)]
    monkeypatch.setattr(QGuiApplication, "screens", lambda: screens)
    half = shown.width() // 2
    reader.read_screen(QRect(shown.width() + half, 0, half, shown.height()))
    qtbot.waitUntil(lambda: bool(heard.finished))
    assert heard.finished[0].data == b"right"
    screens.pop()
    reader.read_screen()
    assert "does not let programs" in heard.refused[0]


def test_real_screen_is_grabbed_or_barred(reader: QrReader, qtbot: QtBot) -> None:
    heard = Heard(reader)
    reader.read_screen(QRect(0, 0, 50, 50))
    qtbot.waitUntil(lambda: len(heard.refused) == 1)


def test_window_stays_alive_while_pictures_are_looked_at(
    reader: QrReader, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Heard(reader)
    threads: list[threading.Thread] = []

    def slow(image: QImage) -> list[str]:
        threads.append(threading.current_thread())
        time.sleep(0.3)
        return read_codes(image)

    monkeypatch.setattr(qr_reader, "read_codes", slow)
    longest, last = 0.0, time.monotonic()

    def tick() -> None:
        nonlocal longest, last
        longest, last = max(longest, time.monotonic() - last), time.monotonic()

    timer = QTimer()
    timer.timeout.connect(tick)
    timer.start(5)
    reader.read_image(sheet([frames_of().frame(n) for n in range(9)], 3))
    qtbot.waitUntil(lambda: bool(heard.finished))
    timer.stop()
    assert threads
    assert threads[0] is not threading.main_thread()
    assert longest < 0.15


def test_starting_over_forgets_what_is_still_looked_at(
    reader: QrReader, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Heard(reader)
    go_on = threading.Event()

    def slow(image: QImage) -> list[str]:
        go_on.wait(5)
        return read_codes(image)

    monkeypatch.setattr(qr_reader, "read_codes", slow)
    reader.read_image(picture("old"))
    reader.start_over()
    go_on.set()
    reader.read_text("new")
    qtbot.waitUntil(lambda: bool(heard.finished))
    qtbot.waitUntil(idle(reader))
    assert [progress.data for progress in heard.finished] == [b"new"]


def test_camera(qtbot: QtBot, owner: QWidget) -> None:
    fake = FakeCamera()
    reader = QrReader(owner, fake)
    heard = Heard(reader)
    assert reader.has_camera_support
    assert reader.cameras() == [CameraDevice("1", "Webcam")]
    reader.start_camera("1")
    assert (fake.started, fake.stopped) == (1, 0)
    frames = frames_of()
    blank = QImage(100, 100, QImage.Format.Format_RGB32)
    blank.fill(QColor("white"))
    wrong = picture("hello")
    shown = [picture(frames.frame(n)) for n in range(3 * frames.count)]
    for number, image in enumerate(shown):
        if heard.finished:
            break
        for each in (image, blank, wrong, wrong):
            fake.see(each)
            fake.see(each)  # comes while the first is looked at, and is let go
            qtbot.waitUntil(idle(reader))
        assert number < frames.count
    assert heard.finished[0].data == LARGE
    assert fake.started == fake.stopped == 1
    # A picture without a code is no news; a wrong code is said once, not each time it is seen.
    assert len(heard.refused) <= 2 * frames.count
    assert all("another message" in sentence for sentence in heard.refused)
    fake.see(wrong)
    assert not reader.is_busy


def test_camera_that_fails(qtbot: QtBot, owner: QWidget) -> None:
    fake = FakeCamera()
    reader = QrReader(owner, fake)
    heard = Heard(reader)
    reader.start_camera("1")
    fake.fail("The camera was unplugged.")
    assert heard.refused == ["The camera was unplugged."]
    assert fake.stopped == 1


def test_build_without_cameras_says_so(
    reader: QrReader, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert camera.find_camera(reader) is None
    heard = Heard(reader)
    assert not reader.has_camera_support
    assert reader.cameras() == []
    reader.start_camera("1")
    assert heard.refused == [NO_CAMERA_SUPPORT]
    assert "no camera support in this build" in NO_CAMERA_SUPPORT


def test_camera_library_that_does_not_load_is_no_camera(
    reader: QrReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_name: str) -> None:
        raise ImportError("libpulse.so.0: cannot open shared object file")

    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: object())
    monkeypatch.setattr(importlib, "import_module", refuse)
    assert camera.find_camera(reader) is None


class Signals(QObject):
    videoFrameChanged = Signal(object)  # noqa: N815
    errorOccurred = Signal(object, str)  # noqa: N815


class FakeMultimedia:
    """What QtCamera uses of QtMultimedia."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.sink = Signals()
        self.camera = Signals()
        device = SimpleNamespace(id=lambda: QByteArray(b"one"), description=lambda: "Webcam")
        self.QMediaDevices = SimpleNamespace(videoInputs=lambda: [device])
        for each in (self.sink, self.camera):
            each.deleteLater = lambda: None  # type: ignore[method-assign]
        self.camera.start = lambda: self.log.append("start")  # type: ignore[attr-defined]
        self.camera.stop = lambda: self.log.append("stop")  # type: ignore[attr-defined]

    def QCamera(self, _device: object, _parent: QObject) -> Signals:  # noqa: N802
        return self.camera

    def QVideoSink(self, _parent: QObject) -> Signals:  # noqa: N802
        return self.sink

    def QMediaCaptureSession(self, _parent: QObject) -> Any:  # noqa: N802
        return SimpleNamespace(
            setCamera=lambda _camera: self.log.append("camera"),
            setVideoSink=lambda _sink: self.log.append("sink"),
            deleteLater=lambda: None,
        )


def test_camera_of_qt(qtbot: QtBot) -> None:
    multimedia = FakeMultimedia()
    parent = QObject()
    each = QtCamera(multimedia, parent)
    (device,) = each.devices()
    assert device == CameraDevice(b"one".hex(), "Webcam")
    seen: list[QImage] = []
    failed: list[str] = []
    each.start("other", seen.append, failed.append)
    assert failed == [NO_CAMERA]
    each.start(device.id, seen.append, failed.append)
    image = picture("hello")
    multimedia.sink.videoFrameChanged.emit(SimpleNamespace(toImage=lambda: image))
    multimedia.camera.errorOccurred.emit(1, "<b>driver text</b>")
    assert seen == [image]
    assert "driver" not in failed[1]
    each.stop()
    each.stop()
    multimedia.sink.videoFrameChanged.emit(SimpleNamespace(toImage=lambda: image))
    assert len(seen) == 1
    assert multimedia.log == ["camera", "sink", "start", "stop"]


def test_a_reader_may_go_while_its_thread_still_looks(qtbot: QtBot) -> None:
    # Whoever takes the message deletes the reader; what its thread says then reaches nobody.
    reader = QrReader()
    gate = threading.Event()
    failures: list[object] = []

    def source() -> Iterator[list[str]]:
        yield ["nothing that was meant"]
        gate.wait(PATIENCE)
        yield [frames_of().frame(0)]

    before, threading.excepthook = threading.excepthook, failures.append
    try:
        reader._submit(source)
        thread = reader._running
        assert thread is not None
        shiboken6.delete(reader)
        gate.set()
        thread.join(PATIENCE)
        qtbot.wait(50)
    finally:
        threading.excepthook = before
    assert not thread.is_alive()
    assert failures == []
