"""Receive buffers that are used again.

Filters stay where they were received for as long as somebody needs them, so buffers come and go by
the hundred. New memory has to be zeroed and brought in page by page, which costs as much as
receiving into it: what nobody holds any more is kept for the next one.
"""

import itertools
import weakref
from typing import Final

CAPACITY: Final = 1024 * 1024
MAX_FREE: Final = 16  # buffers kept for the next turns while a scan goes on


class ReceiveBuffers:
    """Lends views of `CAPACITY` writable bytes, whatever they hold; may be called in any thread.

    A buffer is free again when its view is gone and nobody has made another one of it meanwhile.
    """

    def __init__(self) -> None:
        self._free: list[bytearray] = []
        self._lent: dict[int, weakref.ref[memoryview]] = {}
        self._numbers = itertools.count()

    def take(self) -> memoryview:
        """Lend a buffer."""
        try:
            buffer = self._free.pop()
        except IndexError:
            buffer = bytearray(CAPACITY)
        view = memoryview(buffer)
        number = next(self._numbers)
        self._lent[number] = weakref.ref(view, lambda _: self._returned(number, buffer))
        return view

    def clear(self) -> None:
        """Give the memory back: nothing is received in bulk any more."""
        self._free.clear()

    def _returned(self, number: int, buffer: bytearray) -> None:
        self._lent.pop(number, None)
        if len(self._free) >= MAX_FREE:
            return
        try:
            buffer.append(buffer.pop())  # refused while anybody looks into it
        except BufferError:
            return
        self._free.append(buffer)


SHARED: Final = ReceiveBuffers()
"""Those of all connections."""
