import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.sealing import KdfParameters
from wallet_gui.vault.password_cost import PRODUCTION, PasswordCost
from wallet_gui.vault.strength import estimate


@pytest.mark.parametrize(
    "password",
    [
        "password",
        "Password1",
        "P@ssw0rd!",
        "qwertyuiop",
        "12345678901234",
        "aaaaaaaaaaaaaaaa",
        "abcabcabcabcabc",
        "bitcoin2024",
        "Summer2024!",
        "letmein1999",
        "abcdefghijklmnop",
        "satoshi-nakamoto",
    ],
)
def test_what_everybody_chooses_is_weak(password: str) -> None:
    strength = estimate(password, PRODUCTION)
    assert strength.is_weak, strength
    assert strength.verdict == "Weak"


@pytest.mark.parametrize(
    ("password", "least"),
    [
        ("violin gravel tomato harbour", 45),
        ("violin gravel tomato harbour lantern zebra", 60),
        ("kV7#qp2!xW9z", 60),
        ("mbtwqzkrfhnvpl", 40),
    ],
)
def test_random_ones_are_not(password: str, least: int) -> None:
    strength = estimate(password, PRODUCTION)
    assert strength.bits >= least
    assert not strength.is_weak


@settings(deadline=None)
@given(st.text(max_size=60))
def test_every_text_has_an_estimate_that_does_not_repeat_it(password: str) -> None:
    strength = estimate(password, PRODUCTION)
    assert 0 <= strength.bits <= 128
    assert strength.explanation.startswith("About ")
    if len(password) > 12:
        assert password not in strength.explanation


def test_a_cheaper_guess_means_less_time() -> None:
    cheap = PasswordCost(preferred=KdfParameters(64 * 1024, 3, 4))
    password = "kV7#qp2!"
    assert estimate(password, cheap).explanation != estimate(password, PRODUCTION).explanation


def test_nothing_has_no_bits() -> None:
    assert estimate("", PRODUCTION).bits == 0
