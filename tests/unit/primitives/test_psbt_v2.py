"""Version 2 (BIP370): its vectors, lock times, flags, and the way to version 0 and back."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.primitives.psbt_samples import (
    BIP174,
    BIP370,
    BIP371,
    KEY,
    OTHER_KEY,
    PSBTS,
    PSBTS_2,
    SIGNATURE,
    a_psbt,
)
from wallet_gui.primitives import psbt_v2
from wallet_gui.primitives.psbt import KeyPath, Psbt
from wallet_gui.primitives.script import p2wpkh
from wallet_gui.primitives.serialize import ParseError, var_bytes
from wallet_gui.primitives.transaction import SEQUENCE_FINAL, Transaction

ANY = PSBTS | PSBTS_2
DATE = 1_700_000_000


@pytest.mark.parametrize(
    ("expected", "raw"), [pytest.param(*case[1:], id=case[0]) for case in BIP370["lock_times"]]
)
def test_the_lock_time_is_determined(expected: int, raw: bytes) -> None:
    assert Psbt.parse(raw).tx.lock_time == expected
    assert Psbt.parse(raw).serialize() == raw


def test_a_height_and_a_date_exclude_each_other() -> None:
    ((_, raw),) = BIP370["no_lock_time"]
    with pytest.raises(ParseError, match="one input is locked until a height, another until a dat"):
        Psbt.parse(raw)


@pytest.mark.parametrize(
    "raw",
    [pytest.param(case[-1], id=case[0]) for case in BIP370["valid"] + BIP370["lock_times"]],
)
def test_vectors_of_version_2_survive_version_0(raw: bytes) -> None:
    psbt = Psbt.parse(raw)
    assert psbt.version == 2
    old = psbt.to_version(0)
    assert old.version == 0
    assert old.tx == psbt.tx
    as_bytes = old.serialize()
    assert as_bytes == psbt.serialize(0)
    assert Psbt.parse(as_bytes).to_version(2).serialize() == raw
    assert psbt.serialize() == raw


@pytest.mark.parametrize(
    "raw", [pytest.param(case[1], id=case[0]) for case in BIP174["valid"] + BIP371["valid"]]
)
def test_vectors_of_version_0_survive_version_2(raw: bytes) -> None:
    new = Psbt.parse(raw).serialize(2)
    assert Psbt.parse(new).version == 2
    assert Psbt.parse(new).serialize(0) == raw


@settings(deadline=None)
@given(ANY)
def test_conversion_loses_nothing(psbt: Psbt) -> None:
    other = psbt.to_version(2 - psbt.version)
    assert other.tx == psbt.tx
    again = Psbt.parse(other.serialize()).to_version(psbt.version)
    assert again == psbt
    assert again.serialize() == psbt.serialize()
    assert psbt.to_version(psbt.version) == psbt


@settings(deadline=None)
@given(PSBTS_2)
def test_every_field_round_trips(psbt: Psbt) -> None:
    raw = psbt.serialize()
    parsed = Psbt.parse(raw)
    assert parsed == psbt
    assert parsed.serialize() == raw
    assert psbt.combine(psbt) == psbt


def test_there_are_versions_0_and_2_only() -> None:
    psbt = a_psbt(p2wpkh(bytes(20)))
    for version in (1, 3, -1, None):
        with pytest.raises(ParseError, match="There is no PSBT of version"):
            psbt.to_version(version)
    with pytest.raises(ParseError, match="There is no PSBT of version"):
        psbt.serialize(1)


def locked(fallback: int | None = None, **required: int) -> Psbt:
    """A PSBT of version 2 with one input and these lock times."""
    psbt = a_psbt(p2wpkh(bytes(20)), prove=False).to_version(2)
    psbt.inputs[0].required_height = required.get("height")
    psbt.inputs[0].required_time = required.get("time")
    psbt.fallback_lock_time = fallback
    lock_time = psbt_v2.lock_time(psbt.inputs, fallback)
    psbt.tx = dataclasses.replace(psbt.tx, lock_time=lock_time)
    return psbt


def test_a_lock_time_that_the_inputs_do_not_need_is_not_written() -> None:
    psbt = locked(height=100)
    assert Psbt.parse(psbt.serialize()) == psbt
    psbt.tx = dataclasses.replace(psbt.tx, lock_time=99)
    with pytest.raises(ParseError, match="lock time is not the one"):
        psbt.serialize()
    # Without a need of an input, the transaction's own lock time is the fallback.
    free = locked(5)
    free.tx = dataclasses.replace(free.tx, lock_time=77)
    assert Psbt.parse(free.serialize()).tx.lock_time == 77


def test_carried_records_that_were_spoilt_are_kept_and_not_acted_on() -> None:
    old = locked(3, height=100).to_version(0)
    (key,) = [key for key in old.inputs[0].unknown if key.endswith(b"\x12")]
    for lie in (b"\x65\x00\x00\x00", b"\x00" * 4, b"", b"\xff" * 4, b"\x64"):
        spoilt = old.copy()
        spoilt.inputs[0].unknown[key] = lie
        new = spoilt.to_version(2)
        assert new.tx == old.tx
        assert new.inputs[0].required_height is None
        assert new.inputs[0].unknown[key] == lie
        assert Psbt.parse(new.serialize()).tx == old.tx


def test_a_signature_takes_the_right_to_modify() -> None:
    cases = {
        (7, 0x01): 4,
        (7, 0x00): 4,
        (3, 0x01): 0,
        (3, 0x02): 2,
        (3, 0x03): 4,
        (3, 0x81): 1,
        (3, 0x82): 3,
        (3, 0x83): 5,
        (0xFF, 0x01): 0xFC,
    }
    for (before, hash_type), after in cases.items():
        psbt = locked()
        psbt.modifiable = before
        psbt.record_signature(hash_type)
        assert psbt.modifiable == after
    psbt = locked()
    psbt.record_signature(0x83)
    assert psbt.modifiable is None


def test_flags_do_not_come_back_over_a_signature_made_in_version_0() -> None:
    psbt = locked()
    psbt.modifiable = 3
    old = psbt.to_version(0)
    assert old.modifiable is None
    assert old.to_version(2).modifiable == 3
    old.inputs[0].partial_sigs[KEY] = SIGNATURE
    assert Psbt.parse(old.serialize()).to_version(2).modifiable == 0


def test_what_either_forbids_is_forbidden_in_both() -> None:
    one, two = locked(), locked()
    for mine, theirs, both in [(3, 1, 1), (3, None, 0), (5, 2, 4), (None, None, None), (9, 3, 9)]:
        one.modifiable, two.modifiable = mine, theirs
        assert one.combine(two).modifiable == two.combine(one).modifiable == both


def test_an_open_sequence_number_takes_the_stated_one() -> None:
    one, two = locked(), locked()
    one.tx, two.tx = sequenced(one, SEQUENCE_FINAL), sequenced(two, 5)
    for left, right in ((one, two), (two, one)):
        assert left.combine(right).tx.inputs[0].sequence == 5
    stated = one.copy()
    stated.inputs[0].states_sequence = True
    for closed in (stated, signed(one), one.to_version(0)):
        for left, right in ((closed, two), (two, closed)):
            with pytest.raises(ParseError, match="different transactions"):
                left.combine(right)
    assert one.combine(stated) == stated.combine(one) == stated


def sequenced(psbt: Psbt, sequence: int) -> Transaction:
    (tx_input,) = psbt.tx.inputs
    inputs = (dataclasses.replace(tx_input, sequence=sequence),)
    return dataclasses.replace(psbt.tx, inputs=inputs)


def signed(psbt: Psbt) -> Psbt:
    copy = psbt.copy()
    copy.inputs[0].partial_sigs[KEY] = SIGNATURE
    return copy


def test_both_versions_combine_into_the_higher() -> None:
    new = locked(3, height=100)
    old = new.to_version(0)
    old.inputs[0].partial_sigs[KEY] = SIGNATURE
    new.inputs[0].bip32_derivations[OTHER_KEY] = KeyPath(bytes(4), (1,))
    for left, right in ((old, new), (new, old)):
        both = left.combine(right)
        assert both.version == 2
        assert both.tx == new.tx
        assert both.inputs[0].required_height == 100
        assert both.inputs[0].partial_sigs == {KEY: SIGNATURE}
        assert both.inputs[0].bip32_derivations == new.inputs[0].bip32_derivations
        assert Psbt.parse(both.serialize()) == both


def test_contradicting_lock_times_are_refused() -> None:
    for one, two in [
        (locked(height=100), locked(height=101)),
        (locked(1), locked(2)),
        (locked(1, height=100), locked(2, height=100)),
        (locked(height=100, time=DATE), locked(height=100, time=DATE + 1)),
    ]:
        for left, right in ((one, two), (two, one)):
            with pytest.raises(ParseError, match=r"contradict|different transactions"):
                left.combine(right)
    assert locked(height=100).combine(locked(100)) == locked(100, height=100)


HEAD = "01020402000000 01040101 01050101 01fb0402000000"
TXID, INDEX = "010e20" + "11" * 32, "010f0400000000"
INPUT = TXID + INDEX
AMOUNT = "0103080100000000000000"
OUTPUT = AMOUNT + "01040151"
FILLER = "01f020" + "00" * 32


def raw_v2(head: str = HEAD, psbt_input: str = INPUT, output: str = OUTPUT) -> bytes:
    return b"psbt\xff" + bytes.fromhex(f"{head} 00 {psbt_input} 00 {output} 00")


def test_the_plain_one_is_read() -> None:
    psbt = Psbt.parse(raw_v2())
    assert psbt.tx.outputs[0].value_sat == 1
    assert psbt.fallback_lock_time is psbt.modifiable is None


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"head": HEAD + "0100 0a 02000000000000000000"}, "must not hold an unsigned transaction"),
        ({"head": HEAD.replace("01020402000000", "")}, "does not state its transaction's version"),
        ({"head": HEAD.replace("01040101", "")}, "does not state"),
        ({"head": HEAD.replace("01050101", "")}, "does not state"),
        ({"head": HEAD.replace("0402000000", "0401000000", 1) + "0102 04 02000000"}, "twice"),
        ({"head": HEAD.replace("01fb0402000000", "01fb0403000000")}, "has version 3"),
        ({"head": HEAD.replace("01fb0402000000", "01fb0302000000"[:-2])}, "malformed"),
        ({"head": HEAD.replace("01020402000000", "010203020000")}, "tx_version: 4 bytes"),
        ({"head": HEAD.replace("01020402000000", "02020004 02000000")}, "tx_version: The key is"),
        ({"head": HEAD + "0103 03 000000"}, "fallback_lock_time: 4 bytes"),
        ({"head": HEAD + "0106 00"}, "modifiable: 1 bytes"),
        ({"head": HEAD + "0106 02 0000"}, "modifiable: 1 bytes"),
        ({"head": HEAD.replace("01040101", "0104 02 0100")}, "input_count: 1 unexpected bytes"),
        ({"head": HEAD.replace("01040101", "0104 00")}, "input_count: The data end too early"),
        ({"head": HEAD.replace("01040101", "0104 03 fd0100")}, "shortest form"),
        ({"head": HEAD.replace("01040101", "0104 01 02")}, "more inputs and outputs than it has"),
        ({"head": HEAD.replace("01040101", "0104 05 feffffff00")}, "more inputs and outputs than"),
        ({"head": HEAD.replace("01050101", "0105 05 feffffff01")}, "more inputs and outputs than"),
        ({"head": HEAD.replace("01050101", "0105 09 ffffffffffffffffff")}, "at most"),
        ({"head": HEAD.replace("01040101", "0104 01 00")}, r"Output 0|follow the PSBT|too early"),
        ({"psbt_input": TXID + FILLER}, "Input 0 of the PSBT does not say which coin"),
        ({"psbt_input": INDEX + FILLER}, "Input 0 of the PSBT does not say which coin"),
        ({"psbt_input": "010e1f" + "11" * 31 + INDEX + FILLER}, "previous_txid: 32 bytes"),
        ({"psbt_input": TXID + "010f03000000" + FILLER}, "output_index: 4 bytes"),
        ({"psbt_input": INPUT + TXID}, "twice"),
        ({"psbt_input": INPUT + "0110 03 000000"}, "sequence: 4 bytes"),
        ({"psbt_input": INPUT + "0111 04 ff64cd1d"}, "required_time: A lock time by date"),
        ({"psbt_input": INPUT + "0112 04 0065cd1d"}, "required_height: A lock time by height"),
        ({"psbt_input": INPUT + "0112 04 00000000"}, "required_height: A lock time by height"),
        ({"psbt_input": INPUT + "0112 03 000000"}, "required_height: 4 bytes"),
        ({"output": AMOUNT + FILLER}, "does not say what is paid"),
        ({"output": "01040151" + FILLER}, "does not say what is paid"),
        ({"output": "0103070000000000000001040151" + FILLER}, "amount_sat: 8 bytes"),
        ({"output": OUTPUT + "020300" + AMOUNT[4:]}, "amount_sat: The key is longer"),
    ],
)
def test_malformed_ones_are_refused(parts: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ParseError, match=sentence):
        Psbt.parse(raw_v2(**parts))


def test_a_transaction_larger_than_a_block_is_refused() -> None:
    script = var_bytes(b"\x6a" * 1_000_000).hex()
    with pytest.raises(ParseError, match="larger than a block"):
        Psbt.parse(raw_v2(output="0103 08 0100000000000000 0104" + script))


@settings(deadline=None, max_examples=400)
@given(st.data())
def test_damaged_ones_are_read_or_refused(data: st.DataObject) -> None:
    vectors = [case[1] for case in BIP370["valid"]] + [case[2] for case in BIP370["lock_times"]]
    raw = bytearray(data.draw(st.sampled_from(vectors)))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(5, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        psbt = Psbt.parse(bytes(raw))
    except ParseError:
        return
    assert Psbt.parse(psbt.serialize()) == psbt
    for version in (0, 2):
        other = Psbt.parse(psbt.serialize(version))
        assert other.to_version(psbt.version) == psbt
