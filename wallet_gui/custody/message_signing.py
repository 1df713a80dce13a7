"""What the vault is asked to sign of a message, checked against the wallet of the address."""

from wallet_gui.custody.requests import VaultLook
from wallet_gui.primitives.address import script_from_address
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer.messages import MAX_MESSAGE, SignMessage
from wallet_gui.wallet.keychain import ScriptPlace
from wallet_gui.wallet.messages import MessageFormat, formats_for
from wallet_gui.wallet.wallet import Wallet


def own_place(wallet: Wallet, address: str) -> ScriptPlace:
    """Find an address of the wallet. Raises ParseError when it is none, or not of this wallet."""
    place = wallet.place_of(script_from_address(address.strip(), wallet.params))
    if place is None:
        raise ParseError(
            "This address is not of this wallet. Only the wallet of an address can sign with it."
        )
    return place


def usable_formats(wallet: Wallet, address: str) -> tuple[MessageFormat, ...]:
    """Return how signatures of an address of the wallet may be written, the usual way first."""
    return formats_for(wallet.descriptors[own_place(wallet, address).descriptor_index].type)


def message_request(
    path: str,
    wallet: Wallet,
    address: str,
    message: str,
    wanted: MessageFormat | None,
    partial: str,
    look: VaultLook,
) -> SignMessage:
    """Ask to show a message and sign it; raises ParseError with a sentence when that is no use."""
    place = own_place(wallet, address)
    usable = formats_for(wallet.descriptors[place.descriptor_index].type)
    if wanted is not None and wanted not in usable:
        names = " or ".join(usable)
        raise ParseError(f"Signatures of this address are written in the form {names}.")
    if not message:
        raise ParseError("There is no message to sign. Write it first.")
    if len(message) > MAX_MESSAGE:
        raise ParseError(
            f"The message is longer than {MAX_MESSAGE:,} characters. Sign its SHA-256 instead."
        )
    if not wallet.description.has_secrets:
        raise ParseError(
            "This wallet only watches: sign the message where its keys are, in the offline window "
            "or on the signing device."
        )
    return SignMessage(
        path=path,
        message=message,
        address=wallet.descriptors[place.descriptor_index].address(place.index, place.keychain),
        descriptor_index=place.descriptor_index,
        keychain=int(place.keychain),
        index=place.index,
        format="" if wanted is None else wanted.value,
        partial=partial,
        appearance=look.appearance,
        headless=look.headless,
        text_scale=look.text_scale,
    )
