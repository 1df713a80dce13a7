from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.widgets.text import breakable


def test_words_of_a_line_stay_whole_and_longer_ones_break_behind_separators() -> None:
    assert breakable("ssh://bitcoin@mynode.local is away") == "ssh://bitcoin@mynode.local is away"
    path = "key file /home/satoshi/.ssh/my_second_key/id_ed25519"
    assert breakable(path) == "key file /home/satoshi/.ssh/ my_second_key/id_ed25519"
    assert breakable("W" * 70) == f"{'W' * 32} {'W' * 32} {'W' * 6}"


def test_a_full_stop_does_not_stand_alone() -> None:
    assert breakable(f"to {'W' * 64}.") == f"to {'W' * 32} {'W' * 16} {'W' * 16}."
    assert breakable("....", 1) == ". . . ."


@given(st.text(max_size=200), st.integers(1, 40))
@settings(deadline=None)
def test_no_word_is_longer_and_no_letter_is_lost(text: str, longest: int) -> None:
    broken = breakable(text, longest)
    assert broken.replace(" ", "") == text.replace(" ", "")
    assert all(len(word) <= longest for word in broken.split(" "))
