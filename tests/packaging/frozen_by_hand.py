"""A tiny frozen folder: an executable in PyInstaller's format and files of installed packages."""

import marshal
import shutil
import struct
from importlib import metadata
from pathlib import Path

MODULES = [
    "wallet_gui",
    "wallet_gui.curve",
    "platformdirs",
    "platformdirs.unix",
    "json",
    "argparse",
]
SCRIPTS = ["__main__", "pyiboot01_bootstrap", "pyimod02_importers"]


def executable(modules: list[str], scripts: list[str]) -> bytes:
    """Lay an archive out as PyInstaller 6 does, behind some bytes that stand for a bootloader."""
    table = marshal.dumps([(name, (0, 0, 0)) for name in modules])
    archive = b"PYZ\0" + b"magi" + struct.pack("!I", 16) + b"\0" * 4 + table
    blobs = [(b"s", name, b"code") for name in scripts] + [(b"z", "PYZ.pyz", archive)]
    body, entries = b"", b""
    for kind, name, blob in blobs:
        encoded = name.encode() + b"\0"
        encoded += b"\0" * (-(18 + len(encoded)) % 16)
        entries += struct.pack(
            "!IIIIBc", 18 + len(encoded), len(body), len(blob), len(blob), 0, kind
        )
        entries += encoded
        body += blob
    length = len(body) + len(entries) + 88
    cookie = struct.pack(
        "!8sIIII64s",
        b"MEI\014\013\012\013\016",
        length,
        len(body),
        len(entries),
        311,
        b"libpython3.11.so.1.0",
    )
    return b"\x7fELF bootloader" + body + entries + cookie


def make(tree: Path, site: Path) -> Path:
    """Build the folder, and in `site` the PyInstaller that is said to have frozen it."""
    inner = tree / "_internal"
    inner.mkdir(parents=True)
    (tree / "wallet-gui").write_bytes(executable(MODULES, SCRIPTS))
    (inner / "base_library.zip").write_bytes(b"the standard library")
    resources = inner / "wallet_gui" / "resources" / "fonts"
    resources.mkdir(parents=True)
    (resources / "Inter-Regular.otf").write_bytes(b"a font")
    (resources.parent / "release-keys.txt").write_bytes(b"# none")
    for package, file in (("cffi", "_cffi_backend"), ("bcrypt", "bcrypt/_bcrypt")):
        distribution = metadata.distribution(package)
        for each in distribution.files or ():
            if str(each).startswith(file) and str(each).endswith((".so", ".pyd")):
                place = inner / str(each)
                place.parent.mkdir(exist_ok=True)
                place.write_bytes(b"a stripped library")
    for package in ("cffi", "bcrypt", "platformdirs", "pycparser"):
        distribution = metadata.distribution(package)
        for each in distribution.files or ():
            place = site / str(each)
            if ".dist-info/" in str(each) and ".." not in str(each):
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(distribution.locate_file(each)), place)
    info = site / "pyinstaller-6.22.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pyinstaller\nVersion: 6.22.3\n")
    (info / "COPYING.txt").write_text("GPL with an exception")
    (info / "RECORD").write_text(
        "pyinstaller-6.22.3.dist-info/METADATA,,\npyinstaller-6.22.3.dist-info/COPYING.txt,,\n"
    )
    return tree
