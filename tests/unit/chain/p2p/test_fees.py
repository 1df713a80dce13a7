import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.chain.p2p.compact_block import CompactBlock
from wallet_gui.chain.p2p.fees import (
    FULL_WEIGHT,
    LEAST_SAMPLE,
    SOURCES,
    BlockStamp,
    Fees,
    believable_filters,
    subsidy,
)
from wallet_gui.chain.reports import FeeAdvice
from wallet_gui.primitives.hashes import sha256d
from wallet_gui.primitives.params import MAINNET, REGTEST
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut

HEIGHT = 900_000
NOW = 1_790_000_000
SUBSIDY = 312_500_000
LIAR = 2_100_000_000_000_000


def header(number: int) -> bytes:
    return number.to_bytes(80, "big")


def coinbase(fees: int) -> Transaction:
    spent = TxIn(OutPoint(bytes(32), 0xFFFFFFFF), b"\x03\x04\x05")
    return Transaction(2, (spent,), (TxOut(SUBSIDY + fees, b"\x51"), TxOut(0, b"\x6a")), 0)


def fees_for(rate: int) -> int:
    """The fees of a full block that pays `rate` sat/kvB on average."""
    return rate * FULL_WEIGHT // 4000


def compact(number: int, rate: int, ids: int = 3000) -> CompactBlock:
    return CompactBlock(header(number), 1, bytes(6 * ids), ((0, coinbase(fees_for(rate))),))


def knowing(count: int = 5) -> Fees:
    """The newest blocks, about which nothing is known yet; block n is n * 600 s before now."""
    fees = Fees(MAINNET)
    fees.set_newest(
        [BlockStamp(HEIGHT - n, sha256d(header(n)), NOW - 600 * n) for n in reversed(range(count))]
    )
    return fees


def all_backed(_txid: bytes) -> bool:
    return True


def advice(fees: Fees, *filters: int) -> FeeAdvice | None:
    by_group = {bytes([n]): rate for n, rate in enumerate(filters)}
    return fees.advice(by_group, NOW, all_backed)


def told(fees: Fees, *filters: int) -> FeeAdvice:
    found = advice(fees, *filters)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("height", "sat"),
    [
        (0, 5_000_000_000),
        (209_999, 5_000_000_000),
        (210_000, 2_500_000_000),
        (HEIGHT, SUBSIDY),
        (210_000 * 33, 0),
        (210_000 * 64, 0),
    ],
)
def test_subsidy(height: int, sat: int) -> None:
    assert subsidy(MAINNET, height) == sat
    assert subsidy(REGTEST, 150) == 2_500_000_000


# --- what peers take at all -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filters", "believed"),
    [
        ([], []),
        ([1000], [1000]),
        ([1000, LIAR], [1000]),
        ([LIAR], []),
        ([0, 1000, 1000], [0, 1000, 1000]),
        ([1000, 1000, 90_000], [1000, 1000]),
        ([1000, 1100, 2500], [1000, 1100, 2500]),
        ([0, 0, 1000], [0, 0, 1000]),
    ],
)
def test_fee_filters_far_from_the_others_are_not_believed(
    filters: list[int], believed: list[int]
) -> None:
    assert believable_filters(filters) == believed


def test_fee_filters_alone_say_only_what_is_taken() -> None:
    assert advice(knowing()) is None
    assert advice(knowing(), LIAR) is None
    found = told(knowing(), 1000, 1200, 1000, LIAR)
    assert (found.fast, found.normal, found.slow) == (None, None, None)
    assert found.minimum == 1000
    assert found.learned == NOW
    assert found.source == "The least that 3 networks take."


def test_a_liar_with_zero_moves_nothing() -> None:
    assert told(knowing(), 0, 1000, 1000).minimum == 1000
    assert told(knowing(), 0, 1000).minimum == 0, "with two nobody can tell who lies"


@given(
    honest=st.lists(st.integers(900, 1100), min_size=3, max_size=9),
    lies=st.lists(st.sampled_from([0, 1, 50_000, 10**6, LIAR, 2**64 - 1]), max_size=8),
)
@settings(deadline=None)
def test_a_minority_of_liars_moves_the_minimum_nowhere(honest: list[int], lies: list[int]) -> None:
    lies = lies[: len(honest) - 1]
    found = told(knowing(), *honest, *lies)
    assert found.minimum is not None
    assert 900 <= found.minimum <= 1100


# --- what the last blocks paid --------------------------------------------------------------------


def test_the_last_blocks_give_three_speeds() -> None:
    fees = knowing()
    for number, rate in enumerate((4000, 9000, 2000, 5000, 3000)):
        for group in (b"a", b"b", b"c"):
            assert fees.on_compact_block(group, compact(number, rate))
    found = told(fees, 1000)
    assert (found.slow, found.normal, found.fast, found.minimum) == (2000, 4000, 9000, 1000)
    assert found.learned == NOW - 4 * 600
    assert found.source == (
        "The average fees of 5 of the last blocks, as 3 networks tell them; the least that one "
        "network takes."
    )


def test_nothing_slower_is_advised_than_what_peers_take() -> None:
    fees = knowing(1)
    fees.on_compact_block(b"a", compact(0, 800))
    found = told(fees, 1000, 2000, 1000)
    assert (found.slow, found.normal, found.fast) == (2000, 2000, 2000)
    assert found.minimum == 1000


