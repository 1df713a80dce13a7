"""The psbt command: create, inspect, update, sign, combine, finalize, extract, convert, send."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wallet_gui.app import psbt_files
from wallet_gui.cli.payments import read_coins, read_rate, read_recipients
from wallet_gui.cli.psbt_report import describe, lines
from wallet_gui.cli.result import CommandError, Result, UsageError
from wallet_gui.primitives.hashes import hash_to_hex
from wallet_gui.primitives.psbt import MAX_SIZE, Psbt
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.storage.fs import OS_FILES
from wallet_gui.wallet import psbt_roles
from wallet_gui.wallet.errors import WrongSignedPsbt
from wallet_gui.wallet.psbt_return import returned
from wallet_gui.wallet.psbt_update import update

if TYPE_CHECKING:
    from wallet_gui.cli.context import Context

_LIMIT = 3 * MAX_SIZE  # hex, with line breaks


async def run(context: "Context") -> Result:
    """Do what the action says."""
    options = context.options
    if options.action == "create":
        return await _create(context)
    if options.files.count("-") + (options.password_file == "-") > 1:  # noqa: S105
        raise UsageError("Standard input can be read only once. Name a file for one of the two.")
    if options.asked is not None and options.action not in _COMPARED:
        raise UsageError(f"--asked belongs to these actions: {', '.join(_COMPARED)}.")
    psbts = [_read(name, or_final=options.asked is not None) for name in options.files]
    if not psbts:
        raise UsageError('Name the PSBT file, or "-" for standard input.')
    if options.asked is not None:
        psbts = [_returned(context, psbts)]
    if options.action == "combine":
        return _write(context, psbt_roles.combine(psbts))
    if len(psbts) > 1:
        raise UsageError("This action takes one PSBT.")
    here = _HERE.get(options.action)
    if here is not None:
        return here(context, psbts[0])
    return await _WITH_WALLET[options.action](context, psbts[0])


async def _create(context: "Context") -> Result:
    from wallet_gui.app.psbt_waiting import Waiting, WaitingList  # noqa: PLC0415 - needs a loop

    options = context.options
    recipients = read_recipients(options, context.params)
    if not recipients:
        raise UsageError("Name at least one recipient with --to ADDRESS=BTC.")
    rate = None if options.fee_rate is None else read_rate(options)
    await context.start(connect=True)
    session = await context.open_wallet()
    await context.sync()
    plan = await session.plan_payment(
        recipients,
        rate or await context.fee_rate(),
        coins=read_coins(options),
        allow_high_fee=options.accept_high_fee,
    )
    await session.reserve(plan)
    # It waits for its signatures where the window shows it, too, until it was sent.
    kept = await WaitingList(session).put(Waiting(plan.psbt, int(time.time()), is_asked=True))
    document, shown = _written(context, plan.psbt)
    return Result({**document, "waiting": kept.is_kept}, shown)


def _inspect(context: "Context", psbt: Psbt) -> Result:
    document = describe(psbt, context.params)
    return Result(document, lines(document))


def _finalize(context: "Context", psbt: Psbt) -> Result:
    final = psbt_roles.finalize(psbt)
    open_inputs = [number for number, part in enumerate(final.inputs, start=1) if not part.is_final]
    sentence = ""
    if open_inputs:
        sentence = (
            f"Input {open_inputs[0]} is not signed completely. Combine this with what the other "
            "signers return, then finalize again."
        )
    document, shown = _written(context, final)
    return Result({**document, "complete": not open_inputs}, shown, sentence)


def _extract(context: "Context", psbt: Psbt) -> Result:
    final = psbt_roles.finalize(psbt)
    tx = psbt_roles.extract(final)
    text = tx.serialize().hex()
    target = context.options.output
    if target is not None:
        _save(target, f"{text}\n".encode("ascii"))
    return Result(
        {
            "txid": hash_to_hex(tx.txid),
            "hex": text,
            "unverified_inputs": list(psbt_roles.unverified_inputs(final)),
        },
        [text] if target is None else [hash_to_hex(tx.txid)],
    )


def _convert(context: "Context", psbt: Psbt) -> Result:
    return _write(context, psbt.to_version(2 - psbt.version))


async def _sign(context: "Context", psbt: Psbt) -> Result:
    await context.start(connect=False)
    session = await context.open_wallet()
    return _write(context, await context.online.sign_psbt(session, psbt))


async def _update(context: "Context", psbt: Psbt) -> Result:
    await context.start(connect=False)
    session = await context.open_wallet()
    return _write(context, update(session.wallet, psbt))


async def _broadcast(context: "Context", psbt: Psbt) -> Result:
    tx = psbt_roles.extract(psbt_roles.finalize(psbt))
    await context.start(connect=True)
    session = await context.open_wallet()
    await context.sync()
    await session.accept_final(tx)
    from wallet_gui.app.psbt_waiting import WaitingList  # noqa: PLC0415 - needs a loop

    # The wallet holds it now, and sends it again until a block does.
    await WaitingList(session).drop(psbt.tx.txid)
    result = await session.broadcast(tx)
    return Result(
        {"txid": hash_to_hex(tx.txid), "accepted": result.is_accepted},
        [hash_to_hex(tx.txid)],
        "" if result.is_accepted else result.detail or "No peer took the transaction.",
    )


def _returned(context: "Context", backs: Sequence[Psbt]) -> Psbt:
    """Take over into what was asked for what came back, each compared with it."""
    merged = _read(context.options.asked)
    for name, back in zip(context.options.files, backs, strict=True):
        try:
            merged = returned(merged, back, context.params)
        except WrongSignedPsbt as error:
            raise WrongSignedPsbt(f"{name}: {error}") from error
    return merged


def _read(name: str, *, or_final: bool = False) -> Psbt:
    """Read a PSBT or, where that may be, a signed transaction."""
    try:
        if name == "-":
            data = sys.stdin.buffer.read(_LIMIT + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(_LIMIT + 1)
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}.") from error
    try:
        return psbt_files.parse(data) if or_final else Psbt.read_any(data)
    except ParseError as error:
        raise ParseError(f"{name}: {error}") from error


def _write(context: "Context", psbt: Psbt) -> Result:
    document, shown = _written(context, psbt)
    return Result(document, shown)


def _written(context: "Context", psbt: Psbt) -> tuple[dict[str, object], list[str]]:
    """Save the result where it is asked for; return what there is to say of it."""
    target, version = context.options.output, context.options.psbt_version
    if version is not None:
        psbt = psbt.to_version(version)
    if target is not None:
        _save(target, psbt.serialize())
    text = psbt.to_base64()
    return {"psbt": text}, [text] if target is None else []


def _save(target: Path, data: bytes) -> None:
    try:
        OS_FILES.write_new(target, data)
    except OSError as error:
        raise CommandError(f"{target} cannot be written: {error.strerror}.") from error


_COMPARED: Final = ("combine", "finalize", "extract", "broadcast")

# What needs no wallet, and what does.
_HERE: Final[dict[str, Callable[["Context", Psbt], Result]]] = {
    "inspect": _inspect,
    "show": _inspect,
    "finalize": _finalize,
    "extract": _extract,
    "convert": _convert,
}
_WITH_WALLET: Final = {"update": _update, "sign": _sign, "broadcast": _broadcast}
