"""Unsigned payments: exact fees, lock time, and a PSBT with everything that a signer checks.

A draft knows its inputs and outputs; how they were chosen is the business of `spend` and
`replacement`. Sizes are those of the signed transaction.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

from wallet_gui.descriptors.descriptor import Descriptor
from wallet_gui.primitives.address import address_from_script
from wallet_gui.primitives.amount import COIN, FeeRate
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.serialize import compact_size
from wallet_gui.primitives.transaction import (
    SEQUENCE_RBF,
    OutPoint,
    Transaction,
    TxIn,
    TxOut,
)
from wallet_gui.wallet.errors import CosignersNeeded, FeeTooHigh, UnknownCoin, WalletError
from wallet_gui.wallet.keychain import ScriptPlace
from wallet_gui.wallet.ledger import OwnedOutput
from wallet_gui.wallet.psbt_update import describe
from wallet_gui.wallet.wallet import Wallet

LEAST_FEE_RATE = FeeRate(100)
"""Core's least relay fee since 29.1, in sat per 1000 vB; slower than this goes nowhere."""

MAX_FEE_RATE = FeeRate(COIN // 10)
"""0.1 BTC per 1000 vB: Core's DEFAULT_MAX_RAW_TX_FEE_RATE (node/transaction.h)."""

MAX_FEE_PERCENT = 25
NOTED_FEE_PERCENT = 1
_SNIPING_ODDS = 10
_SNIPING_DEPTH = 100


@dataclass(frozen=True, slots=True)
class SpendPlan:
    """A payment ready for review and signing. Amounts in sat, `vsize` of the signed transaction.

    `fee_rate` is what the fee really makes, `change_place` the change address to reserve when the
    plan goes to signing. `excess_sat`: part of the fee that would have been change too small to
    keep. `notes` are sentences for the person; `replaces` the transaction that this one bumps.
    """

    psbt: Psbt
    fee_sat: int
    vsize: int
    change_sat: int | None
    change_place: ScriptPlace | None
    inputs: tuple[OutPoint, ...]
    fee_rate: FeeRate
    payments_sat: int
    excess_sat: int = 0
    notes: tuple[str, ...] = ()
    replaces: bytes | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """What a transaction weighs apart from its inputs, and what its descriptors say of those."""

    descriptors: tuple[Descriptor, ...]

    def input_weight(self, descriptor_index: int) -> int:
        """Weigh one input, counted as in a transaction with witnesses (one unit without one)."""
        descriptor = self.descriptors[descriptor_index]
        return descriptor.input_weight + (not descriptor.has_witness)

    @staticmethod
    def output_weight(script: bytes) -> int:
        return 4 * (8 + len(compact_size(len(script))) + len(script))

    def base_weight(self, outputs: Iterable[bytes], input_count: int) -> int:
        """Weigh version, lock time, witness marker, counts and outputs."""
        scripts = list(outputs)
        # One more output than given may come: the count of outputs is weighed with it.
        counts = len(compact_size(input_count)) + len(compact_size(len(scripts) + 1))
        return 4 * (8 + counts) + 2 + sum(self.output_weight(script) for script in scripts)

    def vsize(self, spent: Sequence[OwnedOutput], outputs: Sequence[TxOut]) -> int:
        """Return the virtual size once signed, rounded up; for multisig it is never larger."""
        counts = len(compact_size(len(spent))) + len(compact_size(len(outputs)))
        weight = 4 * (8 + counts) + sum(self.output_weight(o.script_pubkey) for o in outputs)
        descriptors = [self.descriptors[coin.place.descriptor_index] for coin in spent]
        weight += sum(descriptor.input_weight for descriptor in descriptors)
        with_witness = sum(descriptor.has_witness for descriptor in descriptors)
        if with_witness:
            weight += 2 + len(descriptors) - with_witness
        return (weight + 3) // 4


def anti_sniping_lock_time(tip_height: int, rng: Random) -> int:
    """Choose the lock time: the tip, one time in ten up to 100 blocks back, never the future.

    It takes from miners the gain of mining an old block anew, and hides payments that were held
    back, as signed offline (Core wallet/spend.cpp, DiscourageFeeSniping).
    """
    if tip_height <= 0:
        return 0
    lock_time = tip_height
    if rng.randrange(_SNIPING_ODDS) == 0:
        lock_time = max(0, tip_height - rng.randrange(_SNIPING_DEPTH))
    # Knots refuses 21, the mark of an overlay protocol (-rejectparasites); only a young test chain
    # comes that low.
    return lock_time - 1 if lock_time == 21 else lock_time


def check_fee(
    fee_sat: int, vsize: int, payments_sat: int, *, allow_high_fee: bool
) -> tuple[str, ...]:
    """Return notes about a fee that is high; raise FeeTooHigh for one that looks like a mistake.

    More than 0.1 BTC per 1000 vB or more than a quarter of the amount needs the override; more
    than one percent is noted. `payments_sat` 0 (nothing leaves the wallet) has no percentage.
    """
    if not allow_high_fee:
        if fee_sat > MAX_FEE_RATE.fee(vsize):
            raise FeeTooHigh(fee_sat, "more than 0.1 BTC per 1000 bytes")
        if payments_sat and fee_sat * 100 > payments_sat * MAX_FEE_PERCENT:
            raise FeeTooHigh(fee_sat, f"more than {MAX_FEE_PERCENT} % of the amount")
    if payments_sat and fee_sat * 100 > payments_sat * NOTED_FEE_PERCENT:
        return (f"The fee is more than {NOTED_FEE_PERCENT} % of the amount.",)
    return ()


def check_fee_rate(rate: FeeRate) -> None:
    if rate < LEAST_FEE_RATE:
        raise WalletError(f"The fee rate must be at least {LEAST_FEE_RATE} sat/vB.")


def check_signs_alone(wallet: Wallet) -> None:
    """Raise CosignersNeeded unless the keys of this wallet complete a payment."""
    fingerprint = wallet.description.fingerprint
    for descriptor in wallet.descriptors:
        own = sum(key.fingerprint.hex() == fingerprint for key in descriptor.keys)
        if wallet.description.has_secrets and own < descriptor.required:
            raise CosignersNeeded(descriptor.required)


def lookalike_notes(wallet: Wallet, payments: Iterable[TxOut]) -> tuple[str, ...]:
    """Warn of recipients whose address has the ends of another one in the history."""
    notes = []
    for output in payments:
        address = address_from_script(output.script_pubkey, wallet.params)
        other = None if address is None else wallet.lookalike(address)
        if other is not None:
            notes.append(
                f"{address} looks like {other} in your history, but it is another address. "
                "Compare every character."
            )
    return tuple(notes)


def owned(wallet: Wallet, outpoint: OutPoint) -> OwnedOutput:
    """Look one of our outputs up; raise UnknownCoin."""
    found = wallet.owned_output(outpoint)
    if found is None:
        raise UnknownCoin("A coin to be spent is not in this wallet.")
    return found


def unsigned_psbt(
    wallet: Wallet, spent: Sequence[OwnedOutput], outputs: Sequence[TxOut], lock_time: int
) -> Psbt:
    """Build the PSBT: previous transactions in full, derivations of inputs and own outputs."""
    inputs = tuple(TxIn(coin.outpoint, b"", SEQUENCE_RBF) for coin in spent)
    psbt = Psbt.from_unsigned_tx(Transaction(2, inputs, tuple(outputs), lock_time))
    describe(wallet, psbt)
    return psbt
