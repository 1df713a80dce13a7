"""A wallet is closed in every moment, also when whoever closes it gives up: it is free again."""

import asyncio
import threading

import pytest

from tests.moments import nothing_left, turns
from tests.patience import PATIENCE
from tests.unit.app.test_session import DESCRIPTION, DESCRIPTOR, Disk
from wallet_gui.app import session as session_module
from wallet_gui.app.session import WalletClosed, WalletSession
from wallet_gui.primitives.params import REGTEST
from wallet_gui.storage.errors import StorageError, WriteFailed
from wallet_gui.wallet.wallet import Wallet

MOMENTS = 24


class Held(Disk):
    """A disk whose every write waits until the test has gone on."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()
        self.releases = 0

    def _write(self, what: str) -> None:
        self.go_on.wait(PATIENCE)
        super()._write(what)

    def close(self) -> None:
        self.go_on.wait(PATIENCE)
        super().close()

    def release(self) -> None:
        assert self.is_closed
        self.releases += 1


def opened(disk: Held) -> WalletSession:
    return WalletSession(
        "w",
        "/w",
        Wallet(DESCRIPTION, REGTEST, disk.state()),
        disk,
        disk,
        lambda _: None,
        clock=lambda: 1_700_000_000,
        release=disk.release,
    )


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "_RETRY_SECONDS", 0.0)


async def ended(*tasks: "asyncio.Task[object]") -> None:
    async with asyncio.timeout(PATIENCE):
        await asyncio.wait(tasks)


@pytest.mark.parametrize("gives_up", [False, True])
@pytest.mark.parametrize("refuses", [False, True])
def test_it_closes_in_every_moment_of_a_change(*, gives_up: bool, refuses: bool) -> None:
    async def scenario(after: int) -> None:
        disk = Held()
        session = opened(disk)
        disk.refuses = {"view"} if refuses else set()
        async with nothing_left():
            asked = asyncio.create_task(session.new_request("Anna"))
            await turns(after)
            closing = asyncio.create_task(session.close())
            await turns(2)
            if gives_up:
                asked.cancel()
                closing.cancel()
                await turns(1)
                closing.cancel()
            await turns(3)
            disk.go_on.set()
            await ended(asked, closing)
        assert disk.releases == 1
        assert closing.cancelled() is gives_up
        with pytest.raises(WalletClosed):
            await session.new_request()
        if refuses:
            assert gives_up or isinstance(closing.exception(), WriteFailed)
        elif not asked.cancelled() and asked.exception() is None:
            # What was told is on the disk.
            told = asked.result()
            assert told.address == DESCRIPTOR.address(told.index, 0)
            assert Wallet(DESCRIPTION, REGTEST, disk.state()).next_address()[0] == told.index + 1
        else:
            assert asked.cancelled() or isinstance(asked.exception(), StorageError)

    for after in range(1, MOMENTS, 2):
        asyncio.run(scenario(after))


def test_it_closes_while_it_tries_to_store_again() -> None:
    async def scenario(after: int) -> None:
        disk = Held()
        disk.go_on.set()
        session = opened(disk)
        disk.refuses = {"view"}
        async with nothing_left():
            with pytest.raises(WriteFailed):
                await session.new_request("Anna")
            await turns(after)
            disk.refuses = set()
            closing = asyncio.create_task(session.close())
            await turns(1)
            closing.cancel()
            await ended(closing)
        assert disk.releases == 1
        assert Wallet(DESCRIPTION, REGTEST, disk.state()).next_address()[0] == 1

    for after in range(MOMENTS):
        asyncio.run(scenario(after))


def test_what_the_disk_refuses_after_the_caller_has_gone_is_tried_again() -> None:
    async def scenario() -> None:
        disk = Held()
        session = opened(disk)
        disk.refuses = {"view"}
        async with nothing_left():
            asked = asyncio.create_task(session.new_request("Anna"))
            await turns(3)
            asked.cancel()
            await ended(asked)
            assert disk.writes == []
            disk.go_on.set()
            async with asyncio.timeout(PATIENCE):
                while session._retrying is None:  # noqa: ASYNC110 - seen from outside
                    await asyncio.sleep(0.001)
                disk.refuses = set()
                while not disk.writes:  # noqa: ASYNC110 - seen from outside
                    await asyncio.sleep(0.001)
            await session.close()

    asyncio.run(scenario())
