from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.chain.scan import ScanRange, WalletScan

A, B, C = b"\x51", b"\x52", b"\x53"


def scan_at(start: int = 0, *scripts: bytes, resume: int | None = None) -> WalletScan:
    return WalletScan("wallet", scripts or (A,), start_height=start, resume_height=resume)


def matched(scan: WalletScan, tip: int, *heights: int) -> ScanRange:
    """Match the next range up to `tip`, of which these heights hit."""
    wanted = scan.wanted_range(10_000, tip)
    assert wanted is not None
    assert scan.results(wanted, [height for height in heights if height <= wanted.stop])
    return wanted


def deliver(scan: WalletScan) -> int | None:
    height = scan.next_block()
    if height is not None:
        scan.begin_delivery(height)
        scan.delivered(height)
    return height


def test_ranges_follow_one_another() -> None:
    scan = scan_at(10)
    assert scan.mark == 9
    first = scan.wanted_range(5, 17)
    assert first == ScanRange(10, 14, (A,), first.group if first else -1)
    assert scan.wanted_range(5, 17) == first
    assert first is not None
    assert scan.results(first, [])
    assert scan.mark == 14
    assert not scan.results(first, [11])  # it came already
    second = scan.wanted_range(5, 17)
    assert second is not None
    assert (second.start, second.stop) == (15, 17)
    assert scan.results(second, [])
    assert scan.wanted_range(5, 17) is None
    assert scan.mark == 17
    assert scan.wanted_range(5, 18) is not None


def test_a_wallet_resumes_above_its_start() -> None:
    scan = scan_at(10, resume=500)
    assert scan.mark == 499
    scan.extend([B])
    assert scan.mark == 9
    wanted = scan.wanted_range(10_000, 600)
    assert wanted is not None
    assert (wanted.start, wanted.stop, wanted.scripts) == (10, 499, (B,))


def test_blocks_are_delivered_in_height_order_and_hold_the_mark() -> None:
    scan = scan_at(0)
    matched(scan, 100, 70, 20, 50)
    assert scan.pending(2) == [20, 50]
    assert scan.mark == 19
    assert scan.next_block() == 20
    scan.begin_delivery(20)
    assert scan.next_block() is None  # one at a time
    assert scan.mark == 19
    scan.delivered(20)
    assert scan.mark == 49
    assert [deliver(scan), deliver(scan), deliver(scan)] == [50, 70, None]
    assert scan.mark == 100
    with pytest.raises(ValueError, match="not the next"):
        scan.begin_delivery(50)


def test_higher_blocks_wait_for_new_scripts() -> None:
    scan = scan_at(0)
    matched(scan, 100, 40, 60)
    assert scan.next_block() == 40
    scan.begin_delivery(40)
    assert scan.extend([B])  # the wallet grew while it took the block
    scan.delivered(40)
    assert scan.next_block() is None
    assert scan.mark == -1
    assert scan.pending(9) == [60]
    low = scan.wanted_range(30, 100)
    assert low is not None
    assert (low.start, low.stop, low.scripts) == (0, 29, (B,))
    scan.results(low, [25])
    assert deliver(scan) == 25  # a find below what was delivered: it comes now
    assert scan.next_block() is None
    assert scan.mark == 29
    rest = scan.wanted_range(10_000, 100)
    assert rest is not None
    assert (rest.start, rest.stop) == (30, 100)
    scan.results(rest, [40, 80])
    # The block that made the window grow comes again, since it holds a new script too.
    assert [deliver(scan) for _ in range(4)] == [40, 60, 80, None]
    assert scan.mark == 100


def test_groups_that_meet_become_one() -> None:
    scan = scan_at(0)
    matched(scan, 100)
    scan.extend([B])
    lower = scan.wanted_range(10_000, 500)
    assert lower is not None
    assert (lower.start, lower.stop) == (0, 100)  # no further than the other group
    scan.results(lower, [])
    both = scan.wanted_range(10_000, 500)
    assert both is not None
    assert (both.start, both.stop, set(both.scripts)) == (101, 500, {A, B})
    assert set(scan.scripts) == {A, B}


