"""A payment that came in from outside, as the view of a wallet sees it before the vault does."""

from dataclasses import dataclass

from wallet_gui.primitives.psbt import Psbt
from wallet_gui.wallet import psbt_roles, psbt_signers, review
from wallet_gui.wallet.psbt_signers import Signatures
from wallet_gui.wallet.review import Review
from wallet_gui.wallet.wallet import Wallet


@dataclass(frozen=True, slots=True)
class PaymentLook:
    """What the payment does, who has signed it, and why it cannot be signed here ("" if it can)."""

    psbt: Psbt
    review: Review
    signatures: Signatures
    obstacle: str


def look_at(wallet: Wallet, data: bytes | str) -> PaymentLook:
    """Read a PSBT in whatever writing; blocking for a large one.

    Raises ParseError, or WalletError for amounts that cannot be known and wrong signatures.
    """
    psbt = Psbt.read_any(data)
    psbt_roles.check_signatures(psbt)
    seen = review.of(psbt, wallet.descriptors, wallet.params, known_indexes=wallet.known_indexes())
    places = [coin.place for coin in seen.inputs]
    fingerprint = wallet.description.fingerprint if wallet.description.has_secrets else ""
    signatures = psbt_signers.of(psbt, places, wallet.descriptors, fingerprint)
    return PaymentLook(psbt, seen, signatures, _obstacle(wallet, seen, signatures))


def _obstacle(wallet: Wallet, seen: Review, signatures: Signatures) -> str:
    if not wallet.description.has_secrets:
        return "The open wallet only watches: its keys are somewhere else. Sign where they are."
    if not any(coin.place is not None for coin in seen.inputs):
        return (
            "None of the coins that are spent belongs to the open wallet. Open the wallet that "
            "they belong to, then bring the payment again."
        )
    own = [signer for signer in signatures.signers if signer.is_own]
    if own and all(signer.has_signed for signer in own):
        return "This wallet has signed it already. Take it back to the online computer as it is."
    if signatures.is_complete:
        return "It has all its signatures already. Take it back to the online computer."
    return ""
