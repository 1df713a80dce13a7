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
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import wallet_gui
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer.messages import (
    STDIN,
    Cancelled,
    Failed,
    FailureKind,
    Progress,
    Reply,
    Request,
)
from wallet_gui.transfer.pipe import encode, reply_decoder

R = TypeVar("R")
_CHUNK = 1 << 16
_KILL_AFTER = 5.0
_INTERRUPT_SECONDS = 2.0


class VaultError(Exception):
    """The vault did not do what it was asked; the message says what to do."""


class VaultRefused(VaultError):
    """The vault answered with a reason."""

    def __init__(self, kind: FailureKind, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind


class VaultCancelled(VaultError):
    """The person closed the vault's window; nothing happened."""

    is_cancelled = True

    def __init__(self) -> None:
        super().__init__("Cancelled; nothing was changed.")


@dataclass(slots=True)
class _Pipe:
    """Both ends of the two pipes; the child's ends are closed here once it has them."""

    read_end: int
    write_end: int
    child_read: int
    child_write: int

    @classmethod
    def make(cls) -> "_Pipe":
        child_read, write_end = os.pipe()
        read_end, child_write = os.pipe()
        return cls(read_end, write_end, child_read, child_write)

    def close_child(self) -> None:
        for name in ("child_read", "child_write"):
            self._close(name)

    def close_write(self) -> None:
        self._close("write_end")

    def close(self) -> None:
        self.close_child()
        self.close_write()
        self._close("read_end")

    def _close(self, name: str) -> None:
        descriptor = getattr(self, name)
        if descriptor >= 0:
            setattr(self, name, -1)
            os.close(descriptor)


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
        request: Request,
        expected: type[R],
        on_progress: Callable[[Progress], None] | None = None,
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
            if self._asking[asked]:
                raise VaultCancelled from None
            raise
        finally:
            del self._asking[asked]

    def cancel_all(self) -> None:
        """End every vault that is open; whoever asked gets VaultCancelled. On the asking loop."""
        for asked in self._asking:
            self._asking[asked] = True
            asked.cancel()

    async def _ask(
        self,
        request: Request,
        expected: type[R],
        on_progress: Callable[[Progress], None] | None,
    ) -> R:
        frame = encode(request)
        is_kept = self._headless and _reads_standard_input(request)
        vault, self._kept = self._kept, None
        reply: Reply | None = None
        try:
            if vault is None:
                # Starting a process takes a fork and an exec: not on the loop that serves peers.
                vault = await asyncio.to_thread(self._start)
            reply = await vault.exchange(frame, on_progress, is_last=not is_kept)
        finally:
            if vault is not None:
                if is_kept and reply is not None:
                    self._kept = vault
                else:
                    await vault.end()
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

    def _start(self) -> "_Vault":
        pipe = _Pipe.make()
        try:
            process = self._start_process(pipe)
        except OSError as error:
            pipe.close()
            raise VaultError(
                f"The vault could not be started: {error.strerror}. Nothing was changed."
            ) from error
        except BaseException:
            pipe.close()
            raise
        pipe.close_child()
        return _Vault(process, pipe, headless=self._headless)

    def _start_process(self, pipe: _Pipe) -> subprocess.Popen[bytes]:
        is_frozen = getattr(sys, "frozen", False)
        command = self._command or (
            (sys.executable,) if is_frozen else (sys.executable, "-m", "wallet_gui")
        )
        environment = dict(os.environ)
        if not is_frozen:
            # The child must find the same package, also when it was started from elsewhere.
            root = str(Path(wallet_gui.__file__).resolve().parent.parent)
            paths = [root, environment.get("PYTHONPATH", "")]
            environment["PYTHONPATH"] = os.pathsep.join(part for part in paths if part)
        mode = ["--headless"] if self._headless else []
        arguments = [*command, "--vault", *mode]
        if sys.platform == "win32":
            return _start_on_windows(arguments, pipe, environment)
        return subprocess.Popen(  # noqa: S603 - our own executable with fixed arguments
            [*arguments, "--pipe", f"{pipe.child_read},{pipe.child_write}"],
            pass_fds=(pipe.child_read, pipe.child_write),
            env=environment,
        )


def _reads_standard_input(request: Request) -> bool:
    options = request.headless
    return options is not None and STDIN in {
        options.password_file,
        options.new_password_file,
        options.words_file,
        options.passphrase_file,
    }


class _Vault:
    """A vault process that runs, and our ends of its pipes."""

    def __init__(self, process: subprocess.Popen[bytes], pipe: _Pipe, *, headless: bool) -> None:
        self._process = process
        self._headless = headless
        self._pipe = pipe
        self._decoder = reply_decoder()

    async def exchange(
        self, frame: bytes, on_progress: Callable[[Progress], None] | None, *, is_last: bool
    ) -> Reply | None:
        """Send a request and wait for its reply; None when the vault died."""
        reading = asyncio.create_task(self._read_reply(on_progress))
        try:
            await asyncio.to_thread(_write_all, self._pipe, frame)
            if is_last:
                self._pipe.close_write()
            # Shielded, so that a cancelled caller still finds the vault to be ended.
            return await asyncio.shield(reading)
        finally:
            if not reading.done():
                # Its end ends the pipe, and with it the thread that reads from it.
                await self._interrupt()
                await asyncio.wait([reading])

    async def _read_reply(self, on_progress: Callable[[Progress], None] | None) -> Reply | None:
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

    async def end(self) -> None:
        """Hang up and wait for the process to be gone."""
        self._pipe.close_write()
        try:
            await asyncio.to_thread(self._process.wait, _KILL_AFTER)
        except subprocess.TimeoutExpired:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
        self._pipe.close()


def _start_on_windows(
    arguments: list[str], pipe: _Pipe, environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    import msvcrt  # noqa: PLC0415 - exists on Windows only

    handles = []
    for descriptor in (pipe.child_read, pipe.child_write):
        handle = msvcrt.get_osfhandle(descriptor)  # type: ignore[attr-defined,unused-ignore]
        os.set_handle_inheritable(handle, True)  # type: ignore[attr-defined,unused-ignore]
        handles.append(handle)
    startup = subprocess.STARTUPINFO()  # type: ignore[attr-defined,unused-ignore]
    startup.lpAttributeList = {"handle_list": handles}
    return subprocess.Popen(  # noqa: S603 - our own executable with fixed arguments
        [*arguments, "--pipe", ",".join(str(handle) for handle in handles)],
        startupinfo=startup,
        close_fds=False,
        env=environment,
    )


def _write_all(pipe: _Pipe, frame: bytes) -> None:
    view = memoryview(frame)
    # When the vault died, its silence is reported by whoever reads.
    with contextlib.suppress(BrokenPipeError):
        while view:
            view = view[os.write(pipe.write_end, view) :]
