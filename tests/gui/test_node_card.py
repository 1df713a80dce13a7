"""The card of a person's node: what is typed, tested and offered."""

import asyncio

import pytest
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QFileDialog
from pytestqt.qtbot import QtBot

from tests.gui.conftest import Screen
from tests.gui.node_looks import EVIL, FORBIDDEN, squeezed
from tests.gui.node_samples import (
    FAILED,
    KEY,
    READY,
    problems,
    results,
)
from tests.gui.node_states import NODE_CHOICE, card, show_problem
from wallet_gui.app.node_choice import NodeChoice
from wallet_gui.chain.backend import ChainError
from wallet_gui.chain.bitcoind.problems import Code
from wallet_gui.chain.bitcoind.ssh_problems import host_key_changed
from wallet_gui.chain.bitcoind.steps import STEPS, Status, StepResult
from wallet_gui.gui.source_card import SourceCard
from wallet_gui.gui.step_list import time_text
from wallet_gui.storage.node_settings import DIRECT, NODE_ELSE_DIRECT, NodeSettings

pytestmark = pytest.mark.qt_log_ignore("does not support propagateSizeHints", extend=True)

ALL_PROBLEMS = problems()


# --- the test ------------------------------------------------------------------------------------


def test_steps_tick_as_they_pass_and_the_result_offers_the_node(
    screen: Screen, qtbot: QtBot
) -> None:
    shown = card(screen)
    screen.online.steps = tuple(results())
    screen.online.test_result = READY
    shown.test_button.click()
    assert not shown.panel.isHidden()
    assert shown.panel.cancel_button.isVisible()
    qtbot.waitUntil(shown.panel.use_button.isVisible)
    assert shown.panel.steps.texts(4) == (
        "\N{CHECK MARK}",
        "4  Logged in",
        "key from the agent",
        "48 ms",
    )
    assert shown.panel.result.text.startswith("Ready \u2013 fast & private mode. The node")
    assert "All 13 steps passed in 2.5 seconds" in shown.panel.progress.text()
    (asked,) = screen.online.named("test_node")
    assert asked == (NODE_CHOICE, screen.window.prompts)
    shown.panel.use_button.click()
    qtbot.waitUntil(lambda: screen.online.named("set_source") == [(NODE_CHOICE,)])


def test_a_running_step_says_so_and_is_replaced_by_its_result(screen: Screen) -> None:
    shown = card(screen)
    shown.begin_test()
    shown.panel.show_result(StepResult(STEPS[0], Status.RUNNING))
    assert shown.panel.steps.texts(1)[0] == "\N{HORIZONTAL ELLIPSIS}"
    assert shown.panel.progress.text() == "Step 1 of 13: Machine found."
    shown.panel.show_result(results()[0])
    assert shown.panel.steps.texts(1)[0] == "\N{CHECK MARK}"
    assert shown.panel.steps.texts(2) == ("\N{MIDDLE DOT}", "2  SSH answers", "", "")


@pytest.mark.parametrize("name", ALL_PROBLEMS)
def test_every_red_row_has_a_sentence_and_one_thing_to_press(screen: Screen, name: str) -> None:
    problem = ALL_PROBLEMS[name]
    shown = show_problem(screen, problem)
    box = shown.panel.problem
    assert box.isVisible()
    assert squeezed(problem.title) in squeezed(box.title.text())
    assert squeezed(problem.what_to_do) in squeezed(box.what.text())
    offered = [button for button in (box.act, box.copy.button) if button.isVisible()]
    assert len(offered) == 1, [button.text() for button in offered]
    assert offered[0].text().strip()
    # Details are folded, and none of it is markup.
    assert not box.details.isVisible()
    assert not shown.panel.use_button.isVisible()
    if problem.detail:
        box.details_button.click()
        assert squeezed(problem.detail) in squeezed(box.details.text())
    assert any(mark == "\N{BALLOT X}" for mark in _marks(shown))


def test_there_is_a_problem_for_every_code() -> None:
    assert {problem.code for problem in ALL_PROBLEMS.values()} == set(Code)


