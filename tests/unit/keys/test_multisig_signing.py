"""A cosigner signs only what the agreed descriptor yields, with its own keys only."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from random import Random

import pytest

from tests.unit.descriptors.cosigners import COSIGNERS, ROOTS, wallet_of
from tests.unit.wallet.shared_wallet import funded, plan, sign_as
from wallet_gui.descriptors.descriptor import Descriptor, MultisigType
from wallet_gui.descriptors.xpub import KeyOrigin
from wallet_gui.keys.accounts import cosigner_key, cosigner_path, own_keys
from wallet_gui.keys.errors import PolicyRefused, SigningFailed
from wallet_gui.keys.policy import OutputKind, assess, check
from wallet_gui.primitives import base58
from wallet_gui.primitives.params import MAINNET, REGTEST
from wallet_gui.primitives.psbt import KeyPath, Psbt, PsbtInput, PsbtOutput
from wallet_gui.primitives.transaction import TxOut

KINDS = list(MultisigType)
AGREED = wallet_of(MultisigType.WSH, 2, 3)


def variants(agreed: Descriptor) -> dict[str, Descriptor]:
    """What an attacker would like the wallet to be."""
    assert isinstance(agreed.type, MultisigType)
    keys = list(agreed.keys)
    text = str(agreed).partition("#")[0]
    places = [(0, 0), (1, 0), (2, 0), (0, 1)]
    swapped = next(
        other
        for order in permutations(keys)
        for other in [replace(agreed, keys=order, is_sorted=False)]
        if all(other.script_pubkey(*place) != agreed.script_pubkey(*place) for place in places)
    )
    return {
        "another key": Descriptor.multisig(
            agreed.type, REGTEST, 2, [*COSIGNERS[:2], (COSIGNERS[2][0], COSIGNERS[9][1])]
        ),
        "lower threshold": Descriptor.parse(text.replace("multi(2", "multi(1"), REGTEST),
        "higher threshold": Descriptor.parse(text.replace("multi(2", "multi(3"), REGTEST),
        "key left out": wallet_of(agreed.type, 2, 2),
        "key added": wallet_of(agreed.type, 2, 4),
        "another order": swapped,
        "another wrapping": wallet_of(
            MultisigType.SH if agreed.type is MultisigType.WSH else MultisigType.WSH, 2, 3
        ),
    }


def spending(descriptor: Descriptor, change: Descriptor | None = None) -> Psbt:
    """A payment from a wallet, with the change to another one that claims to be the first."""
    psbt = plan(funded(descriptor)).psbt
    if change is None:
        return psbt
    (number,) = [n for n, part in enumerate(psbt.outputs) if part.bip32_derivations]
    place = next(iter(AGREED.places(next(iter(psbt.outputs[number].bip32_derivations.values())))))
    false = change.derive(place[1], place[0])
    outputs = list(psbt.tx.outputs)
    outputs[number] = TxOut(outputs[number].value_sat, false.script_pubkey)
    psbt.tx = replace(psbt.tx, outputs=tuple(outputs))
    part = psbt.outputs[number]
    part.redeem_script, part.witness_script = false.redeem_script, false.witness_script
    part.bip32_derivations = dict(false.keys)
    return psbt


def refused(psbt: Psbt, sentence: str, descriptors: Sequence[Descriptor] = (AGREED,)) -> None:
    with pytest.raises(PolicyRefused, match=sentence):
        check(psbt, descriptors, REGTEST)
    with pytest.raises(PolicyRefused, match=sentence):
        sign_as(psbt, 0, tuple(descriptors))


def derives_alike(one: Descriptor, other: Descriptor) -> bool:
    return one.script_pubkey(0, 1) == other.script_pubkey(0, 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", variants(AGREED))
def test_coins_of_another_multisig_with_our_claims_are_refused(
    kind: MultisigType, name: str
) -> None:
    agreed = wallet_of(kind, 2, 3)
    psbt = plan(funded(variants(agreed)[name])).psbt
    psbt.xpubs.clear()  # what they say is judged by itself, below
    refused(psbt, "claims to be this wallet's, but its script does not come", [agreed])


@pytest.mark.parametrize("name", variants(AGREED))
def test_change_to_another_multisig_with_our_claims_is_refused(name: str) -> None:
    false = variants(AGREED)[name]
    assert not derives_alike(false, AGREED)
    psbt = spending(AGREED, false)
    refused(psbt, r"Output \d claims to come back to this wallet, but its script is not the one")


def test_change_without_claims_is_a_payment() -> None:
    psbt = spending(AGREED, wallet_of(MultisigType.WSH, 1, 3))
    for part in psbt.outputs:
        part.bip32_derivations = {}
    result = assess(psbt, [AGREED], REGTEST)
    assert set(result.outputs) == {OutputKind.PAYMENT}
    assert result.payments_sat == sum(output.value_sat for output in psbt.tx.outputs)


def test_real_change_is_change() -> None:
    result = assess(spending(AGREED), [AGREED], REGTEST)
    assert sorted(kind.value for kind in result.outputs) == ["change", "payment"]
    assert result.warnings == ()


@pytest.mark.parametrize("kind", KINDS)
def test_foreign_scripts_beside_our_own_are_refused(kind: MultisigType) -> None:
    agreed = wallet_of(kind, 2, 3)
    false = variants(agreed)["lower threshold"].derive(0)
    for field in ("redeem_script", "witness_script"):
        psbt = spending(agreed)
        setattr(psbt.inputs[0], field, getattr(false, field) or b"\x51")
        refused(psbt, "Input 1 comes with a script that is not this wallet's", [agreed])
        psbt = spending(agreed)
        (part,) = [part for part in psbt.outputs if part.bip32_derivations]
        setattr(part, field, getattr(false, field) or b"\x51")
        refused(psbt, r"Output \d comes with a script that is not this wallet's", [agreed])


def test_wrong_paths_are_refused() -> None:
    for part_name in ("inputs", "outputs"):
        for cosigner in range(3):
            psbt = spending(AGREED)
            (part, *_) = [p for p in getattr(psbt, part_name) if p.bip32_derivations]
            key, path = list(part.bip32_derivations.items())[cosigner]
            part.bip32_derivations[key] = KeyPath(path.fingerprint, (*path.path[:-1], 77))
            refused(psbt, r"(In|Out)put \d names another path for a cosigner's key")
    # The path of all of them: the script is found among the first ones, and the lie is told.
    psbt = spending(AGREED)
    for key, path in list(psbt.inputs[0].bip32_derivations.items()):
        psbt.inputs[0].bip32_derivations[key] = KeyPath(path.fingerprint, (*path.path[:-1], 99))
    refused(psbt, "Input 1 names another path")


def test_another_extended_key_for_a_cosigner_is_refused() -> None:
    psbt = spending(AGREED)
    assert len(psbt.xpubs) == 3
    raw, path = next(iter(psbt.xpubs.items()))
    del psbt.xpubs[raw]
    psbt.xpubs[base58.decode_check(str(COSIGNERS[9][1]))] = path
    refused(psbt, "names another key for a cosigner")
    # Keys that nobody agreed on say nothing about the wallet.
    psbt = spending(AGREED)
    psbt.xpubs[base58.decode_check(str(COSIGNERS[9][1]))] = KeyPath(b"none", path.path)
    check(psbt, [AGREED], REGTEST)


def test_what_holds_for_one_key_holds_for_several() -> None:
    psbt = spending(AGREED)
    psbt.inputs[0].non_witness_utxo = None
    refused(psbt, "without its previous transaction")
    psbt = spending(AGREED)
    psbt.inputs[0].sighash_type = 0x83
    refused(psbt, "would let others change")
    psbt = spending(AGREED)
    psbt.inputs[0].sighash_type = 0
    refused(psbt, "only taproot coins")
    psbt = spending(AGREED)
    psbt.inputs[0].partial_sigs[AGREED.derive(0).keys[1][0]] = b"\x30" * 70 + b"\x02"
    refused(psbt, "would let others change")
    psbt = spending(AGREED)
    psbt.tx = replace(psbt.tx, inputs=(psbt.tx.inputs[0], psbt.tx.inputs[0]))
    refused(psbt, "spends the same coin twice")
    with pytest.raises(PolicyRefused, match="not for mainnet"):
        check(spending(AGREED), [AGREED], MAINNET)


def test_a_lying_amount_is_refused() -> None:
    psbt = spending(AGREED)
    utxo = psbt.utxo(0)
    psbt.inputs[0].witness_utxo = TxOut(utxo.value_sat - 1, utxo.script_pubkey)
    refused(psbt, "contradicts itself")


@pytest.mark.parametrize("kind", KINDS)
def test_signatures_of_cosigners_are_verified_before_ours_is_added(kind: MultisigType) -> None:
    agreed = wallet_of(kind, 2, 3)
    psbt = sign_as(spending(agreed), 1, (agreed,))
    sign_as(psbt, 0, (agreed,))
    for part in psbt.inputs:
        for key, signature in part.partial_sigs.items():
            altered = bytearray(signature)
            altered[40] ^= 1
            part.partial_sigs[key] = bytes(altered)
    with pytest.raises(PolicyRefused, match="signature of a cosigner that is not valid"):
        sign_as(psbt, 0, (agreed,))
    # One made for another payment is as worthless.
    other = sign_as(spending(agreed), 1, (agreed,))
    other.tx = replace(other.tx, lock_time=5)
    with pytest.raises(PolicyRefused, match="signature of a cosigner that is not valid"):
        sign_as(other, 2, (agreed,))


@pytest.mark.parametrize("kind", KINDS)
def test_only_our_own_key_signs(kind: MultisigType) -> None:
    agreed = wallet_of(kind, 2, 3)
    asked = spending(agreed)
    for number in range(3):
        signed = sign_as(asked, number, (agreed,))
        for part in signed.inputs:
            (key,) = part.partial_sigs
            assert part.bip32_derivations[key].fingerprint == ROOTS[number].fingerprint
    with pytest.raises(SigningFailed, match="do not come from these keys"):
        sign_as(asked, 5, (agreed,))


def test_two_keys_of_one_seed_both_sign() -> None:
    root = ROOTS[0]
    second = cosigner_key(root, REGTEST, MultisigType.WSH, 1)
    assert second.origin is not None
    assert not isinstance(second.key, bytes)
    agreed = Descriptor.multisig(
        MultisigType.WSH, REGTEST, 2, [COSIGNERS[0], (second.origin, second.key), COSIGNERS[1]]
    )
    signed = sign_as(spending(agreed), 0, (agreed,))
    assert all(len(part.partial_sigs) == 2 for part in signed.inputs)
    signed.finalize().extract()


def test_a_key_that_only_pretends_to_be_ours_makes_the_wallet_nobodys() -> None:
    pretender = (KeyOrigin(ROOTS[0].fingerprint, COSIGNERS[0][0].path), COSIGNERS[9][1])
    agreed = Descriptor.multisig(MultisigType.WSH, REGTEST, 1, [COSIGNERS[0], pretender])
    assert own_keys(ROOTS[0], agreed) == ()
    assert len(own_keys(ROOTS[0], AGREED)) == 1
    assert own_keys(ROOTS[5], AGREED) == ()
    with pytest.raises(SigningFailed, match="do not come from these keys"):
        sign_as(plan(funded(agreed)).psbt, 0, (agreed,))


def test_hints_are_not_needed_for_the_first_addresses() -> None:
    psbt = spending(AGREED)
    parts: list[PsbtInput | PsbtOutput] = [*psbt.inputs, *psbt.outputs]
    for part in parts:
        part.bip32_derivations = {}
        part.redeem_script = part.witness_script = None
    signed = sign_as(psbt, 0, (AGREED,))
    assert signed.inputs[0].witness_script is not None
    assert len(signed.inputs[0].bip32_derivations) == 3
    sign_as(signed, 1, (AGREED,)).finalize().extract()


def test_the_paths_of_bip45_and_48() -> None:
    h = 0x80000000
    assert cosigner_path(MultisigType.WSH, MAINNET) == (48 + h, h, h, 2 + h)
    assert cosigner_path(MultisigType.SH_WSH, REGTEST, 7) == (48 + h, 1 + h, 7 + h, 1 + h)
    assert cosigner_path(MultisigType.SH, MAINNET) == (45 + h,)
    with pytest.raises(ValueError, match="account numbers"):
        cosigner_path(MultisigType.WSH, MAINNET, -1)


def test_random_damage_is_signed_or_refused_in_our_words() -> None:
    source = Random(3)
    raw = bytearray(sign_as(spending(AGREED), 1, (AGREED,)).serialize())
    outcomes = set()
    for _ in range(150):
        changed = bytearray(raw)
        for _ in range(source.randrange(1, 4)):
            changed[source.randrange(len(changed))] ^= 1 << source.randrange(8)
        try:
            psbt = Psbt.parse(bytes(changed))
            sign_as(psbt, 0, (AGREED,))
            outcomes.add("signed")
        except ValueError:
            outcomes.add("unreadable")
        except (PolicyRefused, SigningFailed):
            outcomes.add("refused")
    assert "unreadable" in outcomes
