import pytest

from wallet_gui.app.birthdays import BadDay, birthday_of, day_of


def test_days_are_read_and_written() -> None:
    assert birthday_of("  ") is None
    assert birthday_of("2021") == 1_609_459_200
    assert birthday_of("2021-3") == birthday_of("2021-03-01")
    assert day_of(birthday_of("2021-03-15")) == "2021-03-15"
    assert day_of(None) == ""
    for text in ("21", "2021-02-30", "2008", "15.3.2021", "9999", "2021-03-15T00"):
        with pytest.raises(BadDay, match=r"\.$"):
            birthday_of(text)
