from array import array
from hashlib import sha256
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.chain.engines import ENGINES, NATIVE
from wallet_gui.chain import gcs_scalar
from wallet_gui.chain.filter_runs import Buffer, Framed, Offsets, offsets
from wallet_gui.chain.filters import FilterEngine, MalformedFilter, ScalarEngine
from wallet_gui.chain.p2p.filter_messages import CFilter
from wallet_gui.chain.p2p.transport import V1Transport
from wallet_gui.primitives.block import BlockHeader

MAGIC = b"\xfa\xbf\xb5\xda"
EACH = pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
REFERENCE = ScalarEngine()


def sha256d(data: bytes) -> bytes:
    return sha256(sha256(data).digest()).digest()


def frame(payload: bytes, command: bytes = b"cfilter", magic: bytes = MAGIC) -> bytes:
    size = len(payload).to_bytes(4, "little")
    return magic + command.ljust(12, b"\0") + size + b"sum?" + payload


def cfilter(data: bytes, block_hash: bytes = bytes(32)) -> bytes:
    return frame(CFilter(block_hash, data).serialize())


def run_of(filters: list[bytes], gap: int = 0) -> tuple[bytes, Offsets, Offsets]:
    """Lay filters out in one buffer with bytes between them."""
    data, starts, ends = b"", offsets(), offsets()
    for each in filters:
        data += b"\xff" * gap
        starts.append(len(data))
        data += each
        ends.append(len(data))
    return data, starts, ends


def agreed_headers(filters: list[bytes], previous: bytes) -> bytes:
    headers = b""
    for each in filters:
        previous = sha256d(sha256d(each) + previous)
        headers += previous
    return headers


# --- framing --------------------------------------------------------------------------------------


@EACH
def test_filters_are_found_in_what_we_serialize(engine: FilterEngine) -> None:
    random = Random(1)
    filters = [random.randbytes(size) for size in (1, 252, 253, 254, 65535, 65536, 65537, 999_999)]
    hashes = [random.randbytes(32) for _ in filters]
    transport = V1Transport(MAGIC)
    stream = b"".join(
        transport.frame("cfilter", CFilter(block_hash, data).serialize())
        for block_hash, data in zip(hashes, filters, strict=True)
    )
    before, behind = b"before", transport.frame("ping", bytes(8))
    buffer = before + stream + behind
    for given_as in (buffer, bytearray(buffer), memoryview(buffer), memoryview(bytearray(buffer))):
        framed = engine.frame_filters(given_as, len(before), len(buffer), MAGIC)
        assert framed.consumed == len(stream)
        assert framed.hashes == b"".join(hashes)
        found = [buffer[a:b] for a, b in zip(framed.starts, framed.ends, strict=True)]
        assert found == filters


@EACH
def test_framing_waits_for_whole_messages(engine: FilterEngine) -> None:
    one = cfilter(b"\x00")
    for end in range(2 * len(one) + 1):
        framed = engine.frame_filters(one + one, 0, end, MAGIC)
        assert framed.consumed == end // len(one) * len(one)
        assert len(framed.starts) == len(framed.ends) == end // len(one)


UNFIT = {
    "another command": frame(b"\0" * 33 + b"\x01\x00", b"cfilters"),
    "a command with something behind its end": frame(b"\0" * 33 + b"\x01\x00", b"cfilter\0x"),
    "another network": frame(b"\0" * 33 + b"\x01\x00", magic=b"\xf9\xbe\xb4\xd9"),
    "another filter type": frame(b"\1" + b"\0" * 32 + b"\x01\x00"),
    "no filter": frame(b"\0" * 33),
    "nothing": frame(b""),
    "a size that is too small": frame(b"\0" * 33 + b"\x01\x00\x00"),
    "a size that is too large": frame(b"\0" * 33 + b"\x03\x00\x00"),
    "a size that is not canonical": frame(b"\0" * 33 + b"\xfd\x01\x00" + b"\0"),
    "a size that is not canonical, in four bytes": frame(
        b"\0" * 33 + b"\xfe\x00\x01\x00\x00" + bytes(256)
    ),
    "a size in eight bytes": frame(b"\0" * 33 + b"\xff\1" + bytes(8)),
    "a size cut short": frame(b"\0" * 33 + b"\xfd\x01"),
    "a filter beyond a megabyte": frame(
        b"\0" * 33 + b"\xfe" + (1_000_001).to_bytes(4, "little") + bytes(1_000_001)
    ),
    "a message of four gigabytes": MAGIC + b"cfilter\0\0\0\0\0" + b"\xff" * 8 + bytes(100),
}


