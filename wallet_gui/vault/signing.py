"""Signing: open the secrets, work out from the bytes what the payment does, sign it.

Nothing but the PSBT is taken from the window. The descriptors are derived from the seed that was
opened here, so change is change only if this wallet's own keys make it so.
"""

import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from wallet_gui.descriptors.descriptor import Descriptor
from wallet_gui.keys import policy, secret_box, signer
from wallet_gui.keys.accounts import own_keys
from wallet_gui.keys.errors import CorruptSecretBox, PasswordWrong, PolicyRefused
from wallet_gui.keys.imported import Root
from wallet_gui.keys.policy import Limits
from wallet_gui.keys.secret_box import SecretPayload
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.params import NETWORKS, ChainParams
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.transfer.messages import PsbtSigned, SignPsbt
from wallet_gui.vault.creation import root_and_descriptors
from wallet_gui.vault.errors import BadRequest, PassphraseWrong, ReviewDiffers, WatchOnly
from wallet_gui.vault.password_cost import PasswordCost
from wallet_gui.vault.unlocking import WRONG_PASSWORD
from wallet_gui.wallet import review
from wallet_gui.wallet.changes import Keychain
from wallet_gui.wallet.draft import MAX_FEE_PERCENT, MAX_FEE_RATE, NOTED_FEE_PERCENT
from wallet_gui.wallet.review import Review
from wallet_gui.widgets.review_text import compared_amount, fee_share

OPENING: Final = "Checking the password and opening the keys"
SIGNING: Final = "Signing"
HIGH_FEE_RATE: Final = FeeRate(500_000)
"""500 sat/vB; a payment that offers more has its fee confirmed apart."""


@dataclass(frozen=True, slots=True, repr=False)
class Keyring:
    """The keys of an opened wallet, and the descriptors that they make. Its repr shows nothing."""

    root: Root
    descriptors: tuple[Descriptor, ...]
    params: ChainParams

    def __repr__(self) -> str:
        return "<Keyring>"


def open_payload(path: Path, password: str, cost: PasswordCost) -> SecretPayload:
    """Open the secret box; takes one run of Argon2id.

    Raises PasswordWrong with a sentence for a person, WatchOnly, StorageError, CorruptSecretBox.
    """
    contents = WalletFile.read(path, minimum=cost.minimum)
    if contents.secret_box is None:
        raise WatchOnly(
            "This wallet only watches: its keys are somewhere else. Sign where they are."
        )
    try:
        return secret_box.open(password, contents.secret_box, minimum=cost.minimum)
    except PasswordWrong:
        raise PasswordWrong(WRONG_PASSWORD) from None


def keyring(payload: SecretPayload, passphrase: str = "") -> Keyring:
    """Derive the keys; raises PassphraseWrong when the passphrase leads to another wallet."""
    if payload.network not in NETWORKS:
        raise CorruptSecretBox("The wallet's secrets name an unknown network.")
    params = NETWORKS[payload.network]
    root: Root
    if payload.descriptors:
        root = payload.root(params, passphrase)
        descriptors = _agreed(payload, params)
    else:
        root, descriptors = root_and_descriptors(
            payload.seed(passphrase), params, payload.account, payload.script_types
        )
    expected = payload.passphrase_fingerprint
    if expected is not None and root.fingerprint != expected:
        raise PassphraseWrong(
            "This passphrase leads to another wallet. Capitals and blanks count; type it again."
        )
    if payload.descriptors and not all(own_keys(root, item) for item in descriptors):
        what = "descriptors" if payload.is_imported else "multisig that it belongs to"
        raise CorruptSecretBox(f"The wallet's keys and the {what} differ.")
    return Keyring(root, descriptors, params)


def _agreed(payload: SecretPayload, params: ChainParams) -> tuple[Descriptor, ...]:
    """Read the descriptors that were agreed on or imported, from the box that is sealed."""
    try:
        return tuple(Descriptor.parse(text, params) for text in payload.descriptors)
    except ParseError as error:
        raise CorruptSecretBox(f"This wallet's descriptors cannot be read. {error}") from None


def words_note(payload: SecretPayload) -> str:
    """Say what else the wallet needs besides its words; "" when they are all of it."""
    notes = []
    fingerprint = payload.passphrase_fingerprint
    if fingerprint is not None:
        notes.append(
            "This wallet also has a passphrase, which is stored nowhere: the words alone lead to "
            f"another wallet. With the right one the fingerprint is {fingerprint.hex()}."
        )
    if payload.descriptors:
        notes.append(
            "These are the words of one cosigner: without the descriptor of the multisig they do "
            "not find its money. Keep a copy of it with them."
        )
    return " ".join(notes)


