"""The settings page with each thing that an update check may have found."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from PySide6.QtWidgets import QApplication

from tests.gui.conftest import Screen
from wallet_gui.app.update_notice import Level, UpdateNotice
from wallet_gui.app.updates import SENTENCES, Outcome, UpdateStatus

NOW: Final = 1_795_000_000
OFF: Final = UpdateStatus("0.1.0", "updates.example.org", "directly")
NOTICE: Final = UpdateNotice(
    "0.2.0",
    NOW - 86_400,
    "https://updates.example.org/wallet-gui/0.2.0",
    sha256sums="5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
    text="Hardware signers by QR code, faster first sync, and German.",
)
NEWEST: Final = replace(
    OFF,
    is_on=True,
    tried=NOW,
    checked=NOW,
    outcome=Outcome.NEWEST,
    notice=replace(NOTICE, version="0.1.0"),
)
NEWER: Final = replace(
    NEWEST, outcome=Outcome.NEWER, notice=NOTICE, is_newer=True, way="through Tor"
)
SECURITY: Final = replace(NEWER, notice=replace(NOTICE, level=Level.SECURITY))
KEY: Final = replace(
    NEWEST,
    notice=replace(
        NOTICE,
        level=Level.KEY,
        sha256sums="",
        version="0.1.0",
        revoked=("452C8AB290925948", "77DCD7A3348C4ECD"),
        text="The computer that held it was stolen.",
    ),
)
FORGED: Final = replace(
    NEWEST, tried=NOW + 9, outcome=Outcome.FORGED, problem=SENTENCES[Outcome.FORGED]
)
EXPIRED: Final = replace(
    NEWER, outcome=Outcome.EXPIRED, is_expired=True, problem=SENTENCES[Outcome.EXPIRED]
)


def _settings(status: UpdateStatus) -> Callable[[Screen], None]:
    def show(screen: Screen) -> None:
        screen.open()
        screen.window.update_flow.show_status(status)
        screen.window.show_page("settings")
        settings, card = screen.window.settings, screen.window.update_flow.card
        QApplication.processEvents()
        settings.ensureWidgetVisible(card, 0, 900)

    return show


def _overview(screen: Screen) -> None:
    screen.open()
    screen.window.update_flow.show_status(SECURITY)


UPDATE_PAGES: Final[dict[str, Callable[[Screen], None]]] = {
    "updates_off": _settings(OFF),
    "updates_checking": _settings(replace(NEWEST, is_checking=True)),
    "updates_newest": _settings(NEWEST),
    "updates_newer": _settings(NEWER),
    "updates_security": _settings(SECURITY),
    "updates_key": _settings(KEY),
    "updates_forged": _settings(FORGED),
    "updates_expired": _settings(EXPIRED),
    "updates_on_overview": _overview,
}
