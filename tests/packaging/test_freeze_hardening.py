"""Code from outside the folder does not get into the frozen program; its loader is hardened."""

import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from installers import elf

from tests.patience import PATIENCE
from wallet_gui.wallet.backup_sheet import SheetAccount, SheetContents

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ELF is Linux's"),
]

PT_GNU_STACK, PT_GNU_RELRO = 0x6474E551, 0x6474E552
EXECUTABLE = 1
# A library that leaves a mark when it is loaded, under whatever name.
FOREIGN = """
#include <stdio.h>
#include <stdlib.h>
__attribute__((constructor)) static void loaded(void)
{
    const char *path = getenv("MARK");
    FILE *file = path ? fopen(path, "a") : NULL;
    if (file) { fputs("loaded\\n", file); fclose(file); }
}
"""


@pytest.fixture(scope="session")
def foreign_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("a C compiler (gcc) is needed for a library that leaves a mark")
    folder = tmp_path_factory.mktemp("foreign")
    (folder / "foreign.c").write_text(FOREIGN)
    library = folder / "foreign.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, folder / "foreign.c"], check=True)
    return library


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """The file that foreign code would write."""
    return tmp_path / "mark"


@pytest.fixture
def run(frozen_folder: Path, tmp_path: Path, mark: Path) -> Run:
    """Run the frozen program with an environment and in a folder; it has a home of its own."""
    home = tmp_path / "home"
    home.mkdir()

    def run(
        *arguments: str, cwd: Path = tmp_path, stdin: str = "", **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [frozen_folder / "wallet-gui", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",  # a drawn sheet is no text
            cwd=cwd,
            timeout=PATIENCE * 4,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(home),
                "LANG": "C.UTF-8",
                "QT_QPA_PLATFORM": "offscreen",
                "MARK": str(mark),
                **environment,
            },
            check=False,
        )

    return run


# The files


