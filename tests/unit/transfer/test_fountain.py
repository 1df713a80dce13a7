import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.transfer.ur_vectors import random_bytes, vectors
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer import cbor, fountain
from wallet_gui.transfer.fountain import Decoder, Encoder, Part, RandomSampler, Xoshiro256


def test_generator_draws_the_official_numbers() -> None:
    wolf = Xoshiro256(b"Wolf")
    assert [wolf.next() % 100 for _ in range(100)] == vectors()["rng_wolf"]
    checksum = Xoshiro256(bytes.fromhex("598c84dc"))
    assert [checksum.next() % 100 for _ in range(100)] == vectors()["rng_crc32_of_wolf"]
    wolf = Xoshiro256(b"Wolf")
    assert [wolf.next_int(1, 10) for _ in range(100)] == vectors()["rng_wolf_1_to_10"]
    assert random_bytes(20).hex() == vectors()["random_wolf_20"]


def test_sampler_and_shuffle_draw_the_official_numbers() -> None:
    sampler, wolf = RandomSampler([1, 2, 4, 8]), Xoshiro256(b"Wolf")
    assert [sampler.next(wolf) for _ in range(100)] == vectors()["sampler_1_2_4_8"]
    wolf = Xoshiro256(b"Wolf")
    shuffles = [fountain.shuffled(range(1, 11), wolf, 10) for _ in range(10)]
    assert shuffles == vectors()["shuffles"]


def test_degrees_and_fragments_are_the_official_ones() -> None:
    degrees = [
        fountain.choose_degree(11, Xoshiro256(f"Wolf-{nonce}".encode())) for nonce in range(1, 201)
    ]
    assert degrees == vectors()["degrees_of_11"]
    encoder = Encoder(random_bytes(1024), 100)
    assert encoder.count == 11
    chosen = [sorted(fountain.choose_fragments(n, 11, encoder.checksum)) for n in range(1, 31)]
    assert chosen == vectors()["fragments_of_11"]


@pytest.mark.parametrize(("size", "least", "most", "expected"), vectors()["fragment_sizes"])
def test_fragments_have_the_official_size(size: int, least: int, most: int, expected: int) -> None:
    assert fountain.fragment_size(size, most, least) == expected


def test_parts_are_the_official_ones() -> None:
    encoder = Encoder(random_bytes(256), 30)
    for text in vectors()["parts_of_256"]:
        data = bytes.fromhex(text)
        part = Part.parse(data)
        assert encoder.part(part.sequence) == part
        assert part.serialize() == data


def decode(parts: list[Part]) -> tuple[bytes | None, int]:
    decoder = Decoder(parts[0])
    for number, part in enumerate(parts, start=1):
        assert decoder.belongs(part)
        decoder.receive(part)
        if decoder.message is not None:
            assert decoder.known == decoder.count
            return decoder.message, number
    return None, len(parts)


def test_large_message_from_mixed_parts_only() -> None:
    message = random_bytes(32767)
    encoder = Encoder(message, 1000)
    found, used = decode([encoder.part(n) for n in range(101, 400)])
    assert found == message
    # 33 equations are needed; the reference decoder, which only peels, takes about 60.
    assert used < 50


@given(
    st.binary(min_size=1, max_size=3000),
    st.integers(10, 400),
    st.randoms(use_true_random=False),
    st.integers(0, 60),
)
@settings(deadline=None, max_examples=60)
def test_message_comes_back_shuffled_repeated_and_with_gaps(
    message: bytes, size: int, rng: random.Random, lost: int
) -> None:
    encoder = Encoder(message, size)
    numbers = [n for n in range(1, 6 * encoder.count + 40) if rng.random() * 100 >= lost]
    numbers += rng.choices(numbers, k=len(numbers) // 2)
    rng.shuffle(numbers)
    found, _ = decode([encoder.part(n) for n in numbers])
    assert found == message


def test_nothing_but_new_equations_is_kept() -> None:
    encoder = Encoder(random_bytes(5000), 50)
    decoder = Decoder(encoder.part(1))
    for number in range(1, 3000):
        if number % 100 != 50:  # the fragment 50 is never sent alone
            decoder.receive(encoder.part(number))
        assert len(decoder._solved) + len(decoder._mixed) <= 100
    for _ in range(5000):
        decoder.receive(encoder.part(7))
    assert decoder.message == random_bytes(5000)


def test_contradiction_is_refused() -> None:
    encoder = Encoder(random_bytes(256), 30)
    decoder = Decoder(encoder.part(1))
    decoder.receive(encoder.part(1))
    part = encoder.part(1)
    with pytest.raises(ParseError, match="contradict"):
        decoder.receive(Part(1, 9, 256, part.checksum, bytes(29)))


def test_wrong_message_is_not_handed_out() -> None:
    encoder = Encoder(random_bytes(256), 30)
    parts = [encoder.part(n) for n in range(1, 10)]
    last = parts[-1]
    parts[-1] = Part(9, 9, 256, last.checksum, bytes([last.data[0] ^ 1]) + last.data[1:])
    decoder = Decoder(parts[0])
    for part in parts[:-1]:
        decoder.receive(part)
    with pytest.raises(ParseError, match="do not fit"):
        decoder.receive(parts[-1])
    assert decoder.message is None


@pytest.mark.parametrize(
    "numbers",
    [
        [1, 0, 10, 5, b"12345"],
        [1, 2, 0, 5, b"12345"],
        [1, 1, 10_000_001, 5, b"1" * 4096],
        [1, 4001, 40_000, 5, b"1234567890"],
        [1, 2**32, 2**32, 5, b"1"],
        [2**32, 2, 10, 5, b"12345"],
        [1, 2, 10, 2**32, b"12345"],
        [1, 2, 11, 5, b"12345"],
        [1, 2, 5, 5, b"12345"],
        [1, 2, 10, 5, b""],
        [-1, 2, 10, 5, b"12345"],
        [1, 2, 10, 5],
        [1, 2, 10, 5, "12345"],
        [1, 1, 5000, 5, b"1" * 5000],
    ],
)
def test_impossible_headers_are_refused(numbers: list[cbor.Value]) -> None:
    with pytest.raises(ParseError):
        Part.parse(cbor.dumps(numbers))


def test_largest_message_does_not_hang() -> None:
    message = random.Random(1).randbytes(4000 * 300)
    encoder = Encoder(message, 300)
    assert encoder.count == 4000
    decoder = Decoder(encoder.part(1))
    slowest = 0.0
    # The worst for a decoder: only mixed parts, so that equations pile up.
    for number in range(4001, 4401):
        part = encoder.part(number)
        began = time.process_time()
        decoder.receive(part)
        slowest = max(slowest, time.process_time() - began)
    assert decoder.known > 390
    assert slowest < 0.1
    with pytest.raises(ParseError, match="too large"):
        Encoder(message + bytes(300), 300)


def test_empty_message_is_refused() -> None:
    with pytest.raises(ParseError):
        Encoder(b"", 30)
