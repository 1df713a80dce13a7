"""The window's pages for new wallets: with new words, from words, from an extended private key."""

import secrets
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject

from wallet_gui.descriptors.descriptor import Descriptor
from wallet_gui.keys.errors import BrokenRandomSource
from wallet_gui.keys.imported import ImportedKeys
from wallet_gui.keys.seed import Seed
from wallet_gui.primitives.params import by_name
from wallet_gui.transfer.messages import SOURCE_XPRV, CreateWallet, RestoreWallet
from wallet_gui.vault import creation, importing
from wallet_gui.vault.creation import Created, Entropy, WalletKeys
from wallet_gui.vault.dice_page import DicePage
from wallet_gui.vault.errors import failure
from wallet_gui.vault.page import VaultPage
from wallet_gui.vault.password_cost import PasswordCost
from wallet_gui.vault.password_pages import FingerprintPage, NewPasswordPage, PassphrasePage
from wallet_gui.vault.step_pages import DonePage
from wallet_gui.vault.window import VaultWindow
from wallet_gui.vault.words_pages import ConfirmWordsPage, RestorePage, WordsPage
from wallet_gui.vault.xprv_pages import ImportedPage, XprvPage
from wallet_gui.widgets.text import plain

_PAPER = (
    "Keep the paper with the words where neither fire nor strangers find it, and keep the password "
    "in mind: the program asks for it whenever you open the wallet or sign a payment."
)
_NO_PAPER = (
    "This wallet has no words of its own: copy the wallet file to another disk, and keep what the "
    "key came from. The program asks for the password whenever you open the wallet or sign a "
    "payment."
)


