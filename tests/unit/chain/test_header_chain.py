from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.chain.mining import easy, extend, genesis, grow, mine, mine_bad, total_work
from wallet_gui.chain import header_chain
from wallet_gui.chain.backend import BlockRef
from wallet_gui.chain.header_chain import (
    ChainAnchor,
    HeaderChain,
    InvalidHeader,
    UnknownParent,
)
from wallet_gui.primitives.block import BlockHeader, work_from_bits
from wallet_gui.primitives.params import MAINNET, NETWORKS, REGTEST, SIGNET, ChainParams

NOW = 1 << 31
GENESIS = genesis(REGTEST)


def chain_of(headers: list[BlockHeader]) -> HeaderChain:
    chain = HeaderChain(REGTEST)
    chain.accept(headers, NOW)
    return chain


def serialized(headers: list[BlockHeader]) -> bytes:
    return b"".join(header.serialize() for header in headers)


@pytest.mark.parametrize("params", NETWORKS.values(), ids=lambda params: params.name)
def test_new_chain_stands_on_genesis(params: ChainParams) -> None:
    chain = HeaderChain(params)
    assert chain.tip == BlockRef(0, params.genesis_hash)
    assert chain.header_at(0).hash == params.genesis_hash
    assert chain.height_of(params.genesis_hash) == 0
    assert chain.locator() == [params.genesis_hash]
    assert chain.chain_work == work_from_bits(params.pow_limit_bits)
    assert chain.has_minimum_work == (params is REGTEST)


def test_first_real_mainnet_blocks() -> None:
    # Blocks 1 and 2, known to all.
    raw = bytes.fromhex(
        "010000006fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000"
        "982051fd1e4ba744bbbe680e1fee14677ba1a3c3540bf7b1cdb606e857233e0e61bc6649ffff001d01e36299"
        "010000004860eb18bf1b1620e37e9490fc8a427514416fd75159ab86688e9a8300000000"
        "d5fdcc541e25de1c7a5addedf24858b8bb665c9f36ef744ee42c316022c90f9bb0bc6649ffff001d08d2bd61"
    )
    chain = HeaderChain(MAINNET)
    result = chain.accept(raw, now=1231469744)
    assert (result.added, result.fork_height, result.first_changed) == (2, None, 1)
    assert chain.tip.hash[::-1].hex() == (
        "000000006a625f06636b8bb6ac7b960a8d03705d1ace08b1a19da3fdcc99ddbd"
    )
    assert chain.chain_work == 0x300030003


def test_bytes_and_objects_are_the_same() -> None:
    headers = extend(GENESIS, 5)
    assert chain_of(headers).tip == HeaderChain(REGTEST).accept(serialized(headers), NOW).tip


def test_reading_the_chain() -> None:
    headers = extend(GENESIS, 40)
    chain = chain_of(headers)
    everything = [GENESIS, *headers]
    assert chain.hashes(0, 40) == [header.hash for header in everything]
    assert chain.hashes(7, 7) == [headers[6].hash]
    assert chain.hashes(7, 6) == []
    for height, header in enumerate(everything):
        assert chain.hash_at(height) == header.hash
        assert chain.header_at(height) == header
        assert chain.height_of(header.hash) == height
    assert chain.raw_headers(3, 5) == serialized(everything[3:6])
    assert chain.raw_headers(41, 40) == b""
    assert chain.height_of(bytes(32)) is None
    assert chain.chain_work == total_work(everything)
    for call in (chain.hash_at, chain.header_at):
        for height in (-1, 41):
            with pytest.raises(IndexError):
                call(height)


def test_locator_is_dense_at_the_tip_and_ends_at_genesis() -> None:
    headers = extend(GENESIS, 100)
    chain = chain_of(headers)
    heights = [chain.height_of(block_hash) for block_hash in chain.locator()]
    assert heights == [100, 99, 98, 97, 96, 95, 94, 93, 92, 91, 89, 85, 77, 61, 29, 0]