@pytest.mark.parametrize("unfit", UNFIT.values(), ids=UNFIT)
@EACH
def test_framing_stops_before_what_is_no_filter(engine: FilterEngine, unfit: bytes) -> None:
    good = cfilter(b"\x00", b"\x07" * 32)
    framed = engine.frame_filters(good + unfit + good, 0, len(good + unfit + good), MAGIC)
    assert framed == Framed(len(good), b"\x07" * 32, offsets([len(good) - 1]), offsets([len(good)]))


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_engines_frame_alike(data: st.DataObject) -> None:
    parts = data.draw(
        st.lists(
            st.one_of(
                st.builds(cfilter, st.binary(max_size=300), st.binary(min_size=32, max_size=32)),
                st.builds(frame, st.binary(max_size=50)),
                st.sampled_from(list(UNFIT.values())[:12]),
                st.binary(max_size=60),
            ),
            max_size=6,
        )
    )
    stream = bytearray(b"".join(parts))
    if stream:
        for place in data.draw(st.lists(st.integers(0, len(stream) - 1), max_size=2)):
            stream[place] ^= 1 << data.draw(st.integers(0, 7))
    start = data.draw(st.sampled_from([0, min(len(stream), len(parts[0]) if parts else 0)]))
    expected = REFERENCE.frame_filters(stream, start, len(stream), MAGIC)
    for engine in NATIVE[-1:]:
        assert engine.frame_filters(stream, start, len(stream), MAGIC) == expected


@pytest.mark.parametrize("engine", [REFERENCE, *NATIVE[-1:]], ids=lambda engine: engine.name)
def test_more_tiny_filters_than_are_framed_in_one_call(engine: FilterEngine) -> None:
    one = cfilter(b"\x00", b"\x05" * 32)
    framed = engine.frame_filters(one * 9000, 0, 9000 * len(one), MAGIC)
    assert framed.consumed == 9000 * len(one)
    assert framed.ends.tolist() == list(range(len(one), 9001 * len(one), len(one)))
    assert framed.hashes == b"\x05" * 32 * 9000


# --- verifying ------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=700), max_size=40), st.data())
@settings(deadline=None, max_examples=60)
def test_the_first_wrong_filter_is_named(filters: list[bytes], data: st.DataObject) -> None:
    previous = data.draw(st.binary(min_size=32, max_size=32))
    agreed = bytearray(agreed_headers(filters, previous))
    buffer, starts, ends = run_of(filters, gap=data.draw(st.integers(0, 3)))
    wrong = data.draw(st.sets(st.integers(0, max(0, len(filters) - 1)), max_size=2))
    for index in wrong if filters else ():
        agreed[32 * index + data.draw(st.integers(0, 31))] ^= 4
    # A wrong header also makes the filter behind it look wrong, so the first one counts.
    expected = min(wrong) if filters and wrong else None
    for engine in ENGINES:
        found = engine.first_wrong(buffer, starts, ends, previous, bytes(agreed))
        assert found == expected


@EACH
def test_filters_behind_a_wrong_one_are_judged_on_their_own(engine: FilterEngine) -> None:
    filters = [number.to_bytes(2, "big") * 35 for number in range(600)]
    agreed = agreed_headers(filters, bytes(32))
    served = list(filters)
    for index in (0, 255, 256, 599):
        served[index] = b"lie"
    data, starts, ends = run_of(served)
    found, begin, previous = [], 0, bytes(32)
    while (
        wrong := engine.first_wrong(
            data, starts[begin:], ends[begin:], previous, agreed[32 * begin :]
        )
    ) is not None:
        begin += wrong + 1
        found.append(begin - 1)
        previous = agreed[32 * (begin - 1) : 32 * begin]
    assert found == [0, 255, 256, 599]


