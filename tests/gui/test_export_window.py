"""A wallet's public side goes out, and the copy of a wallet file comes in."""

import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from PySide6.QtCore import QProcess
from PySide6.QtWidgets import QFileDialog, QPushButton
from pytestqt.qtbot import QtBot

from tests.gui.conftest import Screen
from tests.gui.import_samples import descriptor
from tests.gui.import_states import step
from wallet_gui.app import imports
from wallet_gui.custody import exports
from wallet_gui.gui import application
from wallet_gui.gui.file_copy_page import FileCopyPage
from wallet_gui.primitives.params import REGTEST
from wallet_gui.storage.settings import DataDirectory

# --- export -------------------------------------------------------------------------------------


def test_the_export_goes_with_the_wallet(screen: Screen, qtbot: QtBot, tmp_path: Path) -> None:
    card = screen.window.export_card
    assert not card.isVisibleTo(screen.window.settings)
    screen.open()
    screen.window.show_page("settings")
    assert card.isVisible()
    look = imports.read(descriptor(), REGTEST)
    card.show_exports("id", exports.of_descriptors(look.found.descriptors, "Savings", None))
    assert card.page is not None
    panel = card.page.panel
    assert [panel.format_box.itemText(n)[:4] for n in range(5)] == [
        "Desc",
        "Exte",
        "Bitc",
        "Spec",
        "Spar",
    ]
    assert panel.line.line == descriptor()
    panel.qr_button.click()
    assert panel.qr is not None
    assert panel.qr.frames is not None
    assert panel.qr.frames.frame(0).lower().startswith("ur:crypto-output/")
    panel.format_box.setCurrentIndex(2)
    assert panel.qr.frames.frame(0).startswith("B$")
    card.page.back_wanted.emit()
    assert screen.window.pages.currentWidget() is screen.window.settings
    card.show_exports("id", exports.of_descriptors(look.found.descriptors, "Savings", None))
    shown = card.page
    screen.window.lock()
    assert screen.window.pages.indexOf(shown) < 0
    assert panel.line.line == ""
    assert not card.isVisibleTo(screen.window.settings)


def test_the_export_is_saved_to_a_file(
    screen: Screen, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen.open()
    look = imports.read(descriptor(), REGTEST)
    screen.window.export_card.show_exports(
        "id", exports.of_descriptors(look.found.descriptors, "Savings", None)
    )
    page = screen.window.export_card.page
    assert page is not None
    paths = iter(["", str(tmp_path / "no" / "where.txt"), str(tmp_path / "out.txt")])
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (next(paths), ""))
    page.panel.save_button.click()
    assert page.panel.notice.text == ""
    page.panel.save_button.click()
    qtbot.waitUntil(lambda: "could not be saved" in page.panel.notice.text)
    page.panel.save_button.click()
    qtbot.waitUntil(lambda: page.panel.notice.text == "Saved.")
    assert (tmp_path / "out.txt").read_text() == descriptor() + "\n"


# --- a copy of a wallet file --------------------------------------------------------------------


def test_a_wallet_file_is_copied_and_opened(
    screen: Screen, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[tuple[Path, str]] = []

    def take_copy(source: Path, _directory: object, name: str) -> Path:
        taken.append((source, name))
        return tmp_path / f"{name}.wallet"

    monkeypatch.setattr("wallet_gui.app.wallet_copies.take_copy", take_copy)
    screen.window.wizard.restore.file_wanted.emit()
    page = step(screen, FileCopyPage)
    page.next_button.click()
    assert "Choose the copy" in page.notice.text
    source = tmp_path / "Old.wallet.2"
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(source), ""))
    page.choose_button.click()
    assert page.name_edit.text() == "Old"
    page.next_button.click()
    qtbot.waitUntil(lambda: bool(screen.online.named("open_wallet")))
    assert taken == [(source, "Old")]
    assert screen.online.named("open_wallet") == [(str(tmp_path / "Old.wallet"),)]


def test_the_offline_signer_is_a_process_of_its_own(screen: Screen, qtbot: QtBot) -> None:
    with qtbot.waitSignal(screen.window.wizard.offline_wanted):
        button = screen.window.wizard.welcome.findChild(QPushButton, "welcome_offline")
        assert button is not None
        button.click()


@pytest.mark.parametrize("starts", [True, False])
def test_the_offline_signer_knows_the_network_and_the_folder(
    screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, starts: bool
) -> None:
    started: list[tuple[str, list[str]]] = []

    def start(program: str, arguments: list[str]) -> tuple[bool, int]:
        started.append((program, arguments))
        return starts, 1

    monkeypatch.setattr(QProcess, "startDetached", start)
    shell = SimpleNamespace(
        _params=REGTEST, _directory=DataDirectory(tmp_path, REGTEST), window=screen.window
    )
    shell._start_another = partial(application.Application._start_another, cast("Any", shell))
    application.Application._start_offline(cast("Any", shell))
    assert started == [
        (
            sys.executable,
            ["-m", "wallet_gui", "--offline", "--network", "regtest", "--data-dir", str(tmp_path)],
        )
    ]
    notice = screen.window.wizard.welcome_notice.text
    assert ("could not be started" in notice) is not starts
