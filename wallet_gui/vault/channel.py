"""The vault's end of the pipe: one request comes in, progress and one reply go out."""

import os
import sys
from dataclasses import dataclass
from typing import Final, Self

from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer.messages import Progress, Reply, Request
from wallet_gui.transfer.pipe import encode, request_decoder
from wallet_gui.windows_system import broken_pipes

_CHUNK: Final = 1 << 16


@dataclass(slots=True)
class Channel:
    """Descriptors of the two pipes. Blocking, for one thread at a time."""

    read_end: int
    write_end: int

    @classmethod
    def from_argument(cls, text: str) -> Self:
        """Take "IN,OUT": inherited descriptors on POSIX, handles on Windows. ValueError else."""
        numbers = text.split(",")
        if len(numbers) != 2 or not all(number.isdecimal() for number in numbers):
            raise ValueError("--pipe takes two numbers, IN,OUT")
        read_end, write_end = (int(number) for number in numbers)
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415 - exists on Windows only

            try:
                read_end = msvcrt.open_osfhandle(read_end, os.O_RDONLY | os.O_BINARY)
                write_end = msvcrt.open_osfhandle(write_end, os.O_WRONLY | os.O_BINARY)
            except OSError:
                raise ValueError("--pipe names handles that are not open") from None
            return cls(read_end, write_end)
        for descriptor in (read_end, write_end):
            try:
                os.set_inheritable(descriptor, False)
            except (OSError, OverflowError):
                raise ValueError("--pipe names descriptors that are not open") from None
        return cls(read_end, write_end)

    def receive(self) -> Request | None:
        """Wait for the request; None when the window went away without one. Raises ParseError."""
        decoder = request_decoder()
        while data := os.read(self.read_end, _CHUNK):
            requests = decoder.receive_data(data)
            if len(requests) > 1:
                raise ParseError("The vault answers one request.")
            if requests:
                return requests[0]
        decoder.receive_eof()
        return None

    def send(self, reply: Reply) -> bool:
        """Write one frame; False when nobody reads any more."""
        view = memoryview(encode(reply))
        try:
            with broken_pipes():
                while view:
                    view = view[os.write(self.write_end, view) :]
        except BrokenPipeError:
            return False
        return True

    def progress(self, step: str, fraction: float | None = None) -> None:
        """Tell how a long step goes on."""
        self.send(Progress(step, fraction))
