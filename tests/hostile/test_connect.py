"""Opening connections: which protocol is spoken, and what happens when it goes wrong."""

import asyncio
import socket
import time
from contextlib import ExitStack

import pytest

from tests.hostile.connecting import Client, listener, node, run
from tests.hostile.fake_peer import serve
from tests.hostile.proxy import Side, between
from tests.patience import PATIENCE
from wallet_gui.chain.p2p import connect
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.connect import ConnectFailed
from wallet_gui.chain.p2p.messages import Message, Ping, Pong, RawBlock
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.chain.p2p.protocol import SelfConnection
from wallet_gui.chain.p2p.receive_buffers import CAPACITY as STREAM_CAPACITY
from wallet_gui.chain.p2p.transport import ProtocolViolation
from wallet_gui.primitives.params import REGTEST

# Which version


@pytest.mark.parametrize("prefer_v2", [None, True])
def test_encrypted_where_the_peer_can(*, prefer_v2: bool | None) -> None:
    async def scenario(client: Client) -> None:
        async with serve(node(), v2=True) as port:
            connection = await client.open("127.0.0.1", port, prefer_v2=prefer_v2)
            assert connection.transport_name == "v2"
            assert len(connection.session_id) == 32
            assert connection.ready.version.user_agent == "/Fake:1/"
            connection.begin()
            await client.ping(connection, 5)
            assert connection.received_bytes > 100
            assert connection.sent_bytes > 100
            await client.close()

    run(scenario)


def test_an_old_peer_is_asked_again_in_clear_and_remembered_for_a_day() -> None:
    async def scenario(client: Client) -> None:
        async with serve(node()) as port, between(port) as middle:
            middle.is_raw = True
            address = PeerAddress("127.0.0.1", middle.port)
            for expected in (2, 3, 4):  # twice at first, then once
                connection = await client.open("127.0.0.1", middle.port)
                assert connection.transport_name == "v1"
                assert connection.session_id == b""
                assert client.connector.is_v1_only(address)
                assert middle.connections == expected
            client.opened[-1].begin()
            await client.ping(client.opened[-1], 5)
            client.seconds += 24 * 3600 + 1
            assert not client.connector.is_v1_only(address)
            await client.open("127.0.0.1", middle.port)
            assert middle.connections == 6
            await client.close()

    run(scenario)


def test_the_address_book_may_know_that_a_peer_is_old() -> None:
    async def scenario(client: Client) -> None:
        async with serve(node(), v2=True) as port:
            connection = await client.open("127.0.0.1", port, prefer_v2=False)
            assert connection.transport_name == "v1"
            await client.close()

    run(scenario)


def test_encrypted_only_never_says_a_word_in_clear() -> None:
    async def scenario(client: Client) -> None:
        async with listener(b"") as old:
            address = PeerAddress("127.0.0.1", old.port)
            for prefer_v2 in (None, True, False):
                with pytest.raises(ConnectFailed, match="encrypted") as failed:
                    await client.open(address.host, address.port, prefer_v2=prefer_v2)
                assert failed.value.was_reached
            assert len(old.first) == 3
            assert not any(first.startswith(REGTEST.magic) for first in old.first)
            assert not client.connector.is_v1_only(address)

    run(scenario, Client(P2POptions(encrypted_only=True)))


def test_who_hangs_up_on_both_is_not_remembered_as_old() -> None:
    async def scenario(client: Client) -> None:
        async with listener(b"") as closed:
            failure = await client.refused("127.0.0.1", closed.port)
            assert failure.was_reached
            assert len(closed.first) == 2
            assert closed.first[1].startswith(REGTEST.magic + b"version")
            assert not client.connector.is_v1_only(PeerAddress("127.0.0.1", closed.port))

    run(scenario)


@pytest.mark.parametrize("answer", [b"x", b"x" * 64, b"x" * 5000])
def test_no_second_try_in_clear_with_who_said_something(answer: bytes) -> None:
    async def scenario(client: Client) -> None:
        async with listener(answer) as server:
            failure = await client.refused("127.0.0.1", server.port)
            assert failure.was_reached
            assert len(server.first) == 1, "somebody on the way could force it so"
            assert (len(answer) > 4200) == isinstance(failure.__cause__, ProtocolViolation)

    run(scenario)


