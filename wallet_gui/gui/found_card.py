"""FoundCard: what an export was recognised as, for a person to compare before it is used."""

from typing import Final

from PySide6.QtWidgets import QFrame, QLayout, QVBoxLayout

from wallet_gui.app.birthdays import day_of
from wallet_gui.app.imports import AccountLook, ImportLook
from wallet_gui.widgets.labels import AddressLabel, heading, text_label
from wallet_gui.widgets.text import breakable, chunked, plain, shortened

_MOST: Final = 6


class FoundCard(QFrame):
    """Empty until `show_look`."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setProperty("role", "card")
        self.addresses: list[AddressLabel] = []
        self._names: dict[str, str] = {}
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(22, 18, 22, 18)
        self._layout.setSpacing(8)
        self.hide()

    def clear(self) -> None:
        """Show nothing."""
        _empty(self._layout)
        self.addresses.clear()
        self.hide()

    def show_look(self, look: ImportLook, title: str = "") -> None:
        """Show what was recognised, under a title that says as what."""
        self.clear()
        found = look.found
        self._say(heading(title or f"Recognised: {plain(found.source, 60)}", 120))
        facts = []
        if found.name:
            facts.append(f"Called \u201c{plain(found.name, 60)}\u201d.")
        if found.birthday_time is not None:
            facts.append(f"Not used before {day_of(found.birthday_time)}.")
        self._names = {ref: text for kind, ref, text in found.labels if kind == "xpub"}
        labels = len(found.labels) - len(self._names)
        if labels:
            facts.append(f"{labels} labels are taken over.")
        if facts:
            self._say(text_label(" ".join(facts), role="muted"))
        for number, account in enumerate(look.accounts[:_MOST]):
            is_active = number == found.active and len(look.accounts) > 1
            self._show_account(account, is_active=is_active)
        if len(look.accounts) > _MOST:
            self._say(text_label(f"And {len(look.accounts) - _MOST} more accounts.", role="muted"))
        for notice in found.notices:
            self._say(text_label(plain(notice, 300), role="warning"))
        self.show()

    def _show_account(self, account: AccountLook, *, is_active: bool) -> None:
        words = account.words + (", gives new addresses" if is_active else "")
        self._say(heading(words, 100))
        for number, key in enumerate(account.keys, 1):
            name = f"Key {number}" if account.is_multisig else "Key"
            label = plain(self._names.get(key.key, ""), 60)
            name += f" ({label}): " if label else ": "
            origin = (
                f"fingerprint {key.fingerprint}, path {key.path}" if key.path else "origin not told"
            )
            self._say(
                text_label(breakable(f"{name}{origin}, {shortened(key.key, 8)}"), role="muted")
            )
        self._say(text_label("First address", role="muted"))
        first = AddressLabel("First address")
        first.set_address(account.addresses[0])
        self.addresses.append(first)
        self._say(first)
        for number, address in enumerate(account.addresses[1:], 2):
            self._say(text_label(f"Address {number}: {chunked(address)}", role="muted"))

    def _say(self, label: QFrame) -> None:
        self._layout.addWidget(label)


def _empty(layout: QLayout) -> None:
    while (item := layout.takeAt(0)) is not None:
        widget = item.widget()
        if widget is not None:
            widget.hide()
            widget.deleteLater()
