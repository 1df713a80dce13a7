"""The doctor at a scripted bitcoind: odd states, lies, and every way to spoil an answer."""

import asyncio
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.fake_chain import FakeChain
from tests.hostile.fake_node import COOKIE, HTML_MESSAGE, FakeNode, Fault, running_node
from wallet_gui.chain.bitcoind.doctor import examine
from wallet_gui.chain.bitcoind.node_options import NodeOptions
from wallet_gui.chain.bitcoind.problems import Code
from wallet_gui.chain.bitcoind.rpc import NodeRpc
from wallet_gui.chain.bitcoind.rungs import Rung
from wallet_gui.chain.bitcoind.ssh_target import LocalNode
from wallet_gui.chain.bitcoind.steps import Report, Status, StepResult, first_failure
from wallet_gui.chain.bitcoind.tunnel import HostKeyQuestion, SecretQuestion
from wallet_gui.primitives.params import REGTEST

# Spoiled in a way that a reader of HTTP gets over.
HARMLESS = {Fault.NONE, Fault.SLOW, Fault.CHUNKED, Fault.UNTIL_END, Fault.LAST}
SECONDS = 60.0


class NobodyAsks:
    """An asker for a node on this computer: there is nothing to ask."""

    async def trust_host_key(self, question: HostKeyQuestion) -> bool:
        raise AssertionError(question)

    async def secret(self, question: SecretQuestion) -> str | None:
        raise AssertionError(question)


class Store:
    """Files about SSH are not needed; the cookie is a file of this computer."""

    key_path = Path("ssh/id_ed25519")
    known_hosts_path = Path("ssh/known_hosts")

    def known_hosts(self) -> bytes:
        return b""

    def trust(self, line: str) -> None:
        raise AssertionError(line)

    def forget(self, host: str, port: int) -> bool:
        raise AssertionError(host, port)

    def key(self) -> bytes | None:
        return None

    def save_key(self, private: bytes, public: bytes) -> None:
        raise AssertionError(len(private), public)

    def read_local(self, path: Path, limit: int) -> bytes:
        return path.read_bytes()[: limit + 1]


Change = Callable[[FakeNode], None]


def examined(
    tmp_path: Path,
    change: Change = lambda _: None,
    on_result: Callable[[StepResult], None] = lambda _: None,
    **settings: Any,
) -> Report:
    """Examine a scripted node that was changed in this way."""
    cookie = tmp_path / ".cookie"
    cookie.write_text(COOKIE)

    async def scenario() -> Report:
        async with running_node(**settings) as node:
            change(node)
            options = NodeOptions(rpc_port=node.port, p2p_port=9, cookie_path=str(cookie))
            async with asyncio.timeout(SECONDS):
                return await examine(
                    LocalNode(),
                    options,
                    NobodyAsks(),
                    Store(),
                    REGTEST,
                    on_result=on_result,
                    warm_up_seconds=0.05,
                )

    return asyncio.run(scenario())


def step(report: Report, number: int) -> StepResult:
    return report.results[number - 1]


