import hashlib
from dataclasses import replace
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.primitives.block import (
    MAX_BLOCK_SIZE,
    Block,
    BlockHeader,
    bits_from_target,
    merkle_root,
    target_from_bits,
    work_from_bits,
)
from wallet_gui.primitives.serialize import ParseError, compact_size
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut

GENESIS = bytes.fromhex(
    "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac7"
    "2c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c010100000001000000000000"
    "0000000000000000000000000000000000000000000000000000ffffffff4d04ffff001d0104455468652054696d"
    "65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66207365636f6e642062"
    "61696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe5548271967f1a67130"
    "b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b"
    "6bf11d5fac00000000"
)
NULL = OutPoint(bytes(32), 0xFFFFFFFF)
COMMITMENT = bytes.fromhex("6a24aa21a9ed")


def dsha(data: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def second_root(hashes: list[bytes]) -> bytes:
    """The merkle root by recursion from the top instead of level by level."""
    depth = (len(hashes) - 1).bit_length()

    def node(level: int, position: int) -> bytes:
        if level == 0:
            return hashes[position]
        left = node(level - 1, 2 * position)
        width = -(-len(hashes) // 2 ** (level - 1))
        right = node(level - 1, 2 * position + 1) if 2 * position + 1 < width else left
        return dsha(left + right)

    return node(depth, 0)


def spend(number: int, *, witness: bool = False, size: int = 22) -> Transaction:
    coin = OutPoint(number.to_bytes(32, "big"), number)
    tx_input = TxIn(coin, witness=(b"\x01" * 64,) if witness else ())
    return Transaction(2, (tx_input,), (TxOut(1000, b"\x51" * size),), 0)


def coinbase(*extra: TxOut, reserved: tuple[bytes, ...] = ()) -> Transaction:
    tx_input = TxIn(NULL, b"\x03\x01\x02\x03", witness=reserved)
    return Transaction(2, (tx_input,), (TxOut(50, b"\x51"), *extra), 0)


def block_of(*transactions: Transaction) -> Block:
    root = second_root([tx.txid for tx in transactions])
    return Block(BlockHeader(4, bytes(32), root, 1, 0x207FFFFF, 0), transactions)


def commitment(transactions: list[Transaction], reserved: bytes) -> TxOut:
    root = second_root([bytes(32), *(tx.wtxid for tx in transactions)])
    return TxOut(0, COMMITMENT + dsha(root + reserved))


def segwit_block(count: int = 3, reserved: bytes = b"\x07" * 32) -> Block:
    others = [spend(number, witness=number % 2 == 1) for number in range(1, count + 1)]
    return block_of(coinbase(commitment(others, reserved), reserved=(reserved,)), *others)


headers = st.builds(
    BlockHeader,
    version=st.integers(-(2**31), 2**31 - 1),
    prev_blockhash=st.binary(min_size=32, max_size=32),
    merkle_root=st.binary(min_size=32, max_size=32),
    time=st.integers(0, 2**32 - 1),
    bits=st.integers(0, 2**32 - 1),
    nonce=st.integers(0, 2**32 - 1),
)


def test_genesis_block() -> None:
    block = Block.parse(GENESIS)
    assert block.header.hash[::-1].hex() == (
        "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
    )
    assert block.serialize() == GENESIS
    assert block.weight == 4 * len(GENESIS)
    block.check()
    block.check(segwit_active=False)


@settings(deadline=None)
@given(headers)
def test_header_round_trip(header: BlockHeader) -> None:
    raw = header.serialize()
    parsed = BlockHeader.parse(raw)
    assert parsed == header
    assert parsed.hash == header.hash == dsha(raw)
    assert parsed.hash is parsed.hash


@pytest.mark.parametrize("size", [0, 1, 79, 81, 160])
def test_header_length(size: int) -> None:
    with pytest.raises(ParseError):
        BlockHeader.parse(b"\x00" * size)


def test_block_round_trip_truncation_and_trailing_bytes() -> None:
    block = segwit_block()
    raw = block.serialize()
    assert Block.parse(raw) == block
    assert Block.parse(memoryview(raw)) == block
    assert block.weight == 3 * (81 + sum(tx.stripped_size for tx in block.transactions)) + len(raw)
    for size in range(len(raw)):
        with pytest.raises(ParseError):
            Block.parse(raw[:size])
    with pytest.raises(ParseError):
        Block.parse(raw + b"\x00")


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_block_or_a_parse_error(data: bytes) -> None:
    for raw in (data, GENESIS[:80] + data):
        try:
            block = Block.parse(raw)
        except ParseError:
            continue
        assert block.serialize() == raw


def test_oversized_blocks_and_counts_are_refused() -> None:
    with pytest.raises(ParseError, match="allowed"):
        Block.parse(b"\x00" * (MAX_BLOCK_SIZE + 1))
    for count in (2, 2**20, 2**32, 2**64 - 1):
        with pytest.raises(ParseError):
            Block.parse(GENESIS[:80] + compact_size(count) + GENESIS[81:])


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 8, 11, 13, 16, 17, 100])
def test_merkle_root(count: int) -> None:
    hashes = [dsha(bytes([number])) for number in range(count)]
    assert merkle_root(hashes) == (second_root(hashes), False)


