"""Ending what is open in the vault, from outside of whoever asked."""

import asyncio
import sys

import pytest

from wallet_gui.app.vault_client import VaultCancelled, VaultClient
from wallet_gui.transfer.messages import UnlockWallet, WalletUnlocked

# A vault that never answers.
SILENT = (sys.executable, "-c", "import time; time.sleep(600)")


def ask(client: VaultClient) -> "asyncio.Task[WalletUnlocked]":
    return asyncio.ensure_future(client.ask(UnlockWallet("/w/x.wallet"), WalletUnlocked))


def test_every_open_vault_ends_and_whoever_asked_is_told() -> None:
    async def run() -> None:
        client = VaultClient(command=SILENT)
        first, second = ask(client), ask(client)
        await asyncio.sleep(0.3)
        assert client.is_asking
        client.cancel_all()
        for asked in (first, second):
            with pytest.raises(VaultCancelled):
                await asked
        assert not client.is_asking

    asyncio.run(run())


def test_a_caller_that_gives_up_itself_is_cancelled_as_ever() -> None:
    async def run() -> None:
        client = VaultClient(command=SILENT)
        asked = ask(client)
        await asyncio.sleep(0.3)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert client._asking == {}

    asyncio.run(run())
