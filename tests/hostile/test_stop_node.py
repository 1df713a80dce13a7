"""Parts of one's own node that are told to stop in every moment, also while something fails.

Each ends, and leaves no task, no channel and no thread behind.
"""

import asyncio
import contextlib
import random
from pathlib import Path
from typing import Any, cast

import pytest

from tests.functional.p2p_wallet import ScriptWallet
from tests.functional.sshd import Answers, MemoryStore
from tests.hostile.fake_machine import FakeTunnel, Machine
from tests.hostile.fake_node import running_node
from tests.hostile.test_node_rpc import Files
from tests.hostile.test_reading_from_nodes import client_of, paid_chain, told_all
from tests.moments import nothing_left, turns
from tests.patience import PATIENCE
from wallet_gui.chain.backend import ChainStores, NoPeers
from wallet_gui.chain.bitcoind import node_scan, node_sync, own_node, session_link, ssh_session
from wallet_gui.chain.bitcoind.channel import ByteChannel
from wallet_gui.chain.bitcoind.connection import NodeConnection
from wallet_gui.chain.bitcoind.credentials import CookieCredentials
from wallet_gui.chain.bitcoind.node_options import NodeOptions
from wallet_gui.chain.bitcoind.node_status import NodeState
from wallet_gui.chain.bitcoind.own_node import OwnNode
from wallet_gui.chain.bitcoind.port_kind import PortKind
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem
from wallet_gui.chain.bitcoind.rpc import NodeRpc
from wallet_gui.chain.bitcoind.rungs import Rung, Wish
from wallet_gui.chain.bitcoind.session import Session
from wallet_gui.chain.bitcoind.ssh_login import Patience
from wallet_gui.chain.bitcoind.ssh_target import SshTarget
from wallet_gui.chain.bitcoind.tunnel_protocol import Channel
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.chain.p2p.second_look import SecondLook
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.transaction import Transaction
from wallet_gui.storage.chain_db import ChainDb

FINAL = NodeProblem(Code.RPC_AUTH, "No.", is_final=True)
AWAY = NodeProblem(Code.NODE_REFUSED, "Nothing listens.")


# --- the connection -------------------------------------------------------------------------------


def connection_to(machine: Machine, port: int = 1) -> NodeConnection:
    return NodeConnection(
        SshTarget("mynode.local"),
        NodeOptions(rpc_port=port, p2p_port=1),
        Answers(),
        MemoryStore(),
        REGTEST,
        connect=machine.connect,
        rng=random.Random(1),
    )


@pytest.mark.parametrize("problem", [AWAY, FINAL], ids=["away", "refused"])
@pytest.mark.parametrize("is_lost", [False, True])
def test_a_connection_closes_in_every_moment_of_its_failing(
    monkeypatch: pytest.MonkeyPatch, problem: NodeProblem, *, is_lost: bool
) -> None:
    """The node is away behind a tunnel that holds, or that is lost in this very moment."""

    async def refuse(*_: object) -> Channel:
        await asyncio.sleep(0)
        raise problem

    monkeypatch.setattr(FakeTunnel, "open_channel", refuse)

    async def scenario(after: int) -> NodeState:
        machine = Machine()
        connection = connection_to(machine)
        async with nothing_left():
            connection.start()
            await turns(after)
            if is_lost and machine.tunnels:
                machine.tunnels[0].lose()
            state = connection.status.state
            async with asyncio.timeout(PATIENCE):
                await connection.close()
            assert connection.status.state is NodeState.OFF
        assert connection.status.state is NodeState.OFF, "what was left behind told of itself"
        assert all(tunnel.lost.done() for tunnel in machine.tunnels)
        return state

    states = [asyncio.run(scenario(after)) for after in range(60)]
    assert states[-1] is (NodeState.STOPPED if problem.is_final else NodeState.RECONNECTING)


