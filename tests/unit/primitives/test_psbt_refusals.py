import hashlib
import struct
import time

import pytest

from tests.unit.primitives.psbt_samples import KEY, a_psbt, cases, with_record
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.script import p2wpkh
from wallet_gui.primitives.serialize import ParseError, compact_size, var_bytes


@pytest.mark.parametrize("raw", cases("valid"))
def test_truncation_and_trailing_bytes_are_refused(raw: bytes) -> None:
    for size in range(len(raw)):
        with pytest.raises(ParseError):
            Psbt.parse(raw[:size])
    for extra in (b"\x00", b"\x01", raw):
        with pytest.raises(ParseError):
            Psbt.parse(raw + extra)


def test_base64_is_strict() -> None:
    text = a_psbt(p2wpkh(bytes(20)), prove=False).to_base64()
    while not text.endswith("A=="):
        psbt = Psbt.parse(text)
        psbt.unknown[b"\xf0"] = psbt.unknown.get(b"\xf0", b"") + b"x"
        text = psbt.to_base64()
    Psbt.parse(text)
    for wrong in (
        text[:-1],
        text[:-2],
        text + "=",
        text[:-3] + "B==",  # bits behind the end
        text[:20] + "\n" + text[20:],
        text[:20] + " " + text[20:],
        text.replace("A", "-", 1),
        text + "é",
        "",
        text + text,
    ):
        with pytest.raises(ParseError):
            Psbt.parse(wrong)


@pytest.mark.parametrize(
    ("where", "record"),
    [
        ("global", "0102 04 02000000"),
        ("global", "0103 04 00000000"),
        ("global", "0104 01 01"),
        ("global", "0105 01 01"),
        ("global", "0106 01 00"),
        ("input", f"010e 20 {'00' * 32}"),
        ("input", "010f 04 00000000"),
        ("input", "0110 04 ffffffff"),
        ("input", "0111 04 ffffffff"),
        ("input", "0112 04 00000000"),
        ("output", "0103 08 0000000000000000"),
        ("output", "0104 01 51"),
    ],
)
def test_fields_of_version_2_are_refused(where: str, record: str) -> None:
    with pytest.raises(ParseError, match="version 2"):
        Psbt.parse(with_record(record.replace(" ", ""), where=where))


def test_versions() -> None:
    assert Psbt.parse(with_record("01fb0400000000", where="global")).unknown == {}
    for record in ("01fb0402000000", "01fb0401000000", "01fb0100", "02fb000400000000"):
        with pytest.raises(ParseError, match="version"):
            Psbt.parse(with_record(record, where="global"))


