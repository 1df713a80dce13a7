"""The form that joins a multisig: its descriptor or file, and whose words belong to it."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QPlainTextEdit, QVBoxLayout

from wallet_gui.custody.requests import join_request, watch_request
from wallet_gui.descriptors.account_import import WalletImport
from wallet_gui.descriptors.importers import read_wallet
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.storage.settings import check_wallet_name
from wallet_gui.transfer.qr_frames import Progress
from wallet_gui.vault.offline.bench import Bench
from wallet_gui.vault.offline.files import ask_open, read_file
from wallet_gui.vault.offline.forms import button, combo, line_edit, section
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import AddressLabel, caption, text_label
from wallet_gui.widgets.line_edits import show_text
from wallet_gui.widgets.notice import ERROR, INFORMATION, Notice
from wallet_gui.widgets.qr_scan_panel import QrScanPanel
from wallet_gui.widgets.sentences import sentence
from wallet_gui.widgets.text import breakable

_WATCH_ONLY = ""


class JoinForm(QFrame):
    """Emits `wanted` with a JoinMultisig, or a WatchWallet where no words of here belong to it."""

    wanted = Signal(object)
    left = Signal()

    def __init__(self, bench: Bench, params: ChainParams) -> None:
        super().__init__()
        self.setObjectName("join_form")
        self._bench = bench
        self._params = params
        self.found: WalletImport | None = None
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        frame, layout = section(
            "join_card",
            "Join a multisig",
            "Bring what the cosigners agreed on: a descriptor, or the file that Sparrow, Specter, "
            "Coldcard or this program wrote. The vault shows every key before you agree.",
        )
        outer.addWidget(frame)
        self.notice = Notice()
        self.notice.setObjectName("join_notice")
        layout.addWidget(self.notice)
        self.text = QPlainTextEdit()
        self.text.setObjectName("join_text")
        self.text.setAccessibleName("Descriptor of the multisig")
        self.text.setTabChangesFocus(True)
        self.text.setFixedHeight(6 * self.fontMetrics().lineSpacing())
        layout.addWidget(caption("&Descriptor of the multisig, pasted", self.text))
        layout.addWidget(self.text)
        row = FlowLayout(spacing=10)
        row.addWidget(button("join_file", "Open a &file…", self._open_file))
        self.scan_button = button("join_scan", "Scan &QR codes", self._toggle_scan)
        row.addWidget(self.scan_button)
        row.addWidget(button("join_read", "&Read it", self._read_pasted))
        layout.addLayout(row)
        self.scanner = QrScanPanel(self)
        self.scanner.hide()
        self.scanner.finished.connect(self._scanned)
        layout.addWidget(self.scanner)
        self.facts = text_label(role="muted")
        self.facts.setObjectName("join_facts")
        layout.addWidget(self.facts)
        self.address = AddressLabel("First address of the multisig")
        self.address.setObjectName("join_first_address")
        layout.addWidget(self.address)
        self.name = line_edit("join_name", "&Name of the new wallet", layout)
        self.source = combo("join_source", "&Words of which wallet here", (), layout)
        row = FlowLayout(spacing=10)
        self.submit = button(
            "join_continue", "Continue in the &vault", self._submit, role="primary"
        )
        row.addWidget(self.submit)
        row.addWidget(button("join_back", "&Back", self.left.emit))
        layout.addLayout(row)

    def open_empty(self) -> None:
        """Show it anew."""
        self.found = None
        self.text.clear()
        self.name.clear()
        self.notice.clear()
        self.scanner.start_over()
        self.scanner.hide()
        self.source.clear()
        for entry in self._bench.keeper.wallets():
            self.source.addItem(entry.name, entry.path)
        self.source.addItem("None: only watch it", _WATCH_ONLY)
        self._show_found()
        self.show()
        self.text.setFocus()

    # --- bringing it

    def _open_file(self) -> None:
        path = ask_open(self, "Open the multisig")
        if path:
            self._bench.do(
                "Reading the file.",
                lambda: read_wallet(read_file(path), self._params),
                self._take,
                self._fail,
            )

    def _toggle_scan(self) -> None:
        self.scanner.setVisible(self.scanner.isHidden())

    def _scanned(self, progress: Progress) -> None:
        self.scanner.hide()
        data = progress.data or b""
        self.scanner.start_over()
        self._read(data)

    def _read_pasted(self) -> None:
        self._read(self.text.toPlainText().encode())

    def _read(self, data: bytes) -> None:
        self._bench.do(
            "Reading the multisig.",
            lambda: read_wallet(data, self._params),
            self._take,
            self._fail,
        )

    def _take(self, found: WalletImport) -> None:
        self.found = found
        self.notice.clear()
        if found.notices:
            self.notice.say(" ".join(found.notices), INFORMATION)
        if found.name and not self.name.text():
            show_text(self.name, found.name)
        self._show_found()

    def _fail(self, error: BaseException) -> None:
        self.found = None
        self._show_found()
        words = sentence(error)
        if words:
            self.notice.say(words, ERROR)

    def _show_found(self) -> None:
        found = self.found
        self.facts.setVisible(found is not None)
        self.address.setVisible(found is not None)
        if found is None:
            self.address.set_address("")
            return
        descriptor = found.descriptors[found.active]
        kind = (
            f"{descriptor.required} of {len(descriptor.keys)} signatures"
            if descriptor.is_multisig
            else "A wallet of one key"
        )
        self.facts.setText(f"{kind}: {breakable(descriptor.abbreviated())}")
        self.facts.setAccessibleName(self.facts.text())
        self.address.set_address(descriptor.first_address)

    # --- going on

    def _submit(self) -> None:
        if self.found is None:
            # Whoever pasted it need not press another button first.
            try:
                self._take(read_wallet(self.text.toPlainText(), self._params))
            except ParseError as error:
                self._fail(error)
                return
        found = self.found
        if found is None:
            return
        try:
            name = check_wallet_name(self.name.text().strip())
        except ValueError as error:
            self.notice.say(str(error), ERROR)
            self.name.setFocus()
            return
        source = str(self.source.currentData() or "")
        look = self._bench.keeper.look()
        if source == _WATCH_ONLY:
            self.wanted.emit(watch_request(name, None, found, None, self._params, look))
            return
        descriptor = found.descriptors[found.active]
        self.wanted.emit(
            join_request(
                name, None, str(descriptor), source, found.birthday_time, self._params, look
            )
        )
