import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.chain.p2p.broadcast_network import MISSING, SPREAD, TX, Network, at, spending
from wallet_gui.chain.p2p import broadcast
from wallet_gui.chain.p2p import broadcast_verdicts as verdicts
from wallet_gui.chain.p2p.messages import GetData, InventoryType

# --- connections of its own -----------------------------------------------------------------------


def with_own_connections(*peers: int, is_private: bool = False) -> Network:
    network = Network(*peers)
    network.broadcasts.can_open = True
    network.broadcasts.is_private = is_private
    return network


def test_a_fresh_connection_is_opened_for_it_and_closed_when_it_has_served() -> None:
    network = with_own_connections(1, 2)
    assert network.broadcasts.wanted_connections() == 0
    network.start()
    assert network.told == {}
    assert network.broadcasts.wanted_connections() == 1
    network.connect(50, is_one_shot=True)
    assert network.broadcasts.wanted_connections() == 0
    assert network.offered == [50]
    network.request(50)
    network.announce(1)
    network.announce(2)
    assert network.end.stage is SPREAD
    network.wait(1)
    assert network.closed == [50]
    assert set(network.told) == {50}


def test_a_fresh_connection_that_comes_too_late_is_closed() -> None:
    network = with_own_connections(1)
    network.connect(50, is_one_shot=True)
    assert network.closed == [50]


@pytest.mark.parametrize("is_told", [True, False])
def test_without_a_fresh_connection_the_present_ones_do(*, is_told: bool) -> None:
    network = with_own_connections(1)
    network.start()
    if is_told:
        network.do(network.broadcasts.on_not_opened(at(1)))
    else:
        network.wait(broadcast.CONNECT_PATIENCE + 1)
    assert network.offered == [1]


def test_with_a_proxy_nothing_goes_to_a_direct_peer() -> None:
    network = with_own_connections(1, 2, is_private=True)
    network.start()
    network.do(network.broadcasts.on_not_opened(at(1)))
    network.wait(30)
    network.connect(60)
    assert network.broadcasts.wanted_connections() == 1
    network.wait(broadcast.NO_PROXY_AFTER)
    assert network.told == {}
    assert network.end.detail == verdicts.NO_PROXY


def test_with_a_proxy_direct_peers_only_listen() -> None:
    network = with_own_connections(1, 2, is_private=True)
    network.start()
    network.connect(50, is_one_shot=True, is_direct=False)
    network.request(50)
    network.having = {1, 2, 50}
    network.wait(40)
    assert set(network.told) == {50}, "a probe would tell whose it is"
    assert network.closed == [50]
    network.announce(1)
    network.announce(2)
    assert network.end.stage is SPREAD


def test_with_a_proxy_a_direct_connection_of_its_own_is_none() -> None:
    network = with_own_connections(is_private=True)
    network.start()
    network.connect(50, is_one_shot=True, is_direct=True)
    assert network.closed == [50]
    assert network.told == {}


def test_each_payment_has_a_connection_of_its_own() -> None:
    network = with_own_connections()
    network.start()
    other = spending(bytes(32), 5)
    network.start(other)
    assert network.broadcasts.wanted_connections() == 2
    network.connect(50, is_one_shot=True)
    network.connect(51, is_one_shot=True)
    assert network.offered == [50]
    assert network.told[51] == [GetData(((InventoryType.WTX, other.wtxid),))]
    assert network.broadcasts.wanted_connections() == 0


# --- whatever happens -----------------------------------------------------------------------------

Step = tuple[str, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["connect", "leave", "inv", "tx", "ask", "miss", "wait", "one shot", "fail", "start"]
        ),
        st.integers(1, 5),
    ),
    max_size=60,
)


def act(network: Network, kind: str, peer: int) -> None:
    broadcasts, now = network.broadcasts, at(network.now)
    match kind:
        case "leave":
            broadcasts.on_disconnected(peer)
        case "inv":
            network.announce(peer)
        case "tx":
            broadcasts.on_tx(peer, TX)
        case "ask":
            network.request(peer)
        case "miss":
            network.do(broadcasts.on_notfound(peer, MISSING, now))
        case "wait":
            network.wait(peer)
        case "one shot":
            network.connect(100 + peer, is_one_shot=True, is_direct=False)
        case "fail":
            network.do(broadcasts.on_not_opened(now))
        case "start":
            network.start()
        case _:
            pass


@given(steps=STEPS, can_open=st.booleans(), is_private=st.booleans())
@settings(deadline=None)
def test_it_always_ends_and_never_claims_what_was_not_shown(
    steps: list[Step], *, can_open: bool, is_private: bool
) -> None:
    network = Network()
    network.deaf = set(range(1, 200))
    network.broadcasts.can_open = can_open
    network.broadcasts.is_private = is_private
    present: set[int] = set()
    shown: set[int] = set()
    network.start()
    for kind, peer in steps:
        if kind in {"leave", "inv", "tx", "ask", "miss"} and peer not in present:
            continue
        if kind == "connect" and peer not in present:
            present.add(peer)
            network.connect(peer)
        if kind == "leave":
            present.discard(peer)
        if kind in {"inv", "tx"}:
            shown.add(peer)
        act(network, kind, peer)
        if network.result is not None and network.result.stage is SPREAD:
            assert len(shown) >= 2
        if is_private:
            assert not {peer for peer in network.told if peer < 100}
    network.wait(500)
    assert network.result is not None
