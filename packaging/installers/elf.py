"""Where Linux looks for the libraries of a program: the path inside a file of the ELF format.

System V ABI, "Dynamic Section"; ld.so(8): DT_RPATH is looked at before LD_LIBRARY_PATH, DT_RUNPATH
after it. Only files for 64 bits, little-endian: x86-64 and AArch64.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

MAGIC = b"\x7fELF\x02\x01"
PT_LOAD, PT_DYNAMIC = 1, 2
DT_NULL, DT_NEEDED, DT_STRTAB, DT_RPATH, DT_RUNPATH = 0, 1, 5, 15, 29


def files(folder: Path) -> list[Path]:
    """List the programs and libraries in a folder, in order."""
    return sorted(path for path in folder.rglob("*") if is_elf(path))


def search_paths(path: Path) -> list[tuple[int, str]]:
    """Return the search paths in a file: DT_RPATH or DT_RUNPATH, and the path."""
    return [(tag, text) for _, tag, text in _entries(path.read_bytes()) if tag != DT_NEEDED]


def needed(path: Path) -> list[str]:
    """Return the names of the libraries that a file is loaded with."""
    return [text for _, tag, text in _entries(path.read_bytes()) if tag == DT_NEEDED]


def look_inside_first(path: Path) -> None:
    """Have a file's libraries looked for beside it before LD_LIBRARY_PATH, and nowhere else.

    A path that is not relative to the file's place (`$ORIGIN`) is one of the machine that built it,
    and is taken out.
    """
    data = bytearray(path.read_bytes())
    before = bytes(data)
    for offset, tag, text in list(_entries(data)):
        if tag == DT_NEEDED:
            continue
        if all(part.startswith("$ORIGIN") for part in text.split(":")):
            struct.pack_into("<q", data, offset, DT_RPATH)
        else:
            # The first string of every table is the empty one, which stands for no path.
            struct.pack_into("<qQ", data, offset, DT_RPATH, 0)
    if data != before:
        path.write_bytes(data)


def is_elf(path: Path) -> bool:
    """Tell whether a file is of the format."""
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def _entries(data: bytes | bytearray) -> Iterator[tuple[int, int, str]]:
    """Yield each search path and needed library: the entry's place in the file, tag and text."""
    (headers,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    segments = [
        struct.unpack_from("<IIQQQQ", data, headers + number * size) for number in range(count)
    ]
    table: list[tuple[int, int, int]] = []
    for kind, _, offset, _, _, length in segments:
        if kind == PT_DYNAMIC:
            for place in range(offset, offset + length, 16):
                tag, value = struct.unpack_from("<qQ", data, place)
                if tag == DT_NULL:
                    break
                table.append((place, tag, value))
    strings = next((value for _, tag, value in table if tag == DT_STRTAB), None)
    if strings is None:
        return
    # An address, of which the segments tell where in the file it lies.
    start = next(
        offset + strings - address
        for kind, _, offset, address, _, length in segments
        if kind == PT_LOAD and address <= strings < address + length
    )
    for place, tag, value in table:
        if tag in (DT_NEEDED, DT_RPATH, DT_RUNPATH):
            end = data.index(b"\0", start + value)
            text = bytes(data[start + value : end]).decode()
            if text:
                yield place, tag, text
