import random
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.transfer.test_recognition import PSBT, XPUB, signed_transaction
from tests.unit.transfer.ur_vectors import random_bytes, vectors
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer import bbqr, bytewords, cbor, fountain, ur
from wallet_gui.transfer.qr_frames import (
    Decoder,
    Format,
    Kind,
    OtherMessage,
    Progress,
    encode,
)

ACCOUNT = f"wpkh([11223344/84h/1h/0h]{XPUB})\ntr([11223344/86h/1h/0h]{XPUB})"
SAMPLES: list[tuple[Kind, bytes]] = [
    (Kind.PSBT, PSBT),
    (Kind.PSBT, PSBT + bytes(5000)),
    (Kind.TRANSACTION, signed_transaction()),
    (Kind.DESCRIPTOR, f"wpkh([11223344/84h/1h/0h]{XPUB}/<0;1>/*)".encode()),
    (Kind.XPUB, f"[11223344/84h/1h/0h]{XPUB}".encode()),
    (Kind.ACCOUNT, ACCOUNT.encode()),
    (Kind.PAYMENT, b"bitcoin:bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4?amount=1"),
    (Kind.JSON, b'{"a": 1}'),
    (Kind.TEXT, "Gr\u00fc\u00dfe".encode()),
    (Kind.BINARY, b"\xff\x00\xfe"),
]


def name(value: Kind | bytes) -> str:
    return str(value) if isinstance(value, Kind) else f"{len(value)} bytes"


@pytest.mark.parametrize("format_", [Format.BBQR, Format.UR])
@pytest.mark.parametrize(("kind", "data"), SAMPLES, ids=name)
def test_messages_come_back(kind: Kind, data: bytes, format_: Format) -> None:
    frames = encode(kind, data, format=format_, max_fragment=60)
    decoder = Decoder()
    for number, text in zip(range(3 * frames.count), frames, strict=False):
        if frames.count > 3 and number % 3 == 1:
            continue
        progress = decoder.receive(text)
        assert progress is decoder.progress
        assert 0 < progress.fraction <= 1
        if progress.is_done:
            break
    assert decoder.progress.is_done
    assert decoder.progress.fraction == 1
    assert decoder.progress.received == decoder.progress.total == frames.count
    assert decoder.progress.kind is kind
    found = decoder.progress.data
    if kind in (Kind.DESCRIPTOR, Kind.XPUB, Kind.ACCOUNT) and format_ is Format.UR:
        # The path is the one given, and the key says the same.
        assert found is not None
        assert found.decode().split("tpub")[0] == data.decode().split("tpub")[0]
    else:
        assert found == data
    # What is done stays done, whatever repeats of it are seen.
    assert decoder.receive(frames.frame(1)).is_done


@pytest.mark.parametrize(("kind", "data"), SAMPLES[:-1], ids=name)
def test_one_plain_code_comes_back(kind: Kind, data: bytes) -> None:
    if len(data) > 3000:
        with pytest.raises(ParseError, match="one QR code"):
            encode(kind, data, format=Format.PLAIN)
        return
    frames = encode(kind, data, format=Format.PLAIN)
    assert frames.count == 1
    assert next(frames) == next(frames)
    assert Decoder().receive(next(frames)) == Progress(1, 1, kind, data)


def test_official_codes_are_read_in_either_case() -> None:
    for text in (vectors()["psbt"]["ur"], vectors()["psbt"]["ur"].upper()):
        assert Decoder().receive(text) == Progress(1, 1, Kind.PSBT, PSBT)
    assert next(encode(Kind.PSBT, PSBT, format=Format.UR)) == vectors()["psbt"]["ur"].upper()
    # The newer name of the type, and its tag, which some write at the top too.
    for value in (PSBT, cbor.Tagged(40310, PSBT), cbor.Tagged(310, PSBT)):
        text = f"ur:psbt/{bytewords.encode(cbor.dumps(value))}"
        assert Decoder().receive(text).data == PSBT
    assert Decoder().receive(vectors()["account"]["ur"]).kind is Kind.ACCOUNT
    assert Decoder().receive(vectors()["hdkey"]["ur"]).data == XPUB.encode()
    assert Decoder().receive(vectors()["outputs"][0]["ur"]).kind is Kind.DESCRIPTOR
    hello = Decoder().receive("B$2U0100NBSWY3DP")
    assert (hello.kind, hello.data) == (Kind.TEXT, b"hello")


