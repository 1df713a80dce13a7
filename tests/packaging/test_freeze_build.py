"""The command that builds, and the small parts of making the folder that need no folder."""

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from installers import bare_root, elf, freeze, icu_data
from installers.job import Job, Missing


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The command as a module, with a folder of its own to work in."""
    module = importlib.import_module("build")
    monkeypatch.setattr(module, "WORK", tmp_path / "work")
    return module


@pytest.fixture
def compiler() -> str:
    found = shutil.which("gcc") or shutil.which("cc")
    if found is None or not sys.platform.startswith("linux"):
        pytest.skip("a C compiler on Linux makes the libraries of this test")
    return found


def test_what_is_missing_is_a_sentence_and_a_status_of_its_own(
    build: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> Path:
        raise Missing("mksquashfs is not here; apt-get install squashfs-tools brings it.")

    monkeypatch.setattr(build, "folder", refuse)
    assert build.main(["appimage"]) == 3
    assert capsys.readouterr().err.splitlines()[-1].startswith("mksquashfs is not here;")


def test_a_step_that_fails_is_told(
    build: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> Path:
        raise subprocess.CalledProcessError(2, ["pip", "install"])

    monkeypatch.setattr(build, "folder", fail)
    assert build.main(["folder"]) == 1
    assert "'pip', 'install'" in capsys.readouterr().err


def test_artefact_is_made_again_only_when_its_sources_changed(
    build: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made: list[Job] = []

    class Tarball(ModuleType):
        @staticmethod
        def build(job: Job) -> Path:
            made.append(job)
            assert not list(job.work.iterdir())
            (job.output / "a.tar.xz").touch()
            return job.output / "a.tar.xz"

    digests = iter(["one", "one", "two"])
    monkeypatch.setitem(sys.modules, "installers.tarball", Tarball("installers.tarball"))
    monkeypatch.setattr(build, "folder", lambda **_: tmp_path)
    monkeypatch.setattr(build.freeze, "digest", lambda **_: next(digests))
    for count in (1, 1, 2):
        assert build.main(["tar", "--reuse", "--output", str(tmp_path / "out")]) == 0
        assert len(made) == count
    assert made[0].version == freeze.version()
    assert made[0].tree == tmp_path


def test_artefact_with_other_release_keys_is_never_taken_for_this_one(
    build: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made: list[Path | None] = []

    class Windows(ModuleType):
        @staticmethod
        def build(job: Job) -> Path:
            made.append(job.release_keys)
            (job.output / "setup.exe").touch()
            return job.output / "setup.exe"

    keys = tmp_path / "keys.txt"
    keys.write_text("# of a test\n")
    monkeypatch.setitem(sys.modules, "installers.windows", Windows("installers.windows"))
    monkeypatch.setattr(build, "folder", lambda **_: tmp_path)
    command = ["windows", "--reuse", "--output", str(tmp_path / "out")]
    for more in (["--release-keys", str(keys)], [], []):
        assert build.main([*command, *more]) == 0
    assert made == [keys, None]


def test_folder_of_the_same_sources_is_reused_across_commits(
    build: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dates: list[int] = []

    def freeze_here(place: Path, _work: Path, seconds: int, _keys: Path | None) -> None:
        dates.append(seconds)
        place.mkdir(exist_ok=True)

    monkeypatch.setattr(build.freeze, "here", freeze_here)
    for seconds, reuse in (("1", False), ("1", False), ("2", True), ("2", False)):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", seconds)
        build.folder(here=True, reuse=reuse, work=tmp_path)
    assert dates == [1, 2]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="roots are Linux's")
def test_root_needs_rights_that_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Missing, match="needs root"):
        bare_root.require()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Missing, match="apt-get install mmdebstrap"):
        bare_root.require()


def test_nothing_is_mounted_in_an_ordinary_folder(tmp_path: Path) -> None:
    assert bare_root.mounts_below(tmp_path) == []
    (tmp_path / "root").mkdir()
    bare_root.remove(tmp_path / "root")
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize(
    ("path", "kept"),
    [("$ORIGIN:$ORIGIN/../lib", ["$ORIGIN:$ORIGIN/../lib"]), ("/opt/python/lib", [])],
)
def test_libraries_are_looked_for_beside_the_file_first(
    compiler: str, tmp_path: Path, path: str, kept: list[str]
) -> None:
    (tmp_path / "a.c").write_text(
        "#include <unistd.h>\nint answer(void) { return getpid() ? 42 : 0; }\n"
    )
    library = tmp_path / "a.so"
    options = ["-shared", "-fPIC", "-Wl,--enable-new-dtags", f"-Wl,-rpath,{path}"]
    subprocess.run([compiler, *options, "-o", library, tmp_path / "a.c"], check=True)
    assert elf.search_paths(library) == [(elf.DT_RUNPATH, path)]
    assert elf.needed(library) == ["libc.so.6"]
    elf.look_inside_first(library)
    assert elf.search_paths(library) == [(elf.DT_RPATH, text) for text in kept]
    load = f"import ctypes; print(ctypes.CDLL({str(library)!r}).answer())"
    done = subprocess.run([sys.executable, "-c", load], capture_output=True, text=True, check=True)
    assert done.stdout == "42\n"
    assert elf.files(tmp_path) == [library]


def test_library_without_icu_data_is_refused(tmp_path: Path) -> None:
    library = tmp_path / "libicudata.so.73"
    library.write_bytes(b"\x7fELF nothing of the kind")
    with pytest.raises(ValueError, match="no ICU data"):
        icu_data.trim(library, tmp_path, "gcc")


def test_every_change_of_the_loader_is_about_one_place() -> None:
    for name, old, new in freeze.LOADER_CHANGES:
        assert name.endswith(".c")
        assert old != new
        assert old.count("\n") == new.count("\n")
