"""The bare Debian in which AppImage and RPM are made.

Compiler, static libraries, mksquashfs and rpmbuild are those of one release of Debian, whatever
this machine has: so their versions, and what they write, are the same everywhere.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from installers import bare_root

SUITE = "bookworm"
PACKAGES = (
    "gcc",
    "libc6-dev",
    "libfuse3-dev",
    "libsquashfuse-dev",
    "libzstd-dev",
    "rpm",
    "squashfs-tools",
)
# The folder in the root that everything happens in: the same in every build, for tools write it
# into what they make.
PLACE = "/build"


@contextlib.contextmanager
def entered(work: Path) -> Iterator[Path]:
    """Make the root below `work`, mount what it needs, and remove it at the end.

    Raises Missing with a sentence where that is not possible.
    """
    root = work / "tool-root"
    bare_root.create(root, SUITE, PACKAGES)
    try:
        with bare_root.mounted(root):
            (root / PLACE.lstrip("/")).mkdir()
            yield root
    finally:
        bare_root.remove(root)


def inside(root: Path) -> Path:
    """Return the folder of the work, as it is called out here."""
    return root / PLACE.lstrip("/")


def run(root: Path, command: list[str], epoch: int) -> str:
    """Run a program in the root; returns what it printed. Raises CalledProcessError."""
    settings = {"SOURCE_DATE_EPOCH": str(epoch), "TZ": "UTC", "LC_ALL": "C.UTF-8"}
    # The umask is inherited, and would show in what is packed.
    line = ["sh", "-c", 'umask 022; exec "$@"', "sh", *command]
    return bare_root.run(root, line, env=settings).stdout


def place_program(tree: Path, prefix: Path) -> None:
    """Copy the frozen folder to lib/wallet-gui below `prefix` and link it in bin."""
    shutil.copytree(tree, prefix / "lib" / "wallet-gui", symlinks=True)
    (prefix / "bin").mkdir()
    (prefix / "bin" / "wallet-gui").symlink_to("../lib/wallet-gui/wallet-gui")


def settle(folder: Path, epoch: int, *, libraries: int = 0o644) -> None:
    """Give everything one owner, one time, and modes that no umask has touched.

    The owner is root where this runs as root; dpkg-deb writes root in any case. `libraries` is the
    mode of shared libraries, which are loaded and not started.
    """
    for path in (*sorted(folder.rglob("*"), reverse=True), folder):
        if not path.is_symlink():
            starts = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(libraries if _is_library(path) else 0o755 if starts else 0o644)
        if os.geteuid() == 0:
            os.chown(path, 0, 0, follow_symlinks=False)
        os.utime(path, (epoch, epoch), follow_symlinks=False)


def _is_library(path: Path) -> bool:
    return ".so" in path.suffixes and path.is_file()
