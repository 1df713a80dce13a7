"""Nothing that a connection shows, logs or raises has a secret in it."""

import asyncio
import gc
import logging
import traceback

import pytest

from tests.functional.sshd import Answers, MemoryStore
from tests.hostile.fake_machine import Machine
from tests.hostile.fake_node import COOKIE, Fault, running_node
from tests.hostile.test_node_rpc import OTHER_COOKIE
from wallet_gui.chain.bitcoind import connection as connection_module
from wallet_gui.chain.bitcoind import rpc as rpc_module
from wallet_gui.chain.bitcoind.connection import NodeConnection
from wallet_gui.chain.bitcoind.node_options import NodeOptions
from wallet_gui.chain.bitcoind.problems import NodeProblem
from wallet_gui.chain.bitcoind.ssh_target import SshTarget
from wallet_gui.primitives.params import REGTEST

PASSWORD = "correct-horse-battery"
FAULTS = [fault for fault in Fault if fault not in {Fault.SILENT, Fault.WARMING_UP}]


@pytest.mark.parametrize("kind", ["cookie", "password", "remembered"])
def test_a_connection_keeps_its_secrets(
    kind: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpc_module, "BUSY_PAUSES", (0.001,))
    monkeypatch.setattr(connection_module, "NODE_RETRY_SECONDS", 0.01)
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []
    secret = {
        "cookie": {},
        "password": {"user": "alice", "password": PASSWORD},
        "remembered": {"remembered_cookie": OTHER_COOKIE},
    }[kind]

    async def one(fault: Fault) -> None:
        async with running_node() as node:
            node.cookie = f"alice:{PASSWORD}" if kind == "password" else COOKIE
            options = NodeOptions(rpc_port=node.port, p2p_port=1, **secret)  # type: ignore[arg-type]
            machine = Machine()
            connection = NodeConnection(
                SshTarget("mynode.local"),
                options,
                Answers(),
                MemoryStore(),
                REGTEST,
                lambda status: shown.append(repr(status)),
                connect=machine.connect,
            )
            node.fault = fault
            try:
                async with asyncio.timeout(0.08):
                    session = await connection.ready()
                    shown.append(repr(session))
                    await session.rpc.call("scantxoutset", "start", [f"raw({'ab' * 22})"])
            except NodeProblem as problem:
                shown.append("".join(traceback.format_exception(problem)))
                shown.append(f"{problem.detail}{problem!r}{vars(problem)}")
            except TimeoutError:
                shown.append(repr(connection.problem))
            shown.append(f"{connection!r}{options!r}{connection.ledger()!r}{connection.status!r}")
            await connection.close()

    async def go() -> None:
        asyncio.get_running_loop().set_debug(True)  # which names tasks and slow callbacks
        for fault in FAULTS:
            await one(fault)

    asyncio.run(go())
    gc.collect()  # what is dropped without having been looked at is logged now
    everything = "".join(shown) + caplog.text
    assert len(shown) > 3 * len(FAULTS)
    for text in (PASSWORD, COOKIE[11:], OTHER_COOKIE[11:], "Basic ", "ab" * 22):
        assert text not in everything
