"""Two branches of the header chain with the same work: which of them is followed."""

from tests.unit.chain.mining import extend, total_work
from tests.unit.chain.test_header_chain import GENESIS, NOW, serialized
from wallet_gui.chain.backend import BlockRef
from wallet_gui.chain.header_chain import HeaderChain
from wallet_gui.primitives.params import REGTEST


def test_of_branches_with_the_same_work_another_may_be_taken() -> None:
    trunk = extend(GENESIS, 20)
    chain = HeaderChain(REGTEST, checkpoints={5: trunk[4].hash})
    chain.accept(trunk, NOW)
    equal, less = extend(trunk[14], 5, salt=1), extend(trunk[14], 4, salt=2)
    chain.accept(equal, NOW)
    chain.accept(less, NOW)
    for other in (less[-1], equal[-2], trunk[-1], trunk[3], GENESIS):
        assert chain.prefer(other.hash) is None
    assert chain.tip.hash == trunk[-1].hash
    result = chain.prefer(equal[-1].hash)
    assert result is not None
    assert (result.fork_height, result.first_changed, result.tip) == (15, 16, chain.tip)
    assert chain.tip == BlockRef(20, equal[-1].hash)
    assert chain.chain_work == total_work([GENESIS, *trunk[:15], *equal])
    assert chain.raw_headers(0, 20) == serialized([GENESIS, *trunk[:15], *equal])
    # What was left is a branch: back by the same way, or because it grows.
    assert chain.prefer(trunk[-1].hash) is not None
    assert chain.prefer(equal[-1].hash) is not None
    assert chain.accept(extend(trunk[-1], 1), NOW).fork_height == 15
