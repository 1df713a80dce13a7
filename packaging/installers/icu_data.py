"""Leaves out of ICU's data what neither Qt nor the program asks for: of 32 MB, 2 are left.

Qt comes with the data of every language: names of countries, currencies and units, rules to break
and to spell out, tables of old encodings. Of ICU it calls comparing, upper and lower case (whose
tables are code), old encodings and the names of time zones; for dates and numbers it has its own
data, and the program is in English and writes UTF-8. What is missing falls back to the root
locale, as ICU does for any language that it does not know.

The layout is that of ICU's .dat files (ICU, source/common/ucmndata.h and udata.h), found in the
library under the one name that it exports, and written back under it.
"""

from __future__ import annotations

import re
import struct
import subprocess
from pathlib import Path

# A header says what it is: its size, two magic bytes, then a record of 20 bytes with "CmnD" in it.
HEADER = re.compile(rb"..\xda\x27\x14\x00\x00\x00\x00\x00\x02\x00CmnD", re.DOTALL)
ALIGNMENT = 16

# What is kept, as patterns of the names within the data.
KEPT = (
    r"(root|en|pool|res_index|supplementalData|likelySubtags|keyTypeData|icuver)\.res",
    r"(zoneinfo64|timezoneTypes|metaZones|windowsZones|numberingSystems|dayPeriods)\.res",
    r"[\w-]+\.nrm",  # normalizing, which comparing stands on
    r"coll/(root|en|pool|res_index)\.res",
    r"coll/ucadata\.icu",
    r"zone/(root|en|en_001|pool|res_index|tzdbNames)\.res",
    r"cnvalias\.icu",  # the names of encodings, of which the usual ones are code
)

ASSEMBLER = """\
    .section .rodata, "a"
    .globl {symbol}
    .type {symbol}, @object
    .balign 16
{symbol}:
    .incbin "{data}"
    .size {symbol}, . - {symbol}
    .section .note.GNU-stack, "", @progbits
"""


def trim(library: Path, work: Path, compiler: str) -> None:
    """Write a library of ICU data anew without what is not kept; `work` is an empty folder.

    Raises ValueError when the file is not what is expected.
    """
    version = library.name.rpartition(".so.")[2]
    data = work / "icu.dat"
    data.write_bytes(_kept(_data(library.read_bytes())))
    source = work / "icu.S"
    source.write_text(
        ASSEMBLER.format(symbol=f"icudt{version}_dat", data=data.name), encoding="ascii"
    )
    made = work / library.name
    subprocess.run(
        [
            *(compiler, "-shared", "-nostdlib", f"-Wl,-soname,{library.name}", "-Wl,-s"),
            *("-Wl,-z,relro,-z,now,-z,noexecstack", "-Wl,--build-id=none"),
            *("-o", made.name, source.name),
        ],
        cwd=work,
        check=True,
    )
    library.write_bytes(made.read_bytes())


def names(data: bytes) -> list[str]:
    """List the names of what is in a library or in a .dat file."""
    return [name for name, _ in _items(_data(data))]


def _data(library: bytes) -> bytes:
    """Return the .dat file in a library: from its header on."""
    found = HEADER.search(library)
    if found is None:
        raise ValueError("There is no ICU data in the library.")
    return library[found.start() :]


def _items(data: bytes) -> list[tuple[str, bytes]]:
    """Return names and contents, in order; the end of the last one is not known exactly."""
    (start,) = struct.unpack_from("<H", data)
    (count,) = struct.unpack_from("<I", data, start)
    entries = [struct.unpack_from("<II", data, start + 4 + 8 * number) for number in range(count)]
    ends = [offset for _, offset in entries[1:]] + [len(data) - start]
    items = []
    for (place, offset), end in zip(entries, ends, strict=True):
        stop = data.index(b"\0", start + place)
        items.append(
            (data[start + place : stop].decode("ascii"), data[start + offset : start + end])
        )
    return items


def _kept(data: bytes) -> bytes:
    (start,) = struct.unpack_from("<H", data)
    everything = _items(data)
    kept = [
        (name, content)
        # The last is a table of time zones; without knowing its end it could not be written.
        for name, content in everything[:-1]
        if any(re.fullmatch(pattern, name.partition("/")[2]) for pattern in KEPT)
    ]
    for pattern in KEPT:
        if not any(re.fullmatch(pattern, name.partition("/")[2]) for name, _ in kept):
            raise ValueError(f"There is no {pattern} in the ICU data.")
    place = 4 + 8 * len(kept)
    texts = b"".join(name.encode("ascii") + b"\0" for name, _ in kept)
    offset = _aligned(place + len(texts))
    table, contents = struct.pack("<I", len(kept)), b""
    for name, content in kept:
        table += struct.pack("<II", place, offset + len(contents))
        place += len(name) + 1
        contents += content + bytes(_aligned(len(content)) - len(content))
    body = table + texts
    return data[:start] + body + bytes(offset - len(body)) + contents


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
