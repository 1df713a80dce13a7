"""Work that is brought to its end although whoever waits for it is told to stop."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Do work that must not be cut off in the middle: what it lets go of would be left behind.

    A cancellation is raised once the work has ended, however often it comes meanwhile; what the
    work raised is dropped then. So the work must have an end. The end of the loop ends it, too, for
    that cancels every task, and the work is done by a task of its own.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # nobody else will look at it
        raise


async def or_undone(making: Coroutine[Any, Any, T], undo: Callable[[T], Awaitable[object]]) -> T:
    """Make something that somebody has to let go of; given up in the middle, it is undone.

    What a thread makes is made although nobody waits for it any more.
    """
    task = asyncio.ensure_future(making)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await to_the_end(_undo(task, undo))
        raise


async def _undo(task: "asyncio.Future[T]", undo: Callable[[T], Awaitable[object]]) -> None:
    await asyncio.wait([task])
    if not task.cancelled() and task.exception() is None:
        await undo(task.result())
