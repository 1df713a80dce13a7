"""Recipients, fee rates and coins as they are written on the command line."""

import argparse

from wallet_gui.cli.result import UsageError
from wallet_gui.primitives.address import script_from_address
from wallet_gui.primitives.amount import FeeRate, parse_btc
from wallet_gui.primitives.hashes import hash_from_hex
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.transaction import OutPoint
from wallet_gui.primitives.uri import PaymentUri
from wallet_gui.wallet.spend import Recipient

_EVERYTHING = "max"


def read_recipients(options: argparse.Namespace, params: ChainParams) -> tuple[Recipient, ...]:
    """Whom to pay. Raises UsageError or ParseError with a sentence."""
    recipients = []
    payee = getattr(options, "payee", None)
    if payee is not None:
        recipients.append(_recipient(payee, options.amount, params, options.label))
    for text in options.to:
        if text.lower().startswith("bitcoin:"):
            # A link has an amount of its own, and its own equals signs.
            recipients.append(_recipient(text, None, params, options.label))
            continue
        address, separator, amount = text.rpartition("=")
        if not separator or not address:
            raise UsageError("Write a recipient as ADDRESS=BTC, such as bc1q...=0.001.")
        recipients.append(_recipient(address, amount, params, options.label))
    return tuple(recipients)


def _recipient(payee: str, amount: str | None, params: ChainParams, label: str) -> Recipient:
    if payee.lower().startswith("bitcoin:"):
        uri = PaymentUri.parse(payee, params)
        script, asked, label = uri.script_pubkey, uri.amount_sat, label or uri.label
    else:
        script, asked = script_from_address(payee.strip(), params), None
    if amount == _EVERYTHING:
        return Recipient(script, None, label)
    sat = asked if amount is None else parse_btc(amount)
    if not sat:
        raise UsageError('Write the amount in BTC after the address, such as 0.001, or "max".')
    return Recipient(script, sat, label)


def read_rate(options: argparse.Namespace) -> FeeRate:
    """The fee rate. Raises ParseError."""
    return FeeRate.parse(options.fee_rate)


def read_coins(options: argparse.Namespace) -> tuple[OutPoint, ...] | None:
    """The coins to spend, None for the wallet's own choice."""
    coins = []
    for text in options.coin:
        txid, separator, number = text.rpartition(":")
        if not separator or not (number.isascii() and number.isdigit() and len(number) < 10):
            raise UsageError(
                "Write a coin as TXID:N: its transaction and the number of the output."
            )
        coins.append(OutPoint(hash_from_hex(txid), int(number)))
    return tuple(coins) or None
