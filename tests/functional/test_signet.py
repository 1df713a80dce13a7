"""Blocks of a signet of our own, signed here, before the real bitcoind and before our check."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.functional.bitcoind import Node
from tests.unit.chain.signet_mining import SignetMiner, Solver
from tests.unit.chain.test_signet import GOOD
from wallet_gui.chain.signet import check_block
from wallet_gui.primitives.hashes import hash_to_hex
from wallet_gui.primitives.params import SIGNET, signet_magic
from wallet_gui.primitives.serialize import ParseError

pytestmark = [pytest.mark.functional, pytest.mark.slow]


class SignetNode(Node):
    network = "signet"


@pytest.mark.parametrize("kind", ["1 of 2", "p2wsh"])
def test_the_real_node_and_we_agree_about_signatures(
    kind: str, bitcoind_binary: Path, tmp_path: Path
) -> None:
    challenge, solve = GOOD[kind]
    params = replace(SIGNET, signet_challenge=challenge, magic=signet_magic(challenge))
    arguments = [f"-signetchallenge={challenge.hex()}", "-maxtipage=999999999"]
    with SignetNode(bitcoind_binary, tmp_path / "node", arguments) as node:
        assert node.rpc("getblockhash", 0) == hash_to_hex(params.genesis_hash)
        now = int(time.time())

        def submit(solver: Solver, height: int, previous: bytes) -> tuple[str | None, bool, bytes]:
            miner = SignetMiner(challenge, solver, params.pow_limit_bits)
            block = miner.block(previous, height, now + height)
            answer = node.rpc("submitblock", block.serialize().hex())
            try:
                block.check()
                check_block(block, params)
            except ParseError:
                return answer, False, block.header.hash
            return answer, True, block.header.hash

        answer, is_good, first = submit(solve, 1, params.genesis_hash)
        assert (answer, is_good) == (None, True)
        # A solution for another digest: signed, but not this block.
        answer, is_good, _ = submit(lambda tx: solve(replace(tx, version=9)), 2, first)
        assert (answer, is_good) == ("bad-signet-blksig", False)
        assert node.rpc("getbestblockhash") == hash_to_hex(first)
