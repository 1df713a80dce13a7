"""A program as a transport: how it ends, and that its own exit status is told."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from tests.moments import nothing_left
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


@pytest.mark.skipif(sys.platform == "win32", reason="programs inherit pipes in another way there")
@pytest.mark.parametrize("is_at_once", [True, False])
def test_what_the_program_started_does_not_keep_it(*, is_at_once: bool) -> None:
    """A ProxyCommand, say, has the same standard error, and may outlive ssh."""
    told: list[str] = []
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid, file=sys.stderr, flush=True)\n"
        "time.sleep(600)\n"
    )

    async def scenario() -> None:
        process = ProcessTransport(asyncio.Protocol(), told.append)
        await process.start([sys.executable, "-c", code])
        async with asyncio.timeout(PATIENCE):
            while not told:  # noqa: ASYNC110 - a program tells nobody
                await asyncio.sleep(0.01)
        try:
            if is_at_once:
                process.abort()
            else:
                process.close()
            async with asyncio.timeout(20):
                assert await process.ended == -9
        finally:
            os.kill(int(told[0]), signal.SIGKILL)

    asyncio.run(scenario())


def test_ending_it_twice_while_it_reads_nothing() -> None:
    async def scenario() -> None:
        process = await started("import time; time.sleep(600)")
        async with nothing_left():
            process.write(b"x" * 10_000_000)
            process.close()
            process.abort()
            process.abort()
            await ended(process)

    asyncio.run(scenario())