def test_known_headers_are_stepped_over() -> None:
    headers = extend(GENESIS, 10)
    chain = chain_of(headers)
    again = chain.accept(headers[2:7], NOW)
    assert (again.added, again.first_changed) == (0, None)
    assert again.last == BlockRef(7, headers[6].hash)
    more = extend(headers[-1], 3)
    result = chain.accept(headers[5:] + more, NOW)
    assert (result.added, result.first_changed, result.tip.height) == (3, 11, 13)
    assert chain.accept([], NOW).last == chain.tip
    assert HeaderChain(REGTEST).accept([GENESIS, *headers], NOW).added == 10
    assert HeaderChain(REGTEST).accept([GENESIS], NOW).added == 0


def test_headers_without_a_known_parent_are_nobodys_fault() -> None:
    headers = extend(GENESIS, 3)
    chain = HeaderChain(REGTEST)
    with pytest.raises(UnknownParent):
        chain.accept(headers[1:], NOW)


def test_invalid_headers_change_nothing() -> None:
    headers = extend(GENESIS, 8)
    for broken, sentence in (
        ([*headers[:4], *headers[5:]], "does not follow"),
        ([*headers[:4], mine_bad(headers[3].hash, headers[3].time + 600)], "proof of work"),
        ([*headers[:4], mine(headers[3].hash, headers[3].time + 1, 0x1F7FFFFF)], "bits"),
    ):
        chain = chain_of(headers[:2])
        before = (chain.tip, chain.chain_work, chain.raw_headers(0, 2))
        with pytest.raises(InvalidHeader, match=sentence):
            chain.accept(broken, NOW)
        assert (chain.tip, chain.chain_work, chain.raw_headers(0, chain.height)) == before
        assert chain.accept(headers, NOW).tip.height == 8
    with pytest.raises(ValueError, match="80 bytes"):
        chain_of(headers).accept(bytes(79), NOW)


def test_more_work_reorganises_and_equal_work_does_not() -> None:
    trunk = extend(GENESIS, 20)
    chain = chain_of(trunk)
    rival = extend(trunk[14], 6, salt=1)
    result = chain.accept(rival[:5], NOW)
    assert (result.added, result.fork_height, result.first_changed) == (5, None, None)
    assert result.tip == BlockRef(20, trunk[-1].hash)
    assert result.last == BlockRef(20, rival[4].hash)
    result = chain.accept(rival[5:], NOW)
    assert (result.added, result.fork_height, result.first_changed) == (1, 15, 16)
    assert chain.tip == BlockRef(21, rival[-1].hash)
    assert chain.chain_work == total_work([GENESIS, *trunk[:15], *rival])
    assert chain.hashes(14, 17) == [header.hash for header in (*trunk[13:15], *rival[:2])]
    for header in trunk[15:]:
        assert chain.height_of(header.hash) is None
    for height, header in enumerate(rival, 16):
        assert chain.height_of(header.hash) == height
    # The old branch is remembered: two headers on it are enough to come back.
    result = chain.accept(extend(trunk[-1], 2), NOW)
    assert (result.fork_height, result.tip.height) == (15, 22)
    assert chain.height_of(trunk[-1].hash) == 20


def test_deep_reorganisation() -> None:
    trunk = extend(GENESIS, 150)
    chain = chain_of(trunk)
    rival = extend(trunk[9], 141, salt=1)
    result = chain.accept(rival, NOW)
    assert (result.fork_height, result.tip.height) == (10, 151)
    assert chain.raw_headers(0, 151) == serialized([GENESIS, *trunk[:10], *rival])


def test_nothing_reorganises_below_a_checkpoint() -> None:
    trunk = extend(GENESIS, 20)
    chain = HeaderChain(REGTEST, checkpoints={10: trunk[9].hash, 99: bytes(32)})
    chain.accept(trunk[:5], NOW)
    assert chain.final_height == 0
    chain.accept(trunk, NOW)
    assert chain.final_height == 10
    with pytest.raises(InvalidHeader, match="checkpoint"):
        chain.accept(extend(trunk[8], 30, salt=1), NOW)
    result = chain.accept(extend(trunk[9], 30, salt=1), NOW)
    assert result.fork_height == 10


