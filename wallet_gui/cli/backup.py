"""The backup command: try a copy of the wallet file or the words on paper, copy, draw the sheet."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wallet_gui.cli.result import Result, UsageError
from wallet_gui.cli.wallet_names import headless_options, source_of
from wallet_gui.custody.backup_sheets import write_sheet
from wallet_gui.storage.backups import save_copy
from wallet_gui.transfer.messages import BackupChecked, CheckBackup, DrillWords, WordsDrilled
from wallet_gui.wallet.backup_checks import BackupChecks
from wallet_gui.wallet.backup_sheet import sheet_of

if TYPE_CHECKING:
    from wallet_gui.cli.context import Context


async def run(context: "Context") -> Result:
    """Do what the action says."""
    await context.start(connect=False)
    return await _ACTIONS[context.options.action](context)


def _file(context: "Context", what: str) -> Path:
    path: Path | None = context.options.file
    if path is None:
        raise UsageError(f"Name the file: wallet-gui backup {context.options.action} FILE, {what}.")
    return path.absolute()


async def _wallet_path(context: "Context") -> Path:
    return (await context.path_of(context.options.wallet)).absolute()


async def _check(context: "Context") -> Result:
    copy = _file(context, "a copy of the wallet file")
    options = headless_options(context.options)
    if context.options.copy_password_file is not None:
        source = source_of(context.options.copy_password_file)
        options = replace(options, new_password_file=source)
    request = CheckBackup(
        path=str(await _wallet_path(context)), backup_path=str(copy), record=True, headless=options
    )
    checked = await context.online.ask_vault(request, BackupChecked)
    document = {
        "same": checked.is_same,
        "sentence": checked.sentence,
        "differences": list(checked.differences),
        "recorded": checked.is_recorded,
    }
    if not checked.is_same:
        return Result(document, [], checked.sentence)
    return Result(document, [checked.sentence, *checked.differences])


async def _words(context: "Context") -> Result:
    request = DrillWords(
        path=str(await _wallet_path(context)),
        record=True,
        headless=headless_options(context.options),
    )
    drilled = await context.online.ask_vault(request, WordsDrilled)
    document = {
        "right": drilled.is_right,
        "sentence": drilled.sentence,
        "words": drilled.word_count,
        "wrong_positions": list(drilled.wrong_positions),
        "recorded": drilled.is_recorded,
    }
    if not drilled.is_right:
        return Result(document, [], drilled.sentence)
    return Result(document, [drilled.sentence])


async def _copy(context: "Context") -> Result:
    """Copy the bytes. No password is asked, so nothing that is there is ever replaced."""
    target = save_copy(await _wallet_path(context), _file(context, "where the copy goes"))
    return Result(
        {"copy": str(target)},
        [f"Saved and read back: {target}. It opens with the password of the wallet."],
    )


async def _sheet(context: "Context") -> Result:
    path = _file(context, "where the PDF goes")
    session = await context.open_wallet()
    wallet = session.wallet
    sheet = sheet_of(wallet.description, wallet.descriptors, BackupChecks(), int(time.time()))
    written = write_sheet(sheet, path, context.options.paper)
    return Result(
        {"sheet": str(written), "fingerprint": sheet.fingerprint},
        [f"Saved as {written}. Print it, and write the words in by hand."],
    )


_ACTIONS: Final[dict[str, "Callable[[Context], Awaitable[Result]]"]] = {
    "check": _check,
    "words": _words,
    "copy": _copy,
    "sheet": _sheet,
}
