"""Peers that misbehave on the wire, against the real backend on real sockets."""

import asyncio
import resource
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.functional.p2p_wallet import ScriptWallet, run, running
from tests.hostile.fake_chain import FakeChain
from tests.hostile.fake_peer import FakeNode, decode, serve
from wallet_gui.chain.backend import BackendState, BroadcastStage, ConnectionState
from wallet_gui.chain.p2p.backend import system_clock
from wallet_gui.chain.p2p.messages import Inv
from wallet_gui.chain.p2p.sync_state import Instant
from wallet_gui.chain.p2p.transport_v2 import V2Transport
from wallet_gui.primitives.params import MAINNET, REGTEST
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut

BTC = 10**8


def paid(wallet: ScriptWallet) -> FakeChain:
    chain = FakeChain()
    chain.mine_empty(30)
    chain.mine(to=wallet.script(0))
    chain.mine_empty(10)
    return chain


@asynccontextmanager
async def raw_server(data: bytes, pause: float = 0.0, *, old: bool = False) -> AsyncIterator[int]:
    """Send these bytes to whoever connects, all at once or one by one, and then nothing.

    One that is `old` hangs up on clients that do not begin with version 1.
    """
    stop = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if old and await reader.readexactly(4) != REGTEST.magic:
                return
            if pause:
                for index in range(len(data)):
                    writer.write(data[index : index + 1])
                    await asyncio.sleep(pause)
            else:
                writer.write(data)
            await stop.wait()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        stop.set()
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0.05)


GARBAGE = {
    "another network": MAINNET.magic + b"version" + bytes(100),
    "a web server": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "nothing at all": b"",
    "a huge length": REGTEST.magic + b"headers\0\0\0\0\0" + b"\xff\xff\xff\x7f" + bytes(4),
    "a wrong checksum": REGTEST.magic + b"verack".ljust(12, b"\0") + bytes(8),
    "half a message": REGTEST.magic + b"version\0\0\0\0\0" + b"\x66\0\0\0" + bytes(4) + bytes(20),
}


@pytest.mark.alone
@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("what", GARBAGE)
def test_nonsense_does_not_keep_us_from_an_honest_peer(
    what: str, tmp_path: Path, *, old: bool
) -> None:
    wallet = ScriptWallet()
    chain = paid(wallet)
    node = FakeNode(chain)

    async def scenario() -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        async with AsyncExitStack() as stack:
            bad = await stack.enter_async_context(raw_server(GARBAGE[what], old=old))
            good = await stack.enter_async_context(serve(node))
            client = await stack.enter_async_context(running(tmp_path, [bad, good], wallet))
            began = time.monotonic()
            await client.until_synced(chain.height, chain.tip[::-1].hex())
            assert time.monotonic() - began < 15
            assert wallet.balance == 50 * BTC
            assert len(client.backend.peers()) == 1
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < 100_000, "KiB"

    run(scenario)


def flip(theirs: V2Transport) -> bytes:
    packet = bytearray(theirs.frame("headers", b"\0"))
    packet[-1] ^= 1
    return bytes(packet)


ENCRYPTED_NONSENSE: dict[str, Callable[[V2Transport], bytes]] = {
    "a changed byte": flip,
    "half a packet": lambda theirs: theirs.frame("headers", b"\0")[:-5],
    "a huge length": lambda theirs: theirs.frame("ping", bytes(3_000_000))[:60],
    "a huge packet": lambda theirs: theirs.frame("block", bytes(4_000_000))[:-1],
    "noise": lambda _: bytes(range(256)) * 300,
    "junk in a right packet": lambda theirs: theirs.frame("headers", bytes(range(200))),
    "a second version": lambda theirs: theirs.frame("version", bytes(100)),
    "packets without a name": lambda theirs: b"".join(
        theirs.frame(f"nobody{i}", bytes(1000)) for i in range(2000)
    ),
}


@asynccontextmanager
async def encrypted_server(nonsense: Callable[[V2Transport], bytes]) -> AsyncIterator[int]:
    """Do the handshake of an honest node, then send nonsense, and then nothing."""
    node = FakeNode(FakeChain())
    stop = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs = V2Transport(REGTEST.magic, is_initiator=False)
        try:
            while not theirs.is_established or not node.greeted:
                received = decode(theirs, await reader.read(65536))
                writer.write(theirs.data_to_send())
                for message in received:
                    for answer in node.greet(message):
                        writer.write(theirs.frame(answer.command, answer.serialize()))
            writer.write(nonsense(theirs))
            await stop.wait()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        stop.set()
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0.05)


