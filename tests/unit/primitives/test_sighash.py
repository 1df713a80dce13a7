import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.primitives import sighash
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut

VECTORS = Path(__file__).parents[2] / "vectors"
CORE = json.loads((VECTORS / "sighash.json").read_text())["vectors"]
BIP143 = json.loads((VECTORS / "bip143.json").read_text())
BIP341 = json.loads((VECTORS / "bip341.json").read_text())
ONE = (1).to_bytes(32, "little")


def dsha(data: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def size(number: int) -> bytes:
    if number < 0xFD:
        return bytes([number])
    assert number < 0x10000
    return b"\xfd" + number.to_bytes(2, "little")


def opcodes(script: bytes) -> list[bytes] | None:
    """The script cut into opcodes with their data; None if a push is cut short."""
    parts = []
    rest = script
    while rest:
        length = 1
        if 1 <= rest[0] <= 75:
            length += rest[0]
        elif rest[0] in (76, 77, 78):
            width = {76: 1, 77: 2, 78: 4}[rest[0]]
            if len(rest) < 1 + width:
                return None
            length += width + int.from_bytes(rest[1 : 1 + width], "little")
        if len(rest) < length:
            return None
        parts.append(rest[:length])
        rest = rest[length:]
    return parts


def second_legacy(tx: Transaction, index: int, script: bytes, hash_type: int) -> bytes:
    """The original algorithm: edit a copy of the transaction, then serialize it (Core 0.1)."""
    parts = opcodes(script)
    assert parts is not None
    clean = b"".join(part for part in parts if part != b"\xab")
    inputs = [
        [i.prevout.txid + struct.pack("<I", i.prevout.vout), b"", i.sequence] for i in tx.inputs
    ]
    outputs = [(o.value_sat, o.script_pubkey) for o in tx.outputs]
    inputs[index][1] = clean
    kind = hash_type % 32
    if kind == 2:
        outputs = []
    elif kind == 3:
        if index >= len(outputs):
            return ONE
        outputs = [(-1, b"")] * index + [outputs[index]]
    if kind in (2, 3):
        for position, item in enumerate(inputs):
            if position != index:
                item[2] = 0
    if hash_type // 128 % 2:
        inputs = [inputs[index]]
    data = struct.pack("<I", tx.version) + size(len(inputs))
    for prevout, code, sequence in inputs:
        assert isinstance(prevout, bytes)
        assert isinstance(code, bytes)
        data += prevout + size(len(code)) + code + struct.pack("<I", sequence)
    data += size(len(outputs))
    for value, code in outputs:
        data += struct.pack("<q", value) + size(len(code)) + code
    data += struct.pack("<II", tx.lock_time, hash_type % (1 << 32))
    return dsha(data)


scripts = st.lists(
    st.one_of(
        st.sampled_from([b"\xab", b"\xac", b"\x51", b"\x6a"]),
        st.binary(min_size=1, max_size=75).map(lambda data: size(len(data)) + data),
        st.binary(max_size=255).map(lambda data: b"\x4c" + bytes([len(data)]) + data),
    ),
    max_size=8,
).map(b"".join)
hashes = st.binary(min_size=32, max_size=32)
u32 = st.integers(0, 2**32 - 1)
inputs = st.builds(
    TxIn,
    st.builds(OutPoint, hashes, u32),
    script_sig=st.binary(max_size=20),
    sequence=u32,
)
outputs = st.builds(TxOut, st.integers(-(2**63), 2**63 - 1), st.binary(max_size=40))
transactions = st.builds(
    Transaction,
    version=u32,
    inputs=st.lists(inputs, min_size=1, max_size=4).map(tuple),
    outputs=st.lists(outputs, max_size=4).map(tuple),
    lock_time=u32,
)


@pytest.mark.parametrize("vector", CORE, ids=[str(i) for i in range(len(CORE))])
def test_legacy_core_vectors(vector: list[Any]) -> None:
    raw, script, index, hash_type, expected = vector
    tx = Transaction.parse(bytes.fromhex(raw))
    assert tx.serialize().hex() == raw
    digest = sighash.legacy(tx, index, bytes.fromhex(script), hash_type)
    assert digest[::-1].hex() == expected
    assert digest == second_legacy(tx, index, bytes.fromhex(script), hash_type)


@settings(deadline=None, max_examples=300)
@given(transactions, st.integers(0, 3), scripts, st.integers(-(2**31), 2**32 - 1))
def test_legacy_equals_the_second_implementation(
    tx: Transaction, index: int, script: bytes, hash_type: int
) -> None:
    index %= len(tx.inputs)
    expected = second_legacy(tx, index, script, hash_type)
    assert sighash.legacy(tx, index, script, hash_type) == expected


def example_tx(outputs: int = 1) -> Transaction:
    return Transaction(
        1,
        (TxIn(OutPoint(b"\x11" * 32, 0)), TxIn(OutPoint(b"\x22" * 32, 1))),
        tuple(TxOut(1000 + i, b"\x51") for i in range(outputs)),
        0,
    )


def test_legacy_single_without_its_output_is_one() -> None:
    assert sighash.legacy(example_tx(), 1, b"\x51", sighash.SINGLE) == ONE
    assert sighash.legacy(example_tx(), 1, b"\x51", 0x83) == ONE
    assert sighash.legacy(example_tx(2), 1, b"\x51", sighash.SINGLE) != ONE


@pytest.mark.parametrize("index", [-1, 2, 100])
def test_legacy_without_the_input_is_one(index: int) -> None:
    assert sighash.legacy(example_tx(), index, b"\x51", sighash.ALL) == ONE


def test_legacy_drops_codeseparators_but_not_inside_pushes() -> None:
    tx = example_tx()
    plain = sighash.legacy(tx, 0, b"\x02\xab\xab\xac", 1)
    assert sighash.legacy(tx, 0, b"\xab\x02\xab\xab\xab\xac\xab", 1) == plain
    assert sighash.legacy(tx, 0, b"\xac", 1) != plain


@pytest.mark.parametrize(
    ("script", "hashed"),
    [
        ("ab4c", "014c"),  # no length byte
        ("ab4cff01", "034cff"),  # cut short: Core counts the rest but does not hash it
        ("ab05ab", "0205"),
        ("51ab4dff", "03514d"),
        ("514effffffff", "06514effffffff"),
        ("0201", "0202"),
    ],
)
def test_legacy_reads_cut_short_pushes_as_core_does(script: str, hashed: str) -> None:
    tx = example_tx()
    preimage = (
        struct.pack("<I", 1)
        + b"\x01"
        + tx.inputs[0].prevout.serialize()
        + bytes.fromhex(hashed)
        + b"\xff" * 4
        + b"\x01"
        + tx.outputs[0].serialize()
        + struct.pack("<II", 0, 0x81)
    )
    assert sighash.legacy(tx, 0, bytes.fromhex(script), 0x81) == dsha(preimage)


@settings(deadline=None)
@given(transactions, st.binary(max_size=30), st.integers(-(2**31), 2**32 - 1))
def test_legacy_takes_any_script(tx: Transaction, script: bytes, hash_type: int) -> None:
    assert len(sighash.legacy(tx, 0, script, hash_type)) == 32


@pytest.mark.parametrize("vector", BIP143["vectors"], ids=lambda vector: vector["case"])
def test_segwit_v0_vectors(vector: dict[str, Any]) -> None:
    tx = Transaction.parse(bytes.fromhex(vector["tx"]))
    digest = sighash.segwit_v0(
        tx,
        vector["index"],
        bytes.fromhex(vector["script_code"]),
        vector["amount_sat"],
        vector["hash_type"],
    )
    assert digest.hex() == vector["sighash"]


@pytest.mark.parametrize("hash_type", BIP143["multisig"]["sighashes"])
def test_segwit_v0_hash_types(hash_type: str) -> None:
    vector = BIP143["multisig"]
    tx = Transaction.parse(bytes.fromhex(vector["tx"]))
    code = bytes.fromhex(vector["script_code"])
    digest = sighash.segwit_v0(tx, 0, code, vector["amount_sat"], int(hash_type))
    assert digest.hex() == vector["sighashes"][hash_type]


def test_segwit_v0_commits_to_the_amount_and_needs_the_input() -> None:
    tx = example_tx()
    digests = {sighash.segwit_v0(tx, 0, b"\x51", amount, 1) for amount in range(5)}
    assert len(digests) == 5
    with pytest.raises(ParseError):
        sighash.segwit_v0(tx, 2, b"\x51", 1, 1)


def bip341() -> tuple[Transaction, list[TxOut]]:
    tx = Transaction.parse(bytes.fromhex(BIP341["tx"]))
    return tx, [TxOut(value, bytes.fromhex(script)) for value, script in BIP341["prevouts"]]


@pytest.mark.parametrize("vector", BIP341["inputs"], ids=lambda vector: vector["index"])
def test_taproot_vectors(vector: dict[str, Any]) -> None:
    tx, prevouts = bip341()
    digest = sighash.taproot(tx, vector["index"], prevouts, vector["hash_type"])
    assert digest.hex() == vector["sighash"]


def second_taproot(
    tx: Transaction,
    index: int,
    prevouts: list[TxOut],
    hash_type: int,
    annex: bytes | None,
    leaf_hash: bytes | None,
) -> bytes:
    """BIP341's Common signature message, written down item by item."""

    def sha(data: bytes) -> bytes:
        return hashlib.sha256(data).digest()

    def string(data: bytes) -> bytes:
        return size(len(data)) + data

    message = bytearray([0, hash_type])
    message += struct.pack("<II", tx.version, tx.lock_time)
    outpoints = [i.prevout.txid + struct.pack("<I", i.prevout.vout) for i in tx.inputs]
    sequences = [struct.pack("<I", i.sequence) for i in tx.inputs]
    amounts = [struct.pack("<q", p.value_sat) for p in prevouts]
    locks = [string(p.script_pubkey) for p in prevouts]
    outs = [struct.pack("<q", o.value_sat) + string(o.script_pubkey) for o in tx.outputs]
    if hash_type < 0x80:
        for items in (outpoints, amounts, locks, sequences):
            message += sha(b"".join(items))
    if hash_type & 3 in (0, 1):
        message += sha(b"".join(outs))
    message.append((0 if leaf_hash is None else 2) + (0 if annex is None else 1))
    if hash_type >= 0x80:
        message += outpoints[index] + amounts[index] + locks[index] + sequences[index]
    else:
        message += struct.pack("<I", index)
    if annex is not None:
        message += sha(string(annex))
    if hash_type & 3 == 3:
        message += sha(outs[index])
    if leaf_hash is not None:
        message += leaf_hash + b"\x00" + b"\xff" * 4
    tag = sha(b"TapSighash")
    return sha(tag + tag + bytes(message))


@settings(deadline=None, max_examples=200)
@given(
    transactions.filter(lambda tx: len(tx.outputs) >= len(tx.inputs)),
    st.integers(0, 3),
    st.sampled_from([0, 1, 2, 3, 0x81, 0x82, 0x83]),
    st.none() | st.binary(max_size=300).map(lambda data: b"\x50" + data),
    st.none() | hashes,
    st.data(),
)
def test_taproot_equals_the_second_implementation(
    tx: Transaction,
    index: int,
    hash_type: int,
    annex: bytes | None,
    leaf_hash: bytes | None,
    data: st.DataObject,
) -> None:
    index %= len(tx.inputs)
    count = len(tx.inputs)
    prevouts = data.draw(st.lists(outputs, min_size=count, max_size=count))
    leaf = None if leaf_hash is None else sighash.TapLeaf(leaf_hash)
    expected = second_taproot(tx, index, prevouts, hash_type, annex, leaf_hash)
    digest = sighash.taproot(tx, index, prevouts, hash_type, annex=annex, leaf=leaf)
    assert digest == expected


def test_taproot_leaf_commits_to_the_codeseparator() -> None:
    tx, prevouts = bip341()
    plain = sighash.taproot(tx, 0, prevouts, 0, leaf=sighash.TapLeaf(bytes(32)))
    moved = sighash.taproot(tx, 0, prevouts, 0, leaf=sighash.TapLeaf(bytes(32), 1))
    assert len({plain, moved, sighash.taproot(tx, 0, prevouts, 0)}) == 3


@pytest.mark.parametrize("hash_type", sorted(set(range(256)) - {0, 1, 2, 3, 0x81, 0x82, 0x83}))
def test_taproot_refuses_unknown_hash_types(hash_type: int) -> None:
    tx, prevouts = bip341()
    with pytest.raises(ParseError):
        sighash.taproot(tx, 0, prevouts, hash_type)


def test_taproot_refuses_what_consensus_refuses() -> None:
    tx, prevouts = bip341()
    for hash_type in (3, 0x83):
        with pytest.raises(ParseError):
            sighash.taproot(tx, 3, prevouts, hash_type)
    for index in (-1, 9):
        with pytest.raises(ParseError):
            sighash.taproot(tx, index, prevouts, 0)
    with pytest.raises(ParseError):
        sighash.taproot(tx, 0, prevouts[:-1], 0)
    for annex in (b"", b"\x51"):
        with pytest.raises(ParseError):
            sighash.taproot(tx, 0, prevouts, 0, annex=annex)
