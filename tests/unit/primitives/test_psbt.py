import base64
import hashlib
import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.primitives.amount import MAX_MONEY
from wallet_gui.primitives.hashes import hash160
from wallet_gui.primitives.psbt import KeyPath, Psbt, PsbtInput, PsbtOutput
from wallet_gui.primitives.psbt_fields import INPUT_FIELDS, OUTPUT_FIELDS
from wallet_gui.primitives.script import p2pkh, p2sh, p2tr, p2wpkh
from wallet_gui.primitives.serialize import ParseError, compact_size, var_bytes
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut

VECTORS = Path(__file__).parents[2] / "vectors"
KEY = b"\x02" + b"\x11" * 32
OTHER_KEY = b"\x03" + b"\x22" * 32
# r and s of one byte each, SIGHASH_ALL.
SIGNATURE = bytes.fromhex("3006020101020101") + b"\x01"


def load(name: str) -> dict[str, Any]:
    """Read a file of vectors and put its pieces together."""
    raw = json.loads((VECTORS / name).read_text())
    pieces = raw.pop("pieces")

    def assembled(value: Any) -> Any:
        if isinstance(value, list):
            return [assembled(item) for item in value]
        if isinstance(value, dict):
            return {key: assembled(item) for key, item in value.items()}
        if isinstance(value, str) and (value.startswith("$") or len(value) > 200):
            words = value.split()
            return bytes.fromhex("".join(pieces[w[1:]] if w[0] == "$" else w for w in words))
        return value

    return {key: assembled(value) for key, value in raw.items()}


BIP174 = load("bip174.json")
BIP371 = load("bip371.json")


def cases(kind: str) -> list[Any]:
    return [
        pytest.param(*case[1:], id=f"{name}: {case[0]}")
        for name, vectors in (("BIP174", BIP174), ("BIP371", BIP371))
        for case in vectors[kind]
    ]


def a_psbt(*scripts: bytes, value: int = 1000, prove: bool = True) -> Psbt:
    """A PSBT that spends one output per script, with the whole previous transactions."""
    previous = [
        Transaction(2, (TxIn(OutPoint(bytes([number]) * 32, 0)),), (TxOut(value, script),), 0)
        for number, script in enumerate(scripts)
    ]
    inputs = tuple(TxIn(OutPoint(tx.txid, 0), sequence=0xFFFFFFFD) for tx in previous)
    psbt = Psbt.from_unsigned_tx(Transaction(2, inputs, (TxOut(500, b"\x51"),), 7))
    for psbt_input, tx in zip(psbt.inputs, previous, strict=True):
        if prove:
            psbt_input.non_witness_utxo = tx
        else:
            psbt_input.witness_utxo = tx.outputs[0]
    return psbt


def with_record(record: str, *, where: str = "input", psbt: Psbt | None = None) -> bytes:
    """The bytes of a PSBT with one more record in the given map."""
    plain = (psbt or a_psbt(p2wpkh(bytes(20)), prove=False)).serialize()
    output_map, input_map = plain[-1:], plain[-2:-1]
    body = plain[:-2]
    assert (output_map, input_map) == (b"\x00", b"\x00")
    extra = bytes.fromhex(record)
    if where == "input":
        return body + extra + b"\x00\x00"
    if where == "output":
        return body + b"\x00" + extra + b"\x00"
    start = 5 + 3 + len(var_bytes(Psbt.parse(plain).tx.serialize_stripped())) - 1
    return plain[:start] + extra + plain[start:]


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
    # Multisig is not ours to finalize: it stays as it is.
    combined = Psbt.parse(flow["combined"])
    assert combined.finalize() == combined
    with pytest.raises(ParseError, match="Input 0"):
        combined.extract()


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


