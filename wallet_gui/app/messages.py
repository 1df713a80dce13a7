"""Signing a message with an address of an open wallet."""

from wallet_gui.app.online import Online
from wallet_gui.primitives.address import script_from_address
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer.messages import MAX_MESSAGE, MessageSigned, SignMessage
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


async def sign_message(
    online: Online,
    wallet_id: str,
    address: str,
    message: str,
    wanted: MessageFormat | None = None,
    partial: str = "",
) -> MessageSigned:
    """Let the vault show the message and sign it.

    The reply has no signature yet where cosigners are missing. Raises ParseError, VaultError.
    """
    session = online.session(wallet_id)
    wallet = session.wallet
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
    look = online.vault_look()
    return await online.ask_vault(
        SignMessage(
            path=session.path,
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
        ),
        MessageSigned,
    )