def test_a_closed_connection_is_not_made_anew_by_whoever_still_waits_for_it() -> None:
    async def scenario(after: int) -> None:
        async with running_node() as node:
            machine = Machine()
            connection = connection_to(machine, node.port)
            async with nothing_left():
                await connection.ready()
                attempts = len(machine.attempts)
                closing = asyncio.ensure_future(connection.close())
                await turns(after)
                async with asyncio.timeout(PATIENCE):
                    with contextlib.suppress(NodeProblem):
                        await connection.ready()  # the session itself, as long as it is there
                    await closing
                    with pytest.raises(NodeProblem) as caught:
                        await connection.ready()
                assert caught.value.code is Code.CONNECTION_LOST
            assert len(machine.attempts) == attempts

    for after in range(8):
        asyncio.run(scenario(after))


# --- the client of the RPC ------------------------------------------------------------------------


class Pipe(asyncio.Transport):
    """The transport of a channel that nobody answers on."""

    def __init__(self, channel: ByteChannel) -> None:
        super().__init__()
        self._channel = channel
        self.is_over = False

    def write(self, data: Any) -> None:
        del data

    def is_closing(self) -> bool:
        return self.is_over

    def abort(self) -> None:
        if not self.is_over:
            self.is_over = True
            asyncio.get_running_loop().call_soon(self._channel.connection_lost, None)


def test_a_client_that_is_closed_while_a_channel_opens_leaves_none() -> None:
    async def scenario(after: int) -> int:
        pipes: list[Pipe] = []

        async def open_channel() -> ByteChannel:
            await turns(6)
            channel = ByteChannel()
            pipes.append(Pipe(channel))
            channel.connection_made(pipes[-1])
            return channel

        login = CookieCredentials(Files({"cookie": "__cookie__:" + "0a" * 32}), ["cookie"])
        rpc = NodeRpc(open_channel, login)
        async with nothing_left():
            asked = asyncio.ensure_future(rpc.call("uptime"))
            await turns(after)
            await rpc.close()
            async with asyncio.timeout(PATIENCE):
                with pytest.raises(NodeProblem) as caught:
                    await asked
            assert caught.value.code is Code.CONNECTION_LOST
        assert all(pipe.is_over for pipe in pipes)
        return len(pipes)

    assert {asyncio.run(scenario(after)) for after in range(30)} == {0, 1}


# --- a node that falls silent on one line, and answers on the others ------------------------------


def test_a_new_block_is_found_although_nobody_tells_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_sync, "FIRST_POLL", 1)
    monkeypatch.setattr(node_sync, "POLL", 1)
    monkeypatch.setattr(node_sync, "CALL_SECONDS", 0.05)
    wallet = ScriptWallet()
    chain = paid_chain(wallet)

    async def scenario() -> None:
        async with running_node(chain=chain) as node:
            node.delays["waitfornewblock"] = 3600
            with ChainDb(tmp_path / "chain.db", REGTEST) as database:
                client, connection = client_of(node, database, wallet, Wish())
                await client.start()
                await told_all(client, node, wallet)
                session = connection.session
                chain.mine(to=wallet.script(2))
                await told_all(client, node, wallet)
                assert connection.session is session
                await client.backend.stop()
                assert client.failures == []

    asyncio.run(scenario())


def test_a_scan_whose_answer_never_comes_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_scan, "STATUS_EVERY", 0.02)
    monkeypatch.setattr(node_scan, "GONE_AFTER", 0.1)
    monkeypatch.setattr(session_link, "GIVE_UP_ON", 0.05)
    wallet = ScriptWallet()
    chain = paid_chain(wallet)

    async def scenario() -> None:
        async with running_node(chain=chain) as node:
            never = asyncio.get_running_loop().create_future()
            scans: list[Any] = []

            async def scan(params: list[Any]) -> Any:
                if params[0] == "start":
                    scans.append(params)
                    if len(scans) == 1:
                        await never
                return await node.known.answer("scanblocks", params)

            node.answers["scanblocks"] = scan
            with ChainDb(tmp_path / "chain.db", REGTEST) as database:
                client, _ = client_of(node, database, wallet, Wish())
                await client.start()
                await told_all(client, node, wallet)
                assert len(scans) > 1
                await client.backend.stop()
                assert client.failures == []

    asyncio.run(scenario())