class FeeConcern(Enum):
    """How much a fee has to be confirmed."""

    NONE = "none"
    UNUSUAL = "unusual"
    """More than usual: the person confirms it apart."""
    EXTREME = "extreme"
    """Almost surely a mistake: refused, unless the person types the fee."""


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment as the vault sees it, ready to be shown and then signed.

    `approved` commits to everything that is signed; `warnings` are those of the review and of the
    policy, each once.
    """

    psbt: Psbt
    review: Review
    warnings: tuple[str, ...]
    approved: bytes
    fee_concern: FeeConcern

    @property
    def fee_question(self) -> str:
        """What is to be confirmed apart; "" for a usual fee."""
        if self.fee_concern is FeeConcern.NONE:
            return ""
        how = "much more" if self.fee_concern is FeeConcern.EXTREME else "more"
        return (
            f"The fee is {self.review.fee_sat} sat: {fee_share(self.review)} of the amount, at "
            f"{self.review.feerate} sat/vB. That is {how} than usual."
        )


def read_payment(request: SignPsbt) -> Psbt:
    """Parse the request's PSBT. Raises BadRequest."""
    try:
        return Psbt.parse(request.psbt_base64)
    except ParseError as error:
        raise BadRequest(f"This is no payment that can be signed. {error}") from None


def review_payment(request: SignPsbt, psbt: Psbt, keys: Keyring) -> Payment:
    """Work out what the payment does, from its bytes and the opened keys.

    Raises PolicyRefused, WalletError, or ReviewDiffers when the window saw something else.
    """
    known = {
        (item.descriptor_index, Keychain(item.keychain)): item.index
        for item in request.known_indexes
        if item.keychain in (0, 1)
    }
    known_to_policy = {(number, int(keychain)): i for (number, keychain), i in known.items()}
    # A fee beyond the limits is shown and judged below; it is signed only if confirmed.
    limits = Limits(
        known_indexes=known_to_policy,
        fee_confirmed=True,
        latest_height=policy.latest_height(keys.params, int(time.time())),
    )
    assessment = policy.assess(psbt, keys.descriptors, keys.params, limits)
    seen = review.of(psbt, keys.descriptors, keys.params, known_indexes=known)
    if (assessment.fee_sat, len(assessment.outputs)) != (seen.fee_sat, len(seen.payments)):
        raise PolicyRefused("The vault could not make sure what this payment does; not signed.")
    if seen.digest != request.request_digest:
        raise ReviewDiffers(
            "The vault sees another payment than the window showed, so nothing was signed. Close "
            "the wallet, open it again and repeat the payment; if this comes back, do not use "
            "this computer for payments."
        )
    warnings = tuple(dict.fromkeys((*seen.warnings, *assessment.warnings)))
    concern = _fee_concern(seen)
    return Payment(psbt, seen, warnings, policy.digest(psbt), concern)


def sign(payment: Payment, keys: Keyring, *, fee_confirmed: bool = False) -> PsbtSigned:
    """Sign exactly what was reviewed.

    `fee_confirmed` says that the person confirmed an unusual or extreme fee apart. Raises
    PolicyRefused, SigningFailed.
    """
    if payment.fee_concern is not FeeConcern.NONE and not fee_confirmed:
        raise PolicyRefused(
            f"{payment.fee_question} Lower the fee, or confirm it expressly when signing."
        )
    limits = Limits(fee_confirmed=fee_confirmed, approved_digest=payment.approved)
    policy.check(payment.psbt, keys.descriptors, keys.params, limits)
    signed = signer.sign(payment.psbt, keys.root, keys.descriptors, keys.params)
    if signed.tx.serialize_stripped() != payment.psbt.tx.serialize_stripped():
        raise PolicyRefused("The payment changed while it was signed; it is not handed out.")
    return PsbtSigned(signed.to_base64())


def _fee_concern(seen: Review) -> FeeConcern:
    compared = compared_amount(seen)
    if seen.feerate > MAX_FEE_RATE or seen.fee_sat * 100 > compared * MAX_FEE_PERCENT:
        return FeeConcern.EXTREME
    if seen.feerate > HIGH_FEE_RATE or seen.fee_sat * 100 > compared * NOTED_FEE_PERCENT:
        return FeeConcern.UNUSUAL
    return FeeConcern.NONE
