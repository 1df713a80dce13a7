from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, QRect, QSize, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication, QPixmap
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from tests.gui.qr_pictures import picture, saved
from tests.gui.test_qr_reader import LARGE, FakeCamera, frames_of
from wallet_gui.transfer.qr_frames import Format, Kind, Progress
from wallet_gui.widgets import qr_reader, qr_scan_panel
from wallet_gui.widgets.camera import NO_CAMERA, NO_CAMERA_SUPPORT, CameraDevice
from wallet_gui.widgets.qr_scan_panel import QrScanPanel
from wallet_gui.widgets.screen_region import RegionPicker, pick_region
from wallet_gui.widgets.theme import ThemeSwitch

pytestmark = pytest.mark.qt_log_ignore("does not support propagateSizeHints", extend=True)


def shown(qtbot: QtBot, camera: FakeCamera | None = None) -> QrScanPanel:
    panel = QrScanPanel(camera=camera)
    qtbot.addWidget(panel)
    panel.show()
    return panel


@pytest.fixture
def panel(qtbot: QtBot, themed: ThemeSwitch, monkeypatch: pytest.MonkeyPatch) -> QrScanPanel:
    monkeypatch.setattr(qr_scan_panel, "find_camera", lambda _parent: None)
    return shown(qtbot)


def click(button: Any) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def test_pictures_lead_to_the_message(
    panel: QrScanPanel, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished: list[Progress] = []
    panel.finished.connect(finished.append)
    frames = frames_of(Format.BBQR)
    paths = [saved(picture(frames.frame(n)), tmp_path / f"{n}.png") for n in range(frames.count)]
    asked = iter([[], paths[:1], paths[1:]])
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: (next(asked), ""))
    assert panel.position.text() == "No code is read yet"
    assert not panel.again.isEnabled()
    click(panel.open)
    assert not panel.reader.is_busy
    click(panel.open)
    qtbot.waitUntil(lambda: panel.position.text() == f"1 of {frames.count} codes are read")
    percent = 100 // frames.count
    assert panel.bar.value() == percent
    assert panel.bar.accessibleName().endswith(f"{percent} percent")
    click(panel.open)
    qtbot.waitUntil(lambda: bool(finished))
    assert (finished[0].kind, finished[0].data) == (Kind.PSBT, LARGE)
    assert panel.position.text() == "All codes are read"
    click(panel.again)
    assert panel.position.text() == "No code is read yet"


def test_paste_by_key_and_what_is_wrong(panel: QrScanPanel, qtbot: QtBot) -> None:
    QGuiApplication.clipboard().setText("B$HP0201")
    QTest.keySequence(panel, "Ctrl+V")
    qtbot.waitUntil(lambda: "empty" in panel.notice.text)
    QGuiApplication.clipboard().setText(frames_of().frame(0))
    click(panel.paste)
    qtbot.waitUntil(panel.again.isEnabled)
    assert not panel.notice.isVisible()
    QGuiApplication.clipboard().clear()


