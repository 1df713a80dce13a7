"""The page on which a payment comes in, is checked, goes to the vault, and goes back."""

import base64
from typing import Final

from PySide6.QtCore import Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QResizeEvent
from PySide6.QtWidgets import QPlainTextEdit

from wallet_gui.custody.payment_look import PaymentLook, look_at
from wallet_gui.primitives.hashes import hash_to_hex
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.transfer.qr_frames import Kind, Progress
from wallet_gui.vault.offline.bench import IN_THE_VAULT, Bench
from wallet_gui.vault.offline.files import ask_open, ask_save, read_file, write_file
from wallet_gui.vault.offline.forms import button, fit_codes, scroll_to, section
from wallet_gui.wallet.wallet import Wallet
from wallet_gui.widgets.animated_qr import AnimatedQr
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import heading, text_label
from wallet_gui.widgets.notice import ERROR, INFORMATION, WARNING, Notice
from wallet_gui.widgets.page import Page
from wallet_gui.widgets.qr_scan_panel import QrScanPanel
from wallet_gui.widgets.review_view import ReviewView
from wallet_gui.widgets.sentences import sentence
from wallet_gui.widgets.text import breakable, plain

_PICTURES: Final = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp")
_SCAN, _HIDE_SCAN = "Scan &QR codes", "Put the scanner &away"
_CODES, _HIDE_CODES = "Show as &QR codes", "Hide the &QR codes"
_HIDDEN: Final = "Amounts are hidden. Show them (Ctrl+H) to check this payment and to sign it."
_NOT_A_PAYMENT = (
    "These codes hold no payment to sign (PSBT). Show the payment on the online computer: there, "
    "Send leads to it."
)


