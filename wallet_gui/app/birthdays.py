"""The day before which a wallet was surely not used, as a person writes it."""

import re
import time
from datetime import UTC, datetime
from typing import Final

_FIRST: Final = 1_230_768_000  # 2009-01-01
_NO_DAY: Final = "Write the day as year-month-day, for example 2021-03-15."


class BadDay(ValueError):
    """What was typed is no day that a wallet can begin on; the message says what to write."""


def birthday_of(text: str) -> int | None:
    """Read a day (2021-03-15, 2021-03 or 2021) as the Unix time of its beginning; "" is None.

    Raises BadDay.
    """
    text = text.strip()
    if not text:
        return None
    match = re.fullmatch(r"(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?", text, re.ASCII)
    if match is None:
        raise BadDay(_NO_DAY)
    try:
        day = datetime(int(match[1]), int(match[2] or 1), int(match[3] or 1), tzinfo=UTC)
    except ValueError:
        raise BadDay(_NO_DAY) from None
    moment = int(day.timestamp())
    if not _FIRST <= moment <= time.time():
        raise BadDay("The day lies before Bitcoin or in the future. Correct it.")
    return moment


def day_of(birthday_time: int | None) -> str:
    """Write a birthday as a day; "" for none."""
    if birthday_time is None:
        return ""
    return datetime.fromtimestamp(birthday_time, UTC).strftime("%Y-%m-%d")
