"""Rules that hold on every page: names, mnemonics, the keyboard, plain text, hidden amounts."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import cast

import pytest
from PySide6.QtCore import QAbstractItemModel, Qt
from PySide6.QtGui import QFont
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QTableView,
    QWidget,
)
from pytestqt.qtbot import QtBot

from tests.gui.conftest import Screen
from tests.gui.page_states import PAGES
from tests.gui.samples import (
    INCOMING,
    entry,
    plan,
    request,
    snapshot,
    sync,
)
from wallet_gui.app.online import Online
from wallet_gui.app.published import WalletEntry
from wallet_gui.chain.backend import ConnectionState
from wallet_gui.wallet.snapshot import Balance
from wallet_gui.widgets.fonts import change_scale
from wallet_gui.widgets.theme import ThemeSwitch

# Choices of one: a single stop for Tab.
RADIOS = (
    {"network_automatic", "network_only_own"},
    {"source_direct", "source_node", "source_node_else_direct"},
    {"first_source_direct", "first_source_node", "first_source_node_else_direct"},
)
ACTIONABLE = (QAbstractButton, QLineEdit, QPlainTextEdit, QComboBox, QAbstractItemView)


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest, screen: Screen) -> Screen:
    screen.online.playground = object()
    assert screen.window.play_flow is not None
    screen.window.play_flow.attach(cast("Online", screen.online))
    PAGES[request.param](screen)
    QApplication.processEvents()
    return screen


def shown(screen: Screen, kind: type[QWidget] | tuple[type[QWidget], ...]) -> Iterator[QWidget]:
    for widget in screen.window.findChildren(QWidget):
        if isinstance(widget, kind) and widget.isVisibleTo(screen.window):
            yield widget


def actionable(screen: Screen) -> Iterator[QWidget]:
    for widget in shown(screen, ACTIONABLE):
        inside = widget.objectName().startswith(("qt_", "_q_")) or isinstance(
            widget.parentWidget(), (QAbstractItemView, QComboBox)
        )
        if not inside and widget.metaObject().className() != "QHeaderView":
            yield widget


def test_everything_that_can_be_acted_on_has_a_name(page: Screen) -> None:
    nameless = [
        f"{type(widget).__name__} {widget.objectName() or '?'}"
        for widget in actionable(page)
        if not widget.objectName() or not widget.accessibleName().strip()
    ]
    assert nameless == []


def test_names_of_objects_are_unique_on_the_screen(page: Screen) -> None:
    counts = Counter(widget.objectName() for widget in actionable(page))
    assert [name for name, count in counts.items() if count > 1] == []


def _squeezed(text: str) -> str:
    return re.sub(r"\s", "", text).replace("\N{HORIZONTAL ELLIPSIS}", "")


def test_a_name_never_hides_the_value_of_a_label(page: Screen) -> None:
    hiding = [
        (label.accessibleName(), label.text())
        for label in shown(page, QLabel)
        if isinstance(label, QLabel)
        and label.accessibleName()
        and label.text() not in {"", "\N{EN DASH}"}
        and _squeezed(label.text()) not in _squeezed(label.accessibleName())
    ]
    assert hiding == []


def test_progress_bars_say_how_far_they_are(page: Screen) -> None:
    for bar in shown(page, QProgressBar):
        assert re.search(r"\d+ percent", bar.accessibleName()), bar.objectName()


def test_all_labels_are_plain_text(page: Screen) -> None:
    rich = [
        label.text()
        for label in page.window.findChildren(QLabel)
        if label.textFormat() is not Qt.TextFormat.PlainText
    ]
    assert rich == []


def _mnemonic(text: str) -> str:
    found = re.search(r"&([^&\s])", text.replace("&&", ""))
    return found.group(1).casefold() if found else ""


def test_no_letter_leads_to_two_controls(page: Screen) -> None:
    letters: list[tuple[str, str]] = []
    for widget in shown(page, (QAbstractButton, QLabel)):
        if isinstance(widget, QLabel) and widget.buddy() is None:
            continue
        text = widget.text() if isinstance(widget, (QLabel, QAbstractButton)) else ""
        letters.append((_mnemonic(text), text))
        if isinstance(widget, QPushButton) and widget.shortcut().toString().startswith("Alt+"):
            letter = widget.shortcut().toString()[4:].casefold()
            if letter != _mnemonic(text):
                letters.append((letter, widget.accessibleName()))
    counts = Counter(letter for letter, _ in letters if letter)
    doubled = {letter for letter, count in counts.items() if count > 1}
    assert [item for item in letters if item[0] in doubled] == []


def test_tab_reaches_every_control(page: Screen, qtbot: QtBot) -> None:
    window = page.window
    wanted = {
        widget.objectName()
        for widget in actionable(page)
        if widget.isEnabled() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
    }
    with qtbot.waitActive(window):
        window.activateWindow()
    next(iter(w for w in actionable(page) if w.objectName() in wanted)).setFocus()
    reached: set[str] = set()
    for _ in range(4 * len(wanted) + 10):
        focus = QApplication.focusWidget()
        assert focus is not None
        reached.add(focus.objectName())
        QTest.keyClick(focus, Qt.Key.Key_Tab)
    # The sidebar, and a choice of one, is one stop; the arrow keys go on inside it.
    for group in (
        {name for name in wanted if name.startswith("navigation_")},
        *(radios & wanted for radios in RADIOS),
    ):
        assert not group or group & reached
        wanted -= group
    assert wanted - reached == set()


def test_arrow_keys_walk_through_the_sidebar(screen: Screen, qtbot: QtBot) -> None:
    screen.open()
    window = screen.window
    with qtbot.waitActive(window):
        window.activateWindow()
    window.navigation["overview"].setFocus()
    for key in ("receive", "send", "history", "psbt", "peers", "settings"):
        focus = QApplication.focusWidget()
        assert focus is not None
        QTest.keyClick(focus, Qt.Key.Key_Down)
        window.navigation[key].setFocus()
        assert window.navigation[key].isChecked()
        assert window.pages.currentWidget() is getattr(window, key)


def test_what_else_tab_skips_is_a_group_with_its_own_keys(page: Screen) -> None:
    skipped = {
        widget.objectName()
        for widget in actionable(page)
        if widget.isEnabled() and not widget.focusPolicy() & Qt.FocusPolicy.TabFocus
    }
    radios = set[str]().union(*RADIOS)
    assert all(name.startswith("navigation_") or name in radios for name in skipped)
    assert not any(group <= skipped for group in RADIOS)


@pytest.mark.parametrize("percent", [100, 150])
def test_nothing_is_cut_off_at_the_smallest_size(
    page: Screen, percent: int, qapp: QApplication, themed: ThemeSwitch
) -> None:
    try:
        change_scale(qapp, percent)
        themed.choose("light")
        page.window.resize(page.window.minimumSize())
        for _ in range(3):
            QApplication.processEvents()
        for area in page.window.findChildren(QScrollArea):
            if area.isVisibleTo(page.window):
                over = area.horizontalScrollBar().maximum()
                assert over == 0, f"{area.objectName()} is {over} pixels too wide"
        for widget in shown(page, (QLabel, QAbstractButton)):
            if isinstance(widget, QLabel) and not widget.wordWrap():
                assert widget.width() >= widget.sizeHint().width(), widget.text()
            elif isinstance(widget, QLabel):
                assert widget.height() >= widget.heightForWidth(widget.width()), widget.text()
            elif isinstance(widget, QPushButton):
                least = widget.minimumSizeHint()
                assert widget.width() >= least.width(), widget.text()
                assert widget.height() >= least.height(), widget.text()
        for table in shown(page, QTableView):
            assert isinstance(table, QTableView)
            assert table.horizontalScrollBar().maximum() == 0, table.objectName()
        assert page.window.width() == page.window.minimumWidth()
    finally:
        change_scale(qapp, 100)


# --- text from outside ---------------------------------------------------------------------------

EVIL = '<img src="x">&<b>B</b>\N{RIGHT-TO-LEFT OVERRIDE}\u0007\u200b\nsecond line'
_FORBIDDEN = re.compile("[\u0000-\u0009\u000b-\u001f\u200b\u202a-\u202e\u2066-\u2069]")


def _model_texts(model: QAbstractItemModel) -> Iterator[str]:
    for row in range(model.rowCount()):
        for column in range(model.columnCount()):
            for role in (
                Qt.ItemDataRole.DisplayRole,
                Qt.ItemDataRole.ToolTipRole,
                Qt.ItemDataRole.AccessibleTextRole,
            ):
                text = model.index(row, column).data(role)
                if text is not None:
                    yield str(text)


def _every_text(screen: Screen) -> Iterator[str]:
    for widget in screen.window.findChildren(QWidget):
        yield from (widget.accessibleName(), widget.accessibleDescription(), widget.toolTip())
        if isinstance(widget, (QLabel, QAbstractButton, QLineEdit)):
            yield widget.text()
        if isinstance(widget, QAbstractItemView) and widget.model() is not None:
            yield from _model_texts(widget.model())


def test_markup_and_direction_characters_from_outside_stay_text(screen: Screen) -> None:
    evil_entry = entry(5, label=EVIL, addresses=(EVIL, EVIL))
    evil_request = request(1)
    changed = type(evil_request.request)(
        evil_request.request.keychain, 1, 0, EVIL, 1_000, EVIL, 1, None
    )
    screen.window.wizard.show_wallets((WalletEntry(EVIL, "/x"),))
    screen.open(
        snapshot(
            name=EVIL,
            history=(evil_entry,),
            requests=(request(1, request=changed),),
        )
    )
    screen.sync(sync(detail=EVIL, warning=EVIL, user_agent=EVIL, state=ConnectionState.OFFLINE))
    window = screen.window
    window.fail(EVIL)
    window.wizard.say(EVIL)
    window.receive.show_failure(EVIL)
    window.receive.table.selectRow(0)
    window.send.show_preview(plan(notes=(EVIL,)))
    window.send.show_failure(EVIL)
    window.send.show_preview_failure(EVIL)
    window.history.show_payment(evil_entry)
    window.history.ask_high_fee(EVIL)
    texts = list(_every_text(screen))
    assert sum("img src" in text for text in texts) > 8
    assert [text for text in texts if _FORBIDDEN.search(text)] == []
    for widget in window.findChildren(QWidget):
        # Qt guesses whether a tool tip is markup: only an escaped one may hold such text.
        assert "<img" not in widget.toolTip()
    for label in window.findChildren(QLabel):
        assert label.textFormat() is Qt.TextFormat.PlainText


# --- hidden amounts ------------------------------------------------------------------------------


def test_hide_amounts_leaves_no_amount_anywhere(screen: Screen) -> None:
    balance = Balance(199_900_000, 49_577, 12_345, 5_000_000_000, 1_000)
    screen.open(snapshot(balance=balance, requests=(request(0, received_sat=777_000),)))
    window = screen.window
    window.receive.table.selectRow(0)
    window.history.show_payment(INCOMING)
    window.send.show_preview(plan())
    amount = re.compile(r"\d\.\d{4,8}\b")
    assert sum(bool(amount.search(text)) for text in _every_text(screen)) > 20
    window.status.hide_button.click()
    assert window.wallet_model.hides_amounts
    assert [text for text in _every_text(screen) if amount.search(text)] == []
    window.history.show_payment(entry(4, fee_sat=5_000))
    window.receive.table.clearSelection()
    window.receive.table.selectRow(0)
    window.send.show_preview(plan(fee_sat=999))
    screen.update(snapshot(balance=Balance(1, 2, 3, 4, 5)))
    QApplication.processEvents()
    assert [text for text in _every_text(screen) if amount.search(text)] == []
    window.status.hide_button.click()
    assert any(amount.search(text) for text in _every_text(screen))


# --- looks ---------------------------------------------------------------------------------------


def test_a_live_change_of_theme_repaints_every_page(screen: Screen, themed: ThemeSwitch) -> None:
    screen.open()
    light = screen.window.grab().toImage()
    themed.choose("dark")
    dark = screen.window.grab().toImage()
    themed.choose("light")
    again = screen.window.grab().toImage()
    for x, y in ((light.width() // 2, light.height() - 200), (40, 400), (400, 740), (260, 100)):
        assert light.pixelColor(x, y).lightness() > 200
        assert dark.pixelColor(x, y).lightness() < 60
        assert again.pixelColor(x, y) == light.pixelColor(x, y)


def test_a_live_change_of_text_size_reaches_headings_and_amounts(
    screen: Screen, qapp: QApplication
) -> None:
    screen.open()
    total = screen.window.overview.total
    before = QFont(total.font()).pointSizeF()
    try:
        change_scale(qapp, 150)
        assert total.font().pointSizeF() == pytest.approx(before * 1.5)
        assert screen.window.send.available.font().family() == "JetBrains Mono"
    finally:
        change_scale(qapp, 100)
    assert total.font().pointSizeF() == pytest.approx(before)


def test_play_money_is_marked_on_every_page(page: Screen) -> None:
    banner = page.window.findChild(QWidget, "play_banner")
    assert banner is not None
    assert banner.isVisible()
    assert "play money" in page.window.windowTitle()