class SignPage(Page):
    """Three numbered steps; the next one is there once the one before is done."""

    wallet_wanted = Signal()

    def __init__(self, bench: Bench) -> None:
        super().__init__("sign_page")
        self._bench = bench
        self._look: PaymentLook | None = None
        self._signed: Psbt | None = None
        self._name = "payment"
        self._is_hidden = False
        self.setAcceptDrops(True)
        self.body.addWidget(heading("Sign a payment"))
        self.notice = Notice()
        self.notice.setObjectName("sign_notice")
        self.notice.button.setObjectName("sign_open_wallet")
        self.notice.button.clicked.connect(self.wallet_wanted)
        self.body.addWidget(self.notice)
        self._build_bring()
        self._build_check()
        self._build_return()
        self.body.addStretch(1)
        bench.wallet_changed.connect(self.start_over)
        self.start_over()

    # --- step 1

    def _build_bring(self) -> None:
        self.bring, layout = section(
            "sign_bring",
            "1. Bring the payment here",
            "The online computer writes it as a file (.psbt), as text or as QR codes. Open the "
            "file, drop it on this page, paste the text, or scan the codes.",
        )
        row = FlowLayout(spacing=10)
        row.addWidget(button("sign_file", "Open a &file…", self._open_file, role="primary"))
        self.scan_button = button("sign_scan", _SCAN, self._toggle_scanner)
        row.addWidget(self.scan_button)
        layout.addLayout(row)
        self.text = QPlainTextEdit()
        self.text.setObjectName("sign_text")
        self.text.setAccessibleName("Payment as text")
        self.text.setPlaceholderText("Or paste the payment as text here: it begins with cHNidP8")
        self.text.setTabChangesFocus(True)
        self.text.setFixedHeight(4 * self.fontMetrics().lineSpacing())
        layout.addWidget(self.text)
        row = FlowLayout(spacing=10)
        row.addWidget(button("sign_read_text", "Read the &text", self._read_text))
        layout.addLayout(row)
        self.scanner = QrScanPanel(self)
        self.scanner.hide()
        self.scanner.finished.connect(self._scanned)
        layout.addWidget(self.scanner)
        self.body.addWidget(self.bring)

    def _open_file(self) -> None:
        path = ask_open(
            self,
            "Open a payment",
            "Payments and pictures (*.psbt *.txt *.png *.jpg *.gif);;All files (*)",
        )
        if path:
            self.read_path(path)

    def read_path(self, path: str) -> None:
        """Take a payment from a file; a picture is looked through for codes."""
        if path.lower().endswith(_PICTURES):
            self._show_scanner(shown=True)
            self.scanner.reader.read_files([path])
            return
        wallet = self._wallet()
        if wallet is not None:
            self._name = plain(path.replace("\\", "/").rsplit("/", 1)[-1].removesuffix(".psbt"), 60)
            self._bench.do(
                "Reading the payment.",
                lambda: look_at(wallet, read_file(path)),
                self._show_look,
                self._fail,
            )

    def _read_text(self) -> None:
        self.read_data(self.text.toPlainText())

    def read_data(self, data: bytes | str) -> None:
        """Take a payment as bytes, or as text in base64 or hexadecimal."""
        wallet = self._wallet()
        if wallet is not None:
            self._name = "payment"
            self._bench.do(
                "Reading the payment.", lambda: look_at(wallet, data), self._show_look, self._fail
            )

    def _scanned(self, progress: Progress) -> None:
        if progress.kind is not Kind.PSBT or progress.data is None:
            self.notice.say(_NOT_A_PAYMENT, ERROR)
            self.scanner.start_over()
            return
        self._show_scanner(shown=False)
        self.read_data(progress.data)

    def _toggle_scanner(self) -> None:
        self._show_scanner(shown=self.scanner.isHidden())

    def _show_scanner(self, *, shown: bool) -> None:
        self.scanner.start_over()
        self.scanner.setVisible(shown)
        words = _HIDE_SCAN if shown else _SCAN
        self.scan_button.setText(words)
        self.scan_button.setAccessibleName(words.replace("&", ""))

    # --- step 2

    def _build_check(self) -> None:
        self.check, layout = section(
            "sign_check",
            "2. Check it, then sign it in the vault",
            "Compare the addresses and amounts with what you were given, not with the screen of "
            "the online computer. The vault shows all of it once more, from its own keys.",
        )
        self.review = ReviewView()
        layout.addWidget(self.review)
        self.hidden = text_label(_HIDDEN)
        self.hidden.setObjectName("sign_hidden")
        layout.addWidget(self.hidden)
        self.signers = text_label()
        self.signers.setObjectName("sign_signers")
        layout.addWidget(self.signers)
        self.obstacle = Notice()
        self.obstacle.setObjectName("sign_obstacle")
        layout.addWidget(self.obstacle)
        row = FlowLayout(spacing=10)
        self.sign = button("sign_go", "Review and &sign", self._sign, role="primary")
        row.addWidget(self.sign)
        row.addWidget(button("sign_other", "&Another payment", self.start_over))
        layout.addLayout(row)
        self.body.addWidget(self.check)

    def _show_look(self, look: PaymentLook) -> None:
        self._look, self._signed = look, None
        self.notice.clear()
        self.text.clear()
        words = _signers_words(look)
        self.signers.setText(words)
        self.signers.setAccessibleName(words)
        self.signers.setVisible(bool(words))
        self._show_review()
        self._show_steps()
        self.ensureWidgetVisible(self.check, 0, 0)

    def _show_review(self) -> None:
        look = self._look
        self.hidden.setVisible(self._is_hidden)
        self.review.clear()
        self.obstacle.clear()
        if look is None or self._is_hidden:
            # Whoever cannot see what they sign does not sign it.
            self.sign.setEnabled(False)
            return
        self.review.set_review(look.review)
        if look.obstacle:
            self.obstacle.say(look.obstacle, WARNING)
        self.sign.setEnabled(not look.obstacle)

    def hide_amounts(self, hidden: bool) -> None:  # noqa: FBT001 - a Qt slot
        """Mask or show amounts; what is said of a payment may name some."""
        self._is_hidden = hidden
        if hidden:
            self.notice.clear()
            self.notice.button.hide()
        self._show_review()

    def _sign(self) -> None:
        look, opened = self._look, self._bench.opened
        if look is None or opened is None:
            return
        keeper = self._bench.keeper

        def work() -> PaymentLook:
            signed = keeper.sign(opened, look.psbt)
            return look_at(opened.wallet, signed.serialize())

        self._bench.do(IN_THE_VAULT, work, self._show_signed, self._fail)

    # --- step 3

    def _build_return(self) -> None:
        self.back, layout = section("sign_return", "3. Take it back to the online computer")
        self.result = text_label()
        self.result.setObjectName("sign_result")
        layout.addWidget(self.result)
        row = FlowLayout(spacing=10)
        row.addWidget(button("sign_save", "Sa&ve as a file…", self._save, role="primary"))
        self.codes_button = button("sign_codes", _CODES, self._toggle_codes)
        row.addWidget(self.codes_button)
        row.addWidget(button("sign_next", "Sign &another payment", self.start_over))
        layout.addLayout(row)
        self.codes = AnimatedQr(self)
        self.codes.hide()
        layout.addWidget(self.codes)
        self.body.addWidget(self.back)

    def _show_signed(self, look: PaymentLook) -> None:
        self._look, self._signed = look, look.psbt
        missing = look.signatures.missing_words()
        done = "It is signed." if not missing else f"It is signed here. {missing}"
        words = (
            f"{done} The online computer checks that it is what it asked for, and sends it. "
            f"Transaction {breakable(hash_to_hex(look.psbt.tx.txid))}"
        )
        self.result.setText(words)
        self.result.setAccessibleName(words)
        self.notice.clear()
        self._show_steps()
        self.ensureWidgetVisible(self.back, 0, 0)

    def _save(self) -> None:
        signed = self._signed
        if signed is None:
            return
        name = f"{self._name.removesuffix('-signed')}-signed.psbt"
        path = ask_save(self, "Save the signed payment", name, "Payments (*.psbt)")
        if path:
            self.save_to(path)

    def save_to(self, path: str) -> None:
        """Write the signed payment into a new file."""
        signed = self._signed
        if signed is None:
            return
        path = path if "." in path.rsplit("/", 1)[-1] else f"{path}.psbt"
        self._bench.do(
            "Writing the file.",
            lambda: write_file(path, signed.serialize()),
            lambda name: self.notice.say(
                f"The signed payment is in {plain(name, 80)}. Take the file to the online "
                "computer.",
                INFORMATION,
            ),
            self._fail,
        )

    def _toggle_codes(self) -> None:
        shown = self.codes.isHidden()
        if shown and self._signed is not None:
            self.codes.show_message(Kind.PSBT, self._signed.serialize())
        else:
            self.codes.clear()
        self._show_codes(shown=shown)
        if shown:
            scroll_to(self, self.codes)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        fit_codes(self, self.codes)

    def _show_codes(self, *, shown: bool) -> None:
        self.codes.setVisible(shown)
        words = _HIDE_CODES if shown else _CODES
        self.codes_button.setText(words)
        self.codes_button.setAccessibleName(words.replace("&", ""))

    # --- all of it

    @property
    def signed_text(self) -> str:
        """The signed payment in base64; "" before it is signed."""
        return "" if self._signed is None else base64.b64encode(self._signed.serialize()).decode()

    def start_over(self) -> None:
        """Forget the payment."""
        self._look = self._signed = None
        self._show_review()
        self.notice.clear()
        self.notice.button.hide()
        self.text.clear()
        self.codes.clear()
        self._show_codes(shown=False)
        self._show_scanner(shown=False)
        self._show_steps()

    def _show_steps(self) -> None:
        self.bring.setVisible(self._look is None)
        self.check.setVisible(self._look is not None and self._signed is None)
        self.back.setVisible(self._signed is not None)

    def _wallet(self) -> Wallet | None:
        """The open wallet; without one the person is sent to open it."""
        if self._bench.opened is not None:
            return self._bench.opened.wallet
        self.notice.say("Open the wallet that is to sign first.", WARNING)
        self.notice.button.setText("Open a wallet")
        self.notice.button.setAccessibleName("Open a wallet")
        self.notice.button.show()
        return None

    def _fail(self, error: BaseException) -> None:
        words = sentence(error)
        if words:
            self.notice.say(words, ERROR)
            self.ensureWidgetVisible(self.notice)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        data = event.mimeData()
        if data.hasUrls() or data.hasText() or data.hasImage():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        data = event.mimeData()
        paths = [url.toLocalFile() for url in data.urls() if url.isLocalFile()]
        event.acceptProposedAction()
        if self._look is not None and self._signed is None:
            self.start_over()
        if len(paths) > 1 or data.hasImage():
            self._show_scanner(shown=True)
            self.scanner.reader.read_content(data)
        elif paths:
            self.read_path(paths[0])
        elif data.hasText():
            self.read_data(data.text())


def _signers_words(look: PaymentLook) -> str:
    """Who of several signers has signed; "" where there is only one."""
    signatures = look.signatures
    if not signatures.is_shared:
        return ""
    lines = [f"Signatures: {signatures.present} of {signatures.required} that it takes."]
    for signer in signatures.signers:
        own = ", this wallet" if signer.is_own else ""
        state = "has signed" if signer.has_signed else "has not signed"
        lines.append(f"{plain(signer.title, 80)}{own}: {state}")
    return "\n".join(lines)
