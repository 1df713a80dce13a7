"""The pages of a person's own node in the states that a person may meet."""

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtWidgets import QApplication

from tests.gui.conftest import Screen
from tests.gui.node_samples import (
    CHALLENGE,
    FAILED,
    HOST_KEY,
    KEY,
    PASSPHRASE,
    PASSWORD,
    READY,
    STATUS,
    problems,
    results,
)
from tests.gui.samples import LEDGER, contact, snapshot, sync
from wallet_gui.app.node_choice import NodeChoice
from wallet_gui.app.published import NewWallet, SessionUpdate, SyncSnapshot
from wallet_gui.chain.backend import CheckState, ConnectionState, Phase
from wallet_gui.chain.bitcoind.node_status import NodeState
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem
from wallet_gui.chain.reports import Purpose
from wallet_gui.gui.node_prompts import HostKeyPrompt, SecretPrompt
from wallet_gui.gui.source_card import SourceCard
from wallet_gui.storage.node_settings import NODE, NODE_ELSE_DIRECT, NodeSettings

NODE_CHOICE = NodeChoice(NODE, NodeSettings(address="ssh://bitcoin@mynode.local"))
# In which step each problem shows up; those of the connection itself have none.
FAILS_AT = {
    Code.HOST_UNKNOWN: 1,
    Code.HOST_KEY_CHANGED: 3,
    Code.HOST_KEY_UNKNOWN: 3,
    Code.AUTH_REFUSED: 4,
    Code.FORWARDING_REFUSED: 5,
    Code.RPC_TO_P2P: 6,
    Code.COOKIE_MISSING: 7,
    Code.WRONG_NETWORK: 8,
    Code.TOO_OLD: 9,
}


def card(screen: Screen) -> SourceCard:
    """The card on the settings page, with a node typed in."""
    screen.open()
    screen.window.show_page("settings")
    shown = screen.window.settings.source
    shown.show_choice(NODE_CHOICE)
    return shown


def node_sync(*, label: str = "My node", words: str = "", **changes: object) -> SyncSnapshot:
    """A snapshot while the node is in use."""
    status = replace(STATUS, **changes)  # type: ignore[arg-type]
    words = words or (
        "My node (ssh bitcoin@mynode.local): it answers; public peers take over if it stops "
        "answering."
    )
    contacts = (contact(1, host="mynode.local:22", transport="", purpose=Purpose.SYNC), *LEDGER)
    return replace(
        sync(Phase.SYNCED, peers=0),
        backend=label,
        source_words=words,
        node=status,
        ledger=contacts,
    )


def show_problem(screen: Screen, problem: NodeProblem) -> SourceCard:
    """The test panel with one red row."""
    shown = card(screen)
    shown.begin_test()
    for result in results(FAILS_AT.get(problem.code, 6), problem):
        shown.panel.show_result(result)
    shown.end_test()
    shown.panel.finish(FAILED)
    return shown


def _node_card(screen: Screen) -> None:
    card(screen)
    screen.sync(node_sync())


def _node_card_unfolded(screen: Screen) -> None:
    shown = card(screen)
    shown.form.more_button.click()
    shown.form.user.setText("wallet")
    shown.form.address.setText("-oProxyCommand=rm")
    shown.apply_button.click()


def _node_card_own_key(screen: Screen) -> None:
    shown = card(screen)
    screen.online.key = KEY
    shown.form.key_kind.setCurrentIndex(2)
    while shown.form.key_card.line.isHidden():
        QApplication.processEvents()
    shown.form.key_card.qr_button.click()


def _node_card_key_offer(screen: Screen) -> None:
    shown = card(screen)
    shown.form.key_kind.setCurrentIndex(2)
    shown.form.key_card.show_failure("The disk is full.")


def _node_card_key_file(screen: Screen) -> None:
    shown = card(screen)
    shown.form.key_kind.setCurrentIndex(1)


def _node_card_local(screen: Screen) -> None:
    shown = card(screen)
    shown.form.local_button.click()


def _node_test_running(screen: Screen) -> None:
    shown = card(screen)
    shown.begin_test()
    for result in results()[:6]:
        shown.panel.show_result(result)


