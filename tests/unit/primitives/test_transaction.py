import hashlib
import struct
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wallet_gui.primitives.amount import MAX_MONEY
from wallet_gui.primitives.serialize import ParseError, Reader, compact_size
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut

# The only transaction of the genesis block.
GENESIS = bytes.fromhex(
    "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff00"
    "1d0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b20"
    "6f66207365636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104678afd"
    "b0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c"
    "384df7ba0b8d578a4c702b6bf11d5fac00000000"
)
# BIP143, section "P2SH-P2WPKH": the signed and the unsigned transaction.
SIGNED = bytes.fromhex(
    "01000000000101db6b1b20aa0fd7b23880be2ecbd4a98130974cf4748fb66092ac4d3ceb1a5477010000001716"
    "001479091972186c449eb1ded22b78e40d009bdf0089feffffff02b8b4eb0b000000001976a914a457b684d7f0d5"
    "39a46a45bbc043f35b59d0d96388ac0008af2f000000001976a914fd270b1ee6abcaea97fea7ad0402e8bd8ad6d7"
    "7c88ac02473044022047ac8e878352d3ebbde1c94ce3a10d057c24175747116f8288e5d794d12d482f0220217f36"
    "a485cae903c713331d877c1f64677e3622ad4010726870540656fe9dcb012103ad1d8e89212f0b92c74d23bb710c"
    "00662ad1470198ac48c43f7d6f93a2a2687392040000"
)
EMPTY = bytes.fromhex("02000000 00 00 00000000")

hashes = st.binary(min_size=32, max_size=32)
u32 = st.integers(0, 2**32 - 1)
scripts = st.binary(max_size=300)
inputs = st.builds(
    TxIn,
    st.builds(OutPoint, hashes, u32),
    script_sig=scripts,
    sequence=u32,
    witness=st.lists(scripts, max_size=3).map(tuple),
)
outputs = st.builds(TxOut, st.integers(-(2**63), 2**63 - 1), scripts)
transactions = st.builds(
    Transaction,
    version=u32,
    inputs=st.lists(inputs, min_size=1, max_size=4).map(tuple),
    outputs=st.lists(outputs, max_size=4).map(tuple),
    lock_time=u32,
)


def dsha(data: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def a_tx(
    *,
    inputs: tuple[TxIn, ...] = (TxIn(OutPoint(b"\x11" * 32, 0)),),
    outputs: tuple[TxOut, ...] = (TxOut(1000, b"\x51"),),
) -> Transaction:
    return Transaction(2, inputs, outputs, 0)


def test_genesis_transaction() -> None:
    tx = Transaction.parse(GENESIS)
    assert tx.txid[::-1].hex() == "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"
    assert tx.wtxid == tx.txid
    assert tx.is_coinbase
    assert not tx.has_witness
    assert not tx.signals_rbf
    assert (tx.weight, tx.vsize, tx.total_size) == (816, 204, 204)
    assert tx.outputs[0].value_sat == 50 * 100_000_000
    assert tx.serialize() == GENESIS
    tx.check_sanity()


def test_witness_transaction() -> None:
    tx = Transaction.parse(SIGNED)
    assert tx.serialize() == SIGNED
    assert tx.has_witness
    assert [len(item) for item in tx.inputs[0].witness] == [71, 33]
    assert tx.txid == dsha(tx.serialize_stripped())
    assert tx.wtxid == dsha(SIGNED)
    assert tx.weight == 3 * len(tx.serialize_stripped()) + len(SIGNED)
    assert tx.vsize == -(-tx.weight // 4)
    assert tx.lock_time == 1170
    assert not tx.signals_rbf
    assert str(tx.inputs[0].prevout) == (
        "77541aeb3c4dac9260b68f74f44c973081a9d4cb2ebe8038b2d70faa201b6bdb:1"
    )
    tx.check_sanity()


@settings(deadline=None)
@given(transactions)
def test_round_trip(tx: Transaction) -> None:
    parsed = Transaction.parse(tx.serialize())
    assert parsed == tx
    assert Transaction.parse_stripped(tx.serialize_stripped()).txid == tx.txid
    # Computed while reading, and computed from the fields.
    for name in ("txid", "wtxid", "stripped_size", "total_size", "weight", "vsize"):
        assert getattr(parsed, name) == getattr(tx, name)
    assert tx.total_size == len(tx.serialize())
    assert tx.stripped_size == len(tx.serialize_stripped())
    assert tx.wtxid == dsha(tx.serialize())


@settings(deadline=None)
@given(transactions, st.binary(max_size=10), st.binary(max_size=10))
def test_read_leaves_the_reader_behind_the_transaction(
    tx: Transaction, before: bytes, behind: bytes
) -> None:
    reader = Reader(before + tx.serialize() + behind)
    reader.read(len(before))
    assert Transaction.read(reader) == tx
    assert reader.read(reader.remaining) == behind


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=200))
@example(EMPTY)
def test_any_bytes_are_a_transaction_or_a_parse_error(data: bytes) -> None:
    for parse, serialize in (
        (Transaction.parse, Transaction.serialize),
        (Transaction.parse_stripped, Transaction.serialize_stripped),
    ):
        try:
            tx = parse(data)
        except ParseError:
            continue
        assert serialize(tx) == data


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_damaged_transactions_are_read_exactly_or_refused(data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from([GENESIS, SIGNED])))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        tx = Transaction.parse(bytes(raw))
    except ParseError:
        return
    assert tx.serialize() == raw