def test_a_changed_key_offers_no_way_around(screen: Screen, qtbot: QtBot) -> None:
    shown = show_problem(screen, host_key_changed("mynode.local", "SHA256:abc"))
    buttons = [b.text() for b in shown.panel.findChildren(QAbstractButton) if b.isVisible()]
    assert set(buttons) <= {"Change the settings", "Details", "Test again", "Look at the report"}
    assert shown.panel.is_stop
    # Forgetting is a step of its own, under More settings.
    assert not shown.form.forget_button.isVisible()
    shown.panel.problem.act.click()
    assert shown.form.forget_button.isVisible()
    shown.form.forget_button.click()
    qtbot.waitUntil(lambda: "is forgotten" in shown.notice.text)
    assert screen.online.named("forget_server") == [(NODE_CHOICE,)]


def test_a_changed_key_that_only_the_person_can_forget_comes_with_the_line(screen: Screen) -> None:
    """It stands in a file of theirs, which the program does not write to."""
    line = 'ssh-keygen -f "/home/me/.ssh/known_hosts" -R "mynode.local"'
    problem = host_key_changed("mynode.local", "SHA256:abc", "known_hosts, line 1", line)
    shown = show_problem(screen, problem)
    assert shown.panel.is_stop
    assert shown.panel.problem.copy.isVisible()
    assert shown.panel.problem.copy.line == line
    assert squeezed("compare the new fingerprint") in squeezed(shown.panel.problem.what.text())


def test_a_line_is_copied_and_looked_after(screen: Screen, qtbot: QtBot) -> None:
    shown = show_problem(screen, ALL_PROBLEMS["no_filter_index"])
    copy = shown.panel.problem.copy
    assert copy.line == "blockfilterindex=1"
    copy.button.click()
    assert QGuiApplication.clipboard().text() == "blockfilterindex=1"
    qtbot.waitUntil(lambda: copy.said.text() == "Copied.")
    copy.button.click()
    QGuiApplication.clipboard().setText("something else")
    qtbot.waitUntil(lambda: "holds something else" in copy.said.text())


def test_the_right_port_is_entered_and_tested(screen: Screen, qtbot: QtBot) -> None:
    shown = show_problem(screen, ALL_PROBLEMS["rpc_to_p2p"])
    shown.panel.problem.act.click()
    qtbot.waitUntil(lambda: bool(screen.online.named("test_node")))
    (choice, _) = screen.online.named("test_node")[0]
    assert isinstance(choice, NodeChoice)
    assert choice.node.rpc_port == 8332


@pytest.mark.parametrize("name", ["port_is_rpc", "port_is_p2p"])
def test_the_right_ssh_port_is_entered_and_tested(screen: Screen, qtbot: QtBot, name: str) -> None:
    shown = show_problem(screen, ALL_PROBLEMS[name])
    shown.form.address.setText("ssh://bitcoin@mynode.local:8332")
    shown.panel.problem.act.click()
    qtbot.waitUntil(lambda: bool(screen.online.named("test_node")))
    assert shown.form.address.text() == "ssh://bitcoin@mynode.local:22"


def test_a_question_that_was_not_answered_is_asked_again(screen: Screen) -> None:
    for name in ("passphrase_wrong", "prompt_declined", "passphrase_needed"):
        shown = show_problem(screen, ALL_PROBLEMS[name])
        assert shown.panel.problem.act.text() == "Try again"


def test_what_passes_is_tried_again(screen: Screen, qtbot: QtBot) -> None:
    shown = show_problem(screen, ALL_PROBLEMS["connection_lost"])
    assert shown.panel.problem.act.text() == "Try again"
    shown.panel.problem.act.click()
    qtbot.waitUntil(lambda: len(screen.online.named("test_node")) == 1)


