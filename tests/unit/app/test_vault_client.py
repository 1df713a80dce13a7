"""Ending what is open in the vault, from outside of whoever asked."""

import asyncio
import sys
import threading
from collections.abc import Callable

import pytest

from tests.moments import nothing_left, turns
from tests.patience import PATIENCE
from wallet_gui.app import vault_client
from wallet_gui.app.vault_client import VaultCancelled, VaultClient, _Vault
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


class Slow(VaultClient):
    """Its vaults start when the test lets them, in the thread that starts them."""

    def __init__(self) -> None:
        super().__init__(command=SILENT)
        self.is_starting = threading.Event()
        self.may_start = threading.Event()
        self.started: list[_Vault] = []

    def _start(self) -> _Vault:
        self.is_starting.set()
        self.may_start.wait(PATIENCE)
        self.started.append(super()._start())
        return self.started[-1]

    def is_over(self) -> bool:
        """Whether every vault has ended, and its pipe is closed."""
        return all(
            vault._process.poll() is not None and vault._pipe.read_end < 0 for vault in self.started
        )


@pytest.mark.parametrize("by_all", [False, True])
def test_a_vault_that_was_just_being_started_ends_too(*, by_all: bool) -> None:
    """Nobody would answer its question for a password, or read what came of it."""

    async def run() -> None:
        client = Slow()
        async with nothing_left(), asyncio.timeout(PATIENCE):
            asked = ask(client)
            await asyncio.to_thread(client.is_starting.wait, PATIENCE)
            if by_all:
                client.cancel_all()
            else:
                asked.cancel()
            await turns(5)
            client.may_start.set()
            await asyncio.wait([asked])
        assert asked.cancelled() is not by_all
        assert not by_all or isinstance(asked.exception(), VaultCancelled)
        assert len(client.started) == 1
        assert client.is_over()

    asyncio.run(run())


@pytest.mark.parametrize("all_first", [False, True])
@pytest.mark.parametrize("gap", [0, 1, 2])
def test_who_is_told_to_stop_while_all_vaults_end_stops(gap: int, *, all_first: bool) -> None:
    """The window is closed while the wallets are locked: what asks again in a loop would go on."""

    async def run() -> None:
        client = Slow()
        client.may_start.set()
        async with nothing_left(), asyncio.timeout(PATIENCE):
            asked = ask(client)
            while not client.started:  # noqa: ASYNC110 - a thread tells nobody
                await asyncio.sleep(0.001)
            orders: list[Callable[[], object]] = [client.cancel_all, asked.cancel]
            for order in orders if all_first else reversed(orders):
                order()
                await turns(gap)
            await asyncio.wait([asked])
        assert asked.cancelled()
        assert client.is_over()

    asyncio.run(run())


def test_given_up_twice_the_vault_ends_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault_client, "_KILL_AFTER", PATIENCE)

    async def run(after: int) -> None:
        client = Slow()
        client.may_start.set()
        async with asyncio.timeout(PATIENCE):
            asked = ask(client)
            while not client.started:  # noqa: ASYNC110 - a thread tells nobody
                await asyncio.sleep(0.001)
            asked.cancel()
            await turns(after)
            asked.cancel()
            await asyncio.wait([asked])
            assert asked.cancelled()
            while not client.is_over():  # noqa: ASYNC110 - a process tells nobody
                await asyncio.sleep(0.001)

    for after in range(1, 8):
        asyncio.run(run(after))
