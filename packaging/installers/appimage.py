"""The AppImage: one file that is the whole program, to be made executable and started.

It is our own small runtime (packaging/linux/appimage_runtime), compiled here, with a squashfs image
of the frozen folder behind it: AppImage type 2 of https://github.com/AppImage/AppImageSpec.
"""

from __future__ import annotations

import shutil
import struct
import zlib
from pathlib import Path

from installers import desktop_files, tool_root
from installers.job import Job

SOURCES = desktop_files.DATA / "appimage_runtime"
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wformat=2", "-Wshadow", "-Wconversion")
HARDENING = (
    "-D_FORTIFY_SOURCE=2",
    "-fstack-protector-strong",
    "-fstack-clash-protection",
    "-fcf-protection",
    "-fPIE",
    "-static-pie",
    "-Wl,-z,relro,-z,now,-z,noexecstack",
)
# Nothing of this build in the program but what was compiled: no paths, no number, no symbols.
PLAIN = (f"-ffile-prefix-map={tool_root.PLACE}=.", "-Wl,--build-id=none", "-s")
SMALL = ("-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections")
LIBRARIES = ("-lsquashfuse", "-lfuse3", "-lzstd")
# Debian's packages whose code is in the runtime, for their licences.
LINKED = ("libc6-dev", "libfuse3-dev", "libsquashfuse-dev", "libzstd-dev")

# Bytes 8 to 10 of the file: AppImage, type 2.
MAGIC_OFFSET, MAGIC = 8, b"AI\x02"
# Where the runtime keeps the checksum of the image's tables.
MARK = b"IMAGE CRC32\0"
ICON_SIZE = "256x256"


def build(job: Job) -> Path:
    """Write wallet-gui-VERSION-x86_64.AppImage.

    Raises Missing where no bare Debian can be made.
    """
    target = job.output / f"wallet-gui-{job.version}-x86_64.AppImage"
    job.output.mkdir(parents=True, exist_ok=True)
    with tool_root.entered(job.work) as root:
        folder = tool_root.inside(root) / "AppDir"
        lay_out(job.tree, folder)
        place_licences(root, folder / "usr/share/doc/wallet-gui/runtime")
        tool_root.settle(folder, job.epoch)
        runtime = compile_runtime(root, job.version, job.epoch)
        image = pack(root, folder, job.epoch).read_bytes()
    write(target, seal(runtime, image) + image)
    return target


def lay_out(tree: Path, folder: Path) -> None:
    """Make the AppDir: the program as it is installed, and at the top what desktops look for."""
    usr = folder / "usr"
    tool_root.place_program(tree, usr)
    desktop_files.place(usr / "share")
    (folder / "AppRun").symlink_to("usr/lib/wallet-gui/wallet-gui")
    (folder / "wallet-gui.desktop").symlink_to("usr/share/applications/wallet-gui.desktop")
    icon = f"usr/share/icons/hicolor/{ICON_SIZE}/apps/wallet-gui.png"
    (folder / "wallet-gui.png").symlink_to(icon)
    (folder / ".DirIcon").symlink_to("wallet-gui.png")


def place_licences(root: Path, folder: Path) -> None:
    """Copy the licences of the libraries that are linked into the runtime."""
    folder.mkdir(parents=True)
    for package in LINKED:
        source = root / "usr/share/doc" / package / "copyright"
        shutil.copyfile(source, folder / f"{package}.txt")


def compile_runtime(root: Path, version: str, epoch: int) -> bytes:
    """Compile the runtime in the root; returns the program, marked as an AppImage."""
    place = tool_root.inside(root) / "runtime"
    shutil.copytree(SOURCES, place)
    sources = [f"{tool_root.PLACE}/runtime/{path.name}" for path in sorted(SOURCES.glob("*.c"))]
    program = f"{tool_root.PLACE}/runtime/program"
    line = [
        "gcc",
        "-std=c11",
        "-O2",
        f'-DWALLET_VERSION="{version}"',
        *WARNINGS,
        *HARDENING,
        *PLAIN,
    ]
    tool_root.run(root, [*line, *SMALL, *sources, "-o", program, *LIBRARIES], epoch)
    code = bytearray((place / "program").read_bytes())
    code[MAGIC_OFFSET : MAGIC_OFFSET + len(MAGIC)] = MAGIC
    return bytes(code)


def pack(root: Path, folder: Path, epoch: int, options: tuple[str, ...] = ()) -> Path:
    """Make a squashfs image of a folder in the root; returns the image."""
    image = folder.with_suffix(".squashfs")
    inner = Path(tool_root.PLACE)
    line = ["mksquashfs", str(inner / folder.name), str(inner / image.name), "-quiet"]
    line += ["-no-progress", "-no-xattrs", "-all-root", "-noappend"]
    line += ["-comp", "zstd", "-Xcompression-level", "19"]
    tool_root.run(root, [*line, *options], epoch)
    return image


def seal(runtime: bytes, image: bytes) -> bytes:
    """Return the runtime with the checksum of the image's superblock and tables in it.

    The fields of the superblock: https://dr-emann.github.io/squashfs/ (squashfs 4.0).
    """
    if runtime.count(MARK) != 1:
        raise ValueError("The runtime has no single place for the checksum of its image.")
    (end,) = struct.unpack_from("<Q", image, 40)
    (tables,) = struct.unpack_from("<Q", image, 64)
    checksum = zlib.crc32(image[tables:end], zlib.crc32(image[:96]))
    before, after = runtime.split(MARK)
    return before + MARK + struct.pack("<I", checksum) + after[4:]


def write(target: Path, contents: bytes) -> None:
    """Put the file in its place at once."""
    fresh = target.with_name(f".{target.name}.new")  # hidden: what is left of it is no artefact
    fresh.write_bytes(contents)
    fresh.chmod(0o755)
    fresh.replace(target)
