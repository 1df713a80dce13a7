"""How pages stay tidy: news go with their page, lists are as high as what is in them."""

from PySide6.QtWidgets import QApplication

from tests.gui.conftest import Screen
from tests.gui.samples import entry, snapshot
from wallet_gui.widgets.notice import INFORMATION, WARNING


def test_news_of_a_page_go_with_it_and_warnings_stay(screen: Screen) -> None:
    window = screen.window
    screen.open()
    window.notice.say("A block was mined.", INFORMATION)
    window.sidebar.go("send")
    assert not window.notice.isVisible()
    window.notice.say("The file was damaged; a copy was opened.", WARNING)
    window.sidebar.go("history")
    assert window.notice.isVisible()


def test_the_last_payments_are_seen_without_scrolling_in_the_list(screen: Screen) -> None:
    table = screen.window.overview.table
    for count in (1, 2, 6):
        screen.open(snapshot(history=tuple(entry(n) for n in range(count))))
        QApplication.processEvents()
        assert table.verticalScrollBar().maximum() == 0
        rows = table.filter.rowCount() * table.verticalHeader().defaultSectionSize()
        assert rows <= table.viewport().height() <= rows + 8