def test_growth_before_anything_was_matched_joins_the_group() -> None:
    scan = scan_at(5)
    stale = scan.wanted_range(10, 100)
    assert stale is not None
    scan.extend([B])
    assert not scan.results(stale, [7])  # it was matched without the new script
    wanted = scan.wanted_range(10, 100)
    assert wanted is not None
    assert set(wanted.scripts) == {A, B}
    assert not scan.extend([A, B])


def test_filters_at_hand_serve_every_group_they_reach() -> None:
    scan = scan_at(0)
    matched(scan, 49)
    scan.extend([B], from_height=20)
    assert scan.range_within(0, 19) is None
    assert scan.range_within(60, 99) is None
    ranges = []
    while (found := scan.range_within(10, 80)) is not None:
        ranges.append((found.start, found.stop, set(found.scripts)))
        scan.results(found, [])
    assert ranges == [(20, 49, {B}), (50, 80, {A, B})]
    assert scan.mark == 80


def test_disputed_blocks_are_delivered_in_their_turn() -> None:
    scan = scan_at(0)
    scan.include(30)
    assert scan.next_block() is None
    matched(scan, 29, 20)
    assert deliver(scan) == 20
    assert scan.next_block() is None
    matched(scan, 50)
    assert scan.mark == 29
    assert deliver(scan) == 30
    assert scan.mark == 50


def test_a_rewind_forgets_what_is_above() -> None:
    scan = scan_at(0)
    matched(scan, 100, 50, 80, 90)
    assert deliver(scan) == 50
    scan.begin_delivery(80)
    stale = scan.wanted_range(10, 200)
    scan.rewind(70)
    assert scan.pending(9) == []
    assert scan.mark == 70
    scan.delivered(80)  # the wallet took it all the same, and was told of the fork
    assert scan.mark == 70
    assert stale is not None
    assert not scan.results(stale, [105])
    wanted = scan.wanted_range(1000, 120)
    assert wanted is not None
    assert (wanted.start, wanted.stop) == (71, 120)
    # The same range before and after a rewind is not the same.
    scan.rewind(70)
    assert not scan.results(wanted, [])


def test_a_rewind_below_the_start_lowers_it() -> None:
    scan = scan_at(100)
    scan.rewind(95)
    wanted = scan.wanted_range(10, 200)
    assert wanted is not None
    assert wanted.start == 96
    scan.results(wanted, [])
    scan.extend([B])
    assert scan.mark == 95


def test_a_match_outside_its_range_is_a_mistake() -> None:
    scan = scan_at(0)
    wanted = scan.wanted_range(10, 100)
    assert wanted is not None
    for height in (-1, 10):
        with pytest.raises(ValueError, match="outside"):
            scan.results(wanted, [height])
    assert scan.mark == -1


def test_a_wallet_without_scripts_keeps_up() -> None:
    scan = WalletScan("wallet", (), start_height=0)
    matched(scan, 100)
    assert scan.mark == 100


# --- against a model ------------------------------------------------------------------------------


