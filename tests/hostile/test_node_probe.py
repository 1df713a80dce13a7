"""The probe against nodes of several versions, of other networks, and such that talk nonsense."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.hostile.fake_node import FakeNode, running_node
from tests.hostile.fake_node_answers import Refusal
from tests.hostile.test_node_rpc import client
from tests.patience import PATIENCE
from wallet_gui.chain.bitcoind.calls import ALLOWED
from wallet_gui.chain.bitcoind.node_facts import IndexState, NodeFacts
from wallet_gui.chain.bitcoind.probe import probe
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem
from wallet_gui.primitives.params import MAINNET, REGTEST, SIGNET, ChainParams


def probed(
    change: Callable[[FakeNode], None] = lambda _: None,
    params: ChainParams = REGTEST,
    **settings: Any,
) -> NodeFacts:
    async def go() -> NodeFacts:
        async with asyncio.timeout(PATIENCE), running_node(**settings) as node:
            change(node)
            rpc = client(node)
            try:
                return await probe(rpc, params)
            finally:
                await rpc.close()

    return asyncio.run(go())


def problem(
    change: Callable[[FakeNode], None], params: ChainParams = REGTEST, **settings: Any
) -> NodeProblem:
    with pytest.raises(NodeProblem) as raised:
        probed(change, params, **settings)
    return raised.value


def changed(method: str, **members: Any) -> Callable[[FakeNode], None]:
    """Answer a method as before, with some members replaced (`...` takes one out)."""

    def change(node: FakeNode) -> None:
        def answer(_params: list[Any]) -> Awaitable[Any]:
            async def make() -> Any:
                told = {**await node.known.answer(method, []), **members}
                return {key: value for key, value in told.items() if value is not ...}

            return make()

        node.answers[method] = answer

    return change


def test_a_usual_node() -> None:
    facts = probed(lambda node: node.chain.mine_empty(3))
    assert (facts.blocks, facts.headers, facts.version) == (3, 3, 290000)
    assert facts.is_synced
    assert facts.has_index
    assert (facts.has_scan, facts.has_activity, facts.has_package_relay) == (True, True, True)
    assert (facts.min_relay_rate, facts.mempool_min_rate) == (1000, 1000)
    assert (facts.is_pruned, facts.prune_height, facts.percent) == (False, None, 100)


@pytest.mark.parametrize(("version", "has_packages"), [(250000, False), (280000, True)])
def test_older_versions(version: int, has_packages: bool) -> None:  # noqa: FBT001
    def warn(node: FakeNode) -> None:
        node.known.warnings = ["unknown new rules activated"]

    facts = probed(warn, version=version)
    assert facts.warnings == ("unknown new rules activated",)
    assert facts.has_scan
    assert not facts.has_activity
    assert facts.has_package_relay is has_packages


def test_a_node_that_is_behind_and_pruned_and_has_no_index() -> None:
    def change(node: FakeNode) -> None:
        node.chain.mine_empty(5)
        known = node.known
        known.headers, known.is_ibd, known.prune_height, known.index_height = 10, True, 3, -1

    facts = probed(change)
    assert not facts.is_synced
    assert facts.percent == 50
    assert (facts.is_pruned, facts.prune_height) == (True, 3)
    assert facts.filter_index.state is IndexState.ABSENT


def test_an_index_that_is_being_built() -> None:
    def change(node: FakeNode) -> None:
        node.chain.mine_empty(5)
        node.known.index_height = 2

    facts = probed(change)
    assert (facts.filter_index.state, facts.filter_index.height) == (IndexState.BUILDING, 2)


@pytest.mark.parametrize(
    ("chain", "name"), [("main", "mainnet"), ("test", "testnet3"), ("signet", "signet"), ("x", "x")]
)
def test_another_network(chain: str, name: str) -> None:
    found = problem(changed("getblockchaininfo", chain=chain))
    assert found.code is Code.WRONG_NETWORK
    assert found.is_final
    assert f"on {name}, this wallet is on regtest" in found.title


def test_another_chain_with_the_right_name() -> None:
    found = problem(changed("getblockchaininfo", chain="main"), MAINNET)
    assert found.code is Code.WRONG_NETWORK  # the fake's genesis is regtest's
    assert "another mainnet" in found.title


def test_another_signet() -> None:
    def change(node: FakeNode) -> None:
        changed("getblockchaininfo", chain="signet", signet_challenge="51")(node)
        node.answers["getblockhash"] = SIGNET.genesis_hash[::-1].hex()

    assert "another signet" in problem(change, SIGNET).title


def test_too_old() -> None:
    found = problem(changed("getnetworkinfo", version=240100, subversion="/Satoshi:24.1.0/"))
    assert found.code is Code.TOO_OLD
    assert "24.1.0" in found.title


def test_warming_up() -> None:
    def change(node: FakeNode) -> None:
        for method in ALLOWED:
            node.answers[method] = Refusal(-28, "Verifying blocks…")

    found = problem(change)
    assert found.code is Code.WARMING_UP
    assert "Verifying blocks…" in found.title


def test_a_whitelist_is_told_with_all_that_is_missing() -> None:
    allowed = ALLOWED - {"scanblocks", "getblockfilter"}
    found = problem(lambda _: None, whitelist=allowed)
    assert found.code is Code.RPC_WHITELIST
    assert "getblockfilter, scanblocks" in found.title
    assert found.fix is not None
    assert all(method in found.fix.line for method in ALLOWED)


@pytest.mark.parametrize(
    ("method", "members"),
    [
        ("getblockchaininfo", {"blocks": -1}),
        ("getblockchaininfo", {"blocks": True}),
        ("getblockchaininfo", {"blocks": "5"}),
        ("getblockchaininfo", {"blocks": Decimal("1.5")}),
        ("getblockchaininfo", {"headers": 10**12}),
        ("getblockchaininfo", {"pruned": 1}),
        ("getblockchaininfo", {"chain": 5}),
        ("getblockchaininfo", {"chain": ...}),
        ("getblockchaininfo", {"verificationprogress": "1"}),
        ("getblockchaininfo", {"warnings": [5]}),
        ("getnetworkinfo", {"version": "290000"}),
        ("getnetworkinfo", {"subversion": None}),
        ("getnetworkinfo", {"relayfee": True}),
        ("getnetworkinfo", {"relayfee": Decimal("-0.00001")}),
        ("getnetworkinfo", {"relayfee": Decimal(5000)}),
        ("getmempoolinfo", {"mempoolminfee": "0.00001"}),
        ("getindexinfo", {"basic block filter index": True}),
        ("getindexinfo", {"basic block filter index": {"synced": 1, "best_block_height": 0}}),
        ("getindexinfo", {"basic block filter index": {"synced": True}}),
    ],
    ids=str,
)
def test_nonsense_is_refused(method: str, members: dict[str, Any]) -> None:
    assert problem(changed(method, **members)).code is Code.BAD_REPLY


@pytest.mark.parametrize(
    "method", ["getblockchaininfo", "getnetworkinfo", "getindexinfo", "uptime"]
)
@pytest.mark.parametrize("answer", [None, [], "text", [1]], ids=str)
def test_other_types_are_refused(method: str, answer: Any) -> None:
    def change(node: FakeNode) -> None:
        node.answers[method] = answer

    assert problem(change).code is Code.BAD_REPLY


def test_texts_of_the_node_are_cleaned() -> None:
    def change(node: FakeNode) -> None:
        changed("getnetworkinfo", subversion="/\u202eX\x1b[0m" + "y" * 500 + "/")(node)
        changed("getblockchaininfo", warnings=["a\nb", "", "<b>"] * 30)(node)

    facts = probed(change)
    assert len(facts.subversion) == 100
    assert facts.subversion.isprintable()
    assert "\u202e" not in facts.subversion
    assert facts.warnings[:2] == ("a b", "<b>")
    assert len(facts.warnings) <= 10
