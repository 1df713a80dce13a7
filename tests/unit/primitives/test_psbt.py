import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.primitives.psbt_samples import (
    BIP174,
    BIP371,
    PSBTS,
    a_psbt,
    cases,
    with_record,
)
from wallet_gui.primitives.psbt import KeyPath, Psbt, PsbtInput, PsbtOutput
from wallet_gui.primitives.psbt_fields import INPUT_FIELDS, OUTPUT_FIELDS
from wallet_gui.primitives.script import p2wpkh
from wallet_gui.primitives.serialize import ParseError


@pytest.mark.parametrize("raw", cases("valid"))
def test_valid_vectors_round_trip(raw: bytes) -> None:
    psbt = Psbt.parse(raw)
    assert psbt.serialize() == raw
    text = base64.b64encode(raw).decode()
    assert psbt.to_base64() == text
    assert Psbt.parse(text) == psbt
    assert Psbt.parse(f" {text}\n") == psbt
    assert psbt.copy() == psbt
    assert psbt.combine(psbt) == psbt


@pytest.mark.parametrize("raw", cases("invalid"))
def test_invalid_vectors_are_refused(raw: bytes) -> None:
    with pytest.raises(ParseError):
        Psbt.parse(raw)
    with pytest.raises(ParseError):
        Psbt.parse(base64.b64encode(raw).decode())


@pytest.mark.parametrize(("case", "index", "raw"), BIP174["fails_signer_checks"])
def test_vectors_that_fail_signer_checks(case: str, index: int, raw: bytes) -> None:
    psbt = Psbt.parse(raw)
    with pytest.raises(ParseError, match=f"Input {index}"):
        psbt.check_scripts(index)
    psbt.check_scripts(1 - index)


def test_workflow_vectors() -> None:
    flow = BIP174["workflow"]
    for name in ("created", "updated", "signed_a", "signed_b", "combined", "finalized"):
        assert Psbt.parse(flow[name]).serialize() == flow[name]
    updated = Psbt.parse(flow["updated"])
    assert Psbt.from_unsigned_tx(updated.tx).serialize() == flow["created"]
    for index in range(2):
        updated.check_scripts(index)
    assert updated.fee() == 10_000
    first, second = Psbt.parse(flow["signed_a"]), Psbt.parse(flow["signed_b"])
    assert first.combine(second).serialize() == flow["combined"]
    assert second.combine(first).serialize() == flow["combined"]
    assert first.serialize() == flow["signed_a"]
    extracted = Psbt.parse(flow["finalized"]).extract()
    assert extracted.serialize() == flow["extracted"]
    # Multisig of both kinds is finalized, from whatever order, to the very bytes.
    combined = Psbt.parse(flow["combined"])
    assert combined.finalize().serialize() == flow["finalized"]
    with pytest.raises(ParseError, match="Input 0"):
        combined.extract()
    # One signature of two is not enough.
    assert first.finalize() == first


def test_combining_keeps_unknown_records_in_lexicographic_order() -> None:
    vectors = BIP174["combine_unknown"]
    first, second = Psbt.parse(vectors["first"]), Psbt.parse(vectors["second"])
    assert first.combine(second).serialize() == vectors["combined"]
    assert second.combine(first).serialize() == vectors["combined"]


def test_known_fields_of_the_vectors() -> None:
    taproot = Psbt.parse(BIP371["valid"][1][1])
    (psbt_input,) = taproot.inputs
    assert psbt_input.tap_key_sig is not None
    assert len(psbt_input.tap_key_sig) == 64
    key = psbt_input.tap_internal_key
    assert key is not None
    hashes, origin = psbt_input.tap_bip32_derivations[key]
    assert hashes == ()
    assert origin == KeyPath(bytes.fromhex("772b2da7"), (0x80000056, 0x80000001, 0x80000000, 1, 0))
    tree = Psbt.parse(BIP371["valid"][4][1]).outputs[0].tap_tree
    assert tree is not None
    assert [(depth, version) for depth, version, _ in tree] == [(2, 0xC0), (2, 0xC0), (1, 0xC0)]
    xpubs = Psbt.parse(BIP174["valid"][5][1]).xpubs
    assert [origin.path for origin in xpubs.values()] == [
        (0x800000AE, 0x80000000),
        (0x800000AE, 0x80000001),
    ]


@settings(deadline=None)
@given(PSBTS)
def test_every_field_round_trips(psbt: Psbt) -> None:
    raw = psbt.serialize()
    parsed = Psbt.parse(raw)
    assert parsed == psbt
    assert parsed.serialize() == raw