@EACH
def test_hashes_of_every_length(engine: FilterEngine) -> None:
    random = Random(2)
    filters = [random.randbytes(size) for size in [*range(260), 500, 503, 504, 512, 5000, 70_000]]
    random.shuffle(filters)
    expected = [sha256d(each) for each in filters]
    data, starts, ends = run_of(filters)
    assert engine.hash_run(data, starts, ends) == b"".join(expected)
    assert engine.hash_many(filters) == expected
    for count in (0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31):
        assert engine.hash_many(filters[:count]) == expected[:count]


@EACH
def test_headers_are_hashed_and_chained(engine: FilterEngine) -> None:
    random = Random(3)
    headers = [
        BlockHeader(random.randrange(4), random.randbytes(32), random.randbytes(32), 1, 2, number)
        for number in range(300)
    ]
    raw = b"".join(header.serialize() for header in headers)
    for given_as in (raw, bytearray(raw), memoryview(raw)):
        assert engine.header_hashes(given_as) == b"".join(header.hash for header in headers)
    assert engine.header_hashes(b"") == b""
    hashes = [header.hash for header in headers]
    chained = REFERENCE.header_chain(hashes, b"\x09" * 32)
    assert engine.header_chain(hashes, b"\x09" * 32) == chained
    assert engine.header_chain([], bytes(32)) == []


# --- matching -------------------------------------------------------------------------------------


def samples(count: int, seed: int) -> tuple[list[tuple[bytes, bytes]], list[bytes]]:
    random = Random(seed)
    scripts = [random.randbytes(random.choice([22, 34, 25])) for _ in range(20)]
    filters = []
    for number in range(count):
        block_hash = random.randbytes(32)
        items = {random.randbytes(22) for _ in range(random.choice([0, 1, 5, 40, 200]))}
        if number % 3 == 0:
            items.add(random.choice(scripts))
        filters.append((block_hash, gcs_scalar.build(block_hash, items)))
    return filters, scripts


@EACH
def test_runs_match_as_single_filters_do(engine: FilterEngine) -> None:
    filters, scripts = samples(60, 4)
    expected = [
        index
        for index, (block_hash, data) in enumerate(filters)
        if gcs_scalar.match(block_hash, data, scripts)
    ]
    hashes = b"".join(block_hash for block_hash, _ in filters)
    prepared = engine.prepare(scripts)
    for gap in (0, 30):
        data, starts, ends = run_of([data for _, data in filters], gap)
        for given_as in (data, bytearray(data), memoryview(data)):
            assert engine.match_run(given_as, hashes, starts, ends, prepared) == expected
        assert engine.match_run(data, hashes, starts, ends, engine.prepare([])) == []
    assert engine.match_run(b"", b"", offsets(), offsets(), prepared) == []


@EACH
def test_the_malformed_filter_of_a_run_is_named(engine: FilterEngine) -> None:
    filters, scripts = samples(12, 5)
    prepared = engine.prepare(scripts)
    for position in range(12):
        broken = [data for _, data in filters]
        broken[position] += b"\x01"
        data, starts, ends = run_of(broken)
        hashes = b"".join(block_hash for block_hash, _ in filters)
        with pytest.raises(MalformedFilter) as refused:
            engine.match_run(data, hashes, starts, ends, prepared)
        assert refused.value.position == position


@pytest.mark.parametrize("engine", NATIVE, ids=lambda engine: engine.name)
def test_the_first_of_several_malformed_filters_is_named(engine: FilterEngine) -> None:
    # Two are decoded at a time, and the later one may fail first.
    filters, _ = samples(40, 6)
    random = Random(7)
    hashes = b"".join(block_hash for block_hash, _ in filters)
    for _ in range(200):
        broken = [data for _, data in filters]
        places = random.sample(range(40), 3)
        for position in places:
            cut = random.randrange(len(broken[position]))
            broken[position] = broken[position][:cut] + random.choice([b"", b"\xff" * 40])
        data, starts, ends = run_of(broken)
        expected = _refused_at(REFERENCE, data, hashes, starts, ends)
        assert _refused_at(engine, data, hashes, starts, ends) == expected


