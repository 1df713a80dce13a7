"""Nodes of other versions, and nodes that falter: the same balance from all of them.

What Core 25, 28 and 29 answer is scripted here (`fake_node`); Knots is the real one in the
functional tests.
"""

import asyncio
from pathlib import Path
from random import Random

import pytest

from tests.functional.node_wallet import NodeClient
from tests.functional.p2p_wallet import ScriptWallet
from tests.functional.sshd import Answers, MemoryStore
from tests.hostile.fake_chain import FakeChain, payment
from tests.hostile.fake_node import FakeNode, Fault, running_node
from wallet_gui.chain.backend import BackendState, ConnectionState
from wallet_gui.chain.bitcoind.connection import NodeConnection
from wallet_gui.chain.bitcoind.node_options import NodeOptions
from wallet_gui.chain.bitcoind.rungs import Rung, Wish
from wallet_gui.chain.bitcoind.session_link import SessionLink
from wallet_gui.chain.bitcoind.ssh_target import LocalNode
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.transaction import TxOut
from wallet_gui.storage.chain_db import ChainDb

COIN = 50 * 10**8


def paid_chain(wallet: ScriptWallet) -> FakeChain:
    """Sixty blocks, some of which pay the wallet, and one that takes a coin away again."""
    chain = FakeChain()
    for height in range(1, 61):
        if height % 20 == 10:
            chain.mine(to=wallet.script(height // 20))
        elif height == 45:
            spend = payment([chain.coin(10)], [TxOut(COIN - 1000, b"\x51")])
            chain.mine(spend)
        else:
            chain.mine()
    return chain


def client_of(
    node: FakeNode, database: ChainDb, wallet: ScriptWallet, wish: Wish
) -> tuple[NodeClient, NodeConnection]:
    options = NodeOptions(
        rpc_port=node.port, user="__cookie__", password=node.cookie.partition(":")[2], wish=wish
    )
    connection = NodeConnection(LocalNode(node.port), options, Answers(), MemoryStore(), REGTEST)
    link = SessionLink(connection)
    return NodeClient(database, link, [wallet]), connection  # type: ignore[arg-type]


async def told_all(client: NodeClient, node: FakeNode, wallet: ScriptWallet) -> None:
    """Wait until the wallet was told everything up to the node's tip."""
    chain = node.known.chain
    await client.until(
        lambda: wallet.marks.get(chain.height) == chain.tip and client.backend.is_synced(), 60
    )


@pytest.mark.parametrize("version", [250000, 280000, 290000])
@pytest.mark.parametrize("tell_nothing", [False, True])
def test_every_version_gives_the_same_balance(
    tmp_path: Path, version: int, *, tell_nothing: bool
) -> None:
    wallet = ScriptWallet()
    chain = paid_chain(wallet)

    async def scenario() -> None:
        async with running_node(chain=chain, version=version) as node:
            with ChainDb(tmp_path / "chain.db", REGTEST) as database:
                client, _ = client_of(node, database, wallet, Wish(tell_nothing=tell_nothing))
                await client.start()
                await told_all(client, node, wallet)
                assert wallet.balance == 2 * COIN
                chain.mine(to=wallet.script(2))
                node.known.notify()
                await told_all(client, node, wallet)
                assert wallet.balance == 3 * COIN
                await client.backend.stop()
                assert client.failures == []
                asked = set(node.methods())
                assert ("scanblocks" in asked) or tell_nothing
                if tell_nothing:
                    scripts = [script.hex() for script in wallet.scripts]
                    text = repr(node.calls)
                    assert not any(script in text for script in scripts)
                    assert "scantxoutset" not in asked

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "fault",
    [
        Fault.HANGS_UP,
        Fault.QUEUE_FULL,
        Fault.WARMING_UP,
        Fault.WEB_PAGE,
        Fault.CUT_OFF,
        Fault.CHUNKED,
        Fault.UNTIL_END,
        Fault.WRONG_ID,
        Fault.NAN,
        Fault.DEEP,
        Fault.NOT_JSON,
        Fault.HTML_ERROR,
    ],
)
def test_a_node_that_falters_now_and_then(tmp_path: Path, fault: Fault) -> None:
    """Whatever is spoiled is asked for again; nothing wrong is taken over."""
    wallet = ScriptWallet()
    chain = paid_chain(wallet)
    rng = Random(fault.value)

    async def scenario() -> None:
        async with running_node(chain=chain) as node:
            with ChainDb(tmp_path / "chain.db", REGTEST) as database:
                client, connection = client_of(node, database, wallet, Wish())
                node.faults.extend(Fault.NONE for _ in range(rng.randint(2, 9)))
                node.faults.append(fault)
                node.faults.extend(Fault.NONE for _ in range(rng.randint(1, 12)))
                node.faults.append(fault)
                await client.start()
                while not node.faults or connection.problem is None:
                    connection.retry()  # some look as if they were not a node at all
                    await asyncio.sleep(0.05)
                    if wallet.marks.get(chain.height) == chain.tip and client.backend.is_synced():
                        break
                connection.retry()
                await told_all(client, node, wallet)
                assert wallet.balance == 2 * COIN
                online = [e for e in client.events if isinstance(e, BackendState)]
                assert online[-1].state is ConnectionState.ONLINE
                await client.backend.stop()
                assert client.failures == []

    asyncio.run(scenario())


def test_without_a_filter_index_the_blocks_are_read(tmp_path: Path) -> None:
    wallet = ScriptWallet()
    chain = paid_chain(wallet)

    async def scenario() -> None:
        async with running_node(chain=chain) as node:
            node.known.index_height = -1
            with ChainDb(tmp_path / "chain.db", REGTEST) as database:
                client, connection = client_of(node, database, wallet, Wish(rung=Rung.ACTIVITY))
                await client.start()
                await told_all(client, node, wallet)
                assert wallet.balance == 2 * COIN
                assert connection.session is not None
                assert connection.session.choice.rung is Rung.COINS
                assert connection.session.choice.offer is not None
                await client.backend.stop()
                assert client.failures == []

    asyncio.run(scenario())
