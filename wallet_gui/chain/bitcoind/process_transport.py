"""The pipes of a program as an asyncio transport, and what it says on its standard error."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Callable, Sequence
from typing import Final

from wallet_gui.chain.bitcoind.channel import deliver
from wallet_gui.program_start import foreign_environment

_GRACE: Final = 1.0  # seconds that a program has to send what it was given, after its input ended
_MOST_LINES: Final = 2000
_MOST_OF_A_LINE: Final = 1000
_NO_WINDOW: Final[int] = getattr(subprocess, "CREATE_NO_WINDOW", 0)


class ProcessTransport(asyncio.SubprocessProtocol, asyncio.Transport):
    """A running program: `write` feeds its input, its output goes to the protocol."""

    def __init__(self, protocol: asyncio.BaseProtocol, on_line: Callable[[str], None]) -> None:
        """`on_line` gets each line of the standard error, without its end."""
        asyncio.Transport.__init__(self)
        self._protocol = protocol
        self._on_line = on_line
        self._said = b""
        self._lines = 0
        self._process: asyncio.SubprocessTransport | None = None
        self._input: asyncio.WriteTransport | None = None
        self._output: asyncio.ReadTransport | None = None
        self._is_closing = False
        self.ended: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        """The exit status, when the program and its pipes have ended."""

    async def start(self, arguments: Sequence[str]) -> None:
        """Run the program; raises OSError. No shell is involved."""
        await asyncio.get_running_loop().subprocess_exec(
            lambda: self,
            *arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**foreign_environment(), "LC_ALL": "C"},
            start_new_session=os.name == "posix",  # Ctrl-C in our terminal is not meant for it
            creationflags=_NO_WINDOW,
        )

    async def wait(self) -> None:
        """Return when it has ended, and its pipes too."""
        await asyncio.wait([self.ended])

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the pipes."""
        if not isinstance(transport, asyncio.SubprocessTransport):
            raise TypeError(type(transport).__name__)
        self._process = transport
        writer, reader = transport.get_pipe_transport(0), transport.get_pipe_transport(1)
        self._input = writer if isinstance(writer, asyncio.WriteTransport) else None
        self._output = reader if isinstance(reader, asyncio.ReadTransport) else None
        self._protocol.connection_made(self)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Hand on output; take lines apart."""
        if fd == 1:
            self._deliver(data)
            return
        *lines, self._said = re.split(rb"\r?\n", self._said + data)
        self._said = self._said[-_MOST_OF_A_LINE:]
        for line in lines:
            self._tell(line)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """Hand on the end of the output; a program that does not read is of no use."""
        del exc
        if fd == 1:
            if isinstance(self._protocol, asyncio.Protocol | asyncio.BufferedProtocol):
                self._protocol.eof_received()
            self.close()

    def process_exited(self) -> None:
        """Wait for the rest of the pipes: `connection_lost` follows."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        if self._said:
            self._tell(self._said)
        self._is_closing = True
        status = None
        if self._process is not None:
            status = self._process.get_returncode()
            self._process.close()
        if not self.ended.done():
            self.ended.set_result(status)
        self._protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        """Hand on that there is no room."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Hand on that there is room again."""
        self._protocol.resume_writing()

    # What a protocol calls

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Give everything to another protocol from now on."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Tell who gets it."""
        return self._protocol

    def is_closing(self) -> bool:
        """Whether nothing can be written any more."""
        return self._is_closing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Feed the program."""
        if data and self._input is not None and not self._is_closing:
            self._input.write(data)

    def get_write_buffer_size(self) -> int:
        """Tell how many bytes wait for the program."""
        return 0 if self._input is None else self._input.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Say when writers are to wait."""
        if self._input is not None:
            self._input.set_write_buffer_limits(high, low)

    def pause_reading(self) -> None:
        """Take no more output for now."""
        if self._output is not None and not self._output.is_closing():
            self._output.pause_reading()

    def resume_reading(self) -> None:
        """Go on."""
        if self._output is not None and not self._output.is_closing():
            self._output.resume_reading()

    def close(self) -> None:
        """End its input, and the program soon after."""
        if self._is_closing or self._process is None:
            return
        self._is_closing = True
        if self._input is not None:
            self._input.close()
        asyncio.get_running_loop().call_later(_GRACE, self._end)

    def abort(self) -> None:
        """End the program at once."""
        self._is_closing = True
        self._end()

    def _end(self) -> None:
        if self._process is None or self.ended.done():
            return
        self._kill(self._process)
        # What the program has started (a ProxyCommand, say) may hold the other ends for ever.
        for number in (0, 1, 2):
            pipe = self._process.get_pipe_transport(number)
            if not isinstance(pipe, asyncio.WriteTransport):
                if pipe is not None:
                    pipe.close()
            elif not pipe.is_closing() or pipe.get_write_buffer_size():
                pipe.abort()

    def _kill(self, process: asyncio.SubprocessTransport) -> None:
        if process.get_returncode() is not None:
            return
        if os.name != "posix":
            process.kill()
            return
        # Not `kill`, which asks first whether the program has ended, and so takes the status of
        # one that just has from asyncio, which makes up another.
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.get_pid(), signal.SIGKILL)

    def _deliver(self, data: bytes) -> None:
        protocol = self._protocol
        if isinstance(protocol, asyncio.Protocol | asyncio.BufferedProtocol):
            deliver(protocol, data)

    def _tell(self, line: bytes) -> None:
        self._lines += 1
        if self._lines <= _MOST_LINES:
            self._on_line(line[:_MOST_OF_A_LINE].decode("utf-8", errors="replace"))
