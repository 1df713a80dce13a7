"""Multisig descriptors: the BIPs' vectors, text round trip, weights, refusals."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.descriptors.cosigners import COSIGNERS, ROOTS, wallet_of
from wallet_gui.descriptors.descriptor import (
    MAX_COSIGNERS,
    Descriptor,
    DescriptorType,
    MultisigType,
)
from wallet_gui.descriptors.xpub import HARDENED, KeyOrigin
from wallet_gui.primitives.hashes import hash160, sha256
from wallet_gui.primitives.params import MAINNET, REGTEST
from wallet_gui.primitives.psbt import KeyPath
from wallet_gui.primitives.script import multisig, p2sh, p2wsh
from wallet_gui.primitives.serialize import ParseError

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "descriptors.json").read_text())
KINDS = list(MultisigType)
FORMS = ["wsh({})", "sh(wsh({}))", "sh({})"]


def parse(text: str) -> Descriptor:
    return Descriptor.parse(text, MAINNET)


def compact_size_length(size: int) -> int:
    return 1 if size < 253 else 3


@pytest.mark.parametrize(("keys", "expected", "address"), VECTORS["bip67"])
def test_keys_are_sorted_as_in_bip67(keys: list[str], expected: str, address: str) -> None:
    descriptor = parse(f"sh(sortedmulti(2,{','.join(keys)}))")
    derived = descriptor.derive(0)
    assert derived.redeem_script is not None
    assert derived.redeem_script.hex() == expected
    assert descriptor.address() == address
    assert [key.hex() for key, _ in derived.keys] == keys
    as_written = parse(f"sh(multi(2,{','.join(keys)}))")
    assert as_written.derive(0).redeem_script == multisig(2, [bytes.fromhex(k) for k in keys])


@pytest.mark.parametrize(("inner", "scripts"), VECTORS["multisig_scripts"])
@pytest.mark.parametrize("form", FORMS)
def test_scripts_of_bip383(form: str, inner: str, scripts: list[str]) -> None:
    descriptor = parse(form.format(inner))
    assert descriptor.is_multisig
    for index, expected in enumerate(bytes.fromhex(text) for text in scripts):
        derived = descriptor.derive(index)
        assert derived.multisig_script == expected
        program = p2wsh(sha256(expected))
        nested = p2sh(hash160(expected if form == "sh({})" else program))
        assert derived.script_pubkey == (program if form == "wsh({})" else nested)
        redeem = {"wsh({})": None, "sh(wsh({}))": program, "sh({})": expected}[form]
        assert derived.redeem_script == redeem


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("required", "total"), [(1, 1), (2, 3), (3, 5), (15, 15)])
def test_text_round_trip(kind: MultisigType, required: int, total: int) -> None:
    descriptor = wallet_of(kind, required, total)
    text = descriptor.to_string()
    again = Descriptor.parse(text, REGTEST)
    assert again == descriptor
    assert again.to_string() == text
    assert descriptor.is_account
    assert (descriptor.type, descriptor.required, len(descriptor.keys)) == (kind, required, total)
    assert descriptor.fingerprints == {root.fingerprint for root in ROOTS[:total]}
    assert not descriptor.abbreviated().count("tpub")
    assert descriptor.abbreviated().count("48h/1h/0h/2h") == total
    fixed_order = text.partition("#")[0].replace("sortedmulti", "multi")
    assert not Descriptor.parse(fixed_order, REGTEST).is_sorted
    assert Descriptor.parse(fixed_order, REGTEST) != descriptor


def test_places_lead_back_to_the_script() -> None:
    descriptor = wallet_of(MultisigType.WSH, 2, 3)
    derived = descriptor.derive(7, 1)
    assert len(derived.keys) == 3
    for public_key, path in derived.keys:
        assert list(descriptor.places(path)) == [(1, 7)]
        root = next(root for root in ROOTS if root.fingerprint == path.fingerprint)
        assert root.derive(path.path).public_key == public_key
    path = derived.keys[0][1]
    for wrong in (
        KeyPath(b"\x00" * 4, path.path),
        KeyPath(path.fingerprint, path.path[:-1]),
        KeyPath(path.fingerprint, (*path.path[:-2], 2, 7)),
        KeyPath(path.fingerprint, (*path.path[:-1], HARDENED)),
        KeyPath(path.fingerprint, ()),
    ):
        assert list(descriptor.places(wrong)) == []


def test_what_asks_for_the_only_key_is_refused_for_multisig() -> None:
    descriptor = wallet_of(MultisigType.WSH, 2, 3)
    for name in ("origin", "key", "path", "fingerprint", "xpub"):
        with pytest.raises(ValueError, match="several keys"):
            getattr(descriptor, name)
    for kind in KINDS:
        derived = wallet_of(kind, 2, 3).derive(0)
        for name in ("public_key", "key_path"):
            with pytest.raises(ValueError, match="several keys"):
                getattr(derived, name)


@pytest.mark.parametrize("kind", KINDS)
def test_input_weights_are_those_of_the_largest_signatures(kind: MultisigType) -> None:
    for total in range(1, MAX_COSIGNERS + 1):
        for required in {1, (total + 1) // 2, total}:
            descriptor = wallet_of(kind, required, total)
            inner = descriptor.derive(0).multisig_script
            assert inner is not None
            # Core's estimate with the largest signatures: 72 bytes, the hash type included.
            if kind is MultisigType.SH:
                push = 1 if len(inner) < 76 else 2 if len(inner) < 256 else 3
                script_sig = 1 + 73 * required + push + len(inner)
                weight = 4 * (40 + compact_size_length(script_sig) + script_sig)
            else:
                stack = [b"", *[bytes(72)] * required, inner]
                items = sum(compact_size_length(len(item)) + len(item) for item in stack)
                script_sig = 35 if kind is MultisigType.SH_WSH else 0
                weight = 4 * (41 + script_sig) + 1 + items
            assert descriptor.input_weight == weight
            assert descriptor.has_witness is (kind is not MultisigType.SH)


def test_too_many_keys_and_wrong_thresholds_are_refused() -> None:
    with pytest.raises(ParseError, match="16 keys; up to 15"):
        wallet_of(MultisigType.WSH, 2, 16)
    with pytest.raises(ParseError, match=r"takes 1 to 3 signatures, not 4"):
        wallet_of(MultisigType.WSH, 4, 3)
    with pytest.raises(ParseError, match="up to 15"):
        parse(f"wsh(sortedmulti(1,{VECTORS['many_keys']}))")
    with pytest.raises(ParseError, match="stands twice"):
        Descriptor.multisig(MultisigType.WSH, REGTEST, 1, [COSIGNERS[0], COSIGNERS[0]])
    other_origin = (KeyOrigin(b"abcd", ()), COSIGNERS[0][1])
    with pytest.raises(ParseError, match="stands twice"):
        Descriptor.multisig(MultisigType.WSH, REGTEST, 1, [COSIGNERS[0], other_origin])


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_any_text_is_a_descriptor_or_a_parse_error(data: st.DataObject) -> None:
    text = wallet_of(MultisigType.SH_WSH, 2, 3).to_string().partition("#")[0]
    source = random.Random(data.draw(st.integers()))
    for _ in range(source.randrange(1, 4)):
        position = source.randrange(len(text))
        extra = source.choice(["", "(", ")", ",", "0", "/", "*", "<0;1>", "multi", "[", "]", "#"])
        text = text[:position] + extra + text[position + source.randrange(3) :]
    try:
        descriptor = Descriptor.parse(text, REGTEST)
    except ParseError:
        return
    assert Descriptor.parse(descriptor.to_string(), REGTEST) == descriptor
    assert descriptor.derive(0).script_pubkey


def test_every_single_type_still_has_one_key() -> None:
    root = ROOTS[0]
    origin = KeyOrigin(root.fingerprint, (84 + HARDENED,))
    for kind in DescriptorType:
        descriptor = Descriptor.account(kind, REGTEST, origin, root.derive("84h").neuter())
        assert not descriptor.is_multisig
        assert not descriptor.derive(3, 1).is_multisig
        assert descriptor.is_account
        assert descriptor.abbreviated().startswith(f"{kind.value}([")
