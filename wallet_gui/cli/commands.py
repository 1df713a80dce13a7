"""The commands themselves: each takes a Context and returns what is to be printed."""

import asyncio
from collections.abc import Awaitable, Callable

from wallet_gui.app.session import WalletSession
from wallet_gui.chain.backend import ChainError
from wallet_gui.cli import output
from wallet_gui.cli.backup import run as backup
from wallet_gui.cli.context import Context
from wallet_gui.cli.descriptor import run as descriptor
from wallet_gui.cli.message import run as message
from wallet_gui.cli.payments import read_coins, read_rate, read_recipients
from wallet_gui.cli.psbt import run as psbt
from wallet_gui.cli.result import CommandError, Result, UsageError
from wallet_gui.cli.wallets import address, create, restore, wallets
from wallet_gui.primitives.amount import format_btc
from wallet_gui.primitives.hashes import hash_from_hex, hash_to_hex
from wallet_gui.primitives.plain_text import plain_text
from wallet_gui.primitives.transaction import Transaction

Command = Callable[[Context], Awaitable[Result]]

_SENTENCE = 400


async def _synced_session(context: Context) -> WalletSession:
    no_sync = getattr(context.options, "no_sync", False)
    await context.start(connect=not no_sync)
    session = await context.open_wallet()
    if not no_sync:
        await context.sync()
        listen = getattr(context.options, "listen", 0)
        if listen:
            await context.online.set_busy_with(is_receiving=True, is_paying=False)
            await asyncio.sleep(listen)
            # A block may have come meanwhile, and be half scanned.
            await context.sync()
    return session


async def balance(context: Context) -> Result:
    """Show the balance."""
    session = await _synced_session(context)
    value = session.wallet.balance()
    return Result(output.balance_json(value), output.balance_lines(value))


async def history(context: Context) -> Result:
    """List the payments."""
    session = await _synced_session(context)
    snapshot = session.snapshot()
    entries = snapshot.history[: context.options.limit]
    if context.options.csv:
        lines = output.csv_lines(snapshot, entries)
    else:
        lines = output.history_lines(snapshot, entries)
    return Result([output.entry_json(snapshot, entry) for entry in entries], lines)


async def sync(context: Context) -> Result:
    """Read the chain up to its tip, and send again what is signed and in no block yet."""
    session = await _synced_session(context)
    tip = session.wallet.tip
    if tip is None:
        raise CommandError("The chain has no block yet.")
    # Asked one after the other, parents first, so that a child finds its parent there.
    sent: dict[str, bool] = {}
    detail = ""
    for tx in session.unconfirmed_own():
        accepted, why = await _send(session, tx)
        sent[hash_to_hex(tx.txid)] = accepted
        detail = detail or why
    waiting = [f"{txid}  {'sent' if ok else 'not taken'}" for txid, ok in sent.items()]
    return Result(
        {
            "height": tip.height,
            "hash": hash_to_hex(tip.hash),
            "balance": output.balance_json(session.wallet.balance()),
            "sent": sent,
        },
        [f"In sync at block {tip.height}.", *waiting],
        detail,
    )


async def _send(session: WalletSession, tx: Transaction) -> tuple[bool, str]:
    """Send a stored payment: whether somebody took it, and if not, why."""
    try:
        result = await session.broadcast(tx)
    except ChainError as error:
        return False, str(error)
    if result.is_accepted:
        return True, ""
    return False, plain_text(result.detail, _SENTENCE) or "No peer took the transaction."