class NewWalletFlow(QObject):
    """Dice if they were asked for, words, passphrase, password, done; or words or a key typed in.

    Each page comes back with what was typed when a later one is left.
    """

    def __init__(
        self,
        window: VaultWindow,
        request: CreateWallet | RestoreWallet,
        cost: PasswordCost,
        entropy: Entropy = secrets.token_bytes,
    ) -> None:
        super().__init__(window)
        self._window = window
        self._request = request
        self._cost = cost
        self._entropy = entropy
        self._keys: WalletKeys | None = None
        self._confirm_page: ConfirmWordsPage | None = None
        self._before_passphrase: VaultPage | None = None
        self._before_password: VaultPage | None = None
        window.header.play_badge.setVisible(by_name(request.network).is_test)
        self._password_page = NewPasswordPage(cost, secondary="&Back")
        self._password_page.submitted.connect(self._create)
        self._password_page.left.connect(lambda: self._back(self._before_password))
        self._passphrase_page = PassphrasePage(
            is_new=True, secondary="&Back", is_restored=isinstance(request, RestoreWallet)
        )
        self._passphrase_page.submitted.connect(self._take_passphrase)
        self._passphrase_page.left.connect(lambda: self._back(self._before_passphrase))
        if isinstance(request, RestoreWallet):
            if request.source == SOURCE_XPRV:
                self._start_importing(request)
            else:
                self._start_restoring()
        elif request.use_dice:
            self._start_rolling(request)
        else:
            self._show_words(creation.new_seed(request, entropy), request, can_draw=True)

    def _back(self, page: VaultPage | None) -> None:
        if page is not None:
            self._window.show_page(page)

    # --- new words

    def _start_rolling(self, request: CreateWallet) -> None:
        page = DicePage(request.word_count)
        page.left.connect(self._window.cancel)

        def rolled() -> None:
            rolls = page.accepted_rolls()
            if rolls is None:
                return
            seed = self._draw(request, page.word_count)
            if seed is not None:
                self._show_words(creation.seed_with_dice(seed, rolls), request, can_draw=False)

        page.submitted.connect(rolled)
        self._window.show_page(page)

    def _draw(self, request: CreateWallet, word_count: int) -> Seed | None:
        """Draw other words; a broken source of random numbers ends it all."""
        try:
            return creation.new_seed(replace(request, word_count=word_count), self._entropy)
        except BrokenRandomSource as error:
            self._window.refuse("No wallet was made", failure(error))
            return None

    def _show_words(self, seed: Seed, request: CreateWallet, *, can_draw: bool) -> None:
        words = WordsPage(seed, (lambda count: self._draw(request, count)) if can_draw else None)
        words.left.connect(self._window.cancel)

        def written_down() -> None:
            if words.all_were_in_view():
                self._confirm(words)

        words.submitted.connect(written_down)
        self._window.show_page(words)

    def _confirm(self, words: WordsPage) -> None:
        seed = words.seed
        if self._confirm_page is not None and self._confirm_page.seed == seed:
            self._window.show_page(self._confirm_page)  # with what was typed already
            return
        confirm = self._confirm_page = ConfirmWordsPage(seed)
        confirm.left.connect(lambda: self._window.show_page(words))

        def confirmed() -> None:
            if confirm.is_confirmed():
                self._keys = seed
                self._after_words(confirm)

        confirm.submitted.connect(confirmed)
        self._window.show_page(confirm)

    # --- from words or a key

    def _start_restoring(self) -> None:
        page = RestorePage()
        page.left.connect(self._window.cancel)

        def typed() -> None:
            seed = page.accepted_seed()
            if seed is not None:
                self._keys = seed
                self._after_words(page)

        page.submitted.connect(typed)
        self._window.show_page(page)

    def _start_importing(self, request: RestoreWallet) -> None:
        page = XprvPage()
        page.left.connect(self._window.cancel)
        params = by_name(request.network)

        def typed() -> None:
            text = page.typed_text()
            if text is None:
                return

            def work(step: creation.ProgressSink) -> tuple[ImportedKeys, tuple[Descriptor, ...]]:
                step("Reading the key", None)
                keys = importing.read_keys(text, request)
                descriptors = importing.wallet_descriptors(
                    keys, params, request.script_types, request.account
                )
                return keys, descriptors

            self._window.work(
                work,
                lambda found: self._show_imported(found[0], found[1], page),
                lambda error: page.refuse(str(error), page.xprv_edit),
                back_to=page,
            )

        page.submitted.connect(typed)
        self._window.show_page(page)

    def _show_imported(
        self, keys: ImportedKeys, descriptors: tuple[Descriptor, ...], back_to: XprvPage
    ) -> None:
        page = ImportedPage(keys, descriptors)
        page.left.connect(lambda: self._window.show_page(back_to))

        def agreed() -> None:
            self._keys = keys
            self._before_password = page
            self._window.show_page(self._password_page)

        page.submitted.connect(agreed)
        self._window.show_page(page)

    # --- passphrase, password, done

    def _after_words(self, words_page: VaultPage) -> None:
        self._before_passphrase = self._before_password = words_page
        self._window.show_page(
            self._passphrase_page if self._request.use_passphrase else self._password_page
        )

    def _take_passphrase(self) -> None:
        passphrase = self._passphrase_page.accepted_passphrase()
        if passphrase is None or not isinstance(self._keys, Seed):
            return
        keys = creation.with_passphrase(self._keys, passphrase)
        params = by_name(self._request.network)

        def work(step: creation.ProgressSink) -> str:
            step("Reading the keys", None)
            return creation.root_of(keys, params).fingerprint.hex()

        def show(fingerprint: str) -> None:
            self._keys = keys
            page = FingerprintPage(fingerprint, is_new=isinstance(self._request, CreateWallet))
            page.left.connect(lambda: self._window.show_page(self._passphrase_page))
            page.submitted.connect(lambda: self._window.show_page(self._password_page))
            self._before_password = page
            self._window.show_page(page)

        self._window.work(
            work,
            show,
            lambda error: self._passphrase_page.refuse(str(error)),
            back_to=self._passphrase_page,
        )

    def _create(self) -> None:
        password = self._password_page.accepted_password()
        keys = self._keys
        if password is None or keys is None:
            return
        self._window.work(
            lambda step: creation.create(self._request, keys, password, self._cost, step),
            self._created,
            lambda error: self._password_page.refuse(str(error)),
            back_to=self._password_page,
        )

    def _created(self, created: Created) -> None:
        name = plain(Path(created.reply.path).stem, 60)
        made = "ready" if isinstance(self._request, CreateWallet) else "restored"
        page = DonePage(
            f"{name} is {made}",
            _NO_PAPER if isinstance(self._keys, ImportedKeys) else _PAPER,
            created.notices,
            primary="&Open the wallet",
        )
        page.submitted.connect(lambda: self._window.finish(created.reply))
        # The file is there: closing the window by its frame does not undo that.
        self._window.reply = created.reply
        self._window.forget_secrets()
        self._window.show_page(page)
