"""AnimatedQr: shows a message as QR codes in turn, as large and as fast as a scanner likes it."""

import base64
from collections.abc import Callable
from typing import Final

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QHideEvent, QImage, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QPlainTextEdit,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer.bbqr import MAX_CODES
from wallet_gui.transfer.qr_frames import Format, Frames, Kind, encode
from wallet_gui.widgets.clipboard import Copied, clipboard
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.fonts import use_font
from wallet_gui.widgets.labels import caption, text_label
from wallet_gui.widgets.notice import INFORMATION, WARNING, Notice
from wallet_gui.widgets.qr_code import QrCode, qr_modules

DENSITIES: Final = (40, 80, 120, 200, 300, 500, 750, 1000)
"""Bytes in one code, from what an old webcam reads to what a good telephone does."""

DEFAULT_DENSITY: Final = 3
SLOWEST, FASTEST, DEFAULT_SPEED = 2, 15, 5  # codes per second

MAX_SHOWN: Final = 1_000_000
"""Bytes of a message; at the densest and fastest, two minutes of holding still."""

_CACHED: Final = 300
_COLUMN: Final = 76
_SIDE: Final = 320
_FORMATS: Final = (
    ("BBQr: Coldcard, Sparrow, Nunchuk", Format.BBQR),
    ("UR: most other devices", Format.UR),
    ("One code", Format.PLAIN),
)


