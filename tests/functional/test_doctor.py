"""The doctor with a real sshd and a real bitcoind: thirteen steps, and nothing left behind."""

import asyncio
import os
from pathlib import Path

import pytest

from tests.functional.bitcoind import Node, NodeFactory
from tests.functional.doctor_rows import NO_PORT, Rig, cookie_of
from tests.functional.listening import listening, sockets_of
from tests.functional.p2p_wallet import run
from tests.functional.sshd import eventually, need
from wallet_gui.chain.bitcoind.problems import Code
from wallet_gui.chain.bitcoind.rungs import Rung, Wish
from wallet_gui.chain.bitcoind.ssh_keys import authorized_line, make_key
from wallet_gui.chain.bitcoind.ssh_target import LocalNode
from wallet_gui.chain.bitcoind.steps import STEPS, Report, Status, Step, StepResult

OK, WARN, SKIPPED = Status.OK, Status.WARN, Status.SKIPPED
PAYMENTS_PER_BLOCK, BLOCKS_WITH_PAYMENTS = 4, 16


@pytest.fixture(scope="module")
def node(module_node: Node) -> Node:
    """A node that has seen enough payments to estimate a fee."""
    module_node.mature()
    address = module_node.bank("getnewaddress")
    for _ in range(BLOCKS_WITH_PAYMENTS):
        for number in range(PAYMENTS_PER_BLOCK):
            module_node.bank(
                "sendtoaddress",
                address,
                "0.001",
                "",
                "",
                False,
                True,
                None,
                "unset",
                None,
                2 + number,
            )
        module_node.mine(1)
    return module_node


