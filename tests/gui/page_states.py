"""Every page of the window in the states that a person may meet."""

import time
from collections.abc import Callable
from dataclasses import replace

from tests.gui.backup_states import BACKUP_PAGES
from tests.gui.conftest import Screen
from tests.gui.import_states import IMPORT_PAGES
from tests.gui.node_states import NODE_PAGES
from tests.gui.psbt_states import PSBT_PAGES
from tests.gui.samples import (
    EMPTY,
    INCOMING,
    LEDGER,
    WAITING,
    address,
    entry,
    peer,
    plan,
    scan_plan,
    snapshot,
    sync,
)
from tests.gui.update_states import UPDATE_PAGES
from wallet_gui.app.published import PendingReport, PreviewSnapshot, SessionUpdate
from wallet_gui.chain.backend import BroadcastStage, ConnectionState, Phase
from wallet_gui.chain.reports import SeenBy


def _welcome(_: Screen) -> None:
    pass


def _welcome_busy(screen: Screen) -> None:
    screen.window.wizard.set_busy("Go on in the vault window.", can_cancel=True)


def _create(screen: Screen) -> None:
    screen.window.wizard._start_create()


def _restore(screen: Screen) -> None:
    screen.window.wizard._start_restore()


def _settings_alone(screen: Screen) -> None:
    screen.window.show_settings_alone()


def _overview(screen: Screen) -> None:
    screen.sync(sync())
    screen.open()
    screen.window.notice.say("The file was damaged; a copy was opened.")


def _overview_offline(screen: Screen) -> None:
    screen.open(EMPTY)
    screen.sync(sync(Phase.PEERS, ConnectionState.OFFLINE, peers=0, detail="No peer answers."))


def _receive(screen: Screen) -> None:
    screen.open()
    screen.window.show_page("receive")
    screen.window.receive.table.selectRow(0)


def _receive_empty(screen: Screen) -> None:
    screen.open(EMPTY)
    screen.window.show_page("receive")


def _send(screen: Screen) -> None:
    screen.open()
    screen.window.show_page("send")
    page = screen.window.send
    page.add_row()
    for number, row in enumerate(page.rows):
        row.payee.setText(address(number))
        row.amount.setText("0.1")
    page._timer.stop()
    page.show_preview(plan(notes=("The fee is more than 1 % of the amount.",)))
    page.high_fee.show()
    page.notice.say("Nothing was signed and nothing was sent.")


def _history(screen: Screen) -> None:
    screen.open()
    screen.window.show_page("history")
    screen.window.history.table.selectRow(1)
    screen.window.history._ask_bump()


def _history_give_up(screen: Screen) -> None:
    _history(screen)
    screen.window.history._ask_abandon()


def _history_empty(screen: Screen) -> None:
    screen.open(EMPTY)
    screen.window.show_page("history")


def _overview_plan(screen: Screen) -> None:
    screen.open()
    screen.sync(replace(sync(peers=4), plans=(scan_plan(is_waiting=True),), doubt="It is old."))
    preview = PreviewSnapshot(951_552, int(time.time()) - 14 * 86_400, 953_567, 1_230_000, 3)
    seen = {INCOMING.txid: PendingReport(SeenBy(3, 8)), WAITING.txid: PendingReport()}
    screen.window._take(SessionUpdate("id", snapshot(), preview, seen))


def _overview_paused(screen: Screen) -> None:
    screen.open()
    plans = (scan_plan(held_back="Paused. Press Continue to go on.", from_time=None),)
    screen.sync(replace(sync(peers=0), plans=plans, is_paused=True))


def _send_without_advice(screen: Screen) -> None:
    screen.open()
    screen.window.show_page("send")
    screen.window.send.fees.show_advice(None)
    screen.window.send.ladder.begin()
    screen.window.send.ladder.reach(BroadcastStage.REQUESTED, 1)


def _history_disputed(screen: Screen) -> None:
    disputed = entry(1, height=None, block_time=None, conflicts=(bytes(31) + b"\x09",))
    screen.open(snapshot(history=(disputed, entry(3))))
    screen.window.show_page("history")
    screen.window.history.table.selectRow(0)
    screen.window.history.ladder.fail("No peer took the payment yet. It is kept and sent again.")


def _peers(screen: Screen) -> None:
    screen.open()
    note = "It sent a filter that does not fit its block."
    peers = (*(peer(n) for n in range(1, 4)), peer(4, is_own=True, note=note, ping_ms=None))
    screen.sync(replace(sync(), peers=peers, ledger=LEDGER))
    screen.window.show_page("peers")
    screen.window.peers.table.selectRow(0)


def _peers_empty(screen: Screen) -> None:
    screen.open()
    screen.sync(sync(Phase.PEERS, ConnectionState.CONNECTING, peers=0))
    screen.window.show_page("peers")


def _peers_alone(screen: Screen) -> None:
    screen.window.show_settings_alone()
    screen.window.settings.network.list_button.click()


def _connections(screen: Screen) -> None:
    _peers(screen)
    screen.window.peers.tabs.setCurrentIndex(1)


def _connections_empty(screen: Screen) -> None:
    screen.open()
    screen.window.show_page("peers")
    screen.window.peers.tabs.setCurrentIndex(1)


def _settings_proxy(screen: Screen) -> None:
    screen.open()
    screen.window.show_page("settings")
    card = screen.window.settings.network
    card.proxy_use.setCurrentIndex(2)
    card.show_test("Nothing can be reached at 127.0.0.1:9050.", is_failure=True)
    card.notice.say("Applied.")


def _settings(screen: Screen) -> None:
    screen.sync(sync(warning="The node does not serve compact filters."))
    screen.open()
    screen.window.show_page("settings")


def _messages(screen: Screen) -> None:
    screen.open()
    screen.window.message_flow.begin(address(1))
    page = screen.window.messages
    page.message.setPlainText("I agree to the terms of 21 November.\nAnna")
    page.show_signed("smpAkcwRAIgM2gBAQqvZX15ZiysmKmQpDrG83avLIT492QBzLnQIxYCIBaTpOaD20q", "")


def _messages_alone(screen: Screen) -> None:
    page = screen.window.messages
    screen.window.message_flow.page_wanted.emit()
    page.address.setText(address(2))
    page.message.setPlainText("I agree\u200b.")
    page.signature.setPlainText("smpAkcwRAIgM2gBAQqvZX15ZiysmKmQpDrG83avLIT492QBzLnQIxYC")
    page.show_check("invalid", "The signature is not valid for this message and this address.")


PAGES: dict[str, Callable[[Screen], None]] = (
    {
        function.__name__.lstrip("_"): function
        for function in (
            _welcome,
            _welcome_busy,
            _create,
            _restore,
            _settings_alone,
            _overview,
            _overview_offline,
            _receive,
            _receive_empty,
            _send,
            _history,
            _history_give_up,
            _history_empty,
            _settings,
            _overview_plan,
            _overview_paused,
            _send_without_advice,
            _history_disputed,
            _peers,
            _peers_empty,
            _peers_alone,
            _connections,
            _connections_empty,
            _settings_proxy,
            _messages,
            _messages_alone,
        )
    }
    | BACKUP_PAGES
    | IMPORT_PAGES
    | NODE_PAGES
    | PSBT_PAGES
    | UPDATE_PAGES
)
