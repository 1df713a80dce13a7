"""What goes through combiner, finalizer and extractor is verified: real keys, real signatures."""

import dataclasses
import random
from collections.abc import Callable, Sequence
from itertools import combinations, permutations

import pytest

from tests.unit.keys.spending import previous_transaction
from wallet_gui import curve
from wallet_gui.primitives import script, sighash
from wallet_gui.primitives.hashes import hash160, sha256
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut
from wallet_gui.wallet.errors import WrongSignature, WrongSignedPsbt
from wallet_gui.wallet.psbt_roles import (
    check_signatures,
    combine,
    extract,
    finalize,
    unverified_inputs,
)
from wallet_gui.wallet.signatures import Verdict, check_input, hash_types
from wallet_gui.wallet.signed import finish

SECRETS = [bytes([number + 1]) * 32 for number in range(20)]
PAYEE = script.p2wpkh(b"\x07" * 20)
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def sorted_keys(count: int) -> list[bytes]:
    return sorted(curve.public_key(secret) for secret in SECRETS[:count])


class Spend:
    """One input of a kind, with the scripts that a signer needs."""

    def __init__(self, kind: str, required: int = 1, total: int = 1) -> None:
        self.kind = kind
        self.key = curve.public_key(SECRETS[0])
        self.required = required
        self.redeem: bytes | None = None
        self.witness: bytes | None = None
        self.multisig = script.multisig(required, sorted_keys(total)) if total > 1 else b""
        self.script_pubkey = self._script()

    def _script(self) -> bytes:
        key_hash = hash160(self.key)
        if self.kind == "tr":
            return script.p2tr(curve.taproot_output_key(self.key[1:])[0])
        if self.kind == "pkh":
            return script.p2pkh(key_hash)
        inner = script.p2wpkh(key_hash)
        if self.kind == "sh":
            inner = self.multisig
        elif self.kind.endswith("wsh"):
            self.witness = self.multisig
            inner = script.p2wsh(sha256(self.witness))
        if not self.kind.startswith("sh"):
            return inner
        self.redeem = inner
        return script.p2sh(hash160(inner))

    def psbt(self, *others: "Spend") -> Psbt:
        """Spend one coin of this kind and one of each other, with the previous transactions."""
        spends = [self, *others]
        previous = [
            previous_transaction(each.script_pubkey, 100_000, number)
            for number, each in enumerate(spends)
        ]
        inputs = tuple(TxIn(OutPoint(tx.txid, 1), sequence=0xFFFFFFFD) for tx in previous)
        outputs = (TxOut(100_000 * len(spends) - 1_000, PAYEE),)
        psbt = Psbt.from_unsigned_tx(Transaction(2, inputs, outputs, 0))
        for psbt_input, tx, each in zip(psbt.inputs, previous, spends, strict=True):
            psbt_input.non_witness_utxo = tx
            psbt_input.redeem_script, psbt_input.witness_script = each.redeem, each.witness
        return psbt

    def sign(
        self, psbt: Psbt, signers: Sequence[int] = (0,), index: int = 0, kind: int = sighash.ALL
    ) -> Psbt:
        signed = psbt.copy()
        psbt_input = signed.inputs[index]
        for signer in signers:
            secret = SECRETS[signer]
            if self.kind == "tr":
                spent = [psbt.utxo(number) for number in range(len(psbt.inputs))]
                digest = sighash.taproot(psbt.tx, index, spent, sighash.DEFAULT)
                psbt_input.tap_key_sig = curve.schnorr_sign(curve.taproot_secret(secret), digest)
                continue
            digest = self.digest(psbt, index, kind)
            signature = curve.ecdsa_sign(secret, digest) + bytes([kind])
            psbt_input.partial_sigs[curve.public_key(secret)] = signature
        return signed

    def digest(self, psbt: Psbt, index: int = 0, kind: int = sighash.ALL) -> bytes:
        if self.kind in ("pkh", "sh"):
            code = self.redeem or self.script_pubkey
            return sighash.legacy(psbt.tx, index, code, kind)
        code = self.witness or script.p2pkh(hash160(self.key))
        return sighash.segwit_v0(psbt.tx, index, code, 100_000, kind)


