"""Shows that a signed setup program is the unsigned one, and nothing was added but the signature.

    python3 packaging/installers/authenticode.py SIGNED UNSIGNED

Windows' signatures (Authenticode, PE format, "The Attribute Certificate Table") lie at the end of
a file; two numbers in its head say where, and a third is a sum over the whole file. What is built
here has that sum already and ends where a signature may begin, so that taking a signature away
gives the built file again, byte by byte.
"""

from __future__ import annotations

import hashlib
import struct
import sys
from pathlib import Path

_ALIGNED = 8


class NotAProgram(Exception):
    """The file has not the format of a Windows program; the text says what is wrong."""


def ready_to_be_signed(program: bytes) -> bytes:
    """Return the program with its end aligned and its sum set, as a signer would do."""
    head = _Head(program)
    if head.certificates != (0, 0):
        raise NotAProgram("The program is signed already.")
    return _with_sum(program + bytes(-len(program) % _ALIGNED), head)


def without_signature(program: bytes) -> bytes:
    """Return the program as it was before it was signed."""
    head = _Head(program)
    place, size = head.certificates
    if (place, size) == (0, 0):
        return program
    if place + size != len(program) or place <= head.directory:
        raise NotAProgram("Something follows the signature, or it lies inside of the program.")
    bare = bytearray(program[:place])
    struct.pack_into("<II", bare, head.directory, 0, 0)
    return _with_sum(bytes(bare), head)


class _Head:
    """Where the three numbers stand in a program, and what the signature's are."""

    def __init__(self, program: bytes) -> None:
        try:
            (start,) = struct.unpack_from("<I", program, 0x3C)
            (kind,) = struct.unpack_from("<H", program, start + 24)
            is_program = program[:2] == b"MZ" and program[start : start + 4] == b"PE\0\0"
            self.sum = start + 24 + 64
            # Of the list of directories, which begins later in programs of 64 bits, the fifth.
            self.directory = start + 24 + {0x10B: 96, 0x20B: 112}[kind] + 4 * 8
            self.certificates: tuple[int, int] = struct.unpack_from("<II", program, self.directory)
        except (struct.error, KeyError):
            is_program = False
        if not is_program:
            raise NotAProgram("This is no program for Windows.")


def _with_sum(program: bytes, head: _Head) -> bytes:
    """Return the program with the sum of IMAGEHLP's CheckSumMappedFile in its place."""
    made = bytearray(program)
    struct.pack_into("<I", made, head.sum, 0)
    even = bytes(made) + bytes(len(made) % 2)
    # 16 bits at a time with the carry added again, which is what is left of dividing by 65535.
    total = sum(struct.unpack(f"<{len(even) // 2}H", even))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    struct.pack_into("<I", made, head.sum, total + len(made))
    return bytes(made)


def main(arguments: list[str]) -> int:
    """Compare; 0 when the two are the same program, 1 when not, 2 when they cannot be read."""
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        signed, unsigned = (without_signature(Path(name).read_bytes()) for name in arguments)
    except (OSError, NotAProgram) as error:
        print(error, file=sys.stderr)
        return 2
    for name, program in zip(arguments, (signed, unsigned), strict=True):
        print(f"{hashlib.sha256(program).hexdigest()}  {name} without its signature")
    print("The same program." if signed == unsigned else "These are two different programs.")
    return 0 if signed == unsigned else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
