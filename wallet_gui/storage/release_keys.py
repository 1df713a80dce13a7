"""Reads the release keys that were shipped with the program (`resources/release-keys.txt`)."""

from pathlib import Path
from typing import Final

from wallet_gui.primitives.serialize import ParseError
from wallet_gui.release_signature import ReleaseKeys

NAME: Final = "release-keys.txt"
MAX_SIZE: Final = 64 * 1024
_PACKAGE: Final = Path(__file__).resolve().parent.parent


def built_in() -> ReleaseKeys:
    """Return the shipped keys; none when there is no such file.

    Raises ParseError when the file is there and damaged: that is no reason to trust anybody.
    """
    path = _shipped()
    return ReleaseKeys() if path is None else read(path)


def is_shipped() -> bool:
    """Whether the file is there; without it nobody is believed, as with one that names no key."""
    return _shipped() is not None


def _shipped() -> Path | None:
    places = (_PACKAGE / "resources" / NAME, _PACKAGE.parent / "resources" / NAME)
    return next((path for path in places if path.is_file()), None)


def read(path: Path) -> ReleaseKeys:
    """Read a file of release keys; raises ParseError, and OSError when it cannot be read."""
    with path.open("rb") as file:
        data = file.read(MAX_SIZE + 1)
    try:
        if len(data) > MAX_SIZE:
            raise ParseError("It is too large.")
        return ReleaseKeys.parse(data.decode())
    except ValueError as error:
        reason = error if isinstance(error, ParseError) else "It is not text."
        raise ParseError(
            f"The file with this program's release keys is damaged; install the program again. "
            f"{reason}"
        ) from None