# Strategies: every field, filled with what it may hold.
KEYS = st.binary(min_size=32, max_size=32).map(lambda x: b"\x02" + x)
X_ONLY = st.binary(min_size=32, max_size=32)
SCRIPTS = st.binary(max_size=40)
PATHS = st.builds(
    KeyPath, st.binary(min_size=4, max_size=4), st.lists(st.integers(0, 2**32 - 1)).map(tuple)
)
SCHNORR = st.binary(min_size=64, max_size=65)
ORIGINS = st.tuples(st.lists(X_ONLY, max_size=2).map(tuple), PATHS)
UNKNOWN = st.dictionaries(
    st.binary(min_size=1, max_size=6).map(lambda key: b"\xf0" + key)
    | st.binary(max_size=6).map(lambda key: b"\xfc\x02ab\x00" + key)
    | st.binary(max_size=6).map(lambda key: b"\xfd\x00\x01" + key),
    st.binary(max_size=10),
    max_size=3,
)
TREES = st.sampled_from(
    [
        ((0, 0xC0, b"\x51"),),
        ((1, 0xC0, b""), (1, 0xFA, b"\x51" * 300)),
        ((2, 0xC0, b"\x51"), (2, 0xC0, b"\x52"), (1, 0xC0, b"\x53")),
        ((1, 0xC0, b"\x51"), (2, 0xC0, b"\x52"), (2, 0xC0, b"\x53")),
    ]
)


def maps(keys: st.SearchStrategy[bytes], values: st.SearchStrategy[Any]) -> Any:
    return st.dictionaries(keys, values, max_size=2)


PSBT_INPUTS = st.builds(
    PsbtInput,
    witness_utxo=st.none() | st.builds(TxOut, st.integers(0, MAX_MONEY), SCRIPTS),
    partial_sigs=maps(KEYS, st.just(SIGNATURE)),
    sighash_type=st.none() | st.integers(0, 2**32 - 1),
    redeem_script=st.none() | SCRIPTS,
    witness_script=st.none() | SCRIPTS,
    bip32_derivations=maps(KEYS, PATHS),
    ripemd160_preimages=maps(st.binary(min_size=20, max_size=20), SCRIPTS),
    sha256_preimages=maps(X_ONLY, SCRIPTS),
    hash160_preimages=maps(st.binary(min_size=20, max_size=20), SCRIPTS),
    hash256_preimages=maps(X_ONLY, SCRIPTS),
    final_script_sig=st.none() | SCRIPTS,
    final_script_witness=st.none() | st.lists(SCRIPTS, max_size=3).map(tuple),
    tap_key_sig=st.none() | SCHNORR,
    tap_script_sigs=maps(st.binary(min_size=64, max_size=64), SCHNORR),
    tap_leaf_scripts=maps(
        st.sampled_from([33, 65, 97]).flatmap(lambda n: st.binary(min_size=n, max_size=n)),
        st.binary(min_size=1, max_size=20),
    ),
    tap_bip32_derivations=maps(X_ONLY, ORIGINS),
    tap_internal_key=st.none() | X_ONLY,
    tap_merkle_root=st.none() | X_ONLY,
    unknown=UNKNOWN,
)
PSBT_OUTPUTS = st.builds(
    PsbtOutput,
    redeem_script=st.none() | SCRIPTS,
    witness_script=st.none() | SCRIPTS,
    bip32_derivations=maps(KEYS, PATHS),
    tap_internal_key=st.none() | X_ONLY,
    tap_tree=st.none() | TREES,
    tap_bip32_derivations=maps(X_ONLY, ORIGINS),
    unknown=UNKNOWN,
)
XPUBS = st.dictionaries(
    st.binary(min_size=32, max_size=32).map(
        lambda x: b"\x04\x35\x87\xcf" + bytes(41) + b"\x02" + x
    ),
    PATHS,
    max_size=2,
)
TX = Transaction(
    2, tuple(TxIn(OutPoint(bytes([n]) * 32, n)) for n in range(2)), (TxOut(1, b""),), 0
)
PSBTS = st.builds(
    Psbt,
    tx=st.just(TX),
    inputs=st.lists(PSBT_INPUTS, min_size=2, max_size=2),
    outputs=st.lists(PSBT_OUTPUTS, min_size=1, max_size=1),
    xpubs=XPUBS,
    unknown=UNKNOWN,
)


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
    assert inputs | {"unknown"} == set(PsbtInput.__slots__)
    assert outputs | {"unknown"} == set(PsbtOutput.__slots__)


