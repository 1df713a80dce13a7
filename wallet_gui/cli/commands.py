"""The commands themselves; each takes a Context, prints, and returns an exit status."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from wallet_gui.app.published import NewWallet
from wallet_gui.app.session import WalletSession
from wallet_gui.cli import output
from wallet_gui.cli.context import CommandError, Context, UsageError
from wallet_gui.cli.payments import read_coins, read_rate, read_recipients
from wallet_gui.cli.psbt import run as psbt
from wallet_gui.primitives.address import script_from_address
from wallet_gui.primitives.amount import format_btc, parse_btc
from wallet_gui.primitives.hashes import hash_to_hex
from wallet_gui.primitives.uri import PaymentUri

Command = Callable[[Context], Awaitable[int]]


async def wallets(context: Context) -> int:
    """List the wallets of a network."""
    entries = await context.online.wallets()
    if context.options.json:
        output.print_json([{"name": entry.name, "path": entry.path} for entry in entries])
    else:
        output.print_lines(output.table([(e.name, e.path) for e in entries], right=set()))
    return 0


def _new_wallet(context: Context) -> NewWallet:
    options = context.options
    name, directory = options.wallet or "wallet", None
    if "/" in name or name.endswith(".wallet"):
        path = Path(name).absolute()
        name, directory = path.name.removesuffix(".wallet"), str(path.parent)
    return NewWallet(
        name=name,
        script_type=options.type,
        word_count=getattr(options, "words", 12),
        use_passphrase=options.passphrase,
        birthday_time=options.birthday,
        directory=directory,
    )


async def create(context: Context) -> int:
    """Make a wallet; the vault shows its words."""
    await context.start(connect=False)
    return _created(context, (await context.online.create_wallet(_new_wallet(context))).wallet_id)


async def restore(context: Context) -> int:
    """Make a wallet from words; the vault reads them."""
    await context.start(connect=False)
    return _created(context, (await context.online.restore_wallet(_new_wallet(context))).wallet_id)


def _created(context: Context, wallet_id: str) -> int:
    wallet = context.online.session(wallet_id).wallet
    description = wallet.description
    if context.options.json:
        output.print_json(
            {
                "wallet": wallet_id,
                "network": description.network,
                "fingerprint": description.fingerprint,
                "descriptors": list(description.descriptors),
            }
        )
    else:
        output.print_lines([f"The wallet is in {wallet_id}."])
    return 0


async def address(context: Context) -> int:
    """Reveal a receive address; stored before it is printed."""
    options = context.options
    amount = None if options.amount is None else parse_btc(options.amount)
    await context.start(connect=False)
    session = await context.open_wallet()
    revealed = await session.new_request(options.label, amount)
    uri = PaymentUri.for_script(
        script_from_address(revealed.address, context.params),
        context.params,
        amount_sat=amount,
        label=options.label,
    )
    if options.json:
        output.print_json(
            {"address": revealed.address, "index": revealed.index, "uri": uri.to_string()}
        )
    else:
        output.print_lines([revealed.address, uri.to_string()])
    return 0


async def _synced_session(context: Context) -> WalletSession:
    no_sync = getattr(context.options, "no_sync", False)
    await context.start(connect=not no_sync)
    session = await context.open_wallet()
    if not no_sync:
        await context.sync()
        await asyncio.sleep(getattr(context.options, "listen", 0))
    return session


async def balance(context: Context) -> int:
    """Show the balance."""
    session = await _synced_session(context)
    value = session.wallet.balance()
    if context.options.json:
        output.print_json(output.balance_json(value))
    else:
        output.print_lines(output.balance_lines(value))
    return 0


async def history(context: Context) -> int:
    """List the payments."""
    session = await _synced_session(context)
    snapshot = session.snapshot()
    entries = snapshot.history[: context.options.limit]
    if context.options.json:
        output.print_json([output.entry_json(snapshot, entry) for entry in entries])
    elif context.options.csv:
        output.print_csv(snapshot, entries)
    else:
        output.print_lines(output.history_lines(snapshot, entries))
    return 0


async def sync(context: Context) -> int:
    """Read the chain up to its tip."""
    session = await _synced_session(context)
    tip = session.wallet.tip
    if tip is None:
        raise CommandError("The chain has no block yet.")
    if context.options.json:
        output.print_json(
            {"height": tip.height, "hash": hash_to_hex(tip.hash)}
            | {"balance": output.balance_json(session.wallet.balance())}
        )
    else:
        output.print_lines([f"In sync at block {tip.height}."])
    return 0


async def send(context: Context) -> int:
    """Pay; the vault reviews and signs."""
    options = context.options
    recipients = read_recipients(options, context.params)
    rate = read_rate(options)
    coins = read_coins(options)
    if not recipients:
        raise UsageError("Name whom to pay: wallet-gui send ADDRESS BTC, or --to ADDRESS=BTC.")
    await context.start(connect=True)
    session = await context.open_wallet()
    await context.sync()
    plan = await session.plan_payment(
        recipients, rate, coins=coins, allow_high_fee=options.accept_high_fee
    )
    tx = await context.online.sign(session, plan)
    if options.label:
        await session.set_label("tx", hash_to_hex(tx.txid), options.label)
    result = None if options.no_broadcast else await session.broadcast(tx)
    stage = "kept" if result is None else result.stage.value
    if options.json:
        output.print_json(
            {
                "txid": hash_to_hex(tx.txid),
                "fee": plan.fee_sat,
                "vsize": tx.vsize,
                "stage": stage,
                "accepted": result is not None and result.is_accepted,
                "hex": tx.serialize().hex(),
            }
        )
    else:
        output.print_lines([hash_to_hex(tx.txid), f"fee {format_btc(plan.fee_sat)} BTC, {stage}"])
    if result is not None and not result.is_accepted:
        raise CommandError(
            f"{result.detail} The payment is signed and kept; wallet-gui sync sends it again."
        )
    return 0


COMMANDS: dict[str, Command] = {
    "wallets": wallets,
    "create": create,
    "restore": restore,
    "address": address,
    "balance": balance,
    "history": history,
    "sync": sync,
    "send": send,
    "psbt": psbt,
}
