"""What is in the frozen folder and what is not."""

import ctypes
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from installers import elf, freeze

pytestmark = pytest.mark.slow

MOST_MB = 115
MOST_COMPRESSED_MB = 32
# Libraries that may come from the system: the packages of each distribution ask for these.
OF_THE_SYSTEM = {
    # The C library and what every program has.
    *("libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1"),
    *("ld-linux-x86-64.so.2", "libstdc++.so.6", "libgcc_s.so.1", "libz.so.1", "libresolv.so.2"),
    # What Qt draws with and talks to the desktop by.
    *("libglib-2.0.so.0", "libgthread-2.0.so.0", "libEGL.so.1", "libGL.so.1", "libfontconfig.so.1"),
    *("libfreetype.so.6", "libdbus-1.so.3", "libX11.so.6", "libX11-xcb.so.1", "libxcb.so.1"),
    *("libwayland-client.so.0", "libwayland-cursor.so.0", "libzstd.so.1"),
    # What Python stands on.
    *("libexpat.so.1", "liblzma.so.5", "libffi.so.8"),
}


def megabytes(folder: Path) -> float:
    sizes = [path.stat().st_size for path in folder.rglob("*") if not path.is_symlink()]
    return sum(sizes) / 1e6


def test_everything_that_is_needed_is_there(frozen_folder: Path) -> None:
    inside = frozen_folder / "_internal"
    assert (frozen_folder / "wallet-gui").stat().st_mode & 0o111
    assert (inside / "coincurve").is_dir()
    assert list((inside / "coincurve").glob("_cffi_backend.*"))
    assert list((inside / "wallet_gui" / "chain" / "native").glob("engine-*"))
    assert (inside / "wallet_gui/resources/checkpoints/mainnet.bin").is_file()
    plugins = inside / "PySide6/Qt/plugins"
    for name in ("qxcb", "qwayland", "qoffscreen"):
        assert (plugins / "platforms" / f"lib{name}.so").is_file()
    assert (plugins / "iconengines/libqsvgicon.so").is_file()
    assert (plugins / "platformthemes/libqxdgdesktopportal.so").is_file()


def test_nothing_that_is_not_needed_is_there(frozen_folder: Path) -> None:
    names = [
        str(path.relative_to(frozen_folder)).lower()
        for path in frozen_folder.rglob("*")
        if "licences" not in path.parts
    ]
    left_out = (
        *("numpy", "openblas", "gtk", "cairo", "pango", "qt6network", "qt6qml", "qt6quick"),
        *("eglfs", "qt6opengl", "sqldrivers", "translations", "tkinter", "multiprocessing"),
        *(
            "/tests/",
            "/test_",
            "unittest",
            "direct_url",
            "record",
            "installer",
            ".pyi",
            "pycparser",
        ),
        *("gssapi", "krb5", ".pth", "sitecustomize", "usercustomize", "pip"),
    )
    found = [name for name in names for word in left_out if word in name]
    assert not [name for name in found if "pipe" not in name], found


def test_size(frozen_folder: Path) -> None:
    assert megabytes(frozen_folder) < MOST_MB


def test_size_of_a_download(packages: Callable[[str], Path]) -> None:
    assert packages("tar").stat().st_size / 1e6 < MOST_COMPRESSED_MB


def test_files_are_readable_by_all_and_writable_by_the_owner(frozen_folder: Path) -> None:
    for path in [frozen_folder, *frozen_folder.rglob("*")]:
        if not path.is_symlink():
            assert path.stat().st_mode & 0o7777 in {0o644, 0o755}, path


def test_links_stay_inside(frozen_folder: Path) -> None:
    for path in frozen_folder.rglob("*"):
        if path.is_symlink():
            assert path.resolve(strict=True).is_relative_to(frozen_folder.resolve()), path


def test_libraries_are_in_the_folder_or_named(frozen_folder: Path) -> None:
    own = {path.name for path in frozen_folder.rglob("*")}
    outside = {
        (name, str(path.relative_to(frozen_folder)))
        for path in elf.files(frozen_folder)
        for name in elf.needed(path)
        if name not in own and name not in OF_THE_SYSTEM
    }
    assert not outside


