"""Fee facts from real blocks of real nodes; bitcoind's own statistics are the oracle."""

from pathlib import Path

from tests.functional.bitcoind import Node, NodeFactory
from tests.functional.p2p_wallet import Client, ScriptWallet, run, running
from wallet_gui.chain.p2p.compact_block import CompactBlock
from wallet_gui.chain.p2p.fees import Fees, subsidy
from wallet_gui.chain.reports import FeeAdvice
from wallet_gui.primitives.hashes import hash_to_hex, sha256d
from wallet_gui.primitives.params import REGTEST

BTC = 100_000_000


def advice(client: Client) -> FeeAdvice | None:
    return client.backend.fee_advice()


def facts(client: Client) -> Fees:
    group = client.backend._group
    assert group is not None
    return group.transactions._fees


def test_nothing_is_known_of_empty_blocks_but_what_peers_take(node: Node, tmp_path: Path) -> None:
    node.mature()

    async def scenario() -> None:
        async with running(tmp_path, [node.p2p_port], ScriptWallet()) as client:
            await client.until_synced(node.height, node.tip)
            await client.until(lambda: advice(client) is not None)
            found = advice(client)
            assert found is not None
            assert (found.fast, found.normal, found.slow) == (None, None, None)
            assert found.minimum == client.backend.minimum_fee_rates()[0]

    run(scenario)


def test_blocks_that_are_read_anyway_give_the_exact_average(node: Node, tmp_path: Path) -> None:
    wallet = ScriptWallet()
    node.mature()

    async def scenario() -> None:
        async with running(tmp_path, [node.p2p_port], wallet) as client:
            for index, rate in enumerate((3, 12, 5)):
                for part in range(3):
                    node.fund(wallet.address(3 * index + part), BTC // 10, sat_per_vb=rate + part)
                node.mine(1)
                await client.until_synced(node.height, node.tip)
            await client.until(
                lambda: (
                    "3 of the last blocks" in ("" if (f := advice(client)) is None else f.source)
                )
            )
            statistics = [
                node.rpc("getblockstats", height, ["avgfeerate", "totalfee", "total_weight"])
                for height in range(node.height - 2, node.height + 1)
            ]
            exact = sorted(s["totalfee"] * 4000 // s["total_weight"] for s in statistics)
            found = advice(client)
            assert found is not None
            assert [found.slow, found.normal, found.fast] == exact
            assert sorted(s["avgfeerate"] for s in statistics) == [rate // 1000 for rate in exact]
            assert found.source.startswith("The average fees of 3 of the last blocks;")
            oldest = node.rpc("getblockheader", node.block_hash(node.height - 2))
            assert found.learned == oldest["time"]

    run(scenario)


def test_compact_blocks_are_asked_of_each_network_and_tell_the_fees(
    node_factory: NodeFactory, tmp_path: Path
) -> None:
    first, second = node_factory(), node_factory()
    first.mature()
    wallet = ScriptWallet("other")  # it is paid by nobody, so no block is read in full
    for _ in range(3):
        first.fund(first.bank("getnewaddress"), BTC, sat_per_vb=20)
        first.mine(1)
    second.connect_to(first)
    second.wait_for_filters()
    told: list[CompactBlock] = []

    async def scenario() -> None:
        async with running(tmp_path, [first.p2p_port, second.p2p_port], wallet) as client:
            await client.until_synced(first.height, first.tip)
            fees = facts(client)
            take = fees.on_compact_block

            def listen(netgroup: bytes, message: CompactBlock) -> bool:
                told.append(message)
                return take(netgroup, message)

            fees.on_compact_block = listen  # type: ignore[method-assign]
            advice(client)
            await client.until(lambda: len(told) == 10)
            assert all(len(block.told) == 2 for block in fees._blocks.values())
            found = advice(client)
            assert found is None or found.fast is None, "these blocks are far from full"
            assert len(client.backend.peers()) == 2, "somebody hung up"

    run(scenario)
    for message in told:
        name = hash_to_hex(sha256d(message.header))
        oracle = first.rpc("getblockstats", name, ["totalfee", "txs", "height"])
        assert message.coinbase is not None
        paid = sum(output.value_sat for output in message.coinbase.outputs)
        assert paid - subsidy(REGTEST, oracle["height"]) == oracle["totalfee"]
        assert message.transactions == oracle["txs"]
