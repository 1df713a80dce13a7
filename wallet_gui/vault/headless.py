"""The vault without a window: the same use cases, for the command line and for tests."""

import secrets
from pathlib import Path
from random import SystemRandom
from typing import Final

from wallet_gui.keys.secret_box import SecretPayload
from wallet_gui.keys.seed import Seed, entropy_from_words
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives.params import by_name
from wallet_gui.transfer.messages import (
    PROMPT,
    STDIN,
    Cancelled,
    ChangePassword,
    CheckBackup,
    CosignerKeyExported,
    CreateWallet,
    DrillWords,
    ExportCosignerKey,
    HeadlessOptions,
    JoinMultisig,
    Reply,
    Request,
    RestoreWallet,
    SignPsbt,
    UnlockWallet,
    WatchWallet,
)
from wallet_gui.vault import (
    backup_headless,
    creation,
    joining,
    password_change,
    signing,
    unlocking,
)
from wallet_gui.vault.creation import Entropy, ProgressSink
from wallet_gui.vault.errors import BadRequest, PersonCancelled
from wallet_gui.vault.password_cost import PasswordCost
from wallet_gui.vault.plain_review import review_text
from wallet_gui.vault.signing import FeeConcern
from wallet_gui.vault.strength import estimate
from wallet_gui.vault.terminal import SecretReader

_WORDS_HELP: Final = (
    "These words are the wallet. Write them on paper, in this order, and keep the paper safe:\n"
    "whoever has them has the money, and without them a lost file or password is final.\n\n"
)


