"""Random faults, cancellations and losses: an answer that is given is the right one, always."""

import asyncio
import random
from typing import Any

import pytest

from tests.hostile.fake_machine import FakeTunnel, Machine
from tests.hostile.fake_node import FakeNode, Fault, running_node
from tests.hostile.test_node_rpc import client
from tests.patience import PATIENCE
from wallet_gui.chain.bitcoind import connection as connection_module
from wallet_gui.chain.bitcoind import rpc as rpc_module
from wallet_gui.chain.bitcoind.connection import NodeConnection
from wallet_gui.chain.bitcoind.node_options import NodeOptions
from wallet_gui.chain.bitcoind.node_status import NodeState
from wallet_gui.chain.bitcoind.problems import NodeProblem, RpcError, connection_lost
from wallet_gui.chain.bitcoind.rpc import NodeRpc
from wallet_gui.chain.bitcoind.ssh_target import SshTarget
from wallet_gui.primitives.params import REGTEST

BLOCKS = 30
# Those with which no answer comes, or a wrong one. Waits and refused logins are tested elsewhere.
FAULTS = [
    fault
    for fault in Fault
    if fault not in {Fault.SILENT, Fault.QUEUE_FULL, Fault.UNAUTHORIZED, Fault.NONE}
]


async def one_call(node: FakeNode, rpc: NodeRpc, rng: random.Random) -> str:
    """Make a call, or many; what comes must fit the question."""
    kind = rng.randrange(3)
    seconds = rng.choice([5.0, 5.0, 0.004])
    heights = [rng.randrange(BLOCKS) for _ in range(rng.randrange(1, 6))]
    right = [node.chain.blocks[height].header.hash[::-1].hex() for height in heights]
    try:
        if kind == 0:
            assert await rpc.call("getblockhash", heights[0], seconds=seconds) == right[0]
        elif kind == 1:
            calls = [("getblockhash", [height]) for height in heights]
            answers = await rpc.batch(calls, seconds=seconds)
            for answer, wanted in zip(answers, right, strict=True):
                assert answer == wanted or isinstance(answer, RpcError)
        else:
            params = [[height] for height in heights]
            assert await rpc.bulk("getblockhash", params, seconds=seconds) == right
    except NodeProblem as problem:
        return problem.code.value
    return "right"


@pytest.mark.parametrize("seed", range(4))
def test_a_thousand_calls_with_faults(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc_module, "BUSY_PAUSES", (0.001,))
    rng = random.Random(seed)
    outcomes: dict[str, int] = {}

    async def go() -> None:
        async with running_node() as node:
            node.chain.mine_empty(BLOCKS)
            rpc = client(node)
            for _ in range(125):
                for _ in range(rng.randrange(3)):
                    node.faults.append(rng.choice(FAULTS))
                node.delays["getblockhash"] = rng.choice([0, 0, 0.002])
                tasks = [asyncio.create_task(one_call(node, rpc, rng)) for _ in range(8)]
                for _ in range(rng.randrange(4)):
                    await asyncio.sleep(rng.random() / 400)
                    if rng.random() < 0.5:
                        rng.choice(tasks).cancel()
                    elif rng.random() < 0.2:
                        node.drop_connections()
                for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                    if isinstance(outcome, asyncio.CancelledError):
                        outcomes["cancelled"] = outcomes.get("cancelled", 0) + 1
                    else:
                        assert isinstance(outcome, str), outcome
                        outcomes[outcome] = outcomes.get(outcome, 0) + 1
            node.faults.clear()
            node.delays.clear()
            assert await one_call(node, rpc, rng) in {"right", "node silent"}
            assert await rpc.call("getblockhash", 3) == node.chain.blocks[3].header.hash[::-1].hex()
            assert len(rpc._pipelines) <= 2
            await rpc.close()

    asyncio.run(go())
    assert sum(outcomes.values()) == 1000
    assert outcomes["right"] > 300
    assert len(outcomes) > 5


class CountingMachine(Machine):
    """Notes how many tunnels are open at once."""

    most_open = 0

    async def connect(self, *arguments: Any, **options: Any) -> FakeTunnel:
        tunnel = await super().connect(*arguments, **options)
        open_now = [each for each in self.tunnels if not each.lost.done()]
        self.most_open = max(self.most_open, len(open_now))
        return tunnel


def disturb(
    node: FakeNode, machine: Machine, connection: NodeConnection, rng: random.Random
) -> None:
    """Do one of the things that happen to a connection."""
    event = rng.randrange(5)
    if event == 0:
        machine.refusals = [connection_lost()] * rng.randrange(3)
        machine.tunnels[-1].lose()
    elif event == 1:
        cookie = f"__cookie__:{rng.randbytes(32).hex()}"
        node.cookie = machine.files[".bitcoin/regtest/.cookie"] = cookie
        node.drop_connections()
    elif event == 2:
        node.faults.extend([Fault.WARMING_UP] * rng.randrange(1, 4))
        connection.failed(connection_lost())
    elif event == 3:
        node.faults.append(rng.choice([Fault.CUT_OFF, Fault.NOT_JSON, Fault.HANGS_UP]))
        connection.network_changed()
    else:
        connection.network_changed()


@pytest.mark.parametrize("seed", range(3))
def test_the_connection_comes_back_from_everything(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "WARMING_SECONDS", 0.005)
    rng = random.Random(seed)

    async def go() -> None:
        async with asyncio.timeout(PATIENCE), running_node() as node:
            node.chain.mine_empty(BLOCKS)
            machine = CountingMachine()
            connection = NodeConnection(
                SshTarget("mynode.local"),
                NodeOptions(rpc_port=node.port, p2p_port=1),
                None,  # type: ignore[arg-type]
                None,  # type: ignore[arg-type]
                REGTEST,
                connect=machine.connect,
                rng=rng,
            )
            await connection.ready()
            for _ in range(60):
                outcome = "connection lost"  # a session that is being given up may still be there
                while outcome == "connection lost":
                    connection.network_changed()  # else the pauses would grow
                    if connection.session is not None:
                        outcome = await one_call(node, connection.session.rpc, rng)
                    await asyncio.sleep(0.001)
                assert outcome in {"right", "node silent"}
                disturb(node, machine, connection, rng)
                for _ in range(rng.randrange(10)):
                    await asyncio.sleep(0)
                while connection.status.state is not NodeState.READY:
                    connection.network_changed()
                    await asyncio.sleep(0.002)
                node.faults.clear()
            assert machine.most_open == 1
            assert max(tunnel.most_channels for tunnel in machine.tunnels) <= 4
            await connection.close()

    asyncio.run(go())
