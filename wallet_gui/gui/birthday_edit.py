"""BirthdayEdit: the day before which a wallet was surely not used."""

from typing import Final

from PySide6.QtWidgets import QLineEdit, QWidget

from wallet_gui.app.birthdays import birthday_of

NOT_USED_BEFORE: Final = "Not &used before (year-month-day)"


class BirthdayEdit(QLineEdit):
    """A day may be left out: then the whole chain is looked through."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName("Not used before, as year-month-day")
        self.setPlaceholderText("2021-03-15; empty: look through the whole chain")
        self.setMaxLength(20)

    def birthday(self) -> int | None:
        """Return the Unix time of the beginning of the day; None for none. Raises BadDay."""
        return birthday_of(self.text())
