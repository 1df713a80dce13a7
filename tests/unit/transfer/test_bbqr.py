import base64
import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer import bbqr
from wallet_gui.transfer.bbqr import Encoding, FileType, Frames
from wallet_gui.transfer.qr_capacity import modules, qr_version

# Version, modules a side, characters, bytes as hex: the table of the specification.
CAPACITIES = [
    (1, 21, 25, 8),
    (11, 61, 468, 230),
    (23, 109, 1588, 790),
    (24, 113, 1704, 848),
    (25, 117, 1853, 922),
    (26, 121, 1990, 991),
    (27, 125, 2132, 1062),
    (28, 129, 2223, 1107),
    (29, 133, 2369, 1180),
    (30, 137, 2520, 1256),
    (31, 141, 2677, 1334),
    (32, 145, 2840, 1416),
    (33, 149, 3009, 1500),
    (34, 153, 3183, 1587),
    (35, 157, 3351, 1671),
    (36, 161, 3537, 1764),
    (37, 165, 3729, 1860),
    (38, 169, 3927, 1959),
    (39, 173, 4087, 2039),
    (40, 177, 4296, 2144),
]


@pytest.mark.parametrize(("version", "side", "characters", "payload"), CAPACITIES)
def test_codes_are_as_small_as_the_specification_says(
    version: int, side: int, characters: int, payload: int
) -> None:
    assert modules(version) == side
    assert qr_version(characters) == version
    if version < 40:
        assert qr_version(characters + 1) == version + 1
    frames = Frames(FileType.PSBT, bytes(2 * payload), payload, Encoding.HEX)
    assert (frames.count, frames.version) == (2, version)


def test_more_than_a_code_holds_is_refused() -> None:
    with pytest.raises(ParseError):
        qr_version(4297)
    with pytest.raises(ParseError):
        Frames(FileType.PSBT, bytes(2 * 2145), 2145, Encoding.HEX)


# The example in the section "Spliting the Data".
def test_example_of_the_specification() -> None:
    frames = Frames(FileType.PSBT, bytes(2150), 1000, Encoding.HEX)
    assert [frames.frame(n)[:8] for n in range(4)] == [
        "B$HP0300",
        "B$HP0301",
        "B$HP0302",
        "B$HP0300",
    ]
    code = bbqr.parse("B$HP0302" + "00" * 150)
    assert (code.encoding, code.file_type, code.total, code.index) == ("H", "P", 3, 2)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"hello", "B$2U0100NBSWY3DP"),
        (b"seedhammer", "B$2U0100ONSWKZDIMFWW2ZLS"),
        (b"hi", "B$2U0100NBUQ"),
    ],
)
def test_codes_of_other_programs(data: bytes, text: str) -> None:
    assert Frames(FileType.UNICODE, data, 120, Encoding.BASE32).frame(0) == text
    assert Frames(FileType.UNICODE, data, 120).frame(0) == text  # too short to gain by packing
    assert join([text]) == data


# The beginning of the first of eight codes in the specification's tests/data/real-scan.txt.
REAL_SCAN = (
    "B$ZU0800RVZGS4Y4G6LO2574RI52IX4Y2QKEXNNQXAUMF4KCKTFSH5NYMVFKFR3SO5GFRKGMLNGAZEKAG2AGJMIU7LYXGLUQ"
    "LGSNLMZRXRSACF7HT3WZA3Q2U2V2X54BV2BU7PXSSZHOQL72RZEVHZDAHCJN7UH3B5KPSGW7ZFJ6G3KN22TXYUPLUSKTUPFE"
    "W4XAKX7XKUZN4KLV2OMERXIIRDXY2D4UQJ3LCNJJDF3UW27DOTMOL57E5447ZF7LU3VKG3ZZTFLDMNY4"
)


