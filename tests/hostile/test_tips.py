"""What the peers' tips say together: agreement, stale tips, laggards, splits of the chain."""

from dataclasses import replace

from tests.functional.p2p_wallet import ScriptWallet
from tests.hostile.fake_chain import FakeChain
from tests.hostile.fake_network import Network
from tests.hostile.fake_peer import FakeNode
from tests.hostile.test_sync import BTC, is_synced, paid_chain
from wallet_gui.chain.p2p.messages import GetHeaders, Message
from wallet_gui.chain.p2p.tips import TipReport
from wallet_gui.primitives.params import REGTEST

# Blocks come every ten minutes; everything else is as on regtest.
STEADY = replace(REGTEST, no_retargeting=False)


def report(network: Network) -> TipReport:
    return network.sync.tip_report(network.instant)


def wants_extra_peer(network: Network) -> bool:
    return network.sync.state.wants_extra_peer


def network_at_tip(chain: FakeChain, *wallets: ScriptWallet, age: int = 60) -> Network:
    time = chain.blocks[-1].header.time + age
    return Network(list(wallets), unix_time=time, params=STEADY)


def test_one_source_is_enough_and_is_called_so() -> None:
    chain = paid_chain(ScriptWallet(), 0)
    network = network_at_tip(chain, ScriptWallet())
    node = FakeNode(chain)
    network.connect(node)
    network.run(1)
    assert is_synced(network, node)
    assert report(network) == TipReport(1, 1, is_stale=False, age=61, quiet=1.0, split=None)
    assert report(network).agreeing == 1
    # Three peers of one network are one source.
    for _ in range(2):
        network.connect(FakeNode(chain), netgroup=b"net1")
    network.run(1)
    assert report(network).agreeing == 1
    for _ in range(3):
        network.connect(FakeNode(chain))
    network.run(1)
    assert report(network).agreeing == 4
    assert report(network).needed == 3
    assert is_synced(network, node)
    assert network.warnings == []


def test_a_silent_peer_delays_agreement_only_for_a_while() -> None:
    chain = paid_chain(ScriptWallet(), 0)

    def mute(message: Message, answers: list[Message]) -> list[Message]:
        return [] if isinstance(message, GetHeaders) else answers

    network = network_at_tip(chain, ScriptWallet())
    node = FakeNode(chain)
    network.connect(node)
    network.connect(FakeNode(chain, rewrite=mute))
    network.run(2)
    assert not network.sync.is_synced()
    assert report(network).needed == 2
    network.run(25)
    assert is_synced(network, node)
    network.connect(FakeNode(chain, rewrite=mute))  # takes nothing back
    network.run(1)
    assert is_synced(network, node)


def test_an_old_tip_is_called_possibly_stale_and_others_are_asked() -> None:
    wallet = ScriptWallet()
    chain = paid_chain(wallet, 0)
    frozen = FakeNode(chain.copy(chain.height))
    network = network_at_tip(chain, wallet)
    network.connect(frozen)
    network.run(1)
    assert not report(network).is_stale
    asked = len(frozen.asked)
    network.run(31 * 60)
    assert wants_extra_peer(network)
    assert any(isinstance(message, GetHeaders) for message in frozen.asked[asked:])
    network.run(3 * 3600)
    assert report(network).is_stale
    (warning,) = network.warnings
    assert "3 hours" in warning
    # The extra peer has what was kept from us.
    chain.mine(to=wallet.script(1))
    live = FakeNode(chain)
    network.connect(live)
    network.run(15)
    assert is_synced(network, live), network.describe()
    assert wallet.balance == 100 * BTC
    assert not wants_extra_peer(network)
    assert not network.faults


def test_a_laggard_makes_room_but_own_and_protected_peers_stay() -> None:
    wallet = ScriptWallet()
    chain = paid_chain(wallet, 0)
    old = chain.copy(chain.height - 3)
    network = network_at_tip(chain, wallet)
    protected = [FakeNode(chain) for _ in range(4)]
    for node in protected:
        network.connect(node)
    network.run(1)
    behind, own = FakeNode(old), FakeNode(old)
    network.connect(behind)
    network.connect(own, is_own=True)
    network.run(60)
    assert is_synced(network, protected[0])
    longer = chain.copy(chain.height)
    longer.mine_empty(5)
    protected[0].switch(longer)
    network.announce(protected[0])
    network.run(15)
    assert is_synced(network, protected[0]), network.describe()
    network.run(23 * 60)
    assert behind not in network.connected
    assert own in network.connected
    assert all(node in network.connected for node in protected)
    assert not network.bans
    assert not network.faults


def test_a_split_that_lasts_is_told_and_nobody_is_blamed() -> None:
    wallet = ScriptWallet()
    chain = paid_chain(wallet, 0)
    fork = chain.height
    other = chain.copy(fork)
    chain.mine_empty(5)
    other.mine_empty(3, salt=7)
    other.mine(to=wallet.script(1), salt=8)
    network = network_at_tip(chain, wallet)
    most = FakeNode(chain)
    network.connect(most)
    losers = [FakeNode(other), FakeNode(other)]
    for node in losers:
        network.connect(node)
    network.run(60)
    assert is_synced(network, most), network.describe()
    assert report(network).split is None  # may be over with the next block
    assert wallet.balance == 50 * BTC
    network.run(10 * 60)
    split = report(network).split
    assert split is not None
    assert f"block {fork}:" in split
    assert "2 of 3" in split
    assert network.warnings.count(split) == 1
    assert not network.bans
    assert not network.faults
    assert all(node in network.connected for node in losers)
    # The other side wins in the end.
    other.mine_empty(3, salt=9)
    network.announce(losers[0])
    network.announce(losers[1])
    network.run(15)
    assert is_synced(network, losers[0]), network.describe()
    assert wallet.balance == 100 * BTC
    most.switch(other)
    network.announce(most)
    network.run(15)
    assert report(network).split is None
    assert not network.faults


def test_a_peer_that_claims_more_than_it_has_changes_nothing() -> None:
    """A liar about the tip: its version says 800,000, its headers end where ours do."""
    wallet = ScriptWallet()
    chain = paid_chain(wallet, 0)
    network = network_at_tip(chain, wallet)
    boaster = FakeNode(chain, claimed_height=800_000)
    network.connect(boaster)
    network.run(1)
    assert is_synced(network, boaster)
    assert wallet.balance == 50 * BTC


def test_several_networks_do_not_wait_long_for_a_silent_one() -> None:
    chain = paid_chain(ScriptWallet(), 0)

    def mute(message: Message, answers: list[Message]) -> list[Message]:
        return [] if isinstance(message, GetHeaders) else answers

    network = network_at_tip(chain, ScriptWallet())
    node = FakeNode(chain)
    network.connect(node)
    network.connect(FakeNode(chain))
    network.connect(FakeNode(chain, rewrite=mute))
    network.run(3)
    assert not network.sync.is_synced()
    assert report(network).needed == 3
    network.run(5)
    assert is_synced(network, node)
    assert report(network).agreeing == 2
