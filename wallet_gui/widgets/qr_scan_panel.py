"""QrScanPanel: all ways for a QR code to come in, and how far the message is."""

from collections.abc import Callable

from PySide6.QtCore import QRect, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QHideEvent, QKeySequence
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from wallet_gui.transfer.qr_frames import Progress
from wallet_gui.widgets.camera import NO_CAMERA, NO_CAMERA_SUPPORT, Camera, find_camera
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import text_label
from wallet_gui.widgets.notice import WARNING, Notice
from wallet_gui.widgets.qr_reader import NO_SCREEN, QrReader
from wallet_gui.widgets.screen_region import RegionPicker, pick_region

_WATCH, _STOP_WATCHING = "Watch the &screen", "Stop watching the &screen"
_START_CAMERA, _STOP_CAMERA = "Start the ca&mera", "Stop the ca&mera"


class QrScanPanel(QWidget):
    """Files by button or dropped, the clipboard, a part of the screen, a camera.

    `finished` gives the Progress with kind and data; after `start_over` it takes the next one.
    Camera and screen are let go as soon as the panel is out of sight.
    """

    finished = Signal(object)

    def __init__(self, parent: QWidget | None = None, camera: Camera | None = None) -> None:
        """`camera` stands in for the one that this build may have."""
        super().__init__(parent)
        self.reader = QrReader(self, camera or find_camera(self))
        self.reader.progressed.connect(self._show_progress)
        self.reader.finished.connect(self._finish)
        self.reader.refused.connect(self._refuse)
        self.picker: RegionPicker | None = None
        self.setAcceptDrops(True)
        self._build()
        self._show_progress(Progress(0, 0))

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        self.notice = Notice()
        layout.addWidget(self.notice)
        row = FlowLayout(spacing=10)
        self.open = self._button("qr_open", "&Open pictures\u2026", self._open)
        self.paste = self._button("qr_paste", "&Paste", self.reader.read_clipboard)
        self.paste.setShortcut(QKeySequence(QKeySequence.StandardKey.Paste))
        self.watch = self._button("qr_watch", _WATCH, self._toggle_watching)
        for button in (self.open, self.paste, self.watch):
            row.addWidget(button)
        layout.addLayout(row)
        layout.addWidget(
            text_label(
                "A code may come as a picture file, also dropped here, as a picture or text on the "
                "clipboard, or from another window on this screen.",
                role="muted",
            )
        )
        self._build_camera(layout)
        self.position = text_label()
        layout.addWidget(self.position)
        self.bar = QProgressBar()
        self.bar.setObjectName("qr_progress")
        self.bar.setRange(0, 100)
        layout.addWidget(self.bar)
        self.again = self._button("qr_start_over", "Start o&ver", self.start_over)
        end = FlowLayout(spacing=10)
        end.addWidget(self.again)
        layout.addLayout(end)

    def _build_camera(self, layout: QVBoxLayout) -> None:
        devices = self.reader.cameras()
        self.camera_state = text_label(role="muted")
        self.devices = QComboBox()
        self.devices.setObjectName("qr_camera")
        self.devices.setAccessibleName("Camera")
        for device in devices:
            self.devices.addItem(device.name[:80], device.id)
        self.camera = self._button("qr_camera_switch", _START_CAMERA, self._toggle_camera)
        row = FlowLayout(spacing=10)
        row.addWidget(self.devices)
        row.addWidget(self.camera)
        layout.addWidget(self.camera_state)
        layout.addLayout(row)
        self.devices.setVisible(bool(devices))
        self.camera.setVisible(bool(devices))
        if not self.reader.has_camera_support:
            self.camera_state.setText(NO_CAMERA_SUPPORT)
        elif not devices:
            self.camera_state.setText(NO_CAMERA)
        self.camera_state.setVisible(bool(self.camera_state.text()))

    @staticmethod
    def _button(name: str, words: str, pressed: Callable[[], None]) -> QPushButton:
        button = QPushButton(words)
        button.setObjectName(name)
        button.setAccessibleName(words.replace("&", ""))
        button.clicked.connect(pressed)
        return button

    # --- ways in

    def _open(self) -> None:
        paths, _ = QFileDialog.getOpenFileNames(self, "Open pictures with QR codes")
        if paths:
            self.reader.read_files(paths)

    def _toggle_watching(self) -> None:
        if self.reader.is_watching:
            self.reader.stop_watching()
            self._show_switches()
            return
        self.picker = pick_region(self)
        if self.picker is None:
            self._refuse(NO_SCREEN)
            return
        self.picker.chosen.connect(self._watch)
        self.picker.show()
        self.picker.activateWindow()

    def _watch(self, region: QRect) -> None:
        self.picker = None
        self.reader.watch_screen(region)
        self._show_switches()

    def _toggle_camera(self) -> None:
        if self.reader.is_camera_on:
            self.reader.stop_camera()
        else:
            self.reader.start_camera(self.devices.currentData())
        self._show_switches()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls() or event.mimeData().hasImage():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        self.reader.read_content(event.mimeData())
        event.acceptProposedAction()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.reader.stop_camera()
        self.reader.stop_watching()
        self._show_switches()

    # --- what came of it

    def start_over(self) -> None:
        """Forget what was read."""
        self.reader.start_over()
        self.notice.clear()
        self._show_progress(Progress(0, 0))

    def _show_progress(self, progress: Progress) -> None:
        if progress.total:
            self.notice.clear()
        percent = int(100 * progress.fraction)
        if progress.is_done:
            words = "All codes are read"
        elif progress.total:
            words = f"{progress.received} of {progress.total} codes are read"
        else:
            words = "No code is read yet"
        self.position.setText(words)
        self.bar.setValue(percent)
        self.bar.setAccessibleName(f"{words}, {percent} percent")
        self.again.setEnabled(progress.total > 0)
        self._show_switches()

    def _show_switches(self) -> None:
        for button, is_on, on, off in (
            (self.watch, self.reader.is_watching, _STOP_WATCHING, _WATCH),
            (self.camera, self.reader.is_camera_on, _STOP_CAMERA, _START_CAMERA),
        ):
            button.setText(on if is_on else off)
            button.setAccessibleName(button.text().replace("&", ""))

    def _finish(self, progress: Progress) -> None:
        self._show_switches()
        self.finished.emit(progress)

    def _refuse(self, sentence: str) -> None:
        self.notice.say(sentence, WARNING)
        self._show_switches()
