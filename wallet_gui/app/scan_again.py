"""Looking for payments from before the birthday that was given to a wallet.

The person's correction is kept in the view box, in one value with the wish to scan again: the
description of the wallet stays as it was made. With the next opening the scan marks go; what is
known of payments stays.
"""

from dataclasses import replace
from typing import Any, Final

from wallet_gui.storage.wallet_cache import WalletCache
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.wallet.changes import CacheChange, WalletDescription

SETTING: Final = "scan_from"


def described(wallet_file: WalletFile) -> WalletDescription:
    """The description of a wallet with the birthday that the person corrected, if they did."""
    description = wallet_file.state.description
    kept = _kept(wallet_file)
    return description if kept is None else replace(description, birthday_time=kept["time"])


def begin_if_due(wallet_file: WalletFile, cache: WalletCache) -> CacheChange:
    """Return what the cache holds, its scan marks taken away when the wallet is to scan again.

    The wish goes when the marks are gone for good; after a crash in between they go once more.
    Raises StorageError.
    """
    content = cache.load()
    kept = _kept(wallet_file)
    if kept is None or not kept["is_due"]:
        return content
    cache.store(CacheChange(checkpoints=dict.fromkeys(content.checkpoints)))
    wallet_file.keep_setting(SETTING, {"time": kept["time"], "is_due": False})
    return replace(content, checkpoints={})


def _kept(wallet_file: WalletFile) -> dict[str, Any] | None:
    """Read the value; one that was not written here counts as none."""
    value = wallet_file.settings.get(SETTING)
    if not isinstance(value, dict) or set(value) != {"time", "is_due"}:
        return None
    time, is_due = value["time"], value["is_due"]
    if type(is_due) is not bool or not (
        time is None or (type(time) is int and 0 <= time < 1 << 33)
    ):
        return None
    return value
