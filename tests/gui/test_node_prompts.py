"""What SSH asks of a person, and that the window never waits for any of it."""

import threading
import time
from collections.abc import Callable

import pytest
import shiboken6
from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPlainTextEdit
from pytestqt.qtbot import QtBot

from tests.gui.conftest import Screen
from tests.gui.node_looks import EVIL, FORBIDDEN, ask, prompt, shown_texts
from tests.gui.node_samples import (
    CHALLENGE,
    FINGERPRINT,
    HOST_KEY,
    PASSPHRASE,
    PASSWORD,
    READY,
    results,
)
from tests.gui.node_states import PROMPTS, card, node_sync
from wallet_gui.app.node_choice import NodeChoice
from wallet_gui.chain.bitcoind.steps import StepResult
from wallet_gui.chain.bitcoind.tunnel_protocol import HostKeyQuestion, SecretKind, SecretQuestion
from wallet_gui.gui.node_prompts import HostKeyPrompt, NodePrompts, SecretPrompt
from wallet_gui.widgets.fonts import change_scale
from wallet_gui.widgets.theme import ThemeSwitch

pytestmark = pytest.mark.qt_log_ignore("does not support propagateSizeHints", extend=True)


# --- questions -----------------------------------------------------------------------------------


def test_an_unknown_server_is_only_trusted_on_purpose(screen: Screen, qtbot: QtBot) -> None:
    answers = ask(screen, screen.window.prompts.trust_host_key(HOST_KEY))
    dialog = prompt(screen, qtbot, HostKeyPrompt)
    assert dialog.fingerprint.text().replace(" ", "") == FINGERPRINT
    assert dialog.command.line == HOST_KEY.compare_command
    assert dialog.cancel.isDefault()
    assert not dialog.yes.isDefault()
    QTest.keyClick(dialog, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: answers == [False])
    answers = ask(screen, screen.window.prompts.trust_host_key(HOST_KEY))
    prompt(screen, qtbot, HostKeyPrompt).yes.click()
    qtbot.waitUntil(lambda: answers == [True])


@pytest.mark.parametrize("question", [PASSPHRASE, PASSWORD, CHALLENGE], ids=lambda q: q.kind.value)
def test_a_secret_is_typed_and_forgotten(
    screen: Screen, qtbot: QtBot, question: SecretQuestion
) -> None:
    answers = ask(screen, screen.window.prompts.secret(question))
    dialog = prompt(screen, qtbot, SecretPrompt)
    assert (dialog.edit.echoMode() is dialog.edit.EchoMode.Normal) is question.echo
    assert question.prompt in dialog.words.text()
    retry = any("not right" in text for text in shown_texts(dialog))
    assert retry is question.is_retry
    QTest.keyClicks(dialog.edit, "geheim 1")
    QTest.keyClick(dialog.edit, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: answers == ["geheim 1"])
    # The field is emptied before it goes.
    assert not shiboken6.isValid(dialog) or dialog.edit.text() == ""
    assert screen.window.prompts.dialog is None


def test_escape_and_closing_answer_no(screen: Screen, qtbot: QtBot) -> None:
    answers = ask(screen, screen.window.prompts.secret(PASSPHRASE))
    QTest.keyClick(prompt(screen, qtbot, SecretPrompt), Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: answers == [None])


def test_questions_come_one_after_the_other(screen: Screen, qtbot: QtBot) -> None:
    first = ask(screen, screen.window.prompts.secret(PASSPHRASE))
    second = ask(screen, screen.window.prompts.trust_host_key(HOST_KEY))
    prompt(screen, qtbot, SecretPrompt)
    assert len([d for d in screen.window.findChildren(HostKeyPrompt) if d.isVisible()]) == 0
    prompt(screen, qtbot, SecretPrompt).cancel.click()
    prompt(screen, qtbot, HostKeyPrompt).yes.click()
    qtbot.waitUntil(lambda: first == [None] and second == [True])


def test_a_question_that_is_not_needed_any_more_goes_away(screen: Screen, qtbot: QtBot) -> None:
    call = screen.engine.call(screen.window.prompts.secret(PASSPHRASE), screen.window)
    prompt(screen, qtbot, SecretPrompt)
    with qtbot.waitSignal(call.cancelled):
        call.cancel()
    qtbot.waitUntil(lambda: screen.window.prompts.dialog is None)


