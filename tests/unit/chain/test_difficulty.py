import csv
from itertools import pairwise
from random import Random

import pytest

from tests.unit.chain.facts import shared
from tests.unit.chain.mining import easy, genesis, grow, mine, required_bits
from wallet_gui.chain.difficulty import FutureHeader, InvalidHeader, median_time, retarget
from wallet_gui.chain.header_chain import ChainAnchor, HeaderChain
from wallet_gui.primitives.block import BlockHeader, target_from_bits, work_from_bits
from wallet_gui.primitives.hashes import hash_from_hex
from wallet_gui.primitives.params import MAINNET, SIGNET, TESTNET4, ChainParams

LATER = 1 << 31


def facts(name: str) -> list[dict[str, str]]:
    with shared(f"data/{name}").open(encoding="ascii", newline="") as file:
        return list(csv.DictReader(file))


# Core src/test/pow_tests.cpp: first and last time of an epoch, old bits, new bits.
@pytest.mark.parametrize(
    ("first_time", "last_time", "old_bits", "new_bits"),
    [
        (1261130161, 1262152739, 0x1D00FFFF, 0x1D00D86A),  # blocks 30,240 to 32,255
        (1231006505, 1233061996, 0x1D00FFFF, 0x1D00FFFF),  # the limit of proof of work
        (1279008237, 1279297671, 0x1C05A3F4, 0x1C0168FD),  # faster than a quarter
        (1263163443, 1269211443, 0x1C387F6F, 0x1D00E1FD),  # slower than four times
    ],
)
def test_retargets_known_from_core(
    first_time: int, last_time: int, old_bits: int, new_bits: int
) -> None:
    assert retarget(old_bits, first_time, last_time, MAINNET.pow_limit) == new_bits


def test_median_of_few_times_is_the_upper_one() -> None:
    assert median_time([5]) == 5
    assert median_time([5, 1]) == 5
    assert median_time([3, 1, 2]) == 2
    assert median_time(list(range(11, 0, -1))) == 6


def test_mainnet_epochs_have_the_work_that_their_bits_say() -> None:
    rows = facts("mainnet-epochs.csv")
    work = 2016 * work_from_bits(0x1D00FFFF)
    for row, following in pairwise(rows):
        assert int(row["chainwork_through_last_height"], 16) == work
        assert int(following["last_height"]) == int(row["last_height"]) + 2016
        work += 2016 * work_from_bits(int(row["next_bits"], 16))
    assert int(rows[-1]["chainwork_through_last_height"], 16) == work


def test_mainnet_first_headers_follow_their_anchors() -> None:
    # A real header on a real anchor: link, bits and proof of work at once.
    first = {int(row["height"]): row["header"] for row in facts("mainnet-epoch-headers.csv")}
    tried = 0
    for row in facts("mainnet-epochs.csv"):
        height = int(row["last_height"])
        header = first.get(height + 1)
        if header is None:
            continue
        anchor = ChainAnchor(
            height,
            hash_from_hex(row["last_hash"]),
            int(row["next_bits"], 16),
            int(row["chainwork_through_last_height"], 16),
        )
        chain = HeaderChain(MAINNET, anchor)
        chain.accept(bytes.fromhex(header), now=LATER)
        assert chain.height == height + 1
        assert chain.chain_work == anchor.chain_work + work_from_bits(anchor.next_bits)
        tried += 1
    assert tried > 400


def test_mainnet_retargets_follow_from_the_times_of_their_epochs() -> None:
    # The facts hold each epoch's first header. Its last block's time is not among them, but lies
    # within hours of the next first one's, so the new target lies between two retargets.
    bits = {int(row["last_height"]) + 1: row["next_bits"] for row in facts("mainnet-epochs.csv")}
    first = {
        int(row["height"]): BlockHeader.parse(bytes.fromhex(row["header"]))
        for row in facts("mainnet-epoch-headers.csv")
    }
    slack = 4 * 3600
    tried = 0
    for height, header in first.items():
        following = first.get(height + 2016)
        if following is None:
            continue
        times = (following.time - slack, following.time + slack)
        lowest, highest = (
            target_from_bits(retarget(header.bits, header.time, time, MAINNET.pow_limit))
            for time in times
        )
        assert lowest <= target_from_bits(int(bits[height + 2016], 16)) <= highest
        tried += 1
    assert tried > 400


