"""When tests of packages are skipped: where something is not here, never where something failed."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

import pytest
from installers.job import Missing

# How the sentence of a program begins that was there, was run, and did not do it.
_FAILED: Final = "did not succeed"
# Of its words those that say that nobody was reached, or that the mirror has not got it.
_NOT_REACHED: Final = re.compile(
    r"resolv|connect|unreachable|timed out|404 |have a release file", re.IGNORECASE
)


def skip(missing: str) -> NoReturn:
    """Skip the test with this reason; where the reason is a failure, fail it instead."""
    if _FAILED in missing and not _NOT_REACHED.search(missing):
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)


@contextmanager
def skipping_where_missing() -> Iterator[None]:
    """Skip the test where the machine cannot make what is made in here."""
    try:
        yield
    except Missing as missing:
        skip(str(missing))
