import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.chain.p2p.address_book import (
    BUCKET_SIZE,
    DAY,
    HORIZON,
    MAX_REFERENCES,
    NEW_BUCKETS,
    NEW_BUCKETS_PER_SOURCE,
    REPLACEMENT,
    RETRIES,
    TEST_WINDOW,
    TRIED_BUCKETS,
    AddressBook,
)
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.book_format import read_book, write_book
from wallet_gui.chain.p2p.messages import Services
from wallet_gui.chain.p2p.netgroup import is_routable, netgroup
from wallet_gui.primitives.serialize import ParseError

NOW = 1_800_000_000
FULL = int(Services.NETWORK | Services.WITNESS | Services.COMPACT_FILTERS)


def make_book(seed: int = 1) -> AddressBook:
    return AddressBook(bytes([seed]) * 32, rng=random.Random(seed))


def address(number: int, *, group: int | None = None) -> PeerAddress:
    """A public IPv4 address; numbers that differ are in different /16 unless a group is given."""
    if group is None:
        return PeerAddress(f"{11 + number // 250 % 80}.{number % 250}.4.4", 8333)
    return PeerAddress(f"{11 + group // 250}.{group % 250}.{number // 250}.{number % 250}", 8333)


def check(book: AddressBook) -> None:
    """Every invariant of the tables."""
    seen_new: dict[PeerAddress, set[int]] = {}
    for number, bucket in enumerate(book._new):
        assert len(bucket) == BUCKET_SIZE
        for place, found in enumerate(bucket):
            if found is not None:
                seen_new.setdefault(found, set()).add(number)
                assert book._new_place(found, number) == place
    seen_tried = [found for bucket in book._tried for found in bucket if found is not None]
    assert len(book._new) == NEW_BUCKETS
    assert len(book._tried) == TRIED_BUCKETS
    assert len(seen_tried) == len(set(seen_tried))
    for record in book:
        assert record.is_tried == (record.address in seen_tried)
        assert record.buckets == seen_new.get(record.address, set())
        assert record.is_tried != bool(record.buckets)
        assert len(record.buckets) <= MAX_REFERENCES
    assert set(seen_new) | set(seen_tried) == {record.address for record in book}


hosts = st.one_of(
    st.integers(0, 3000).map(address),
    st.integers(0, 3000).map(lambda n: address(n, group=7)),
    st.just(PeerAddress("2001:db8::1", 8333)),
    st.just(PeerAddress("2a01:4f8::1", 8333)),
    st.just(PeerAddress("a" * 56 + ".onion", 8333)),
    st.just(PeerAddress("127.0.0.1", 8333)),
)
sources = st.integers(0, 5).map(lambda n: b"source%d" % n)
steps = st.lists(
    st.tuples(
        st.sampled_from(["add", "try", "fail", "ok", "resolve", "ban", "group", "select"]),
        hosts,
        sources,
        st.integers(0, 40 * DAY),
    ),
    max_size=300,
)


@settings(deadline=None, max_examples=60)
@given(steps, st.integers(0, 1000))
def test_tables_stay_whole_and_survive_the_disk(
    todo: list[tuple[str, PeerAddress, bytes, int]], seed: int
) -> None:
    book = make_book(seed % 200)
    now = NOW
    for what, host, source, age in todo:
        now += 61
        match what:
            case "add":
                book.add(host, source, now, services=FULL, last_seen=now - age)
            case "try":
                book.attempt(host, now)
            case "fail":
                book.failed(host, now)
            case "ok":
                book.succeeded(host, FULL, now, is_v2=bool(age % 2))
            case "resolve":
                book.resolve_collisions(now)
            case "ban":
                book.ban(host, now + age)
            case "group":
                book.ban_group(netgroup(host), now + age)
            case _:
                chosen = book.select(now)
                assert chosen is None or not book.is_banned(chosen.address, now)
    check(book)
    copy = read_book(write_book(book), now, group_of=netgroup, is_welcome=is_routable)
    check(copy)
    assert {r.address: r for r in copy} == {r.address: r for r in book}
    assert copy.group_bans == book.group_bans
    assert copy.secret == book.secret
    assert write_book(copy) == write_book(book) or len(book) > 1  # the order may differ


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_a_book_or_a_parse_error(data: bytes) -> None:
    with pytest.raises(ParseError):
        read_book(data, NOW, group_of=netgroup, is_welcome=is_routable)