def _refused_at(
    engine: FilterEngine, data: bytes, hashes: bytes, starts: Offsets, ends: Offsets
) -> int | None:
    try:
        engine.match_run(data, hashes, starts, ends, engine.prepare([b"\x51"]))
    except MalformedFilter as error:
        return error.position
    return None


@pytest.mark.parametrize("engine", NATIVE, ids=lambda engine: engine.name)
def test_many_values_like_a_script_s_are_told_apart(engine: FilterEngine) -> None:
    # Values with the same low bits as a script's pass the first look in thousands.
    script, block_hash = b"\x51" * 22, b"\x33" * 32
    count = 9000
    target = gcs_scalar.hash_items(block_hash, [script], count)[0]
    low = target % 4096
    values = [low + 4096 * each for each in range(count * gcs_scalar.M // 4096)]
    chosen = sorted(Random(8).sample(values, count))
    without = sorted({*chosen} - {target})
    without += [without[-1]] * (count - len(without))
    with_target = sorted([*without[1:], target])
    for values, expected in ((without, []), (with_target, [0])):
        data, starts, ends = run_of([gcs_scalar.encode(values)])
        assert (
            engine.match_run(data, block_hash, starts, ends, engine.prepare([script])) == expected
        )


@pytest.mark.parametrize("engine", NATIVE, ids=lambda engine: engine.name)
def test_thousands_of_scripts(engine: FilterEngine) -> None:
    random = Random(9)
    scripts = [random.randbytes(random.choice([1, 7, 8, 22, 34, 300])) for _ in range(6000)]
    filters = []
    for number in range(64):
        block_hash = random.randbytes(32)
        items = {random.randbytes(22) for _ in range(30)} | {scripts[number * 90]}
        filters.append((block_hash, gcs_scalar.build(block_hash, items)))
    assert engine.match_many(filters, scripts) == [True] * 64
    strangers = [random.randbytes(21) for _ in range(50)]
    assert engine.match_many(filters, strangers) == REFERENCE.match_many(filters, strangers)


# --- what a caller may not do ---------------------------------------------------------------------


@EACH
def test_wrong_arguments_are_refused(engine: FilterEngine) -> None:
    data = b"\x00" * 10
    inside = array("Q", [0, 5]), array("Q", [5, 10])
    prepared = engine.prepare([b"\x51"])
    for starts, ends in (
        (array("Q", [0]), array("Q", [11])),
        (array("Q", [5]), array("Q", [4])),
        (array("Q", [2**63]), array("Q", [2**64 - 1])),
        (array("Q", [0]), array("Q", [5, 10])),
    ):
        _refuses_run(engine, data, starts, ends)
    with pytest.raises(ValueError, match="block hashes"):
        engine.match_run(data, bytes(63), *inside, prepared)
    with pytest.raises(ValueError, match="filter headers"):
        engine.first_wrong(data, *inside, bytes(32), bytes(63))
    with pytest.raises(ValueError, match="filter headers"):
        engine.first_wrong(data, *inside, bytes(31), bytes(64))
    for start, end in ((0, 11), (5, 4), (-1, 5)):
        with pytest.raises(ValueError, match="stretch"):
            engine.frame_filters(data, start, end, MAGIC)
    with pytest.raises(ValueError, match="magic"):
        engine.frame_filters(data, 0, 10, b"abc")
    with pytest.raises(ValueError, match="80 bytes"):
        engine.header_hashes(bytes(81))


def _refuses_run(engine: FilterEngine, data: Buffer, starts: Offsets, ends: Offsets) -> None:
    hashes = bytes(32 * len(starts))
    with pytest.raises(ValueError, match=r"inside|begin"):
        engine.match_run(data, hashes, starts, ends, engine.prepare([b"\x51"]))
    with pytest.raises(ValueError, match=r"inside|begin"):
        engine.hash_run(data, starts, ends)
    with pytest.raises(ValueError, match=r"inside|begin"):
        engine.first_wrong(data, starts, ends, bytes(32), hashes)
