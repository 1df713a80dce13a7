"""Every choice about connections, changed in a real window while a real backend runs."""

import asyncio
import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from tests.functional.bitcoind import Node, NodeFactory
from tests.hostile.socks_server import SocksServer, socks_server
from tests.vault_with_cheap_kdf import CHEAP_VAULT
from wallet_gui.app.online import Online
from wallet_gui.app.published import SyncSnapshot
from wallet_gui.app.vault_client import VaultClient
from wallet_gui.chain.backend import ConnectionState
from wallet_gui.chain.p2p import status
from wallet_gui.chain.p2p.backend import P2PBackend
from wallet_gui.chain.p2p.options import ProxyUse, RelayMode
from wallet_gui.chain.p2p.seeds import Resolver
from wallet_gui.gui.engine import Engine
from wallet_gui.gui.main_window import MainWindow
from wallet_gui.gui.network_card import NetworkCard
from wallet_gui.primitives.params import REGTEST, SIGNET, TESTNET4, ChainParams
from wallet_gui.storage.settings import DataDirectory
from wallet_gui.transfer.messages import HeadlessOptions
from wallet_gui.widgets.theme import ThemeSwitch

MUTE = 0.1  # BTC/kvB; whoever asks for more wants no announcements


@dataclass
class Program:
    """The window, with the engine and the backend behind it."""

    window: MainWindow
    engine: Engine
    online: Online
    qtbot: QtBot

    @property
    def card(self) -> NetworkCard:
        return self.window.settings.network

    @property
    def snapshot(self) -> SyncSnapshot:
        snapshot = self.window.sync_model.snapshot
        assert snapshot is not None
        return snapshot

    def until(self, condition: Callable[[], bool]) -> None:
        try:
            self.qtbot.waitUntil(condition)
        except AssertionError:
            raise AssertionError((self.snapshot, self.card.connected.text())) from None

    def apply(self) -> None:
        QTest.mouseClick(self.card.apply_button, Qt.MouseButton.LeftButton)
        assert self.card.notice.text == "Applied."

    def is_connected(self, transport: str) -> bool:
        peers = self.snapshot.peers
        return self.snapshot.is_synced and [peer.transport for peer in peers] == [transport]

    def is_offline_because(self, *words: str) -> bool:
        snapshot = self.snapshot
        is_told = all(word in snapshot.detail for word in words)
        return snapshot.state is ConnectionState.OFFLINE and not snapshot.peers and is_told


@contextmanager
def running_program(
    qtbot: QtBot, root: Path, params: ChainParams, resolver: Resolver | None = None
) -> Iterator[Program]:
    engine = Engine()
    engine.start()
    online = Online(
        DataDirectory(root, params),
        params,
        functools.partial(P2PBackend, resolver=resolver),
        engine.publish,
        vault=VaultClient(headless=True, command=CHEAP_VAULT),
        headless=HeadlessOptions(),
    )
    window = MainWindow(engine, params)
    window.attach(online)
    window.show()
    try:
        started: list[object] = []
        engine.call(online.start(), window, lambda _: started.append(True), started.append)
        qtbot.waitUntil(lambda: bool(started))
        assert started == [True]
        window.show_page("settings")
        yield Program(window, engine, online, qtbot)
    finally:
        window.close()
        engine.finish(online.stop())
        engine.stop()


@contextmanager
def proxy_in_a_thread() -> Iterator[SocksServer]:
    ready: list[SocksServer] = []
    begun, over = threading.Event(), threading.Event()

    async def serve() -> None:
        async with socks_server() as server:
            ready.append(server)
            begun.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert begun.wait(30)
    try:
        yield ready[0]
    finally:
        over.set()
        thread.join(30)


def peer_of(node: Node) -> dict[str, object] | None:
    peers = node.rpc("getpeerinfo")
    return dict(peers[0]) if len(peers) == 1 else None


