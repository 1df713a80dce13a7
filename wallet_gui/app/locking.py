"""Locking a wallet: what is open in the vault ends, and the wallet is closed."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the window starts without what stands behind it
    from wallet_gui.app.online import Online


async def lock_wallet(online: "Online", wallet_id: str) -> None:
    """End every vault window and close the wallet; "" when none is open.

    A vault window that waits on a screen which somebody left would wait for anybody.
    """
    online.vault.cancel_all()
    if wallet_id:
        await online.close_wallet(wallet_id)
