from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.wallet.test_psbt_roles import KINDS
from wallet_gui.app import psbt_files
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.serialize import ParseError

SIGNED = [spend.sign(spend.psbt(), range(spend.required)) for spend in KINDS]


def parsed(data: bytes | str) -> Psbt | str:
    """A payment, or the sentence of its refusal."""
    try:
        return psbt_files.parse(data)
    except ParseError as error:
        return str(error)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=300) | st.text(max_size=300))
@example(b"")
@example("\x00")
@example(b"psbt\xff")
@example("70736274ff00")
def test_anything_is_a_payment_or_a_sentence(data: bytes | str) -> None:
    found = parsed(data)
    assert isinstance(found, Psbt) or found.endswith(".")


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(SIGNED), st.data())
def test_a_spoilt_payment_is_read_or_refused(psbt: Psbt, data: st.DataObject) -> None:
    raw = bytearray(psbt.serialize())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    found = parsed(bytes(raw))
    assert found
    assert isinstance(found, str) or Psbt.parse(found.serialize()) == found