def test_checkpoint_must_be_met() -> None:
    trunk = extend(GENESIS, 12)
    for height, length in ((10, 12), (12, 12)):
        chain = HeaderChain(REGTEST, checkpoints={height: bytes(32)})
        with pytest.raises(InvalidHeader, match="known one"):
            chain.accept(trunk[:length], NOW)
        assert chain.height == 0


def test_side_branches_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    trunk = extend(GENESIS, 50)
    chain = chain_of(trunk)
    for salt in range(1, 61):
        chain.accept(extend(trunk[40], 1 + salt % 5, salt=salt), NOW)
    assert len(chain._side) == header_chain.MAX_SIDE_BRANCHES
    assert min(branch.cursor.height for branch in chain._side) > 42  # the weakest went
    monkeypatch.setattr(header_chain, "MAX_SIDE_HEADERS", 30)
    chain.accept(extend(trunk[20], 25, salt=99), NOW)
    assert sum(len(branch.raw) for branch in chain._side) <= 30 * 80
    assert chain.tip.hash == trunk[-1].hash


@settings(deadline=None, max_examples=60)
@given(st.randoms(use_true_random=False))
def test_any_tree_of_headers_leads_to_the_most_work_seen_first(random: Random) -> None:
    heights = {GENESIS.hash: 0}
    paths: dict[bytes, list[BlockHeader]] = {GENESIS.hash: [GENESIS]}
    chain = HeaderChain(REGTEST)
    best = GENESIS.hash
    for salt in range(1, 25):
        # Grow from a recent block or any other, and tell it from some way below.
        parents = list(paths)
        parent = parents[-random.randrange(1, min(len(parents), 6) + 1)]
        grown = extend(paths[parent][-1], random.randrange(1, 5), salt=salt)
        below = paths[parent][-random.randrange(0, 4) or len(paths[parent]) :]
        told = [header for header in below if header is not GENESIS] + grown
        before, fork = chain.tip, 0
        for header in grown:
            paths[header.hash] = [*paths[header.prev_blockhash], header]
            heights[header.hash] = heights[header.prev_blockhash] + 1
        result = chain.accept(told, NOW)
        assert result.added == len(grown)
        assert result.last == BlockRef(heights[grown[-1].hash], grown[-1].hash)
        if heights[grown[-1].hash] > heights[best]:
            best = grown[-1].hash
            common = [
                height
                for height, (old, new) in enumerate(
                    zip(paths[before.hash], paths[best], strict=False)
                )
                if old is new
            ]
            fork = max(common)
            assert result.fork_height == (None if fork == before.height else fork)
            assert result.first_changed == fork + 1
        else:
            assert result.fork_height is None
            assert result.first_changed is None
        assert chain.raw_headers(0, chain.height) == serialized(paths[best])
        assert chain.chain_work == total_work(paths[best])
        assert chain.tip.hash == best
        active = {header.hash for header in paths[best]}
        for block_hash, height in heights.items():
            assert chain.height_of(block_hash) == (height if block_hash in active else None)