@settings(deadline=None)
@given(st.data())
def test_a_changed_byte_is_noticed(data: st.DataObject) -> None:
    book = make_book()
    for number in range(20):
        book.add(address(number), b"s", NOW, services=FULL)
    raw = bytearray(write_book(book))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ParseError):
        read_book(bytes(raw), NOW, group_of=netgroup, is_welcome=is_routable)


def test_a_full_book_is_small_enough_for_its_file() -> None:
    book = make_book()
    for number in range(60_000):
        book.add(
            PeerAddress(f"{11 + number % 200}.{number // 200 % 250}.{number % 97}.7", 8333),
            b"source%d" % (number % 300),
            NOW,
            services=FULL,
        )
    check(book)
    assert 1500 < len(book) <= NEW_BUCKETS * BUCKET_SIZE
    assert len(write_book(book)) < 4 * 1024 * 1024


def fill_honestly(book: AddressBook) -> set[PeerAddress]:
    """What a wallet has after its first minutes: seeds, and what a few peers told."""
    known: set[PeerAddress] = set()
    for source in range(9):
        for number in range(40):
            known.add(address(source * 40 + number))
            book.add(address(source * 40 + number), b"seed:%d" % source, NOW, services=FULL)
    for source in range(6):
        for number in range(300):
            known.add(address(1000 + source * 300 + number))
            book.add(address(1000 + source * 300 + number), b"peer%d" % source, NOW, services=FULL)
    return known


@pytest.mark.parametrize("own_group", [True, False], ids=["of his own /16", "of any network"])
def test_one_flooding_source_gets_a_small_share(*, own_group: bool) -> None:
    """The row of the threat table: 1000 addresses at a time, from one /16, again and again."""
    book = make_book()
    honest = fill_honestly(book)
    for connected in sorted(honest, key=str)[:4]:
        book.succeeded(connected, FULL, NOW, is_v2=True)
    evil = set()
    for message in range(50):
        for number in range(1000):
            if own_group:
                told = address(message * 1000 + number, group=19_000)
            else:
                told = PeerAddress(
                    f"{120 + number % 50}.{(message * 20 + number // 50) % 250}.6.6", 8333
                )
            evil.add(told)
            book.add(told, b"attacker", NOW + 60, services=FULL, last_seen=NOW + 60)
    check(book)
    in_book = sum(record.address in evil for record in book)
    assert in_book <= NEW_BUCKETS_PER_SOURCE * BUCKET_SIZE
    chosen = [book.select(NOW + 61) for _ in range(3000)]
    share = sum(r is not None and r.address in evil for r in chosen) / len(chosen)
    assert share < 0.10


def test_a_source_does_not_push_out_what_is_good() -> None:
    book = make_book()
    honest = fill_honestly(book)
    before = {record.address for record in book}
    for number in range(20_000):
        book.add(address(number, group=18_000), b"attacker", NOW, services=FULL)
    assert before & honest <= {record.address for record in book}


def test_hearsay_about_services_does_not_outweigh_a_handshake() -> None:
    book = make_book()
    book.add(address(1), b"a", NOW, services=FULL)
    book.succeeded(address(1), int(Services.NETWORK), NOW, is_v2=False)
    book.add(address(1), b"b", NOW + 2 * DAY, services=FULL)
    record = book.record(address(1))
    assert record is not None
    assert record.services == Services.NETWORK


def test_unroutable_addresses_and_ports_are_refused() -> None:
    book = make_book()
    for host in ("127.0.0.1", "10.0.0.1", "192.168.1.1", "::1", "fc00::1", "224.0.0.1"):
        assert not book.add(PeerAddress(host, 8333), b"s", NOW)
    assert not book.add(PeerAddress("8.8.8.8", 0), b"s", NOW)
    assert not book.add(PeerAddress("seed.example.org", 8333), b"s", NOW)
    assert len(book) == 0