def random_times(seed: int, count: int, *, start: int, slow: float) -> list[int]:
    """Make times that never violate the median rule, `slow` of them over 20 minutes late."""
    random = Random(seed)
    times = [start]
    for _ in range(count):
        late = random.random() < slow
        step = random.randrange(1201, 4000) if late else random.randrange(1, 900)
        times.append(times[-1] + step)
    return times[1:]


@pytest.mark.parametrize("params", [MAINNET, SIGNET, TESTNET4], ids=lambda params: params.name)
@pytest.mark.parametrize("slow", [0.0, 0.05])
def test_chain_mined_by_the_naive_rules_is_accepted(params: ChainParams, slow: float) -> None:
    rules = easy(params)
    start = genesis(rules).time
    headers = grow(rules, random_times(7, 2 * 2016 + 40, start=start, slow=slow))
    chain = HeaderChain(rules)
    for position in range(1, len(headers), 1000):
        chain.accept(headers[position : position + 1000], now=LATER)
    assert chain.tip.hash == headers[-1].hash
    assert len({header.bits for header in headers}) > 1
    assert chain.chain_work == sum(work_from_bits(header.bits) for header in headers)
    # Any other bits are refused, inside an epoch and where one ends.
    for height in (2015, 2016, 2017, 4032, 4050):
        wrong = mine(headers[height - 1].hash, headers[height].time, headers[height].bits - 1)
        fresh = HeaderChain(rules)
        fresh.accept(headers[1:height], now=LATER)
        with pytest.raises(InvalidHeader, match="difficulty bits"):
            fresh.accept([wrong], now=LATER)


def test_testnet4_retargets_from_the_first_block_of_the_epoch() -> None:
    rules = easy(TESTNET4)
    start = genesis(rules).time
    times = [start + 150 * number for number in range(1, 2016)]
    headers = grow(rules, times)
    second = times[-1] + 150
    # The second epoch is four times as hard; its last block is late and so of minimum difficulty.
    for number in range(2015):
        time = second + 300 * number
        headers.append(mine(headers[-1].hash, time, required_bits(rules, headers, time)))
    hard = headers[2016].bits
    late = headers[-1].time + 1201
    headers.append(mine(headers[-1].hash, late, rules.pow_limit_bits))
    assert target_from_bits(hard) < rules.pow_limit // 3
    chain = HeaderChain(rules)
    chain.accept(headers[1:], now=LATER)
    following = required_bits(rules, headers, late + 600)
    assert target_from_bits(following) < rules.pow_limit // 3  # by testnet3's rule it would not be
    chain.accept([mine(headers[-1].hash, late + 600, following)], now=LATER)
    assert chain.height == 4032


def test_testnet4_late_block_must_have_minimum_difficulty() -> None:
    rules = easy(TESTNET4)
    start = genesis(rules).time
    headers = grow(rules, [start + 100 * number for number in range(1, 2020)])
    normal = headers[-1].bits
    assert normal != rules.pow_limit_bits
    for delay, bits in ((1200, rules.pow_limit_bits), (1201, normal)):
        chain = HeaderChain(rules)
        chain.accept(headers[1:], now=LATER)
        with pytest.raises(InvalidHeader, match="difficulty bits"):
            chain.accept([mine(headers[-1].hash, headers[-1].time + delay, bits)], now=LATER)
    # After a late block the difficulty is that of the last block which was not late.
    late = mine(headers[-1].hash, headers[-1].time + 1201, rules.pow_limit_bits)
    chain = HeaderChain(rules)
    chain.accept([*headers[1:], late, mine(late.hash, late.time + 1, normal)], now=LATER)
    assert chain.height == len(headers) + 1