class AnimatedQr(QWidget):
    """Shows nothing until `show_message`; runs only while it is visible.

    The codes are black on white in every colour scheme, with whole pixels per module, and all of
    one size. For whoever cannot scan there is the text itself, to be copied.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._kind = Kind.TEXT
        self._data = b""
        self._frames: Frames | None = None
        self._number = 0
        self._images: dict[int, QImage] = {}
        self._is_paused = False
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._advance)
        self._build()

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        self.notice = Notice()
        layout.addWidget(self.notice)
        self.qr = QrCode("QR code")
        self.qr.setMinimumSize(_SIDE, _SIDE)
        layout.addWidget(self.qr, 1)
        self.position = text_label(role="muted")
        self.position.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        layout.addWidget(self.position)
        layout.addLayout(self._build_steps())
        self.format = QComboBox()
        self.format.setObjectName("qr_format")
        self.format.setAccessibleName("Format of the codes")
        for words, format_ in _FORMATS:
            self.format.addItem(words, format_)
        self.format.currentIndexChanged.connect(self._encode)
        layout.addWidget(caption("For&mat", self.format))
        layout.addWidget(self.format)
        self.density = self._slider("qr_density", 0, len(DENSITIES) - 1, DEFAULT_DENSITY)
        self.density.valueChanged.connect(self._encode)
        self.density_caption = caption("", self.density)
        layout.addWidget(self.density_caption)
        layout.addWidget(self.density)
        self.speed = self._slider("qr_speed", SLOWEST, FASTEST, DEFAULT_SPEED)
        self.speed.valueChanged.connect(self._set_speed)
        self.speed_caption = caption("", self.speed)
        layout.addWidget(self.speed_caption)
        layout.addWidget(self.speed)
        self._build_text(layout)
        self._set_speed(DEFAULT_SPEED)
        self._show_state()

    def _build_steps(self) -> FlowLayout:
        row = FlowLayout(spacing=10)
        self.back = self._button("qr_back", "Previous code", lambda: self._step(-1))
        self.pause = self._button("qr_pause", "Pause", self._toggle_pause)
        self.forward = self._button("qr_forward", "Next code", lambda: self._step(1))
        for button in (self.back, self.pause, self.forward):
            row.addWidget(button)
        return row

    def _build_text(self, layout: QVBoxLayout) -> None:
        row = FlowLayout(spacing=10)
        self.as_text = self._button("qr_as_text", "Show as text", self._toggle_text)
        self.copy = self._button("qr_copy", "Copy the text", self._copy)
        row.addWidget(self.as_text)
        row.addWidget(self.copy)
        layout.addLayout(row)
        self.text = QPlainTextEdit()
        self.text.setObjectName("qr_text")
        self.text.setAccessibleName("The message as text, in place of the codes")
        self.text.setReadOnly(True)
        self.text.setTabChangesFocus(True)
        use_font(self.text, percent=92, monospace=True)
        self.text.hide()
        layout.addWidget(self.text)

    @staticmethod
    def _button(name: str, words: str, pressed: Callable[[], None]) -> QPushButton:
        button = QPushButton(words)
        button.setObjectName(name)
        button.setAccessibleName(words)
        button.clicked.connect(pressed)
        return button

    @staticmethod
    def _slider(name: str, least: int, most: int, value: int) -> QSlider:
        slider = QSlider(Qt.Orientation.Horizontal)
        slider.setObjectName(name)
        slider.setRange(least, most)
        slider.setPageStep(1)
        slider.setValue(value)
        return slider

    # --- what is shown

    def show_message(self, kind: Kind, data: bytes, format_: Format | None = None) -> None:
        """Show a message, as `qr_frames.encode` takes it; what cannot be shown is said."""
        self._kind, self._data = kind, data
        self._is_paused = False
        self.text.setPlainText(_columns(self.message_text()) if self.text.isVisible() else "")
        if format_ is not None:
            self.format.blockSignals(True)
            self.format.setCurrentIndex(self.format.findData(format_))
            self.format.blockSignals(False)
        self._encode()

    def clear(self) -> None:
        """Show nothing and forget the message."""
        self._data = b""
        self._frames = None
        self._images.clear()
        self.text.clear()
        self.qr.set_text("")
        self.notice.clear()
        self._show_state()

    @property
    def _format(self) -> Format:
        return Format(self.format.currentData())  # Qt gives it back as bare text

    @property
    def frames(self) -> Frames | None:
        return self._frames

    @property
    def is_running(self) -> bool:
        return self._timer.isActive()

    def message_text(self) -> str:
        """The message as other programs take it pasted: base64, hexadecimal, or plain."""
        if self._kind is Kind.PSBT:
            return base64.b64encode(self._data).decode()
        if self._kind in (Kind.TRANSACTION, Kind.BINARY):
            return self._data.hex()
        return self._data.decode()

    def _encode(self) -> None:
        self._frames = None
        self._images.clear()
        self._number = 0
        if self._data:
            self._frames = self._fitting()
        if self._frames is not None:
            self.notice.clear()
            self._draw()
        else:
            self.qr.set_text("")
        self._show_state()

    def _fitting(self) -> Frames | None:
        """Encode at the chosen density, or at the next one that a large message fits into."""
        sentence = "This is too large for QR codes. Bring it over in a file instead."
        if len(self._data) > MAX_SHOWN:
            self.notice.say(sentence, WARNING)
            return None
        # What would be too many codes even if it shrank to a third is not tried.
        least = len(self._data) / (3 * MAX_CODES)
        for level in range(self.density.value(), len(DENSITIES)):
            if DENSITIES[level] < least:
                continue
            try:
                frames = encode(
                    self._kind,
                    self._data,
                    format=self._format,
                    max_fragment=DENSITIES[level],
                )
            except ParseError as refusal:
                sentence = str(refusal)
                continue
            if level != self.density.value():
                self.density.blockSignals(True)
                self.density.setValue(level)
                self.density.blockSignals(False)
            return frames
        self.notice.say(sentence, WARNING)
        return None

    def _draw(self) -> None:
        if self._frames is None:
            return
        text = self._frames.frame(self._number)
        image = self._images.get(self._number)
        if image is None:
            # Screens have no dirt: the least error correction makes the smallest codes.
            image = qr_modules(text, level="L", version=self._frames.version)
            if len(self._images) >= _CACHED:
                self._images.clear()
            self._images[self._number] = image
        self.qr.set_modules(text, image, self._spoken())
        self._show_position()

    def _spoken(self) -> str:
        count = self._frames.count if self._frames else 0
        return "one code" if count == 1 else f"{count} codes shown in turn"

    def _show_position(self) -> None:
        frames = self._frames
        if frames is None:
            self.position.setText("")
        elif frames.count == 1:
            self.position.setText("One code holds it all")
        elif self._number < frames.count:
            self.position.setText(f"Code {self._number + 1} of {frames.count}")
        else:
            self.position.setText(f"Code {self._number + 1}; any {frames.count} or so are enough")

    # --- time

    def _set_speed(self, speed: int) -> None:
        self._timer.setInterval(1000 // speed)
        self.speed_caption.setText(f"&Speed: {speed} codes a second")
        self.speed.setAccessibleName(f"Speed: {speed} codes a second")

    def _advance(self) -> None:
        if self._frames is None:
            return
        self._number += 1
        if self._format is not Format.UR or self._frames.count == 1:
            self._number %= self._frames.count
        self._draw()

    def _step(self, by: int) -> None:
        if self._frames is None:
            return
        self._is_paused = True
        self._number += by
        if self._number < 0 or self._format is not Format.UR:
            self._number %= self._frames.count
        self._draw()
        self._show_state()

    def _toggle_pause(self) -> None:
        self._is_paused = not self._is_paused
        self._show_state()

    def _show_state(self) -> None:
        """Bring the buttons and the timer in line with what there is to show."""
        moves = self._frames is not None and self._frames.count > 1
        for widget in (self.back, self.pause, self.forward, self.speed):
            widget.setEnabled(moves)
        self.pause.setText("Go on" if self._is_paused else "Pause")
        self.pause.setAccessibleName(self.pause.text())
        self.as_text.setEnabled(bool(self._data))
        self.copy.setEnabled(bool(self._data))
        level = self.density.value()
        words = f"{self._spoken() if self._frames else 'none'}, up to {DENSITIES[level]} bytes each"
        self.density_caption.setText(f"&Detail of a code: {words}")
        self.density.setAccessibleName(f"Detail of a code: {words}")
        self.density.setEnabled(self._format is not Format.PLAIN)
        self._show_position()
        if moves and not self._is_paused and self.isVisible():
            self._timer.start()
        else:
            self._timer.stop()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._show_state()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()

    # --- the text in place of the codes

    def _toggle_text(self) -> None:
        is_shown = not self.text.isVisible()
        self.text.setPlainText(_columns(self.message_text()) if is_shown else "")
        self.text.setVisible(is_shown)
        self.as_text.setText("Hide the text" if is_shown else "Show as text")
        self.as_text.setAccessibleName(self.as_text.text())

    def _copy(self) -> None:
        def told(outcome: Copied) -> None:
            is_kept = outcome is Copied.KEPT
            words = outcome.sentence(is_private=True)
            self.notice.say(words, INFORMATION if is_kept else WARNING)

        clipboard().copy(self.message_text(), self, told, is_private=True)


def _columns(text: str) -> str:
    """Break one long word into lines, as nothing can show a line of a hundred thousand letters."""
    if len(text) <= _COLUMN or " " in text or "\n" in text:
        return text
    return "\n".join(text[i : i + _COLUMN] for i in range(0, len(text), _COLUMN))
