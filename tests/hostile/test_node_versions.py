"""The whole way from a node's answers to a wallet's coins, with nodes of other versions.

The real bitcoind of the other tests is a Knots 29; these are scripted after Core's sources: 25.0
(the first with scanblocks), 28.0 (JSON-RPC 2.0, packages) and 29.0 (getdescriptoractivity).
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.functional.node_wallet import NodeClient
from tests.functional.p2p_wallet import ScriptWallet
from tests.hostile.fake_chain import FakeChain, payment
from tests.hostile.fake_machine import Machine
from tests.hostile.fake_node import FakeNode, running_node
from tests.patience import PATIENCE
from wallet_gui.chain.backend import BlockRef, CheckState
from wallet_gui.chain.bitcoind.connection import NodeConnection
from wallet_gui.chain.bitcoind.node_options import NodeOptions
from wallet_gui.chain.bitcoind.problems import Code
from wallet_gui.chain.bitcoind.rungs import Rung, Wish
from wallet_gui.chain.bitcoind.session_link import SessionLink
from wallet_gui.chain.bitcoind.ssh_target import SshTarget
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.transaction import TxOut
from wallet_gui.storage.chain_db import ChainDb

SCRIPTS = 45
COIN = 10**8


def paid_chain(wallet: ScriptWallet) -> FakeChain:
    """Coins that come, go and come back as change, also beyond the first window."""
    chain = FakeChain()
    chain.mine_empty(105)
    chain.mine(to=wallet.script(0))
    chain.mine(payment([chain.coin(1)], [TxOut(3 * COIN, wallet.script(3)), TxOut(COIN, b"\x51")]))
    chain.mine(to=wallet.script(19))
    chain.mine_empty(101)
    spend = payment([chain.coin(106)], [TxOut(2 * COIN, b"\x51"), TxOut(COIN, wallet.script(25))])
    chain.mine(spend)
    chain.mine(to=wallet.script(40))
    chain.mine_empty(3)
    return chain


def right_balance(node: FakeNode, wallet: ScriptWallet) -> int:
    ours = {wallet.script(index) for index in range(SCRIPTS)}
    return sum(value for value, script, _, _ in node.known.utxos().values() if script in ours)


def balance(wallet: ScriptWallet) -> int:
    return sum(value for coin, (_, value, _) in wallet.coins.items() if coin not in wallet.spent)


def synced(
    directory: Path,
    version: int,
    change: Callable[[FakeNode], None] = lambda _: None,
    wish: Wish | None = None,
) -> tuple[Rung, list[str], NodeClient]:
    """Sync a wallet, then a payment more; its balance is the node's each time."""
    wallet = ScriptWallet()
    outcome: list[Rung] = []
    methods: list[str] = []
    clients: list[NodeClient] = []

    async def go() -> None:
        async with (
            asyncio.timeout(PATIENCE),
            running_node(chain=paid_chain(wallet), version=version) as node,
        ):
            change(node)
            connection = NodeConnection(
                SshTarget("mynode.local"),
                NodeOptions(rpc_port=node.port, p2p_port=1, wish=wish or Wish()),
                None,  # type: ignore[arg-type]
                None,  # type: ignore[arg-type]
                REGTEST,
                connect=Machine().connect,
            )
            with ChainDb(directory / "chain.db", REGTEST) as database:
                link = SessionLink(connection, owns=True)
                client = NodeClient(database, link, [wallet])  # type: ignore[arg-type]
                clients.append(client)
                await client.start()
                try:
                    await until_synced(client, node, wallet)
                    outcome.append((await connection.ready()).choice.rung)
                    node.chain.mine(to=wallet.script(4), salt=7)
                    node.known.notify()
                    await until_synced(client, node, wallet)
                    if wish is None:
                        await client.until(lambda: client.checks.get("w") is CheckState.AGREES)
                finally:
                    await client.backend.stop()
            methods.extend(node.methods())
            if client.failures:
                raise client.failures[0]

    asyncio.run(go())
    return outcome[0], methods, clients[0]


async def until_synced(client: NodeClient, node: FakeNode, wallet: ScriptWallet) -> None:
    tip = BlockRef(node.chain.height, node.chain.tip)
    await client.until(
        lambda: (
            client.tip == tip
            and wallet.marks.get(tip.height) == tip.hash
            and client.backend.is_synced()
        )
    )
    assert balance(wallet) == right_balance(node, wallet) > 0


@pytest.mark.parametrize(
    ("version", "rung"), [(290000, Rung.ACTIVITY), (280000, Rung.SCAN), (250000, Rung.SCAN)]
)
def test_every_version_gives_the_same_coins(version: int, rung: Rung, tmp_path: Path) -> None:
    found, methods, client = synced(tmp_path, version)
    assert found is rung
    assert "scanblocks" in methods
    assert client.checks == {"w": CheckState.AGREES}  # as the node's coin set says
    if version < 290000:
        # Asked once by the probe, which sees from the answer that it is not there.
        assert methods.count("getdescriptoractivity") == 1


@pytest.mark.parametrize("version", [290000, 250000])
def test_a_node_that_shall_learn_nothing_is_told_no_script(version: int, tmp_path: Path) -> None:
    found, methods, _ = synced(tmp_path, version, wish=Wish(tell_nothing=True))
    assert found is Rung.SCAN
    assert "getblockfilter" in methods
    assert "scantxoutset" not in methods
    assert methods.count("scanblocks") == 1  # the probe's question for its status


@pytest.mark.parametrize("version", [290000, 250000])
def test_a_node_without_filters(version: int, tmp_path: Path) -> None:
    def change(node: FakeNode) -> None:
        node.known.index_height = -1

    found, methods, client = synced(tmp_path, version, change)
    assert found is Rung.COINS
    assert "scantxoutset" in methods
    assert "getblockfilter" not in methods
    assert client.checks == {"w": CheckState.AGREES}  # as the node's coin set says


def test_a_node_before_version_25_is_refused(tmp_path: Path) -> None:
    async def go() -> None:
        async with asyncio.timeout(PATIENCE), running_node(version=240100) as node:
            node.known.subversion = "/Satoshi:24.1.0/"
            connection = NodeConnection(
                SshTarget("mynode.local"),
                NodeOptions(rpc_port=node.port, p2p_port=1),
                None,  # type: ignore[arg-type]
                None,  # type: ignore[arg-type]
                REGTEST,
                connect=Machine().connect,
            )
            connection.start()
            while connection.problem is None:  # noqa: ASYNC110 - seen from outside
                await asyncio.sleep(0.01)
            assert connection.problem.code is Code.TOO_OLD
            assert "24.1.0" in connection.problem.title
            await connection.close()

    asyncio.run(go())