def is_plain(text: str) -> bool:
    return all(unicodedata.category(character)[0] != "C" for character in text)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no call take long, and no busy node be waited for."""
    patient = NodeRpc.call

    async def call(self: NodeRpc, method: str, *params: Any, **named: Any) -> Any:
        return await patient(self, method, *params, **{**named, "seconds": 0.5})

    monkeypatch.setattr(NodeRpc, "call", call)
    monkeypatch.setattr("wallet_gui.chain.bitcoind.rpc.BUSY_PAUSES", (0.01, 0.02))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name.lower())
def test_a_spoiled_answer_ends_in_a_sentence(tmp_path: Path, fault: Fault) -> None:
    report = examined(tmp_path, fault=fault)
    failed = first_failure(report.results)
    if fault in HARMLESS:
        assert failed is None, report.redacted_text()
        assert report.is_ready
        return
    assert failed is not None
    assert failed.problem is not None
    assert failed.step.number >= 6
    shown = [failed.words, str(failed.problem), failed.problem.detail, report.redacted_text()]
    for text in shown:
        assert is_plain(text.replace("\n", ""))
        assert "\x1b" not in text
        assert COOKIE[-64:] not in text


@pytest.mark.usefixtures("impatient")
def test_one_answer_that_never_comes_ends_in_a_sentence(tmp_path: Path) -> None:
    def change(node: FakeNode) -> None:
        node.delays["estimatesmartfee"] = 3600

    report = examined(tmp_path, change)
    failed = first_failure(report.results)
    assert failed is not None
    assert failed.problem is not None
    assert failed.problem.code is Code.NODE_SILENT
    assert "estimatesmartfee" in str(failed.problem)


def test_a_node_that_still_reads_the_chain(tmp_path: Path) -> None:
    def change(node: FakeNode) -> None:
        node.known.is_ibd = True
        node.known.headers = 1000
        node.answers["getblockchaininfo"] = {
            **node.known._getblockchaininfo(),
            "verificationprogress": Decimal("0.629"),
        }

    report = examined(tmp_path, change)
    result = step(report, 10)
    assert (result.status, result.words) == (Status.WARN, "62 %, usable soon")
    assert result.problem is not None
    assert result.problem.code is Code.NOT_SYNCED
    assert report.is_ready


def test_an_index_that_is_not_finished(tmp_path: Path) -> None:
    chain = FakeChain()
    chain.mine_empty(20)

    def change(node: FakeNode) -> None:
        node.known.index_height = 5

    report = examined(tmp_path, change, chain=chain)
    result = step(report, 11)
    assert result.status is Status.WARN
    assert result.problem is not None
    assert "25 %" in str(result.problem)
    assert report.choice is not None
    assert report.choice.rung is Rung.COINS
    assert "slow" in report.sentence


def test_a_pruned_node_is_fine(tmp_path: Path) -> None:
    def change(node: FakeNode) -> None:
        node.known.prune_height = 1_234

    report = examined(tmp_path, change)
    assert step(report, 12).status is Status.OK
    assert step(report, 12).words.startswith("from block 1,234 on")
    assert report.choice is not None
    assert report.choice.needs_public_blocks


def test_warnings_of_the_node_are_plain_text(tmp_path: Path) -> None:
    def change(node: FakeNode) -> None:
        node.known.warnings = [HTML_MESSAGE]

    report = examined(tmp_path, change)
    result = step(report, 10)
    assert result.status is Status.WARN
    assert "bold" in result.words
    assert is_plain(result.words)


def test_an_old_version_works_and_says_what_a_newer_one_would_do(tmp_path: Path) -> None:
    report = examined(tmp_path, version=270_000, subversion="/Satoshi:27.0.0/")
    assert step(report, 9).status is Status.WARN
    assert "29" in step(report, 9).words
    assert report.choice is not None
    assert report.choice.rung is Rung.SCAN


def test_fee_estimates_and_their_lack(tmp_path: Path) -> None:
    def change(node: FakeNode) -> None:
        node.known.estimates[6] = Decimal("0.00012345")

    assert step(examined(tmp_path, change), 13).words == "12.345 sat/vB for the next hour"
    assert step(examined(tmp_path), 13).status is Status.WARN


@pytest.mark.parametrize("rate", ["1", True, [], {"feerate": "dear"}, {"feerate": -1}, None])
def test_nonsense_about_fees_fails_the_last_step(tmp_path: Path, rate: object) -> None:
    def change(node: FakeNode) -> None:
        node.answers["estimatesmartfee"] = rate

    report = examined(tmp_path, change)
    failed = first_failure(report.results)
    assert failed is not None
    assert failed.step.number == 13
    assert failed.problem is not None
    assert failed.problem.code is Code.BAD_REPLY


def test_a_user_name_that_http_cannot_carry(tmp_path: Path) -> None:
    async def scenario() -> Report:
        async with running_node() as node:
            options = NodeOptions(rpc_port=node.port, user="a:b", password="secret")
            return await examine(
                LocalNode(), options, NobodyAsks(), Store(), REGTEST, on_result=lambda _: None
            )

    report = asyncio.run(scenario())
    failed = first_failure(report.results)
    assert failed is not None
    assert failed.step.number == 7
    assert "colon" in str(failed.problem)


def test_the_node_is_asked_for_nothing_but_harmless_things(tmp_path: Path) -> None:
    asked: list[FakeNode] = []
    report = examined(tmp_path, asked.append)
    assert report.is_ready
    (node,) = asked
    writing = [
        call for call in node.calls if call.method in {"sendrawtransaction", "submitpackage"}
    ]
    assert all(call.params in ([""], [[]], []) for call in writing)
    scans = [call.params for call in node.calls if call.method in {"scanblocks", "scantxoutset"}]
    assert scans
    assert all(params == ["status"] for params in scans)
