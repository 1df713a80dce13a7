"""The page that tells the online computer what to watch, and other signers which key is ours."""

from typing import Final

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QVBoxLayout

from wallet_gui.custody.exports import Export, exports_of, of_cosigner_key
from wallet_gui.custody.open_wallet import OpenWallet
from wallet_gui.custody.requests import cosigner_key_request
from wallet_gui.descriptors.descriptor import MultisigType
from wallet_gui.descriptors.importers import read_cosigner
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer.messages import CosignerKeyExported
from wallet_gui.transfer.qr_frames import Format, Kind, encode
from wallet_gui.vault.offline.bench import IN_THE_VAULT, Bench
from wallet_gui.vault.offline.export_view import ExportView
from wallet_gui.vault.offline.forms import button, clear, combo, fit_codes, section
from wallet_gui.wallet.wallet import Wallet
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import AddressLabel, heading, text_label
from wallet_gui.widgets.notice import ERROR, INFORMATION, WARNING, Notice
from wallet_gui.widgets.page import Page
from wallet_gui.widgets.sentences import sentence
from wallet_gui.widgets.text import plain

_KINDS: Final = (
    ("Native SegWit (wsh), the usual one", "wsh"),
    ("Wrapped SegWit (sh-wsh)", "sh_wsh"),
)


def account_export(wallet: Wallet) -> Export | None:
    """Write the accounts as crypto-account carries them; None for what it cannot say."""
    lines = []
    for descriptor in wallet.descriptors:
        if descriptor.is_multisig:
            return None
        lines.append(descriptor.to_string().partition("#")[0].replace("/<0;1>/*", ""))
    text = "\n".join(lines)
    try:
        encode(Kind.ACCOUNT, text.encode(), format=Format.UR)
    except ParseError:
        return None
    name = wallet.description.name
    title = "Account: this program, Sparrow, most others"
    return Export("account", title, text, Kind.ACCOUNT, f"{name}-account.txt")


class PairPage(Page):
    """What it shows is public, but tells all payments of the wallet: it goes when it is locked."""

    def __init__(self, bench: Bench, params: ChainParams) -> None:
        super().__init__("pair_page")
        self._bench = bench
        self._params = params
        self.body.addWidget(heading("Pair with the online computer"))
        self.notice = Notice()
        self.notice.setObjectName("pair_notice")
        self.body.addWidget(self.notice)
        self.steps, layout = section(
            "pair_account",
            "1. Bring the account over",
            "On the online computer choose “Pair with my offline computer” and let it read this, "
            "as codes or as a file. It can then watch and prepare payments. It cannot sign.",
        )
        self.export = ExportView(bench, "pair")
        layout.addWidget(self.export)
        self.body.addWidget(self.steps)
        self.compare, layout = section(
            "pair_compare",
            "2. Compare the first address",
            "Both computers must show the same. If they differ, do not receive anything: begin "
            "anew.",
        )
        self.addresses = QVBoxLayout()
        layout.addLayout(self.addresses)
        self.body.addWidget(self.compare)
        self._build_cosigner()
        self.body.addStretch(1)
        bench.wallet_changed.connect(self._follow)
        self._follow()

    def _build_cosigner(self) -> None:
        self.cosigner, layout = section(
            "pair_cosigner",
            "Or: a key for a multisig",
            "Each signer of a multisig hands out one public key. The vault derives it; bring it to "
            "whoever puts the multisig together, then join that multisig on the page Wallets.",
        )
        self.kind = combo("cosigner_kind", "&Kind of multisig", _KINDS, layout)
        row = FlowLayout(spacing=10)
        row.addWidget(button("cosigner_get", "Get the &key in the vault", self._get_key))
        layout.addLayout(row)
        self.key = ExportView(self._bench, "cosigner")
        self.key.hide()
        layout.addWidget(self.key)
        self.body.addWidget(self.cosigner)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        for view in (self.export, self.key):
            fit_codes(self, view.codes)

    def _follow(self) -> None:
        opened = self._bench.opened
        self.export.clear()
        self.key.clear()
        self.key.hide()
        clear(self.addresses)
        self.notice.clear()
        for part in (self.steps, self.compare, self.cosigner):
            part.setVisible(opened is not None)
        if opened is None:
            self.notice.say("Open the wallet that is to be paired first.", INFORMATION)
            return
        wallet = opened.wallet
        account = account_export(wallet)
        exports = exports_of(wallet)
        self.export.show_exports(exports if account is None else (account, *exports))
        self.cosigner.setVisible(wallet.description.has_secrets)
        self._show_addresses(opened)

    def _show_addresses(self, opened: OpenWallet) -> None:
        name = plain(opened.wallet.description.name, 60)
        self.addresses.addWidget(text_label(f"First address of {name}", role="muted"))
        for address in opened.first_addresses:
            label = AddressLabel("First address")
            label.setObjectName("pair_first_address")
            label.set_address(address)
            self.addresses.addWidget(label)
        fingerprint = opened.wallet.description.fingerprint
        if fingerprint:
            words = text_label(f"Fingerprint {fingerprint}", role="muted")
            words.setObjectName("pair_fingerprint")
            self.addresses.addWidget(words)

    def _get_key(self) -> None:
        opened = self._bench.opened
        if opened is None:
            return
        keeper = self._bench.keeper
        kind = str(self.kind.currentData())
        name = opened.wallet.description.name

        def work() -> tuple[Export, ...]:
            request = cosigner_key_request(opened.path, kind, 0, keeper.look())
            text = keeper.ask(request, CosignerKeyExported).key
            key = read_cosigner(text, self._params, MultisigType[kind.upper()])
            return of_cosigner_key(key, name)

        self._bench.do(IN_THE_VAULT, work, self._show_key, self._fail)

    def _show_key(self, exports: tuple[Export, ...]) -> None:
        self.notice.clear()
        self.key.show_exports(exports)
        self.key.show()
        self.ensureWidgetVisible(self.key)

    def _fail(self, error: BaseException) -> None:
        words = sentence(error)
        if words:
            self.notice.say(words, ERROR if not self._bench.opened else WARNING)
            self.ensureWidgetVisible(self.notice)
