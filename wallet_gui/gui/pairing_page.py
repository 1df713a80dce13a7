"""Pair with my offline computer: its account is taken over, and both screens are compared."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QFrame, QVBoxLayout, QWidget

from wallet_gui.app.imports import ImportLook
from wallet_gui.gui.engine import Engine
from wallet_gui.gui.import_page import ImportPanel, NameFields
from wallet_gui.gui.wizard_step import WizardStep
from wallet_gui.primitives.params import ChainParams
from wallet_gui.widgets.labels import AddressLabel, card, heading, text_label
from wallet_gui.widgets.notice import WARNING


class PairingPage(WizardStep):
    """`wanted` gives name, WalletImport and birthday once the first address was compared."""

    wanted = Signal(str, object, object)

    def __init__(self, engine: Engine, params: ChainParams) -> None:
        super().__init__(
            "pairing",
            "Pair with my offline computer",
            "The keys stay on a computer without a network. This one sees all payments and "
            "prepares new ones; each goes over to be signed, and comes back.",
        )
        self.column.addWidget(
            _step(
                "1  On the offline computer",
                "Start Wallet GUI (offline), create or restore the wallet there, and open its page "
                "Pair. It shows the account as QR codes and saves it as a file.",
            )
        )
        self.column.addWidget(
            _step(
                "2  Bring the account here",
                "Scan the codes with a camera, or carry the file over on a memory stick.",
            )
        )
        self.panel = ImportPanel(
            engine,
            params,
            prefix="pairing",
            what="the account",
            hint="The account holds public keys only. It is no secret that moves coins, but it "
            "shows all payments.",
        )
        self.panel.changed.connect(self._follow)
        self.column.addWidget(self.panel)
        self.compare = self._make_compare()
        self.column.addWidget(self.compare)
        self.panel.inputs.take_drops_of(self.viewport())
        self.fields = NameFields("pairing", "Paired")
        self.column.addWidget(self.fields)
        self.add_bottom("&Go on")
        self.fields.submitted.connect(self.next_wanted.emit)
        self.next_wanted.connect(self._go_on)
        self._follow()

    def _make_compare(self) -> QWidget:
        frame = card()
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(22, 18, 22, 18)
        layout.setSpacing(8)
        layout.addWidget(heading("3  Compare the first address", 110))
        layout.addWidget(
            text_label(
                "Both computers show the same. Compare all of it, group by group: a changed "
                "account would lead your money to somebody else.",
                role="muted",
            )
        )
        self.addresses: list[AddressLabel] = []
        self._address_place = QVBoxLayout()
        self._address_place.setSpacing(6)
        layout.addLayout(self._address_place)
        self.equal = QCheckBox("Both screens s&how this address")
        self.equal.setObjectName("pairing_equal")
        self.equal.setAccessibleName("Both screens show this address")
        layout.addWidget(self.equal)
        layout.addWidget(
            text_label(
                "If they differ, stop: take the account over again, and do not use this one.",
                role="muted",
            )
        )
        return frame

    def first_field(self) -> QWidget | None:
        return self.panel.inputs.field

    def _follow(self) -> None:
        look = self.panel.look
        self.equal.setChecked(False)
        for widget in (self.compare, self.fields):
            widget.setVisible(look is not None)
        if look is not None:
            self.notice.clear()
            self._show_addresses(look)
            self.fields.show_found(look, "Paired")
            self.reveal(self.compare)

    def _show_addresses(self, look: ImportLook) -> None:
        """Show the first address of every account: any of them could have been exchanged."""
        while (item := self._address_place.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self.addresses.clear()
        for account in look.accounts:
            if len(look.accounts) > 1:
                self._address_place.addWidget(text_label(account.kind, role="muted"))
            label = AddressLabel(f"First address on this computer, {account.kind}")
            label.set_address(account.addresses[0])
            self._address_place.addWidget(label)
            self.addresses.append(label)
        several = len(look.accounts) > 1
        words = "these addresses" if several else "this address"
        self.equal.setText(f"Both screens s&how {words}")
        self.equal.setAccessibleName(f"Both screens show {words}")

    def _go_on(self) -> None:
        look = self.panel.look
        if look is None:
            self.notice.say("First bring the account over from the offline computer.", WARNING)
            self.panel.inputs.field.setFocus()
        elif not self.equal.isChecked():
            self.notice.say(
                "Compare the first address on both screens, and confirm that it is the same.",
                WARNING,
            )
            self.equal.setFocus()
        else:
            accepted = self.fields.accepted(self.notice)
            if accepted is not None:
                name, birthday = accepted
                self.wanted.emit(name, look.found, birthday)


def _step(title: str, text: str) -> QFrame:
    frame = card()
    layout = QVBoxLayout(frame)
    layout.setContentsMargins(22, 16, 22, 16)
    layout.setSpacing(6)
    layout.addWidget(heading(title, 110))
    layout.addWidget(text_label(text, role="muted"))
    return frame
