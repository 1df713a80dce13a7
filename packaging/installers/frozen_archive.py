"""Reads which Python modules a program frozen by PyInstaller carries inside its executable.

Layout as written by PyInstaller 6 (`PyInstaller/archive/writers.py`): at the end of the executable
stands a cookie that points at a table of entries; one of them, of type `z`, is an archive of
modules with a marshalled table of its own. Only the tables are read, nothing is unpacked, so that
an executable for another system can be read, too.
"""

import marshal
import struct
from pathlib import Path
from typing import Final

_MAGIC: Final = b"MEI\014\013\012\013\016"
_COOKIE: Final = struct.Struct("!8sIIII64s")
"""Magic; length of the archive; offset and length of its table; Python version; its library."""
_ENTRY: Final = struct.Struct("!IIIIBc")
"""Length of this entry; offset, stored length, length; whether compressed; type. A name follows."""
_MODULES: Final = b"z"
_SCRIPTS: Final = frozenset({b"s", b"m", b"M"})
_MODULES_MAGIC: Final = b"PYZ\0"


class NotFrozen(Exception):
    """The file is no executable of PyInstaller, or one that this reader does not know."""


def module_names(executable: Path) -> tuple[list[str], list[str]]:
    """Return the names of the scripts and of the modules inside, sorted. Raises NotFrozen."""
    try:
        return _read(executable, executable.read_bytes())
    except (struct.error, ValueError, TypeError, IndexError, EOFError):
        raise _strange(executable) from None


def _strange(executable: Path) -> NotFrozen:
    return NotFrozen(f"The archive in {executable.name} is not laid out as expected.")


def _read(executable: Path, data: bytes) -> tuple[list[str], list[str]]:
    at = data.rfind(_MAGIC)
    if at < 0 or at + _COOKIE.size > len(data):
        raise NotFrozen(f"{executable.name} holds no archive of PyInstaller.")
    _, length, table_offset, table_length, _, _ = _COOKIE.unpack_from(data, at)
    start = at + _COOKIE.size - length
    position, end = start + table_offset, start + table_offset + table_length
    if not 0 <= start <= position <= end <= at:
        raise _strange(executable)
    scripts: list[str] = []
    modules: set[str] = set()
    while position < end:
        size, offset, stored, _, _, kind = _ENTRY.unpack_from(data, position)
        if size <= _ENTRY.size:
            raise _strange(executable)
        name = data[position + _ENTRY.size : position + size].rstrip(b"\0").decode()
        if kind in _SCRIPTS:
            scripts.append(name)
        elif kind == _MODULES:
            modules |= _modules_of(data[start + offset : start + offset + stored])
        position += size
    return sorted(scripts), sorted(modules)


def _modules_of(archive: bytes) -> set[str]:
    if not archive.startswith(_MODULES_MAGIC):
        raise NotFrozen("The archive of modules does not begin as expected.")
    (offset,) = struct.unpack_from("!I", archive, len(_MODULES_MAGIC) + 4)
    # Trusted: it is our own build, read on the machine that made it.
    table = marshal.loads(archive[offset:])  # noqa: S302
    return {str(entry[0]) for entry in table}
