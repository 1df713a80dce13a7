"""A scroll area that a screen reader can walk through while its scroll bars come and go.

Qt counts the scroll bars that are visible among the children of a scroll area, and looks a child up
without checking that it is still there (QAccessibleAbstractScrollArea::child, Qt 6.11). When a page
is left, or grows, between a screen reader's two questions, the process ends with a segmentation
fault. Here Qt's own bars are never visible, so that the count never changes; two bars beside them
show and move the same values.

The place of the vertical bar is kept free: content that grows lower when it gets narrower would
otherwise make the bar come and go for ever.
"""

from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QScrollArea, QScrollBar, QWidget

_HORIZONTAL: Final = Qt.Orientation.Horizontal
_VERTICAL: Final = Qt.Orientation.Vertical


class SteadyScrollArea(QScrollArea):
    """Used as QScrollArea, with the bars shown as needed.

    Its own names are mangled: many pages derive from it, and one of them had a `_follow` too.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.shown_bars = {side: QScrollBar(side, self) for side in (_HORIZONTAL, _VERTICAL)}
        self.__inner_bars = {
            _HORIZONTAL: self.horizontalScrollBar(),
            _VERTICAL: self.verticalScrollBar(),
        }
        for side, bar in self.shown_bars.items():
            bar.hide()
            inner = self.__inner_bars[side]
            inner.rangeChanged.connect(self.__follow)
            inner.valueChanged.connect(bar.setValue)
            bar.valueChanged.connect(inner.setValue)

    def __follow(self) -> None:
        for side, bar in self.shown_bars.items():
            inner = self.__inner_bars[side]
            bar.setRange(inner.minimum(), inner.maximum())
            bar.setPageStep(inner.pageStep())
            bar.setSingleStep(inner.singleStep())
            bar.setValue(inner.value())
            bar.setVisible(inner.maximum() > inner.minimum())
        right, below = self.gutter, self.__thickness_below()
        margins = self.viewportMargins()
        if (margins.right(), margins.bottom()) != (right, below):
            self.setViewportMargins(0, 0, right, below)
        self.__place()

    @property
    def gutter(self) -> int:
        """Width in points that is kept for the vertical bar, right of the content."""
        return self.shown_bars[_VERTICAL].sizeHint().width()

    def __thickness_below(self) -> int:
        bar = self.shown_bars[_HORIZONTAL]
        return 0 if bar.isHidden() else bar.sizeHint().height()

    def __place(self) -> None:
        """Put the bars where Qt's own would be."""
        area = self.contentsRect()
        right, below = self.gutter, self.__thickness_below()
        self.shown_bars[_VERTICAL].setGeometry(
            area.right() + 1 - right, area.top(), right, area.height() - below
        )
        self.shown_bars[_HORIZONTAL].setGeometry(
            area.left(), area.bottom() + 1 - below, area.width() - right, below
        )

    # --- Qt's overrides

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.__follow()
