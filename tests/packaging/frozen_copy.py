"""A copy of the frozen folder in which a test may replace files."""

import os
import shutil
from pathlib import Path


def copy_of(built: Path, place: Path) -> Path:
    """Copy by hard links where that can be; returns `place`.

    A file that is to be another one is to be unlinked first: what is shared is not written to.
    """
    shutil.copytree(built, place, symlinks=True, copy_function=_link)
    return place


def replace(path: Path, data: bytes) -> None:
    """Put another file in the place of one of the copy."""
    mode = path.stat().st_mode
    path.unlink()
    path.write_bytes(data)
    path.chmod(mode)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)
