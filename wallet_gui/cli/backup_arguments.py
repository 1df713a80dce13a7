"""The grammar of the backup command, apart from what it does: it is read to explain a command."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Final

ACTIONS: Final = ("check", "words", "copy", "sheet")


def add_parser(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Add the grammar of the command."""
    parser = add("backup", "check the backups of a wallet, copy its file, print its sheet")
    parser.add_argument(
        "action",
        metavar="ACTION",
        choices=ACTIONS,
        help="check: try a copy of the wallet file; words: compare the words on paper; copy: save "
        "a copy of the wallet file; sheet: draw the sheet on which the words are written (PDF)",
    )
    parser.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help="check, copy and sheet: which file"
    )
    parser.add_argument(
        "--words-file", metavar="FILE", help='words: the vault reads them here; "-" is stdin'
    )
    parser.add_argument(
        "--copy-password-file",
        metavar="FILE",
        help="check: the password of the copy, if it is another one than the wallet's",
    )
    parser.add_argument(
        "--paper", choices=("A4", "Letter"), default="A4", help="sheet: its size; default: A4"
    )
