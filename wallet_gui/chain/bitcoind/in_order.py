"""Several requests on their way at a time, their answers used in order."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

AT_ONCE: Final = 3

T = TypeVar("T")


@asynccontextmanager
async def in_order(
    jobs: Sequence[Callable[[], Coroutine[Any, Any, T]]], at_once: int = AT_ONCE
) -> AsyncIterator[AsyncIterator[T]]:
    """Start at most `at_once` of the jobs ahead; iterate over their outcomes in their order.

    What a job raises is raised in its place. On leaving, what still runs is cancelled and awaited.
    """
    waiting = deque(jobs)
    running: deque[asyncio.Task[T]] = deque()

    def start() -> None:
        while waiting and len(running) < at_once:
            running.append(asyncio.get_running_loop().create_task(waiting.popleft()()))

    async def outcomes() -> AsyncIterator[T]:
        start()
        while running:
            outcome = await running[0]
            running.popleft()
            start()
            yield outcome

    try:
        yield outcomes()
    finally:
        await end(running)


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they have ended; what they raise is dropped."""
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def together(*parts: Coroutine[Any, Any, Any]) -> list[Any]:
    """Run parts beside each other; give their outcomes, or raise what the first to fail raised.

    Whatever the end, none of them is left running. Unlike `asyncio.gather`, it never loses a
    cancellation: that one, cancelled in the moment in which a part fails, raises what the part
    raised, and whoever takes that for a lost connection and tries again runs for ever.
    """
    tasks = [asyncio.get_running_loop().create_task(part) for part in parts]
    try:
        running = set(tasks)
        while running:
            ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task in ended:
                    task.result()  # raises what it raised
        return [task.result() for task in tasks]
    finally:
        await end(tasks)
