"""Frames on the pipe between window and vault, without the pipe: bytes in, messages out.

A frame is a length (u32, little endian) and that many bytes of one UTF-8 JSON object, at most
16 MiB. The messages themselves are in `messages`.
"""

import struct
from typing import Final, Generic, TypeVar

from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer.messages import (
    REPLIES,
    REQUESTS,
    Message,
    Reply,
    Request,
    from_json,
    to_json,
)

MAX_FRAME: Final = 16 * 1024 * 1024
_LENGTH: Final = struct.Struct("<I")

M = TypeVar("M")


def encode(message: Message) -> bytes:
    """Return the frame of a message; ParseError when it breaks a limit of its fields or 16 MiB."""
    payload = to_json(message)
    if len(payload) > MAX_FRAME:
        raise ParseError("A message for the vault is too large to be sent.")
    return _LENGTH.pack(len(payload)) + payload


def decode(frame: bytes, expected: tuple[type[M], ...]) -> M:
    """Read exactly one frame of one of the `expected` classes (`REQUESTS`, `REPLIES`)."""
    decoder = FrameDecoder(expected)
    messages = decoder.receive_data(frame)
    decoder.receive_eof()
    if len(messages) != 1:
        raise ParseError("One message of the vault pipe was expected.")
    return messages[0]


class FrameDecoder(Generic[M]):
    """Collects bytes as they come from the pipe and gives the messages that are complete.

    `expected` are the message classes that this side may receive; anything else is a ParseError.
    After an error every further call raises too: the other side can no longer be understood.
    """

    def __init__(self, expected: tuple[type[M], ...]) -> None:
        self._expected = expected
        self._buffer = bytearray()
        self._failed = False

    def receive_data(self, data: bytes) -> list[M]:
        """Take bytes, return the messages that they complete, in order. Raises ParseError."""
        if self._failed:
            raise ParseError("The vault pipe is out of step.")
        self._buffer += data
        messages: list[M] = []
        try:
            while (payload := self._next_payload()) is not None:
                messages.append(from_json(payload, self._expected))
        except ParseError:
            self._failed = True
            self._buffer.clear()
            raise
        return messages

    def receive_eof(self) -> None:
        """Note the end of the pipe; raises ParseError when it cuts a message off."""
        if self._failed or self._buffer:
            self._failed = True
            raise ParseError("The vault pipe ended inside a message.")

    def _next_payload(self) -> bytes | None:
        if len(self._buffer) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer)
        if length > MAX_FRAME:  # known from four bytes on: nothing is collected for it
            raise ParseError("A message of the vault pipe is too large.")
        end = _LENGTH.size + length
        if len(self._buffer) < end:
            return None
        payload = bytes(self._buffer[_LENGTH.size : end])
        del self._buffer[:end]
        return payload


def request_decoder() -> FrameDecoder[Request]:
    """Return a decoder for the vault, which reads requests only."""
    return FrameDecoder(REQUESTS)


def reply_decoder() -> FrameDecoder[Reply]:
    """Return a decoder for the window, which reads replies only."""
    return FrameDecoder(REPLIES)
