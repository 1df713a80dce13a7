"""RegionPicker: a person draws a frame around a QR code on a picture of the screen."""

from PySide6.QtCore import QPoint, QRect, Qt, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QColor,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QScreen,
)
from PySide6.QtWidgets import QWidget

_SHADE = QColor(0, 0, 0, 110)
_EDGE = QColor("#ffffff")
_SMALLEST = 16
_WORDS = "Draw a frame around the QR code. Enter takes the whole screen, Esc goes back."


class RegionPicker(QWidget):
    """Covers one screen with a picture of itself until a frame is drawn.

    `chosen` gives the frame in coordinates of the desktop, `cancelled` says that there is none.
    What is below keeps running; the picture only stands for it while the frame is drawn.
    """

    chosen = Signal(QRect)
    cancelled = Signal()

    def __init__(self, screen: QScreen, picture: QPixmap, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Window | Qt.WindowType.FramelessWindowHint)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setAccessibleName(_WORDS)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._picture = picture
        self._origin = screen.geometry().topLeft()
        self._start: QPoint | None = None
        self._frame = QRect()
        self._is_told = False
        self.setGeometry(screen.geometry())

    @property
    def frame(self) -> QRect:
        """The frame as it is drawn so far, in coordinates of this widget."""
        return self._frame

    def _tell(self, frame: QRect | None) -> None:
        if self._is_told:
            return
        self._is_told = True
        if frame is None:
            self.cancelled.emit()
        else:
            self.chosen.emit(frame.translated(self._origin))
        self.close()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.drawPixmap(self.rect(), self._picture)
        shaded = [self.rect()]
        if not self._frame.isEmpty():
            frame = self._frame
            inner = self.rect()
            shaded = [
                QRect(0, 0, inner.width(), frame.top()),
                QRect(0, frame.bottom() + 1, inner.width(), inner.height()),
                QRect(0, frame.top(), frame.left(), frame.height()),
                QRect(frame.right() + 1, frame.top(), inner.width(), frame.height()),
            ]
        for area in shaded:
            painter.fillRect(area, _SHADE)
        painter.setPen(_EDGE)
        if not self._frame.isEmpty():
            painter.drawRect(self._frame)
        painter.drawText(
            self.rect().adjusted(0, 24, 0, 0),
            Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop,
            _WORDS,
        )

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._start = event.position().toPoint()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._start is not None:
            one, other = self._start, event.position().toPoint()
            first = QPoint(min(one.x(), other.x()), min(one.y(), other.y()))
            last = QPoint(max(one.x(), other.x()), max(one.y(), other.y()))
            self._frame = QRect(first, last) & self.rect()
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.mouseMoveEvent(event)
        self._start = None
        if min(self._frame.width(), self._frame.height()) >= _SMALLEST:
            self._tell(self._frame)
        else:  # a slip of the mouse: nothing is chosen yet
            self._frame = QRect()
            self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self._tell(None)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._tell(self.rect())
        else:
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        super().closeEvent(event)
        if not self._is_told:
            self._is_told = True
            self.cancelled.emit()


def pick_region(parent: QWidget) -> RegionPicker | None:
    """Cover the screen that `parent` is on; None where the desktop gives no picture of it."""
    screen = parent.screen()
    size = screen.geometry().size()
    picture = screen.grabWindow(0, 0, 0, size.width(), size.height())
    if picture.isNull():
        return None
    return RegionPicker(screen, picture)
