import secrets

import pytest

from wallet_gui.keys import vectors
from wallet_gui.keys.errors import BrokenRandomSource
from wallet_gui.transfer.messages import REPLIES, SelfTested
from wallet_gui.transfer.pipe import decode, encode
from wallet_gui.vault import self_test


def test_the_vault_agrees_and_says_with_what() -> None:
    tested = self_test.answer(secrets.token_bytes)
    assert tested.problem == ""
    assert {"BIP39 words and seeds", "BIP340 signing", "RFC 9106 Argon2id"} < set(tested.agreed)
    assert tested.agreed[-1] == "random numbers of the system"
    assert decode(encode(tested), REPLIES) == tested


def test_other_random_numbers_than_the_systems_are_found() -> None:
    tested = self_test.answer(lambda size: secrets.token_bytes(size))  # noqa: PLW0108 - another one
    assert tested == SelfTested((), "New wallets would not be made of the system's random numbers.")


def test_a_generator_that_repeats_itself_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def constant(size: int) -> bytes:
        return bytes(range(size))

    monkeypatch.setattr(secrets, "token_bytes", constant)
    with pytest.raises(BrokenRandomSource):
        self_test.answer(constant)

    def alternating(size: int) -> bytes:
        # Looks random, and is the same each time.
        return b"".join(bytes([n * n % 251, n * 7 % 256]) for n in range(size))[:size]

    monkeypatch.setattr(secrets, "token_bytes", alternating)
    monkeypatch.setattr(self_test, "new_entropy", lambda *_: None)
    assert "repeat themselves" in self_test.answer(alternating).problem


def test_a_wrong_result_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(vectors)["VECTORS"], "BIP340 signing", lambda: False)
    assert self_test.answer(secrets.token_bytes) == SelfTested(
        (), "This build computes BIP340 signing wrongly. Do not use it."
    )
