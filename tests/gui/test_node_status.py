"""What is said of a person's node while it is used, and the first wallet's question."""

import re
from dataclasses import replace
from typing import cast

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from tests.gui.conftest import Screen
from tests.gui.node_looks import EVIL, FORBIDDEN, shown_texts, squeezed
from tests.gui.node_samples import (
    READY,
    STATUS,
    problems,
    results,
)
from tests.gui.node_states import card, node_sync, show_problem
from tests.gui.samples import snapshot, sync
from wallet_gui.app.node_choice import NodeChoice
from wallet_gui.app.online import Online
from wallet_gui.app.published import NewWallet, SessionUpdate
from wallet_gui.chain.backend import CheckState, ConnectionState, Phase
from wallet_gui.chain.bitcoind.node_status import NodeState, NodeStatus
from wallet_gui.chain.bitcoind.problems import Code, Fix, NodeProblem
from wallet_gui.chain.bitcoind.steps import STEPS, Status, StepResult
from wallet_gui.storage.node_settings import DIRECT, NODE, NodeSettings

pytestmark = pytest.mark.qt_log_ignore("does not support propagateSizeHints", extend=True)

ALL_PROBLEMS = problems()


# --- what the node says --------------------------------------------------------------------------


def test_text_of_servers_and_nodes_is_plain_and_capped(screen: Screen) -> None:
    evil = NodeProblem(Code.NODE_LIES, EVIL, EVIL, fix=Fix(EVIL, EVIL), detail=EVIL)
    shown = show_problem(screen, evil)
    shown.panel.problem.details_button.click()
    for result in (StepResult(step, Status.WARN, EVIL, 5) for step in STEPS):
        shown.panel.show_result(result)
    shown.panel.finish(replace(READY, sentence=EVIL, learns=EVIL, offer=evil))
    status = NodeStatus(NodeState.STOPPED, EVIL, EVIL, EVIL, EVIL, EVIL, evil)
    screen.sync(replace(sync(), source_words=EVIL, node=status))
    screen.window._take(SessionUpdate("id", snapshot(), None, {}, CheckState.DIFFERS, EVIL))
    found = shown_texts(shown)
    screen.window.show_page("peers")
    screen.sync(replace(sync(), source_words=EVIL + "2", node=status))
    found += shown_texts(screen.window.peers)
    screen.window.show_page("overview")
    found += shown_texts(screen.window)
    assert sum("img src" in text for text in found) > 12
    assert [text for text in found if FORBIDDEN.search(text)] == []
    assert all(len(text) < 1_000 for text in found)
    for widget in screen.window.findChildren(QWidget):
        assert "<img" not in widget.toolTip()
    for label in screen.window.findChildren(QLabel):
        assert label.textFormat() is Qt.TextFormat.PlainText


def test_the_node_is_described_in_plain_words(screen: Screen) -> None:
    screen.open()
    screen.sync(node_sync(is_pruned=True))
    screen.window._take(SessionUpdate("id", snapshot(), check=CheckState.AGREES))
    screen.window.show_page("peers")
    lines = dict(screen.window.peers.node.lines())
    assert lines["State"] == "Connected"
    assert lines["Connected via"] == "ssh bitcoin@mynode.local"
    assert lines["Says it is"] == "/Satoshi:29.1.0/"
    assert "keeps none of it" in lines["What it learns"]
    assert lines["Newest block"] == "4 min old"
    assert "Pruned" in lines["Blocks"]
    assert "Every coin" in lines["Last check against its coins"]
    screen.sync(sync())
    assert not screen.window.peers.node.isVisible()


def test_reconnecting_is_said_with_its_reason(screen: Screen) -> None:
    screen.open()
    screen.window.show_page("peers")
    problem = ALL_PROBLEMS["keepalive_lost"]
    away = replace(STATUS, state=NodeState.RECONNECTING, problem=problem)
    screen.sync(replace(node_sync(), node=away))
    node = screen.window.peers.node
    assert dict(node.lines())["State"] == "Reconnecting"
    assert squeezed(problem.title) in squeezed(node.problem.title.text())
    assert not node.problem.act.isVisible()


def test_the_status_bar_names_the_source_and_why(screen: Screen) -> None:
    screen.open()
    screen.sync(node_sync())
    bar = screen.window.status.backend
    assert bar.text() == "My node"
    assert "public peers take over" in bar.accessibleDescription()
    assert "public peers take over" in bar.toolTip()
    assert screen.window.status.peers.text() == ""


def test_the_card_says_which_source_is_in_use_and_offers_to_try(
    screen: Screen, qtbot: QtBot
) -> None:
    shown = card(screen)
    screen.sync(node_sync())
    assert "My node" in shown.in_use.text()
    assert not shown.try_button.isVisible()
    screen.sync(node_sync(state=NodeState.RECONNECTING))
    shown.try_button.click()
    qtbot.waitUntil(lambda: screen.online.named("try_node_again") == [()])


