"""Work that is brought to its end although whoever waits for it is told to stop."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Do work that must not be cut off in the middle: what it lets go of would be left behind.

    A cancellation is raised once the work has ended; what the work raised is dropped then. A second
    one is not waited for: the work goes on by itself.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # nobody else will look at it
        raise
