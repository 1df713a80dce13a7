"""An asyncio loop in a thread of its own, for rigs that stand outside the program under test."""

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, Self, TypeVar

from tests.patience import PATIENCE

T = TypeVar("T")

_SECONDS = PATIENCE


class RigLoop:
    """`run` waits for a coroutine; what was entered is left at the end, the last first."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._entered: list[AbstractAsyncContextManager[Any]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for entered in reversed(self._entered):
            self.run(entered.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_SECONDS)

    def enter(self, manager: AbstractAsyncContextManager[T]) -> T:
        async def begin() -> T:
            return await manager.__aenter__()

        value = self.run(begin())
        self._entered.append(manager)
        return value