# --- the node in one piece ------------------------------------------------------------------------


class Inner:
    """One of the two ways of reading, which takes some turns to end."""

    made: list["Inner"]

    def __init__(self) -> None:
        self.is_running = False
        Inner.made.append(self)

    async def start(self) -> None:
        self.is_running = True

    async def stop(self) -> None:
        await turns(5)
        self.is_running = False

    def set_receiving(self, *, is_receiving: bool) -> None:
        """Of no interest here."""


class RpcInner(Inner):
    """Stands for `NodeBackend`."""


class P2PInner(Inner):
    """Stands for `P2PBackend`."""


class FakeSession:
    """What `OwnNode` looks at of a session."""

    p2p_port = 1

    def __init__(self, rung: Rung) -> None:
        self.choice = cast("Any", type("Choice", (), {"rung": rung}))


class FakeConnection:
    """Always connected; which way it finds best is the test's."""

    problem = None

    def __init__(self) -> None:
        self.session = FakeSession(Rung.SCAN)
        self.is_closed = False

    def start(self) -> None:
        """It is there at once."""

    async def ready(self) -> Session:
        return cast("Session", self.session)

    async def close(self) -> None:
        self.is_closed = True


def own_node_on(connection: FakeConnection, look: SecondLook | None = None) -> OwnNode:
    async def sink(_: object) -> None:
        """Nothing comes."""

    return OwnNode(
        REGTEST,
        cast("NodeConnection", connection),
        cast("ChainStores", None),
        sink,
        look=look,
        broadcast_by_p2p=look is not None,
        compares=False,
    )


def test_it_stops_in_every_moment_of_a_change_of_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first way of reading is ended, too, when the change to the second is broken off."""
    monkeypatch.setattr(own_node, "LOOK_SECONDS", 0)
    monkeypatch.setattr(own_node, "NodeBackend", lambda *_, **__: RpcInner())
    monkeypatch.setattr(own_node, "P2PBackend", P2PInner)
    monkeypatch.setattr(own_node, "make_p2p_node", lambda *_, **__: P2PInner())

    async def scenario(after: int) -> int:
        Inner.made = []
        connection = FakeConnection()
        own = own_node_on(connection)
        own._session = connection.ready  # type: ignore[method-assign]  # no seconds in here
        async with nothing_left():
            await own.start()
            await turns(4)
            assert [type(inner) for inner in Inner.made] == [RpcInner]
            connection.session = FakeSession(Rung.P2P)
            await turns(after)
            async with asyncio.timeout(PATIENCE):
                await own.stop()
        assert not any(inner.is_running for inner in Inner.made)
        assert connection.is_closed
        return len(Inner.made)

    assert {asyncio.run(scenario(after)) for after in range(25)} == {1, 2}


def test_a_stopped_node_connects_to_no_public_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_node, "NodeBackend", lambda *_, **__: RpcInner())
    Inner.made = []

    async def scenario() -> None:
        look = SecondLook(REGTEST, P2POptions(only_own_peers=True))
        own = own_node_on(FakeConnection(), look)
        async with nothing_left():
            await own.start()
            await turns(3)
            await own.stop()
            with pytest.raises(NoPeers):
                await own.broadcast(cast("Transaction", None))
        assert look._backend is None

    asyncio.run(scenario())


# --- SSH ------------------------------------------------------------------------------------------


def test_a_port_that_lets_nobody_in_any_more_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ssh_session, "_PORT_SECONDS", 0.05)

    async def never() -> Channel:
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE):
            assert await ssh_session._kind_of(never) is PortKind.SILENT

    asyncio.run(scenario())


def test_a_question_may_be_taken_back_after_the_end_of_the_connection() -> None:
    async def scenario() -> None:
        patience = Patience(60.0)
        async with patience:
            patience.hold()
        patience.release()

    asyncio.run(scenario())
