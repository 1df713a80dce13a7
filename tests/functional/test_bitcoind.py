"""The rig itself: what the other functional tests lean on."""

from decimal import Decimal

import pytest

from tests.functional.bitcoind import COIN, Node, NodeFactory, RpcError, to_btc, to_sat


def test_funds_mines_and_counts(node: Node) -> None:
    address = node.bank("getnewaddress")
    txid = node.fund(address, 123_456_789)
    assert txid in node.mempool()
    assert node.scan_balance([address]) == 0
    (block,) = node.mine()
    assert node.tip == block
    assert node.mempool() == set()
    assert node.scan_balance([address]) == 123_456_789


def test_reorganizes_and_takes_back(node: Node) -> None:
    node.mature()
    address = node.bank("getnewaddress")
    txid = node.fund(address, COIN)
    node.mine(2)
    height, old_tip = node.height, node.tip
    new = node.reorganize(2)
    assert len(new) == 3
    assert (node.height, node.tip) == (height + 1, new[-1])
    assert txid in node.mempool()
    node.invalidate(new[0])
    assert node.tip != new[-1]
    node.reconsider(new[0])
    assert node.tip == new[-1] != old_tip


def test_keeps_chain_and_ports_over_restart_and_kill(node: Node) -> None:
    node.mature()
    height, port = node.height, node.p2p_port
    node.restart()
    assert (node.height, node.p2p_port) == (height, port)
    node.kill()
    assert not node.is_running
    node.start()
    assert node.p2p_port == port
    assert node.bank_balance() >= 0


def test_two_nodes_agree(node_factory: NodeFactory) -> None:
    first, second = node_factory(), node_factory()
    first.mine(3)
    second.connect_to(first)
    assert second.height == 3
    first.wait_for_filters()


def test_listens_on_loopback_with_filters_and_reports_errors(node: Node) -> None:
    services = node.rpc("getnetworkinfo")["localservicesnames"]
    assert "COMPACT_FILTERS" in services
    with pytest.raises(RpcError) as raised:
        node.rpc("getblockhash", 1_000)
    assert raised.value.code == -8


@pytest.mark.parametrize("sat", [0, 1, 99_999_999, COIN, 2_100_000_000_000_000])
def test_amounts_are_exact(sat: int) -> None:
    assert to_sat(Decimal(to_btc(sat))) == sat
