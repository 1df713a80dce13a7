"""The vault without a window: the same use cases, for the command line and for tests."""

import secrets
import unicodedata
from collections.abc import Callable
from pathlib import Path
from random import SystemRandom
from typing import Any, Final

from wallet_gui.keys import dice
from wallet_gui.keys.dice import DiceError
from wallet_gui.keys.secret_box import SecretPayload
from wallet_gui.keys.seed import Seed, entropy_from_words, is_guessable
from wallet_gui.primitives.params import by_name
from wallet_gui.transfer.messages import (
    PROMPT,
    SOURCE_XPRV,
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
    ShowWords,
    SignMessage,
    SignPsbt,
    UnlockWallet,
    WatchWallet,
    WordsShown,
)
from wallet_gui.vault import (
    backup_headless,
    creation,
    importing,
    joining,
    message_signing,
    password_change,
    signing,
    unlocking,
)
from wallet_gui.vault.creation import Entropy, ProgressSink, WalletKeys
from wallet_gui.vault.errors import BadRequest, PersonCancelled
from wallet_gui.vault.password_cost import PasswordCost
from wallet_gui.vault.plain_review import review_text
from wallet_gui.vault.signing import FeeConcern, words_note
from wallet_gui.vault.strength import estimate
from wallet_gui.vault.terminal import SecretReader

_WORDS_HELP: Final = (
    "These words are the wallet. Write them on paper, in this order, and keep the paper safe:\n"
    "whoever has them has the money, and without them a lost file or password is final.\n\n"
)


