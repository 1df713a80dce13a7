"""SignersCard: who has signed a payment, key by key, and what is missing."""

from PySide6.QtWidgets import QFrame, QGridLayout, QVBoxLayout, QWidget

from wallet_gui.app.psbt_desk import PsbtLook
from wallet_gui.wallet.psbt_signers import Signer
from wallet_gui.widgets.fonts import use_font
from wallet_gui.widgets.labels import heading, set_role, text_label
from wallet_gui.widgets.text import breakable, plain

_NAME_LIMIT = 60


class SignersCard(QFrame):
    """A row for each key that is asked: its name or fingerprint, and whether it signed."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("psbt_signers")
        self.setProperty("role", "card")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 16)
        layout.setSpacing(8)
        layout.addWidget(heading("Signatures", 115))
        self.state = text_label()
        self.state.setObjectName("psbt_signers_state")
        layout.addWidget(self.state)
        self._table = QWidget()
        self._grid = QGridLayout(self._table)
        self._grid.setContentsMargins(0, 4, 0, 0)
        self._grid.setHorizontalSpacing(18)
        self._grid.setVerticalSpacing(6)
        self._grid.setColumnStretch(0, 1)
        layout.addWidget(self._table)

    def show_look(self, look: PsbtLook) -> None:
        """Show how a payment stands."""
        self.clear()
        signatures = look.signatures
        if look.problem:
            words, role = look.problem, "negative"
        elif signatures.is_complete:
            words, role = "All signatures are there, and each was verified.", "positive"
        else:
            count = f"{signatures.present} of {signatures.required}"
            words, role = f"{count} signatures are there. {signatures.missing_words()}", ""
        # Titles hold names that the person gave, and names may come from a file.
        self.state.setText(breakable(plain(words, 1_500)))
        set_role(self.state, role)
        for row, signer in enumerate(signatures.signers):
            self._add(row, signer, is_alone=not signatures.is_shared)
        self._table.setVisible(bool(signatures.signers))

    def _add(self, row: int, signer: Signer, *, is_alone: bool) -> None:
        name = plain(signer.name, _NAME_LIMIT) or (
            "The key of this wallet"
            if signer.is_own or (is_alone and signer.key)
            else f"Cosigner {signer.number + 1}"
        )
        if signer.is_own and signer.name:
            name = f"{name} (this wallet)"
        title = text_label(breakable(name))
        key = text_label(signer.fingerprint, role="muted", wrap=False)
        use_font(key, percent=92, monospace=True)
        if signer.has_signed:
            said, role = "\N{CHECK MARK} has signed", "positive"
        elif signer.signed:
            said, role = f"signed {signer.signed} of {signer.inputs} coins", "warning"
        else:
            said, role = "has not signed", "muted"
        state = text_label(said, role=role, wrap=False)
        for column, label in enumerate((title, key, state)):
            label.setObjectName(f"psbt_signer_{row + 1}_{('name', 'key', 'state')[column]}")
            self._grid.addWidget(label, row, column)

    def clear(self) -> None:
        """Show nothing any more."""
        self.state.clear()
        while (item := self._grid.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.setParent(None)
                widget.deleteLater()
