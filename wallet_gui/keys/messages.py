"""Signs messages with the key of an address of ours, alone or as one of several cosigners."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wallet_gui.curve import CurveError, ecdsa_sign_recoverable, public_key
from wallet_gui.descriptors.descriptor import DerivedKey, Descriptor, DescriptorType
from wallet_gui.keys import signer
from wallet_gui.keys.errors import PolicyRefused, SigningFailed
from wallet_gui.keys.imported import Root
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.transaction import TxOut
from wallet_gui.wallet import messages, psbt_roles
from wallet_gui.wallet.errors import WalletError
from wallet_gui.wallet.messages import MessageFormat, MessageVerdict

_UNRELIABLE: Final = (
    "A new signature does not verify: this computer makes mistakes. Nothing was signed; restart it "
    "and try again."
)


@dataclass(frozen=True, slots=True)
class OwnAddress:
    """A place in the wallet: branch `keychain` (0 or 1) and `index` of one of its descriptors."""

    descriptor: Descriptor
    keychain: int
    index: int

    @property
    def address(self) -> str:
        return self.descriptor.address(self.index, self.keychain)

    @property
    def derived(self) -> DerivedKey:
        return self.descriptor.derive(self.index, self.keychain)


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """A whole `signature`, or "" and what the next cosigner adds to (`partial`, base64)."""

    signature: str
    partial: str = ""


def own_address(
    descriptors: Sequence[Descriptor], number: int, keychain: int, index: int
) -> OwnAddress:
    """Find a place among the wallet's descriptors. Raises PolicyRefused when there is none."""
    place = (
        OwnAddress(descriptors[number], keychain, index) if 0 <= number < len(descriptors) else None
    )
    try:
        if place is not None and place.address:
            return place
    except ValueError:
        pass
    raise PolicyRefused("This wallet has no such address.")


def sign(
    message: str,
    kind: MessageFormat,
    place: OwnAddress,
    root: Root,
    partial: str = "",
) -> SignedMessage:
    """Sign `message` for one address of the wallet of `root`.

    `partial` is what other cosigners of a multisig returned for the same message and address.
    What is made is verified before it is returned. Raises PolicyRefused, SigningFailed.
    """
    descriptor = place.descriptor
    if kind not in messages.formats_for(descriptor.type):
        raise PolicyRefused("An address of this kind cannot sign in the format that was asked for.")
    try:
        if kind is MessageFormat.LEGACY:
            signed = SignedMessage(_legacy(message, place, root))
        else:
            signed = _virtual(message, kind, place, root, partial)
        if not signed.signature:
            return signed
        check = messages.verify(place.address, message, signed.signature, descriptor.params)
    except (CurveError, ParseError, WalletError) as error:
        raise SigningFailed(f"The message could not be signed. {error}") from error
    if check.verdict is not MessageVerdict.VALID:
        raise SigningFailed(_UNRELIABLE)
    return signed


def _legacy(message: str, place: OwnAddress, root: Root) -> str:
    kind = place.descriptor.type
    if not isinstance(kind, DescriptorType):
        raise PolicyRefused("An address of several keys cannot sign in this format.")
    ((own_key, path),) = place.derived.keys
    secret = root.derive(path.path).secret
    if public_key(secret) != own_key:
        raise SigningFailed("The wallet's descriptors do not come from these keys.")
    return messages.write_legacy(
        kind, *ecdsa_sign_recoverable(secret, messages.legacy_digest(message))
    )


def _virtual(
    message: str, kind: MessageFormat, place: OwnAddress, root: Root, partial: str
) -> SignedMessage:
    """Sign the virtual transaction of BIP322 as any other, by the signer's own rules."""
    descriptor, derived = place.descriptor, place.derived
    spent = messages.to_spend(message, derived.script_pubkey)
    psbt = Psbt.from_unsigned_tx(messages.to_sign(spent))
    psbt_input = psbt.inputs[0]
    psbt_input.non_witness_utxo = spent
    if descriptor.has_witness:
        psbt_input.witness_utxo = TxOut(0, derived.script_pubkey)
    for key, path in derived.keys:
        if derived.tap_internal_key is None:
            psbt_input.bip32_derivations[key] = path
        else:
            psbt_input.tap_bip32_derivations[derived.tap_internal_key] = ((), path)
    if partial:
        psbt = psbt_roles.combine([psbt, _same_message(partial, psbt)])
    signed = signer.sign(psbt, root, (descriptor,), descriptor.params)
    final = psbt_roles.finalize(signed)
    if not final.inputs[0].is_final:
        return SignedMessage("", signed.to_base64())
    tx = psbt_roles.extract(final)
    write = messages.write_simple if kind is MessageFormat.SIMPLE else messages.write_full
    return SignedMessage(write(tx))


def _same_message(partial: str, psbt: Psbt) -> Psbt:
    """Read what the cosigners signed; raises PolicyRefused when that is anything else."""
    try:
        other = Psbt.parse(partial.strip())
    except ParseError as error:
        raise PolicyRefused(f"What the other cosigner signed cannot be read. {error}") from None
    if other.tx != psbt.tx:
        raise PolicyRefused(
            "The other cosigner signed another message, or for another address. Nothing was signed."
        )
    return other
