"""The person says that a wallet is older than was thought."""

from wallet_gui.app.online import Online
from wallet_gui.app.published import OpenedWallet
from wallet_gui.app.scan_again import SETTING


async def look_from(online: Online, wallet_id: str, birthday_time: int | None) -> OpenedWallet:
    """Keep the day, close the wallet, and open it anew: the vault asks for its password.

    None looks through the whole chain. Once the day is kept, it holds for the next opening
    whatever happens. Raises VaultError, StorageError.
    """
    session = online.session(wallet_id)
    await session.keep_setting(SETTING, {"time": birthday_time, "is_due": True})
    path = session.path
    await online.close_wallet(wallet_id)
    return await online.open_wallet(path)
