"""A folder for what must leave nothing behind."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def throw_away_folder() -> Iterator[Path]:
    """Make a folder for the owner only, where the system keeps temporary files; gone afterwards.

    Raises OSError when none can be made.
    """
    folder = Path(tempfile.mkdtemp(prefix="wallet-gui-smoke-"))
    try:
        yield folder
    finally:
        remove_folder(folder)


def remove_folder(folder: Path) -> None:
    """Remove a folder and what is in it, as far as the system allows."""
    shutil.rmtree(folder, ignore_errors=True)