def segments(path: Path) -> dict[int, int]:
    """Kind of segment -> its flags."""
    data = path.read_bytes()
    (start,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    found = [struct.unpack_from("<II", data, start + number * size) for number in range(count)]
    return dict(found)


def dynamic(path: Path) -> str:
    if shutil.which("readelf") is None:
        pytest.skip("readelf (binutils) is not here")
    return subprocess.run(
        ["readelf", "--wide", "--dynamic", "--dyn-syms", path],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_loader_is_hardened(frozen_folder: Path) -> None:
    loader = frozen_folder / "wallet-gui"
    said = dynamic(loader)
    assert "Flags: NOW PIE" in said
    assert "BIND_NOW" in said
    assert "__stack_chk_fail" in said
    assert "__snprintf_chk" in said
    assert "TEXTREL" not in said
    found = segments(loader)
    assert PT_GNU_RELRO in found
    assert not found[PT_GNU_STACK] & EXECUTABLE


def test_engine_is_hardened(frozen_folder: Path) -> None:
    (engine,) = (frozen_folder / "_internal/wallet_gui/chain/native").iterdir()
    assert "BIND_NOW" in dynamic(engine)
    assert PT_GNU_RELRO in segments(engine)


def test_no_library_has_a_stack_that_can_be_run(frozen_folder: Path) -> None:
    for path in elf.files(frozen_folder):
        assert not segments(path).get(PT_GNU_STACK, 0) & EXECUTABLE, path


def test_libraries_are_looked_for_inside_first_and_nowhere_else(frozen_folder: Path) -> None:
    for path in elf.files(frozen_folder):
        for tag, text in elf.search_paths(path):
            assert tag == elf.DT_RPATH, path
            for part in text.split(":"):
                assert part.startswith("$ORIGIN"), path
                place = part.replace("$ORIGIN", str(path.parent))
                assert Path(place).resolve().is_relative_to(frozen_folder.resolve()), path
    assert elf.search_paths(frozen_folder / "wallet-gui") == [(elf.DT_RPATH, "$ORIGIN/_internal")]


# The environment


def test_foreign_libraries_are_not_loaded(
    frozen_folder: Path, run: Run, mark: Path, foreign_library: Path, tmp_path: Path
) -> None:
    foreign = tmp_path / "libraries"
    foreign.mkdir()
    names = {path.name for path in elf.files(frozen_folder)} - {"wallet-gui"}
    for name in names:
        shutil.copy(foreign_library, foreign / name)
    # They would leave their mark.
    subprocess.run(
        [sys.executable, "-c", f"import ctypes; ctypes.CDLL({str(foreign / 'libQt6Core.so.6')!r})"],
        env={**os.environ, "MARK": str(mark)},
        check=True,
    )
    assert mark.read_text() == "loaded\n"
    mark.unlink()
    done = run("--smoke-test", LD_LIBRARY_PATH=str(foreign))
    assert done.returncode == 0, done.stdout + done.stderr
    assert not mark.exists()


def test_foreign_python_is_not_run(run: Run, mark: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "modules"
    foreign.mkdir()
    code = "import os; open(os.environ['MARK'], 'a').write(__name__ + '\\n')\n"
    for name in ("sitecustomize", "usercustomize", "json", "PySide6", "wallet_gui", "coincurve"):
        (foreign / f"{name}.py").write_text(code)
    for version in ("3.11", "3.12", "3.13"):
        packages = tmp_path / f"home/.local/lib/python{version}/site-packages"
        packages.mkdir(parents=True)
        (packages / "foreign.pth").write_text("import sys; " + code)
        (packages / "usercustomize.py").write_text(code)
    done = run(
        "--smoke-test",
        cwd=foreign,
        PYTHONPATH=str(foreign),
        PYTHONHOME=str(foreign),
        PYTHONUSERBASE=str(tmp_path / "home/.local"),
        PYTHONSTARTUP=str(foreign / "json.py"),
        PYTHONINSPECT="1",
        PYTHONVERBOSE="1",
        PYTHONBREAKPOINT="json.loads",
        PYTHONWARNINGS="error",
        PYTHONDEVMODE="1",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not mark.exists()
    assert "import 'json'" not in done.stderr


def test_loader_believes_nothing_that_a_parent_left(
    frozen_folder: Path, run: Run, tmp_path: Path
) -> None:
    expected = run("--version").stdout
    assert expected.startswith("wallet-gui ")
    for level in ("-2", "0", "1", "2", "nonsense"):
        done = run(
            "--version",
            _PYI_ARCHIVE_FILE=str(frozen_folder / "wallet-gui"),
            _PYI_APPLICATION_HOME_DIR=str(tmp_path),
            _PYI_PARENT_PROCESS_LEVEL=level,
            PYINSTALLER_RESET_ENVIRONMENT="0",
        )
        assert (done.returncode, done.stdout) == (0, expected), (level, done.stderr)


@pytest.mark.parametrize("variable", ["QT_PLUGIN_PATH", "QT_QPA_PLATFORM_PLUGIN_PATH"])
def test_qt_looks_for_plugins_in_the_folder_only(run: Run, tmp_path: Path, variable: str) -> None:
    foreign = tmp_path / "plugins"
    (foreign / "platforms").mkdir(parents=True)
    environment = {variable: str(foreign), "QT_DEBUG_PLUGINS": "1"}
    account = SheetAccount("Native SegWit (wpkh)", "m/84h/1h/0h")
    contents = SheetContents("Savings", "73c5da0a", "regtest", (account,), word_count=12)
    done = run("--draw-sheet", "A4", stdin=contents.to_json(), **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    # Qt tells of every folder that it looks into.
    assert "_internal/PySide6/Qt/plugins/platforms" in done.stderr
    assert str(foreign) not in done.stderr


def test_openssl_loads_no_foreign_provider(
    run: Run, mark: Path, foreign_library: Path, tmp_path: Path
) -> None:
    configuration = tmp_path / "openssl.cnf"
    configuration.write_text(
        "openssl_conf = a\n[a]\nproviders = b\n[b]\nforeign = c\n"
        f"[c]\nmodule = {foreign_library}\nactivate = 1\n"
    )
    # The file is one that OpenSSL takes: Python's own loads the library.
    settings = {**os.environ, "MARK": str(mark), "OPENSSL_CONF": str(configuration)}
    command = [sys.executable, "-c", "import ssl; ssl.create_default_context()"]
    subprocess.run(command, capture_output=True, env=settings, check=False)
    assert mark.exists()
    mark.unlink()
    done = run("--smoke-test", OPENSSL_CONF=str(configuration))
    assert done.returncode == 0, done.stdout + done.stderr
    assert not mark.exists()
