"""The message command: sign a text with an address of the wallet, or check a signature."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wallet_gui.cli.result import CommandError, Result, UsageError
from wallet_gui.custody.message_signing import message_request
from wallet_gui.transfer.messages import MessageSigned
from wallet_gui.wallet.messages import MAX_CHECKED, MessageFormat, MessageVerdict, verify

if TYPE_CHECKING:
    from wallet_gui.cli.context import Context

_LIMIT = 4 * MAX_CHECKED


async def run(context: "Context") -> Result:
    """Do what the action says."""
    options = context.options
    message = _message(options)
    if options.action == "verify":
        return _verify(context, message)
    wanted = None if options.format is None else MessageFormat(options.format)
    await context.start(connect=False)
    session = await context.open_wallet()
    request = message_request(
        session.path,
        session.wallet,
        options.address,
        message,
        wanted,
        options.partial,
        context.online.vault_look(),
    )
    signed = await context.online.ask_vault(request, MessageSigned)
    document = {"address": options.address, "signature": signed.signature, "complete": True}
    if signed.signature:
        return Result(document, [signed.signature])
    return Result(
        {**document, "complete": False, "partial": signed.partial},
        [signed.partial],
        "Other cosigners have to sign too: each gives --partial what the one before got.",
    )


def _verify(context: "Context", message: str) -> Result:
    options = context.options
    if not options.signature:
        raise UsageError("Give the signature with --signature.")
    check = verify(options.address, message, options.signature, context.params)
    is_valid = check.verdict is MessageVerdict.VALID
    document: dict[str, object] = {"verdict": check.verdict.value, "explanation": check.sentence}
    if check.lock_time or check.sequence:
        document |= {"lock_time": check.lock_time, "sequence": check.sequence}
    lines = [check.sentence] if is_valid else []
    return Result(document, lines, "" if is_valid else check.sentence)


def _message(options: argparse.Namespace) -> str:
    if (options.text is None) == (options.file is None):
        raise UsageError("Give the message, or name its file with --file, not both.")
    if options.file is None:
        return str(options.text)
    if options.file == "-" and "-" in {options.password_file, options.passphrase_file}:
        raise UsageError("Standard input can be read only once. Name a file for one of the two.")
    try:
        if options.file == "-":
            data = sys.stdin.buffer.read(_LIMIT + 1)
        else:
            with Path(options.file).open("rb") as file:
                data = file.read(_LIMIT + 1)
        return data.decode()
    except OSError as error:
        raise CommandError(f"{options.file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise CommandError(f"{options.file} is not UTF-8 text.") from None
