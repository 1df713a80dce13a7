"""Settings that a person changes faster than the disk stores them."""

import asyncio
from pathlib import Path

from wallet_gui.app.online import Online
from wallet_gui.chain.p2p.backend import P2PBackend
from wallet_gui.primitives.params import REGTEST
from wallet_gui.storage.settings import DataDirectory, SettingsFile


def test_the_last_of_many_quick_changes_is_stored(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path, REGTEST)
    directory.create()
    online = Online(directory, REGTEST, P2PBackend, lambda _: None)

    async def quickly() -> None:
        for scale in range(80, 95):
            await asyncio.gather(
                online.change_settings(text_scale=scale),
                online.change_settings(hide_amounts=True),
                online.change_settings(text_scale=scale + 1, hide_amounts=False),
            )

    asyncio.run(quickly())
    stored = SettingsFile(directory.settings_path).load()
    assert stored.text_scale == 95
    assert not stored.hide_amounts
