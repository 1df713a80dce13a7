"""A person's own node in one piece: a real sshd, a real bitcoind, every way of reading the chain.

Public peers are other real bitcoinds.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.functional.bitcoind import Node, NodeFactory
from tests.functional.listening import listening
from tests.functional.node_wallet import DirectLink, NodeClient
from tests.functional.p2p_wallet import ScriptWallet, own_group, run
from tests.functional.sshd import Answers, MemoryStore, Sshd, need, running_sshd
from tests.functional.test_system_ssh import children, store_of
from tests.moments import nothing_left, turns
from tests.node_states import ON_THE_WAY
from tests.patience import PATIENCE
from wallet_gui.chain.backend import BackendWarning, BlockMatched, NoPeers
from wallet_gui.chain.bitcoind.backend import NodeBackend
from wallet_gui.chain.bitcoind.connection import NodeConnection
from wallet_gui.chain.bitcoind.node_audit import NodeAudit
from wallet_gui.chain.bitcoind.node_options import NodeOptions
from wallet_gui.chain.bitcoind.node_status import NodeState, NodeStatus
from wallet_gui.chain.bitcoind.own_node import OwnNode
from wallet_gui.chain.bitcoind.rungs import Rung, Wish
from wallet_gui.chain.bitcoind.ssh_target import LocalNode, NodeAddress
from wallet_gui.chain.bitcoind.tunnel_protocol import SshOptions, SshStore
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.backend import P2PBackend
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.chain.p2p.second_look import SecondLook
from wallet_gui.chain.reports import Route
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.transaction import Transaction
from wallet_gui.storage.chain_db import ChainDb

pytestmark = pytest.mark.functional

BTC = 10**8
PRUNED = (
    "-txindex=0",
    "-prune=1",
    "-fastprune",
)  # blocks in files of 64 KiB, of which few are kept


@dataclass
class Own:
    """What is between the wallet and the node."""

    node: Node
    client: NodeClient
    own: OwnNode
    connection: NodeConnection
    server: Sshd | None = None
    answers: Answers = field(default_factory=Answers)


@asynccontextmanager
async def running(
    directory: Path,
    node: Node,
    *wallets: ScriptWallet,
    wish: Wish | None = None,
    peers: tuple[Node, ...] = (),
    server: Sshd | None = None,
    cookie: str | None = None,
    broadcast_by_p2p: bool = False,
    is_system_ssh: bool = False,
) -> AsyncIterator[Own]:
    """The whole of it, on sshd where one is given and else on this computer."""
    before = asyncio.all_tasks()
    answers = Answers()
    options = NodeOptions(
        ssh=SshOptions() if server is None else server.options,
        rpc_port=node.rpc_port,
        p2p_port=node.p2p_port,
        cookie_path=cookie or str(node.directory / "regtest" / ".cookie"),
        wish=wish or Wish(),
    )
    address: NodeAddress = LocalNode(None) if server is None else server.target
    store: SshStore = MemoryStore() if server is None else server.store()
    if is_system_ssh and server is not None:
        options = replace(options, ssh=replace(options.ssh, implementation="system"))
        store = store_of(server)
    connection = NodeConnection(address, options, answers, store, REGTEST)
    look = None
    if peers:
        own_peers = tuple(PeerAddress("127.0.0.1", peer.p2p_port) for peer in peers)
        look = SecondLook(
            REGTEST, P2POptions(own_peers=own_peers, only_own_peers=True), netgroup=own_group
        )
    with ChainDb(directory / "chain.db", REGTEST) as database:
        client = NodeClient(database, DirectLink(node), wallets)
        own = OwnNode(
            REGTEST,
            connection,
            database,
            client._sink,
            look=look,
            broadcast_by_p2p=broadcast_by_p2p,
            on_failure=client.failures.append,
        )
        client.backend = own  # type: ignore[assignment]
        reached: set[str] = set()
        client.on_event = lambda _event: reached.update(listening())
        await client.start()
        try:
            yield Own(node, client, own, connection, server, answers)
        finally:
            await own.stop()
        left = [task for task in asyncio.all_tasks() - before if not task.done()]
        assert left == [], "a task is left behind"
        assert reached == set(), "something listened"
        if client.failures:
            raise client.failures[0]


def pay(node: Node, wallet: ScriptWallet) -> int:
    """Pay some addresses, also beyond the first window; return what the node says it comes to."""
    node.mature()
    for index in (0, 3, 19, 25):
        node.fund(wallet.address(index), (index + 1) * BTC)
        node.mine()
    node.wait_for_filters()
    return total(node, wallet)


def total(node: Node, wallet: ScriptWallet) -> int:
    return node.scan_balance([f"raw({wallet.script(index).hex()})" for index in range(60)])


def test_a_listening_socket_would_be_seen(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)):
        assert [text.split()[0] for text in listening()] == ["tcp"]
    with socket.socket(socket.AF_UNIX) as local:
        local.bind(str(tmp_path / "socket"))
        local.listen()
        assert listening() == {f"unix {tmp_path / 'socket'}"}
    assert listening() == set()


WISHES = {
    "the node's choice": (Wish(), NodeBackend, True),
    "activity": (Wish(rung=Rung.ACTIVITY), NodeBackend, True),
    "scan": (Wish(rung=Rung.SCAN), NodeBackend, True),
    "P2P": (Wish(rung=Rung.P2P), P2PBackend, False),
    "coins": (Wish(rung=Rung.COINS), NodeBackend, True),
    "tell nothing": (Wish(tell_nothing=True), P2PBackend, False),
    "tell nothing, by RPC": (Wish(tell_nothing=True, rung=Rung.SCAN), NodeBackend, False),
}


@pytest.mark.parametrize("name", WISHES)
def test_every_way_gives_the_balance_of_the_nodes_coins(
    node: Node, tmp_path: Path, name: str
) -> None:
    wish, kind, tells = WISHES[name]
    wallet = ScriptWallet()
    balance = pay(node, wallet)

    async def scenario() -> None:
        async with (
            running_sshd() as server,
            running(tmp_path, node, wallet, wish=wish, server=server) as it,
        ):
            await it.client.until_synced(node)
            assert wallet.balance == balance > 0
            assert isinstance(it.own._inner, kind)
            session = it.connection.session
            assert session is not None
            assert session.choice.tells_scripts is tells
            node.fund(wallet.address(7), BTC)
            node.mine()
            await it.client.until_synced(node)
            assert wallet.balance == total(node, wallet) == balance + BTC

    run(scenario)


def test_when_the_p2p_port_closes_the_rpc_takes_over_without_a_new_scan(
    node: Node, tmp_path: Path
) -> None:
    wallet = ScriptWallet()
    balance = pay(node, wallet)

    async def scenario() -> None:
        wish = Wish(tell_nothing=True)
        async with (
            running_sshd() as server,
            running(tmp_path, node, wallet, wish=wish, server=server) as it,
        ):
            await it.client.until_synced(node)
            assert isinstance(it.own._inner, P2PBackend)
            blocks = sum(isinstance(event, BlockMatched) for event in it.client.events)
            # From here on the connection finds the P2P port closed.
            it.connection._p2p_port = 1
            server.kill_sessions()
            await it.client.until(lambda: isinstance(it.own._inner, NodeBackend))
            node.fund(wallet.address(1), BTC)
            node.mine()
            await it.client.until_synced(node)
            assert wallet.balance == balance + BTC
            after = sum(isinstance(event, BlockMatched) for event in it.client.events)
            assert after == blocks + 1

    run(scenario)


@pytest.mark.parametrize("wish", [Wish(), Wish(tell_nothing=True), Wish(rung=Rung.P2P)])
def test_blocks_that_a_pruned_node_threw_away_come_from_public_peers(
    node_factory: NodeFactory, tmp_path: Path, wish: Wish
) -> None:
    pruned, full = node_factory(*PRUNED), node_factory()
    wallet = ScriptWallet()
    full.connect_to(pruned)
    balance = pay(full, wallet)
    full.mine(700)
    _wait_for_tip(pruned, full)
    pruned.wait_for_filters()
    pruned.rpc("pruneblockchain", pruned.height - 300)
    lowest = pruned.rpc("getblockchaininfo")["pruneheight"]
    pruned.disconnect_all()

    async def scenario() -> None:
        async with running(tmp_path, pruned, wallet, wish=wish, peers=(full,)) as it:
            await it.client.until_synced(pruned)
            assert wallet.balance == balance > 0
            assert any(height < lowest for height in wallet.blocks)
            hosts = {e.host for e in it.own.ledger() if e.route is Route.DIRECT}
            assert hosts == {f"127.0.0.1:{full.p2p_port}"}

    run(scenario)


def test_without_public_peers_the_pruned_blocks_are_named_and_nothing_wrong_is_shown(
    node_factory: NodeFactory, tmp_path: Path
) -> None:
    pruned, full = node_factory(*PRUNED), node_factory()
    wallet = ScriptWallet()
    full.connect_to(pruned)
    pay(full, wallet)
    full.mine(700)
    _wait_for_tip(pruned, full)
    pruned.wait_for_filters()
    pruned.rpc("pruneblockchain", pruned.height - 300)

    async def scenario() -> None:
        async with running(tmp_path, pruned, wallet) as it:
            await it.client.until(lambda: "prune" in _said(it.client).lower())
            assert not it.own.is_synced()
            assert wallet.balance == 0

    run(scenario)


def test_public_peers_agree_with_the_node_and_then_it_is_cut_off(
    node_factory: NodeFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wallet_gui.chain.bitcoind.node_audit.INTERVAL", 0.2)
    monkeypatch.setattr("wallet_gui.chain.bitcoind.node_audit.FIRST_INTERVAL", 0.2)
    defaults = NodeAudit.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "patience", 0.5)
    node, other = node_factory(), node_factory()
    other.connect_to(node)
    node.mine(20)
    _wait_for_tip(other, node)
    for each in (node, other):
        each.wait_for_filters()

    async def scenario() -> None:
        async with running(tmp_path, node, peers=(other,)) as it:
            await it.client.until(
                lambda: (
                    it.own.node_status().compared
                    == "Its blocks and filters agree with what one public peer shows."
                )
            )
            node.disconnect_all()
            other.mine(4)
            await it.client.until(lambda: "4 blocks behind" in it.own.node_status().doubt)
            assert it.own.node_status().compared == ""
            await it.client.until(
                lambda: any(
                    isinstance(e, BackendWarning) and "4 blocks behind" in e.sentence
                    for e in it.client.events
                )
            )
            node.connect_to(other)
            await it.client.until(lambda: it.own.node_status().compared != "")
            assert it.own.node_status().doubt == ""

    run(scenario)


def test_a_broken_filter_index_is_noticed(node_factory: NodeFactory, tmp_path: Path) -> None:
    """The public peer's chain of filter headers is another one: as if the node's were damaged."""
    node, other = node_factory(), node_factory()
    other.connect_to(node)
    node.mine(10)
    _wait_for_tip(other, node)

    async def scenario() -> None:
        async with running(tmp_path, node, peers=(other,)) as it:
            honest = it.own._filter_header

            async def damaged(height: int, block_hash: bytes) -> bytes | None:
                told = await honest(height, block_hash)
                return None if told is None else bytes(reversed(told))

            it.own._filter_header = damaged  # type: ignore[method-assign]
            await it.client.until(lambda: "filters differ" in it.own.node_status().doubt)

    run(scenario)


def test_before_there_is_a_connection_a_payment_is_refused_with_a_sentence(
    node: Node, tmp_path: Path
) -> None:
    node.mine(1)

    async def scenario() -> None:
        async with running_sshd() as server:
            await server.stop()
            async with running(tmp_path, node, server=server) as it:
                with pytest.raises(NoPeers, match="not sent"):
                    await it.own.broadcast(Transaction(2, (), (), 0))

    run(scenario)


def _said(client: NodeClient) -> str:
    return " ".join(
        getattr(event, "sentence", "") + getattr(event, "detail", "") for event in client.events
    )


def _wait_for_tip(node: Node, other: Node) -> None:
    node.rpc("waitforblock", other.tip, 20_000)


async def stop_at(
    it: Own, stage: NodeState, after: int, fault: Callable[[], None] = lambda: None
) -> None:
    """Stop so many turns after a stage on the way was reached, perhaps while something fails."""
    reached = asyncio.Event()

    def look(status: NodeStatus) -> None:
        if status.state is stage:
            reached.set()

    it.connection._on_state = look
    look(it.connection.status)
    async with asyncio.timeout(PATIENCE):
        await reached.wait()
    await turns(after)
    fault()
    async with asyncio.timeout(PATIENCE / 6):
        await it.own.stop()
    assert it.connection.status.state is NodeState.OFF


@pytest.mark.parametrize("is_system_ssh", [False, True], ids=["built in", "ssh -W"])
@pytest.mark.parametrize("is_lost", [False, True], ids=["", "lost"])
def test_it_stops_at_every_stage(
    node: Node, tmp_path: Path, *, is_system_ssh: bool, is_lost: bool
) -> None:
    """On its way to the node, in the very moment in which the connection is lost, too."""
    need("ssh")
    node.mature()

    async def scenario() -> None:
        async with running_sshd() as server:
            fault = server.kill_sessions if is_lost else lambda: None
            moments = (0, 4) if is_system_ssh else (0, 1, 3, 10)
            for stage in ON_THE_WAY:
                for after in moments:
                    async with (
                        nothing_left(),
                        running(
                            tmp_path,
                            node,
                            ScriptWallet(),
                            server=server,
                            is_system_ssh=is_system_ssh,
                        ) as it,
                    ):
                        await stop_at(it, stage, after, fault)
                    assert not children()

    run(scenario)


@pytest.mark.parametrize("is_system_ssh", [False, True], ids=["built in", "ssh -W"])
def test_it_stops_although_the_server_has_frozen(
    node: Node, tmp_path: Path, *, is_system_ssh: bool
) -> None:
    """The line holds, and nothing comes over it any more: nobody is waited for."""
    need("ssh")
    node.mature()

    async def scenario() -> None:
        async with running_sshd() as server:
            for stage in (NodeState.LOGIN, NodeState.RPC_LOGIN, NodeState.READY):
                async with (
                    nothing_left(),
                    running(
                        tmp_path, node, ScriptWallet(), server=server, is_system_ssh=is_system_ssh
                    ) as it,
                ):
                    await stop_at(it, stage, 2, server.freeze_sessions)
                server.kill_sessions()
                assert not children()

    run(scenario)
