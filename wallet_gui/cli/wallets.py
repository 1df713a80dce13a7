"""Commands that need the vault and the disk and no network: list, create, restore, address."""

from dataclasses import replace
from typing import TYPE_CHECKING

from wallet_gui.cli.descriptor import created_wallet, name_and_directory, read_export
from wallet_gui.cli.printing import table
from wallet_gui.cli.result import Result, UsageError
from wallet_gui.custody.entries import NewWallet
from wallet_gui.descriptors.importers import read_wallet
from wallet_gui.primitives.address import script_from_address
from wallet_gui.primitives.amount import parse_btc
from wallet_gui.primitives.uri import PaymentUri

if TYPE_CHECKING:
    from wallet_gui.cli.context import Context


async def wallets(context: "Context") -> Result:
    """List the wallets of a network."""
    entries = await context.online.wallets()
    return Result(
        [{"name": entry.name, "path": entry.path} for entry in entries],
        table([(entry.name, entry.path) for entry in entries], right=set()),
    )


def _new_wallet(context: "Context") -> NewWallet:
    options = context.options
    name, directory = name_and_directory(options.wallet or "wallet")
    return NewWallet(
        name=name,
        script_type=options.type,
        word_count=getattr(options, "words", 12),
        use_passphrase=options.passphrase or options.passphrase_file is not None,
        use_dice=getattr(options, "dice", False) or getattr(options, "dice_file", None) is not None,
        language=getattr(options, "language", "english"),
        from_xprv=getattr(options, "xprv", False),
        birthday_time=options.birthday,
        directory=directory,
    )


async def create(context: "Context") -> Result:
    """Make a wallet; the vault shows its words."""
    await context.start(connect=False)
    return created_wallet(
        context, (await context.online.create_wallet(_new_wallet(context))).wallet_id
    )


async def restore(context: "Context") -> Result:
    """Make a wallet from words; the vault reads them."""
    wanted = _new_wallet(context)
    if context.options.descriptor is not None:
        found = read_wallet(read_export(context.options.descriptor), context.params)
        if len(found.descriptors) != 1:
            raise UsageError("A multisig has one descriptor.")
        wanted = replace(wanted, descriptor=str(found.descriptors[0]))
    await context.start(connect=False)
    return created_wallet(context, (await context.online.restore_wallet(wanted)).wallet_id)


async def address(context: "Context") -> Result:
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
    ).to_string()
    return Result(
        {"address": revealed.address, "index": revealed.index, "uri": uri},
        [revealed.address, uri] if amount or options.label else [revealed.address],
    )
