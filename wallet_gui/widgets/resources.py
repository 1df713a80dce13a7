"""Finds the files of `resources/`, from a checkout, a wheel or a packaged build."""

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


@cache
def resource(*parts: str) -> Path:
    """Path of a file under `resources/`; raises FileNotFoundError when it was not shipped."""
    for root in (_PACKAGE / "resources", _PACKAGE.parent / "resources"):
        path = root.joinpath(*parts)
        if path.exists():
            return path
    raise FileNotFoundError("/".join(("resources", *parts)))
