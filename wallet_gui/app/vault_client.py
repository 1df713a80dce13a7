"""Starts the vault process and speaks to it over an inherited pipe: one request, one reply.

The vault is started anew for each request and ends with its reply, so that the operating system
takes back every page that held a secret. Nothing secret is in its arguments or its environment.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import wallet_gui
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer.messages import Cancelled, Failed, FailureKind, Progress, Reply, Request
from wallet_gui.transfer.pipe import encode, reply_decoder

R = TypeVar("R")
_CHUNK = 1 << 16
_KILL_AFTER = 5.0


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

    `command` takes the place of this program's own command line, for tests that start a vault
    whose password checks are cheap (tests/vault_with_cheap_kdf.py).
    """

    def __init__(self, *, headless: bool = False, command: tuple[str, ...] = ()) -> None:
        self._headless = headless
        self._command = command

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
        frame = encode(request)
        pipe = _Pipe.make()
        process: subprocess.Popen[bytes] | None = None
        try:
            # Starting a process takes a fork and an exec: not on the loop that serves peers.
            process = await asyncio.to_thread(self._start, pipe)
            pipe.close_child()
            reading = asyncio.create_task(_read_replies(pipe, on_progress))
            try:
                await asyncio.to_thread(_write_all, pipe, frame)
                reply = await reading
            finally:
                if not reading.done():
                    # Its death ends the pipe, and with it the thread that reads from it.
                    process.kill()
                    await asyncio.wait([reading])
        finally:
            if process is not None:
                await _reap(process)
            pipe.close()
        if isinstance(reply, expected):
            return reply
        if isinstance(reply, Cancelled):
            raise VaultCancelled
        if isinstance(reply, Failed):
            raise VaultRefused(reply.kind, reply.sentence)
        raise VaultError("The vault ended without an answer. Nothing was changed; try again.")

    def _start(self, pipe: _Pipe) -> subprocess.Popen[bytes]:
        if self._command:
            command = list(self._command)
        elif getattr(sys, "frozen", False):
            command = [sys.executable]
        else:
            command = [sys.executable, "-m", "wallet_gui"]
        environment = dict(os.environ)
        if not getattr(sys, "frozen", False):
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
    try:
        while view:
            written = os.write(pipe.write_end, view)
            view = view[written:]
    except BrokenPipeError:
        # The vault died; its silence is reported when reading.
        return
    pipe.close_write()


async def _read_replies(
    pipe: _Pipe, on_progress: Callable[[Progress], None] | None
) -> Reply | None:
    decoder = reply_decoder()
    while True:
        data = await asyncio.to_thread(os.read, pipe.read_end, _CHUNK)
        if not data:
            return None
        try:
            replies = decoder.receive_data(data)
        except ParseError as error:
            raise VaultError(
                "The vault answered something that could not be read. Nothing was changed."
            ) from error
        for reply in replies:
            if not isinstance(reply, Progress):
                return reply
            if on_progress is not None:
                on_progress(reply)


async def _reap(process: subprocess.Popen[bytes]) -> None:
    try:
        await asyncio.to_thread(process.wait, _KILL_AFTER)
    except subprocess.TimeoutExpired:
        process.kill()
        await asyncio.to_thread(process.wait)