def test_rules_hold_on_side_branches() -> None:
    rules = easy(SIGNET)
    start = GENESIS.time
    trunk = grow(rules, [start + 500 * number for number in range(1, 2030)])
    chain = HeaderChain(rules)
    chain.accept(trunk[1:], NOW)
    # A fork before the retarget: the same bits follow from the same epoch, others do not.
    parent = trunk[2010]
    rival: list[BlockHeader] = []
    while len(rival) < 30:
        height = 2011 + len(rival)
        bits = trunk[2015].bits if height < 2016 else trunk[2016].bits
        time = trunk[height].time if height < len(trunk) else parent.time + 500
        parent = mine(parent.hash, time, bits, salt=1)
        rival.append(parent)
    with pytest.raises(InvalidHeader, match="bits"):
        chain.accept([*rival[:5], mine(rival[4].hash, rival[4].time + 500, 0x207FFFFF)], NOW)
    assert chain.accept(rival[:7], NOW).fork_height is None
    assert chain.accept(rival, NOW).fork_height == 2010
    assert chain.chain_work == total_work([*trunk[:2011], *rival])
    with pytest.raises(InvalidHeader, match="median"):
        chain.accept([mine(trunk[-1].hash, trunk[-7].time, trunk[-1].bits)], NOW)


def anchored() -> tuple[ChainParams, list[BlockHeader], ChainAnchor]:
    rules = easy(SIGNET)
    start = GENESIS.time
    headers = grow(rules, [start + 500 * number for number in range(1, 2 * 2016 + 20)])
    anchor = ChainAnchor(2015, headers[2015].hash, headers[2016].bits, total_work(headers[:2016]))
    return rules, headers, anchor


def test_chain_starts_above_an_anchor() -> None:
    rules, headers, anchor = anchored()
    chain = HeaderChain(rules, anchor)
    assert chain.tip == BlockRef(2015, anchor.hash)
    assert chain.locator() == [anchor.hash]
    assert chain.height_of(anchor.hash) == 2015
    assert chain.chain_work == anchor.chain_work
    with pytest.raises(InvalidHeader, match="bits"):
        chain.accept([mine(anchor.hash, headers[2016].time, 0x207FFFFF)], NOW)
    chain.accept(headers[2016:], NOW)
    assert chain.tip == BlockRef(len(headers) - 1, headers[-1].hash)
    assert chain.chain_work == total_work(headers)
    assert chain.locator()[-1] == anchor.hash
    assert chain.start_height == 2016
    assert chain.hash_at(2015) == anchor.hash
    with pytest.raises(IndexError):
        chain.hash_at(2014)
    with pytest.raises(IndexError):
        chain.header_at(2015)
    # A rival right above the anchor is a reorganisation like any other; one below is unknown.
    with pytest.raises(UnknownParent):
        chain.accept(headers[2014:2015], NOW)
    rival = mine(anchor.hash, headers[2016].time, headers[2016].bits, salt=1)
    assert chain.accept([rival], NOW).last == BlockRef(2016, rival.hash)


def test_median_rule_waits_for_eleven_times_above_an_anchor() -> None:
    rules, headers, anchor = anchored()
    bits = anchor.next_bits
    chain = HeaderChain(rules, anchor)
    chain.accept(headers[2016:2026], NOW)  # ten times
    chain.accept([mine(headers[2025].hash, headers[2016].time, bits)], NOW)
    chain = HeaderChain(rules, anchor)
    chain.accept(headers[2016:2027], NOW)  # eleven times
    with pytest.raises(InvalidHeader, match="median"):
        chain.accept([mine(headers[2026].hash, headers[2016].time, bits)], NOW)


def test_an_anchor_ends_an_epoch() -> None:
    _, headers, anchor = anchored()
    with pytest.raises(ValueError, match="epoch"):
        HeaderChain(SIGNET, replace(anchor, height=2016, hash=headers[2016].hash))


def test_loading_gives_the_same_chain() -> None:
    rules, headers, anchor = anchored()
    for start, base in ((0, None), (2016, anchor)):
        chain = HeaderChain(rules, base)
        chain.accept(headers[start or 1 :], NOW)
        raw = chain.raw_headers(start, chain.height)
        loaded = HeaderChain.load(rules, start, raw, anchor=base)
        assert loaded.tip == chain.tip
        assert loaded.chain_work == chain.chain_work
        assert loaded.raw_headers(start, loaded.height) == raw
        # It goes on by the same rules.
        time = headers[-1].time + 500
        following = mine(headers[-1].hash, time, headers[-1].bits)
        assert loaded.accept([following], NOW) == chain.accept([following], NOW)
        assert HeaderChain.load(rules, start, b"", anchor=base).height == (base or chain).height * (
            base is not None
        )
        short = HeaderChain.load(rules, start, raw[:80], anchor=base)
        assert short.height == start