def test_files_are_dropped(panel: QrScanPanel, qtbot: QtBot, tmp_path: Path) -> None:
    content = QMimeData()
    content.setUrls([QUrl.fromLocalFile(saved(picture("dropped"), tmp_path / "a.png"))])
    enter = QDragEnterEvent(
        QPoint(5, 5),
        Qt.DropAction.CopyAction,
        content,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    panel.dragEnterEvent(enter)
    assert enter.isAccepted()
    drop = QDropEvent(
        QPointF(5, 5),
        Qt.DropAction.CopyAction,
        content,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    with qtbot.waitSignal(panel.finished) as told:
        panel.dropEvent(drop)
    assert told.args is not None
    assert told.args[0].data == b"dropped"


def test_build_without_cameras_says_so(panel: QrScanPanel) -> None:
    assert panel.camera_state.text() == NO_CAMERA_SUPPORT
    assert panel.camera_state.isVisible()
    assert not panel.camera.isVisible()


def test_no_camera_is_said_too(qtbot: QtBot, themed: ThemeSwitch) -> None:
    class NoDevice(FakeCamera):
        def devices(self) -> list[CameraDevice]:
            return []

    assert shown(qtbot, NoDevice()).camera_state.text() == NO_CAMERA


def test_camera_is_let_go_when_out_of_sight(qtbot: QtBot, themed: ThemeSwitch) -> None:
    fake = FakeCamera()
    panel = shown(qtbot, fake)
    assert panel.devices.currentText() == "Webcam"
    click(panel.camera)
    assert (fake.started, fake.stopped) == (1, 0)
    assert panel.camera.accessibleName() == "Stop the camera"
    panel.hide()
    assert fake.stopped == 1
    assert panel.camera.accessibleName() == "Start the camera"
    panel.show()
    click(panel.camera)
    fake.fail("The camera was unplugged.")
    assert panel.notice.text == "The camera was unplugged."
    assert panel.camera.accessibleName() == "Start the camera"
    click(panel.camera)
    click(panel.camera)
    assert (fake.started, fake.stopped) == (3, 3)


def test_animated_codes_of_another_window_are_watched(
    panel: QrScanPanel, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = frames_of(Format.UR)
    looks = iter(range(1000))
    places: list[QRect] = []

    def grab(region: QRect | None) -> list[Any]:
        assert region is not None
        places.append(region)
        return [picture(frames.frame(next(looks)))]

    monkeypatch.setattr(qr_reader, "grab_screens", grab)
    click(panel.watch)
    assert panel.picker is not None
    picker = panel.picker
    origin = picker.mapToGlobal(QPoint(0, 0))
    QTest.mousePress(picker, Qt.MouseButton.LeftButton, pos=QPoint(10, 20))
    QTest.mouseMove(picker, QPoint(200, 220))
    with qtbot.waitSignal(panel.finished) as told:
        QTest.mouseRelease(picker, Qt.MouseButton.LeftButton, pos=QPoint(200, 220))
        assert panel.reader.is_watching
        assert panel.watch.accessibleName() == "Stop watching the screen"
    assert told.args is not None
    assert told.args[0].data == LARGE
    assert places[0].topLeft() - origin == QPoint(10, 20)
    assert panel.watch.accessibleName() == "Watch the screen"


def test_watching_ends_by_button_and_out_of_sight(
    panel: QrScanPanel, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qr_reader, "grab_screens", lambda _region: [picture("x").copy(0, 0, 9, 9)])
    ends: list[Callable[[], None]] = [lambda: click(panel.watch), panel.hide]
    for end in ends:
        panel.show()
        panel._watch(QRect(0, 0, 50, 50))
        assert panel.reader.is_watching
        end()
        assert panel.watch.accessibleName() == "Watch the screen"
    monkeypatch.setattr(qr_reader, "grab_screens", lambda _region: [])
    panel.show()
    panel.reader.start_over()
    panel._watch(QRect(0, 0, 50, 50))
    qtbot.waitUntil(lambda: "does not let programs" in panel.notice.text)


def test_desktop_that_bars_the_screen(panel: QrScanPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    barred = SimpleNamespace(
        geometry=lambda: QRect(0, 0, 100, 100), grabWindow=lambda *_: QPixmap()
    )
    monkeypatch.setattr(panel, "screen", lambda: barred)
    click(panel.watch)
    assert "does not let programs" in panel.notice.text


def test_frame_on_the_screen(qtbot: QtBot, panel: QrScanPanel) -> None:
    def picker() -> tuple[RegionPicker, list[object]]:
        made = pick_region(panel)
        assert made is not None
        heard: list[object] = []
        made.chosen.connect(heard.append)
        made.cancelled.connect(lambda: heard.append(None))
        made.resize(QSize(400, 300))
        made.show()
        return made, heard

    made, heard = picker()
    QTest.mousePress(made, Qt.MouseButton.LeftButton, pos=QPoint(50, 50))
    QTest.mouseRelease(made, Qt.MouseButton.LeftButton, pos=QPoint(53, 53))
    assert heard == []
    assert made.frame.isEmpty()
    QTest.mousePress(made, Qt.MouseButton.LeftButton, pos=QPoint(150, 150))
    QTest.mouseMove(made, QPoint(20, 30))
    made.grab()
    QTest.mouseRelease(made, Qt.MouseButton.LeftButton, pos=QPoint(20, 30))
    (region,) = heard
    assert isinstance(region, QRect)
    assert region.topLeft() == QPoint(20, 30)
    for key, expected in ((Qt.Key.Key_Escape, None), (Qt.Key.Key_Return, QRect(0, 0, 400, 300))):
        made, heard = picker()
        QTest.keyClick(made, Qt.Key.Key_A)
        made.grab()
        QTest.keyClick(made, key)
        assert heard == [expected]
    made, heard = picker()
    made.close()
    assert heard == [None]