def halves(psbt: Psbt, choices: Iterator[bool]) -> tuple[Psbt, Psbt]:
    """Distribute the records over two PSBTs; some go to both."""
    pair = psbt.copy(), psbt.copy()
    for half in pair:
        targets: list[Psbt | PsbtInput | PsbtOutput] = [half, *half.inputs, *half.outputs]
        for target in targets:
            for name in target.__slots__:
                value = getattr(target, name)
                if isinstance(value, dict):
                    for key in list(value):
                        if next(choices):
                            del value[key]
    return pair


@settings(deadline=None)
@given(PSBTS, st.randoms(use_true_random=False))
def test_combining_is_commutative_and_loses_nothing(psbt: Psbt, random: Any) -> None:
    def choose() -> Iterator[bool]:
        while True:
            yield random.random() < 0.5

    first, second = halves(psbt, choose())
    together = first.combine(second)
    assert together == second.combine(first)
    assert together.serialize() == second.combine(first).serialize()
    for half in (first, second):
        assert together.combine(half) == together
        pairs = zip(half.inputs, together.inputs, strict=True)
        for part, whole in pairs:
            assert part.partial_sigs.items() <= whole.partial_sigs.items()
            assert part.tap_script_sigs.items() <= whole.tap_script_sigs.items()
            assert part.unknown.items() <= whole.unknown.items()


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


def test_the_previous_transaction_must_be_the_one_that_is_spent() -> None:
    psbt = a_psbt(p2wpkh(bytes(20)))
    Psbt.parse(psbt.serialize())
    wrong = psbt.copy()
    wrong.inputs[0].non_witness_utxo = Transaction(2, psbt.tx.inputs, psbt.tx.outputs, 9)
    with pytest.raises(ParseError, match="another transaction"):
        Psbt.parse(wrong.serialize())
    previous = psbt.inputs[0].non_witness_utxo
    assert previous is not None
    missing = Psbt.from_unsigned_tx(
        Transaction(2, (TxIn(OutPoint(previous.txid, 1)),), (TxOut(1, b""),), 0)
    )
    missing.inputs[0].non_witness_utxo = previous
    with pytest.raises(ParseError, match="does not have"):
        Psbt.parse(missing.serialize())
    with pytest.raises(ParseError, match="no such output"):
        missing.utxo(0)


def test_utxo_trusts_no_contradiction() -> None:
    psbt = a_psbt(p2wpkh(bytes(20)))
    assert psbt.utxo(0) == TxOut(1000, p2wpkh(bytes(20)))
    psbt.inputs[0].witness_utxo = TxOut(1000, p2wpkh(bytes(20)))
    assert psbt.utxo(0).value_sat == 1000
    for lie in (TxOut(1001, p2wpkh(bytes(20))), TxOut(1000, p2wpkh(b"\x01" * 20))):
        psbt.inputs[0].witness_utxo = lie
        assert Psbt.parse(psbt.serialize()) == psbt
        for use in (lambda: psbt.utxo(0), psbt.fee, psbt.finalize, lambda: psbt.check_scripts(0)):
            with pytest.raises(ParseError, match="contradict"):
                use()
    empty = Psbt.from_unsigned_tx(psbt.tx)
    with pytest.raises(ParseError, match="does not say"):
        empty.utxo(0)


def test_fee() -> None:
    assert a_psbt(p2wpkh(bytes(20)), p2wpkh(b"\x01" * 20)).fee() == 1500
    with pytest.raises(ParseError, match="pays out more"):
        a_psbt(p2wpkh(bytes(20)), value=499).fee()
    for value in (-1, MAX_MONEY + 1, 2**63 - 1):
        with pytest.raises(ParseError):
            a_psbt(p2wpkh(bytes(20)), value=value).fee()
    with pytest.raises(ParseError, match="21 million"):
        a_psbt(p2wpkh(bytes(20)), p2wpkh(b"\x01" * 20), value=MAX_MONEY).fee()


def test_an_unsigned_transaction_has_no_signatures() -> None:
    for tx_input in (
        TxIn(OutPoint(bytes(32), 0), b"\x51"),
        TxIn(OutPoint(bytes(32), 0), witness=(b"",)),
    ):
        with pytest.raises(ParseError, match="signatures"):
            Psbt.from_unsigned_tx(Transaction(2, (tx_input,), (TxOut(1, b""),), 0))


