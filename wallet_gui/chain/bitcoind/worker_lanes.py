"""Threads for what must not hold up the loop: one for each kind of work, in order within a kind."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from wallet_gui.chain.p2p.sync_state import Lane

T = TypeVar("T")


class WorkerLanes:
    """One thread for each `Lane`; lives from `open` to `close`."""

    def __init__(self) -> None:
        self._threads: dict[Lane, ThreadPoolExecutor] = {}
        self._jobs: set[asyncio.Future[Any]] = set()
        self._is_closing = False

    def open(self) -> None:
        """Make the threads ready."""
        self._is_closing = False
        self._threads = {
            lane: ThreadPoolExecutor(1, thread_name_prefix=f"node-{lane.value}") for lane in Lane
        }

    async def run(self, lane: Lane, work: Callable[[], T]) -> T:
        """Do work in the thread of a lane, after what was given to it before."""
        return await self.submit(lane, work)

    def submit(self, lane: Lane, work: Callable[[], T]) -> "asyncio.Future[T]":
        """Hand over work without waiting for it; it is done even when nobody waits.

        What comes too late is given up: the outcome is cancelled then.
        """
        if self._is_closing and (lane is not Lane.STORE or not self._threads):
            late: asyncio.Future[T] = asyncio.get_running_loop().create_future()
            late.cancel()
            return late
        job = asyncio.get_running_loop().run_in_executor(self._threads[lane], work)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        return job

    async def close(self) -> None:
        """Finish what was handed to the stores, give up the rest, and end the threads."""
        self._is_closing = True
        for lane in (Lane.ENGINE, Lane.BLOCKS):
            self._threads[lane].shutdown(wait=False, cancel_futures=True)
        while self._jobs:  # what one of them leads to is handed over in the meantime
            await asyncio.wait(self._jobs)
        for thread in self._threads.values():
            thread.shutdown(wait=True)
        self._threads = {}
