import pytest

from wallet_gui.chain import filters
from wallet_gui.chain import vectors as chain_vectors
from wallet_gui.keys import secret_box
from wallet_gui.keys import vectors as key_vectors
from wallet_gui.primitives import sighash
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.release_signature import Verified
from wallet_gui.wallet import vectors as public_vectors
from wallet_gui.wallet.vectors import disagreement

ALL = {**public_vectors.VECTORS, **key_vectors.VECTORS, **chain_vectors.VECTORS}
BROKEN = (
    (public_vectors, "schnorr_verify", lambda *_: True, "BIP340 verifying"),
    (public_vectors, "open_box", lambda *_: b"labels", "sealed box"),
    (sighash, "segwit_v0", lambda *_: bytes(32), "BIP143 signature hash"),
    (key_vectors, "ecdsa_sign", lambda *_: b"", "BIP143 signing"),
    (key_vectors, "words_from_entropy", lambda *_: "abandon", "BIP39 words and seeds"),
    (secret_box, "open", lambda *_: None, "secret box"),
    (chain_vectors, "verify", lambda *_: Verified("", ""), "signatures of minisign"),
    (filters, "filter_items", lambda *_: {b"x"}, "BIP158 block filter"),
)


def test_this_build_agrees_with_every_standard() -> None:
    assert len(ALL) == 22
    assert disagreement(ALL) == ""


@pytest.mark.parametrize(("module", "name", "wrong", "named"), BROKEN, ids=[b[3] for b in BROKEN])
def test_a_build_that_computes_wrongly_is_found(
    monkeypatch: pytest.MonkeyPatch, module: object, name: str, wrong: object, named: str
) -> None:
    monkeypatch.setattr(module, name, wrong)
    assert disagreement(ALL) == named


def test_an_input_that_cannot_even_be_read_counts_as_wrong() -> None:
    def unreadable() -> bool:
        raise ParseError("no")

    assert disagreement({"one": lambda: True, "two": unreadable}) == "two"