@pytest.mark.parametrize(("back", "valid"), [(600, True), (601, False)])
def test_testnet4_epoch_may_start_at_most_ten_minutes_back(back: int, *, valid: bool) -> None:
    rules = easy(TESTNET4)
    start = genesis(rules).time
    headers = grow(rules, [start + 600 * number for number in range(1, 2016)])
    time = headers[-1].time - back
    first = mine(headers[-1].hash, time, required_bits(rules, headers, time))
    chain = HeaderChain(rules)
    chain.accept(headers[1:], now=LATER)
    if valid:
        chain.accept([first], now=LATER)
        assert chain.height == 2016
    else:
        with pytest.raises(InvalidHeader, match="time warp"):
            chain.accept([first], now=LATER)
    # Mainnet knows no such rule.
    free = HeaderChain(easy(MAINNET))
    old = grow(easy(MAINNET), [start + 600 * number for number in range(1, 2016)])
    free.accept(old[1:], now=LATER)
    free.accept([mine(old[-1].hash, time, required_bits(easy(MAINNET), old, time))], now=LATER)
    assert free.height == 2016


def test_time_must_pass_the_median_of_eleven() -> None:
    rules = easy(SIGNET)
    start = genesis(rules).time
    headers = grow(rules, [start + 600 * number for number in range(1, 31)])
    median = sorted(header.time for header in headers[-11:])[5]
    chain = HeaderChain(rules)
    chain.accept(headers[1:], now=LATER)
    with pytest.raises(InvalidHeader, match="median"):
        chain.accept([mine(headers[-1].hash, median)], now=LATER)
    chain.accept([mine(headers[-1].hash, median + 1)], now=LATER)
    assert chain.height == 31


def test_median_rule_holds_right_above_genesis() -> None:
    rules = easy(SIGNET)
    first = genesis(rules)
    with pytest.raises(InvalidHeader, match="median"):
        HeaderChain(rules).accept([mine(first.hash, first.time)], now=LATER)


def test_time_may_lie_two_hours_ahead() -> None:
    rules = easy(SIGNET)
    first = genesis(rules)
    now = first.time + 100
    with pytest.raises(FutureHeader):
        HeaderChain(rules).accept([mine(first.hash, now + 7201)], now=now)
    chain = HeaderChain(rules)
    chain.accept([mine(first.hash, now + 7200)], now=now)
    assert chain.height == 1


def test_testnet4_goes_on_above_an_anchor_by_the_same_rules() -> None:
    """A known block is the last of an epoch: all that the rules need begins right above it."""
    rules = easy(TESTNET4)
    start = genesis(rules).time
    times = random_times(11, 3 * 2016 + 30, start=start, slow=0.1)
    headers = grow(rules, times)
    for end in (2015, 4031):
        work = sum(work_from_bits(header.bits) for header in headers[: end + 1])
        anchor = ChainAnchor(end, headers[end].hash, headers[end + 1].bits, work)
        chain = HeaderChain(rules, anchor)
        chain.accept(headers[end + 1 :], now=LATER)
        assert chain.tip.hash == headers[-1].hash
        wrong = ChainAnchor(end + 1, headers[end + 1].hash, headers[end + 2].bits, work)
        with pytest.raises(ValueError, match="epoch"):
            HeaderChain(rules, wrong)
        whole = HeaderChain(rules)
        whole.accept(headers[1:], now=LATER)
        chain.prepend(b"".join(header.serialize() for header in headers[: end + 1]), None)
        late = headers[-1].time + 1201
        for each in (chain, whole):
            each.accept([mine(headers[-1].hash, late, rules.pow_limit_bits)], now=LATER)
        assert chain.chain_work == whole.chain_work