def test_merkle_root_of_nothing_and_of_one() -> None:
    assert merkle_root([]) == (bytes(32), False)
    assert merkle_root([b"\x01" * 32]) == (b"\x01" * 32, False)


@pytest.mark.parametrize(("count", "repeated"), [(3, 1), (5, 1), (6, 2), (9, 1), (12, 4)])
def test_merkle_mutation_is_seen(count: int, repeated: int) -> None:
    hashes = [dsha(bytes([number])) for number in range(count)]
    mutated = hashes + hashes[-repeated:]
    assert merkle_root(mutated) == (second_root(hashes), True)


def test_repeated_transactions_are_refused() -> None:
    honest = block_of(coinbase(), spend(1), spend(2))
    honest.check()
    for mutated in (
        replace(honest, transactions=(*honest.transactions, honest.transactions[-1])),
        block_of(coinbase(), spend(1), spend(2), spend(2)),
    ):
        assert mutated.header == honest.header
        with pytest.raises(ParseError, match="CVE-2012-2459"):
            mutated.check()


def test_other_transactions_than_the_header_s_are_refused() -> None:
    block = block_of(coinbase(), spend(1), spend(2))
    for transactions in (
        block.transactions[:-1],
        (*block.transactions, spend(3)),
        (block.transactions[0], block.transactions[2], block.transactions[1]),
        (),
    ):
        with pytest.raises(ParseError):
            replace(block, transactions=transactions).check()


def test_sixty_four_byte_transactions_are_refused_since_segwit() -> None:
    small = spend(1, size=4)
    assert small.stripped_size == 64
    block = block_of(coinbase(), small)
    with pytest.raises(ParseError, match="64-byte"):
        block.check()
    block.check(segwit_active=False)


def test_the_coinbase_comes_first_and_alone() -> None:
    with pytest.raises(ParseError, match="first"):
        block_of(spend(1), spend(2)).check()
    with pytest.raises(ParseError, match="second"):
        block_of(coinbase(), coinbase(TxOut(1, b""))).check()
    with pytest.raises(ParseError):
        block_of(spend(1), coinbase()).check()


def test_transactions_are_checked_for_sanity() -> None:
    bad = replace(spend(1), outputs=(TxOut(-1, b"\x51" * 30),))
    with pytest.raises(ParseError, match="21 million"):
        block_of(coinbase(), bad).check()


@pytest.mark.parametrize("count", [1, 2, 3, 6, 7])
def test_witness_commitment(count: int) -> None:
    block = segwit_block(count)
    block.check()
    # The mutated witness leaves the txid, and so the header, as they were.
    victim = block.transactions[1]
    forged_input = replace(victim.inputs[0], witness=(b"\x02" * 64,))
    forged = (block.transactions[0], replace(victim, inputs=(forged_input,)))
    mutated = replace(block, transactions=(*forged, *block.transactions[2:]))
    mutated._check_merkle_root(segwit_active=True)
    with pytest.raises(ParseError, match="commitment"):
        mutated.check()


def test_the_last_commitment_counts() -> None:
    others = [spend(1, witness=True)]
    reserved = bytes(32)
    right, wrong = commitment(others, reserved), TxOut(0, COMMITMENT + b"\x01" * 32)
    block_of(coinbase(wrong, right, reserved=(reserved,)), *others).check()
    long = replace(right, script_pubkey=right.script_pubkey + b"more")
    block_of(coinbase(wrong, long, reserved=(reserved,)), *others).check()
    with pytest.raises(ParseError, match="commitment"):
        block_of(coinbase(right, wrong, reserved=(reserved,)), *others).check()
    # One byte short of a commitment is none.
    short = TxOut(0, right.script_pubkey[:-1])
    block_of(coinbase(right, short, reserved=(reserved,)), *others).check()


