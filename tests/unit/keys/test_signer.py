"""Signing: what is signed verifies under a second, plain implementation of the digests."""

import hashlib
import json
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.keys.spending import ALL_TYPES, Coin, Wallet, previous_transaction, spend
from wallet_gui.curve import (
    ecdsa_sign,
    ecdsa_verify,
    public_key,
    schnorr_sign,
    schnorr_verify,
    taproot_output_key,
    taproot_secret,
    x_only,
)
from wallet_gui.descriptors.descriptor import DescriptorType
from wallet_gui.keys import signer
from wallet_gui.keys.errors import PolicyRefused, SigningFailed
from wallet_gui.keys.policy import assess
from wallet_gui.keys.signer import sign
from wallet_gui.primitives import script, sighash
from wallet_gui.primitives.params import MAINNET, REGTEST
from wallet_gui.primitives.psbt import KeyPath, Psbt
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut

PKH, SH_WPKH, WPKH, TR = ALL_TYPES
VECTORS = Path(__file__).parents[2] / "vectors"
WALLET = Wallet.of(1)
STRANGER = script.p2wpkh(b"\x07" * 20)


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def sha_twice(data: bytes) -> bytes:
    return sha(sha(data))


def plain_digest(tx: Transaction, index: int, kind: DescriptorType, spent: list[TxOut]) -> bytes:
    """SIGHASH_ALL written down from the BIPs without a look at primitives.sighash."""
    version, lock_time = struct.pack("<I", tx.version), struct.pack("<I", tx.lock_time)
    points = [entry.prevout.txid + struct.pack("<I", entry.prevout.vout) for entry in tx.inputs]
    sequences = [struct.pack("<I", entry.sequence) for entry in tx.inputs]
    outputs = b"".join(
        struct.pack("<q", out.value_sat) + bytes([len(out.script_pubkey)]) + out.script_pubkey
        for out in tx.outputs
    )
    amount, locked = spent[index].value_sat, spent[index].script_pubkey
    if kind is TR:
        tag = sha(b"TapSighash")
        message = b"\x00\x00" + version + lock_time
        message += sha(b"".join(points)) + sha(
            b"".join(struct.pack("<q", s.value_sat) for s in spent)
        )
        message += sha(b"".join(bytes([len(s.script_pubkey)]) + s.script_pubkey for s in spent))
        message += sha(b"".join(sequences)) + sha(outputs) + b"\x00" + struct.pack("<I", index)
        return sha(tag + tag + message)
    if kind is PKH:
        rows = b"".join(
            point + (bytes([len(locked)]) + locked if number == index else b"\x00") + sequence
            for number, (point, sequence) in enumerate(zip(points, sequences, strict=True))
        )
        body = version + bytes([len(points)]) + rows + bytes([len(tx.outputs)]) + outputs
        return sha_twice(body + lock_time + b"\x01\x00\x00\x00")
    key_hash = locked[2:]
    if kind is SH_WPKH:
        derived = next(
            WALLET.descriptor(kind).derive(number, keychain)
            for keychain in (0, 1)
            for number in range(50)
            if WALLET.descriptor(kind).script_pubkey(number, keychain) == locked
        )
        assert derived.redeem_script is not None
        key_hash = derived.redeem_script[2:]
    code = b"\x19\x76\xa9\x14" + key_hash + b"\x88\xac"
    body = version + sha_twice(b"".join(points)) + sha_twice(b"".join(sequences))
    body += points[index] + code + struct.pack("<q", amount) + sequences[index]
    return sha_twice(body + sha_twice(outputs) + lock_time + b"\x01\x00\x00\x00")


