from collections.abc import Callable, Container, Iterator
from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.chain.engines import NATIVE
from tests.unit.chain.test_filters import vectors
from tests.unit.primitives import test_block as samples
from wallet_gui.chain.filters import ScalarEngine
from wallet_gui.chain.native.blocks import NativeBlock
from wallet_gui.chain.native.engine import NativeEngine
from wallet_gui.primitives.block import Block, ScannedBlock, merkle_root
from wallet_gui.primitives.serialize import ParseError, compact_size
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut

T_co = TypeVar("T_co", covariant=True)
pytestmark = pytest.mark.skipif(not NATIVE, reason="there is no C compiler")
EACH = pytest.mark.parametrize("engine", NATIVE, ids=lambda engine: engine.name)


def verdict(block: ScannedBlock, *, segwit_active: bool) -> str | None:
    try:
        block.check(segwit_active=segwit_active)
    except ParseError as error:
        return str(error)
    return None


def attempt(read: Callable[[bytes], ScannedBlock], raw: bytes) -> ScannedBlock | str:
    try:
        return read(raw)
    except ParseError as error:
        return str(error)


def compare(raw: bytes, engine: NativeEngine) -> None:
    """Read and check bytes with both; whatever one says the other must say."""
    expected, found = attempt(Block.parse, raw), attempt(engine.scan_block, raw)
    if isinstance(expected, str):
        assert found == expected
        return
    assert isinstance(found, NativeBlock)
    assert found.serialize() == raw
    assert found.header == expected.header
    assert found.weight == expected.weight
    assert found.transactions == expected.transactions
    for segwit_active in (True, False):
        assert verdict(found, segwit_active=segwit_active) == verdict(
            expected, segwit_active=segwit_active
        )


