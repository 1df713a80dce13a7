"""A folder for what must leave nothing behind."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wallet_gui.storage.errors import write_failed


@contextmanager
def throw_away_folder() -> Iterator[Path]:
    """Make a folder for the owner only, where the system keeps temporary files; gone afterwards.

    Raises WriteFailed when none can be made.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="wallet-gui-smoke-"))
    except OSError as error:
        raise write_failed("The folder for temporary files", error) from error
    try:
        yield folder
    finally:
        remove_folder(folder)


def remove_folder(folder: Path) -> None:
    """Remove a folder and what is in it, as far as the system allows."""
    shutil.rmtree(folder, ignore_errors=True)
