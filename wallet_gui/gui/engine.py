"""The one bridge between the Qt thread and the engine thread that runs asyncio.

The engine thread owns every open wallet and backend, so nothing there needs a lock. Two things
cross over: `Engine.call` hands a coroutine to the loop and gives back a `Call` whose signals fire
in the Qt thread, and `Engine.published` brings frozen values to the screen.
"""

import asyncio
import concurrent.futures
import logging
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import shiboken6
from PySide6.QtCore import QObject, Qt, Signal

from wallet_gui.chain.event_loop import EventLoop

logger = logging.getLogger(__name__)

# The default of 5 ms lets a busy engine thread delay the window by that much at each turn.
_SWITCH_INTERVAL = 0.001
_STOP_TIMEOUT = 10.0


class Call(QObject):
    """One coroutine under way in the engine; exactly one of the three signals fires, once."""

    succeeded = Signal(object)
    failed = Signal(object)
    cancelled = Signal()

    def __init__(self, owner: QObject) -> None:
        super().__init__(owner)
        self._future: concurrent.futures.Future[Any] | None = None

    def cancel(self) -> None:
        """Ask the coroutine to stop; `cancelled` fires when it has."""
        if self._future is not None:
            self._future.cancel()

    def attach(self, future: concurrent.futures.Future[Any]) -> None:
        """Remember the future so that `cancel` reaches it."""
        self._future = future


class Engine(QObject):
    """A thread with an asyncio loop, and the queued signals that lead out of it."""

    published = Signal(object)
    # Results of calls come through this one long-lived object and are handed on in the Qt thread:
    # with a receiver per call, Qt sometimes ran the slot in the wrong thread.
    _settled = Signal(object, object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._settled.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def start(self) -> None:
        """Start the thread and wait until its loop runs (a few milliseconds)."""
        sys.setswitchinterval(_SWITCH_INTERVAL)
        self._thread.start()
        self._started.wait()

    @property
    def is_running(self) -> bool:
        return self._loop is not None and self._thread.is_alive()

    def publish(self, value: object) -> None:
        """Send a frozen value to the screen; called from the engine thread."""
        self.published.emit(value)

    def call(
        self,
        coroutine: Coroutine[Any, Any, Any],
        owner: QObject,
        on_success: Callable[[Any], None] | None = None,
        on_failure: Callable[[BaseException], None] | None = None,
    ) -> Call:
        """Run a coroutine in the engine; the returned Call lives as long as `owner`.

        Callbacks given here are connected before the coroutine can finish.
        """
        call = Call(owner)
        if on_success is not None:
            call.succeeded.connect(on_success)
        if on_failure is not None:
            call.failed.connect(on_failure)
        if self._loop is None or not self._thread.is_alive():
            coroutine.close()
            self._settled.emit(call, None, RuntimeError("The engine has stopped."))
            return call
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        call.attach(future)
        future.add_done_callback(lambda done: self._settle(call, done))
        return call

    def finish(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Run a last coroutine and wait for it, for a few seconds at most; after the Qt loop."""
        if self._loop is None or not self._thread.is_alive():
            coroutine.close()
            return
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            future.result(_STOP_TIMEOUT)
        except concurrent.futures.TimeoutError:
            logger.warning("The engine did not finish in time")
            future.cancel()

    def stop(self) -> None:
        """Cancel what runs, close the loop and join the thread."""
        loop = self._loop
        if loop is None:
            return
        if self._thread.is_alive():
            loop.call_soon_threadsafe(loop.stop)
            self._thread.join(_STOP_TIMEOUT)
        self._loop = None

    def _settle(self, call: Call, future: concurrent.futures.Future[Any]) -> None:
        if not shiboken6.isValid(self):
            return
        if future.cancelled():
            self._settled.emit(call, None, asyncio.CancelledError())
            return
        error = future.exception()
        self._settled.emit(call, None if error else future.result(), error)

    def _deliver(self, call: Call, result: object, error: BaseException | None) -> None:
        # The window may have closed while the coroutine ran.
        if not shiboken6.isValid(call):
            return
        if isinstance(error, asyncio.CancelledError):
            call.cancelled.emit()
        elif error is not None:
            call.failed.emit(error)
        else:
            call.succeeded.emit(result)
        call.deleteLater()

    def _run(self) -> None:
        loop = EventLoop()
        asyncio.set_event_loop(loop)
        loop.set_exception_handler(_log_unhandled)
        self._loop = loop
        loop.call_soon(self._started.set)
        try:
            loop.run_forever()
        finally:
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            if tasks:
                loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
            asyncio.set_event_loop(None)
            loop.close()


def _log_unhandled(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    # Only the kind of the error: its text may quote a peer.
    error = context.get("exception")
    logger.error("Unhandled in the engine: %s %s", context.get("message"), type(error).__name__)
