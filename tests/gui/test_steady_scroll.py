"""The scroll area whose children, as a screen reader counts them, never change."""

import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import QFrame, QLabel
from pytestqt.qtbot import QtBot

from wallet_gui.widgets.steady_scroll import SteadyScrollArea

pytestmark = pytest.mark.usefixtures("qapp")


def _shown(qtbot: QtBot, content: QSize) -> tuple[SteadyScrollArea, QLabel]:
    area = SteadyScrollArea()
    area.setFrameShape(QFrame.Shape.NoFrame)
    qtbot.addWidget(area)
    label = QLabel()
    label.setMinimumSize(content)
    area.setWidgetResizable(True)
    area.setWidget(label)
    area.resize(200, 200)
    area.show()
    qtbot.waitExposed(area)
    return area, label


def _children(area: SteadyScrollArea) -> int:
    return int(QAccessible.queryAccessibleInterface(area).childCount())


def test_the_children_stay_while_bars_come_and_go(qtbot: QtBot) -> None:
    area, label = _shown(qtbot, QSize(50, 50))
    vertical = area.shown_bars[Qt.Orientation.Vertical]
    assert not vertical.isVisible()
    assert _children(area) == 1
    label.setMinimumSize(50, 900)
    qtbot.waitUntil(vertical.isVisible)
    assert _children(area) == 1
    label.setMinimumSize(50, 50)
    qtbot.waitUntil(lambda: not vertical.isVisible())
    assert _children(area) == 1
    area.hide()
    assert _children(area) == 1


def test_bar_and_content_move_each_other(qtbot: QtBot) -> None:
    area, _ = _shown(qtbot, QSize(50, 900))
    bar = area.shown_bars[Qt.Orientation.Vertical]
    qtbot.waitUntil(bar.isVisible)
    assert bar.maximum() == area.verticalScrollBar().maximum() > 0
    bar.setValue(120)
    assert area.verticalScrollBar().value() == 120
    area.verticalScrollBar().setValue(30)
    assert bar.value() == 30
    assert area.viewport().width() == area.width() - bar.width()
    assert (bar.x(), bar.height()) == (area.viewport().width(), area.height())


def test_both_bars_leave_the_corner_free(qtbot: QtBot) -> None:
    area, _ = _shown(qtbot, QSize(900, 900))
    across, down = (area.shown_bars[side] for side in Qt.Orientation)
    qtbot.waitUntil(lambda: across.isVisible() and down.isVisible())
    assert across.width() == area.width() - down.width()
    assert down.height() == area.height() - across.height()
    area.resize(400, 300)
    assert across.y() == area.height() - across.height()
    assert down.x() == area.width() - down.width()


def test_a_page_may_have_the_same_names(qtbot: QtBot) -> None:
    class Named(SteadyScrollArea):
        def _follow(self) -> None:
            raise AssertionError

        def _place(self) -> None:
            raise AssertionError

    area = Named()
    qtbot.addWidget(area)
    label = QLabel()
    label.setMinimumSize(50, 900)
    area.setWidget(label)
    area.resize(200, 200)
    area.show()
    qtbot.waitUntil(area.shown_bars[Qt.Orientation.Vertical].isVisible)
