"""The process that draws a backup sheet: what it says comes in as JSON, the PDF goes out."""

import sys
from collections.abc import Sequence

from PySide6.QtWidgets import QApplication

from wallet_gui.primitives.serialize import ParseError
from wallet_gui.wallet.backup_sheet import SheetContents
from wallet_gui.widgets.backup_sheet import PAGE_SIZES, sheet_pdf
from wallet_gui.widgets.fonts import install_fonts

_MOST = 1 << 20


def main(arguments: Sequence[str]) -> int:
    """Draw one sheet from standard input to standard output; returns the exit status."""
    page_size = arguments[-1] if arguments else ""
    if page_size not in PAGE_SIZES:
        sys.stderr.write("usage: wallet-gui --draw-sheet A4|Letter\n")
        return 2
    try:
        contents = SheetContents.from_json(sys.stdin.buffer.read(_MOST).decode(errors="replace"))
    except ParseError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    application = QApplication(["wallet-gui"])
    install_fonts(application)
    sys.stdout.buffer.write(sheet_pdf(contents, page_size))
    sys.stdout.buffer.flush()
    return 0