@pytest.mark.parametrize("reserved", [(), (b"\x00" * 31,), (b"\x00" * 33,), (bytes(32), b"")])
def test_the_reserved_value_is_one_item_of_32_bytes(reserved: tuple[bytes, ...]) -> None:
    others = [spend(1)]
    block = block_of(coinbase(commitment(others, bytes(32)), reserved=reserved), *others)
    with pytest.raises(ParseError, match="reserved"):
        block.check()
    if not reserved:  # miners wrote commitments before segwit was active
        block.check(segwit_active=False)


def test_witnesses_need_a_commitment_and_segwit() -> None:
    block_of(coinbase(), spend(1)).check()
    with pytest.raises(ParseError, match="does not commit"):
        block_of(coinbase(), spend(1, witness=True)).check()
    with pytest.raises(ParseError, match="before segwit"):
        segwit_block().check(segwit_active=False)


def test_weight_limit() -> None:
    filler = block_of(coinbase(), spend(1, size=70_000))
    room = (4_000_000 - filler.weight) // 4
    full = block_of(coinbase(), spend(1, size=70_000 + room))
    assert full.weight == 4_000_000
    full.check()
    with pytest.raises(ParseError, match="weighs"):
        block_of(coinbase(), spend(1, size=70_001 + room)).check()


# Core, src/test/arith_uint256_tests.cpp, bignum_SetCompact: bits, target, bits again.
COMPACT = [
    (0x00000000, 0, 0),
    (0x00123456, 0, 0),
    (0x01003456, 0, 0),
    (0x02000056, 0, 0),
    (0x03000000, 0, 0),
    (0x04000000, 0, 0),
    (0x00923456, 0, 0),
    (0x01803456, 0, 0),
    (0x02800056, 0, 0),
    (0x03800000, 0, 0),
    (0x04800000, 0, 0),
    (0x01123456, 0x12, 0x01120000),
    (0x02123456, 0x1234, 0x02123400),
    (0x03123456, 0x123456, 0x03123456),
    (0x04123456, 0x12345600, 0x04123456),
    (0x05009234, 0x92340000, 0x05009234),
    (0x20123456, 0x123456 << 232, 0x20123456),
]


@pytest.mark.parametrize(("bits", "target", "again"), COMPACT)
def test_compact_targets(bits: int, target: int, again: int) -> None:
    assert target_from_bits(bits) == target
    assert bits_from_target(target) == again


def test_compact_keeps_the_sign_bit_free() -> None:
    assert bits_from_target(0x80) == 0x02008000


@pytest.mark.parametrize("bits", [0x01FEDCBA, 0x04923456, 0x03800001, 0xFF800001])
def test_negative_targets_are_refused(bits: int) -> None:
    with pytest.raises(ParseError, match="negative"):
        target_from_bits(bits)
    with pytest.raises(ParseError):
        work_from_bits(bits)


@pytest.mark.parametrize("bits", [0xFF123456, 0x23000001, 0x22000100, 0x21010000])
def test_overflowing_targets_are_refused(bits: int) -> None:
    with pytest.raises(ParseError, match="256 bits"):
        target_from_bits(bits)


@pytest.mark.parametrize("bits", [0x220000FF, 0x2100FFFF, 0x207FFFFF, 0x1D00FFFF])
def test_the_largest_targets_fit(bits: int) -> None:
    assert target_from_bits(bits) < 2**256


@settings(deadline=None)
@given(st.integers(0, 2**256 - 1))
def test_compact_rounds_down(target: int) -> None:
    bits = bits_from_target(target)
    rounded = target_from_bits(bits)
    assert rounded <= target
    assert bits_from_target(rounded) == bits
    assert target - rounded <= target >> 15


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_any_bits_are_a_target_or_a_parse_error(bits: int) -> None:
    try:
        target = target_from_bits(bits)
    except ParseError:
        return
    assert 0 <= target < 2**256
    assert target_from_bits(bits_from_target(target)) == target


def test_work() -> None:
    # chainwork of mainnet's genesis block and of a regtest block, as `getblockheader` shows them.
    assert work_from_bits(0x1D00FFFF) == 0x0000000100010001
    assert work_from_bits(0x207FFFFF) == 2
    assert work_from_bits(0) == 0
    assert reduce(int.__add__, (work_from_bits(0x207FFFFF) for _ in range(3))) == 6
