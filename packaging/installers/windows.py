"""The setup program for Windows, made on Linux: PyInstaller under wine, then NSIS.

The folder is made by Windows' own Python from the one spec; what else a Windows program has
(version, icon) is written here. Everything comes from the commit, so two builds are equal.

The setup program is not signed here: `SIGN` in installer.nsi and the release checklist tell how it
is. `python3 packaging/installers/authenticode.py SIGNED UNSIGNED` shows that nothing but the
signature was added.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from installers import authenticode, bare_root, freeze, sbom, windows_python, wine_root
from installers.job import Job
from installers.wine_root import Wine

FILES = freeze.ROOT / "packaging" / "windows"
ICONS = freeze.ROOT / "packaging" / "linux" / "icons" / "hicolor"
ICON_SIZES = (16, 24, 32, 48, 64, 128, 256)
ENGINE_TARGET = "win32-x64"
PUBLISHER = "The Wallet GUI developers"
# In drive C of the root.
PYTHON = "C:\\python"
SOURCE = "C:\\source"
MADE = "C:\\made"


def build(job: Job) -> Path:
    """Make the setup program; returns where it is. Raises Missing where wine cannot be had."""
    wine_root.require()
    with wine_root.entered(job.work / "root") as wine:
        tree = job.work / freeze.NAME
        make_folder(wine, tree, job)
        sbom.build(replace(job, tree=tree))
        return make_setup(wine.root, tree, job)


def file_name(version: str) -> str:
    """Return the name of the setup program."""
    return f"wallet-gui-{version}-setup.exe"


# The folder


def make_folder(wine: Wine, tree: Path, job: Job) -> None:
    """Freeze the program for Windows into the folder `tree`."""
    windows_python.place(wine.place(PYTHON))
    source = wine.place(SOURCE)
    freeze.copy_sources(source, release_keys=job.release_keys)
    _build_engine(source)
    windows = source / "packaging" / "windows"
    (windows / "version_info.py").write_text(version_resource(job.version), encoding="utf-8")
    (windows / "wallet-gui.ico").write_bytes(icon())
    settings = {
        "SOURCE_DATE_EPOCH": str(job.epoch),
        "PYTHONHASHSEED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
    }
    spec = f"{SOURCE}\\packaging\\wallet_gui.spec"
    python = [f"{PYTHON}\\python.exe"]
    wine.run(
        [
            *(*python, "-m", "PyInstaller", "--noconfirm", "--clean", "--log-level=WARN"),
            *(f"--distpath={MADE}", "--workpath=C:\\work", spec),
        ],
        settings,
        cwd=source,
        errors="replace",
    )
    made = wine.place(f"{MADE}\\{freeze.NAME}")
    licences = f"{SOURCE}\\packaging\\installers\\licences.py"
    if wine.place(licences).exists():
        wine.run([*python, licences, f"{MADE}\\{freeze.NAME}"], settings, errors="replace")
    wine.server("-w")
    shutil.copytree(made, tree)


def _build_engine(source: Path) -> None:
    """Compile the engine from the copy of the sources into its place there."""
    script = source / "packaging" / "build_engine.py"
    read = [script, *sorted(source.rglob("native/*.[ch]"))]
    key = b"".join(path.read_bytes() for path in read) + windows_python.ziglang_lock().encode()

    def compile_into(folder: Path) -> None:
        subprocess.run(
            [sys.executable, str(script), "--target", ENGINE_TARGET, "--output", str(folder)],
            env={
                **os.environ,
                "PYTHONPATH": str(windows_python.ziglang()),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            stdout=sys.stderr,
            check=True,
        )

    # The compiler first builds the C library of Windows, for most of a minute of the processor.
    kept = windows_python.kept("engine", hashlib.sha256(key).hexdigest(), compile_into)
    shutil.copytree(kept, source / "wallet_gui" / "chain" / "native", dirs_exist_ok=True)


def numbers(version: str) -> tuple[int, int, int, int]:
    """Return the four numbers that Windows has for a version: 1.2rc1 has those of 1.2."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    parts = [int(part) for part in found[0].split(".")] if found else []
    first, second, third, fourth, *_ = [*parts, 0, 0, 0, 0]
    return first, second, third, fourth