@pytest.mark.parametrize("raw", [GENESIS, SIGNED])
def test_truncation_and_trailing_bytes_are_refused(raw: bytes) -> None:
    for size in range(len(raw)):
        with pytest.raises(ParseError):
            Transaction.parse(raw[:size])
    with pytest.raises(ParseError):
        Transaction.parse(raw + b"\x00")


@pytest.mark.parametrize("version", [0, 1, 2, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_every_version_round_trips(version: int) -> None:
    tx = replace(a_tx(), version=version)
    assert Transaction.parse(tx.serialize()).version == version


def test_a_negative_version_is_written_as_its_bits() -> None:
    tx = replace(a_tx(), version=-1)
    assert Transaction.parse(tx.serialize()).version == 0xFFFFFFFF


def test_nothing_in_and_nothing_out() -> None:
    tx = Transaction.parse(EMPTY)
    assert (tx.inputs, tx.outputs, tx.version) == ((), (), 2)
    assert tx.serialize() == EMPTY
    assert Transaction.parse_stripped(EMPTY) == tx


def test_no_inputs_but_an_output_needs_the_old_format() -> None:
    raw = Transaction(2, (), (TxOut(5, b""),), 0).serialize_stripped()
    assert Transaction.parse_stripped(raw).outputs == (TxOut(5, b""),)
    with pytest.raises(ParseError):
        Transaction.parse(raw)


def test_the_witness_flag_is_exact() -> None:
    body = SIGNED[6:]
    for flag in (2, 3, 0x81, 0xFF):
        with pytest.raises(ParseError):
            Transaction.parse(SIGNED[:4] + b"\x00" + bytes([flag]) + body)
    # Announced but empty: Core's "Superfluous witness record".
    stripped = a_tx().serialize_stripped()
    for witness in (b"\x00", b"\x01\x00"):
        raw = stripped[:4] + b"\x00\x01" + stripped[4:-4] + witness + stripped[-4:]
        if witness == b"\x00":
            with pytest.raises(ParseError, match="none"):
                Transaction.parse(raw)
        else:
            assert Transaction.parse(raw).inputs[0].witness == (b"",)
    with pytest.raises(ParseError):
        Transaction.parse(bytes.fromhex("01000000 0001 00 01 0100000000000000 00 00000000"))
    with pytest.raises(ParseError):
        Transaction.parse_stripped(SIGNED)


@pytest.mark.parametrize(
    "count", ["fd0100", "fdfc00", "fe01000000", "feffff0000", "ff0100000000000000"]
)
def test_lengths_must_be_written_the_short_way(count: str) -> None:
    raw = a_tx().serialize()
    with pytest.raises(ParseError, match="shortest"):
        Transaction.parse(raw[:4] + bytes.fromhex(count) + raw[5:])


@pytest.mark.parametrize("count", [2**16, 2**25, 2**25 + 1, 2**32, 2**63, 2**64 - 1])
def test_huge_counts_are_refused_before_anything_is_allocated(count: int) -> None:
    claimed = compact_size(count)
    raw = a_tx().serialize()
    for data in (
        raw[:4] + claimed + raw[5:],
        raw[:41] + claimed + raw[42:],
        raw[:46] + claimed + raw[47:],
        raw[:55] + claimed + raw[56:],
        SIGNED[:4] + b"\x00\x01" + SIGNED[6:-111] + claimed,
    ):
        with pytest.raises(ParseError):
            Transaction.parse(data)


def test_rbf_signal() -> None:
    for sequence, signals in ((0, True), (0xFFFFFFFD, True), (0xFFFFFFFE, False)):
        tx_input = TxIn(OutPoint(b"\x11" * 32, 0), sequence=sequence)
        assert a_tx(inputs=(tx_input,)).signals_rbf is signals


@settings(deadline=None)
@given(outputs, st.binary(min_size=1, max_size=4))
def test_output_parse_is_exact(output: TxOut, behind: bytes) -> None:
    raw = output.serialize()
    assert TxOut.parse(raw) == output
    for wrong in (raw + behind, raw[:-1], raw[:8], b""):
        with pytest.raises(ParseError):
            TxOut.parse(wrong)


def test_sanity_of_amounts() -> None:
    a_tx(outputs=(TxOut(MAX_MONEY, b""), TxOut(0, b""))).check_sanity()
    for amounts in (
        (-1,),
        (MAX_MONEY + 1,),
        (MAX_MONEY, 1),
        # CVE-2010-5139: the two outputs of block 74638, whose sum overflowed.
        (9223372036854277039, 9223372036854277039),
    ):
        with pytest.raises(ParseError):
            a_tx(outputs=tuple(TxOut(amount, b"") for amount in amounts)).check_sanity()


def test_sanity_of_inputs() -> None:
    coin = TxIn(OutPoint(b"\x11" * 32, 0))
    null = TxIn(OutPoint(bytes(32), 0xFFFFFFFF), b"\x01\x01")
    with pytest.raises(ParseError, match="twice"):  # CVE-2018-17144
        a_tx(inputs=(coin, replace(coin, sequence=1))).check_sanity()
    with pytest.raises(ParseError, match="no inputs"):
        a_tx(inputs=()).check_sanity()
    with pytest.raises(ParseError, match="no outputs"):
        a_tx(outputs=()).check_sanity()
    with pytest.raises(ParseError, match="spends nothing"):
        a_tx(inputs=(coin, null)).check_sanity()
    a_tx(inputs=(coin, replace(coin, prevout=OutPoint(bytes(32), 0)))).check_sanity()


@pytest.mark.parametrize(("size", "valid"), [(0, False), (1, False), (2, True), (100, True)])
def test_sanity_of_coinbase_scripts(size: int, *, valid: bool) -> None:
    tx = a_tx(inputs=(TxIn(OutPoint(bytes(32), 0xFFFFFFFF), b"\x01" * size),))
    if valid:
        tx.check_sanity()
        size = 101
        tx = a_tx(inputs=(TxIn(OutPoint(bytes(32), 0xFFFFFFFF), b"\x01" * size),))
    with pytest.raises(ParseError, match="between 2 and 100"):
        tx.check_sanity()


def test_sanity_of_size() -> None:
    overhead = a_tx(outputs=(TxOut(1, b"\x00" * 70_000),)).stripped_size - 70_000
    a_tx(outputs=(TxOut(1, b"\x00" * (1_000_000 - overhead)),)).check_sanity()
    with pytest.raises(ParseError, match="larger than a block"):
        a_tx(outputs=(TxOut(1, b"\x00" * (1_000_001 - overhead)),)).check_sanity()


def test_equality_ignores_what_is_cached() -> None:
    first, second = a_tx(), a_tx()
    assert first.txid
    assert first == second
    assert hash(first) == hash(second)
    assert struct.unpack("<I", first.serialize()[:4])[0] == 2