def test_combining_refuses_contradictions() -> None:
    first = a_psbt(p2wpkh(hash160(KEY)))
    other = a_psbt(p2wpkh(hash160(OTHER_KEY)))
    with pytest.raises(ParseError, match="different transactions"):
        first.combine(other)
    second_signature = bytes.fromhex("300602010102010201")
    changes: list[tuple[str, Any, Any]] = [
        ("partial_sigs", {KEY: SIGNATURE}, {KEY: second_signature}),
        ("tap_key_sig", b"\x01" * 64, b"\x02" * 64),
        ("sighash_type", 1, 2),
        ("redeem_script", b"\x51", b"\x52"),
        ("witness_utxo", TxOut(1, b""), TxOut(2, b"")),
        ("bip32_derivations", {KEY: KeyPath(bytes(4), ())}, {KEY: KeyPath(bytes(4), (1,))}),
        ("final_script_witness", (b"\x01",), (b"\x02",)),
        ("unknown", {b"\xf0": b""}, {b"\xf0": b"\x01"}),
    ]
    for attribute, mine, theirs in changes:
        one, two = first.copy(), first.copy()
        setattr(one.inputs[0], attribute, mine)
        setattr(two.inputs[0], attribute, theirs)
        for left, right in ((one, two), (two, one)):
            with pytest.raises(ParseError, match="contradict"):
                left.combine(right)
        assert one.combine(first) == first.combine(one) == one


def test_combining_takes_either_witness_of_the_previous_transaction() -> None:
    first = a_psbt(p2wpkh(bytes(20)))
    second = first.copy()
    previous = first.inputs[0].non_witness_utxo
    assert previous is not None
    signed = TxIn(previous.inputs[0].prevout, witness=(b"\x01",))
    second.inputs[0].non_witness_utxo = Transaction(2, (signed,), previous.outputs, 0)
    assert first.combine(second) == second.combine(first)


def signed_inputs() -> Psbt:
    """One input of each kind that can be finalized, all signed with KEY."""
    key_hash = hash160(KEY)
    scripts = (p2pkh(key_hash), p2sh(hash160(p2wpkh(key_hash))), p2wpkh(key_hash), p2tr(KEY[1:]))
    psbt = a_psbt(*scripts)
    for psbt_input in psbt.inputs[:3]:
        psbt_input.partial_sigs = {KEY: SIGNATURE}
        psbt_input.bip32_derivations = {KEY: KeyPath(b"\x01\x02\x03\x04", (1,))}
        psbt_input.unknown = {b"\xf0": b"kept"}
    psbt.inputs[1].redeem_script = p2wpkh(key_hash)
    psbt.inputs[3].tap_key_sig = b"\x05" * 64
    psbt.inputs[3].tap_internal_key = KEY[1:]
    return psbt


def test_finalize_and_extract() -> None:
    psbt = signed_inputs()
    before = psbt.serialize()
    final = psbt.finalize()
    assert psbt.serialize() == before
    tx = final.extract()
    pushed = bytes([len(SIGNATURE)]) + SIGNATURE + bytes([33]) + KEY
    redeem = p2wpkh(hash160(KEY))
    assert [tx_input.script_sig for tx_input in tx.inputs] == [
        pushed,
        bytes([22]) + redeem,
        b"",
        b"",
    ]
    assert [tx_input.witness for tx_input in tx.inputs] == [
        (),
        (SIGNATURE, KEY),
        (SIGNATURE, KEY),
        (b"\x05" * 64,),
    ]
    assert tx.txid == Transaction.parse(tx.serialize()).txid
    assert [i.sequence for i in tx.inputs] == [i.sequence for i in psbt.tx.inputs]
    assert (tx.version, tx.outputs, tx.lock_time) == (2, psbt.tx.outputs, 7)
    for psbt_input in final.inputs:
        assert psbt_input.is_final
        assert psbt_input.non_witness_utxo is not None
        assert not psbt_input.partial_sigs
        assert not psbt_input.bip32_derivations
        assert psbt_input.tap_key_sig is None
        assert psbt_input.redeem_script is None
    assert final.inputs[0].unknown == {b"\xf0": b"kept"}
    # BIP174: empty final scripts are left out, not written as empty.
    assert final.inputs[0].final_script_witness is None
    assert final.inputs[2].final_script_sig is None
    assert final.finalize() == final
    assert Psbt.parse(final.serialize()).extract() == tx
    assert psbt.combine(final).finalize() == final