def _node_test_green(screen: Screen) -> None:
    shown = card(screen)
    shown.begin_test()
    for result in results():
        shown.panel.show_result(result)
    shown.end_test()
    shown.panel.finish(READY)


def _node_test_green_with_offer(screen: Screen) -> None:
    shown = card(screen)
    shown.begin_test()
    for result in results():
        shown.panel.show_result(result)
    shown.end_test()
    shown.panel.finish(replace(READY, offer=problems()["no_filter_index"]))
    shown.panel.report_button.click()


def _node_test_changed_key(screen: Screen) -> None:
    show_problem(screen, problems()["host_key_changed"])


def _node_test_refused(screen: Screen) -> None:
    show_problem(screen, problems()["auth_refused"]).panel.problem.details_button.click()


def _node_test_wrong_port(screen: Screen) -> None:
    show_problem(screen, problems()["rpc_to_p2p"])


def _node_test_lost(screen: Screen) -> None:
    show_problem(screen, problems()["connection_lost"])


def _node_page(screen: Screen) -> None:
    screen.open()
    screen.sync(node_sync(is_pruned=True))
    check = SessionUpdate("id", snapshot(), check=CheckState.AGREES)
    screen.window._take(check)
    screen.window.show_page("peers")


def _node_page_away(screen: Screen) -> None:
    screen.open()
    problem = problems()["ssh_silent"]
    words = f"Directly, while my node is away and is tried again: {problem.title}"
    state = node_sync(
        label="Directly, my node is away",
        words=words,
        state=NodeState.RECONNECTING,
        problem=problem,
        tip_age=None,
    )
    screen.sync(replace(state, peers=sync(peers=3).peers))
    screen.window.show_page("peers")


def _overview_checking(screen: Screen) -> None:
    screen.open()
    screen.sync(node_sync())
    screen.window._take(SessionUpdate("id", snapshot(), check=CheckState.DIFFERS))


def _overview_node_away(screen: Screen) -> None:
    screen.open()
    problem = problems()["host_key_changed"]
    away = node_sync(
        words=f"My node (ssh bitcoin@mynode.local) is not there: {problem.title}",
        state=NodeState.STOPPED,
        problem=problem,
    )
    detail = str(problem)
    screen.sync(replace(away, state=ConnectionState.OFFLINE, phase=Phase.PEERS, detail=detail))


def _wizard_source(screen: Screen) -> None:
    wizard = screen.window.wizard
    wizard.offer_source(offered=True)
    wizard._start_create()
    wizard.next_button.click()


def _wizard_source_node(screen: Screen) -> None:
    _wizard_source(screen)
    shown = screen.window.wizard.source
    shown.buttons[NODE_ELSE_DIRECT].setChecked(True)
    shown.form.address.setText("ssh://bitcoin@mynode.local")
    assert isinstance(screen.window.wizard._wanted, NewWallet)


NODE_PAGES: dict[str, Callable[[Screen], None]] = {
    function.__name__.lstrip("_"): function
    for function in (
        _node_card,
        _node_card_unfolded,
        _node_card_own_key,
        _node_card_key_offer,
        _node_card_key_file,
        _node_card_local,
        _node_test_running,
        _node_test_green,
        _node_test_green_with_offer,
        _node_test_changed_key,
        _node_test_refused,
        _node_test_wrong_port,
        _node_test_lost,
        _node_page,
        _node_page_away,
        _overview_checking,
        _overview_node_away,
        _wizard_source,
        _wizard_source_node,
    )
}

PROMPTS: dict[str, Callable[[Screen], HostKeyPrompt | SecretPrompt]] = {
    "prompt_host_key": lambda screen: HostKeyPrompt(HOST_KEY, screen.window),
    "prompt_passphrase": lambda screen: SecretPrompt(PASSPHRASE, screen.window),
    "prompt_password": lambda screen: SecretPrompt(PASSWORD, screen.window),
    "prompt_challenge": lambda screen: SecretPrompt(CHALLENGE, screen.window),
}
