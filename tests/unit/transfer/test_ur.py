import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.transfer.ur_vectors import random_bytes, vectors
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer import bytewords, cbor, ur
from wallet_gui.transfer.fountain import Part
from wallet_gui.transfer.qr_capacity import qr_version


def test_single_part_is_the_official_one() -> None:
    frames = ur.Frames("bytes", cbor.dumps(random_bytes(50)), 1000)
    assert frames.count == 1
    assert frames.frame(0) == frames.frame(7) == vectors()["ur_of_50"].upper()
    code = ur.parse(vectors()["ur_of_50"])
    assert code == ur.parse(vectors()["ur_of_50"].upper())
    assert code == ur.Whole("bytes", cbor.dumps(random_bytes(50)))


def test_parts_are_the_official_ones() -> None:
    message = cbor.dumps(random_bytes(256))
    frames = ur.Frames("bytes", message, 30)
    # All but the parts 10 and 11.
    texts = [frames.frame(n) for n in (*range(9), *range(11, 20))]
    assert texts == [text.upper() for text in vectors()["urs_of_256"]]
    assert all(qr_version(len(text)) <= frames.version for text in texts)
    codes = [ur.parse(text) for text in vectors()["urs_of_256"]]
    decoder = ur.Decoder(codes[9])
    for code in codes[9:] + codes[:9]:
        assert decoder.belongs(code)
        decoder.receive(code)
    assert decoder.message == message
    assert (decoder.received, decoder.total) == (9, 9)


def test_checksum_that_begins_with_a_zero() -> None:
    # From the tests of foundation-ur-py, whose issue 3 it was.
    code = ur.parse(
        "ur:crypto-psbt/20-29/lpbbcscacfcmcpcybbrsptskhdssdtsbtkdechrhpkhkvwmdmnksgdaoaeaeaeaeaechptbbe"
        "odkpletlbldamjopmbnpeplwmfzltzthgoeqzteltlgaychaeaeaeaeaechptbbfxsawkidltenbskpjlfeflmnclpkemtp"
        "wpmhmhioltkecsamaeaeaeaeaechptbbintkmwzmynknkezcbgkthdfezopaynprmefthpkgltaeaeaeaeadaddnemmdaaa"
        "eaeaeaeaecpaecxhdgwfdvtsphdolbnkigeteeclkosoxlpjssnfxsgclahesjsvturdyjzcwsrkndtadahtkghclaofstd"
        "lnuysaasiesfdnrkhsmnjztonlpsldwftdmninoxehhnkotodrwpchrorhdaclaeetwdvl"
    )
    assert isinstance(code, ur.Piece)
    assert (code.part.sequence, code.part.count) == (20, 29)


def test_one_message_is_told_from_another() -> None:
    one, other = (ur.Frames("bytes", cbor.dumps(random_bytes(256, s)), 30) for s in ("a", "b"))
    whole = ur.Whole("bytes", b"\x41\x00")
    decoder = ur.Decoder(ur.parse(one.frame(0)))
    assert not decoder.belongs(ur.parse(other.frame(1)))
    assert not decoder.belongs(ur.parse(one.frame(1).replace("BYTES", "CRYPTO-PSBT")))
    assert not decoder.belongs(whole)
    assert not ur.Decoder(whole).belongs(ur.parse(one.frame(0)))
    assert not ur.Decoder(whole).belongs(ur.Whole("bytes", b"\x41\x01"))


def piece(sequence: str, part: Part) -> str:
    return f"ur:bytes/{sequence}/{bytewords.encode(part.serialize())}"


PART = Part(1, 2, 10, 5, b"12345")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ur:",
        "ur:bytes",
        "ur:/aeadaolazmjendeoti",
        "ur:by tes/aeadaolazmjendeoti",
        "ur:bytes/aeadaolazmjendeoti/a/b",
        "bytes/aeadaolazmjendeoti",
        "ur:bytes/aeadaolazmjendeotj",
        "ur:bytes/1of3/typ..",
        "ur:bytes/1of3/digest/typ..",
        piece("1-3", PART),
        piece("2-2", PART),
        piece("1/2", PART),
        piece("-2", PART),
        piece("99999999999-2", PART),
        "ur:bytes/1-2/" + "ae" * 9000,
        "ur:bytes/1-2/" + bytewords.encode(b"\x01"),
    ],
)
def test_broken_codes_are_refused(text: str) -> None:
    with pytest.raises(ParseError):
        ur.parse(text)


def test_first_version_is_named() -> None:
    with pytest.raises(ParseError, match="first version"):
        ur.parse("UR:CRYPTO-PSBT/1OF2/QWERTY/ABC")


def test_type_of_our_own_is_checked() -> None:
    with pytest.raises(ValueError, match="UR type"):
        ur.Frames("Bytes", b"\x40", 30)


@given(st.text(max_size=80))
@settings(deadline=None)
def test_any_text_is_a_code_or_a_parse_error(text: str) -> None:
    for each in (text, f"ur:bytes/{text}", f"ur:{text}/1-2/aeadaolazmjendeoti"):
        try:
            ur.parse(each)
        except ParseError as error:
            assert str(error)  # noqa: PT017
