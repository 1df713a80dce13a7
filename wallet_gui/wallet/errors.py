"""What can go wrong with a wish of the person, each in one sentence that says what to do.

WalletError
├── GapLimit             too many unused addresses
├── InsufficientFunds    the coins do not suffice
├── DustOutput           an amount that the network does not carry
├── FeeTooHigh           a fee that is probably a mistake
├── FeeTooLow            a fee at which no peer takes the payment
├── CosignersNeeded      a payment that one's own key alone does not complete
├── NotReplaceable       a transaction that cannot be bumped, cancelled or abandoned
├── UnknownCoin          a coin that cannot be spent here
└── WrongSignedPsbt      what came back from signing is not what was asked for
"""

from wallet_gui.primitives.amount import FeeRate, format_btc


class WalletError(ValueError):
    """The wallet refuses; the message is a sentence for the person."""


class GapLimit(WalletError):
    """Another unused address would lie beyond what a restored wallet looks for."""

    def __init__(self, unused: int) -> None:
        super().__init__(
            f"{unused} addresses are waiting for their first payment. Use one of them: "
            "a wallet restored from its words looks no further."
        )
        self.unused = unused


class InsufficientFunds(WalletError):
    """`needed` and `available` are in sat, fees for spending the coins included in `needed`."""

    def __init__(self, needed: int, available: int) -> None:
        super().__init__(
            f"The payment needs {format_btc(needed)} BTC with its fee, but only "
            f"{format_btc(available)} BTC can be spent now."
        )
        self.needed = needed
        self.available = available


class DustOutput(WalletError):
    """An output below the dust threshold: the network would not relay the payment."""

    def __init__(self, amount_sat: int, threshold: int) -> None:
        super().__init__(
            f"{format_btc(max(amount_sat, 0))} BTC is too little to send: "
            f"the least for this address is {format_btc(threshold)} BTC."
        )
        self.amount_sat = amount_sat
        self.threshold = threshold


class FeeTooHigh(WalletError):
    """The fee looks like a mistake; the same call with the override accepts it."""

    def __init__(self, fee_sat: int, reason: str) -> None:
        super().__init__(
            f"The fee of {format_btc(fee_sat)} BTC is {reason}. Lower the fee rate, "
            "or confirm that you want to pay it."
        )
        self.fee_sat = fee_sat


class FeeTooLow(WalletError):
    """No peer would take a payment at this rate; it would be signed, kept and stuck."""

    def __init__(self, rate: FeeRate, least: FeeRate) -> None:
        super().__init__(
            f"At {rate} sat/vB no connected peer takes the payment. "
            f"Raise the fee rate to at least {least} sat/vB."
        )
        self.least = least


class CosignersNeeded(WalletError):
    """The wallet is a multisig, and its own keys are fewer than the signatures it takes."""

    def __init__(self, required: int) -> None:
        super().__init__(
            f"This wallet takes the signatures of {required} keys. Make the payment as a PSBT, "
            "let the cosigners sign it, combine what they signed, and send that."
        )
        self.required = required


class NotReplaceable(WalletError):
    """The transaction is confirmed, not ours, or gone."""


class UnknownCoin(WalletError):
    """A chosen coin is not in this wallet, already spent, frozen or not yet mature."""


class WrongSignedPsbt(WalletError):
    """The signed PSBT differs from the request, or is not completely and validly signed."""


class WrongSignature(WalletError):
    """A signature in a PSBT from outside is not valid, or leaves the transaction open to change."""