@pytest.mark.parametrize("index", range(4))
def test_inputs_without_their_signature_stay_as_they_are(index: int) -> None:
    psbt = signed_inputs()
    psbt.inputs[index].partial_sigs = {OTHER_KEY: SIGNATURE}
    psbt.inputs[index].tap_key_sig = None
    final = psbt.finalize()
    assert final.inputs[index] == psbt.inputs[index]
    assert [psbt_input.is_final for psbt_input in final.inputs].count(False) == 1
    with pytest.raises(ParseError, match=f"Input {index}"):
        final.extract()


def test_inputs_that_are_not_known_stay_as_they_are() -> None:
    psbt = signed_inputs()
    psbt.inputs[2].non_witness_utxo = None
    final = psbt.finalize()
    assert final.inputs[2] == psbt.inputs[2]


@pytest.mark.parametrize("hash_type", [0, 2, 3, 0x81, 0x82, 0x83, 0x41])
def test_signatures_of_another_hash_type_are_refused(hash_type: int) -> None:
    for index in range(3):
        psbt = signed_inputs()
        psbt.inputs[index].partial_sigs = {KEY: SIGNATURE[:-1] + bytes([hash_type])}
        with pytest.raises(ParseError, match=f"Input {index}.*hash type"):
            psbt.finalize()
        psbt.inputs[index].sighash_type = hash_type
        assert psbt.finalize().inputs[index].is_final
        psbt = signed_inputs()
        psbt.inputs[index].sighash_type = hash_type
        with pytest.raises(ParseError, match="hash type"):
            psbt.finalize()


@pytest.mark.parametrize(
    ("signature", "asked", "right"),
    [
        (b"\x05" * 64, None, True),
        (b"\x05" * 64, 0, True),
        (b"\x05" * 64, 1, False),
        (b"\x05" * 64 + b"\x01", None, True),
        (b"\x05" * 64 + b"\x01", 1, True),
        (b"\x05" * 64 + b"\x01", 0, False),
        (b"\x05" * 64 + b"\x00", None, False),
        (b"\x05" * 64 + b"\x00", 0, False),
        (b"\x05" * 64 + b"\x02", None, False),
        (b"\x05" * 64 + b"\x83", 0x83, True),
    ],
)
def test_taproot_hash_types(signature: bytes, asked: int | None, *, right: bool) -> None:
    psbt = signed_inputs()
    psbt.inputs[3].tap_key_sig = signature
    psbt.inputs[3].sighash_type = asked
    if right:
        assert psbt.finalize().inputs[3].final_script_witness == (signature,)
    else:
        with pytest.raises(ParseError, match="Input 3"):
            psbt.finalize()


def test_finalize_refuses_scripts_of_something_else() -> None:
    psbt = signed_inputs()
    psbt.inputs[1].redeem_script = p2wpkh(hash160(OTHER_KEY))
    with pytest.raises(ParseError, match="redeem script"):
        psbt.finalize()
    psbt = signed_inputs()
    psbt.inputs[2].redeem_script = p2wpkh(hash160(KEY))
    with pytest.raises(ParseError, match="redeem script"):
        psbt.finalize()
    psbt = signed_inputs()
    psbt.inputs[2].witness_script = b"\x51"
    with pytest.raises(ParseError, match="witness script"):
        psbt.finalize()


def test_legacy_inputs_need_their_previous_transaction() -> None:
    psbt = a_psbt(p2pkh(hash160(KEY)), prove=False)
    with pytest.raises(ParseError, match="previous transaction"):
        psbt.check_scripts(0)
    a_psbt(p2wpkh(hash160(KEY)), prove=False).check_scripts(0)
    a_psbt(p2tr(KEY[1:]), prove=False).check_scripts(0)


def test_an_uncompressed_key_cannot_spend_a_witness_program() -> None:
    key = b"\x04" + b"\x11" * 64
    psbt = a_psbt(p2wpkh(hash160(key)), p2pkh(hash160(key)))
    for psbt_input in psbt.inputs:
        psbt_input.partial_sigs = {key: SIGNATURE}
    assert [i.is_final for i in psbt.finalize().inputs] == [False, True]


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
