"""The loop of the engine and of the command line, and threads that the program's end waits for not.

asyncio looks names up in the loop's own few threads, which are joined when the program ends. Where
no name server answers, the system takes half a minute for each name, and the end would take it too.
"""

import asyncio
import contextlib
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


async def in_own_thread(work: Callable[[], T], name: str) -> T:
    """Do blocking work in a thread that nobody waits for once it is given up.

    Raises what it raises. Only for what may be left in the middle: a question, never a write.
    """
    loop = asyncio.get_running_loop()
    told: asyncio.Future[T] = loop.create_future()

    def tell(value: T | None, error: BaseException | None) -> None:
        if told.done():
            return  # given up meanwhile
        if error is not None:
            told.set_exception(error)
        else:
            told.set_result(value)  # type: ignore[arg-type]  # what `work` has returned

    def run() -> None:
        value: T | None = None
        error: BaseException | None = None
        try:
            value = work()
        except (OSError, ValueError) as raised:
            error = raised
        except BaseException as raised:
            error = RuntimeError(f"The thread {name} failed: {type(raised).__name__}")
            raise
        finally:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the program has ended
                loop.call_soon_threadsafe(tell, value, error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await told


if sys.platform == "win32":
    _Loop = asyncio.ProactorEventLoop
else:
    _Loop = asyncio.SelectorEventLoop


class EventLoop(_Loop):
    """asyncio's own, with each look-up of a name in a thread of its own."""

    async def getaddrinfo(
        self,
        host: Any,
        port: Any,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002 - its name in asyncio
        proto: int = 0,
        flags: int = 0,
    ) -> Any:
        """See `socket.getaddrinfo`."""
        return await in_own_thread(
            lambda: socket.getaddrinfo(host, port, family, type, proto, flags), "look-up"
        )
