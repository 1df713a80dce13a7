"""Fields of one line that the program fills."""

from PySide6.QtWidgets import QLineEdit


def show_text(edit: QLineEdit, text: str) -> None:
    """Put text into a field that nobody is typing in, and show its beginning.

    Qt leaves the cursor behind the last character, so that of what is longer than the field only
    the end could be read.
    """
    edit.setText(text)
    edit.setCursorPosition(0)