def test_the_strategies_know_every_field() -> None:
    """A field that is added to the tables must be added to the round trip above."""
    inputs = {entry.attribute for entry in INPUT_FIELDS}
    outputs = {entry.attribute for entry in OUTPUT_FIELDS}
    version_2 = {"required_time", "required_height", "states_sequence"}
    assert inputs | version_2 | {"unknown"} == set(PsbtInput.__slots__)
    assert outputs | {"unknown"} == set(PsbtOutput.__slots__)


@settings(deadline=None, max_examples=400)
@given(st.data())
def test_damaged_psbts_are_read_or_refused(data: st.DataObject) -> None:
    vectors = [case[1] for case in BIP174["valid"] + BIP371["valid"]]
    raw = bytearray(data.draw(st.sampled_from(vectors)))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(5, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        psbt = Psbt.parse(bytes(raw))
    except ParseError:
        return
    again = Psbt.parse(psbt.serialize())
    assert again == psbt
    for index in range(len(psbt.inputs)):
        try:
            psbt.check_scripts(index)
            psbt.finalize()
            psbt.fee()
        except ParseError:
            continue


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_psbt_or_a_parse_error(data: bytes) -> None:
    for raw in (data, b"psbt\xff" + data, with_record("00")[:-2] + data):
        try:
            psbt = Psbt.parse(raw)
        except ParseError:
            continue
        assert Psbt.parse(psbt.serialize()) == psbt


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_a_psbt_or_a_parse_error(text: str) -> None:
    with pytest.raises(ParseError):
        Psbt.parse(text)


@pytest.mark.parametrize("where", ["global", "input", "output"])
def test_unknown_and_proprietary_records_are_kept_byte_for_byte(where: str) -> None:
    records = "06fc0261620099" + "03aabbcc" + "04f0010203" + "00" + "0119" + "02ffff"
    raw = with_record(records, where=where)
    psbt = Psbt.parse(raw)
    unknown = {
        "global": psbt.unknown,
        "input": psbt.inputs[0].unknown,
        "output": psbt.outputs[0].unknown,
    }
    assert unknown[where] == {
        bytes.fromhex("fc0261620099"): bytes.fromhex("aabbcc"),
        bytes.fromhex("f0010203"): b"",
        b"\x19": b"\xff\xff",
    }
    assert Psbt.parse(psbt.serialize()) == psbt
    # In the very order in which they came, not in that of their types.
    assert psbt.serialize() == raw


@pytest.mark.parametrize("raw", cases("valid"))
def test_what_people_paste_is_read(raw: bytes) -> None:
    psbt, text = Psbt.parse(raw), base64.b64encode(raw).decode()
    wrapped = "\r\n".join(text[start : start + 76] for start in range(0, len(text), 76))
    for pasted in (
        raw,
        text,
        f"  {wrapped}\n",
        f'"{text}"',
        "\ufeff" + text,
        raw.hex(),
        raw.hex().upper(),
        raw.hex(" ", 16),
    ):
        assert Psbt.read_any(pasted) == psbt
        if isinstance(pasted, str):
            for encoding in ("utf-8", "utf-8-sig", "utf-16"):
                assert Psbt.read_any(pasted.encode(encoding)) == psbt


@pytest.mark.parametrize(
    ("pasted", "sentence"),
    [
        ("", "There is no PSBT here: the text is empty"),
        (b" \n", "There is no PSBT here: the text is empty"),
        ("70736274ff0", "not valid hex text"),
        ("70736274ff0g", "not valid hex text"),
        ("bitcoin:?", "not valid base64 text"),
        (b"\xff\xfea", "neither its bytes nor base64 or hex"),
        (b"\x80psbt", "neither its bytes nor base64 or hex"),
        ("aGVsbG8=", "does not begin with its magic bytes"),
        (b"A" * 30_000_001, "more than 10000000 bytes"),
        ("70736274ff" + "00" * 10_000_000, "10000000 are allowed"),
    ],
)
def test_what_is_no_psbt_is_said(pasted: bytes | str, sentence: str) -> None:
    with pytest.raises(ParseError, match=sentence):
        Psbt.read_any(pasted)


@settings(deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60))
def test_anything_pasted_is_a_psbt_or_a_parse_error(pasted: bytes | str) -> None:
    with pytest.raises(ParseError):
        Psbt.read_any(pasted)


def test_the_paths_of_global_xpubs_are_as_long_as_the_keys_are_deep() -> None:
    (xpub, key_path), _ = Psbt.parse(BIP174["valid"][5][1]).xpubs.items()
    psbt = a_psbt(p2wpkh(bytes(20)), prove=False)
    psbt.xpubs = {xpub: key_path}
    assert Psbt.parse(psbt.serialize()) == psbt
    for path in (key_path.path[:-1], (*key_path.path, 0)):
        psbt.xpubs = {xpub: KeyPath(key_path.fingerprint, path)}
        with pytest.raises(ParseError, match="xpubs: The extended public key is not as deep"):
            Psbt.parse(psbt.serialize())
