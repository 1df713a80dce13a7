"""Dice: what is counted, what is refused, and that they only add to the system's entropy."""

import hashlib
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.keys import dice
from wallet_gui.keys.dice import ROLLS_ASKED, DiceError
from wallet_gui.keys.seed import ENTROPY_BITS

FAIR = "".join(Random(6).choices("123456", k=99))
rolls_of_99 = st.text("123456", min_size=99, max_size=99)


def test_digits_count_and_what_stands_between_does_not() -> None:
    assert dice.read_rolls(" 1 2,3\n4\t5.6; 1-2\r\n") == "12345612"
    assert dice.read_rolls("") == ""


@pytest.mark.parametrize("wrong", ["0", "7", "a", "\uff11", "¹", "\u0661", "⚀", "\u200b", "_"])
def test_anything_else_is_told_by_its_place(wrong: str) -> None:
    with pytest.raises(DiceError, match=r"^Character 5 is no roll") as refused:
        dice.read_rolls(f"12 3{wrong}4")
    assert "1234" not in str(refused.value)


def test_too_many_are_refused() -> None:
    assert len(dice.read_rolls("1" * 1000)) == 1000
    with pytest.raises(DiceError, match="At most 1000"):
        dice.read_rolls("1" * 1001)


@pytest.mark.parametrize(("bits", "asked"), [(128, 50), (160, 62), (192, 75), (224, 87), (256, 99)])
def test_as_many_as_the_seed_has_bits(bits: int, asked: int) -> None:
    assert ROLLS_ASKED[bits] == asked
    dice.check_rolls(FAIR[:asked], bits)
    with pytest.raises(DiceError) as refused:
        dice.check_rolls(FAIR[: asked - 3], bits)
    assert str(refused.value) == (
        f"{asked - 3} rolls; a seed of {bits} bits needs {asked}. Roll 3 more."
    )
    # 99 rolls have 255.9 bits, which everybody calls 256.
    assert dice.bits_of(FAIR[:asked]) >= bits - 1
    assert dice.counted("1") == "1 roll"


@pytest.mark.parametrize(
    ("rolls", "why"),
    [
        ("6" * 50, "All rolls are the same"),
        ("123456" * 9, "repeat a pattern"),
        ("654321" * 9, "repeat a pattern"),
        ("12" * 25, "repeat a pattern"),
        ("112233445566" * 5, "repeat a pattern"),
        ("12345654321" * 5, "repeat a pattern"),
        ("1234562" + "123456" * 8, "repeat a pattern"),  # one slip of the finger
        (FAIR[:25] * 2, "repeat a pattern"),
        ("1" * 30 + FAIR[:25], "far too often|repeat a pattern"),
        ("1" * 10 + "2" * 10 + "3" * 10 + "4" * 10 + "5" * 10, "repeat|count"),
        ("1213" * 3 + "2131" * 3 + "1321" * 3 + "3112" * 4, "far too often|repeat"),
    ],
)
def test_what_no_die_shows_is_refused(rolls: str, why: str) -> None:
    with pytest.raises(DiceError, match=why) as refused:
        dice.check_rolls(rolls, 128)
    assert "Roll a real die" in str(refused.value)


def test_rolls_of_a_fair_die_pass() -> None:
    random = Random(1)
    for number in range(4_000):
        bits = ENTROPY_BITS[number % 5]
        dice.check_rolls("".join(random.choices("123456", k=ROLLS_ASKED[bits])), bits)


@given(rolls_of_99, st.sampled_from([16, 20, 24, 28, 32]), st.data())
@settings(deadline=None, max_examples=100)
def test_both_halves_decide(rolls: str, size: int, data: st.DataObject) -> None:
    system = data.draw(st.binary(min_size=size, max_size=size))
    try:
        mixed = dice.mix(system, rolls)
    except DiceError:
        return  # hypothesis likes patterns
    assert mixed == hashlib.sha256(system + rolls.encode()).digest()[:size]
    other = bytes([system[0] ^ 1]) + system[1:]
    assert dice.mix(other, rolls) != mixed
    changed = rolls[:-1] + ("1" if rolls[-1] != "1" else "2")
    assert hashlib.sha256(system + changed.encode()).digest()[:size] != mixed


def test_without_the_systems_entropy_nothing_is_mixed() -> None:
    for size in (0, 8, 15, 33):
        with pytest.raises(ValueError, match="bits"):
            dice.mix(bytes(size), FAIR)