def test_of_several_networks_the_lowest_counts() -> None:
    fees = knowing(1)
    fees.on_compact_block(b"a", compact(0, 5000))
    fees.on_compact_block(b"liar", compact(0, 5_000_000))
    assert told(fees).normal == 5000


def test_each_network_is_asked_once_and_three_are_enough() -> None:
    fees = knowing(2)
    assert fees.lacking(b"a") == [(HEIGHT, sha256d(header(0))), (HEIGHT - 1, sha256d(header(1)))]
    fees.on_compact_block(b"a", compact(0, 5000))
    assert fees.lacking(b"a") == [(HEIGHT - 1, sha256d(header(1)))]
    fees.on_silence(b"b", sha256d(header(0)))
    for number in range(SOURCES - 1):
        assert (HEIGHT, sha256d(header(0))) in fees.lacking(b"z")
        fees.on_compact_block(bytes([number]), compact(0, 5000))
    assert fees.lacking(b"z") == [(HEIGHT - 1, sha256d(header(1)))]


def test_nothing_is_made_up_about_a_block_that_may_not_be_full() -> None:
    fees = knowing(2)
    fees.on_compact_block(b"a", compact(0, 5000, ids=400))
    fees.on_compact_block(b"a", CompactBlock(header(1), 1, bytes(6 * 3000), ()))
    assert advice(fees) is None


def test_empty_blocks_tell_nothing() -> None:
    fees = knowing(1)
    fees.on_full_block(sha256d(header(0)), coinbase(0), 0, 1)
    assert advice(fees) is None


def test_other_blocks_than_the_newest_are_forgotten() -> None:
    fees = knowing()
    fees.on_compact_block(b"a", compact(0, 5000))
    assert not fees.on_compact_block(b"a", compact(77, 5000))
    fees.set_newest([BlockStamp(HEIGHT, sha256d(header(50)), NOW)])
    assert advice(fees) is None, "its block left the chain"


def test_a_block_read_in_full_is_exact_and_keeps_liars_in_check() -> None:
    fees = knowing(3)
    fees.on_full_block(sha256d(header(0)), coinbase(1_000_000), 400_000, 500)  # 10 sat/vB
    fees.on_compact_block(b"liar", compact(1, 9_000_000))
    fees.on_compact_block(b"liar", compact(0, 9_000_000))
    found = told(fees)
    assert (found.slow, found.fast) == (10_000, 30_000)
    assert "one network tells" in found.source


# --- what waits -----------------------------------------------------------------------------------


def chained(fees: Fees, number: int, rate: int) -> Transaction:
    """A payment of `rate` sat/kvB whose parent was seen."""
    spent = TxIn(OutPoint(number.to_bytes(32, "big"), 0))
    parent = Transaction(2, (spent,), (TxOut(10_000_000, b"\x51"),), 0)
    blank = Transaction(2, (TxIn(OutPoint(parent.txid, 0)),), (TxOut(0, b"\x51"),), 0)
    fee = rate * blank.vsize // 1000
    child = Transaction(2, blank.inputs, (TxOut(10_000_000 - fee, b"\x51"),), 0)
    fees.on_transaction(parent, NOW)
    fees.on_transaction(child, NOW)
    return child


def test_what_waits_says_how_fast_is_fast() -> None:
    fees = knowing(1)
    fees.on_compact_block(b"a", compact(0, 5000))
    for number in range(100):
        chained(fees, number, 4000 + 100 * number)
    found = told(fees, 1000)
    assert (found.slow, found.normal) == (5000, 5000)
    # Of those above the last block's 5 sat/vB the one with 60 % below it; rounding costs a sat.
    assert found.fast is not None
    assert 9_900 <= found.fast <= 10_400
    assert "100 payments that wait" in found.source


def test_what_one_peer_alone_announced_does_not_count() -> None:
    fees = knowing(1)
    fees.on_compact_block(b"a", compact(0, 5000))
    honest = {chained(fees, n, 6000).txid for n in range(LEAST_SAMPLE)}
    for number in range(1000, 1500):
        chained(fees, number, 14_000)
    found = fees.advice({}, NOW, honest.__contains__)
    assert found is not None
    assert found.fast is not None
    assert found.fast < 6100


def test_old_and_unknown_ones_do_not_count() -> None:
    fees = knowing(1)
    fees.on_compact_block(b"a", compact(0, 5000))
    for number in range(100):
        chained(fees, number, 12_000)
    later = fees.advice({}, NOW + 3600, all_backed)
    assert later is not None
    assert later.fast == 5000
    orphan = Transaction(2, (TxIn(OutPoint(b"\x09" * 32, 0)),), (TxOut(1, b"\x51"),), 0)
    fees.on_transaction(orphan, NOW)
    assert len(fees._sample) == 100


@given(
    rates=st.lists(st.integers(0, 10**9), min_size=1, max_size=5),
    filters=st.lists(st.integers(0, 2**64 - 1), max_size=6),
)
@settings(deadline=None)
def test_advice_is_in_order_whatever_is_told(rates: list[int], filters: list[int]) -> None:
    fees = knowing()
    for number, rate in enumerate(rates):
        fees.on_compact_block(b"a", compact(number, rate))
    found = advice(fees, *filters)
    if found is not None and found.slow is not None:
        assert found.normal is not None
        assert found.fast is not None
        assert (found.minimum or 0) <= found.slow <= found.normal <= found.fast
