"""The psbt command: create, show, sign, combine, finalize and broadcast PSBTs."""

import sys
from pathlib import Path

from wallet_gui.cli.context import Context
from wallet_gui.cli.payments import read_coins, read_rate, read_recipients
from wallet_gui.cli.result import CommandError, Result, UsageError
from wallet_gui.primitives.address import address_from_script
from wallet_gui.primitives.amount import format_btc
from wallet_gui.primitives.hashes import hash_to_hex
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.serialize import ParseError

_LIMIT = 14_000_000


async def run(context: Context) -> Result:
    """Do what the action says."""
    options = context.options
    if options.action == "create":
        return await _create(context)
    if options.files.count("-") + (options.password_file == "-") > 1:  # noqa: S105
        raise UsageError("Standard input can be read only once. Name a file for one of the two.")
    psbts = [_read(name) for name in options.files]
    if not psbts:
        raise UsageError('Name the PSBT file, or "-" for standard input.')
    if options.action == "combine":
        combined = psbts[0]
        for other in psbts[1:]:
            combined = combined.combine(other)
        return _write(context, combined)
    if len(psbts) > 1:
        raise UsageError("This action takes one PSBT.")
    psbt = psbts[0]
    match options.action:
        case "show":
            return await _show(context, psbt)
        case "sign":
            return await _sign(context, psbt)
        case "finalize":
            return _write(context, psbt.finalize())
        case _:
            return await _broadcast(context, psbt)


async def _create(context: Context) -> Result:
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
    return _write(context, plan.psbt)


async def _show(context: Context, psbt: Psbt) -> Result:
    tx = psbt.tx
    fee: int | None
    try:
        fee = psbt.fee()
    except ParseError:
        fee = None
    outputs = [
        {
            "address": address_from_script(item.script_pubkey, context.params),
            "script": item.script_pubkey.hex(),
            "amount": item.value_sat,
        }
        for item in tx.outputs
    ]
    inputs = [
        {
            "txid": hash_to_hex(item.prevout.txid),
            "output": item.prevout.vout,
            "signatures": len(part.partial_sigs) + (part.tap_key_sig is not None),
        }
        for item, part in zip(tx.inputs, psbt.inputs, strict=True)
    ]
    document = {"txid": hash_to_hex(tx.txid), "inputs": inputs, "outputs": outputs, "fee": fee}
    lines = [f"transaction {hash_to_hex(tx.txid)}"]
    lines += [f"spends  {i['txid']}:{i['output']}  {i['signatures']} signatures" for i in inputs]
    lines += [
        f"pays    {format_btc(item.value_sat)} BTC  "
        f"{address_from_script(item.script_pubkey, context.params) or item.script_pubkey.hex()}"
        for item in tx.outputs
    ]
    lines.append("fee     not known" if fee is None else f"fee     {format_btc(fee)} BTC")
    return Result(document, lines)


async def _sign(context: Context, psbt: Psbt) -> Result:
    await context.start(connect=False)
    session = await context.open_wallet()
    return _write(context, await context.online.sign_psbt(session, psbt))


async def _broadcast(context: Context, psbt: Psbt) -> Result:
    tx = psbt.finalize().extract()
    await context.start(connect=True)
    session = await context.open_wallet()
    await context.sync()
    await session.accept_final(tx)
    result = await session.broadcast(tx)
    return Result(
        {"txid": hash_to_hex(tx.txid), "accepted": result.is_accepted},
        [hash_to_hex(tx.txid)],
        "" if result.is_accepted else result.detail or "No peer took the transaction.",
    )


def _read(name: str) -> Psbt:
    try:
        if name == "-":
            data = sys.stdin.buffer.read(_LIMIT + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(_LIMIT + 1)
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}.") from error
    if data.startswith(b"psbt\xff"):
        return Psbt.parse(data)
    try:
        return Psbt.parse(data.decode("ascii").strip())
    except UnicodeDecodeError:
        raise ParseError(f"{name} holds no PSBT.") from None


def _write(context: Context, psbt: Psbt) -> Result:
    target = context.options.output
    if target is not None:
        try:
            with target.open("xb") as file:
                file.write(psbt.serialize())
        except OSError as error:
            raise CommandError(f"{target} cannot be written: {error.strerror}.") from error
    text = psbt.to_base64()
    return Result({"psbt": text}, [text] if target is None else [])
