"""What is in a package: opens the formats that we write, far enough to compare what they hold.

Formats: ar(5), tar(5), cpio's newc, ZIP, gzip (RFC 1952), xz, rpm 4 (lead, signature, header,
payload), squashfs by way of unsquashfs, ELF's table of sections.
"""

from __future__ import annotations

import gzip
import io
import lzma
import shutil
import stat
import struct
import subprocess
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Part:
    """One thing in a container: what is said about it (rights, owner, time...), what is in it."""

    name: str
    facts: str
    data: bytes = b""


def parts(data: bytes) -> list[Part] | None:
    """Return what a container holds, in its order; None when this is not one we can open."""
    for is_format, read in FORMATS:
        if is_format(data):
            try:
                return list(read(data))
            except _UNREADABLE:
                return None
    return None


def folder_parts(folder: Path) -> list[Part]:
    """Return what a folder holds, in the order of names. Times say nothing: they are of now."""
    found = []
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        facts = stat.filemode(mode)
        if path.is_symlink():
            facts += f" to {path.readlink()}"
        is_file = stat.S_ISREG(mode)
        found.append(
            Part(str(path.relative_to(folder)), facts, path.read_bytes() if is_file else b"")
        )
    return found


def section_at(data: bytes, offset: int) -> str:
    """Return the name of the section of an ELF file that an offset lies in, or nothing."""
    if data[:5] != b"\x7fELF\x02":
        return ""
    try:
        (table,) = struct.unpack_from("<Q", data, 40)
        size, count, names = struct.unpack_from("<HHH", data, 58)
        (text,) = struct.unpack_from("<Q", data, table + size * names + 24)
        for number in range(count):
            name, kind = struct.unpack_from("<II", data, table + size * number)
            start, length = struct.unpack_from("<QQ", data, table + size * number + 24)
            if kind != _NOBITS and start <= offset < start + length:
                end = data.index(b"\0", text + name)
                return data[text + name : end].decode("ascii", "replace")
    except (struct.error, ValueError):
        return ""
    return ""


_NOBITS = 8
_UNREADABLE = (
    EOFError,
    OSError,
    ValueError,
    struct.error,
    lzma.LZMAError,
    subprocess.CalledProcessError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)


def _ar(data: bytes) -> Iterator[Part]:
    at = 8
    while at + 60 <= len(data):
        header = data[at : at + 60]
        name, facts = header[:16].decode("ascii").rstrip(), header[16:48].decode("ascii")
        length = int(header[48:58])
        yield Part(name, " ".join(facts.split()), data[at + 60 : at + 60 + length])
        at += 60 + length + length % 2


def _tar(data: bytes) -> Iterator[Part]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isreg() else None
            facts = f"type {member.type!r} mode {member.mode:o} owner {member.uid}:{member.gid} "
            facts += f"({member.uname}:{member.gname}) time {member.mtime} {member.linkname}"
            yield Part(member.name, facts.rstrip(), b"" if file is None else file.read())


def _cpio(data: bytes) -> Iterator[Part]:
    at = 0
    while data[at : at + 5] == b"07070":
        fields = [int(data[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        _, mode, user, group, links, time, size, *_, name_size, _ = fields
        name = data[at + 110 : at + 109 + name_size].decode("utf-8", "surrogateescape")
        start = at + 110 + name_size + -(110 + name_size) % 4
        if name == "TRAILER!!!":
            return
        facts = f"{stat.filemode(mode)} owner {user}:{group} time {time} links {links}"
        yield Part(name, facts, data[start : start + size])
        at = start + size + -size % 4


def _zip(data: bytes) -> Iterator[Part]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for entry in archive.infolist():
            facts = f"time {entry.date_time} mode {entry.external_attr >> 16:o} "
            facts += f"method {entry.compress_type} extra {entry.extra.hex()}"
            yield Part(entry.filename, facts, archive.read(entry))


def _gzip(data: bytes) -> Iterator[Part]:
    yield Part("content", f"header {data[:10].hex()}", gzip.decompress(data))


def _xz(data: bytes) -> Iterator[Part]:
    yield Part("content", "", lzma.decompress(data))


def _rpm(data: bytes) -> Iterator[Part]:
    yield Part("lead", data[:96].hex())
    at = 96
    for kind in ("signature", "header"):
        count, length = struct.unpack_from(">II", data, at + 8)
        store = at + 16 + 16 * count
        entries = [struct.unpack_from(">IIII", data, at + 16 + 16 * i) for i in range(count)]
        ends = sorted({entry[2] for entry in entries} | {length})
        for tag, form, offset, number in entries:
            end = next(place for place in ends if place > offset)
            yield Part(f"{kind} tag {tag}", f"type {form} x {number}", data[store:][offset:end])
        at = store + length
        at += -at % 8 if kind == "signature" else 0
    yield Part("payload", "", data[at:])


def _appimage(data: bytes) -> Iterator[Part]:
    (table,) = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    end = table + size * count
    yield Part("runtime", "", data[:end])
    yield Part("image", "", data[end:])


def _squashfs(data: bytes) -> Iterator[Part]:
    program = shutil.which("unsquashfs")
    if program is None:
        raise OSError("unsquashfs is not here")
    with tempfile.TemporaryDirectory() as name:
        image = Path(name) / "image"
        image.write_bytes(data)
        line = [program, "-lln", "-UTC", str(image)]
        listed = subprocess.run(line, check=True, capture_output=True, text=True).stdout
        # The superblock's own time, which is in no list.
        yield Part("superblock", data[:96].hex())
        yield Part("list", "", listed.encode())
        folder = Path(name) / "folder"
        line = [program, "-no-progress", "-dest", str(folder), str(image)]
        subprocess.run(line, check=True, capture_output=True)
        yield from folder_parts(folder)


def _begins(*magic: bytes) -> Callable[[bytes], bool]:
    return lambda data: data.startswith(magic)


# The first that fits is the format.
FORMATS: tuple[tuple[Callable[[bytes], bool], Callable[[bytes], Iterator[Part]]], ...] = (
    (_begins(b"!<arch>\n"), _ar),
    (_begins(b"\xfd7zXZ\0"), _xz),
    (_begins(b"\x1f\x8b"), _gzip),
    (_begins(b"PK\x03\x04"), _zip),
    (_begins(b"070701", b"070702"), _cpio),
    (_begins(b"\xed\xab\xee\xdb"), _rpm),
    (_begins(b"hsqs"), _squashfs),
    (lambda data: data[:4] == b"\x7fELF" and data[8:11] == b"AI\x02", _appimage),
    (lambda data: data[257:262] == b"ustar", _tar),
)