async def send(context: Context) -> Result:
    """Pay; the vault reviews and signs."""
    options = context.options
    recipients = read_recipients(options, context.params)
    rate = None if options.fee_rate is None else read_rate(options)
    coins = read_coins(options)
    if not recipients:
        raise UsageError("Name whom to pay: wallet-gui send ADDRESS BTC, or --to ADDRESS=BTC.")
    await context.start(connect=True)
    session = await context.open_wallet()
    await context.sync()
    rate = rate or await context.fee_rate()
    plan = await session.plan_payment(
        recipients, rate, coins=coins, allow_high_fee=options.accept_high_fee
    )
    tx = await context.online.sign(session, plan, keep=not options.no_broadcast)
    txid = hash_to_hex(tx.txid)
    accepted, failure = False, ""
    if not options.no_broadcast:
        await session.label_recipients(recipients)
        accepted, why = await _send(session, tx)
        if not accepted:
            failure = f"{why} The payment is signed and kept; wallet-gui sync sends it again."
    document = {
        "txid": txid,
        "fee": plan.fee_sat,
        "vsize": tx.vsize,
        "accepted": accepted,
        "hex": tx.serialize().hex(),
    }
    lines = [txid, f"fee {format_btc(plan.fee_sat)} BTC, {plan.fee_rate} sat/vB"]
    if options.no_broadcast:
        lines.append(tx.serialize().hex())
    return Result(document, lines, failure)


async def bump(context: Context) -> Result:
    """Replace an unconfirmed payment; the vault reviews and signs."""
    options = context.options
    rate = None if options.fee_rate is None else read_rate(options)
    old = hash_from_hex(options.txid)
    await context.start(connect=True)
    session = await context.open_wallet()
    await context.sync()
    plan = await session.plan_bump(old, rate, allow_high_fee=options.accept_high_fee)
    tx = await context.online.sign(session, plan)
    accepted, why = await _send(session, tx)
    failure = "" if accepted else f"{why} The replacement is kept; wallet-gui sync sends it again."
    txid = hash_to_hex(tx.txid)
    document = {"txid": txid, "fee": plan.fee_sat, "vsize": tx.vsize, "accepted": accepted}
    lines = [txid, f"fee {format_btc(plan.fee_sat)} BTC, {plan.fee_rate} sat/vB"]
    return Result(document, lines, failure)


async def abandon(context: Context) -> Result:
    """Give an unconfirmed payment up."""
    txid = hash_from_hex(context.options.txid)
    await context.start(connect=False)
    session = await context.open_wallet()
    await session.abandon(txid)
    text = hash_to_hex(txid)
    return Result({"abandoned": text}, [f"{text} is given up; its coins are free again."])


async def peers(context: Context) -> Result:
    """Connect and show who answers."""
    await context.start(connect=True)
    snapshot = await context.look(context.options.wait)
    failure = ""
    if not snapshot.peers:
        failure = context.why_nobody(snapshot) or "No peer answered."
    return Result(
        [output.peer_json(peer) for peer in snapshot.peers],
        [*output.peer_lines(snapshot), *output.peer_advice(snapshot)],
        failure,
    )


async def connections(context: Context) -> Result:
    """Connect and list every host that was contacted."""
    await context.start(connect=True)
    ledger = (await context.look(context.options.wait)).ledger
    return Result([output.contact_json(e) for e in ledger], output.contact_lines(ledger))


async def doctor(context: Context) -> Result:
    """Test the way to one's own node."""
    # Code of SSH and RPC that no other command needs.
    from wallet_gui.cli.doctor import doctor as run  # noqa: PLC0415

    return await run(context)


async def ssh_key(context: Context) -> Result:
    """Make a key for one's own node."""
    from wallet_gui.cli.ssh_key import ssh_key as run  # noqa: PLC0415 - as above

    return await run(context)


async def check_update(context: Context) -> Result:
    """Ask for a newer version."""
    from wallet_gui.cli.update import check_update as run  # noqa: PLC0415 - as above

    return await run(context)


COMMANDS: dict[str, Command] = {
    "wallets": wallets,
    "create": create,
    "restore": restore,
    "address": address,
    "balance": balance,
    "history": history,
    "sync": sync,
    "send": send,
    "bump": bump,
    "abandon": abandon,
    "psbt": psbt,
    "backup": backup,
    "descriptor": descriptor,
    "message": message,
    "peers": peers,
    "connections": connections,
    "doctor": doctor,
    "ssh-key": ssh_key,
    "check-update": check_update,
}
