"""Signing a message with an address of an open wallet."""

from wallet_gui.app.online import Online
from wallet_gui.custody.messages import message_request
from wallet_gui.transfer.messages import MessageSigned
from wallet_gui.wallet.messages import MessageFormat


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
        session.path,
        session.wallet,
        address,
        message,
        online.vault_look(),
        wanted=wanted,
        partial=partial,
    )
    return await online.ask_vault(request, MessageSigned)
