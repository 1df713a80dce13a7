"""The smoke test with a peer: the real bitcoind."""

from pathlib import Path

from tests.functional.bitcoind import Node
from tests.smoke import environment, smoke_test


def test_the_handshake_with_a_real_node(node: Node, tmp_path: Path) -> None:
    node.mature()
    height = int(node.rpc("getblockcount"))
    peer = f"{node.host}:{node.p2p_port}"
    told = smoke_test("--network", "regtest", "--peer", peer, env=environment(tmp_path))
    assert told.is_good, told
    words = told.found[f"peer {peer}"]
    assert "/Satoshi:" in words
    assert f"its height {height}" in words