def test_a_test_can_be_stopped(screen: Screen, qtbot: QtBot) -> None:
    shown = card(screen)
    screen.online.gate = asyncio.Event()
    shown.test_button.click()
    qtbot.waitUntil(lambda: bool(screen.online.named("test_node")))
    shown.panel.cancel_button.click()
    qtbot.waitUntil(lambda: shown.panel.progress.text() == "The test was stopped.")
    assert screen.online.cancelled == ["test_node"]
    assert not shown.panel.use_button.isVisible()


def test_a_test_that_was_replaced_says_nothing_more(screen: Screen, qtbot: QtBot) -> None:
    shown = card(screen)
    screen.online.gate = asyncio.Event()
    shown.test_button.click()
    qtbot.waitUntil(lambda: len(screen.online.named("test_node")) == 1)
    screen.online.test_result = READY
    shown.end_test()
    shown.form.submitted.emit()
    qtbot.waitUntil(lambda: len(screen.online.named("test_node")) == 2)
    qtbot.waitUntil(lambda: bool(screen.online.cancelled))
    assert shown.panel.cancel_button.isVisible()
    screen.window.source_flow.stop_test()


def test_changing_a_field_takes_the_offer_away(screen: Screen) -> None:
    shown = card(screen)
    shown.begin_test()
    for result in results():
        shown.panel.show_result(result)
    shown.panel.finish(READY)
    shown.end_test()
    assert shown.panel.use_button.isVisible()
    QTest.keyClicks(shown.form.address, "x")
    assert not shown.panel.use_button.isVisible()
    assert shown.apply_button.isVisible()


def test_the_report_is_looked_at_before_it_is_copied(screen: Screen) -> None:
    shown = show_problem(screen, ALL_PROBLEMS["auth_refused"])
    assert not shown.panel.report.isVisible()
    shown.panel.report_button.click()
    assert shown.panel.report.line == FAILED.report
    assert "read it before you give it" in shown.panel.report_note.text()
    shown.panel.report.button.click()
    assert QGuiApplication.clipboard().text() == FAILED.report


def test_an_error_of_the_program_is_a_sentence(screen: Screen, qtbot: QtBot) -> None:
    shown = card(screen)
    screen.online.errors["test_node"] = ChainError("Nothing can be tried.")
    shown.test_button.click()
    qtbot.waitUntil(lambda: shown.panel.result.text == "Nothing can be tried.")


# --- what is typed -------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "-oProxyCommand=rm", "a b", "ssh://u:p@h", "ssh://h/x", "é"])
def test_a_wrong_address_gets_its_sentence_and_nothing_is_contacted(
    screen: Screen, text: str
) -> None:
    shown = card(screen)
    shown.form.address.setText(text)
    shown.test_button.click()
    shown.apply_button.click()
    assert shown.form.problem.isVisible()
    assert shown.form.problem.text()
    assert screen.online.named("test_node") == screen.online.named("set_source") == []


def test_all_that_is_typed_reaches_the_engine_and_comes_back(
    screen: Screen, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = card(screen)
    form = shown.form
    shown.buttons[NODE_ELSE_DIRECT].setChecked(True)
    form.address.setText("  homenode ")
    form.key_kind.setCurrentIndex(1)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("/k/id", ""))
    form.choose_button.click()
    form.more_button.click()
    form.tell_nothing.setChecked(True)
    form.broadcast_by_p2p.setChecked(True)
    form.compare.setChecked(False)
    form.rung.setCurrentIndex(3)
    form.rpc_port.setText("18443")
    form.p2p_port.setText("18444")
    form.cookie_path.setText("/c/.cookie")
    form.user.setText("wallet")
    form.password.setText("geheim")
    form.system_ssh.setChecked(True)
    shown.apply_button.click()
    wanted = NodeChoice(
        NODE_ELSE_DIRECT,
        NodeSettings(
            address="homenode",
            key_path="/k/id",
            implementation="system",
            rpc_port=18443,
            p2p_port=18444,
            cookie_path="/c/.cookie",
            user="wallet",
            tell_nothing=True,
            broadcast_by_p2p=True,
            rung=3,
            compare_with_public=False,
        ),
        "geheim",
    )
    qtbot.waitUntil(lambda: screen.online.named("set_source") == [(wanted,)])
    # The password is kept where it belongs, and not on the screen.
    qtbot.waitUntil(lambda: form.password.text() == "")
    assert form.password.placeholderText() == "remembered"
    assert shown.choice() == wanted.without_password()
    shown.show_choice(NodeChoice())
    shown.show_choice(wanted.without_password(), has_password=True)
    assert shown.form.password.text() == ""
    assert shown.choice() == wanted.without_password()


