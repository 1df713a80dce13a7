"""The packaged peers: each can be dialled, and no operator's range has two of them."""

import ipaddress

import pytest

from wallet_gui.chain.p2p import onion
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.netgroup import netgroup
from wallet_gui.primitives.params import MAINNET, NETWORKS, REGTEST, SIGNET, TESTNET4, ChainParams


@pytest.mark.parametrize("params", [MAINNET, TESTNET4, SIGNET], ids=lambda params: params.name)
def test_every_packaged_peer_can_be_dialled(params: ChainParams) -> None:
    peers = [PeerAddress.parse(text, params.default_port) for text in params.fixed_peers]
    assert len(set(peers)) == len(peers)
    for peer in peers:
        assert peer.port == params.default_port
        if peer.host.endswith(".onion"):
            assert len(onion.decode(peer.host)) == 32
        else:
            assert ipaddress.ip_address(peer.host).is_global


@pytest.mark.parametrize("params", [MAINNET, TESTNET4], ids=lambda params: params.name)
def test_there_are_enough_of_them_and_each_in_a_range_of_its_own(params: ChainParams) -> None:
    peers = [PeerAddress.parse(text, params.default_port) for text in params.fixed_peers]
    clear = [peer for peer in peers if not peer.host.endswith(".onion")]
    assert len(clear) >= 30
    assert len(peers) - len(clear) >= 10
    assert len({netgroup(peer) for peer in clear}) == len(clear)


def test_a_private_network_has_none() -> None:
    assert NETWORKS["regtest"] is REGTEST
    assert REGTEST.fixed_peers == ()
