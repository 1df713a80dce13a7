"""The connection to a node through a real sshd: it heals by itself, and uses little."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from tests.functional.bitcoind import Node
from tests.functional.sshd import Answers, MemoryStore, Sshd, eventually, running_sshd, start_again
from tests.functional.test_node_rpc import cookie_path
from tests.node_states import ON_THE_WAY
from tests.patience import PATIENCE
from wallet_gui.chain.bitcoind import ssh_keys
from wallet_gui.chain.bitcoind.connection import NodeConnection
from wallet_gui.chain.bitcoind.node_options import NodeOptions
from wallet_gui.chain.bitcoind.node_status import NodeState, NodeStatus
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem
from wallet_gui.chain.bitcoind.rungs import Rung, Wish
from wallet_gui.chain.bitcoind.tunnel_protocol import SshOptions
from wallet_gui.primitives.params import REGTEST


def options_for(node: Node, server: Sshd, **changes: object) -> NodeOptions:
    quick = replace(server.options, keepalive_interval=0.2, keepalive_count=3)
    options = NodeOptions(
        ssh=quick,
        rpc_port=node.rpc_port,
        p2p_port=node.p2p_port,
        cookie_path=cookie_path(node),
    )
    return replace(options, **changes)  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def connected(
    server: Sshd,
    options: NodeOptions,
    store: MemoryStore | None = None,
    on_state: Callable[[NodeStatus], None] | None = None,
) -> AsyncIterator[NodeConnection]:
    connection = NodeConnection(
        server.target, options, Answers(), store or server.store(), REGTEST, on_state
    )
    try:
        async with asyncio.timeout(PATIENCE):
            yield connection
    finally:
        await connection.close()


def channels_opened(server: Sshd) -> int:
    return server.log.count("server_request_direct_tcpip: ")


def test_first_answer_and_what_it_took(node: Node) -> None:
    node.mine(30)
    states: list[NodeStatus] = []

    async def go() -> None:
        async with (
            running_sshd() as server,
            connected(server, options_for(node, server), on_state=states.append) as connection,
        ):
            session = await connection.ready()
            assert session.choice.rung is Rung.ACTIVITY
            assert session.facts is not None
            assert session.facts.blocks == 30
            found = await session.rpc.bulk("getblockhash", [[h] for h in range(31)])
            assert found[30] == node.tip
            await asyncio.gather(
                session.scan_rpc.call("scantxoutset", "status"),
                session.poll_rpc.call("waitfornewblock", 10),
                *(session.rpc.call("uptime") for _ in range(20)),
            )
            assert 1 <= channels_opened(server) <= 4
            seen = list(dict.fromkeys(status.state for status in states))
            assert seen == [*ON_THE_WAY]
            assert connection.status.via.startswith("ssh ")

    asyncio.run(go())


@pytest.mark.alone
def test_a_killed_session_heals_within_two_seconds(node: Node) -> None:
    async def go() -> None:
        async with (
            running_sshd() as server,
            connected(server, options_for(node, server)) as connection,
        ):
            session = await connection.ready()
            waiting = asyncio.create_task(session.poll_rpc.call("waitfornewblock", 60_000))
            await asyncio.sleep(0.1)
            began = time.monotonic()
            server.kill_sessions()
            with pytest.raises(NodeProblem) as raised:
                await waiting
            assert raised.value.code is Code.CONNECTION_LOST
            await connection.wait_lost(session)
            again = await connection.ready()
            assert time.monotonic() - began < 2
            assert again is not session
            assert await again.rpc.call("uptime") >= 0
            assert len(connection.ledger()) == 2

    asyncio.run(go())


@pytest.mark.alone
def test_a_dead_line_is_found_and_healed(node: Node) -> None:
    async def go() -> None:
        async with (
            running_sshd() as server,
            connected(server, options_for(node, server)) as connection,
        ):
            session = await connection.ready()
            server.freeze_sessions()
            began = time.monotonic()
            await connection.wait_lost(session)
            assert time.monotonic() - began < 5
            assert connection.problem is not None
            assert connection.problem.code in {Code.KEEPALIVE_LOST, Code.CONNECTION_LOST}
            await (await connection.ready()).rpc.call("uptime")

    asyncio.run(go())


def test_a_server_that_is_away_is_tried_again(node: Node) -> None:
    async def go() -> None:
        async with (
            running_sshd() as server,
            connected(server, options_for(node, server)) as connection,
        ):
            session = await connection.ready()
            await server.stop()
            await connection.wait_lost(session)
            await eventually(
                lambda: (
                    connection.problem is not None
                    and connection.problem.code is Code.SSH_REFUSED
                    and connection.status.state is NodeState.RECONNECTING
                )
            )
            assert not connection.problem or not connection.problem.is_final
            again = await start_again(server)
            try:
                connection.network_changed()
                await (await connection.ready()).rpc.call("uptime")
            finally:
                await again.stop()
            outcomes = [entry.outcome for entry in connection.ledger()]
            assert any("nothing listens" in outcome.lower() for outcome in outcomes), outcomes

    asyncio.run(go())


def test_a_changed_host_key_stops_it_for_good(node: Node) -> None:
    async def go() -> None:
        async with (
            running_sshd() as server,
            connected(server, options_for(node, server)) as connection,
        ):
            session = await connection.ready()
            port = server.port
            await server.stop()
            await connection.wait_lost(session)
            async with running_sshd(port=port) as impostor:
                impostor.authorized_keys.write_text(server.public_line + "\n")
                connection.network_changed()
                await eventually(lambda: connection.status.state is NodeState.STOPPED)
                assert connection.problem is not None
                assert connection.problem.code is Code.HOST_KEY_CHANGED
                attempts = impostor.log.count("Connection from")
                connection.network_changed()
                await asyncio.sleep(1)
                assert impostor.log.count("Connection from") == attempts
                with pytest.raises(NodeProblem):
                    await connection.ready()

    asyncio.run(go())


@pytest.mark.parametrize("own_key", [True, False], ids=["our own key", "a chosen key"])
def test_a_restricted_key_gives_the_cookie_by_its_command(node: Node, own_key: bool) -> None:  # noqa: FBT001
    async def go() -> None:
        async with running_sshd() as server:
            store = server.store()
            line = ssh_keys.authorized_line(
                ssh_keys.make_key(store), node.rpc_port, node.p2p_port, cookie_path(node)
            )
            server.authorized_keys.write_text(line + "\n")
            key = server.directory / "own"
            key.write_bytes(store.private or b"")
            key.chmod(0o600)
            ssh = SshOptions(own_key=own_key, use_agent=False, use_user_config=False)
            if not own_key:
                ssh = replace(ssh, key_path=str(key))
            options = options_for(node, server, ssh=ssh)
            kept: list[str] = []

            async def remember(_kind: str, value: str) -> None:
                kept.append(value)

            connection = NodeConnection(
                server.target, options, Answers(), store, REGTEST, on_remember=remember
            )
            try:
                session = await connection.ready()
                assert await session.rpc.call("uptime") >= 0
                # A restart, and the new cookie comes by the same command over the same tunnel.
                await asyncio.to_thread(node.restart)
                assert await session.rpc.call("getblockhash", 0)
                await eventually(lambda: len(set(kept)) == 2)
                channel = await session.open_p2p()
                channel.abort()
            finally:
                await connection.close()

    asyncio.run(go())


def test_the_cookie_is_read_once_and_then_remembered(node: Node) -> None:
    async def go() -> None:
        async with running_sshd() as server:
            options = options_for(node, server)
            cookie = (node.directory / "regtest" / ".cookie").read_text()
            async with connected(
                server, replace(options, remembered_cookie=cookie, cookie_path="/nowhere")
            ) as connection:
                # With a file to read, this would end in COOKIE_MISSING.
                assert await (await connection.ready()).rpc.call("uptime") >= 0

    asyncio.run(go())


def test_p2p_alone_where_the_rpc_cannot_be_logged_in_to(node: Node) -> None:
    async def go() -> None:
        async with running_sshd() as server:
            options = options_for(node, server, cookie_path="/nowhere", wish=Wish(rung=Rung.P2P))
            async with connected(server, options) as connection:
                session = await connection.ready()
                assert session.facts is None
                assert session.choice.rung is Rung.P2P
                assert "nothing but which blocks" in connection.status.learns
            # Without that wish, too: filters are enough.
            async with connected(server, replace(options, wish=Wish())) as connection:
                session = await connection.ready()
                assert session.facts is None
                assert session.choice.rung is Rung.P2P
            # Where the P2P port is closed, there is no way.
            closed = replace(options, wish=Wish(), p2p_port=9)
            async with connected(server, closed) as connection:
                with pytest.raises(NodeProblem) as raised:
                    await connection.ready()
                assert raised.value.code is Code.COOKIE_MISSING

    asyncio.run(go())


def test_the_wrong_port_is_named_through_the_tunnel(node: Node) -> None:
    async def go() -> None:
        async with running_sshd() as server:
            options = options_for(node, server, rpc_port=node.p2p_port)
            async with connected(server, options) as connection:
                with pytest.raises(NodeProblem) as raised:
                    await connection.ready()
                assert raised.value.code is Code.RPC_TO_P2P
            options = options_for(node, server, rpc_port=server.port)
            async with connected(server, options) as connection:
                with pytest.raises(NodeProblem) as raised:
                    await connection.ready()
                assert raised.value.code is Code.NOT_A_NODE
                assert str(server.port) in raised.value.title

    asyncio.run(go())
