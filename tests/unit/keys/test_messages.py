import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.descriptors.cosigners import PATH, ROOTS, wallet_of
from wallet_gui.descriptors.descriptor import Descriptor, DescriptorType, MultisigType
from wallet_gui.keys.accounts import account_descriptors
from wallet_gui.keys.errors import PolicyRefused, SigningFailed
from wallet_gui.keys.messages import OwnAddress, own_address, sign
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.wallet import messages
from wallet_gui.wallet.messages import (
    MessageCheck,
    MessageFormat,
    MessageVerdict,
    formats_for,
    verify,
)

ROOT = ROOTS[0]
SINGLE = account_descriptors(ROOT, REGTEST)
EACH = [(kind, form) for kind in DescriptorType for form in formats_for(kind)]


def judged(place: OwnAddress, message: str, signature: str) -> MessageVerdict:
    return verify(place.address, message, signature, REGTEST).verdict


@pytest.mark.parametrize(("kind", "form"), EACH)
@settings(deadline=None, max_examples=10)
@given(message=st.text(min_size=1, max_size=300), index=st.integers(0, 50))
def test_what_is_signed_verifies_for_this_text_and_address_only(
    kind: DescriptorType, form: MessageFormat, message: str, index: int
) -> None:
    place = own_address((SINGLE[kind],), 0, index % 2, index)
    signed = sign(message, form, place, ROOT)
    assert not signed.partial
    assert judged(place, message, signed.signature) is MessageVerdict.VALID
    assert judged(place, message + "\n", signed.signature) is MessageVerdict.INVALID
    other = own_address((SINGLE[kind],), 0, index % 2, index + 1)
    assert judged(other, message, signed.signature) is MessageVerdict.INVALID


@pytest.mark.parametrize("kind", list(MultisigType))
@pytest.mark.parametrize("order", [(0, 1), (2, 0), (1, 2)])
def test_cosigners_sign_one_after_the_other(kind: MultisigType, order: tuple[int, int]) -> None:
    place = own_address((wallet_of(kind, 2, 3),), 0, 0, 4)
    for form in formats_for(kind):
        first = sign("together", form, place, ROOTS[order[0]])
        assert not first.signature
        both = sign("together", form, place, ROOTS[order[1]], first.partial)
        assert judged(place, "together", both.signature) is MessageVerdict.VALID
        assert judged(place, "alone", both.signature) is MessageVerdict.INVALID


def test_one_of_several_signs_alone() -> None:
    place = own_address((wallet_of(MultisigType.WSH, 1, 3),), 0, 1, 0)
    signed = sign("alone", MessageFormat.SIMPLE, place, ROOTS[2])
    assert judged(place, "alone", signed.signature) is MessageVerdict.VALID


def test_a_cosigners_part_is_for_the_same_message_and_address_only() -> None:
    shared = wallet_of(MultisigType.WSH, 2, 3)
    place = own_address((shared,), 0, 0, 4)
    part = sign("together", MessageFormat.SIMPLE, place, ROOTS[0]).partial
    other = own_address((shared,), 0, 0, 5)
    for message, where in (("other", place), ("together", other)):
        with pytest.raises(PolicyRefused, match="another message"):
            sign(message, MessageFormat.SIMPLE, where, ROOTS[1], part)
    with pytest.raises(PolicyRefused, match="cannot be read"):
        sign("together", MessageFormat.SIMPLE, place, ROOTS[1], "cHNidP8=")
    # A false signature of the other cosigner is noticed, not counted.
    psbt = Psbt.parse(part)
    (key,) = psbt.inputs[0].partial_sigs
    wrong = sign("wrong", MessageFormat.SIMPLE, place, ROOTS[0]).partial
    psbt.inputs[0].partial_sigs[key] = Psbt.parse(wrong).inputs[0].partial_sigs[key]
    with pytest.raises((PolicyRefused, SigningFailed)):
        sign("together", MessageFormat.SIMPLE, place, ROOTS[1], psbt.to_base64())


def test_formats_that_an_address_does_not_have_are_refused() -> None:
    for descriptor, form in (
        (SINGLE[DescriptorType.TR], MessageFormat.LEGACY),
        (SINGLE[DescriptorType.PKH], MessageFormat.SIMPLE),
        (wallet_of(MultisigType.SH, 1, 2), MessageFormat.LEGACY),
    ):
        with pytest.raises(PolicyRefused, match="format"):
            sign("x", form, own_address((descriptor,), 0, 0, 0), ROOT)


@pytest.mark.parametrize(
    ("number", "keychain", "index"), [(1, 0, 0), (-1, 0, 0), (0, 2, 0), (0, -1, 0), (0, 0, 1 << 31)]
)
def test_places_that_do_not_exist(number: int, keychain: int, index: int) -> None:
    with pytest.raises(PolicyRefused, match="no such address"):
        own_address((SINGLE[DescriptorType.WPKH],), number, keychain, index)


@pytest.mark.parametrize("form", [MessageFormat.SIMPLE, MessageFormat.LEGACY])
def test_keys_of_another_seed_sign_nothing(form: MessageFormat) -> None:
    theirs = account_descriptors(ROOTS[1], REGTEST)[DescriptorType.WPKH]
    with pytest.raises(SigningFailed, match="from these keys"):
        sign("x", form, own_address((theirs,), 0, 0, 0), ROOT)
    # The same fingerprint is no proof either.
    origin = SINGLE[DescriptorType.WPKH].origin
    posing = Descriptor.account(
        DescriptorType.WPKH, REGTEST, origin, ROOTS[1].derive(PATH).neuter()
    )
    with pytest.raises(SigningFailed, match="from these keys"):
        sign("x", form, own_address((posing,), 0, 0, 0), ROOT)


def test_a_signature_that_does_not_verify_is_never_returned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def doubt(*_: object) -> MessageCheck:
        return MessageCheck(MessageVerdict.INVALID, "no")

    monkeypatch.setattr(messages, "verify", doubt)
    with pytest.raises(SigningFailed, match="mistakes"):
        sign("x", MessageFormat.SIMPLE, own_address((SINGLE[DescriptorType.TR],), 0, 0, 0), ROOT)