SINGLE = [Spend(kind) for kind in ("pkh", "sh-wpkh", "wpkh", "tr")]
MULTI = [Spend(kind, 2, 3) for kind in ("sh", "wsh", "sh-wsh")]
KINDS = [*SINGLE, *MULTI]


def by_kind(spend: Spend) -> str:
    return spend.kind


def signers(spend: Spend) -> range:
    return range(spend.required)


@pytest.mark.parametrize("spend", KINDS, ids=by_kind)
@pytest.mark.parametrize("version", [0, 2])
def test_every_kind_is_finalized_and_extracted(spend: Spend, version: int) -> None:
    psbt = spend.sign(spend.psbt().to_version(version), signers(spend))
    final = finalize(psbt)
    assert final.version == version
    tx = extract(Psbt.parse(final.serialize()))
    assert check_input(tx, 0, [psbt.utxo(0)]) is Verdict.VALID
    assert set(hash_types(tx.inputs[0])) <= {sighash.DEFAULT, sighash.ALL}
    assert len(hash_types(tx.inputs[0])) == spend.required
    assert unverified_inputs(final) == ()
    assert finish(spend.psbt(), psbt) == finish(spend.psbt(), final) == tx


def test_all_kinds_in_one_transaction() -> None:
    psbt = KINDS[0].psbt(*KINDS[1:])
    parts = [spend.sign(psbt, signers(spend), index) for index, spend in enumerate(KINDS)]
    random.Random(1).shuffle(parts)
    tx = extract(finalize(combine(parts)))
    spent = [psbt.utxo(index) for index in range(len(KINDS))]
    assert {check_input(tx, index, spent) for index in range(len(KINDS))} == {Verdict.VALID}


@pytest.mark.parametrize("spend", MULTI, ids=by_kind)
def test_multisig_takes_exactly_the_required_signatures_in_key_order(spend: Spend) -> None:
    psbt = spend.psbt()
    keys = sorted_keys(3)
    for chosen in (*combinations(range(3), 2), (0, 1, 2)):
        outcomes = {
            extract(finalize(combine([spend.sign(psbt, [signer]) for signer in order])))
            for order in permutations(chosen)
        }
        (tx,) = outcomes
        items = tx.inputs[0].witness or script.parse_pushes(tx.inputs[0].script_sig)
        assert items[0] == b""
        assert len(items) == (1 + 2 + 1)
        digest = spend.digest(psbt)
        present = sorted(curve.public_key(SECRETS[signer]) for signer in chosen)[:2]
        for signature, key in zip(items[1:3], present, strict=True):
            assert curve.ecdsa_verify(key, digest, signature[:-1])
        assert keys.index(present[0]) < keys.index(present[1])
    one = spend.sign(psbt, [2])
    assert finalize(one) == one
    with pytest.raises(ParseError, match="Input 0 of the PSBT is not signed completely"):
        extract(one)
    with pytest.raises(WrongSignedPsbt, match="not completely signed"):
        finish(psbt, one)


@pytest.mark.parametrize(
    ("kind", "required", "total"),
    [("sh", 15, 15), ("sh", 1, 15), ("wsh", 15, 15), ("sh-wsh", 8, 15), ("wsh", 20, 20)],
)
def test_up_to_fifteen_keys_and_more(kind: str, required: int, total: int) -> None:
    spend = Spend(kind, required, total)
    parts = [spend.sign(spend.psbt(), [signer]) for signer in reversed(range(required))]
    tx = extract(finalize(combine(parts)))
    assert len(hash_types(tx.inputs[0])) == required
    # One fewer is refused by consensus' own check, and never made.
    lacking = combine(parts[1:]) if required > 1 else spend.psbt()
    assert not finalize(lacking).inputs[0].is_final


