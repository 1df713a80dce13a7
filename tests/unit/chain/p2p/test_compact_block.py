import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.chain.p2p import messages
from wallet_gui.chain.p2p.compact_block import CompactBlock
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut

COINBASE = Transaction(
    2, (TxIn(OutPoint(bytes(32), 0xFFFFFFFF), b"\x01\x02"),), (TxOut(5, b"\x51"),), 0
)
PAYMENT = Transaction(2, (TxIn(OutPoint(b"\x01" * 32, 0)),), (TxOut(5, b"\x51"),), 0)
HEADER = bytes(80)


def test_the_coinbase_and_the_count_are_read() -> None:
    block = CompactBlock(HEADER, 7, bytes(6 * 3), ((0, COINBASE), (2, PAYMENT)))
    read = messages.parse("cmpctblock", block.serialize())
    assert read == block
    assert isinstance(read, CompactBlock)
    assert read.coinbase == COINBASE
    assert read.transactions == 5


def test_one_without_a_coinbase_tells_nothing() -> None:
    assert CompactBlock(HEADER, 7, bytes(6), ((0, PAYMENT),)).coinbase is None
    assert CompactBlock(HEADER, 7, bytes(6), ((1, COINBASE),)).coinbase is None
    assert CompactBlock(HEADER, 7, bytes(6), ()).coinbase is None


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        HEADER,
        HEADER + bytes(8) + b"\0\0",  # no transaction at all
        HEADER
        + bytes(8)
        + b"\x01"
        + bytes(6)
        + b"\x01\x05"
        + COINBASE.serialize(),  # no such place
        HEADER + bytes(8) + b"\xfe\xff\xff\xff\x7f",  # more ids than bytes
        CompactBlock(HEADER, 7, bytes(6), ((0, COINBASE),)).serialize() + b"\0",
        CompactBlock(HEADER, 7, bytes(6), ((0, COINBASE),)).serialize()[:-1],
    ],
)
def test_others_are_refused(raw: bytes) -> None:
    with pytest.raises(ParseError):
        CompactBlock.parse(raw)


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_any_bytes_are_a_block_or_refused(tail: bytes) -> None:
    raw = HEADER + tail
    try:
        block = CompactBlock.parse(raw)
    except ParseError:
        return
    assert block.serialize() == raw