def verify(tx: Transaction, index: int, kind: DescriptorType, spent: list[TxOut]) -> bool:
    digest = plain_digest(tx, index, kind, spent)
    entry = tx.inputs[index]
    if kind is TR:
        (signature,) = entry.witness
        return schnorr_verify(spent[index].script_pubkey[2:], digest, signature[:64])
    if kind is PKH:
        size = entry.script_sig[0]
        signature, key = entry.script_sig[1 : 1 + size], entry.script_sig[2 + size :]
    else:
        signature, key = entry.witness
    assert signature[-1] == 1
    return ecdsa_verify(key, digest, signature[:-1])


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from(ALL_TYPES), st.integers(0, 1), st.integers(0, 49)),
             min_size=1, max_size=5, unique=True),
    st.lists(st.sampled_from(ALL_TYPES), max_size=3),
    st.integers(0, 900_000),
    st.booleans(),
)  # fmt: skip
def test_signatures_verify_under_a_second_implementation(
    places: list[tuple[DescriptorType, int, int]],
    change: list[DescriptorType],
    lock_time: int,
    hints: bool,  # noqa: FBT001
) -> None:
    coins = [Coin(kind, 200_000, keychain, index) for kind, keychain, index in places]
    psbt = spend(
        WALLET,
        coins,
        [(STRANGER, 150_000)],
        [Coin(kind, 10_000, 1, number) for number, kind in enumerate(change)],
        lock_time=lock_time,
        hints=hints,
    )
    before = psbt.serialize()
    signed = sign(psbt, WALLET.root, WALLET.descriptors, MAINNET)
    assert psbt.serialize() == before, "the PSBT that was given is not changed"
    tx = signed.finalize().extract()
    spent = [psbt.utxo(index) for index in range(len(coins))]
    for index, coin in enumerate(coins):
        assert verify(tx, index, coin.kind, spent)
    result = assess(psbt, WALLET.descriptors, MAINNET, signer._LIMITS)
    # DER signatures are sometimes a byte or two shorter than the longest low-R ones.
    assert 0 <= result.vsize - tx.vsize <= len(coins)


def test_ecdsa_is_deterministic_and_taproot_is_fresh() -> None:
    psbt = spend(WALLET, [Coin(WPKH, 100_000), Coin(TR, 100_000)], [(STRANGER, 190_000)])
    first = sign(psbt, WALLET.root, WALLET.descriptors, MAINNET)
    second = sign(psbt, WALLET.root, WALLET.descriptors, MAINNET)
    assert first.inputs[0].partial_sigs == second.inputs[0].partial_sigs
    assert first.inputs[1].tap_key_sig != second.inputs[1].tap_key_sig


def test_an_asked_for_all_is_written_out_for_taproot() -> None:
    psbt = spend(WALLET, [Coin(TR, 100_000)], [(STRANGER, 90_000)])
    psbt.inputs[0].sighash_type = 1
    signed = sign(psbt, WALLET.root, WALLET.descriptors, MAINNET)
    signature = signed.inputs[0].tap_key_sig
    assert signature is not None
    assert (len(signature), signature[-1]) == (65, 1)
    signed.finalize().extract()
    psbt.inputs[0].sighash_type = 0
    assert (
        len(sign(psbt, WALLET.root, WALLET.descriptors, MAINNET).inputs[0].tap_key_sig or b"") == 64
    )


def test_false_hints_do_not_keep_us_from_signing_our_script() -> None:
    psbt = spend(WALLET, [Coin(WPKH, 100_000, 0, 9)], [(STRANGER, 90_000)])
    psbt.inputs[0].bip32_derivations = {
        b"\x02" + b"\x11" * 32: KeyPath(b"\x01\x02\x03\x04", (1, 2, 3)),
        b"\x02" + b"\x22" * 32: KeyPath(WALLET.root.fingerprint, ()),
    }
    signed = sign(psbt, WALLET.root, WALLET.descriptors, MAINNET)
    key = WALLET.descriptor(WPKH).derive(9).public_key
    assert list(signed.inputs[0].partial_sigs) == [key]
    assert signed.inputs[0].bip32_derivations[key].path[-1] == 9


def test_unknown_fields_and_other_records_are_kept() -> None:
    psbt = spend(WALLET, [Coin(WPKH, 100_000)], [(STRANGER, 50_000)], [Coin(WPKH, 40_000, 1)])
    psbt.unknown[b"\xf0global"] = b"1"
    psbt.inputs[0].unknown[b"\xfc\x05otherx"] = b"2"
    psbt.outputs[1].unknown[b"\xf2"] = b"3"
    psbt.inputs[0].sha256_preimages[sha(b"x")] = b"x"
    signed = sign(psbt, WALLET.root, WALLET.descriptors, MAINNET)
    assert signed.unknown == psbt.unknown
    assert signed.inputs[0].unknown == psbt.inputs[0].unknown
    assert signed.outputs[1].unknown == psbt.outputs[1].unknown
    assert signed.inputs[0].sha256_preimages == psbt.inputs[0].sha256_preimages
    assert psbt.combine(signed).serialize() == signed.serialize()


