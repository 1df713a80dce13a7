"""What a build is made from: nothing that it depends on may change and leave the old result."""

import gzip
import hashlib
import importlib
import io
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest
from installers import (
    bare_root,
    contents,
    desktop_files,
    freeze,
    rpm,
    sbom,
    system_package,
    twice,
    windows,
    windows_python,
)
from installers.job import Job, Missing, Wrong


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The command as a module, with a folder of its own to work in."""
    module = importlib.import_module("build")
    monkeypatch.setattr(module, "WORK", tmp_path / "work")
    return module


def _pretend_to_freeze(build: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace both ways of making the folder; returns the list that they are written into."""
    made: list[str] = []

    def by(name: str) -> None:
        def freeze_it(place: Path, _work: Path, _seconds: int, _keys: Path | None) -> None:
            made.append(name)
            place.mkdir(exist_ok=True)

        monkeypatch.setattr(build.freeze, name, freeze_it)

    by("here")
    by("in_bare_root")
    return made


def test_folder_made_for_want_of_a_root_is_not_taken_when_there_can_be_one(
    build: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = _pretend_to_freeze(build, monkeypatch)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")

    def refuse() -> None:
        raise Missing("Run this as root.")

    for require in (refuse, refuse, lambda: None, lambda: None):
        monkeypatch.setattr(build.bare_root, "require", require)
        build.folder(work=tmp_path)
    assert made == ["here", "in_bare_root"]


@pytest.mark.parametrize(
    "name",
    ["LICENSE", "packaging/installers/frozen_archive.py", "packaging/installers/licences.py"],
)
def test_folder_depends_on_all_that_is_read_for_it(tmp_path: Path, name: str) -> None:
    freeze.copy_sources(tmp_path)
    before = freeze.digest(tmp_path, names=freeze.OF_THE_FOLDER)
    with (tmp_path / name).open("a") as file:
        file.write("\n")
    assert freeze.digest(tmp_path, names=freeze.OF_THE_FOLDER) != before


def test_modules_that_make_the_folder_are_all_named() -> None:
    """Every module of installers/ that one of the named ones imports is named, too."""
    named = {Path(name).stem for name in freeze.OF_THE_FOLDER if "/installers/" in name}
    for name in named:
        text = (freeze.ROOT / "packaging" / "installers" / f"{name}.py").read_text()
        for line in text.splitlines():
            word = line.split()
            if word[:2] == ["from", "installers"]:
                imported = {each.strip(",") for each in word[3:]}
            elif word[:1] == ["from"] and word[1].startswith("installers."):
                imported = {word[1].partition(".")[2]}
            else:
                continue
            assert imported - {"job"} <= named, f"{name}.py imports {imported}"


def test_setup_with_a_python_for_tests_is_not_taken_for_a_release(
    build: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made: list[Job] = []

    class Windows(ModuleType):
        @staticmethod
        def build(job: Job) -> Path:
            made.append(job)
            (job.output / "setup.exe").touch()
            return job.output / "setup.exe"

    monkeypatch.setitem(sys.modules, "installers.windows", Windows("installers.windows"))
    command = ["windows", "--reuse", "--output", str(tmp_path / "out")]
    monkeypatch.delenv(windows_python.ARCHIVE, raising=False)
    for hand_over in (False, False, True, True):
        if hand_over:
            monkeypatch.setenv(windows_python.ARCHIVE, "python.zip")
            monkeypatch.setenv(windows_python.ARCHIVE_HASH, "11" * 32)
        assert build.main(command) == 0
    assert len(made) == 2


def test_what_was_written_over_is_not_taken_for_what_was_there(
    build: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Between two builds with --reuse of the same sources there was one of other sources."""
    made: list[str] = []
    digests = iter(["one", "two", "one"])

    class Tarball(ModuleType):
        @staticmethod
        def build(job: Job) -> Path:
            made.append("tar")
            (job.output / "a.tar.xz").touch()
            return job.output / "a.tar.xz"

    monkeypatch.setitem(sys.modules, "installers.tarball", Tarball("installers.tarball"))
    monkeypatch.setattr(build, "folder", lambda **_: tmp_path)
    monkeypatch.setattr(build.freeze, "digest", lambda **_: next(digests))
    for more in (["--reuse"], [], ["--reuse"]):
        assert build.main(["tar", "--output", str(tmp_path / "out"), *more]) == 0
    assert len(made) == 3


def test_engine_for_windows_depends_on_its_compiler(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys: list[str] = []

    def keep(_name: str, key: str, _make: object) -> Path:
        keys.append(key)
        (tmp_path / "kept").mkdir(exist_ok=True)
        return tmp_path / "kept"

    (tmp_path / "packaging").mkdir()
    (tmp_path / "packaging" / "build_engine.py").write_text("# compiles\n")
    monkeypatch.setattr(windows_python, "kept", keep)
    for lock in ("ziglang==1", "ziglang==2"):
        monkeypatch.setattr(windows_python, "ziglang_lock", lambda lock=lock: lock)
        windows._build_engine(tmp_path)
    assert keys[0] != keys[1]


def test_loader_is_compiled_in_a_folder_whose_name_has_blanks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """PyInstaller's waf splits CFLAGS as a shell does."""
    flags: list[list[str]] = []
    folder = tmp_path / "a place with blanks" / "loader"
    folder.parent.mkdir()

    def run(command: list[str], env: dict[str, str] | None = None, **_: object) -> None:
        if "download" in command:
            text = "".join(old for _, old, _ in freeze.LOADER_CHANGES).encode()
            with tarfile.open(folder / "pyinstaller-1.tar.gz", "w:gz") as archive:
                member = tarfile.TarInfo("pyinstaller-1/bootloader/src/pyi_main.c")
                member.size = len(text)
                archive.addfile(member, io.BytesIO(text))
        elif env is not None:
            flags.extend(shlex.split(env[name]) for name in ("CFLAGS", "LINKFLAGS"))

    def ask(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 0, f"{tmp_path}|system\n", "")

    monkeypatch.setattr(freeze, "_run", run)
    monkeypatch.setattr(subprocess, "run", ask)
    monkeypatch.setattr(shutil, "copyfile", lambda *_: None)
    freeze._compile_loader("python", folder, freeze.ROOT)
    inside = folder / "pyinstaller-1" / "bootloader"
    assert f"-ffile-prefix-map={inside}=." in flags[0]
    assert "-Wl,-rpath,$ORIGIN/_internal" in flags[1]


# The date


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_commit_whose_date_cannot_be_read_stops_the_build(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert freeze.epoch(tmp_path) == freeze.DATE_WITHOUT_COMMIT
    (tmp_path / ".git").mkdir()
    with pytest.raises(Wrong, match="SOURCE_DATE_EPOCH"):
        freeze.epoch(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "7")
    assert freeze.epoch(tmp_path) == 7


@pytest.mark.parametrize("system", [3, 255])
def test_packed_manual_names_no_system(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, system: int
) -> None:
    """Python 3.11 on Linux writes 3 into the header, and Python 3.13 writes 255."""
    text = b"a manual\n" * 9
    packed = bytearray(gzip.compress(text, 9, mtime=0))
    packed[9] = system
    monkeypatch.setattr(gzip, "compress", lambda *_, **__: bytes(packed))
    (tmp_path / "wallet-gui.1").write_bytes(text)
    system_package.compress(tmp_path / "wallet-gui.1")
    (made,) = tmp_path.iterdir()
    assert made.name == "wallet-gui.1.gz"
    assert made.read_bytes()[:10].hex() == "1f8b08000000000002ff"
    assert gzip.decompress(made.read_bytes()) == text


# What is wrong is no reason to skip a test


def test_what_is_wrong_is_no_missing_program(
    build: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> Path:
        raise sbom.Unaccounted("A file is in the folder that nobody named.")

    monkeypatch.setattr(build, "folder", refuse)
    assert build.main(["folder"]) == 1
    assert "nobody named" in capsys.readouterr().err
    assert not issubclass(Wrong, Missing)


def test_package_that_debian_does_not_have_is_our_fault() -> None:
    said = "echo 'E: Unable to locate package libnone0' >&2; exit 25"
    with pytest.raises(Wrong, match="libnone0"):
        bare_root._run(["sh", "-c", said])
    with pytest.raises(Missing, match="Could not resolve"):
        bare_root._run(["sh", "-c", "echo 'Could not resolve the mirror' >&2; exit 100"])


# Roots


def test_mounts_are_found_whatever_their_folder_is_called() -> None:
    table = "proc /home/jos\u00e9/a\\040root/proc proc rw 0 0\ntmpfs /b\\134c tmpfs rw 0 0\n"
    assert bare_root.mount_points(table.encode()) == [
        Path("/home/jos\u00e9/a root/proc"),
        Path("/b\\c"),
    ]


def test_both_builds_to_compare_have_new_roots(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A root that was kept may be older than Debian's last repair, which is no fault of a build."""
    caches: list[str] = []

    def run(_line: list[str], *, env: dict[str, str], **_: object) -> object:
        cache = Path(env["XDG_CACHE_HOME"])
        assert not (cache / "wallet-gui" / "roots").exists()
        (cache / "wallet-gui" / "roots").mkdir()
        caches.append(str(cache))
        return subprocess.CompletedProcess([], 0, "", "")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "kept"))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    monkeypatch.setattr(subprocess, "run", run)
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "LICENSE").touch()
    twice.main(["folder"], tmp_path / "dist", tmp_path / "project")
    assert len(caches) == 2
    assert str(tmp_path / "kept") not in caches


def test_what_builds_packages_can_bring_those_of_windows(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Debian's Python has no pip, with which installers/windows_python.py reads the locks."""
    build_programs = importlib.import_module("installers.build_programs")
    build_programs.main()
    assert {"python3-pip", "python3-venv", "mmdebstrap"} <= set(capsys.readouterr().out.split())


def test_bare_debian_of_ci_has_what_debian_has_repaired(tmp_path: Path) -> None:
    """Roots have the sources of the machine that makes them; what is shipped comes from there."""
    script = (freeze.ROOT / ".github" / "workflows" / "bare-debian.sh").read_text()
    assert "--force-check-gpg" in script
    sources = tmp_path / "etc" / "apt" / "sources.list"
    sources.parent.mkdir(parents=True)
    sources.write_text("deb http://mirror.example/debian bookworm main\n")
    part = script[script.index("    sources=") : script.index("    for place in")]
    shell = f'set -eu\nsudo() {{ "$@"; }}\nroot={tmp_path}\n{part}'
    subprocess.run(["sh", "-c", shell], check=True)
    assert sources.read_text().splitlines()[1:] == [
        "deb http://mirror.example/debian bookworm-updates main",
        "deb http://mirror.example/debian-security bookworm-security main",
    ]


def test_flatpak_installs_what_was_fetched_for_it() -> None:
    """Conditions about Python are read by that of the machine, and the runtime has another."""
    lock = freeze.without(freeze.ROOT / freeze.RUNTIME_LOCK, freeze.NOT_IN_THE_FOLDER)
    assert "python_full_version" not in lock
    assert "python_version" not in lock
    folder = freeze.ROOT / "packaging" / "linux" / "flatpak"
    (script, manifest) = (folder / "fetch.sh", next(folder.glob("*.yaml")))
    fetched = "build/flatpak-wheels/run/requirements.lock"
    assert f">{fetched}\nfetch run {fetched}\n" in script.read_text()
    assert "--requirement=wheels/requirements.lock" in manifest.read_text()
    assert subprocess.run(["sh", "-n", str(script)], check=False).returncode == 0


def test_debootstrap_is_given_the_mirror(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[list[str]] = []

    class Stop(Exception):
        pass

    def run(command: list[str], _text: str | None = None) -> str:
        asked.append(command)
        raise Stop

    monkeypatch.setattr(bare_root, "_run", run)
    with pytest.raises(Stop):
        bare_root._by_debootstrap(
            tmp_path / "root.tar",
            "bookworm",
            [],
            ["deb https://mirror.example/debian bookworm main"],
        )
    assert asked[0][0] == "debootstrap"
    assert asked[0][-3] == "bookworm"
    assert asked[0][-1] == "https://mirror.example/debian"


# Sums and options


def _draft(folder: Path) -> Path:
    """A draft's sums: over a package that is here, and over an image that only a Mac makes."""
    version = freeze.version()
    folder.mkdir()
    (folder / f"wallet-gui_{version}_amd64.deb").write_bytes(b"a package")
    lines = [f"{'0' * 64}  wallet-gui-{version}-arm64.dmg"]
    lines.append(f"{hashlib.sha256(b'a package').hexdigest()}  wallet-gui_{version}_amd64.deb")
    (folder / "SHA256SUMS").write_text("\n".join(lines) + "\n")
    return folder / "SHA256SUMS"


def test_sums_of_a_draft_are_signed_as_they_are(
    build: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A maintainer has no image for macOS, which stands in the draft's sums."""
    sums = importlib.import_module("installers.sums")
    signed: list[str] = []

    def sign(job: Job, _key: Path, builder: str = "") -> Path:
        signed.append((job.output / "SHA256SUMS").read_text() + builder)
        return job.output

    monkeypatch.setattr(sums, "sign", sign)
    draft = _draft(tmp_path / "draft")
    before = draft.read_text()
    command = ["sums", "--output", str(draft.parent), "--key", "secret.key", "--builder", "anna"]
    assert build.main(command) == 0
    assert signed == [before + "anna"]
    assert draft.read_text() == before
    assert "arm64.dmg is not here, so it was not compared." in capsys.readouterr().err
    package = next(draft.parent.glob("*.deb"))
    package.write_bytes(b"another package")
    assert build.main(command) == 1
    package.write_bytes(b"a package")
    (draft.parent / f"wallet-gui-{freeze.version()}-setup.exe").touch()
    assert build.main(command) == 1
    assert "setup.exe is here and does not stand in SHA256SUMS" in capsys.readouterr().err
    (draft.parent / f"wallet-gui-{freeze.version()}-setup.exe").unlink()
    draft.write_text("no sums\n")
    assert build.main(command) == 1
    assert len(signed) == 1


@pytest.mark.parametrize(
    "command",
    [
        ["twice", "deb", "--release-keys", "keys.txt"],
        ["twice", "--here"],
        ["twice", "sums", "--builder", "anna"],
        ["deb", "--key", "secret.key"],
        ["sums", "--builder", "anna"],
    ],
)
def test_options_that_would_be_ignored_are_refused(build: ModuleType, command: list[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        build.main(command)
    assert refused.value.code == 2


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_date_is_read_in_a_checkout_of_somebody_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Who builds as root need not own the checkout, and the date must not be another then."""
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    asked: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        return subprocess.CompletedProcess(command, 0, "1234\n", "")

    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(subprocess, "run", run)
    assert freeze.epoch(tmp_path) == 1234
    assert f"safe.directory={tmp_path.resolve()}" in asked[0]


@pytest.mark.parametrize("address", ["", "https://wallet.example"])
def test_rpm_names_the_project_s_page_once_there_is_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str
) -> None:
    monkeypatch.setattr(desktop_files, "HOMEPAGE", address)
    text = rpm.spec(Job(tmp_path, tmp_path, tmp_path, freeze.version(), 1))
    assert "@" not in text.replace(rpm.MAINTAINER, "").partition("%changelog")[0]
    assert ("URL:            https://wallet.example/\n" in text) == bool(address)


# Licences


def test_engine_for_windows_comes_with_the_licence_of_its_c_runtime(tmp_path: Path) -> None:
    native = tmp_path / "_internal" / "wallet_gui" / "chain" / "native"
    native.mkdir(parents=True)
    (native / "engine-linux-x64.so").write_bytes(b"?")
    assert "mingw-w64-runtime.txt" not in _own_part(tmp_path).texts
    (native / "engine-win32-x64.dll").write_bytes(b"?")
    own = _own_part(tmp_path)
    assert b"Zope Public License" in own.texts["mingw-w64-runtime.txt"]
    assert [each["name"] for each in own.inside] == ["mingw-w64"]
    document = sbom._component(asdict(own), {}, {})
    assert document["components"][0]["licenses"] == [{"expression": "ZPL-2.1"}]
    # Whoever raises the compiler looks at what it links in.
    assert "\nziglang==0.17.1 " in (freeze.ROOT / freeze.BUILD_LOCK).read_text()
    assert "ziglang 0.17.1" in contents.reviewed()["part"]["mingw-w64"]["reason"]


# Words of what is compiled into libraries of packages -> the text that has to come along.
COMPILED_IN = {
    b"ffi_prep_cif": "libffi.txt",
    b"zint_symbol": "zxing-cpp-third-party.txt",
    b"nanobind": "zxing-cpp-third-party.txt",
    b"bcrypt-pbkdf-": "subtle.txt",
    b"secp256k1_context": "libsecp256k1-COPYING.txt",
}


@pytest.mark.parametrize("name", sorted(contents.reviewed()["runtime"]))
def test_what_is_compiled_into_a_package_comes_with_its_licence(name: str) -> None:
    if name in freeze.NOT_IN_THE_FOLDER:
        return
    found = {
        text
        for file in metadata.files(name) or []
        if re.search(r"\.(so|pyd|dylib)\b", file.name) and "/Qt/" not in str(file)
        for word, text in COMPILED_IN.items()
        if word in Path(str(file.locate())).read_bytes()
    }
    known = contents.reviewed()["runtime"][name]
    assert found <= set(known.get("texts", []))


def _own_part(tree: Path) -> contents.Part:
    survey = contents._Survey(tree, "1", {})
    for path in contents.files_of(tree):
        survey._part_of(contents.inner(path))
    return survey._own()