@dataclass
class Model:
    """A chain of blocks, each the set of scripts it touches, scanned as a backend would."""

    random: Random
    chain: list[tuple[int, frozenset[bytes]]]  # (unique number, scripts)
    scan: WalletScan
    watched: set[bytes]
    # Which scripts were watched when a block was delivered to the wallet, by block number.
    seen: dict[int, set[bytes]] = field(default_factory=dict)
    blocks: int = 0
    last: int = -1  # the height delivered before, within one pass
    in_flight: tuple[int, int, set[bytes]] | None = None
    outstanding: list[tuple[ScanRange, list[int]]] = field(default_factory=list)

    @property
    def tip(self) -> int:
        return len(self.chain) - 1

    def add_block(self) -> None:
        pool = [bytes([number]) for number in range(1, 25)]
        touched = self.random.sample(pool, self.random.choice([0, 0, 0, 1, 2]))
        self.blocks += 1
        self.chain.append((self.blocks, frozenset(touched)))

    def reorganise(self) -> None:
        fork = max(0, self.tip - self.random.randrange(1, 8))
        del self.chain[fork + 1 :]
        for _ in range(self.random.randrange(1, 9)):
            self.add_block()
        self.scan.rewind(fork)
        self.last = min(self.last, fork)

    def grow(self) -> None:
        new = {bytes([self.random.randrange(1, 25)]) for _ in range(2)}
        if self.scan.extend(sorted(new)):
            self.last = -1  # a new pass begins
        self.watched |= new

    def ask(self) -> None:
        """Match some range now; its outcome may arrive later, or after the chain has changed."""
        if self.random.random() < 0.5:
            first = self.random.randrange(0, len(self.chain))
            wanted = self.scan.range_within(first, self.tip)
        else:
            wanted = self.scan.wanted_range(self.random.randrange(1, 12), self.tip)
        if wanted is None:
            return
        assert 0 <= wanted.start <= wanted.stop <= self.tip
        hits = [
            height
            for height in range(wanted.start, wanted.stop + 1)
            if self.chain[height][1] & set(wanted.scripts)
        ]
        self.outstanding.append((wanted, hits))

    def answer(self) -> None:
        if self.outstanding:
            wanted, hits = self.outstanding.pop(self.random.randrange(len(self.outstanding)))
            self.scan.results(wanted, hits)

    def begin(self) -> None:
        height = self.scan.next_block()
        if height is None:
            return
        assert height > self.last
        assert self.chain[height][1] & self.watched
        self.last = height
        self.scan.begin_delivery(height)
        self.in_flight = (height, self.chain[height][0], set(self.watched))

    def end(self) -> None:
        if self.in_flight is not None:
            height, number, watched = self.in_flight
            self.seen.setdefault(number, set()).update(watched)  # stored only now
            self.scan.delivered(height)
            self.in_flight = None

    def check_mark(self) -> None:
        """Everything up to the mark was delivered for every script watched now."""
        assert self.scan.mark <= self.tip
        for number, touched in self.chain[: self.scan.mark + 1]:
            missing = touched & self.watched - self.seen.get(number, set())
            assert not missing, (number, missing)

    def finish(self) -> None:
        for _ in range(10_000):
            if self.scan.mark == self.tip:
                break
            self.ask()
            self.answer()
            self.begin()
            self.end()
            self.check_mark()
        assert self.scan.mark == self.tip
        assert self.scan.next_block() is None
        assert self.scan.pending(1) == []
        assert self.scan.wanted_range(9, self.tip) is None


@given(st.randoms(use_true_random=False), st.integers(0, 10))
@settings(deadline=None, max_examples=150)
def test_every_block_of_every_script_is_delivered(random: Random, start: int) -> None:
    first = bytes([random.randrange(1, 25)])
    scan = WalletScan("wallet", [first], start_height=0, resume_height=0)
    model = Model(random, [], scan, {first})
    for _ in range(10 + start):
        model.add_block()
    moves = [
        *[model.ask] * 5,
        *[model.answer] * 5,
        *[model.begin] * 5,
        *[model.end] * 4,
        *[model.add_block] * 3,
        *[model.grow] * 2,
        model.reorganise,
    ]
    for _ in range(120):
        random.choice(moves)()
        model.check_mark()
    model.finish()


def test_what_is_to_be_repeated_is_matched_again_and_delivered_once_more() -> None:
    scan = scan_at(0, b"a")
    first = matched(scan, 20, 5, 15)
    while deliver(scan) is not None:
        pass
    assert scan.mark == 20
    scan.repeat(10)
    assert scan.mark == 9
    assert not scan.results(first, [])  # it was asked for before
    again = scan.wanted_range(100, 20)
    assert again is not None
    assert (again.start, again.stop, again.scripts) == (10, 20, (b"a",))
    assert scan.results(again, [12, 15])
    assert [deliver(scan), deliver(scan), deliver(scan)] == [12, 15, None]
    assert scan.mark == 20
    scan.repeat(30)  # nothing was matched there yet
    assert scan.mark == 20


def test_repeating_brings_groups_together() -> None:
    scan = scan_at(0, b"a")
    matched(scan, 20)
    scan.extend([b"b"], 15)
    scan.repeat(3)
    again = scan.wanted_range(100, 20)
    assert again is not None
    assert (again.start, set(again.scripts)) == (3, {b"a", b"b"})