class HeadlessVault:
    """Answers one request without a window."""

    def __init__(
        self,
        reader: SecretReader,
        cost: PasswordCost,
        progress: ProgressSink,
        entropy: Entropy = secrets.token_bytes,
    ) -> None:
        self._reader = reader
        self._cost = cost
        self._progress = progress
        self._entropy = entropy

    def answer(self, request: Request) -> Reply:
        """Do what is asked. Raises the EXPECTED errors of vault.errors."""
        options = request.headless or HeadlessOptions()
        try:
            return self._reply(request, options)
        except (PersonCancelled, KeyboardInterrupt):
            return Cancelled()

    def _reply(self, request: Request, options: HeadlessOptions) -> Reply:
        reply: Reply
        match request:
            case CreateWallet():
                reply = self._create(request, options)
            case RestoreWallet():
                reply = self._restore(request, options)
            case JoinMultisig():
                reply = self._join(request, options)
            case WatchWallet():
                reply = self._watch(request, options)
            case ExportCosignerKey():
                reply = self._export_key(request, options)
            case UnlockWallet():
                reply = self._unlock(request, options)
            case SignPsbt():
                reply = self._sign(request, options)
            case ChangePassword():
                reply = self._change_password(request, options)
            case CheckBackup() | DrillWords():
                reply = backup_headless.answer(self._reader, request, options, self._cost)
        return reply

    # --- create and restore

    def _create(self, request: CreateWallet, options: HeadlessOptions) -> Reply:
        target = options.words_file
        if target == STDIN:
            raise BadRequest("New words cannot be shown on standard input; name a file for them.")
        creation.wallet_path(request)
        seed = creation.new_seed(request, self._entropy)
        password = self._new_password(options.password_file)
        seed = self._with_passphrase(seed, request, options)
        if target == PROMPT:
            self._show_words(seed)
            return self._store(request, seed, password)
        self._reader.write_words(target, seed.words)
        stored = False
        try:
            reply = self._store(request, seed, password)
            stored = True
        finally:
            if not stored:
                self._reader.remove_words(target)
        return reply

    def _restore(self, request: RestoreWallet, options: HeadlessOptions) -> Reply:
        creation.wallet_path(request)
        password = self._new_password(options.password_file)
        entropy, language = entropy_from_words(self._reader.words(options.words_file))
        seed = self._with_passphrase(Seed(entropy, language), request, options)
        if request.descriptor:
            self._agree(request.descriptor, seed, request.network, options)
        return self._store(request, seed, password)

    # --- multisig and watching

    def _join(self, request: JoinMultisig, options: HeadlessOptions) -> Reply:
        creation.wallet_path(request)
        password, payload, passphrase = self._open_secrets(request.source, options)
        joining.check_network(payload.network, request.network)
        signing.keyring(payload, passphrase)  # a wrong passphrase is told here
        seed = payload.seed(passphrase)
        self._agree(request.descriptor, seed, request.network, options)
        return self._store(request, seed, password)

    def _agree(self, descriptor: str, seed: Seed, network: str, options: HeadlessOptions) -> None:
        params = by_name(network)
        root = ExtendedPrivateKey.from_seed(seed.stretched(), params)
        agreed = joining.agreed_descriptor(descriptor, params)
        joining.check_ours(agreed, root)
        text = joining.cosigners_text(agreed, root)
        if options.assume_yes:
            self._reader.note(text)
            return
        self._reader.terminal.write(text + "\n")
        self._ask_yes(joining.AGREE)

    def _watch(self, request: WatchWallet, options: HeadlessOptions) -> Reply:
        creation.wallet_path(request)
        password = self._new_password(options.password_file)
        created = creation.create_watching(request, password, self._cost, self._progress)
        self._tell(created.notices)
        return created.reply

    def _export_key(self, request: ExportCosignerKey, options: HeadlessOptions) -> Reply:
        _, payload, passphrase = self._open_secrets(request.path, options)
        keys = signing.keyring(payload, passphrase)
        return CosignerKeyExported(
            joining.exported_key(keys.root, keys.params, request.script_type, request.account)
        )

    def _store(
        self, request: CreateWallet | RestoreWallet | JoinMultisig, seed: Seed, password: str
    ) -> Reply:
        created = creation.create(request, seed, password, self._cost, self._progress)
        self._tell(created.notices)
        return created.reply

    def _new_password(self, source: str, what: str = "Password") -> str:
        password = self._reader.new(source, what)
        creation.check_new_password(password)
        strength = estimate(password, self._cost)
        if strength.is_weak:
            self._reader.note(f"This password is weak. {strength.explanation}")
        return password

    def _with_passphrase(
        self, seed: Seed, request: CreateWallet | RestoreWallet, options: HeadlessOptions
    ) -> Seed:
        if not request.use_passphrase:
            return seed
        passphrase = self._reader.new(options.passphrase_file, "Passphrase (25th word)")
        return creation.with_passphrase(seed, passphrase)

    def _show_words(self, seed: Seed) -> None:
        terminal = self._reader.terminal
        words = seed.words.split()
        asked = sorted(SystemRandom().sample(range(len(words)), creation.words_asked(len(words))))
        while True:
            with terminal.screen():
                terminal.write(_WORDS_HELP)
                for number, word in enumerate(words, 1):
                    terminal.write(f"  {number:2}  {word}\n")
                terminal.ask("\nPress Enter when you have written them down. ")
            for position in asked:
                typed = terminal.ask_hidden(f"Word {position + 1} (not shown): ")
                if not creation.is_same_word(typed, words[position]):
                    terminal.write(
                        f"This is not word {position + 1}. The words are shown once more.\n"
                    )
                    break
            else:
                return

    # --- unlock, change the password

    def _unlock(self, request: UnlockWallet, options: HeadlessOptions) -> Reply:
        password = self._reader.existing(options.password_file, "Password")
        self._progress(unlocking.CHECKING, None)
        unlocked = unlocking.unlock(Path(request.path), password, self._cost)
        # What was noticed about the file, the window or command that opens it tells.
        return unlocked.reply

    def _change_password(self, request: ChangePassword, options: HeadlessOptions) -> Reply:
        old = self._reader.existing(options.password_file, "Password")
        new = self._new_password(options.new_password_file, "New password")
        changed = password_change.change_password(request, old, new, self._cost, self._progress)
        self._tell(changed.notices)
        return changed.reply

    # --- sign

    def _sign(self, request: SignPsbt, options: HeadlessOptions) -> Reply:
        psbt = signing.read_payment(request)
        _, payload, passphrase = self._open_secrets(request.path, options)
        keys = signing.keyring(payload, passphrase)
        payment = signing.review_payment(request, psbt, keys)
        text = review_text(payment, keys.params)
        fee_confirmed = options.accept_high_fee
        if options.assume_yes:
            self._reader.note(text)
        else:
            self._reader.terminal.write(text + "\n")
            self._ask_yes("Sign this payment?")
            if payment.fee_concern is FeeConcern.UNUSUAL and not fee_confirmed:
                self._ask_yes(f"{payment.fee_question} Pay it all the same?")
                fee_confirmed = True
        self._progress(signing.SIGNING, None)
        return signing.sign(payment, keys, fee_confirmed=fee_confirmed)

    def _open_secrets(self, path: str, options: HeadlessOptions) -> tuple[str, SecretPayload, str]:
        """Ask for what opens the secrets of a wallet file: password, payload, passphrase."""
        password = self._reader.existing(options.password_file, "Password")
        self._progress(signing.OPENING, None)
        payload = signing.open_payload(Path(path), password, self._cost)
        passphrase = ""
        if payload.needs_passphrase:
            what = "Passphrase (25th word)"
            passphrase = self._reader.existing(options.passphrase_file, what)
        return password, payload, passphrase

    def _ask_yes(self, question: str) -> None:
        answer = self._reader.terminal.ask(f"{question} Type yes: ")
        if answer.strip().casefold() != "yes":
            raise PersonCancelled

    def _tell(self, notices: tuple[str, ...]) -> None:
        for notice in notices:
            self._reader.note(notice)
