"""Writing the backup sheet of a wallet: drawn in a process of its own, blocking here.

Drawing needs Qt, which the command line does not have and which would hold the window up.
"""

import subprocess
from pathlib import Path
from typing import Final

from wallet_gui.program_start import own_environment, own_program
from wallet_gui.storage.errors import WriteFailed, write_failed
from wallet_gui.storage.fs import write_atomically
from wallet_gui.wallet.backup_sheet import SheetContents

_SECONDS: Final = 60
_BEGINNING: Final = b"%PDF-"


def write_sheet(contents: SheetContents, path: Path, page_size: str) -> Path:
    """Draw the sheet and write it as a PDF; returns where it is. Raises WriteFailed.

    `page_size` is "A4" or "Letter". The person chose the path, and that something there is
    replaced.
    """
    if path.suffix.lower() != ".pdf":
        path = path.with_name(f"{path.name}.pdf")
    data = drawn(contents, page_size)
    try:
        write_atomically(path, data)
    except OSError as error:
        raise write_failed("The backup sheet", error) from error
    return path


def drawn(contents: SheetContents, page_size: str) -> bytes:
    """Return the PDF; blocking. Raises WriteFailed when it could not be drawn."""
    try:
        done = subprocess.run(  # noqa: S603 - our own executable with fixed arguments
            [*own_program(), "--draw-sheet", page_size],
            input=contents.to_json().encode(),
            capture_output=True,
            env={**own_environment(), "QT_QPA_PLATFORM": "offscreen"},
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        done = None
    if done is None or done.returncode or not done.stdout.startswith(_BEGINNING):
        raise WriteFailed(
            "The backup sheet could not be drawn. Start the program again and try once more; the "
            "wallet is not affected."
        )
    return done.stdout