@pytest.mark.alone
def test_a_silent_peer_costs_seconds_and_no_second_try(monkeypatch: pytest.MonkeyPatch) -> None:
    assert connect.ENCRYPTION_TIMEOUT == 5
    monkeypatch.setattr(connect, "ENCRYPTION_TIMEOUT", 0.2)

    async def scenario(client: Client) -> None:
        async with listener(None) as server:
            began = time.monotonic()
            failure = await client.refused("127.0.0.1", server.port)
            assert time.monotonic() - began < 2
            assert failure.was_reached
            assert "too long" in failure.reason
            assert len(server.first) == 1

    run(scenario)


def test_a_version_message_that_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert connect.HANDSHAKE_TIMEOUT == 15
    monkeypatch.setattr(connect, "HANDSHAKE_TIMEOUT", 0.2)
    mute = node()
    monkeypatch.setattr(mute, "greet", lambda _: [])

    async def scenario(client: Client) -> None:
        for v2 in (True, False):
            async with serve(mute, v2=v2) as port:
                failure = await client.refused("127.0.0.1", port)
                assert "too long" in failure.reason
                assert failure.was_reached

    run(scenario)


def test_nobody_is_there() -> None:
    async def scenario(client: Client) -> None:
        async with listener(b"") as gone:
            pass
        failure = await client.refused("127.0.0.1", gone.port)
        assert "Nothing listens" in failure.reason
        assert not failure.was_reached

    run(scenario)


def test_a_host_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert connect.CONNECT_TIMEOUT == 5
    monkeypatch.setattr(connect, "CONNECT_TIMEOUT", 0.2)

    async def scenario(client: Client) -> None:
        with ExitStack() as stack:
            # Nobody accepts, and the queue is full: further attempts are not answered.
            full = stack.enter_context(socket.socket())
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            for _ in range(4):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(full.getsockname())
            failure = await client.refused("127.0.0.1", full.getsockname()[1])
            assert failure.reason == "The connection took too long."
            assert not failure.was_reached

    run(scenario)


def test_the_memory_for_old_peers_is_bounded() -> None:
    connector = Client().connector
    addresses = [PeerAddress("192.0.2.1", port) for port in range(1, connect.MAX_REMEMBERED + 3)]
    for address in addresses:
        connector._remember(address)
    assert [connector.is_v1_only(address) for address in addresses[:3]] == [False, False, True]
    assert connector.is_v1_only(addresses[-1])
    assert len(connector._v1_only) == connect.MAX_REMEMBERED


@pytest.mark.parametrize("v2", [True, False])
def test_somebody_in_between_forces_clear_text_unless_it_is_forbidden(*, v2: bool) -> None:
    async def scenario(client: Client) -> None:
        async with serve(node(), v2=v2) as port, between(port) as middle:
            connection = await client.open("127.0.0.1", middle.port)
            assert connection.transport_name == "v1"
            await client.close()
            strict = Client(P2POptions(encrypted_only=True))
            failure = await strict.refused("127.0.0.1", middle.port)
            assert "encrypted" in failure.reason

    run(scenario)


def test_why_a_connection_ended_is_a_sentence() -> None:
    sentences = {
        None: "The peer closed the connection.",
        ProtocolViolation("It lies."): "It lies.",
        ConnectionRefusedError(111, "x"): "Nothing listens at this address.",
        ConnectionResetError(104, "x"): "The peer broke off the connection.",
        socket.gaierror(-2, "x"): "No host of this name was found.",
        OSError(101, "Network is unreachable"): "Network is unreachable.",
        OSError("Multiple exceptions"): "The connection failed.",
    }
    for error, sentence in sentences.items():
        assert connect.describe(error) == sentence


# The connection


def test_nothing_is_told_before_begin() -> None:
    chatty = node()
    real = chatty.greet

    def greet(message: Message) -> list[Message]:
        answers = real(message)
        return [*answers, Ping(1), Ping(2)] if answers else []

    chatty.greet = greet  # type: ignore[method-assign]

    async def scenario(client: Client) -> None:
        async with serve(chatty, v2=True) as port:
            connection = await client.open("127.0.0.1", port)
            await asyncio.sleep(0.05)
            assert client.events == []
            connection.begin()
            assert client.events[:2] == [Ping(1), Ping(2)]
            await client.ping(connection, 3)
            await client.close()

    run(scenario)


