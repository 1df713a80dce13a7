import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from wallet_gui.chain.native import library

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def script() -> ModuleType:
    """The build script as a module, fresh for each test."""
    return loaded("build_engine")


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "packaging" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def sources(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the sources, without a library, that the script takes for the real ones."""
    if script.find_compiler() is None:
        pytest.skip("there is no C compiler")
    folder = tmp_path / "native"
    folder.mkdir()
    for path in script.SOURCES.glob("*.[ch]"):
        shutil.copy(path, folder)
    monkeypatch.setattr(script, "SOURCES", folder)
    monkeypatch.setattr(script, "COMMON", [*script.COMMON, "-O0", "-Werror"])  # quick and strict
    return folder


def test_the_engine_is_built_once_and_again_when_its_source_changes(
    script: ModuleType, sources: Path
) -> None:
    built = script.build_here()
    assert built == sources / library.file_name()
    assert library.load(built).engine_abi() == library.ABI
    assert script.build_here() is None
    with (sources / "runs.c").open("a") as source:
        source.write("/* changed */\n")
    assert script.build_here() == built
    assert script.build_here() is None
    left = {path.name for path in sources.iterdir() if path.suffix not in {".c", ".h"}}
    assert left == {built.name}


def test_what_cannot_be_compiled_leaves_the_old_library_where_it_is(
    script: ModuleType, sources: Path
) -> None:
    old = sources / script.library_name(script.this_target())
    old.write_bytes(b"an older library")
    (sources / "runs.c").write_text("this is not C\n")
    with pytest.raises(script.BuildFailed, match="error"):
        script.build_here()
    assert old.read_bytes() == b"an older library"


def test_without_a_compiler_nothing_is_built(
    script: ModuleType, sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(script.NoCompiler):
        script.build_here()
    monkeypatch.setenv("CC", "/no/such/compiler --fast")
    with pytest.raises(script.BuildFailed):
        script.build_here()


def test_setting_up_goes_on_without_a_compiler(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    loaded("run").build_engine()
    said = capfd.readouterr()
    # What the program itself writes to its standard output must stay alone there.
    assert said.out == ""
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("system", "machine", "name"),
    [
        ("linux", "x86_64", "engine-linux-x64.so"),
        ("linux", "aarch64", "engine-linux-arm64.so"),
        ("darwin", "arm64", "engine-darwin-arm64.dylib"),
        ("darwin", "x86_64", "engine-darwin-x64.dylib"),
        ("win32", "AMD64", "engine-win32-x64.dll"),
        ("win32", "ARM64", "engine-win32-arm64.dll"),
    ],
)
def test_loader_and_script_use_the_same_names(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, system: str, machine: str, name: str
) -> None:
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert library.file_name() == script.library_name(script.this_target()) == name
    assert script.this_target() in script.TARGETS


def test_old_python_can_read_the_script() -> None:
    source = (ROOT / "packaging" / "build_engine.py").read_text()
    compile(source, "build_engine.py", "exec", flags=0, dont_inherit=True)
    assert "match " not in source  # run.py's Python may be any


def test_the_library_is_loaded_without_numpy(script: ModuleType) -> None:
    if script.find_compiler() is None:
        pytest.skip("there is no C compiler")
    script.build_here()
    code = (
        "import sys; from wallet_gui.chain.filters import pick_engine; "
        "print(pick_engine().name, 'numpy' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["native", "False"]
