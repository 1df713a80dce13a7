"""Every connected peer hides the block that confirms our payment; it shows as confirmed anyway."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from tests.functional.p2p_wallet import own_group
from tests.hostile.fake_chain import FakeChain
from tests.hostile.fake_peer import FakeNode, serve
from tests.hostile.test_payments import hasty
from tests.patience import PATIENCE
from tests.unit.app.test_session import DESCRIPTOR, Disk, make
from wallet_gui.chain.backend import BroadcastStage
from wallet_gui.chain.filters import build
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.backend import P2PBackend
from wallet_gui.chain.p2p.messages import GetData, Headers, Message
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.script import p2wpkh
from wallet_gui.primitives.transaction import Transaction, TxIn, TxOut
from wallet_gui.storage.chain_db import ChainDb
from wallet_gui.wallet.changes import Keychain

PAID = 5
CONFIRMED = 7


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 (several things change it)
            await asyncio.sleep(0.05)


def hide(chain: FakeChain, tx: Transaction) -> FakeChain:
    """Confirm a payment in a block whose filter, as all tell it, holds nothing of that."""
    told = chain.copy(chain.height)
    told.mine(tx)
    told.mine_empty(2)
    told.lie(CONFIRMED, build(FakeChain().blocks[0], [b"\x53" * 5]).data)
    return told


def test_a_payment_that_left_every_pool_is_looked_for(tmp_path: Path) -> None:
    chain = FakeChain()
    chain.mine_empty(PAID - 1)
    chain.mine(to=DESCRIPTOR.script_pubkey(0, Keychain.RECEIVE))
    chain.mine_empty(1)
    nodes = [FakeNode(chain) for _ in range(3)]
    pool = nodes[0].mempool
    spend = (TxIn(chain.coin(PAID), b"", 0xFFFFFFFD),)
    tx = Transaction(2, spend, (TxOut(49 * 10**8, p2wpkh(b"f" * 20)),), 0)

    def announce(_message: Message, answers: list[Message]) -> list[Message]:
        # Nodes do not ask for what a block held recently.
        answers = [a for a in answers if not isinstance(a, GetData)]
        blocks = nodes[0].chain.blocks[CONFIRMED:]
        return [Headers(b"".join(b.header.serialize() for b in blocks)), *answers]

    async def scenario() -> None:
        session = make(Disk())
        async with AsyncExitStack() as stack:
            for node in nodes:
                node.mempool = pool  # what one has, the others get
            ports = [await stack.enter_async_context(serve(node)) for node in nodes]
            database = stack.enter_context(ChainDb(tmp_path / "chain.db", REGTEST))
            options = P2POptions(own_peers=tuple(PeerAddress("127.0.0.1", p) for p in ports))
            backend = P2PBackend(
                REGTEST, options, database, session.handle, netgroup=own_group, clock=hasty
            )
            session.attach(backend)
            await backend.start()
            stack.push_async_callback(session.close)
            stack.push_async_callback(backend.stop)
            await until(lambda: backend.is_synced() and session.wallet.balance().total > 0)
            await session.accept_final(tx)
            sent = await session.broadcast(tx)
            assert sent.stage in {BroadcastStage.ECHOED, BroadcastStage.SPREAD}

            told = hide(chain, tx)
            pool.clear()
            for node in nodes:
                node.switch(told)
                node.rewrite = announce
            again = await session.broadcast(tx)  # as `Rebroadcast` does with each new block
            assert again.was_missing
            await until(lambda: session.wallet.graph.anchor(tx.txid) is not None)
            anchor = session.wallet.graph.anchor(tx.txid)
            assert anchor is not None
            assert anchor.height == CONFIRMED
            assert session.unconfirmed_own() == []

    asyncio.run(scenario())