@pytest.mark.parametrize("relay", [False, True])
def test_what_is_said_about_us(*, relay: bool) -> None:
    asked = node()

    async def scenario(client: Client) -> None:
        async with serve(asked, v2=True) as port:
            for _ in range(2):
                await client.open("127.0.0.1", port, relay=relay)
            await client.close()

    run(scenario)
    first, second = asked.greeted
    assert (first.relay, first.start_height, first.services) == (relay, 0, 0)
    assert first.nonce != second.nonce, "a constant would tell who we are"
    assert first.user_agent == second.user_agent


@pytest.mark.parametrize("v2", [False, True])
def test_an_address_that_leads_back_to_us(*, v2: bool) -> None:
    mirror = node()

    async def scenario(client: Client) -> None:
        def greet(message: Message) -> list[Message]:
            mirror.nonce = next(iter(client.connector._nonces))
            return real(message)

        real = mirror.greet
        mirror.greet = greet  # type: ignore[method-assign]
        async with serve(mirror, v2=v2) as port:
            failure = await client.refused("127.0.0.1", port)
            assert isinstance(failure.__cause__, SelfConnection)

    run(scenario)


def test_a_changed_byte_ends_an_encrypted_connection() -> None:
    def run_with(position: int) -> None:
        async def scenario(client: Client) -> None:
            async with serve(node(), v2=True) as port, between(port) as middle:
                middle.is_raw = True
                passed = [0]

                def tamper(side: Side, data: bytes) -> bytes:
                    if side is not Side.NODE:
                        return data
                    start, passed[0] = passed[0], passed[0] + len(data)
                    if start <= position < passed[0]:
                        changed = bytearray(data)
                        changed[position - start] ^= 0x10
                        return bytes(changed)
                    return data

                connection = await client.open("127.0.0.1", middle.port)
                connection.begin()
                middle.tamper = tamper
                for nonce in range(1, 4):
                    connection.protocol.send(Ping(nonce))
                connection.flush()
                async with asyncio.timeout(PATIENCE):
                    await connection.closed
                assert isinstance(connection.error, ProtocolViolation)
                before = [Pong(n) for n in range(1, 1 + position // 29)]
                assert client.events in ([], before), "something else was delivered"
                await client.close()

        run(scenario)

    # Three pongs of 29 bytes: lengths are found out by what follows, here by nothing.
    for position in (3, 10, 28, 32, 57, 61, 86):
        run_with(position)


@pytest.mark.parametrize("v2", [False, True])
def test_a_long_message_shows_progress_and_can_be_paused(*, v2: bool) -> None:
    block = RawBlock(bytes(range(250)) * 8_000)  # 2 MB
    generous = node()
    real = generous.answer

    def answer(message: Message) -> list[Message]:
        return [block] if message == Ping(1) else real(message)

    generous.answer = answer  # type: ignore[method-assign]

    async def scenario(client: Client) -> None:
        async with serve(generous, v2=v2) as port:
            connection = await client.open("127.0.0.1", port)
            connection.begin()
            connection.pause(wanted=True)
            connection.pause(wanted=True)
            connection.protocol.send(Ping(1))
            connection.flush()
            await asyncio.sleep(0.1)
            assert client.events == []
            before = connection.received_bytes
            connection.pause(wanted=False)
            async with asyncio.timeout(PATIENCE):
                while block not in client.events:
                    client.told.clear()
                    await client.told.wait()
            assert connection.received_bytes - before > 2_000_000
            assert client.progress > 3, "a long message is not told from silence"
            await client.ping(connection, 2)
            assert len(connection.get_buffer(0)) <= STREAM_CAPACITY, "room is kept for ever"
            await client.close()

    run(scenario)


@pytest.mark.parametrize("after", [0.0, 0.001, 0.005, 0.02, 0.05])
@pytest.mark.parametrize("v2", [False, True])
def test_cancelled_at_any_moment(after: float, *, v2: bool) -> None:
    async def scenario(client: Client) -> None:
        async with serve(node(), v2=v2) as port, between(port) as middle:
            middle.is_raw = True
            middle.latency = 0.01
            opening = asyncio.ensure_future(client.open("127.0.0.1", middle.port))
            await asyncio.sleep(after)
            opening.cancel()
            await asyncio.wait([opening])

    run(scenario)