def test_what_is_missing_is_added() -> None:
    psbt = spend(
        WALLET, [Coin(SH_WPKH, 100_000), Coin(TR, 50_000)], [(STRANGER, 140_000)], hints=False
    )
    psbt.inputs[0].redeem_script = None
    signed = sign(psbt, WALLET.root, WALLET.descriptors, MAINNET)
    nested, taproot = WALLET.descriptor(SH_WPKH).derive(0), WALLET.descriptor(TR).derive(0)
    assert signed.inputs[0].redeem_script == nested.redeem_script
    assert signed.inputs[0].bip32_derivations == {nested.public_key: nested.key_path}
    assert signed.inputs[1].tap_internal_key == taproot.tap_internal_key


def test_only_our_inputs_are_signed() -> None:
    psbt = spend(WALLET, [Coin(WPKH, 100_000), Coin(WPKH, 50_000, 0, 1)], [(STRANGER, 140_000)])
    tx = previous_transaction(STRANGER, 50_000, 99)
    psbt.inputs[1].non_witness_utxo, psbt.inputs[1].witness_utxo = tx, tx.outputs[1]
    psbt.inputs[1].bip32_derivations.clear()
    inputs = (psbt.tx.inputs[0], TxIn(OutPoint(tx.txid, 1), b"", 0xFFFFFFFD))
    psbt.tx = Transaction(2, inputs, psbt.tx.outputs, 0)
    signed = sign(psbt, WALLET.root, WALLET.descriptors, MAINNET)
    assert len(signed.inputs[0].partial_sigs) == 1
    assert not signed.inputs[1].partial_sigs


def test_final_inputs_are_left_alone() -> None:
    psbt = spend(WALLET, [Coin(WPKH, 100_000)], [(STRANGER, 90_000)])
    final = sign(psbt, WALLET.root, WALLET.descriptors, MAINNET).finalize()
    assert sign(final, WALLET.root, WALLET.descriptors, MAINNET).serialize() == final.serialize()


def test_policy_holds_in_the_signer_too() -> None:
    psbt = spend(WALLET, [Coin(WPKH, 100_000)], [(STRANGER, 90_000)])
    psbt.inputs[0].non_witness_utxo = None
    with pytest.raises(PolicyRefused, match="previous transaction"):
        sign(psbt, WALLET.root, WALLET.descriptors, MAINNET)
    psbt = spend(WALLET, [Coin(WPKH, 100_000)], [(STRANGER, 90_000)])
    psbt.inputs[0].sighash_type = 3
    with pytest.raises(PolicyRefused, match="hash type"):
        sign(psbt, WALLET.root, WALLET.descriptors, MAINNET)


def test_another_root_cannot_sign() -> None:
    psbt = spend(WALLET, [Coin(WPKH, 100_000)], [(STRANGER, 90_000)])
    with pytest.raises(SigningFailed, match="do not come from these keys"):
        sign(psbt, Wallet.of(2).root, WALLET.descriptors, MAINNET)
    with pytest.raises(SigningFailed, match="not a master key for regtest"):
        sign(psbt, WALLET.root, WALLET.descriptors, REGTEST)
    with pytest.raises(SigningFailed, match="not a master key"):
        sign(psbt, WALLET.root.derive(0), WALLET.descriptors, MAINNET)


def test_a_wrong_signature_is_never_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    other = public_key(b"\x05" * 32)

    def faulty(secret: bytes, digest: bytes) -> bytes:
        return ecdsa_sign(b"\x05" * 32, digest)

    monkeypatch.setattr(signer, "ecdsa_sign", faulty)
    psbt = spend(WALLET, [Coin(WPKH, 100_000)], [(STRANGER, 90_000)])
    with pytest.raises(SigningFailed, match="makes mistakes"):
        sign(psbt, WALLET.root, WALLET.descriptors, MAINNET)
    assert ecdsa_verify(other, bytes(32), faulty(b"", bytes(32)))
    monkeypatch.setattr(
        signer, "schnorr_sign", lambda _, digest: schnorr_sign(b"\x05" * 32, digest)
    )
    psbt = spend(WALLET, [Coin(TR, 100_000)], [(STRANGER, 90_000)])
    with pytest.raises(SigningFailed, match="makes mistakes"):
        sign(psbt, WALLET.root, WALLET.descriptors, MAINNET)


