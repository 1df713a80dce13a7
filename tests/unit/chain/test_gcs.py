import time
import tracemalloc
from random import Random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.chain.engines import ENGINES, LanesOnly
from wallet_gui.chain import gcs_numpy, gcs_scalar
from wallet_gui.chain.filters import FilterEngine
from wallet_gui.chain.gcs_numpy import NumpyEngine
from wallet_gui.chain.gcs_scalar import (
    M,
    MalformedFilter,
    P,
    PreparedScripts,
    decode,
    encode,
    split,
)
from wallet_gui.primitives.hashes import siphash24
from wallet_gui.primitives.serialize import ParseError, compact_size

SCRIPTS = st.binary(min_size=1, max_size=40)


def raw_filter(count: int, codewords: list[tuple[int, int]], padding: str = "") -> bytes:
    """Write codewords as (quotient, remainder) without regard to any rule."""
    bits = "".join("1" * quotient + "0" + format(rest, "019b") for quotient, rest in codewords)
    bits += padding
    bits += "0" * (-len(bits) % 8)
    return compact_size(count) + bytes(
        int(bits[start : start + 8], 2) for start in range(0, len(bits), 8)
    )


def random_filter(random: Random, count: int) -> tuple[bytes, bytes]:
    values = sorted(random.randrange(count * M) for _ in range(count))
    return random.randbytes(32), encode(values)


# --- the reference --------------------------------------------------------------------------------


@given(st.lists(st.integers(0, M - 1), max_size=60))
@settings(deadline=None)
def test_values_survive_coding(fractions: list[int]) -> None:
    values = sorted(value * len(fractions) for value in fractions)
    assert decode(encode(values)) == values


@given(st.binary(max_size=80))
@settings(deadline=None)
@example(b"")
@example(b"\x00")
@example(b"\xff" * 9)
def test_any_bytes_are_a_set_or_refused(data: bytes) -> None:
    try:
        values = decode(data)
    except ParseError:
        for engine in ENGINES:
            with pytest.raises(MalformedFilter):
                engine.match_many([(bytes(32), data)], [b"\x51"])
        return
    assert encode(values) == data
    assert values == sorted(values)
    assert all(value < len(values) * M for value in values)
    outcomes = [engine.match_many([(bytes(32), data)], [b"\x51"]) for engine in ENGINES]
    assert all(outcome == outcomes[0] for outcome in outcomes)


@given(st.binary(min_size=32, max_size=32), st.sets(SCRIPTS, max_size=40), SCRIPTS)
@settings(deadline=None)
def test_every_item_of_a_set_is_found(block_hash: bytes, items: set[bytes], other: bytes) -> None:
    data = gcs_scalar.build(block_hash, items)
    for item in items:
        assert gcs_scalar.match(block_hash, data, [other, item])
    assert split(data)[0] == len(items)


def test_codewords_bit_by_bit() -> None:
    # Quotient 2, remainder 5; then 0, 1: worked out by hand.
    data = raw_filter(3, [(2, 5), (0, 1), (0, 0)])
    assert data.hex() == "03c000140000400000"
    assert decode(data) == [2 * 2**P + 5, 2 * 2**P + 6, 2 * 2**P + 6]


# --- what no block has ----------------------------------------------------------------------------