def version_resource(version: str) -> str:
    """Return what PyInstaller reads about the program: an expression of its own classes."""
    words = {
        "CompanyName": PUBLISHER,
        "FileDescription": "Wallet GUI",
        "FileVersion": version,
        "InternalName": "wallet-gui",
        "LegalCopyright": "MIT licence",
        "ProductName": "Wallet GUI",
        "ProductVersion": version,
    }
    strings = ", ".join(f"StringStruct({key!r}, {text!r})" for key, text in words.items())
    four = numbers(version)
    return (
        f"VSVersionInfo(ffi=FixedFileInfo(filevers={four}, prodvers={four}, mask=0x3F, flags=0, "
        "OS=0x40004, fileType=1, subtype=0, date=(0, 0)), "
        # American English in Unicode: the one language of the program.
        f"kids=[StringFileInfo([StringTable('040904B0', [{strings}])]), "
        "VarFileInfo([VarStruct('Translation', [0x409, 1200])])])\n"
    )


def icon() -> bytes:
    """Return a file of icons made from the pictures that Linux desktops get."""
    pictures = [
        (size, (ICONS / f"{size}x{size}" / "apps" / "wallet-gui.png").read_bytes())
        for size in ICON_SIZES
        if (ICONS / f"{size}x{size}" / "apps" / "wallet-gui.png").exists()
    ]
    # ICONDIR and ICONDIRENTRY; a picture may be a whole PNG file, and 256 is written as 0.
    head = struct.pack("<HHH", 0, 1, len(pictures))
    place = len(head) + 16 * len(pictures)
    entries = b""
    for size, picture in pictures:
        edge = size % 256
        entries += struct.pack("<BBBBHHII", edge, edge, 0, 0, 1, 32, len(picture), place)
        place += len(picture)
    return head + entries + b"".join(picture for _, picture in pictures)


# The setup program


def make_setup(root: Path, tree: Path, job: Job) -> Path:
    """Pack a folder with makensis of the root; returns the setup program in job.output."""
    inside = root / "setup"
    shutil.rmtree(inside, ignore_errors=True)
    lists = inside / "lists"
    lists.mkdir(parents=True)
    # All files of one date: setup sets it again.
    shutil.copytree(tree, inside / "tree")
    for path in (inside / "tree").rglob("*"):
        os.utime(path, (job.epoch, job.epoch))
    files = sorted(path.relative_to(tree) for path in tree.rglob("*") if path.is_file())
    (lists / "install.nsh").write_text(install_lines(files, "/setup/tree"), encoding="utf-8")
    (lists / "remove.nsh").write_text(remove_lines(files), encoding="utf-8")
    shutil.copyfile(FILES / "installer.nsi", inside / "installer.nsi")
    (inside / "wallet-gui.ico").write_bytes(icon())
    size = sum((tree / path).stat().st_size for path in files)
    defined = {
        "VERSION": job.version,
        "NUMBERS": ".".join(map(str, numbers(job.version))),
        "SIZE": str(-(-size // 1024)),
        "ICON": "/setup/wallet-gui.ico",
        "OUTPUT": "/setup/wallet-gui-setup.exe",
        "LISTS": "/setup/lists",
    }
    bare_root.run(
        root,
        [
            *("makensis", "-V2", "-WX", "-NOCD", "-INPUTCHARSET", "UTF8"),
            *(f"-D{name}={value}" for name, value in defined.items()),
            "/setup/installer.nsi",
        ],
        env={"SOURCE_DATE_EPOCH": str(job.epoch), "TZ": "UTC"},
    )
    made = authenticode.ready_to_be_signed((inside / "wallet-gui-setup.exe").read_bytes())
    output = job.output / file_name(job.version)
    output.write_bytes(made)
    shutil.rmtree(inside)
    return output


def install_lines(files: Iterable[Path], tree: str) -> str:
    """Return the lines of NSIS that write the files, folder by folder."""
    lines = []
    folder = None
    for path in sorted(files, key=lambda path: (path.parent.parts, path.name)):
        if path.parent != folder:
            folder = path.parent
            lines.append(f'SetOutPath "{_installed(folder)}"')
        lines.append(f'File "{tree}/{_literal(path.as_posix())}"')
    return "\n".join(lines) + "\n"


def remove_lines(files: Iterable[Path]) -> str:
    """Return the lines of NSIS that remove these files, and folders in which nothing is left."""
    paths = sorted(files)
    folders = {parent for path in paths for parent in path.parents if parent != Path()}
    inner_first = sorted(folders, key=lambda path: (-len(path.parts), path.parts))
    lines = ["SetOutPath $TEMP"]
    lines += [f'Delete "{_installed(path)}"' for path in paths]
    lines += [f'RMDir "{_installed(path)}"' for path in inner_first]
    return "\n".join(lines) + "\n"


def _installed(path: Path) -> str:
    return "\\".join(["$INSTDIR", *(_literal(part) for part in path.parts)])


def _literal(text: str) -> str:
    """Write a name so that NSIS takes it as it is."""
    if any(character in text for character in '"\\\r\n'):
        raise ValueError(f"{text!r} cannot be the name of a file on Windows.")
    return text.replace("$", "$$")