DER_R = "02207f" + "11" * 31


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "01",
        "300602010102010101"[:-2],  # no hash type
        "3106020101020101" + "01",
        "3007020101020101" + "01",
        "3006030101020101" + "01",
        "3006020101030101" + "01",
        "3006020001020101" + "01",
        "3006020181020101" + "01",
        "300602010102018101",
        "300702020001020101" + "01",
        "30070201010202000101",
        "3006020101020101" + "0101",
        "30060202010102" + "0101",
        "30ff" + "00" * 80,
    ],
)
def test_signatures_that_are_not_strict_der_are_refused(signature: str) -> None:
    record = "22" + "02" + KEY.hex() + compact_size(len(signature) // 2).hex() + signature
    with pytest.raises(ParseError, match="partial_sigs"):
        Psbt.parse(with_record(record))


@pytest.mark.parametrize(
    "signature",
    [
        "3006020101020101" + "01",
        "3006020100020100" + "83",
        "300702020081020101" + "01",
        "3044" + DER_R + DER_R + "00",
    ],
)
def test_strict_der_is_accepted(signature: str) -> None:
    record = "22" + "02" + KEY.hex() + compact_size(len(signature) // 2).hex() + signature
    (psbt_input,) = Psbt.parse(with_record(record)).inputs
    assert psbt_input.partial_sigs == {KEY: bytes.fromhex(signature)}


@pytest.mark.parametrize(
    ("where", "record"),
    [
        ("global", "01 01 04 00000000"),  # no key
        ("global", "4f 01 0488b21e" + "00" * 41 + "05" + "11" * 32 + "04 00000000"),
        ("global", "4f 01 0488b21e" + "00" * 41 + "02" + "11" * 32 + "05 0000000000"),
        ("input", "22 06 02" + "11" * 32 + "00"),
        ("input", "22 06 02" + "11" * 32 + "03 000000"),
        ("input", "22 06 05" + "11" * 32 + "04 00000000"),
        ("input", "42 06 02" + "11" * 64 + "04 00000000"),
        ("input", "01 03 03 010000"),
        ("input", "01 03 05 0100000000"),
        ("input", "15 0a" + "11" * 20 + "fd0100 00"),
        ("input", "14 0a" + "11" * 19 + "00"),
        ("input", "20 0b" + "11" * 31 + "00"),
        ("input", "16 0c" + "11" * 21 + "00"),
        ("input", "22 0d" + "11" * 33 + "00"),
        ("input", "22 15" + "c0" + "11" * 32 + "00"),
        ("input", "21 16" + "11" * 32 + "00"),
        ("input", "21 16" + "11" * 32 + "05 01 00000000"),
        ("input", "21 16" + "11" * 32 + "01 00"),
        ("input", "01 18 1f" + "00" * 31),
        ("input", "01 08 00"),
        ("input", "01 08 01 01"),
        ("input", "01 08 02 00 00"),
        ("input", "01 08 03 01 02 00"),
        ("input", "01 01 08 0000000000000000"),
        ("input", "01 00 00"),
        ("input", "01 fd 00"),
        ("global", "01 fc 00"),
        ("input", "02 fc02 00"),
        ("output", "03 fc0261 00"),
        ("output", "04 fc026162 00"),
        ("input", "05 fc0161fd01 00"),
        ("input", "03 fd0100 00"),
        ("output", "01 06 00"),
        ("output", "01 06 03 01c000"),
        ("output", "01 06 06 00c000 00c000"),
        ("output", "01 06 09 02c000 01c000 01c000"),
        ("output", "01 06 03 00c100"),
        ("output", "01 06 03 81c000"),
        ("output", "01 06 03 00c001"),
    ],
)
def test_malformed_records_are_refused(where: str, record: str) -> None:
    with pytest.raises(ParseError):
        Psbt.parse(with_record(record.replace(" ", ""), where=where))


@pytest.mark.parametrize("where", ["global", "input", "output"])
def test_duplicate_keys_are_refused_unknown_ones_too(where: str) -> None:
    Psbt.parse(with_record("02f00100" + "02f00200", where=where))
    with pytest.raises(ParseError, match="twice"):
        Psbt.parse(with_record("02f00100" + "02f0010107", where=where))
    with pytest.raises(ParseError):
        Psbt.parse(with_record("0100" + "00", where="global"))


def big_tx(inputs: int, outputs: int) -> bytes:
    return b"".join(
        (
            struct.pack("<I", 2) + compact_size(inputs),
            *(
                struct.pack("<32sIBI", hashlib.sha256(b"%d" % n).digest(), n, 0, 0)
                for n in range(inputs)
            ),
            compact_size(outputs) + b"\x00" * 9 * outputs,
            b"\x00" * 4,
        )
    )


def raw_psbt(tx: bytes, rest: bytes) -> bytes:
    return b"psbt\xff\x01\x00" + var_bytes(tx) + rest


ONE = big_tx(1, 1)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"psbt\xff" + b"\x00" * 10_000_000, id="larger than 10 MB"),
        pytest.param(
            raw_psbt(
                ONE,
                b"".join(b"\x04\xf0%b\x00" % n.to_bytes(3, "big") for n in range(1_500_000)),
            ),
            id="too many records",
        ),
        pytest.param(
            raw_psbt(
                big_tx(30, 1),
                b"\x00"
                + b"".join(b"\x04\xf0%b\x00" % n.to_bytes(3, "big") for n in range(4_000)).join(
                    [b"\x00"] * 30
                ),
            ),
            id="too many records in all maps together",
        ),
        pytest.param(raw_psbt(big_tx(30_000, 1), b"\x00" * 30_002), id="too many inputs"),
        pytest.param(raw_psbt(big_tx(1, 120_000), b"\x00" * 120_002), id="too many outputs"),
        pytest.param(
            raw_psbt(ONE, b"\x00\x01\x00" + var_bytes(big_tx(1, 1_000_000)) + b"\x00\x00"),
            id="previous transaction of 9 MB",
        ),
        pytest.param(
            raw_psbt(
                ONE,
                b"\x00\x01\x08"
                + var_bytes(compact_size(9_000_000) + b"\x00" * 9_000_000)
                + b"\x00\x00",
            ),
            id="witness of 9 million items",
        ),
        pytest.param(
            raw_psbt(ONE, b"\x00\x00\x01\x06" + var_bytes(b"\x01\xc0\x00" * 3_000_000) + b"\x00"),
            id="taproot tree of 3 million leaves",
        ),
        pytest.param(
            raw_psbt(ONE, b"\x00\xff" + b"\xff" * 8 + b"\x00" * 100), id="huge key length"
        ),
        pytest.param(
            raw_psbt(ONE, b"\x00\x01\x04\xfe\xff\xff\xff\x01\x00"), id="huge value length"
        ),
    ],
)
def test_hostile_psbts_are_refused_quickly(raw: bytes) -> None:
    start = time.process_time()
    with pytest.raises(ParseError):
        Psbt.parse(raw)
    assert time.process_time() - start < 3  # a tenth of it here, measured


def test_base64_of_a_too_large_psbt_is_not_decoded() -> None:
    with pytest.raises(ParseError, match="10000000"):
        Psbt.parse("A" * 14_000_000)
