"""Signing a message with an address of an open wallet."""

from wallet_gui.app.online import Online
from wallet_gui.custody.message_signing import message_request, own_place, usable_formats
from wallet_gui.transfer.messages import MessageSigned
from wallet_gui.wallet.messages import MessageFormat

__all__ = ["own_place", "sign_message", "usable_formats"]


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
    request = message_request(
        session.path, session.wallet, address, message, wanted, partial, online.vault_look()
    )
    return await online.ask_vault(request, MessageSigned)