@pytest.mark.alone
@pytest.mark.parametrize("what", ENCRYPTED_NONSENSE)
def test_encrypted_nonsense_does_not_keep_us_from_an_honest_peer(what: str, tmp_path: Path) -> None:
    wallet = ScriptWallet()
    chain = paid(wallet)

    async def scenario() -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        async with AsyncExitStack() as stack:
            bad = await stack.enter_async_context(encrypted_server(ENCRYPTED_NONSENSE[what]))
            good = await stack.enter_async_context(serve(FakeNode(chain), v2=True))
            client = await stack.enter_async_context(running(tmp_path, [bad, good], wallet))
            began = time.monotonic()
            await client.until_synced(chain.height, chain.tip[::-1].hex())
            assert time.monotonic() - began < 15, "a silent peer is awaited for 10 s"
            assert wallet.balance == 50 * BTC
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < 100_000, "KiB"

    run(scenario)


def test_a_trickle_of_bytes(tmp_path: Path) -> None:
    wallet = ScriptWallet()
    chain = paid(wallet)

    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            bad = await stack.enter_async_context(raw_server(REGTEST.magic * 50, pause=0.05))
            good = await stack.enter_async_context(serve(FakeNode(chain)))
            client = await stack.enter_async_context(running(tmp_path, [bad, good], wallet))
            await client.until_synced(chain.height, chain.tip[::-1].hex())
            assert wallet.balance == 50 * BTC

    run(scenario)


def test_connection_to_ourselves_and_to_nobody(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            server.close()
            await server.wait_closed()
            client = await stack.enter_async_context(running(tmp_path, [port], ScriptWallet()))
            await client.until(
                lambda: any(
                    isinstance(e, BackendState)
                    and e.state is ConnectionState.OFFLINE
                    and "Nothing listens" in e.detail
                    for e in client.events
                )
            )

    run(scenario)


@pytest.mark.parametrize("v2", [False, True])
def test_a_peer_that_dies_in_the_middle(tmp_path: Path, *, v2: bool) -> None:
    wallet = ScriptWallet()
    chain = paid(wallet)
    budget = [2000]

    def write_some(writer: asyncio.StreamWriter, data: bytes) -> None:
        """Break off in the middle of a message, later at every attempt."""
        if budget[0] < len(data):
            writer.write(data[: budget[0]])
            writer.transport.abort()
            budget[0] = 100_000
        else:
            budget[0] -= len(data)
            writer.write(data)

    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            port = await stack.enter_async_context(serve(FakeNode(chain), write_some, v2=v2))
            client = await stack.enter_async_context(running(tmp_path, [port], wallet))
            await client.until_synced(chain.height, chain.tip[::-1].hex())
            assert wallet.balance == 50 * BTC

    run(scenario)


def test_broadcast_to_two_peers(tmp_path: Path) -> None:
    chain = paid(ScriptWallet())
    first, second = FakeNode(chain), FakeNode(chain)
    second.mempool = first.mempool  # what one has, the other gets
    tx = Transaction(2, (TxIn(OutPoint(bytes(32), 1)),), (TxOut(1, b"\x51"),), 0)
    started = system_clock()

    def hasty() -> Instant:
        now = system_clock()
        return now._replace(monotonic=started[0] + 10 * (now.monotonic - started[0]))

    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            ports = [await stack.enter_async_context(serve(n)) for n in (first, second)]
            client = await stack.enter_async_context(
                running(tmp_path, ports, ScriptWallet(), clock=hasty)
            )
            await client.until(lambda: len(client.backend.peers()) == 2)
            result = await client.backend.broadcast(tx)
            assert result.stage is BroadcastStage.ECHOED
            assert list(first.mempool) == [tx.wtxid]
            told = [sum(isinstance(m, Inv) for m in node.asked) for node in (first, second)]
            assert sorted(told) == [0, 1], "everybody was told"

    run(scenario)


def test_stop_at_any_moment_leaves_nothing_behind(tmp_path: Path) -> None:
    wallet = ScriptWallet()
    chain = paid(wallet)

    async def scenario() -> None:
        async with serve(FakeNode(chain)) as port:
            for step in range(12):
                async with running(tmp_path, [port], wallet):
                    await asyncio.sleep(0.01 * step)
            async with running(tmp_path, [port], wallet) as client:
                await client.until_synced(chain.height, chain.tip[::-1].hex())
                assert wallet.balance == 50 * BTC
                await client.backend.stop()
                count = len(client.events)
                await asyncio.sleep(0.3)
                assert len(client.events) == count, "an event after the end"

    run(scenario)