def test_bip341_key_path_spending_vectors() -> None:
    vectors = json.loads((VECTORS / "bip341.json").read_text())
    keys = json.loads((VECTORS / "bip341_keys.json").read_text())["inputs"]
    tx = Transaction.parse_stripped(bytes.fromhex(vectors["tx"]))
    spent = [TxOut(amount, bytes.fromhex(code)) for amount, code in vectors["prevouts"]]
    assert len(keys) == 7
    for key in keys:
        secret, root = bytes.fromhex(key["secret"]), bytes.fromhex(key["merkle_root"])
        tweaked = taproot_secret(secret, root)
        assert tweaked == bytes.fromhex(key["tweaked_secret"])
        output, _ = taproot_output_key(x_only(public_key(secret)), root)
        assert spent[key["index"]].script_pubkey == script.p2tr(output)
        digest = sighash.taproot(tx, key["index"], spent, key["hash_type"])
        signature = schnorr_sign(tweaked, digest, bytes(32))
        suffix = bytes([key["hash_type"]]) if key["hash_type"] else b""
        assert (signature + suffix).hex() == key["witness"]


# BIP143, native P2WPKH and P2SH-P2WPKH: secret, index, amount, witness signature (hash type ALL).
@pytest.mark.parametrize(
    ("case", "secret", "signature"),
    [
        (
            "native P2WPKH",
            "619c335025c7f4012e556c2a58b2506e30b8511b53ade95ea316fd8c3286feb9",
            (
                "304402203609e17b84f6a7d30c80bfa610b5b4542f32a8a0d5447a12fb1366d7f01cc44a0220573a954c4518"
                "331561406f90300e8f3358f51928d43c212a8caed02de67eebee"
            ),
        ),
        (
            "P2SH-P2WPKH",
            "eb696a065ef48a2192da5b28b694f87544b30fae8327c4510137a922f32c6dcf",
            (
                "3044022047ac8e878352d3ebbde1c94ce3a10d057c24175747116f8288e5d794d12d482f0220217f36a485ca"
                "e903c713331d877c1f64677e3622ad4010726870540656fe9dcb"
            ),
        ),
    ],
)
def test_bip143_signatures(case: str, secret: str, signature: str) -> None:
    vectors = json.loads((VECTORS / "bip143.json").read_text())["vectors"]
    vector = next(entry for entry in vectors if entry["case"] == case)
    tx = Transaction.parse_stripped(bytes.fromhex(vector["tx"]))
    code = bytes.fromhex(vector["script_code"])
    digest = sighash.segwit_v0(tx, vector["index"], code, vector["amount_sat"], sighash.ALL)
    assert ecdsa_verify(public_key(bytes.fromhex(secret)), digest, bytes.fromhex(signature))
    assert ecdsa_sign(bytes.fromhex(secret), digest).hex() == signature


def test_ten_inputs_of_each_kind() -> None:
    coins = [Coin(kind, 10_000, 0, number) for kind in ALL_TYPES for number in range(10)]
    psbt = spend(WALLET, coins, [(STRANGER, 390_000)])
    tx = sign(psbt, WALLET.root, WALLET.descriptors, MAINNET).finalize().extract()
    spent = [psbt.utxo(index) for index in range(40)]
    assert all(verify(tx, index, coin.kind, spent) for index, coin in enumerate(coins))
    assert Psbt.parse(psbt.to_base64()) == psbt


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(ALL_TYPES), st.data())
def test_any_altered_psbt_is_signed_or_refused_in_our_words(
    kind: DescriptorType, data: st.DataObject
) -> None:
    psbt = spend(WALLET, [Coin(kind, 100_000)], [(STRANGER, 50_000)], [Coin(kind, 40_000, 1)])
    raw = bytearray(psbt.serialize())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(5, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        altered = Psbt.parse(bytes(raw))
        signed = sign(altered, WALLET.root, WALLET.descriptors, MAINNET)
    except (ParseError, PolicyRefused, SigningFailed):
        return
    assert signed.tx == altered.tx
    tx = signed.finalize().extract()
    assert verify(tx, 0, kind, [altered.utxo(0)])