def test_a_damaged_store_is_found_out() -> None:
    headers = extend(GENESIS, 12)
    raw = chain_of(headers).raw_headers(0, 12)
    for position in (3, 85, 500, len(raw) - 90, len(raw) - 50):
        damaged = bytearray(raw)
        damaged[position] ^= 1
        try:
            loaded = HeaderChain.load(REGTEST, 0, bytes(damaged))
        except InvalidHeader:
            continue
        # Only the tip's own hash is not linked to: half of them meet regtest's target.
        assert position >= len(raw) - 80
        assert loaded.height == 12
    with pytest.raises(ValueError, match="start"):
        HeaderChain.load(REGTEST, 5, raw)
    with pytest.raises(ValueError, match="start"):
        HeaderChain.load(REGTEST, 0, raw[:-1])
    with pytest.raises(InvalidHeader):
        HeaderChain.load(SIGNET, 0, raw)
    with pytest.raises(InvalidHeader, match="known one"):
        HeaderChain.load(REGTEST, 0, raw, checkpoints={5: bytes(32)})


def test_birthdays_resolve_to_heights() -> None:
    headers = extend(GENESIS, 60)
    chain = chain_of(headers)
    medians = [chain.median_time_past(height) for height in range(61)]
    assert medians == sorted(medians)
    everything = [GENESIS, *headers]
    for height in (0, 1, 5, 30, 60):
        times = sorted(header.time for header in everything[max(0, height - 10) : height + 1])
        assert medians[height] == times[len(times) // 2]
    for time in (medians[0] - 1, medians[20], medians[20] - 1, medians[60] + 10**6):
        expected = max((height for height in range(61) if medians[height] <= time), default=0)
        assert chain.height_at_or_before(time) == expected
    rules, signet, anchor = anchored()
    above = HeaderChain(rules, anchor)
    above.accept(signet[2016:], NOW)
    assert above.height_at_or_before(0) == 2015
    assert above.height_at_or_before(NOW) == above.height


def test_index_survives_growth_and_reorganisation() -> None:
    trunk = extend(GENESIS, 900)
    chain = chain_of(trunk[:600])
    assert chain.height_of(trunk[3].hash) == 4
    chain.accept(trunk[600:], NOW)
    assert chain.height_of(trunk[899].hash) == 900
    chain.accept(extend(trunk[880], 30, salt=1), NOW)
    assert chain.height_of(trunk[885].hash) is None
    assert [chain.height_of(block_hash) for block_hash in chain.hashes(0, chain.height)] == list(
        range(chain.height + 1)
    )


def test_a_chain_extends_downwards_to_an_anchor_and_to_genesis() -> None:
    rules = easy(SIGNET)
    start = GENESIS.time
    headers = grow(rules, [start + 500 * number for number in range(1, 3 * 2016 + 20)])
    raw = serialized(headers)

    def anchor_at(height: int) -> ChainAnchor:
        work = total_work(headers[: height + 1])
        return ChainAnchor(height, headers[height].hash, headers[height + 1].bits, work)

    whole = HeaderChain(rules)
    whole.accept(headers[1:], NOW)
    for held in (0, 3, 19):  # headers above the anchor when it is extended
        chain = HeaderChain(rules, anchor_at(6047))
        chain.accept(headers[6048 : 6048 + held], NOW)
        rival = extend_signet(headers[6046 + held], headers[6047 + held].bits)
        if held:
            chain.accept([rival], NOW)  # a side branch stays one
        assert chain.height_of(headers[4000].hash) is None
        chain.prepend(raw[4032 * 80 : 6048 * 80], anchor_at(4031))
        assert (chain.start_height, chain.height) == (4032, 6047 + held)
        assert chain.height_of(headers[4032].hash) == 4032
        chain.prepend(raw[: 4032 * 80], None)
        assert chain.anchor is None
        assert chain.raw_headers(0, chain.height) == raw[: (6048 + held) * 80]
        for height in (0, 1, 2015, 4031, 4032, 6047):
            assert chain.height_of(headers[height].hash) == height
            assert chain.median_time_past(height) == whole.median_time_past(height)
        chain.accept(headers[6048 + held :], NOW)
        assert chain.tip == whole.tip
        assert chain.chain_work == whole.chain_work
        assert chain.locator() == whole.locator()


def extend_signet(parent: BlockHeader, bits: int) -> BlockHeader:
    return mine(parent.hash, parent.time + 700, bits, salt=8)


def test_only_what_fits_is_prepended() -> None:
    rules, headers, anchor = anchored()
    raw = serialized(headers)
    below = raw[: 2016 * 80]
    chain = HeaderChain(rules, anchor)
    chain.accept(headers[2016:], NOW)
    before = (chain.start_height, chain.raw_headers(2016, chain.height))
    broken = below[: 500 * 80] + bytes([below[500 * 80] ^ 1]) + below[500 * 80 + 1 :]
    wrong_genesis = serialized([genesis(SIGNET)]) + below[80:]
    rivals = serialized(grow(rules, [headers[0].time + 499 * n for n in range(1, 2016)]))
    for wrong in (broken, wrong_genesis, rivals):
        with pytest.raises(InvalidHeader):
            chain.prepend(wrong, None)
    for short in (b"", below[80:], below[:-80]):
        with pytest.raises(ValueError, match="end below"):
            chain.prepend(short, None)
    with pytest.raises(ValueError, match="end below"):
        HeaderChain(rules).prepend(below, None)
    assert before == (chain.start_height, chain.raw_headers(2016, chain.height))
    chain.prepend(below, None)
    assert chain.start_height == 0


def test_a_refused_block_is_left_and_never_taken_again() -> None:
    trunk = extend(GENESIS, 20)
    rival = extend(trunk[9], 8, salt=1)
    chain = HeaderChain(REGTEST, checkpoints={5: trunk[4].hash})
    chain.accept(trunk, NOW)
    chain.accept(rival, NOW)
    assert chain.refuse(trunk[4].hash) is None  # known beforehand: it cannot be wrong
    assert chain.refuse(b"\x09" * 32) is None
    result = chain.refuse(trunk[15].hash)
    assert result is not None
    assert (result.fork_height, result.first_changed) == (10, 11)
    assert chain.tip == BlockRef(18, rival[-1].hash)
    assert chain.height_of(trunk[12].hash) is None
    assert chain.chain_work == total_work([GENESIS, *trunk[:10], *rival])
    for told in (trunk, trunk[15:], extend(trunk[19], 3)):
        with pytest.raises((InvalidHeader, UnknownParent)):
            chain.accept(told, NOW)
    chain.accept(trunk[:15], NOW)  # what lies below it is a branch like any other
    assert chain.accept(extend(trunk[14], 9, salt=3), NOW).fork_height == 10
    # Without a branch to go to, the chain ends below the block.
    result = chain.refuse(chain.tip.hash)
    assert result is not None
    assert (result.fork_height, result.tip.height) == (23, 23)


def test_long_side_branches_grow_in_place() -> None:
    trunk = extend(GENESIS, 600)
    chain = chain_of(trunk)
    rival = extend(GENESIS, 590, salt=4)
    for start in range(0, 590, 59):
        chain.accept(rival[start : start + 59], NOW)
    assert len(chain._side) == 1
    assert chain.claimed_work(serialized(extend(rival[-1], 20))) == total_work(
        [GENESIS, *rival]
    ) + 20 * work_from_bits(REGTEST.pow_limit_bits)
    assert chain.accept(extend(rival[-1], 11), NOW).fork_height == 0
