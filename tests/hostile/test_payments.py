"""Unconfirmed payments among peers that lie, drop them, or listen for whose they are."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.functional.p2p_wallet import Client, ScriptWallet, run, running
from tests.hostile.fake_chain import FakeChain
from tests.hostile.fake_network import MemoryStores
from tests.hostile.fake_peer import FakeNode, serve
from tests.hostile.socks_server import socks_server
from tests.patience import PATIENCE
from wallet_gui.chain.backend import (
    BackendState,
    BroadcastStage,
    ChainEvent,
    Phase,
    SyncProgress,
    TxSeen,
)
from wallet_gui.chain.p2p import broadcast_verdicts as verdicts
from wallet_gui.chain.p2p.address_book import AddressBook
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.backend import P2PBackend, system_clock
from wallet_gui.chain.p2p.book_format import write_book
from wallet_gui.chain.p2p.messages import (
    FeeFilter,
    GetData,
    GetHeaders,
    Inv,
    InventoryType,
    Message,
    Ping,
    Services,
    Tx,
)
from wallet_gui.chain.p2p.options import P2POptions, ProxyUse
from wallet_gui.chain.p2p.sync_state import Instant
from wallet_gui.chain.reports import Purpose, SeenBy
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut

COIN = 100_000_000
LIAR = 2_100_000_000_000_000


def payment(number: int = 1, script: bytes = b"\x51") -> Transaction:
    spent = TxIn(OutPoint(number.to_bytes(32, "big"), 0), witness=(b"s",))
    return Transaction(2, (spent,), (TxOut(COIN, script),), 0)


def short_chain() -> FakeChain:
    chain = FakeChain()
    chain.mine_empty(3)
    return chain


def hasty() -> Instant:
    now = system_clock()
    return now._replace(monotonic=10 * now.monotonic)


def names(node: FakeNode, tx: Transaction) -> list[Message]:
    """What a node heard from us about a transaction."""
    return [
        message
        for message in node.asked
        if (isinstance(message, Inv | GetData) and any(h == tx.wtxid for _, h in message.entries))
        or (isinstance(message, Tx) and message.tx == tx)
    ]


@asynccontextmanager
async def client_of(
    directory: Path, *nodes: FakeNode, wallet: ScriptWallet | None = None
) -> AsyncIterator[Client]:
    async with AsyncExitStack() as stack:
        ports = [await stack.enter_async_context(serve(node)) for node in nodes]
        client = await stack.enter_async_context(
            running(directory, ports, wallet or ScriptWallet(), clock=hasty)
        )
        await client.until(lambda: len(client.backend.peers()) == len(nodes))
        yield client


def announcing(node: FakeNode, *transactions: Transaction) -> None:
    """Let a node announce what it claims to have, and push it unasked as well."""
    entries = tuple((int(InventoryType.WTX), tx.wtxid) for tx in transactions)

    def rewrite(message: Message, answers: list[Message]) -> list[Message]:
        if isinstance(message, GetHeaders | Ping):
            return [*answers, Inv(entries), *map(Tx, transactions)]
        return answers

    node.mempool.update({tx.wtxid: tx for tx in transactions})
    node.rewrite = rewrite


# --- what comes in --------------------------------------------------------------------------------


def test_a_payment_that_one_peer_made_up_is_not_backed(tmp_path: Path) -> None:
    wallet, chain = ScriptWallet(), short_chain()
    fake = payment(script=wallet.script(0))
    liar, *honest = FakeNode(chain), FakeNode(chain), FakeNode(chain)
    announcing(liar, fake)

    async def scenario() -> None:
        async with client_of(tmp_path, liar, *honest, wallet=wallet) as client:
            await client.until(lambda: fake.txid in wallet.unconfirmed)
            await asyncio.sleep(0.5)
            seen = client.backend.seen_by(fake.txid)
            assert seen == SeenBy(1, 3)
            assert not seen.is_backed
            assert wallet.balance == 0
            told = [e for e in client.events if isinstance(e, TxSeen)]
            assert len(told) == 1, "it was pushed again and again"
            announcing(honest[0], fake)
            await client.until(lambda: client.backend.seen_by(fake.txid) == SeenBy(2, 3))

    run(scenario)


def test_what_is_only_pushed_is_not_taken(tmp_path: Path) -> None:
    wallet = ScriptWallet()
    fake = payment(script=wallet.script(0))
    node = FakeNode(short_chain())
    node.rewrite = lambda message, answers: (
        [*answers, Tx(fake)] if isinstance(message, GetHeaders | Ping) else answers
    )

    async def scenario() -> None:
        async with client_of(tmp_path, node, wallet=wallet) as client:
            await client.until_synced(node.chain.height, node.chain.tip[::-1].hex())
            await asyncio.sleep(0.5)
            assert wallet.unconfirmed == {}
            assert client.backend.seen_by(fake.txid) is None

    run(scenario)


def test_liars_about_fees_move_nothing(tmp_path: Path) -> None:
    chain = short_chain()
    rates = (1000, 0, LIAR, 1100, 1000)

    def saying(rate: int) -> FakeNode:
        node = FakeNode(chain)
        node.rewrite = lambda message, answers: (
            [*answers, FeeFilter(rate)] if isinstance(message, GetHeaders) else answers
        )
        return node

    async def scenario() -> None:
        async with client_of(tmp_path, *map(saying, rates)) as client:
            await client.until(lambda: len(client.backend.minimum_fee_rates()) == len(rates))
            advice = client.backend.fee_advice()
            assert advice is not None
            assert advice.minimum == 1000
            assert advice.fast is None, "nothing is known of blocks, and nothing is made up"
            assert client.backend.minimum_fee_rates() == sorted(rates)

    run(scenario)


# --- what goes out --------------------------------------------------------------------------------


def dropping(chain: FakeChain) -> FakeNode:
    """It asks for transactions and throws them away."""
    node = FakeNode(chain)

    def rewrite(message: Message, answers: list[Message]) -> list[Message]:
        if isinstance(message, Tx):
            node.mempool.clear()
        return answers

    node.rewrite = rewrite
    return node


def test_peers_that_drop_a_payment_do_not_stop_it(tmp_path: Path) -> None:
    chain, tx = short_chain(), payment()
    droppers = [dropping(chain), dropping(chain)]
    honest = FakeNode(chain)

    async def scenario() -> None:
        async with client_of(tmp_path, *droppers, honest) as client:
            result = await client.backend.broadcast(tx)
            assert result.stage is BroadcastStage.ECHOED
            assert list(honest.mempool) == [tx.wtxid]

    run(scenario)


def test_when_all_drop_it_that_is_found_out(tmp_path: Path) -> None:
    chain, tx = short_chain(), payment()
    droppers = [dropping(chain) for _ in range(4)]

    async def scenario() -> None:
        async with client_of(tmp_path, *droppers) as client:
            result = await client.backend.broadcast(tx)
            assert result.stage is BroadcastStage.FAILED
            assert result.detail == verdicts.REFUSED
            told = [any(isinstance(m, Inv) for m in names(node, tx)) for node in droppers]
            assert sum(told) == 3, "not everybody needs to know whose it is"

    run(scenario)


def test_an_announcement_by_who_was_told_is_no_evidence(tmp_path: Path) -> None:
    chain, tx = short_chain(), payment()
    liar = FakeNode(chain)

    def rewrite(message: Message, answers: list[Message]) -> list[Message]:
        if isinstance(message, Inv) and any(h == tx.wtxid for _, h in message.entries):
            return [message]  # "I have it already"; it never asks for it
        return answers

    liar.rewrite = rewrite

    async def scenario() -> None:
        async with client_of(tmp_path, liar) as client:
            result = await client.backend.broadcast(tx)
            assert result.stage is BroadcastStage.FAILED
            assert result.detail == verdicts.IGNORED

    run(scenario)


# --- on a connection of its own -------------------------------------------------------------------


class Book:
    """A peer store that a test has written."""

    def __init__(self, ports: Sequence[int]) -> None:
        book = AddressBook(bytes(32), group_of=each_alone, is_welcome=lambda _: True)
        now = system_clock().unix
        for port in ports:
            address = PeerAddress("127.0.0.1", port)
            book.add(address, b"friend", now, services=int(Services.NETWORK), last_seen=now)
        self.raw = write_book(book)

    def load(self) -> bytes:
        return self.raw

    def save(self, data: bytes) -> None:
        self.raw = data


def each_alone(address: PeerAddress) -> bytes:
    return str(address).encode()


@pytest.mark.parametrize("works", [True, False])
def test_with_tor_a_payment_takes_a_circuit_of_its_own_or_none(*, works: bool) -> None:
    chain, tx = short_chain(), payment()
    own, strangers = FakeNode(chain), [FakeNode(chain) for _ in range(6)]
    for node in strangers:
        node.mempool = own.mempool  # what one has, all have

    synced, connected = asyncio.Event(), asyncio.Event()

    async def sink(event: ChainEvent) -> None:
        if isinstance(event, SyncProgress) and event.phase is Phase.SYNCED:
            synced.set()
        if isinstance(event, BackendState) and event.peers:
            connected.set()

    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            proxy = await stack.enter_async_context(socks_server())
            own_port = await stack.enter_async_context(serve(own))
            ports = [await stack.enter_async_context(serve(node)) for node in strangers]
            if not works:
                proxy.reply = 1
            backend = P2PBackend(
                REGTEST,
                P2POptions(
                    own_peers=(PeerAddress("127.0.0.1", own_port),),
                    proxy=PeerAddress("127.0.0.1", proxy.port),
                    proxy_use=ProxyUse.ONION_AND_PAYMENTS,
                ),
                MemoryStores(),
                sink,
                peer_store=Book(ports),
                netgroup=each_alone,
                clock=hasty,
            )
            await backend.start()
            try:
                if works:
                    async with asyncio.timeout(PATIENCE):
                        await synced.wait()
                else:  # as early as can be
                    await connected.wait()
                assert proxy.requests == []
                result = await backend.broadcast(tx)
                heard = [node for node in strangers if names(node, tx)]
                entries = [e for e in backend.ledger() if e.purpose is Purpose.BROADCAST]
            finally:
                await backend.stop()
            assert names(own, tx) == [], "a direct connection heard of it"
            assert entries
            if works:
                assert result.is_accepted
                # A second one is told when the first shows nothing for ten seconds.
                assert 1 <= len(heard) <= 2
                asked = {request.port for request in proxy.requests}
                assert asked == {ports[strangers.index(node)] for node in heard}
                logins = {(request.user, request.password) for request in proxy.requests}
                assert len(logins) == len(proxy.requests)
                assert (None, None) not in logins
            else:
                assert result.stage is BroadcastStage.FAILED
                assert result.detail == verdicts.NO_PROXY
                assert heard == []
                assert own.mempool == {}

    run(scenario)