def test_times_of_the_future_are_not_believed() -> None:
    book = make_book()
    book.add(address(1), b"s", NOW, last_seen=NOW + 3600)
    record = book.record(address(1))
    assert record is not None
    assert record.last_seen == NOW - 5 * DAY


def test_what_is_terrible() -> None:
    book = make_book()
    book.add(address(1), b"s", NOW)
    record = book.record(address(1))
    assert record is not None
    assert not record.is_terrible(NOW)
    assert record.is_terrible(NOW + HORIZON + 61)
    for _ in range(RETRIES):
        book.failed(address(1), NOW)
    assert record.is_terrible(NOW + 120)
    book.succeeded(address(1), FULL, NOW + 200, is_v2=False)
    assert not record.is_terrible(NOW + 300)


def collide(book: AddressBook) -> tuple[PeerAddress, PeerAddress]:
    """Two addresses for one place in the tried table; the first holds it."""
    holder = address(0, group=3)
    book.add(holder, b"s", NOW)
    book.succeeded(holder, FULL, NOW, is_v2=False)
    for number in range(1, 5000):
        rival = address(number, group=3)
        if book._tried_place(rival) == book._tried_place(holder):
            while book.record(rival) is None:
                book.add(rival, b"s%d" % random.Random(number).randrange(1000), NOW)
            return holder, rival
    raise AssertionError("none of 5000 addresses collides")


def test_a_tried_place_is_given_up_only_by_who_does_not_answer() -> None:
    book = make_book()
    holder, rival = collide(book)
    later = NOW + 2 * REPLACEMENT
    book.succeeded(rival, FULL, later, is_v2=False)
    kept, waiting = book.record(holder), book.record(rival)
    assert kept is not None
    assert waiting is not None
    assert kept.is_tried
    assert not waiting.is_tried
    assert book.contested(later) == holder
    # It answers: it stays.
    book.attempt(holder, later)
    book.succeeded(holder, FULL, later + 1, is_v2=False)
    book.resolve_collisions(later + 100)
    assert kept.is_tried
    assert book.contested(later + 100) is None
    # Next time it does not: it goes back to the new table.
    again = later + 3 * REPLACEMENT
    book.succeeded(rival, FULL, again, is_v2=False)
    assert book.contested(again) == holder
    book.attempt(holder, again)
    book.failed(holder, again)
    book.resolve_collisions(again + TEST_WINDOW)
    assert (waiting.is_tried, kept.is_tried) == (True, False)
    check(book)


def test_bans_end_and_groups_are_banned_as_a_whole() -> None:
    book = make_book()
    one, two, other = address(1, group=3), address(2, group=3), address(9)
    for each in (one, two, other):
        book.add(each, b"s", NOW)
    book.ban(one, NOW + DAY)
    assert book.is_banned(one, NOW)
    assert not book.is_banned(two, NOW)
    book.ban_group(netgroup(one), NOW + DAY)
    assert book.is_banned(two, NOW)
    assert {r.address for _ in range(50) if (r := book.select(NOW)) is not None} == {other}
    assert not book.is_banned(one, NOW + DAY)
    assert book.usable(NOW) == 1


def test_an_address_several_tell_has_several_places_but_few() -> None:
    book = make_book()
    for source in range(400):
        book.add(address(5), b"source%d" % source, NOW, last_seen=NOW + 7200 * source)
    record = book.record(address(5))
    assert record is not None
    assert 1 <= len(record.buckets) <= MAX_REFERENCES
    check(book)


@pytest.mark.parametrize("told", [2, 8, BUCKET_SIZE])
def test_what_one_seed_tells_a_new_book_is_all_kept(told: int) -> None:
    """The only honest one of a few may not be lost because two hashes meet."""
    for seed in range(30):
        book = make_book(seed)
        for number in range(told):
            assert book.add(address(number), b"seed:one", NOW, services=FULL)
        assert len(book) == told
        check(book)
        for number in range(300):  # and no more than its share
            book.add(address(number), b"seed:one", NOW, services=FULL)
        assert len(book) <= NEW_BUCKETS_PER_SOURCE * BUCKET_SIZE
        assert all(book.record(address(number)) for number in range(told))
