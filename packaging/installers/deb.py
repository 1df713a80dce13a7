"""The package for Debian and its relatives, built by dpkg-deb from the frozen folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import textwrap
from pathlib import Path

from installers import desktop_files, shared_libraries, system_package, tool_root
from installers.job import Job, Missing

DATA = desktop_files.DATA / "deb"
ARCHITECTURE = "amd64"
MAINTAINER = system_package.MAINTAINER
# The names in the order bookworm, trixie where the change to 64-bit times renamed a package.
LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libGLX.so.0": "libglx0",
    "libICE.so.6": "libice6",
    "libOpenGL.so.0": "libopengl0",
    "libSM.so.6": "libsm6",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libX11.so.6": "libx11-6",
    "libbz2.so.1.0": "libbz2-1.0",
    "libcups.so.2": "libcups2t64 | libcups2",
    "libdbus-1.so.3": "libdbus-1-3",
    "libdrm.so.2": "libdrm2",
    "libexpat.so.1": "libexpat1",
    "libffi.so.8": "libffi8",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libgcc_s.so.1": "libgcc-s1",
    "libgio-2.0.so.0": "libglib2.0-0t64 | libglib2.0-0",
    "libglib-2.0.so.0": "libglib2.0-0t64 | libglib2.0-0",
    "libgmodule-2.0.so.0": "libglib2.0-0t64 | libglib2.0-0",
    "libgobject-2.0.so.0": "libglib2.0-0t64 | libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0t64 | libglib2.0-0",
    "libharfbuzz.so.0": "libharfbuzz0b",
    "liblzma.so.5": "liblzma5",
    "libpng16.so.16": "libpng16-16t64 | libpng16-16",
    "libstdc++.so.6": "libstdc++6",
    "libuuid.so.1": "libuuid1",
    "libwayland-client.so.0": "libwayland-client0",
    "libwayland-cursor.so.0": "libwayland-cursor0",
    "libwayland-egl.so.1": "libwayland-egl1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-glx.so.0": "libxcb-glx0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-util.so.1": "libxcb-util1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxcb.so.1": "libxcb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libz.so.1": "zlib1g",
    "libzstd.so.1": "libzstd1",
}
_GLIBC = frozenset(
    f"lib{name}.so.{number}"
    for name, number in (
        *(("anl", 1), ("c", 6), ("dl", 2), ("m", 6), ("pthread", 0)),
        *(("resolv", 2), ("rt", 1), ("util", 1)),
    )
) | {"ld-linux-x86-64.so.2"}
# What libxkbcommon, which is in the folder, reads keyboards from.
DATA_PACKAGES = ("xkb-data",)
# These make the desktop know the entries and the type of file, have the icon found, and open links.
RECOMMENDS = ("desktop-file-utils", "hicolor-icon-theme", "shared-mime-info", "xdg-utils")
# For "--ssh system", and for a proxy through which everything can go.
SUGGESTS = ("openssh-client", "tor")


def build(job: Job) -> Path:
    """Write wallet-gui_VERSION_amd64.deb.

    Raises Missing where dpkg-deb is not installed, ValueError when the folder needs a
    library that no package is known for.
    """
    if shutil.which("dpkg-deb") is None:
        raise Missing("dpkg-deb is not installed: please install Debian's package dpkg.")
    needs = shared_libraries.outside(job.tree)
    root = job.work / "root"
    tool_root.place_program(job.tree, root / "usr")
    share = root / "usr/share"
    desktop_files.place(share)
    system_package.compress(share / "man/man1/wallet-gui.1")
    _place_documents(share, job)
    _write_control(root, job, needs)
    tool_root.settle(root, job.epoch)
    target = job.output / f"wallet-gui_{job.version}_{ARCHITECTURE}.deb"
    job.output.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Zxz", "-z6", "--build", str(root), str(target)],
        check=True,
        stdout=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], "SOURCE_DATE_EPOCH": str(job.epoch), "LC_ALL": "C"},
    )
    return target


def dependencies(needs: shared_libraries.Needs) -> list[str]:
    """Return the packages, sorted, that have what the folder takes from the system.

    Raises ValueError for a soname that is in no package known here.
    """
    unknown = sorted(needs.sonames - _GLIBC - set(LIBRARIES))
    if unknown:
        raise ValueError(
            f"No Debian package is known for {', '.join(unknown)}: name it in "
            "packaging/installers/deb.py, or keep the library in the frozen folder."
        )
    found = {LIBRARIES[soname] for soname in needs.sonames - _GLIBC}
    version = ".".join(map(str, needs.glibc))
    return [f"libc6 (>= {version})" if version else "libc6", *sorted(found.union(DATA_PACKAGES))]


def _place_documents(share: Path, job: Job) -> None:
    documents = share / "doc" / "wallet-gui"
    system_package.place_documents(documents)
    shutil.copyfile(DATA / "copyright", documents / "copyright")
    (documents / "changelog").write_text(_changelog(job), encoding="utf-8")
    system_package.compress(documents / "changelog")
    overrides = share / "lintian" / "overrides" / "wallet-gui"
    overrides.parent.mkdir(parents=True)
    shutil.copyfile(DATA / "lintian-overrides", overrides)


def _changelog(job: Job) -> str:
    """Return the releases in Debian's form."""
    parts = []
    for entry in system_package.releases(job):
        version, day = system_package.sortable_version(entry.version), system_package.day_of(entry)
        parts.append(f"wallet-gui ({version}) stable; urgency=medium\n\n")
        parts += [
            textwrap.fill(line, 76, initial_indent="  * ", subsequent_indent="    ") + "\n"
            for line in entry.lines
        ]
        parts.append(f"\n -- {MAINTAINER}  {day:%a, %d %b %Y %H:%M:%S} +0000\n\n")
    return "".join(parts).rstrip("\n") + "\n"


def _write_control(root: Path, job: Job, needs: shared_libraries.Needs) -> None:
    folder = root / "DEBIAN"
    # As dpkg counts: files in whole KiB, everything else one each.
    entries = [path for path in root.rglob("*") if path != folder]
    size = sum(
        -(-path.stat().st_size // 1024) if path.is_file() and not path.is_symlink() else 1
        for path in entries
    )
    homepage = f"Homepage: {desktop_files.HOMEPAGE}/\n" if desktop_files.HOMEPAGE else ""
    fields = {
        "VERSION": system_package.sortable_version(job.version),
        "ARCHITECTURE": ARCHITECTURE,
        "MAINTAINER": MAINTAINER,
        "SIZE": str(size),
        "DEPENDS": ", ".join(dependencies(needs)),
        "RECOMMENDS": ", ".join(RECOMMENDS),
        "SUGGESTS": ", ".join(SUGGESTS),
    }
    text = (DATA / "control").read_text(encoding="utf-8")
    for name, value in fields.items():
        text = text.replace(f"@{name}@", value)
    folder.mkdir()
    (folder / "control").write_text(text.replace("@HOMEPAGE@\n", homepage), encoding="utf-8")
    sums = [
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}"
        f"  {path.relative_to(root)}\n"
        for path in sorted(entries)
        if path.is_file() and not path.is_symlink()
    ]
    (folder / "md5sums").write_text("".join(sums), encoding="utf-8")
