"""Work that is given up when the tunnel that it needs is lost."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from wallet_gui.chain.bitcoind.problems import NodeProblem

T = TypeVar("T")


async def unless(lost: "asyncio.Future[NodeProblem]", work: Coroutine[Any, Any, T]) -> T:
    """Do some work unless the tunnel is lost before; then raise why."""
    task = asyncio.ensure_future(work)
    try:
        both: list[asyncio.Future[Any]] = [lost, task]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise lost.result()
        return task.result()
    finally:
        await cancelled(task)


async def cancelled(task: "asyncio.Future[Any]") -> None:
    """End a task and wait for its end; what it raised was looked at where it mattered."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
