"""Starts the vault process and speaks to it over an inherited pipe: one request, one reply.

The vault is started anew for each request and ends with its reply, so that the operating system
takes back every page that held a secret. Nothing secret is in its arguments or its environment.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from wallet_gui.chain.unbroken import or_undone, to_the_end
from wallet_gui.custody.vault_errors import VaultCancelled, VaultError, VaultRefused
from wallet_gui.custody.vault_start import VaultPipe, reads_standard_input, start_vault
from wallet_gui.primitives.serialize import ParseError

if TYPE_CHECKING:
    from wallet_gui.transfer.messages import Progress, Reply, Request

__all__ = ["VaultCancelled", "VaultClient", "VaultError", "VaultRefused"]

R = TypeVar("R")
_CHUNK = 1 << 16
_KILL_AFTER = 5.0
_INTERRUPT_SECONDS = 2.0


class VaultClient:
    """Asks the vault. `headless` keeps it without a window, for the command line and tests.

    A vault ends with its reply. Only where a secret is a line of standard input one process stays
    for several requests, since nobody could read that line again; `close` ends it.
    """

    def __init__(self, *, headless: bool = False, command: Sequence[str] = ()) -> None:
        """Prepare; `command` starts another program than this one's own vault, for tests."""
        self._headless = headless
        self._command = tuple(command)
        self._kept: _Vault | None = None
        self._asking: dict[asyncio.Task[Any], bool] = {}

    async def ask(
        self,
        request: "Request",
        expected: type[R],
        on_progress: "Callable[[Progress], None] | None" = None,
    ) -> R:
        """Send one request and return the reply of the expected kind.

        Raises VaultCancelled, VaultRefused with the vault's sentence, or VaultError when it died.
        Cancelling the task ends the vault process.
        """
        asked = asyncio.ensure_future(self._ask(request, expected, on_progress))
        self._asking[asked] = False
        try:
            return await asked
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._asking[asked] and task is not None and not task.cancelling():
                raise VaultCancelled from None
            raise
        finally:
            del self._asking[asked]

    @property
    def is_asking(self) -> bool:
        """Whether a vault is open, where a person may be reading or typing."""
        return bool(self._asking)

    def cancel_all(self) -> None:
        """End every vault that is open; whoever asked gets VaultCancelled. On the asking loop."""
        for asked in self._asking:
            self._asking[asked] = True
            asked.cancel()

    async def _ask(
        self,
        request: "Request",
        expected: type[R],
        on_progress: "Callable[[Progress], None] | None",
    ) -> R:
        # With the first request: the start asks for nothing.
        from wallet_gui.transfer.messages import Cancelled, Failed  # noqa: PLC0415
        from wallet_gui.transfer.pipe import encode  # noqa: PLC0415

        frame = encode(request)
        is_kept = self._headless and reads_standard_input(request)
        vault, self._kept = self._kept, None
        reply: Reply | None = None
        try:
            if vault is None:
                vault = await self._started()
            reply = await vault.exchange(frame, on_progress, is_last=not is_kept)
        finally:
            if vault is not None:
                if is_kept and reply is not None:
                    self._kept = vault
                else:
                    await to_the_end(vault.end())
        if isinstance(reply, expected):
            return reply
        if isinstance(reply, Cancelled):
            raise VaultCancelled
        if isinstance(reply, Failed):
            raise VaultRefused(reply.kind, reply.sentence)
        raise VaultError("The vault ended without an answer. Nothing was changed; try again.")

    async def close(self) -> None:
        """End the process that was kept, if there is one."""
        vault, self._kept = self._kept, None
        if vault is not None:
            await vault.end()

    async def _started(self) -> "_Vault":
        # Starting a process takes a fork and an exec: not on the loop that serves peers.
        # One that nobody wants any more would ask its questions all the same.
        return await or_undone(asyncio.to_thread(self._start), _Vault.kill)

    def _start(self) -> "_Vault":
        process, pipe = start_vault(self._command, headless=self._headless)
        return _Vault(process, pipe, headless=self._headless)


class _Vault:
    """A vault process that runs, and our ends of its pipes."""

    def __init__(
        self, process: subprocess.Popen[bytes], pipe: VaultPipe, *, headless: bool
    ) -> None:
        from wallet_gui.transfer.pipe import reply_decoder  # noqa: PLC0415

        self._process = process
        self._headless = headless
        self._pipe = pipe
        self._decoder = reply_decoder()

    async def exchange(
        self, frame: bytes, on_progress: "Callable[[Progress], None] | None", *, is_last: bool
    ) -> "Reply | None":
        """Send a request and wait for its reply; None when the vault died."""
        reading = asyncio.create_task(self._read_reply(on_progress))
        try:
            await asyncio.to_thread(self._pipe.write_all, frame)
            if is_last:
                self._pipe.close_write()
            # Shielded, so that a cancelled caller still finds the vault to be ended.
            return await asyncio.shield(reading)
        finally:
            if not reading.done():
                await to_the_end(self._break_off(reading))

    async def _break_off(self, reading: "asyncio.Future[Reply | None]") -> None:
        # Its end ends the pipe, and with it the thread that reads from it.
        await self._interrupt()
        await asyncio.wait([reading])

    async def _read_reply(self, on_progress: "Callable[[Progress], None] | None") -> "Reply | None":
        from wallet_gui.transfer.messages import Progress  # noqa: PLC0415

        while True:
            data = await asyncio.to_thread(os.read, self._pipe.read_end, _CHUNK)
            if not data:
                return None
            try:
                replies = self._decoder.receive_data(data)
            except ParseError as error:
                raise VaultError(
                    "The vault answered something that could not be read. Nothing was changed."
                ) from error
            for reply in replies:
                if not isinstance(reply, Progress):
                    return reply
                if on_progress is not None:
                    on_progress(reply)

    async def _interrupt(self) -> None:
        # As Ctrl-C would: a vault that asks on the terminal switches the echo on again. One with a
        # window has nothing to put back, and its idle loop would not hear it.
        if self._headless and sys.platform != "win32":
            self._process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(self._process.wait, _INTERRUPT_SECONDS)
                return
        self._process.kill()

    async def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        await self.end()

    async def end(self) -> None:
        """Hang up and wait for the process to be gone."""
        self._pipe.close_write()
        try:
            await asyncio.to_thread(self._process.wait, _KILL_AFTER)
        except subprocess.TimeoutExpired:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
        finally:
            if self._process.poll() is None:  # the loop ends; the vault must not stay all the same
                self._process.kill()
            self._pipe.close()
