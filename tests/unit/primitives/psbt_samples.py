"""PSBTs to test with: the vectors of BIP174 and BIP371, small made ones, and strategies."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from wallet_gui.primitives import psbt_v2
from wallet_gui.primitives.amount import MAX_MONEY
from wallet_gui.primitives.psbt import KeyPath, Psbt, PsbtInput, PsbtOutput
from wallet_gui.primitives.psbt_finalize import hash_types
from wallet_gui.primitives.script import p2wpkh
from wallet_gui.primitives.serialize import var_bytes
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
BIP370 = load("bip370.json")
BIP371 = load("bip371.json")


def cases(kind: str) -> list[Any]:
    return [
        pytest.param(*case[1:], id=f"{name}: {case[0]}")
        for name, vectors in (("BIP174", BIP174), ("BIP370", BIP370), ("BIP371", BIP371))
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
# Two steps deep, as the path is long.
XPUBS = st.dictionaries(
    st.binary(min_size=32, max_size=32).map(
        lambda x: b"\x04\x35\x87\xcf\x02" + bytes(40) + b"\x02" + x
    ),
    st.builds(
        KeyPath,
        st.binary(min_size=4, max_size=4),
        st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
    ),
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


@st.composite
def _version_2(draw: st.DrawFn) -> Psbt:
    """Any PSBT with what only version 2 has: its lock time is the one that the inputs need."""
    psbt = draw(PSBTS)
    psbt.version = 2
    psbt.modifiable = draw(st.none() | st.integers(0, 255))
    psbt.fallback_lock_time = draw(st.none() | st.sampled_from([0, 7, 500_000_001, 2**32 - 1]))
    heights, times = st.integers(1, 499_999_999), st.integers(500_000_000, 2**32 - 1)
    # Both inputs can have a height, or both a date.
    height_only = draw(st.booleans())
    sequences = []
    for psbt_input in psbt.inputs:
        if draw(st.booleans()):
            psbt_input.required_height = draw(heights if height_only else st.none() | heights)
            psbt_input.required_time = draw(st.none() | times if height_only else times)
        sequences.append(draw(st.sampled_from([0xFFFFFFFF, 0xFFFFFFFD, 0])))
        psbt_input.states_sequence = sequences[-1] == 0xFFFFFFFF and draw(st.booleans())
    for hash_type in (each for item in psbt.inputs for each in hash_types(item)):
        psbt.record_signature(hash_type)
    inputs = tuple(
        replace(tx_input, sequence=sequence)
        for tx_input, sequence in zip(psbt.tx.inputs, sequences, strict=True)
    )
    lock_time = psbt_v2.lock_time(psbt.inputs, psbt.fallback_lock_time)
    psbt.tx = replace(psbt.tx, inputs=inputs, lock_time=lock_time)
    return psbt


PSBTS_2 = _version_2()