HOSTILE = {
    "nothing": b"",
    "no count": b"\xfd\x01",
    "a count that is not canonical": b"\xfd\x01\x00" + bytes(30),
    "four billion items": b"\xfe\xff\xff\xff\xff" + bytes(100),
    "more items than the bytes can hold": compact_size(300) + bytes(749),
    "items in an empty filter": b"\x00\x00",
    "nothing but ones": compact_size(1000) + b"\xff" * 2500,
    "a hundred thousand ones before the zero": raw_filter(1000, [(100_000, 0)]),
    "a value just out of range": raw_filter(1, [(1, M - 2**P)]),
    "a value out of range after a long run": raw_filter(20, [(29, 0), (1, 0)] + [(0, 0)] * 18),
    "one item too few": raw_filter(5, [(1, 7)] * 4) + bytes(1),
    "a last item cut short": encode([5, 9, 1000])[:-1],
    "a byte too many": encode([5, 9, 1000]) + b"\x00",
    "eight bits of padding": raw_filter(2, [(0, 1), (0, 2)], "0" * 8),
    "padding that is not zero": raw_filter(2, [(0, 1), (1, 2)], "001"),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_hostile_filters_are_refused_wherever_they_stand(engine: FilterEngine, data: bytes) -> None:
    random = Random(1)
    good = [random_filter(random, count) for count in (1, 50, 300, 3)]
    for position in (0, 2, 4):
        batch = [*good[:position], (bytes(32), data), *good[position:]]
        for scripts in ([], [b"\x51", b"\x52" * 22]):
            with pytest.raises(MalformedFilter) as refused:
                engine.match_many(batch, scripts)
            assert refused.value.position == position


@pytest.mark.parametrize(
    "engine", [ENGINES[0], ENGINES[1], *ENGINES[3:]], ids=lambda engine: engine.name
)
def test_bombs_cost_no_more_than_filters_of_their_size(engine: FilterEngine) -> None:
    size = gcs_scalar.MAX_FILTER_SIZE - 5
    bombs = [
        b"\xfe\x00\x00\x00\x20" + b"\xff" * size,
        compact_size(size * 8 // 20 - 2) + b"\xff" * (size - 4),
        compact_size(size * 8 // 37) + (b"\xff" * 2 + bytes(3)) * (size // 5),
        compact_size(3) + bytes(size),
        compact_size(3) + bytes(size + 10),
    ]
    start = time.process_time()
    for data in bombs:
        with pytest.raises(MalformedFilter):
            engine.match_many([(bytes(32), data)], [b"\x51"])
    assert time.process_time() - start < 2


# --- the engines are equal ------------------------------------------------------------------------


@st.composite
def batches(draw: st.DrawFn) -> tuple[list[tuple[bytes, bytes]], list[bytes]]:
    scripts = draw(st.lists(SCRIPTS, max_size=12, unique=True))
    filters = []
    for number in range(draw(st.integers(0, 8))):
        random = draw(st.randoms(use_true_random=False))
        size = random.choice([0, 1, 2, 3, 8, 9, 40, 300, 600])
        items = {random.randbytes(22) for _ in range(size)}
        if scripts and random.random() < 0.5:
            items.add(random.choice(scripts))
        block_hash = bytes([number]) + random.randbytes(31)
        filters.append((block_hash, gcs_scalar.build(block_hash, items)))
    return filters, scripts


@given(batches())
@settings(deadline=None, max_examples=80)
def test_engines_are_equal(batch: tuple[list[tuple[bytes, bytes]], list[bytes]]) -> None:
    filters, scripts = batch
    expected = ENGINES[0].match_many(filters, scripts)
    for engine in ENGINES[1:]:
        assert engine.match_many(filters, scripts) == expected
        assert engine.match_many(filters, engine.prepare(scripts)) == expected


@pytest.mark.parametrize("few", [True, False])
def test_engines_find_values_anywhere(*, few: bool) -> None:
    # Values chosen to be hit: first, last, at every place around a chunk's border.
    random = Random(3)
    scripts = [random.randbytes(22) for _ in range(3)] + [random.randbytes(34) for _ in range(3)]
    sizes = [1, 2, 7, 8] if few else [9, 255, 256, 257, 511, 512, 513, 700]
    filters: list[tuple[bytes, bytes]] = []
    expected = []
    for size in sizes * 12:
        block_hash = random.randbytes(32)
        values = [random.randrange(size * M) for _ in range(size)]
        if len(filters) % 3:
            wanted = random.choice(scripts)
            place = random.choice([0, size - 1, size // 2])
            values[place] = gcs_scalar.hash_items(block_hash, [wanted], size)[0]
        filters.append((block_hash, encode(sorted(values))))
        expected.append(
            not set(values).isdisjoint(gcs_scalar.hash_items(block_hash, scripts, size))
        )
    assert True in expected
    assert False in expected
    for engine in ENGINES:
        assert engine.match_many(filters, scripts) == expected


def test_long_runs_of_ones_are_read_right() -> None:
    # Values far apart after many close ones: quotients of every size around what a window holds.
    filters: list[tuple[bytes, bytes]] = []
    scripts, expected = [b"\x51" * 22], []
    for quotient in range(10, 40):
        for size in (40, 400):
            block_hash = bytes([quotient, size & 0xFF]) + bytes(30)
            target = gcs_scalar.hash_items(block_hash, scripts, size)[0]
            low = max(0, target - (quotient << P))
            for value in (target, target ^ 1):
                values = sorted([min(low, value)] * (size - 1) + [value])
                filters.append((block_hash, encode(values)))
                expected.append(target in values)
    for engine in ENGINES:
        assert engine.match_many(filters, scripts) == expected


def test_batches_are_cut_within_their_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(4)
    scripts = [random.randbytes(22)]
    filters = []
    for number in range(40):
        block_hash = random.randbytes(32)
        items = {random.randbytes(22) for _ in range(1 + number * 7 % 50)}
        filters.append(
            (block_hash, gcs_scalar.build(block_hash, items | set(scripts[number % 2 :])))
        )
    expected = ENGINES[0].match_many(filters, scripts)
    for lanes, size in ((1, 10**6), (7, 10**6), (1000, 200), (1000, 1)):
        monkeypatch.setattr(gcs_numpy, "MAX_LANES", lanes)
        monkeypatch.setattr(gcs_numpy, "MAX_BATCH_BYTES", size)
        assert LanesOnly().match_many(filters, scripts) == expected


def test_more_scripts_than_are_hashed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(5)
    scripts = [random.randbytes(length) for length in (22, 23, 25, 34) for _ in range(30)]
    filters = []
    for number in range(30):
        block_hash = random.randbytes(32)
        items = {random.randbytes(22) for _ in range(20)} | {scripts[number * 4]}
        filters.append((block_hash, gcs_scalar.build(block_hash, items)))
    monkeypatch.setattr(gcs_numpy, "_HASHES_AT_ONCE", 16)
    for engine in ENGINES[1:]:
        assert engine.match_many(filters, scripts) == [True] * 30


@given(st.binary(min_size=16, max_size=16), st.lists(st.binary(max_size=50), max_size=6))
@settings(deadline=None)
def test_siphash_is_that_of_the_primitives(key: bytes, messages: list[bytes]) -> None:
    # The official vectors of SipHash are those of `primitives.hashes`.
    keys = np.frombuffer(key * 2, "<u8").reshape(2, 2)
    for message in messages:
        packed = PreparedScripts([message]).groups
        if not message:
            assert not packed
            continue
        words = np.frombuffer(packed[0][2], "<u8").reshape(1, -1).T
        hashes = gcs_numpy.siphash(keys, words)
        assert hashes.tolist() == [[siphash24(key, message)]] * 2


@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(1, 2**40 - 1)), min_size=1))
@settings(deadline=None)
def test_hashes_are_mapped_into_their_range(pairs: list[tuple[int, int]]) -> None:
    hashes = np.array([value for value, _ in pairs], np.uint64)
    spans = np.array([span for _, span in pairs], np.uint64)
    gcs_numpy._map_into(hashes, spans)
    assert hashes.tolist() == [value * span >> 64 for value, span in pairs]


def test_memory_is_bounded() -> None:
    random = Random(6)
    filters = [random_filter(random, 9000) for _ in range(8)] * 125  # 24 MB: a thousand blocks
    scripts = NumpyEngine().prepare([random.randbytes(22) for _ in range(240)])
    tracemalloc.start()
    try:
        NumpyEngine().match_many(filters, scripts)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 60_000_000