@pytest.fixture(autouse=True)
def refusals_are_unanimous(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    # Where the native engine refuses, the reference is asked too; a difference is logged.
    caplog.set_level("ERROR")
    yield
    assert not caplog.records


@EACH
def test_engines_read_real_blocks(engine: NativeEngine) -> None:
    for row in vectors():
        compare(bytes.fromhex(row["Block"]), engine)
    compare(samples.GENESIS, engine)
    assert isinstance(ScalarEngine().scan_block(samples.GENESIS), Block)


def remade(block: ScannedBlock, transactions: list[Transaction]) -> Block:
    root, _ = merkle_root([tx.txid for tx in transactions])
    return Block(replace(block.header, merkle_root=root), tuple(transactions))


def cases() -> dict[str, Block]:
    """Blocks that break one rule each, and some that break none."""
    spend, coinbase, block_of = samples.spend, samples.coinbase, samples.block_of
    honest = block_of(coinbase(), spend(1), spend(2))
    many = [spend(number, witness=number % 3 == 0) for number in range(1, 60)]
    committed = samples.segwit_block(5)
    witness = committed.transactions[1]
    forged = replace(witness, inputs=(replace(witness.inputs[0], witness=(b"\x02",)),))
    wide = [TxIn(OutPoint(bytes([number]) * 32, number)) for number in range(40)]
    money = 21_000_000 * 100_000_000
    null = TxIn(samples.NULL, b"\x01\x01")
    found = {
        "honest": honest,
        "segwit": samples.segwit_block(30),
        "odd counts": samples.segwit_block(2),
        "one transaction": block_of(coinbase()),
        "no transactions": replace(honest, transactions=()),
        "repeated": replace(honest, transactions=(*honest.transactions, honest.transactions[-1])),
        "another order": replace(honest, transactions=honest.transactions[::-1]),
        "no coinbase": block_of(spend(1), spend(2)),
        "two coinbases": block_of(coinbase(), coinbase(TxOut(1, b""))),
        "64 bytes": block_of(coinbase(), spend(1, size=4)),
        "witnesses without a commitment": block_of(coinbase(), *many),
        "a forged witness": replace(
            committed, transactions=(committed.transactions[0], forged, *committed.transactions[2:])
        ),
        "no outputs": block_of(coinbase(), replace(spend(1), outputs=())),
        "negative": block_of(coinbase(), replace(spend(1), outputs=(TxOut(-1, b"\x51" * 9),))),
        "too much": block_of(coinbase(), replace(spend(1), outputs=(TxOut(money + 1, b"q" * 9),))),
        "too much in sum": block_of(
            coinbase(), replace(spend(1), outputs=(TxOut(money, b""),) * 2)
        ),
        "all there is": block_of(coinbase(), replace(spend(1), outputs=(TxOut(money, b"q" * 9),))),
        "a coin twice": block_of(coinbase(), replace(spend(1), inputs=spend(1).inputs * 2)),
        "forty coins": block_of(coinbase(), replace(spend(1), inputs=tuple(wide))),
        "forty coins, one twice": block_of(coinbase(), replace(spend(1), inputs=(*wide, wide[17]))),
        "an input that spends nothing": block_of(
            coinbase(), replace(spend(1), inputs=(*spend(1).inputs, null))
        ),
        "a coinbase with two inputs": block_of(
            replace(coinbase(), inputs=(null, *spend(1).inputs))
        ),
        "full": block_of(coinbase(), spend(1, size=900_000)),
        "too heavy": block_of(coinbase(), *(spend(n, size=300_000) for n in range(1, 5))),
        "a transaction larger than a block": block_of(coinbase(), spend(1, size=1_000_100)),
    }
    for size in (0, 1, 2, 100, 101):
        tagged = replace(coinbase(), inputs=(TxIn(samples.NULL, b"\x01" * size),))
        found[f"a coinbase script of {size} bytes"] = block_of(tagged)
    others = [spend(1, witness=True)]
    for name, reserved in {
        "none": (),
        "short": (bytes(31),),
        "two": (bytes(32), b""),
        "right": (bytes(32),),
    }.items():
        first = coinbase(samples.commitment(others, bytes(32)), reserved=reserved)
        found[f"reserved value: {name}"] = block_of(first, *others)
    wrong = TxOut(0, samples.COMMITMENT + b"\x01" * 32)
    right = samples.commitment(others, bytes(32))
    for name, outputs in {
        "last wrong": (right, wrong),
        "last right": (wrong, right),
        "last short": (right, TxOut(0, right.script_pubkey[:-1])),
        "long": (replace(right, script_pubkey=right.script_pubkey + b"more"),),
    }.items():
        found[f"commitments: {name}"] = block_of(coinbase(*outputs, reserved=(bytes(32),)), *others)
    return found


CASES = cases()


@pytest.mark.parametrize("block", CASES.values(), ids=CASES)
def test_engines_check_alike(block: Block) -> None:
    raw = block.serialize()
    for engine in NATIVE:
        compare(raw, engine)


def test_some_cases_are_fine_and_some_are_not() -> None:
    fine = {name for name, block in CASES.items() if verdict(block, segwit_active=True) is None}
    assert {"honest", "segwit", "full", "forty coins", "all there is"} <= fine
    assert len(CASES) - len(fine) > 20


def test_truncated_blocks_and_trailing_bytes() -> None:
    raw = samples.segwit_block(3).serialize()
    for size in range(len(raw)):
        compare(raw[:size], NATIVE[-1])
    compare(raw + b"\x00", NATIVE[-1])
    compare(bytes(4_000_001), NATIVE[-1])
    for count in (0, 2, 3, 252, 253, 2**16, 2**20, 2**32, 2**64 - 1):
        compare(raw[:80] + compact_size(count) + raw[81:], NATIVE[-1])
    compare(raw[:80] + b"\xfd\x04\x00" + raw[81:], NATIVE[-1])


MUTANTS = [
    samples.GENESIS,
    samples.segwit_block(3).serialize(),
    samples.segwit_block(12).serialize(),
    CASES["forty coins"].serialize(),
]


@given(
    st.sampled_from(MUTANTS),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=3),
)
@settings(deadline=None, max_examples=300)
def test_mutated_blocks_are_read_alike(raw: bytes, changes: list[tuple[int, int]]) -> None:
    mutant = bytearray(raw)
    for place, value in changes:
        mutant[80 + place % (len(raw) - 80)] = value
    compare(bytes(mutant), NATIVE[-1])
    # The same with a header that commits to what was changed, so that every rule is looked at.
    mined = attempt(Block.parse, bytes(mutant))
    if not isinstance(mined, str) and mined.transactions:
        compare(remade(mined, list(mined.transactions)).serialize(), NATIVE[-1])