@pytest.mark.parametrize("spend", KINDS, ids=by_kind)
def test_wrong_signatures_are_refused_everywhere(spend: Spend) -> None:
    good = spend.sign(spend.psbt(), signers(spend))
    for wrong in spoilt(spend, good):
        with pytest.raises((WrongSignature, ParseError)):
            combine([spend.psbt(), wrong])
        with pytest.raises((WrongSignature, ParseError)):
            finalize(wrong)
        # Had it been finalized without looking, it would not be extracted.
        final = wrong.finalize()
        if final.inputs[0].is_final:
            with pytest.raises(WrongSignature, match="signature of input 1"):
                extract(final)
            with pytest.raises(WrongSignature, match="signature of input 1"):
                combine([final])
            with pytest.raises(WrongSignedPsbt):
                finish(spend.psbt(), wrong)


def spoilt(spend: Spend, good: Psbt) -> list[Psbt]:
    """Signatures of another amount, with high S, of another key, of another transaction."""
    other = dataclasses.replace(good.tx, lock_time=1)
    changes: list[Callable[[Psbt], None]] = []
    if spend.kind == "tr":
        signature = good.inputs[0].tap_key_sig or b""

        def schnorr(value: bytes) -> Callable[[Psbt], None]:
            return lambda psbt: setattr(psbt.inputs[0], "tap_key_sig", value)

        flipped = bytes([signature[0] ^ 1]) + signature[1:]
        changes += [schnorr(flipped), schnorr(signature + b"\x01"), schnorr(bytes(64))]
    else:
        key = next(iter(good.inputs[0].partial_sigs))
        signature = good.inputs[0].partial_sigs[key]

        def ecdsa(value: bytes) -> Callable[[Psbt], None]:
            return lambda psbt: psbt.inputs[0].partial_sigs.update({key: value})

        wrong_message = curve.ecdsa_sign(SECRETS[0], bytes(32)) + b"\x01"
        stranger = curve.ecdsa_sign(SECRETS[19], spend.digest(good)) + b"\x01"
        changes += [ecdsa(wrong_message), ecdsa(stranger), ecdsa(high_s(signature))]
    changes.append(lambda psbt: setattr(psbt, "tx", other))
    made = []
    for change in changes:
        copy = good.copy()
        change(copy)
        made.append(copy)
    return made


def high_s(signature: bytes) -> bytes:
    """Negate S: the same signature in the form that anybody can make of it (B11, malleation)."""
    r_size = signature[3]
    s = ORDER - int.from_bytes(signature[6 + r_size : -1], "big")
    s_bytes = s.to_bytes(33, "big")
    body = signature[2 : 4 + r_size] + b"\x02\x21" + s_bytes
    return b"\x30" + bytes([len(body)]) + body + signature[-1:]


@pytest.mark.parametrize("spend", [each for each in KINDS if each.kind != "tr"], ids=by_kind)
@pytest.mark.parametrize("kind", [0x00, 0x02, 0x03, 0x81, 0x82, 0x83, 0x41])
def test_open_hash_types_are_refused_though_they_verify(spend: Spend, kind: int) -> None:
    signed = spend.sign(spend.psbt(), signers(spend), kind=kind)
    signed.inputs[0].sighash_type = kind
    for act in (finalize, check_signatures, lambda psbt: combine([psbt])):
        with pytest.raises(WrongSignature, match="leaves parts of the transaction open to change"):
            act(signed)
    final = signed.finalize()
    with pytest.raises(WrongSignature, match=r"leaves parts|is not valid"):
        extract(final)


def test_a_signature_of_another_type_than_asked_for_is_refused() -> None:
    spend = MULTI[1]
    signed = spend.sign(spend.psbt(), signers(spend))
    signed.inputs[0].sighash_type = sighash.ALL
    assert finalize(signed).inputs[0].is_final
    signed.inputs[0].sighash_type = sighash.SINGLE
    with pytest.raises(ParseError, match="hash type that was asked for"):
        finalize(signed)