def test_no_number_is_shown_while_the_coins_differ(screen: Screen) -> None:
    screen.open()
    overview = screen.window.overview
    total = overview.total.text()
    assert re.search(r"\d", total)
    screen.window._take(
        SessionUpdate("id", snapshot(), None, {}, CheckState.DIFFERS, "Two coins are missing.")
    )
    assert overview.total.text() == "Checking again\N{HORIZONTAL ELLIPSIS}"
    assert overview.check.text() == "Two coins are missing."
    screen.window._take(
        SessionUpdate("id", snapshot(tip=209), None, {}, CheckState.DIFFERS, "Still.")
    )
    amounts = [label.text() for label in overview.parts.values() if label.isVisible()]
    assert amounts == []
    assert not re.search(r"\d", overview.total.text() + overview.total.accessibleName())
    screen.window.show_page("send")
    assert "Checking" in screen.window.send.available.text()
    screen.window._take(SessionUpdate("id", snapshot(), check=CheckState.AGREES))
    assert overview.total.text() == total
    assert not overview.check.isVisible()
    # Another wallet begins without the doubts of this one.
    screen.window._take(SessionUpdate("id", snapshot(), check=CheckState.DIFFERS))
    screen.window.lock()
    screen.open()
    assert overview.total.text() == total


# --- the first wallet ----------------------------------------------------------------------------


def test_the_first_wallet_asks_where_the_chain_comes_from(screen: Screen, qtbot: QtBot) -> None:
    wizard = screen.window.wizard
    wizard.offer_source(offered=True)
    wizard._start_create()
    wizard.next_button.click()
    assert wizard.currentWidget() is wizard.source_page
    assert wizard.source.source == DIRECT
    assert screen.online.named("create_wallet") == []
    wizard.source.buttons[NODE].setChecked(True)
    wizard.source_next.click()
    assert wizard.source.form.problem.isVisible()
    wizard.source.form.address.setText("ssh://a@b")
    wizard.source_next.click()
    qtbot.waitUntil(lambda: bool(screen.online.named("create_wallet")))
    wanted = NodeChoice(NODE, NodeSettings(address="ssh://a@b"))
    assert screen.online.named("set_source") == [(wanted,)]
    assert isinstance(screen.online.named("create_wallet")[0][0], NewWallet)


def test_directly_is_one_more_press_and_asked_once(screen: Screen, qtbot: QtBot) -> None:
    wizard = screen.window.wizard
    wizard.offer_source(offered=True)
    wizard._start_restore()
    wizard.next_button.click()
    QTest.keyClick(wizard, Qt.Key.Key_Escape)
    assert wizard.currentWidget() is wizard.form
    wizard.next_button.click()
    wizard.source_next.click()
    qtbot.waitUntil(lambda: screen.window.wallet_model.wallet_id == "id")
    assert screen.online.named("restore_wallet")
    assert screen.online.named("set_source") == [(NodeChoice(),)]
    screen.window.lock()
    qtbot.waitUntil(lambda: not wizard._is_busy)  # until the wallet's file is closed
    wizard._start_create()
    wizard.next_button.click()
    qtbot.waitUntil(lambda: bool(screen.online.named("create_wallet")))


def test_a_test_in_the_wizard_shows_its_ticks_there(screen: Screen, qtbot: QtBot) -> None:
    wizard = screen.window.wizard
    wizard.offer_source(offered=True)
    wizard._start_create()
    wizard.next_button.click()
    wizard.source.buttons[NODE].setChecked(True)
    wizard.source.form.address.setText("ssh://a@b")
    screen.online.steps = tuple(results())
    screen.online.test_result = READY
    wizard.source.test_button.click()
    qtbot.waitUntil(lambda: wizard.source.panel.result.text.startswith("Ready"))
    assert screen.window.settings.source.panel.isHidden()


def test_reading_from_the_node_is_not_called_looking_for_peers(screen: Screen) -> None:
    screen.open()
    reading = replace(node_sync(), state=ConnectionState.ONLINE, phase=Phase.HEADERS)
    screen.sync(reading)
    card_texts = shown_texts(screen.window.overview.sync_card)
    assert "My node" in card_texts
    assert "connected" in card_texts
    assert not any("peer" in text.lower() for text in card_texts)
    screen.sync(sync(Phase.HEADERS))
    assert "Finding peers" in shown_texts(screen.window.overview.sync_card)


def test_a_node_that_is_behind_and_its_warnings_are_said(screen: Screen) -> None:
    screen.open()
    screen.window.show_page("peers")
    screen.sync(node_sync(blocks_behind=1_234, warnings=("Disk space is low.",)))
    lines = dict(screen.window.peers.node.lines())
    assert lines["Newest block"] == "4 min old; the node has 1,234 blocks still to read"
    assert lines["Its warnings"] == "Disk space is low."


def test_the_playground_has_no_other_source(screen: Screen) -> None:
    screen.online.playground = object()
    screen.window.source_flow.attach(cast("Online", screen.online))
    screen.open()
    screen.window.show_page("settings")
    assert not screen.window.settings.source.isVisible()
