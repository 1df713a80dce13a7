"""The portable folder: unpacked anywhere and started from there, without installing anything."""

from __future__ import annotations

import io
import lzma
import shutil
import tarfile
from pathlib import Path

from installers import desktop_files
from installers.job import Job

DATA = desktop_files.DATA / "tarball"
# The first filter makes machine code of this processor smaller; xz and GNU tar undo it by
# themselves. Preset 9 would take half as long again for the same size.
_FILTERS = [
    {"id": lzma.FILTER_X86},
    {"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 64 << 20},
]


def build(job: Job) -> Path:
    """Write wallet-gui-VERSION-linux-x86_64.tar.xz with one folder wallet-gui-VERSION in it."""
    folder = job.work / f"wallet-gui-{job.version}"
    shutil.copytree(job.tree, folder, symlinks=True)
    shutil.copyfile(DATA / "README", folder / "README")
    script = folder / "add-to-menu.sh"
    shutil.copyfile(DATA / "add-to-menu.sh", script)
    script.chmod(0o755)
    desktop_files.place(folder / "share")
    target = job.output / f"{folder.name}-linux-x86_64.tar.xz"
    job.output.mkdir(parents=True, exist_ok=True)
    with lzma.open(target, "wb", format=lzma.FORMAT_XZ, filters=_FILTERS) as packed:
        packed.write(_tar(folder, job.epoch))
    return target


def _tar(folder: Path, epoch: int) -> bytes:
    """Return a tar of the folder in which only names and contents differ from file to file."""
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path in (folder, *sorted(folder.rglob("*"))):
            member = archive.gettarinfo(str(path), str(path.relative_to(folder.parent)))
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mtime = epoch
            starts = member.isdir() or member.mode & 0o100
            member.mode = 0o777 if member.issym() else 0o755 if starts else 0o644
            if member.isfile() or member.islnk():
                # Two names of one file in the folder are two files elsewhere.
                member.type, member.size = tarfile.REGTYPE, path.stat().st_size
                with path.open("rb") as file:
                    archive.addfile(member, file)
            else:
                archive.addfile(member)
    return memory.getvalue()