@given(st.binary(max_size=300))
@settings(deadline=None)
@example(b"\x01" + bytes(10))
@example(b"\x01" + b"\x01\0\0\0\0\1\0" + bytes(53))
def test_any_bytes_are_read_alike(data: bytes) -> None:
    compare(data, NATIVE[-1])
    compare(samples.GENESIS[:80] + data, NATIVE[-1])


# --- candidates -----------------------------------------------------------------------------------


class Only(Container[T_co]):
    """A container that can be asked and not listed."""

    def __init__(self, items: Container[T_co]) -> None:
        self._items = items

    def __contains__(self, item: object) -> bool:
        return item in self._items


KEYS = [bytes([2 + number % 2]) + bytes([number]) * 32 for number in range(6)]
SCRIPTS = [b"", b"\x51", b"\x00\x14" + b"a" * 20, b"\x00\x14" + b"b" * 20, b"\x6a" * 300]


@st.composite
def blocks_and_wishes(
    draw: st.DrawFn,
) -> tuple[Block, set[bytes], set[OutPoint], set[bytes]]:
    random = draw(st.randoms(use_true_random=False))
    transactions = [samples.coinbase()]
    made: list[OutPoint] = []
    foreign = [OutPoint(random.randbytes(32), random.randrange(3)) for _ in range(8)]
    spent = []
    for _ in range(draw(st.integers(0, 12))):
        inputs = []
        for _ in range(random.choice([1, 1, 2, 14])):
            prevout = random.choice([*made, *foreign]) if random.random() < 0.7 else None
            prevout = prevout or OutPoint(random.randbytes(32), 1)
            spent.append(prevout)
            key = random.choice([*KEYS, b"", b"\x30" * 71])
            kind = random.randrange(4)
            witness = (b"\x30", key) if kind == 0 else (b"\x07",) if kind == 1 else ()
            script_sig = b"\x48" + b"\x30" * 5 + key if kind == 2 else key[: random.randrange(34)]
            inputs.append(TxIn(prevout, script_sig, random.randrange(2**32), witness))
        outputs = tuple(
            TxOut(random.randrange(1000), random.choice([*SCRIPTS, random.randbytes(22)]))
            for _ in range(random.choice([1, 2, 5]))
        )
        transaction = Transaction(2, tuple(inputs), outputs, random.randrange(2**32))
        transactions.append(transaction)
        made.append(OutPoint(transaction.txid, random.randrange(len(outputs))))
    block = remade(samples.block_of(samples.coinbase()), transactions)
    scripts = draw(st.sets(st.sampled_from([*SCRIPTS, b"never"]), max_size=2))
    outpoints = draw(st.sets(st.sampled_from([*foreign, *spent, samples.NULL]), max_size=3))
    return (
        block,
        scripts,
        outpoints,
        draw(st.sets(st.sampled_from([*KEYS, b"", b"\x07"]), max_size=2)),
    )


@given(blocks_and_wishes())
@settings(deadline=None, max_examples=200)
def test_engines_find_the_same_candidates(
    case: tuple[Block, set[bytes], set[OutPoint], set[bytes]],
) -> None:
    block, scripts, outpoints, public_keys = case
    expected = list(block.candidates(scripts, outpoints, public_keys))
    raw = block.serialize()
    for engine in NATIVE[-2:]:
        scanned = engine.scan_block(raw)
        assert list(scanned.candidates(scripts, outpoints, public_keys)) == expected
        asked = scanned.candidates(Only(scripts), Only(outpoints), Only(public_keys))
        assert list(asked) == expected
    for position, transaction in expected:
        assert block.transactions[position] == transaction


def test_candidates_follow_each_other_through_a_block() -> None:
    first = samples.spend(1)
    second = Transaction(2, (TxIn(OutPoint(first.txid, 7)),), (TxOut(1, b"\x52"),), 0)
    third = Transaction(2, (TxIn(OutPoint(second.txid, 0)),), (TxOut(1, b"\x53"),), 0)
    block = samples.block_of(samples.coinbase(), third, first, samples.spend(2), second, third)
    coin = first.inputs[0].prevout
    for scanned in (block, *(engine.scan_block(block.serialize()) for engine in NATIVE)):
        found = [position for position, _ in scanned.candidates((), {coin})]
        assert found == [2, 4, 5]  # not the third where it stands before what it spends
        assert not list(scanned.candidates((), ()))