def test_real_scan_of_the_specification() -> None:
    code = bbqr.parse(REAL_SCAN)
    assert (code.encoding, code.file_type, code.total, code.index) == ("Z", "U", 8, 0)
    packed = bbqr._from_text(code.data[: len(code.data) // 8 * 8], code.encoding)
    text = zlib.decompressobj(wbits=-bbqr.WINDOW_BITS).decompress(packed)
    assert text.startswith(b"# The BBQr Protocol - Make a series of QR codes to hold lots of data")
    # Seven codes are missing, and nothing is made up in their place.
    decoder = bbqr.Decoder(code)
    assert decoder.data is None


def join(texts: list[str]) -> bytes | None:
    codes = [bbqr.parse(text) for text in texts]
    decoder = bbqr.Decoder(codes[0])
    for code in codes:
        assert decoder.belongs(code)
        decoder.receive(code)
    return decoder.data


def test_codes_are_of_one_size_and_without_a_runt() -> None:
    frames = Frames(FileType.PSBT, random.Random(1).randbytes(2010), 1000)
    sizes = [len(frames.frame(n)) for n in range(3)]
    assert frames.frame(0).startswith("B$2P03")
    assert sizes[0] == sizes[1] >= sizes[2] > 0.98 * sizes[0]
    assert (sizes[0] - 8) % 8 == 0
    assert frames.version == 19  # not 24, which a code of 1,000 bytes would take


def test_largest_number_of_codes() -> None:
    frames = Frames(FileType.BINARY, random.Random(1).randbytes(1295 * 10), 10)
    assert frames.count == 1295
    assert frames.frame(1294)[:8] == "B$2BZZZY"
    with pytest.raises(ParseError, match="too large"):
        Frames(FileType.BINARY, random.Random(1).randbytes(1295 * 10 + 1), 10)
    with pytest.raises(ParseError):
        Frames(FileType.BINARY, b"", 10)


def test_packing_is_the_one_of_the_specification() -> None:
    data = b"cHNidP8BAHECAAAA" * 400
    packed = bbqr.deflate(data)
    # A receiver with a window of 1,024 bytes, as on a device, can unpack it.
    assert zlib.decompress(packed, wbits=-10) == data
    frames = Frames(FileType.PSBT, data, 60)
    assert frames.frame(0).startswith("B$ZP")
    assert join([frames.frame(n) for n in range(frames.count)]) == data


def test_a_larger_window_is_read_too() -> None:
    data = random.Random(1).randbytes(2000) * 2
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(data) + packer.flush()
    assert len(packed) < 2500
    text = base64.b32encode(packed).decode().rstrip("=")
    assert join(["B$ZB0100" + text]) == data


def zipped(data: bytes) -> str:
    packer = zlib.compressobj(9, wbits=-10)
    packed = packer.compress(data) + packer.flush()
    return "B$ZB0100" + base64.b32encode(packed).decode().rstrip("=")


def test_bomb_is_refused() -> None:
    # 10 MB of zeros in one code would need 10 kB; in several it fits easily.
    packer = zlib.compressobj(9, wbits=-10)
    packed = packer.compress(bytes(10_000_001)) + packer.flush()
    frames = Frames(FileType.BINARY, packed, 1000, Encoding.BASE32)
    texts = [frames.frame(n).replace("B$2B", "B$ZB") for n in range(frames.count)]
    with pytest.raises(ParseError, match="too large"):
        join(texts)


@pytest.mark.parametrize(
    "text",
    ["B$ZU0100AAAA", zipped(b"abc")[:-3], zipped(b"abc" * 100)[:-8], zipped(b"abc") + "AAAAAAAA"],
)
def test_damaged_packing_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        join([text])


@pytest.mark.parametrize(
    "text",
    [
        "B$",
        "B$HP0",
        "B$HP0101AA",
        "B$HP0000AA",
        "B$HP0200",
        "B$QP0100AA",
        "B$HQ0100AA",
        "B$Hp0100AA",
        "b$HP0100AA",
        "B$HP01\uff10\uff10AA",
        "B$HP0100" + "A" * 5000,
    ],
)
def test_broken_headers_are_refused(text: str) -> None:
    with pytest.raises(ParseError):
        bbqr.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "B$HU0100aa",
        "B$HU0100A",
        "B$HU0100A\u00a0A",
        "B$HU0100A A",
        "B$HU0100GG",
        "B$2U0100A",
        "B$2U0100aa",
        "B$2U0100NC",
        "B$2U010018",
        "B$2U0100NBUQ====",
        "B$HU0100\u0660\u0661",
    ],
)
def test_broken_data_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        join([text])


def test_code_of_another_file_is_told() -> None:
    def code(text: str) -> bbqr.Code:
        return bbqr.parse(text)

    decoder = bbqr.Decoder(code("B$HP0301AABB"))
    decoder.receive(code("B$HP0301AABB"))
    assert decoder.belongs(code("B$HP0300CCDD"))
    assert decoder.belongs(code("B$HP0302CC"))
    assert decoder.belongs(code("B$HP0301AABB"))
    for other in (
        "B$HP0301AABC",
        "B$HP0300CCDDEE",
        "B$HP0302CCDDEE",
        "B$HP0402CC",
        "B$HT0302CC",
        "B$2P0302CCAA",
    ):
        assert not decoder.belongs(code(other)), other
    runt_first = bbqr.Decoder(code("B$HP0302AABB"))
    runt_first.receive(code("B$HP0302AABB"))
    assert not runt_first.belongs(code("B$HP0300AA"))
    assert runt_first.belongs(code("B$HP0300AABBCC"))


@given(
    st.binary(min_size=1, max_size=4000),
    st.integers(8, 900),
    st.sampled_from([None, *Encoding]),
    st.randoms(use_true_random=False),
)
@settings(deadline=None, max_examples=60)
def test_file_comes_back_in_any_order(
    data: bytes, size: int, encoding: Encoding | None, rng: random.Random
) -> None:
    frames = Frames(FileType.BINARY, data, size, encoding)
    numbers = list(range(frames.count)) + rng.choices(range(frames.count), k=frames.count)
    rng.shuffle(numbers)
    texts = [frames.frame(n) for n in numbers]
    assert {qr_version(len(text)) for text in texts[:-1]} <= set(range(1, frames.version + 1))
    assert join(texts) == data


@given(st.text(max_size=60))
@settings(deadline=None)
def test_any_text_is_a_code_or_a_parse_error(text: str) -> None:
    for each in (text, f"B${text}", f"B$HP0100{text}", f"B$2P0100{text}", f"B$ZP0100{text}"):
        try:
            join([each])
        except ParseError as error:
            assert str(error)  # noqa: PT017