def test_closing_the_window_answers_everything(screen: Screen, qtbot: QtBot) -> None:
    first = ask(screen, screen.window.prompts.secret(PASSPHRASE))
    second = ask(screen, screen.window.prompts.secret(PASSWORD))
    prompt(screen, qtbot, SecretPrompt)
    screen.window.close()
    qtbot.waitUntil(lambda: first == [None] and second == [None])
    third = ask(screen, screen.window.prompts.trust_host_key(HOST_KEY))
    qtbot.waitUntil(lambda: third == [False])


@pytest.mark.parametrize("percent", [100, 150, 200])
@pytest.mark.parametrize("name", PROMPTS)
def test_nothing_of_a_question_is_cut_off(
    screen: Screen, qapp: QApplication, themed: ThemeSwitch, name: str, percent: int
) -> None:
    try:
        change_scale(qapp, percent)
        themed.choose("light")
        dialog = PROMPTS[name](screen)
        dialog.open()
        for _ in range(6):
            QApplication.processEvents()
        for label in dialog.findChildren(QLabel):
            if label.isVisible():
                assert label.height() >= label.heightForWidth(label.width()), label.text()
                assert dialog.rect().contains(label.geometry()) or label.parentWidget() != dialog
        for button in (dialog.cancel, dialog.yes):
            assert dialog.rect().contains(button.geometry())
        for edit in dialog.findChildren(QPlainTextEdit):
            assert edit.verticalScrollBar().maximum() == 0, edit.toPlainText()
        dialog.reject()
    finally:
        change_scale(qapp, 100)


def test_prompts_of_a_server_are_plain_and_capped(screen: Screen, qtbot: QtBot) -> None:
    evil = SecretQuestion(SecretKind.CHALLENGE, EVIL)
    ask(screen, screen.window.prompts.secret(evil))
    dialog = prompt(screen, qtbot, SecretPrompt)
    found = shown_texts(dialog)
    assert any("img src" in text for text in found)
    assert [text for text in found if FORBIDDEN.search(text) or len(text) > 600] == []
    for label in dialog.findChildren(QLabel):
        assert label.textFormat() is Qt.TextFormat.PlainText
    dialog.cancel.click()
    host = HostKeyQuestion(EVIL, 22, EVIL, EVIL, EVIL)
    ask(screen, screen.window.prompts.trust_host_key(host))
    dialog = prompt(screen, qtbot, HostKeyPrompt)
    assert [text for text in shown_texts(dialog) if FORBIDDEN.search(text)] == []
    dialog.cancel.click()


# --- the window never waits ----------------------------------------------------------------------


class Stalls:
    """Notes the longest time in which the window's thread did nothing else."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._last = time.perf_counter()
        self._timer = QTimer()
        self._timer.setInterval(5)
        self._timer.timeout.connect(self._tick)
        self._timer.start()

    def _tick(self) -> None:
        now = time.perf_counter()
        self.longest = max(self.longest, now - self._last)
        self._last = now

    def stop(self) -> None:
        self._timer.stop()


def test_nothing_of_a_test_holds_the_window_up(
    screen: Screen, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that takes seconds to answer, and an engine that is busy, cost the window nothing."""
    threads: set[str] = set()

    async def slow(
        choice: NodeChoice, asker: NodePrompts, on_result: Callable[[StepResult], None]
    ) -> object:
        del choice
        for result in results():
            threads.add(threading.current_thread().name)
            on_result(result)
            time.sleep(0.15)  # noqa: ASYNC251 - the engine is busy, the window is not
        await asker.trust_host_key(HOST_KEY)
        return READY

    shown = card(screen)
    monkeypatch.setattr(screen.online, "test_node", slow)
    QApplication.processEvents()
    stalls = Stalls()
    shown.test_button.click()
    prompt(screen, qtbot, HostKeyPrompt)
    # While the question stands, the window goes on.
    screen.sync(node_sync())
    prompt(screen, qtbot, HostKeyPrompt).cancel.click()
    qtbot.waitUntil(shown.panel.use_button.isVisible)
    stalls.stop()
    assert threads == {"engine"}
    # Had it waited for the engine even once, this would be two seconds.
    assert stalls.longest < 1.2, stalls.longest
