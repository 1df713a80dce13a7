"""The card about newer versions in the real window, and what a check does on a real network."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from tests.gui.conftest import Screen
from tests.gui.update_states import EXPIRED, FORGED, KEY, NEWER, NEWEST, NOTICE, OFF, SECURITY
from tests.hostile.notice_server import Authority, NoticeServer, notice_server, ok
from tests.release_keys import ReleaseSigner
from wallet_gui.app.instance import Instance
from wallet_gui.app.network_words import day_text
from wallet_gui.app.update_notice import UpdateNotice
from wallet_gui.chain.reports import Purpose
from wallet_gui.gui import update_flow
from wallet_gui.gui.application import Application
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.release_signature import ReleaseKeys
from wallet_gui.storage import release_keys
from wallet_gui.storage.settings import DataDirectory, SettingsFile
from wallet_gui.widgets.theme import ThemeSwitch

# What the card shows


def test_a_copy_without_keys_has_no_card(screen: Screen) -> None:
    assert screen.window.update_flow.card.isHidden()
    assert screen.window.update_flow.line is None
    assert screen.window.update_flow.card._body is None  # nothing was built for it either


def test_it_is_off_and_says_whom_it_would_ask(screen: Screen) -> None:
    flow = screen.window.update_flow
    flow.show_status(OFF)
    body = flow.card.body
    assert not body.weekly.isChecked()
    assert "updates.example.org, directly" in body.intro.text()
    assert body.state.text() == "It was never asked."
    assert body.found.isHidden()
    assert body.notice.isHidden()
    assert flow.line is None


def test_the_newest_version_needs_no_line(screen: Screen) -> None:
    flow = screen.window.update_flow
    flow.show_status(NEWEST)
    assert "you have the newest version" in flow.card.body.state.text()
    assert flow.card.body.weekly.isChecked()
    assert flow.line is None


def test_a_newer_version_is_told_quietly(screen: Screen) -> None:
    flow = screen.window.update_flow
    screen.open()
    flow.show_status(NEWER)
    found = flow.card.body.found
    assert (
        found.headline.text() == f"Version 0.2.0 is out, says the notice of {day_text(NOTICE.date)}"
    )
    assert found.urgency.isHidden()
    assert found.text.text() == NOTICE.text
    assert found.page.line == NOTICE.page
    assert found.sums.text().replace(" ", "") == NOTICE.sha256sums
    assert flow.line is not None
    assert flow.line.text() == "New: 0.2.0"
    assert flow.line.accessibleName() == found.headline.text()
    assert not screen.window.notice.isVisible()  # no nag
    # Once it is installed, the line goes.
    flow.show_status(NEWEST)
    assert flow.line.isHidden()
    assert found.isHidden()


@pytest.mark.parametrize(("status", "words"), [(SECURITY, "closes a hole"), (KEY, "release key")])
def test_what_matters_is_told_where_nobody_overlooks_it(
    screen: Screen, status: object, words: str
) -> None:
    flow = screen.window.update_flow
    screen.open()
    flow.show_status(status)  # type: ignore[arg-type]
    assert words in screen.window.notice.text
    assert "Settings, Updates" in screen.window.notice.text
    # Said once: what was closed does not come back with the next check.
    screen.window.notice.clear()
    flow.show_status(status)  # type: ignore[arg-type]
    assert not screen.window.notice.isVisible()


def test_a_forgery_is_loud_and_an_old_notice_warns(screen: Screen) -> None:
    body = screen.window.update_flow.card.body
    screen.window.update_flow.show_status(FORGED)
    assert "not signed by the makers" in body.notice.text
    assert body.notice.property("role") == "error-notice"
    screen.window.update_flow.show_status(EXPIRED)
    assert "has run out" in body.notice.text
    assert body.notice.property("role") == "warning-notice"
    screen.window.update_flow.show_status(replace(FORGED, is_checking=True))
    assert body.notice.isHidden()
    assert not body.check.isEnabled()


def test_text_of_a_notice_is_plain(screen: Screen) -> None:
    evil = replace(NEWER, notice=replace(NOTICE, text="<a href='x'>click</a><img src='file:///x'>"))
    screen.window.update_flow.show_status(evil)
    label = screen.window.update_flow.card.body.found.text
    assert label.textFormat() is Qt.TextFormat.PlainText
    assert label.text().startswith("<a href")


def test_the_line_leads_to_the_card(screen: Screen, qtbot: QtBot) -> None:
    flow = screen.window.update_flow
    screen.open()
    flow.show_status(NEWER)
    assert flow.line is not None
    flow.line.click()
    assert screen.window.pages.currentWidget() is screen.window.settings
    QApplication.processEvents()
    assert not flow.card.visibleRegion().isEmpty()


def test_the_page_opens_on_a_click_and_not_before(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    outcome = True

    def open_url(url: QUrl) -> bool:
        opened.append(url.toString())
        return outcome

    monkeypatch.setattr(QDesktopServices, "openUrl", open_url)
    flow = screen.window.update_flow
    flow.show_status(NEWER)
    flow.show_status(SECURITY)
    assert opened == []
    flow.card.body.found.open.click()
    assert opened == [NOTICE.page]
    outcome = False
    flow.card.body.found.open.click()
    assert "No browser could be opened" in flow.card.body.notice.text


def test_damaged_release_keys_are_told(
    screen: Screen, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged() -> ReleaseKeys:
        raise ParseError("The file with this program's release keys is damaged.")

    monkeypatch.setattr(release_keys, "built_in", damaged)
    monkeypatch.setattr(update_flow, "_AFTER_START", 0.0)
    flow = screen.window.update_flow
    flow.attach(screen.online)  # type: ignore[arg-type]
    qtbot.waitUntil(lambda: not flow.card.isHidden())
    body = flow.card.body
    assert "is damaged" in body.notice.text
    # Nothing is offered that would do nothing.
    assert not body.weekly.isEnabled()
    assert not body.check.isEnabled()
    assert body.cancel.isHidden()
    flow.show_status(OFF)
    assert body.weekly.isEnabled()
    assert body.check.isEnabled()


# The whole program, with a server


class ServedNotice:
    """A server in a thread of its own, since the window has this one."""

    def __init__(self, folder: Path) -> None:
        self.signer = ReleaseSigner()
        self.authority = Authority(folder)
        self.server = NoticeServer()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._ready.wait(30)

    def _run(self) -> None:
        async def serve() -> None:
            async with notice_server(self.server, self.authority.server_context("127.0.0.1")):
                self._ready.set()
                await self._over.wait()

        self._loop.run_until_complete(serve())
        self._loop.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def serve(self, notice: UpdateNotice) -> None:
        self.server.answer = ok(self.signer.notice(notice))


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServedNotice]:
    folder = tmp_path / "authority"
    folder.mkdir()
    server = ServedNotice(folder)
    monkeypatch.setenv("SSL_CERT_FILE", str(server.authority.file))
    keys = server.signer.keys(server.server.url())
    monkeypatch.setattr(release_keys, "built_in", lambda: keys)
    monkeypatch.setattr(update_flow, "_AFTER_START", 0.0)
    yield server
    server.close()


class Program:
    """The program on regtest, where it knows nobody to connect to; started and ended by a test."""

    def __init__(self, qapp: QApplication, qtbot: QtBot, root: Path) -> None:
        directory = DataDirectory(root, REGTEST)
        directory.create()
        self.settings_file = SettingsFile(directory.settings_path)
        instance = Instance(directory.instance_lock(), directory.root / "instance.socket")
        assert instance.acquire()
        self.application = Application(
            qapp, directory, self.settings_file.load(), instance, REGTEST
        )
        self.window = self.application.window
        with qtbot.waitSignal(self.application.started):
            self.application.start()
        self.flow = self.window.update_flow
        assert self.window.settings is not None  # made when it is first asked for, with the card
        qtbot.waitUntil(lambda: not self.flow.card.isHidden())

    def stop(self) -> None:
        self.application.stop()
        self.window.close()
        shiboken6.delete(self.window)
        shiboken6.delete(self.application)


def test_switched_on_it_asks_once_and_lists_that(
    qapp: QApplication, qtbot: QtBot, themed: ThemeSwitch, served: ServedNotice, tmp_path: Path
) -> None:
    now = int(time.time())
    served.serve(UpdateNotice("99.0", now - 60, "https://example.org/99", now + 1_000_000))
    program = Program(qapp, qtbot, tmp_path / "data")
    try:
        body = program.flow.card.body
        assert not body.weekly.isChecked()
        assert served.server.connections == 0
        program.window.show_settings_alone()
        body.weekly.click()
        qtbot.waitUntil(lambda: not body.found.isHidden())
        assert body.found.page.line == "https://example.org/99"
        assert program.flow.line is not None
        assert served.server.connections == 1

        def listed() -> bool:
            snapshot = program.window.sync_model.snapshot
            return snapshot is not None and any(
                entry.purpose is Purpose.UPDATE for entry in snapshot.ledger
            )

        qtbot.waitUntil(listed)
        snapshot = program.window.sync_model.snapshot
        assert snapshot is not None
        entry = next(each for each in snapshot.ledger if each.purpose is Purpose.UPDATE)
        assert entry.host == f"127.0.0.1:{served.server.port}"
        assert (entry.transport, entry.outcome) == ("TLS", "It answered.")
        assert entry.inbound_bytes > 0
    finally:
        program.stop()
    stored = json.loads((tmp_path / "data" / "settings.json").read_text())
    assert stored["update_check"] is True
    # After a restart all of it is there, and nobody is asked for a week.
    program = Program(qapp, qtbot, tmp_path / "data")
    try:
        body = program.flow.card.body
        qtbot.waitUntil(lambda: not body.found.isHidden())
        assert body.weekly.isChecked()
        assert served.server.connections == 1
        # Asked by hand, a forgery takes nothing from what is known.
        served.signer = ReleaseSigner()
        served.serve(UpdateNotice("100.0", now, "https://evil.example"))
        body.check.click()
        qtbot.waitUntil(lambda: "not signed by the makers" in body.notice.text)
        assert body.found.page.line == "https://example.org/99"
        body.weekly.click()
        qtbot.waitUntil(lambda: not program.settings_file.load().update_check)
        assert served.server.connections == 2
    finally:
        program.stop()


def test_a_server_that_is_away_is_a_sentence(
    qapp: QApplication, qtbot: QtBot, themed: ThemeSwitch, served: ServedNotice, tmp_path: Path
) -> None:
    served.server.answer = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
    program = Program(qapp, qtbot, tmp_path / "data")
    try:
        body = program.flow.card.body
        body.check.click()
        qtbot.waitUntil(lambda: "no update notice now (answer 503)" in body.notice.text)
        assert not body.weekly.isChecked()
        qtbot.waitUntil(body.check.isEnabled)
    finally:
        program.stop()


def test_a_check_under_way_can_be_ended(
    qapp: QApplication, qtbot: QtBot, themed: ThemeSwitch, served: ServedNotice, tmp_path: Path
) -> None:
    async def silent(_: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    served.server.script = silent
    program = Program(qapp, qtbot, tmp_path / "data")
    try:
        body = program.flow.card.body
        program.window.show_settings_alone()
        body.check.click()
        qtbot.waitUntil(lambda: bool(served.server.requests) and body.cancel.isVisible())
        assert body.state.text().startswith("Asking 127.0.0.1 directly")
        body.cancel.click()
        qtbot.waitUntil(lambda: "was ended" in body.notice.text)
        assert body.check.isEnabled()
        assert body.cancel.isHidden()
    finally:
        program.stop()
