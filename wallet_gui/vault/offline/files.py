"""Files that a person carries between the two computers: read with a limit, never overwritten."""

from pathlib import Path
from typing import Final

from PySide6.QtWidgets import QFileDialog, QWidget

MAX_FILE: Final = 32_000_000
"""Bytes: a PSBT of ten megabytes written in hexadecimal, with line breaks."""


class TooLarge(Exception):
    """The file is larger than anything that belongs here."""


class FileExists(Exception):
    """There is a file of that name already, and nothing is written over."""


def read_file(path: str) -> bytes:
    """Read a whole file; blocking. Raises TooLarge, OSError."""
    with Path(path).open("rb") as file:
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise TooLarge("This file is larger than any payment or wallet export. Choose another one.")
    return data


def write_file(path: str, data: bytes) -> str:
    """Write a new file and bring it to the disk; blocking. Gives its name. Raises FileExists."""
    target = Path(path)
    try:
        with target.open("xb") as file:
            file.write(data)
            file.flush()
    except FileExistsError:
        raise FileExists(
            f"There is a file {target.name} already. It was left as it is: choose another name."
        ) from None
    return target.name


def ask_open(parent: QWidget, title: str, kinds: str = "All files (*)") -> str:
    """Let the person choose a file; "" when they did not."""
    path, _ = QFileDialog.getOpenFileName(parent, title, "", kinds)
    return path


def ask_save(parent: QWidget, title: str, name: str, kinds: str = "All files (*)") -> str:
    """Let the person name a new file; "" when they did not."""
    # Nothing is ever written over, so the dialog need not ask about it.
    options = QFileDialog.Option.DontConfirmOverwrite
    path, _ = QFileDialog.getSaveFileName(parent, title, name, kinds, options=options)
    return path
