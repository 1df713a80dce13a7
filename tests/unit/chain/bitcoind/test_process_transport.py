"""A program as a transport: how it ends, and that its own exit status is told."""

import asyncio
import subprocess
import sys

import pytest

from tests.patience import PATIENCE
from wallet_gui.chain.bitcoind.process_transport import ProcessTransport


async def started(code: str) -> ProcessTransport:
    process = ProcessTransport(asyncio.Protocol(), lambda _line: None)
    await process.start([sys.executable, "-c", code])
    return process


async def ended(process: ProcessTransport) -> int | None:
    async with asyncio.timeout(PATIENCE):
        return await process.ended


@pytest.mark.skipif(sys.platform == "win32", reason="asyncio waits for programs in another way")
def test_ending_a_program_takes_no_exit_status_from_asyncio(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that ends by itself at that moment was told to have failed, with status 255."""

    async def scenario() -> None:
        process = await started("import time; time.sleep(600)")

        def poll(_self: object) -> None:
            raise AssertionError("the status belongs to asyncio")

        with monkeypatch.context() as patch:
            patch.setattr(subprocess.Popen, "poll", poll)
            process.abort()
            assert await ended(process) == -9

    asyncio.run(scenario())


def test_the_exit_status_is_told_and_ending_it_again_changes_nothing() -> None:
    async def scenario() -> None:
        process = await started("raise SystemExit(3)")
        assert await ended(process) == 3
        process.abort()
        assert await ended(process) == 3

    asyncio.run(scenario())