_WORDS_AGAIN: Final = "Whoever has these words has the money. Compare them with your paper.\n\n"
_ALONE: Final = (
    "The words come on the screen. Whoever sees them can take all of the money. Are you alone?"
)
_DICE_HELP: Final = (
    "Roll a die at least {asked} times and type the numbers from 1 to 6; they are not shown. They\n"
    "are mixed into this computer's random numbers (SHA-256 over both), and never replace them.\n"
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
        answers: dict[type[Request], Callable[[Any, HeadlessOptions], Reply]] = {
            ChangePassword: self._change_password,
            CheckBackup: self._backup,
            CreateWallet: self._create,
            DrillWords: self._backup,
            ExportCosignerKey: self._export_key,
            JoinMultisig: self._join,
            RestoreWallet: self._restore,
            ShowWords: self._show_again,
            SignMessage: self._sign_message,
            SignPsbt: self._sign,
            UnlockWallet: self._unlock,
            WatchWallet: self._watch,
        }
        return answers[type(request)](request, options)

    def _backup(self, request: CheckBackup | DrillWords, options: HeadlessOptions) -> Reply:
        return backup_headless.answer(self._reader, request, options, self._cost)

    # --- create and restore

    def _create(self, request: CreateWallet, options: HeadlessOptions) -> Reply:
        target = options.words_file
        if target == STDIN:
            raise BadRequest("New words cannot be shown on standard input; name a file for them.")
        creation.wallet_path(request)
        seed = creation.new_seed(request, self._entropy)
        password = self._new_password(options.password_file)
        seed = self._with_passphrase(seed, request, options)
        if request.use_dice:
            seed = self._with_dice(seed, options)
        self._tell_fingerprint(seed, request)
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
        if request.source == SOURCE_XPRV:
            return self._import(request, password, options)
        entropy, language = entropy_from_words(self._reader.words(options.words_file))
        if is_guessable(entropy):
            self._reader.note(f"The words are right. {creation.EXAMPLE_WORDS}")
        seed = self._with_passphrase(Seed(entropy, language), request, options)
        self._tell_fingerprint(seed, request)
        if request.descriptor:
            self._agree(request.descriptor, seed, request.network, options)
        return self._store(request, seed, password)

    def _import(self, request: RestoreWallet, password: str, options: HeadlessOptions) -> Reply:
        text = self._reader.text(options.words_file, importing.WHAT)
        keys = importing.read_keys(text, request)
        params = by_name(request.network)
        if request.descriptor:
            keys = keys.agreeing_with(joining.agreed_descriptor(request.descriptor, params))
            self._agree(request.descriptor, keys, request.network, options)
        else:
            descriptors = importing.wallet_descriptors(
                keys, params, request.script_types, request.account
            )
            self._reader.note(importing.summary(keys, descriptors))
        return self._store(request, keys, password)

    def _with_dice(self, seed: Seed, options: HeadlessOptions) -> Seed:
        asked = dice.ROLLS_ASKED[len(seed.entropy) * 8]
        if options.dice_file == PROMPT:
            self._reader.terminal.write(_DICE_HELP.format(asked=asked))
        while True:
            text = self._reader.text(options.dice_file, "Rolls of the die")
            try:
                rolls = dice.read_rolls(text)
                mixed = creation.seed_with_dice(seed, rolls)
            except DiceError as error:
                if options.dice_file != PROMPT:
                    raise
                self._reader.terminal.write(f"{error}\n")
                continue
            self._reader.note(
                f"{dice.counted(rolls)} counted, {dice.bits_of(rolls)} bits, and mixed in."
            )
            return mixed

    def _tell_fingerprint(self, seed: Seed, request: CreateWallet | RestoreWallet) -> None:
        if seed.passphrase:
            fingerprint = creation.root_of(seed, by_name(request.network)).fingerprint.hex()
            self._reader.note(
                f"The fingerprint with this passphrase is {fingerprint}. Write it down with the "
                "words: seeing it again tells that both are right."
            )

    # --- the words once more

    def _show_again(self, request: ShowWords, options: HeadlessOptions) -> Reply:
        target = options.words_file
        if target == STDIN:
            raise BadRequest("Words cannot be shown on standard input; name a file for them.")
        password = self._reader.existing(options.password_file, "Password")
        self._progress(signing.OPENING, None)
        payload = signing.open_payload(Path(request.path), password, self._cost)
        words = payload.seed().words
        note = words_note(payload)
        if target != PROMPT:
            self._reader.write_words(target, words)
        else:
            self._ask_yes(_ALONE)
            terminal = self._reader.terminal
            with terminal.screen():
                terminal.write(_WORDS_AGAIN)
                self._list_words(words)
                terminal.ask("\nPress Enter when you are done. ")
        if note:
            self._reader.note(note)
        return WordsShown()

    def _list_words(self, words: str) -> None:
        for number, word in enumerate(words.split(), 1):
            self._reader.terminal.write(f"  {number:2}  {unicodedata.normalize('NFC', word)}\n")

    # --- multisig and watching

    def _join(self, request: JoinMultisig, options: HeadlessOptions) -> Reply:
        creation.wallet_path(request)
        password, payload, passphrase = self._open_secrets(request.source, options)
        joining.check_network(payload.network, request.network)
        opened = signing.keyring(payload, passphrase)  # a wrong passphrase is told here
        agreed = joining.agreed_descriptor(request.descriptor, opened.params)
        keys = creation.keys_of(payload, opened.params, passphrase, agreed)
        self._agree(request.descriptor, keys, request.network, options)
        return self._store(request, keys, password)

    def _agree(
        self, descriptor: str, keys: WalletKeys, network: str, options: HeadlessOptions
    ) -> None:
        params = by_name(network)
        root = creation.root_of(keys, params)
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
        self, request: CreateWallet | RestoreWallet | JoinMultisig, keys: WalletKeys, password: str
    ) -> Reply:
        created = creation.create(request, keys, password, self._cost, self._progress)
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
                self._list_words(seed.words)
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
        unlocked = unlocking.unlock(
            Path(request.path), password, self._cost, self._progress, lock_held=request.lock_held
        )
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

    def _sign_message(self, request: SignMessage, options: HeadlessOptions) -> Reply:
        message_signing.check(request)
        text = message_signing.plain_text(request)
        if options.assume_yes:
            self._reader.note(text)
        else:
            self._reader.terminal.write(text + "\n")
            self._ask_yes("Sign this message?")
        _, payload, passphrase = self._open_secrets(request.path, options)
        self._progress(signing.SIGNING, None)
        return message_signing.sign(request, signing.keyring(payload, passphrase))

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