@pytest.fixture
def rig(
    node: Node, node_factory: NodeFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Rig:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return Rig(node, node_factory, tmp_path, monkeypatch)


def states(report: Report) -> list[Status]:
    return [result.status for result in report.results]


@pytest.mark.alone
def test_all_thirteen_ticks(rig: Rig) -> None:
    ports: list[set[str]] = []

    async def scenario() -> None:
        async with rig.sshd() as server:
            rig.on_result = lambda _: ports.append(listening())
            report = await rig.through(server, p2p_port=rig.node.p2p_port)
            assert states(report) == [OK] * 13, report.redacted_text()
            assert report.is_ready
            assert report.choice is not None
            assert report.choice.rung is Rung.ACTIVITY
            assert report.sentence.startswith("Ready \u2013 fast & private mode. ")
            words = {result.step.name: result.words for result in report.results}
            assert words["SSH answers"].startswith("OpenSSH_")
            assert words["Server's identity"] == server.fingerprint()
            assert words["Accepted by bitcoind"] == "with its cookie"
            assert words["In sync"] == f"at block {rig.node.height:,}"
            assert words["Fee estimates"].endswith("sat/vB for the next hour")
            assert all(result.milliseconds < 5000 for result in report.results)
            await eventually(lambda: not server.sessions())

    run(scenario)
    assert len(ports) >= 26
    assert all(found == set() for found in ports)
    assert rig.node.rpc("getpeerinfo") == []
    assert rig.node.rpc("listwallets") == ["bank"]


def test_all_thirteen_ticks_with_the_systems_ssh(rig: Rig) -> None:
    need("ssh")
    rig.implementation = "system"

    async def scenario() -> None:
        async with rig.sshd() as server:
            report = await rig.through(server, p2p_port=rig.node.p2p_port)
            assert states(report) == [OK] * 13, report.redacted_text()
            assert report.results[1].words.startswith("OpenSSH_")
            assert report.results[2].words == server.fingerprint()

    run(scenario)


def test_each_step_is_told_before_and_after(rig: Rig) -> None:
    async def scenario() -> None:
        async with rig.sshd() as server:
            await rig.through(server)

    run(scenario)
    for step in STEPS:
        told = [result.status for result in rig.told if result.step == step]
        assert told[0] is Status.RUNNING
        assert told[-1] in {OK, WARN}


def test_a_node_on_this_computer(rig: Rig) -> None:
    async def scenario() -> None:
        report = await rig.local()
        assert states(report) == [OK, *[SKIPPED] * 4, *[OK] * 8]
        assert all("this computer" in result.words for result in report.results[:5])
        assert report.is_ready
        # The port may stand in the address, too.
        options = rig.options(rpc_port=None)
        assert (await rig.examine(LocalNode(rig.node.rpc_port), options)).is_ready

    run(scenario)


def test_a_key_that_is_good_for_the_node_only(rig: Rig) -> None:
    node = rig.node

    async def scenario() -> None:
        async with rig.sshd() as server:
            store = server.store()
            public = make_key(store)
            line = authorized_line(public, node.rpc_port, node.p2p_port, str(cookie_of(node)))
            server.authorized_keys.write_text(line + "\n")
            ssh = {"key_path": None, "own_key": True}
            report = await rig.through(server, ssh=ssh, store=store, p2p_port=node.p2p_port)
            assert states(report) == [OK] * 13, report.redacted_text()

    run(scenario)


def test_filters_over_the_p2p_port_when_the_rpc_cannot_be_logged_in_to(rig: Rig) -> None:
    node = rig.node

    async def scenario() -> None:
        async with rig.sshd() as server:
            nowhere = str(rig.tmp_path / "nowhere")
            report = await rig.through(server, cookie_path=nowhere, p2p_port=node.p2p_port)
        assert states(report) == [*[OK] * 6, WARN, *[OK] * 5, WARN]
        problem = report.results[6].problem
        assert problem is not None
        assert problem.code is Code.COOKIE_MISSING
        assert report.is_ready
        assert report.choice is not None
        assert report.choice.rung is Rung.P2P
        assert not report.choice.tells_scripts

    run(scenario)


def test_only_the_p2p_port(rig: Rig) -> None:
    node = rig.node
    wish = Wish(rung=Rung.P2P)

    async def scenario() -> None:
        async with rig.sshd() as server:
            report = await rig.through(server, rpc_port=NO_PORT, p2p_port=node.p2p_port, wish=wish)
            assert states(report) == [*[OK] * 6, SKIPPED, *[OK] * 5, WARN]
            assert report.choice is not None
            assert report.choice.rung is Rung.P2P
            wrong = await rig.through(server, p2p_port=node.rpc_port, wish=wish)
            assert wrong.results[5].problem is not None
            assert wrong.results[5].problem.code is Code.P2P_TO_RPC

    run(scenario)


def test_a_p2p_port_that_serves_no_filters_does_not_help(rig: Rig) -> None:
    node = rig.make_node("-peerblockfilters=0")

    async def scenario() -> None:
        wish = Wish(rung=Rung.P2P)
        report = await rig.local(node, p2p_port=node.p2p_port, wish=wish)
        problem = report.results[5].problem
        assert problem is not None
        assert problem.code is Code.NO_FILTER_INDEX
        assert "peerblockfilters=1" in str(problem)

    run(scenario)


def test_the_node_is_told_nothing_when_the_person_says_so(rig: Rig) -> None:
    async def scenario() -> None:
        report = await rig.local(wish=Wish(tell_nothing=True), p2p_port=NO_PORT)
        assert report.choice is not None
        assert not report.choice.tells_scripts
        assert "most private" in report.sentence

    run(scenario)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_breaking_off_leaves_nothing_open(rig: Rig, step: Step) -> None:
    async def scenario() -> None:
        async with rig.sshd() as server:
            before = len(sockets_of(os.getpid()))
            others = asyncio.all_tasks()
            task = asyncio.ensure_future(rig.through(server))

            def cancel(result: StepResult) -> None:
                if result.step == step and result.status is Status.RUNNING:
                    task.cancel()

            rig.on_result = cancel
            with pytest.raises(asyncio.CancelledError):
                await task
            assert asyncio.all_tasks() <= others
            await eventually(lambda: not server.sessions())
            await eventually(lambda: len(sockets_of(os.getpid())) <= before)
            # A test that was broken off has no end, and says nothing about what it did not reach.
            last = {result.step: result.status for result in rig.told}
            assert last.get(STEPS[-1], Status.RUNNING) is Status.RUNNING
            assert SKIPPED not in last.values()

    run(scenario)


def test_the_report_can_be_shared(rig: Rig) -> None:
    async def scenario() -> None:
        async with rig.sshd() as server:
            report = await rig.through(server)
            text = report.redacted_text()
            for secret in (
                server.fingerprint(),
                server.user,
                str(server.key_path),
                str(rig.tmp_path),
                cookie_of(rig.node).read_text()[-64:],
            ):
                assert secret not in text
        for wanted in ("Satoshi:", "OpenSSH_", "regtest", "ms", "Ready"):
            assert wanted in text

    run(scenario)