@pytest.mark.parametrize("format_", [Format.BBQR, Format.UR])
def test_code_of_another_message_is_told_and_changes_nothing(format_: Format) -> None:
    mine = encode(Kind.PSBT, PSBT + random_bytes(2000), format=format_, max_fragment=200)
    theirs = encode(Kind.PSBT, PSBT + random_bytes(2000, "x"), format=format_, max_fragment=200)
    decoder = Decoder()
    decoder.receive(mine.frame(0))
    before = decoder.receive(mine.frame(1))
    others = [theirs.frame(0), "hello", "ur:bytes/gdaebycpeofygoiyktlonlpkrksfutwyzmwmfyeozs"]
    others += ["B$2U0100NBSWY3DP", PSBT.hex()]
    for other in others:
        with pytest.raises(OtherMessage, match=rf"2 of {mine.count} parts"):
            decoder.receive(other)
        assert decoder.progress is before
    for number in range(2, mine.count):
        decoder.receive(mine.frame(number))
    assert decoder.progress.is_done
    with pytest.raises(OtherMessage, match="complete"):
        decoder.receive(theirs.frame(0))
    decoder.reset()
    assert decoder.progress == Progress(0, 0)
    assert decoder.receive("hello").is_done
    with pytest.raises(OtherMessage):
        decoder.receive("other")
    assert decoder.receive("hello").is_done


def test_bad_code_does_not_spoil_what_was_begun() -> None:
    decoder = Decoder()
    with pytest.raises(ParseError):
        decoder.receive("B$HU0201zz")
    assert decoder.progress.total == 0
    decoder.receive("B$HU020168")
    with pytest.raises(ParseError):
        decoder.receive("B$HU0200zz")
    with pytest.raises(ParseError):
        decoder.receive("B$HU02")
    assert decoder.receive("B$HU020068").data == b"hh"


def test_codes_that_contradict_each_other_start_anew() -> None:
    frames = ur.Frames("bytes", cbor.dumps(random_bytes(256)), 30)
    other = ur.parse(frames.frame(0))
    assert isinstance(other, ur.Piece)
    part = other.part
    lie = fountain.Part(1, part.count, part.message_size, part.checksum, bytes(29))
    decoder = Decoder()
    decoder.receive(frames.frame(0))
    with pytest.raises(ParseError, match="contradict"):
        decoder.receive(f"ur:bytes/1-9/{bytewords.encode(lie.serialize())}")
    assert decoder.progress.total == 0
    with pytest.raises(ParseError, match="damaged"):
        decoder.receive("B$ZU0100AAAA")
    assert decoder.progress.total == 0


def written(data: str) -> str:
    return bytewords.encode(bytes.fromhex(data))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        (" ", "empty"),
        ("x" * 21_000_001, "too large"),
        (vectors()["seed_ur"], "vault only"),
        (vectors()["hdkey"]["private_ur"], "vault only"),
        ("ur:crypto-bip39/gdaebycpeofygoiyktlonlpkrksfutwyzmwmfyeozs", "vault only"),
        ("ur:x-other/gdaebycpeofygoiyktlonlpkrksfutwyzmwmfyeozs", "not for this wallet"),
        ("ur:crypto-psbt/" + written("43616263"), "does not"),
        ("ur:crypto-psbt/" + written("63616263"), "does not hold"),
        ("ur:bytes/" + written("63616263"), "does not hold"),
        ("B$HX0100AA", "program"),
        ("B$HP0100AA", "does not"),
        ("B$HT0100AA", "ends"),
        ("B$HJ0100AA", "does not"),
        ("B$HU0100FF", "Unicode"),
        ("B$HU010020", "empty"),
        ("B$HP0100", "does not"),
    ],
)
def test_refusals_are_sentences(text: str, why: str) -> None:
    decoder = Decoder()
    with pytest.raises(ParseError, match=why) as refused:
        decoder.receive(text)
    assert str(refused.value).endswith(".")
    assert decoder.progress.total == 0


