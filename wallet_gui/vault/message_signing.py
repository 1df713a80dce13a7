"""Signing a message in the vault: the address is derived again, the message shown as it is."""

from typing import Final

from wallet_gui.keys import messages as key_messages
from wallet_gui.primitives.visible_text import is_plain, visible
from wallet_gui.transfer.messages import MAX_MESSAGE, MessageSigned, SignMessage
from wallet_gui.vault.errors import BadRequest, ReviewDiffers
from wallet_gui.vault.signing import Keyring
from wallet_gui.wallet.messages import MessageFormat, formats_for
from wallet_gui.widgets.text import chunked, plain

FORMATS: Final = {
    MessageFormat.LEGACY: "BIP137, which most programs read",
    MessageFormat.SIMPLE: "BIP322",
    MessageFormat.FULL: "BIP322, with the whole virtual transaction",
}
WARNING: Final = (
    "Whoever gets the signature can show anybody that the owner of this address agreed to these "
    "words. Sign nothing that you do not mean."
)
HIDDEN: Final = (
    "The message has characters that hide or look like nothing. They are shown by their codes, as "
    "in [U+200B]."
)


def check(request: SignMessage) -> MessageFormat | None:
    """Return the format that is asked for; None means the usual one. Raises BadRequest."""
    if not request.message:
        raise BadRequest("There is no message to sign. Write it first.")
    if len(request.message) > MAX_MESSAGE:
        raise BadRequest(f"The message is longer than {MAX_MESSAGE:,} characters.")
    try:
        return MessageFormat(request.format) if request.format else None
    except ValueError:
        raise BadRequest("The format of the signature is not known here.") from None


def plain_text(request: SignMessage) -> str:
    """Return what a person has to read before saying yes, for a terminal."""
    lines = ["Message", *(f"  {line}" for line in visible(request.message).split("\n"))]
    if not is_plain(request.message):
        lines.append(f"  ! {HIDDEN}")
    return "\n".join([*lines, "Signed with the address", f"  {shown_address(request)}", WARNING])


def shown_address(request: SignMessage) -> str:
    """The address in groups of four. It is the window's word until the keys are open."""
    return chunked(plain(request.address, 100))


def sign(request: SignMessage, keys: Keyring) -> MessageSigned:
    """Sign with the key that these secrets give. Raises BadRequest, ReviewDiffers, VaultError."""
    wanted = check(request)
    place = key_messages.own_address(
        keys.descriptors, request.descriptor_index, request.keychain, request.index
    )
    if place.address != request.address:
        raise ReviewDiffers(
            "The keys of this wallet give another address than the window showed, so nothing was "
            "signed. Close the wallet, open it again and repeat; if this comes back, do not use "
            "this computer for your wallet."
        )
    kind = wanted or formats_for(place.descriptor.type)[0]
    signed = key_messages.sign(request.message, kind, place, keys.root, request.partial)
    return MessageSigned(signed.signature, signed.partial)