def test_another_transaction_or_a_lie_about_the_coin_is_refused() -> None:
    spend = MULTI[1]
    one = spend.sign(spend.psbt(), [0])
    two = spend.sign(spend.psbt(), [1])
    two.tx = dataclasses.replace(two.tx, lock_time=5)
    with pytest.raises(ParseError, match="different transactions"):
        combine([one, two])
    lie = spend.sign(spend.psbt(), [1])
    lie.inputs[0].witness_utxo = TxOut(99_000, spend.script_pubkey)
    with pytest.raises(ParseError, match="contradict each other"):
        combine([one, lie])
    stranger = one.copy()
    stranger.inputs[0].witness_script = script.multisig(1, sorted_keys(2))
    with pytest.raises(ParseError, match="witness script does not belong"):
        finalize(stranger)
    with pytest.raises(ParseError, match="There is no PSBT"):
        combine([])


def test_what_cannot_be_judged_is_said_and_kept() -> None:
    psbt = Spend("wsh", 1, 2).psbt(SINGLE[2])
    odd = b"\x51"
    previous = previous_transaction(script.p2wsh(sha256(odd)), 100_000, 7)
    psbt.inputs[0].non_witness_utxo = previous
    psbt.inputs[0].witness_script = None
    prevout = OutPoint(previous.txid, 1)
    inputs = (dataclasses.replace(psbt.tx.inputs[0], prevout=prevout), psbt.tx.inputs[1])
    psbt.tx = dataclasses.replace(psbt.tx, inputs=inputs)
    psbt.inputs[0].final_script_witness = (odd,)
    signed = SINGLE[2].sign(psbt, index=1)
    final = finalize(signed)
    assert unverified_inputs(final) == (0,)
    assert extract(final).inputs[0].witness == (odd,)
    unknown = final.copy()
    unknown.inputs[1].non_witness_utxo = None
    assert unverified_inputs(unknown) == (0, 1)
    assert extract(unknown) == extract(final)


def test_a_taproot_signature_is_not_judged_without_all_amounts() -> None:
    psbt = SINGLE[3].psbt(SINGLE[2])
    signed = SINGLE[3].sign(psbt)
    signed.inputs[1].non_witness_utxo = None
    with pytest.raises(ParseError, match="does not say what each input spends"):
        finalize(signed)


@pytest.mark.parametrize("spend", MULTI, ids=by_kind)
def test_consensus_rules_of_multisig(spend: Spend) -> None:
    psbt = spend.sign(spend.psbt(), [0, 1, 2])
    tx = extract(finalize(psbt))
    coin = [psbt.utxo(0)]
    (tx_in,) = tx.inputs
    items = list(tx_in.witness or script.parse_pushes(tx_in.script_sig))

    def verdict(changed: Sequence[bytes], **fields: bytes | tuple[bytes, ...]) -> Verdict:
        if tx_in.witness:
            new = dataclasses.replace(tx_in, witness=tuple(changed), **fields)  # type: ignore[arg-type]
        else:
            pushed = b"".join(map(script.push, changed))
            new = dataclasses.replace(tx_in, script_sig=pushed, **fields)  # type: ignore[arg-type]
        return check_input(dataclasses.replace(tx, inputs=(new,)), 0, coin)

    dummy, first, second, code = items
    assert verdict(items) is Verdict.VALID
    for wrong in (
        [dummy, second, first, code],  # not in key order
        [dummy, first, first, code],  # one key for both
        [b"\x01", first, second, code],  # BIP147
        [dummy, first, code],
        [dummy, first, second, second, code],
        [dummy, first, b"", code],
        [first, second, code],
        [dummy, first, second, script.multisig(1, sorted_keys(3))],
        [code],
        [],
    ):
        assert verdict(wrong) is Verdict.INVALID
    if spend.kind != "sh":
        assert verdict(items, script_sig=b"\x51") is Verdict.INVALID
        assert verdict(items, script_sig=tx_in.script_sig + b"\x51") is Verdict.INVALID
    else:
        assert verdict(items, witness=(b"\x01",)) is Verdict.INVALID