@pytest.mark.functional
@pytest.mark.slow
def test_every_choice_holds_at_once(
    qtbot: QtBot, themed: ThemeSwitch, node_factory: NodeFactory, tmp_path: Path
) -> None:
    new, old = node_factory(), node_factory("-v2transport=0")
    for node in (new, old):
        node.mine(1)
    with running_program(qtbot, tmp_path / "data", REGTEST) as program:
        card = program.card

        # A peer of one's own; encryption is used where both know it.
        card.peers_edit.setPlainText(f"127.0.0.1:{new.p2p_port}")
        program.apply()
        program.until(lambda: program.is_connected("v2"))
        assert card.connected.text().startswith("One source: 127.0.0.1")

        # Encrypted only: nothing changes for this one, and a node without it is refused.
        card.encrypted.setChecked(True)
        program.apply()
        program.until(lambda: program.is_connected("v2"))
        card.peers_edit.setPlainText(f"127.0.0.1:{old.p2p_port}")
        program.apply()
        program.until(lambda: program.is_offline_because("encrypt", str(old.p2p_port)))
        program.until(lambda: "encrypt" in card.connected.text())
        card.encrypted.setChecked(False)
        program.apply()
        program.until(lambda: program.is_connected("v1"))

        # Only own peers: the same peer, and a sentence where none is named.
        card.only_own.setChecked(True)
        program.apply()
        program.until(lambda: program.is_connected("v1"))
        program.until(lambda: program.online.settings.only_own_peers)
        card.peers_edit.setPlainText("")
        QTest.mouseClick(card.apply_button, Qt.MouseButton.LeftButton)
        assert card.notice.text == "Name at least one peer, or let the program find peers."
        assert program.snapshot.peers, "what cannot be is not applied"
        card.peers_edit.setPlainText(f"127.0.0.1:{new.p2p_port}")
        program.apply()
        program.until(lambda: program.is_connected("v2"))

        # Announcements of payments: asked for, muted, asked for again.
        def is_muted() -> bool:
            peer = peer_of(new)
            return peer is not None and float(str(peer["minfeefilter"])) > MUTE

        def hears() -> bool:
            peer = peer_of(new)
            return peer is not None and bool(peer["relaytxes"]) and not is_muted()

        program.until(hears)
        for mode, holds in (
            (RelayMode.OFF, lambda: not hears()),
            (RelayMode.ALWAYS, hears),
            (RelayMode.RECEIVING, lambda: not hears()),
        ):
            card.relay.setCurrentIndex(card.relay.findData(mode.value))
            program.apply()
            program.until(holds)
            program.until(lambda: program.is_connected("v2"))

        # Through a proxy; one that is not there is named, and no way around it is taken.
        with proxy_in_a_thread() as server:
            card.proxy_use.setCurrentIndex(card.proxy_use.findData(ProxyUse.EVERYTHING.value))
            card.is_tor.setChecked(False)
            card.proxy_edit.setText(f"127.0.0.1:{server.port}")
            program.apply()
            program.until(lambda: program.is_connected("v2") and bool(server.requests))
            assert {request.port for request in server.requests} == {new.p2p_port}
        program.until(lambda: program.is_offline_because("proxy"))
        program.until(lambda: "proxy" in card.connected.text())
        card.proxy_use.setCurrentIndex(card.proxy_use.findData(ProxyUse.NEVER.value))
        program.apply()
        program.until(lambda: program.is_connected("v2"))


@pytest.mark.parametrize("params", [TESTNET4, SIGNET], ids=lambda each: each.name)
@pytest.mark.parametrize("answers", [True, False])
def test_test_networks_start_in_a_window(
    qtbot: QtBot,
    themed: ThemeSwitch,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    params: ChainParams,
    *,
    answers: bool,
) -> None:
    """Seeds that know nobody, or say nothing at all; no packet leaves this computer."""
    monkeypatch.setattr(status, "PATIENCE", 2.0)
    asked: list[str] = []

    async def resolve(name: str) -> list[str]:
        asked.append(name)
        if not answers:
            await asyncio.Event().wait()
        raise OSError(-2, "Name or service not known")

    alone = replace(params, fixed_peers=())
    with running_program(qtbot, tmp_path / "data", alone, resolve) as program:
        program.until(lambda: program.is_offline_because("No peers found"))
        program.until(lambda: "No peers found" in program.card.connected.text())
        assert {name.partition(".")[2] for name in asked if name.startswith("x849.")} == set(
            params.dns_seeds
        )
        assert params.name in program.window.windowTitle().lower()
        program.window.show_page("peers")
        assert "No peers found" in program.window.peers.empty.text()