@pytest.mark.parametrize("format_", list(Format))
def test_nothing_and_what_is_not_of_its_kind_are_not_shown(format_: Format) -> None:
    with pytest.raises(ParseError):
        encode(Kind.TEXT, b"", format=format_)
    with pytest.raises(ParseError):
        encode(Kind.PSBT, b"abc", format=format_)
    with pytest.raises(ValueError, match="one byte"):
        encode(Kind.TEXT, b"abc", format=format_, max_fragment=0)


def test_too_large_messages_are_refused() -> None:
    for format_ in (Format.BBQR, Format.UR):
        with pytest.raises(ParseError):
            encode(
                Kind.BINARY, random.Random(1).randbytes(400_000), format=format_, max_fragment=50
            )
    with pytest.raises(ParseError, match="too large"):
        encode(Kind.BINARY, bytes(10_000_001), format=Format.BBQR)


def test_memory_is_bounded_under_a_flood_of_lies() -> None:
    """Parts of endless other messages, of counts without the parts, of one that never ends."""
    decoder = Decoder()
    rng = random.Random(1)
    part = fountain.Part(1, 4000, 4000 * 300, 7, rng.randbytes(300))
    decoder.receive(f"ur:bytes/1-4000/{bytewords.encode(part.serialize())}")
    refused = 0
    for number in range(300):
        other = fountain.Part(number + 1, 3000, 900_000, number, rng.randbytes(300))
        try:
            decoder.receive(f"ur:bytes/{number + 1}-3000/{bytewords.encode(other.serialize())}")
        except OtherMessage:
            refused += 1
    assert refused == 300
    assert decoder.progress.received == 1


@pytest.mark.parametrize(
    "piece",
    ["ur:bytes/ae", "ur:/", "/", "ab", "1", "word ", "a\n", "{", "wpkh(", "xpub", "B$H", "A="],
)
def test_largest_texts_take_neither_time_nor_memory(piece: str) -> None:
    text = piece + piece[-2:] * (2_000_000 // len(piece[-2:]))
    tracemalloc.start()
    try:
        Decoder().receive(text)
    except ParseError:
        pass
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # A few copies of two megabytes, or a list of its lines.
    assert most < 40_000_000


letters = st.text("BHZ2PU$0123456789ABCDEF:/-UR ", max_size=60)


@given(st.lists(st.text(max_size=60) | letters, max_size=6))
@settings(deadline=None)
def test_any_texts_are_progress_or_a_parse_error(texts: list[str]) -> None:
    decoder = Decoder()
    for text in texts:
        before = decoder.progress
        try:
            after = decoder.receive(text)
        except OtherMessage:
            assert decoder.progress is before
        except ParseError as error:
            assert str(error)  # noqa: PT017
        else:
            assert 0 < after.received <= after.total


@given(
    st.sampled_from([Format.BBQR, Format.UR]),
    st.binary(min_size=1, max_size=2000),
    st.integers(20, 300),
    st.randoms(use_true_random=False),
)
@settings(deadline=None, max_examples=40)
def test_thirty_of_a_hundred_codes_lost(
    format_: Format, data: bytes, size: int, rng: random.Random
) -> None:
    frames = encode(Kind.PSBT, PSBT[:6] + data, format=format_, max_fragment=size)
    shown = [frames.frame(n) for n in range(12 * frames.count)]
    kept = [text for text in shown if rng.random() < 0.7]
    kept += rng.choices(kept, k=len(kept) // 3)
    rng.shuffle(kept)
    decoder = Decoder()
    for text in kept:
        if decoder.receive(text).is_done:
            break
    assert decoder.progress.data == PSBT[:6] + data


def test_a_file_of_this_size_is_packed() -> None:
    data = PSBT + bytes(5000)
    frames = encode(Kind.PSBT, data, format=Format.BBQR, max_fragment=1000)
    assert (frames.count, bbqr.parse(next(frames)).encoding) == (1, bbqr.Encoding.ZLIB)
