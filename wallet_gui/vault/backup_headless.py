"""Checking backups without a window: for the command line and for tests."""

from pathlib import Path

from wallet_gui.keys.errors import SeedError
from wallet_gui.transfer.messages import (
    PROMPT,
    BackupChecked,
    CheckBackup,
    DrillWords,
    HeadlessOptions,
    WordsDrilled,
)
from wallet_gui.vault import backup_check, backup_words, signing
from wallet_gui.vault.backup_check import CopyPasswordWrong
from wallet_gui.vault.password_cost import PasswordCost
from wallet_gui.vault.terminal import SecretReader


def answer(
    reader: SecretReader,
    request: CheckBackup | DrillWords,
    options: HeadlessOptions,
    cost: PasswordCost,
) -> BackupChecked | WordsDrilled:
    """Do what is asked. Raises the EXPECTED errors of vault.errors."""
    if isinstance(request, CheckBackup):
        return _check(reader, request, options, cost)
    return _drill(reader, request, options, cost)


def _check(
    reader: SecretReader, request: CheckBackup, options: HeadlessOptions, cost: PasswordCost
) -> BackupChecked:
    pair = backup_check.read_pair(request, cost)
    password = reader.existing(options.password_file, "Password")
    wallet = backup_check.open_wallet(pair, password, cost)
    is_other_password = False
    try:
        copy = backup_check.open_copy(pair, wallet, password, cost)
    except CopyPasswordWrong:
        source = options.new_password_file
        if source not in {PROMPT, options.password_file}:
            password = reader.existing(source, "Password of the copy")
        elif source == PROMPT:
            reader.terminal.write(f"{backup_check.COPY_PASSWORD}\n")
            password = reader.existing(PROMPT, "Password of the copy")
        else:
            raise
        copy = backup_check.open_copy(pair, wallet, password, cost)
        is_other_password = True
    reply = backup_check.compare(pair, wallet, copy, is_other_password=is_other_password)
    if request.record and reply.is_same:
        return backup_check.recorded(pair.path, wallet, reply, cost)
    return reply


def _drill(
    reader: SecretReader, request: DrillWords, options: HeadlessOptions, cost: PasswordCost
) -> WordsDrilled:
    path = Path(request.path)
    password = reader.existing(options.password_file, "Password")
    payload = signing.open_payload(path, password, cost)
    if not backup_words.has_words(payload):
        reply = backup_words.no_words()
    else:
        typed = reader.words(options.words_file)
        try:
            wrong = backup_words.wrong_positions(typed, payload)
        except SeedError as error:
            raise SeedError(f"{error} Nothing was compared; type them again.") from None
        if wrong:
            reply = backup_words.wrong_words(wrong, payload)
        else:
            passphrase = ""
            if payload.needs_passphrase:
                what = "Passphrase (25th word)"
                passphrase = reader.existing(options.passphrase_file, what)
            reply = backup_words.right_words(payload, passphrase)
    if request.record:
        return backup_words.recorded(path, password, reply, cost)
    return reply
