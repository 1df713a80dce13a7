"""Doing something in every moment of something else: moments are turns of the loop, never seconds.

What is wrong in one turn of many thousands is met by chance once in months; here it is met at once.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


async def turns(count: int) -> None:
    """Let the loop go round so many times."""
    for _ in range(count):
        await asyncio.sleep(0)


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """See that no task is left behind, and that no callback has failed."""
    loop = asyncio.get_running_loop()
    before = asyncio.all_tasks()
    failures: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: failures.append(context))
    try:
        yield
    finally:
        loop.set_exception_handler(None)
    await turns(3)  # what was told to end is over by then
    left = [task for task in asyncio.all_tasks() - before if not task.done()]
    assert left == [], "a task is left behind"
    assert failures == [], failures