def test_a_user_needs_a_password_and_a_key_file_a_path(screen: Screen) -> None:
    shown = card(screen)
    shown.form.user.setText("wallet")
    assert shown.choice() is None
    assert "needs a password" in shown.form.problem.text()
    shown.form.user.clear()
    shown.form.key_kind.setCurrentIndex(1)
    assert shown.choice() is None
    assert "Choose the key file" in shown.form.problem.text()


def test_this_computer_needs_no_ssh(screen: Screen) -> None:
    shown = card(screen)
    shown.form.local_button.click()
    assert shown.form.address.text() == "local"
    assert not shown.form.login.isVisible()
    choice = shown.choice()
    assert choice is not None
    assert choice.node.address == "local"
    shown.form.local_button.click()
    assert shown.form.login.isVisible()


def test_directly_needs_no_address_and_shows_no_fields(screen: Screen, qtbot: QtBot) -> None:
    shown = card(screen)
    shown.form.address.setText("not an address!")
    shown.buttons[DIRECT].setChecked(True)
    assert not shown.form.isVisible()
    assert not shown.test_button.isVisible()
    shown.apply_button.click()
    qtbot.waitUntil(lambda: screen.online.named("set_source") == [(NodeChoice(),)])


def test_hosts_of_the_ssh_configuration_are_offered(screen: Screen, qtbot: QtBot) -> None:
    screen.online.aliases = ("homenode", "work", EVIL)
    screen.window.source_flow.show_stored()
    QApplication.processEvents()
    assert screen.online.named("ssh_aliases") == []
    card(screen)
    form = screen.window.settings.source.form
    qtbot.waitUntil(lambda: form._aliases.rowCount() == 3)
    completer = form.address.completer()
    completer.setCompletionPrefix("node")
    assert completer.currentCompletion() == "homenode"
    assert not any(FORBIDDEN.search(text) for text in form._aliases.stringList())


def test_a_key_is_made_shown_and_restricted(screen: Screen, qtbot: QtBot) -> None:
    shown = card(screen)
    shown.form.key_kind.setCurrentIndex(2)
    key_card = shown.form.key_card
    qtbot.waitUntil(lambda: bool(screen.online.named("own_ssh_key")))
    assert key_card.make_button.isVisible()
    assert not key_card.line.isVisible()
    key_card.make_button.click()
    qtbot.waitUntil(key_card.line.isVisible)
    assert key_card.line.line.startswith("restrict,permitopen=")
    assert key_card.permits.text() == "It permits X."
    key_card.show_key(KEY)
    key_card.qr_button.click()
    assert key_card.qr.text == KEY.line
    assert key_card.qr.isVisible()
    choice = shown.choice()
    assert choice is not None
    assert choice.node.own_key


def test_a_key_that_cannot_be_made_says_why(screen: Screen, qtbot: QtBot) -> None:
    shown = card(screen)
    shown.form.key_kind.setCurrentIndex(2)
    screen.online.errors["make_ssh_key"] = ChainError("The disk is full.")
    shown.form.key_card.make_button.click()
    qtbot.waitUntil(lambda: shown.form.key_card.notice.text == "The disk is full.")
    assert shown.form.key_card.make_button.isEnabled()


def test_times_are_read_at_a_glance() -> None:
    assert [time_text(ms) for ms in (-1, 0, 999, 1_000, 12_345)] == [
        *("0 ms", "0 ms", "999 ms", "1.0 s", "12.3 s")
    ]


def _marks(shown: SourceCard) -> list[str]:
    return [shown.panel.steps.texts(step.number)[0] for step in STEPS]
