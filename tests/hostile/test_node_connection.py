"""The connection manager: what breaks is made anew, what must not be tried again is left alone."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.functional.sshd import Answers, MemoryStore
from tests.hostile.fake_machine import Machine
from tests.hostile.fake_node import COOKIE, FakeNode, Fault, running_node
from tests.hostile.fake_node_answers import Refusal
from tests.hostile.test_node_rpc import OTHER_COOKIE
from tests.node_states import ON_THE_WAY
from tests.patience import PATIENCE
from wallet_gui.chain.bitcoind import connection as connection_module
from wallet_gui.chain.bitcoind.connection import NodeConnection
from wallet_gui.chain.bitcoind.node_options import NodeOptions
from wallet_gui.chain.bitcoind.node_status import NodeState, NodeStatus
from wallet_gui.chain.bitcoind.problems import (
    Code,
    NodeProblem,
    bad_reply,
    connection_lost,
    node_silent,
)
from wallet_gui.chain.bitcoind.rungs import Rung, Wish
from wallet_gui.chain.bitcoind.ssh_target import SshTarget
from wallet_gui.chain.reports import Route
from wallet_gui.primitives.params import REGTEST

Script = Callable[[FakeNode, Machine, NodeConnection, list[NodeStatus]], Awaitable[None]]


def run(script: Script, *, before: Callable[[Machine], None] | None = None, **options: Any) -> None:
    async def go() -> None:
        async with asyncio.timeout(PATIENCE), running_node() as node:
            node.chain.mine_empty(3)
            machine = Machine()
            if before is not None:
                before(machine)
            states: list[NodeStatus] = []
            connection = NodeConnection(
                SshTarget("mynode.local"),
                NodeOptions(rpc_port=node.port, **{"p2p_port": 1, **options}),
                Answers(),
                MemoryStore(),
                REGTEST,
                states.append,
                connect=machine.connect,
                rng=random.Random(1),
            )
            try:
                await script(node, machine, connection, states)
            finally:
                await connection.close()
            assert connection.status.state is NodeState.OFF
            assert all(tunnel.lost.done() for tunnel in machine.tunnels)

    asyncio.run(go())


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "WARMING_SECONDS", 0.02)
    monkeypatch.setattr(connection_module, "TICK_SECONDS", 0.05)


def names(states: list[NodeStatus]) -> list[NodeState]:
    found: list[NodeState] = []
    for status in states:
        if not found or found[-1] is not status.state:
            found.append(status.state)
    return found


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - seen from outside
        await asyncio.sleep(0.005)


async def state_is(connection: NodeConnection, state: NodeState) -> NodeStatus:
    await until(lambda: connection.status.state is state)
    return connection.status


def test_the_states_on_the_way() -> None:
    async def script(
        node: FakeNode, machine: Machine, connection: NodeConnection, states: list[NodeStatus]
    ) -> None:
        session = await connection.ready()
        assert names(states) == [*ON_THE_WAY]
        assert session.choice.rung is Rung.ACTIVITY
        assert session.facts is not None
        assert session.facts.blocks == 3
        status = connection.status
        assert status.via == "ssh bitcoin@mynode.local"
        assert status.version == "/Satoshi:29.0.0/"
        assert "which addresses are yours" in status.learns
        assert status.problem is None
        (entry,) = connection.ledger()
        assert (entry.host, entry.ended, entry.route) == ("ssh://mynode.local", None, Route.SSH)
        assert entry.outcome == "OpenSSH_9.2"
        await asyncio.gather(
            *(session.rpc.call("uptime") for _ in range(8)),
            session.scan_rpc.call("scanblocks", "status"),
            session.poll_rpc.call("waitfornewblock", 1),
        )
        assert machine.tunnels[0].most_channels <= 4
        assert node.cookie == COOKIE

    run(script)


def test_a_lost_tunnel_is_made_anew() -> None:
    async def script(
        node: FakeNode, machine: Machine, connection: NodeConnection, states: list[NodeStatus]
    ) -> None:
        first = await connection.ready()
        node.delays["scantxoutset"] = 60
        scan = asyncio.create_task(first.scan_rpc.call("scantxoutset", "start", []))
        await asyncio.sleep(0.05)
        machine.refusals = [connection_lost()]
        machine.tunnels[0].lose()
        await connection.wait_lost(first)
        with pytest.raises(NodeProblem) as raised:
            await scan
        assert raised.value.code is Code.CONNECTION_LOST
        second = await connection.ready()
        assert second is not first
        assert await second.rpc.call("uptime") == 1234
        assert machine.attempts[2] - machine.attempts[1] >= 0.5
        now, refused, before = connection.ledger()
        assert now.ended is None
        assert refused.ended is not None
        assert refused.outcome == "The connection to the node was lost."
        assert before.ended is not None
        assert before.inbound_bytes > 1000
        assert before.outbound_bytes > 500
        assert now.inbound_bytes > 0

    run(script)


@pytest.mark.parametrize("code", [Code.HOST_KEY_CHANGED, Code.AUTH_REFUSED])
def test_a_final_problem_is_not_tried_again_by_itself(code: Code) -> None:
    problem = NodeProblem(code, "No.", is_final=True)

    def before(machine: Machine) -> None:
        machine.refusals = [problem]

    async def script(
        node: FakeNode, machine: Machine, connection: NodeConnection, states: list[NodeStatus]
    ) -> None:
        with pytest.raises(NodeProblem) as raised:
            await connection.ready()
        assert raised.value is problem
        assert connection.status.state is NodeState.STOPPED
        connection.network_changed()
        await asyncio.sleep(0.1)
        assert len(machine.attempts) == 1
        assert connection.problem is problem
        connection.retry()
        assert await (await connection.ready()).rpc.call("uptime") == 1234
        assert len(machine.attempts) == 2

    run(script, before=before)


def test_a_restarted_node_with_a_new_cookie_heals_by_itself() -> None:
    async def script(
        node: FakeNode, machine: Machine, connection: NodeConnection, states: list[NodeStatus]
    ) -> None:
        session = await connection.ready()
        node.cookie = machine.files[".bitcoin/regtest/.cookie"] = OTHER_COOKIE
        node.drop_connections()
        assert await session.rpc.call("uptime") == 1234
        assert connection.session is session
        assert names(states)[-1] is NodeState.READY
        assert len(machine.tunnels) == 1

    run(script)


def test_the_newest_cookie_is_used_after_a_reconnect() -> None:
    kept: list[tuple[str, str]] = []

    async def remember(kind: str, value: str) -> None:
        kept.append((kind, value))

    async def go() -> None:
        async with running_node(cookie=OTHER_COOKIE) as node:
            machine = Machine()
            machine.files[".bitcoin/regtest/.cookie"] = OTHER_COOKIE
            connection = NodeConnection(
                SshTarget("mynode.local"),
                NodeOptions(rpc_port=node.port, remembered_cookie=COOKIE),
                Answers(),
                MemoryStore(),
                REGTEST,
                on_remember=remember,
                connect=machine.connect,
            )
            assert COOKIE not in repr(connection._options)
            first = await connection.ready()
            reads = len(machine.reads)
            await until(lambda: kept == [("cookie", OTHER_COOKIE)])
            machine.tunnels[0].lose()
            await connection.wait_lost(first)
            connection.network_changed()
            await connection.ready()
            assert len(machine.reads) == reads
            await connection.close()

    asyncio.run(go())


def test_a_node_that_warms_up_is_shown_in_its_own_words() -> None:
    async def script(
        node: FakeNode, machine: Machine, connection: NodeConnection, states: list[NodeStatus]
    ) -> None:
        node.fault = Fault.WARMING_UP
        connection.start()
        status = await state_is(connection, NodeState.WARMING_UP)
        assert status.problem is not None
        assert "Loading block index…" in status.problem.title
        node.fault = Fault.NONE
        await connection.ready()
        assert len(machine.tunnels) == 1

    run(script)


@pytest.mark.alone
def test_a_stopped_node_is_waited_for_over_the_same_tunnel() -> None:
    async def script(
        node: FakeNode, machine: Machine, connection: NodeConnection, states: list[NodeStatus]
    ) -> None:
        session = await connection.ready()
        machine.is_node_off = True
        node.drop_connections()
        connection.failed(connection_lost())
        await connection.wait_lost(session)
        await until(
            lambda: connection.problem is not None and connection.problem.code is Code.NODE_STOPPED
        )
        machine.is_node_off = False
        began = time.monotonic()
        await connection.ready()
        assert time.monotonic() - began < 3
        assert len(machine.tunnels) == 1

    run(script)


def test_a_node_that_is_off_is_waited_for_though_it_has_no_cookie() -> None:
    async def script(
        node: FakeNode, machine: Machine, connection: NodeConnection, states: list[NodeStatus]
    ) -> None:
        cookie = machine.files.pop(".bitcoin/regtest/.cookie")
        machine.is_node_off = True
        connection.start()
        await until(lambda: connection.problem is not None)
        assert connection.problem is not None
        assert connection.problem.code is Code.NODE_REFUSED
        assert connection.status.state is NodeState.RECONNECTING
        machine.files[".bitcoin/regtest/.cookie"] = cookie
        machine.is_node_off = False
        await connection.ready()

    run(script)


def test_a_silent_link_is_found_by_the_health_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "HEALTH_SECONDS", 0.05)
    monkeypatch.setattr(connection_module, "HEALTH_TIMEOUT", 0.1)

    async def script(
        node: FakeNode, machine: Machine, connection: NodeConnection, states: list[NodeStatus]
    ) -> None:
        session = await connection.ready()
        await until(lambda: connection.status.tip_age is not None)
        node.fault = Fault.SILENT
        await until(lambda: any(call.method == "getblockchaininfo" for call in node.calls))
        assert connection.session is session  # not at the first silence
        await connection.wait_lost(session)
        assert connection.problem is not None
        assert connection.problem.code is Code.NODE_SILENT
        node.fault = Fault.NONE
        await connection.ready()

    run(script)


@pytest.mark.alone
def test_waking_up_is_noticed_and_the_pause_ends_at_once() -> None:
    async def go() -> None:
        wall = 1000.0
        async with running_node() as node:
            machine = Machine()
            machine.refusals = [connection_lost()] * 7
            connection = NodeConnection(
                SshTarget("mynode.local"),
                NodeOptions(rpc_port=node.port),
                Answers(),
                MemoryStore(),
                REGTEST,
                connect=machine.connect,
                wall_clock=lambda: wall,
                rng=random.Random(1),
            )
            connection.start()
            while len(machine.attempts) < 7:
                await asyncio.sleep(0.01)
                wall += 3600
                connection.look_at_clocks()
            began = time.monotonic()
            while connection.session is None:
                await asyncio.sleep(0.01)
                wall += 3600
                connection.look_at_clocks()
            assert time.monotonic() - began < 1
            await connection.close()

    asyncio.run(go())


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda node: node.answers.update(getblockhash="00" * 32), Code.WRONG_NETWORK),
        (lambda node: setattr(node, "cookie", OTHER_COOKIE), Code.RPC_AUTH),
        (lambda node: setattr(node, "whitelist", frozenset({"uptime"})), Code.RPC_WHITELIST),
        (lambda node: setattr(node, "fault", Fault.FORBIDDEN), Code.RPC_FORBIDDEN),
    ],
    ids=["chain", "login", "whitelist", "forbidden"],
)
def test_what_only_a_person_can_mend_stops_it(
    change: Callable[[FakeNode], Any], code: Code
) -> None:
    async def script(
        node: FakeNode, machine: Machine, connection: NodeConnection, states: list[NodeStatus]
    ) -> None:
        change(node)
        with pytest.raises(NodeProblem) as raised:
            await connection.ready()
        assert raised.value.code is code
        asked = len(node.calls)
        await asyncio.sleep(0.1)
        assert len(node.calls) == asked

    run(script)


def test_a_finished_index_makes_it_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "HEALTH_SECONDS", 0.02)
    monkeypatch.setattr(connection_module, "FACTS_SECONDS", 0.02)

    async def script(
        node: FakeNode, machine: Machine, connection: NodeConnection, states: list[NodeStatus]
    ) -> None:
        node.known.index_height, node.known.headers = 1, 9
        node.known.warnings = ["unknown new rules activated"]
        session = await connection.ready()
        assert session.choice.rung is Rung.COINS
        assert connection.status.blocks_behind == 6
        assert "unknown new rules activated" in connection.status.warnings
        node.known.index_height, node.known.warnings = None, []
        async with asyncio.timeout(PATIENCE):
            await connection.wait_lost(session)
        again = await connection.ready()
        assert again.choice.rung is Rung.ACTIVITY
        assert not connection.status.warnings
        with pytest.raises(NodeProblem) as raised:
            await session.rpc.call("uptime")
        assert raised.value.code is Code.CONNECTION_LOST
        assert NodeState.RECONNECTING not in names(states)
        assert len(machine.tunnels) == 1
        await asyncio.sleep(0.1)
        assert connection.session is again

    run(script)


def test_a_node_that_was_updated_is_looked_at_anew() -> None:
    async def script(
        node: FakeNode, machine: Machine, connection: NodeConnection, states: list[NodeStatus]
    ) -> None:
        session = await connection.ready()
        node.cookie = machine.files[".bitcoin/regtest/.cookie"] = OTHER_COOKIE
        node.known.version, node.known.subversion = 280100, "/Satoshi:28.1.0/"
        node.drop_connections()
        assert await session.rpc.call("getblockhash", 0)
        await connection.wait_lost(session)
        again = await connection.ready()
        assert again.choice.rung is Rung.SCAN
        assert connection.status.version == "/Satoshi:28.1.0/"
        assert len(machine.tunnels) == 1

    run(script)


def test_a_session_survives_what_its_users_met_with() -> None:
    async def script(
        node: FakeNode, machine: Machine, connection: NodeConnection, states: list[NodeStatus]
    ) -> None:
        session = await connection.ready()
        node.known.scan_seconds = 0.3
        scan = asyncio.create_task(session.scan_rpc.call("scantxoutset", "start", []))
        await asyncio.sleep(0.05)
        asked = len(node.calls)
        for problem in (connection_lost(), bad_reply("x"), node_silent("x", 1)):
            connection.failed(problem)
            await asyncio.sleep(0.05)
        assert len(node.calls) > asked  # it was looked at
        assert connection.session is session
        assert (await scan)["success"]
        connection.failed(NodeProblem(Code.NODE_LIES, "No.", is_final=True))
        await state_is(connection, NodeState.STOPPED)

    run(script)


def test_a_login_that_cannot_be_sent_is_told() -> None:
    async def script(
        node: FakeNode, machine: Machine, connection: NodeConnection, states: list[NodeStatus]
    ) -> None:
        with pytest.raises(NodeProblem) as raised:
            await connection.ready()
        assert raised.value.code is Code.RPC_AUTH
        assert "colon" in raised.value.title
        assert not node.calls

    run(script, user="a:b", password="secret")


def test_an_error_of_ours_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(connection_module, "choose", broken)

    async def script(
        node: FakeNode, machine: Machine, connection: NodeConnection, states: list[NodeStatus]
    ) -> None:
        with pytest.raises(ZeroDivisionError):
            await connection.ready()

    run(script)


def test_closing_while_it_connects_leaves_nothing() -> None:
    async def script(
        node: FakeNode, machine: Machine, connection: NodeConnection, states: list[NodeStatus]
    ) -> None:
        node.delays["getblockchaininfo"] = 60
        waiting = asyncio.create_task(connection.ready())
        await state_is(connection, NodeState.RPC_LOGIN)
        await connection.close()
        with pytest.raises(NodeProblem):
            await waiting
        assert [entry.outcome for entry in connection.ledger()] == ["Closed."]
        assert connection.ledger()[0].ended is not None

    run(script)


def test_nothing_but_scripts_is_refused_when_the_node_shall_learn_nothing() -> None:
    async def script(
        node: FakeNode, machine: Machine, connection: NodeConnection, states: list[NodeStatus]
    ) -> None:
        node.answers["getdescriptoractivity"] = Refusal(-32601, "Method not found")
        session = await connection.ready()
        assert session.choice.rung is Rung.SCAN
        assert not session.choice.tells_scripts
        assert "nothing but which blocks" in connection.status.learns

    run(script, wish=Wish(tell_nothing=True))