def test_no_path_of_the_machine_that_built_it(frozen_folder: Path) -> None:
    # Modules are stored as they are, so that paths in them are found.
    assert b"wallet_gui/app/online.py" in (frozen_folder / "wallet-gui").read_bytes()
    places = (str(freeze.ROOT), "/build/source", "/site-packages/wallet_gui")
    for path in frozen_folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not [place for place in places if place.encode() in data], path


def test_the_rest_of_the_icu_data_does_what_qt_asks_for(frozen_folder: Path) -> None:
    folder = frozen_folder / "_internal/PySide6/Qt/lib"
    data = next(folder.glob("libicudata.so.*"))
    version = data.name.rpartition(".")[2]
    assert data.stat().st_size < 3_000_000
    ctypes.CDLL(str(data), ctypes.RTLD_GLOBAL)
    common = ctypes.CDLL(str(folder / f"libicuuc.so.{version}"), ctypes.RTLD_GLOBAL)
    icu = ctypes.CDLL(str(folder / f"libicui18n.so.{version}"))
    status = ctypes.c_int(0)

    def function(library: ctypes.CDLL, name: str, result: type | None = None) -> Any:
        found = getattr(library, f"{name}_{version}")
        found.restype = ctypes.c_int if result is None else result
        return found

    def text(characters: str) -> tuple[bytes, int]:
        return characters.encode("utf-16-le"), len(characters)

    for language in (b"en_US", b"de", b"ja", b"xx", b""):
        status.value = 0
        collator = ctypes.c_void_p(
            function(icu, "ucol_open", ctypes.c_void_p)(language, ctypes.byref(status))
        )
        assert status.value <= 0, language
        words = ["apfel", "Äpfel", "Birne", "éclair", "zebra"]
        compare = function(icu, "ucol_strcoll")
        for first, second in itertools.pairwise(words):
            assert compare(collator, *text(first), *text(second)) == -1
    status.value = 0
    calendar = ctypes.c_void_p(
        function(icu, "ucal_open", ctypes.c_void_p)(
            *text("Europe/Berlin"), b"en", 0, ctypes.byref(status)
        )
    )
    name = ctypes.create_string_buffer(400)
    length = function(icu, "ucal_getTimeZoneDisplayName")(
        calendar, 0, b"en", name, 200, ctypes.byref(status)
    )
    assert status.value <= 0
    assert name.raw[: 2 * length].decode("utf-16-le") == "Central European Standard Time"
    upper = ctypes.create_string_buffer(40)
    length = function(common, "u_strToUpper")(
        upper, 20, *text("straße"), b"de", ctypes.byref(status)
    )
    assert upper.raw[: 2 * length].decode("utf-16-le") == "STRASSE"


def test_digest_changes_with_each_source(tmp_path: Path) -> None:
    freeze.copy_sources(tmp_path)
    before = freeze.digest(tmp_path)
    assert freeze.digest(tmp_path) == before
    (tmp_path / "wallet_gui/__init__.py").write_text('__version__ = "0"\n')
    assert freeze.digest(tmp_path) != before
    assert freeze.version(tmp_path) == "0"
    # What Python leaves behind is no source.
    again = freeze.digest(tmp_path)
    (tmp_path / "wallet_gui/__pycache__").mkdir()
    (tmp_path / "wallet_gui/__pycache__/a.pyc").touch()
    assert freeze.digest(tmp_path) == again


def test_lock_without_a_package_keeps_the_others() -> None:
    lock = freeze.ROOT / freeze.RUNTIME_LOCK
    text = freeze.without(lock, frozenset({"numpy"}))
    assert "numpy==" not in text
    assert text.count("\n    --hash=") < lock.read_text().count("\n    --hash=")
    for name in ("coincurve==", "cryptography==", "pyside6-essentials==", "zxing-cpp=="):
        assert f"\n{name}" in text
