"""The package for Debian and the portable folder: the same bytes each time, and what is in them."""

import lzma
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from installers import bare_root, deb, desktop_files, shared_libraries, tarball
from installers.job import Job

from tests.packaging.installed_debian import quick_folder
from tests.packaging.skipping import skipping_where_missing

ROOT = Path(__file__).resolve().parents[2]
EPOCH = 1_790_000_000
LARGEST_DOWNLOAD = 40_000_000
TOOLS = ("lintian", "desktop-file-utils", "appstream", "flatpak-builder")


def _tree(folder: Path, *, mine: bool = False) -> Path:
    """A small folder like the frozen one; `mine`: written elsewhere, by somebody else."""
    tree = folder / "wallet-gui"
    names = ["_internal/wallet_gui/resources/word.txt", "_internal/base_library.zip", "_internal/b"]
    for name in reversed(names) if mine else names:
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 1000)
    program = shutil.which("true")
    library = next(Path("/usr/lib").glob("*/libz.so.1"))
    assert program is not None
    shutil.copyfile(program, tree / "wallet-gui")
    shutil.copyfile(library, tree / "_internal" / "libz.so.1")
    (tree / "_internal" / "again.so").symlink_to("libz.so.1")
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            starts = path.is_dir() or path == tree / "wallet-gui"
            path.chmod((0o700 if mine else 0o755) if starts else (0o600 if mine else 0o664))
            os.utime(path, (EPOCH + 77, EPOCH + 77) if mine else (EPOCH - 5, EPOCH - 5))
    return tree


@pytest.fixture
def anywhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Settings of this machine that must not show."""
    old = os.umask(0o027)
    monkeypatch.setenv("TZ", "Pacific/Chatham")
    monkeypatch.setenv("LC_ALL", "C")
    time.tzset()
    yield
    os.umask(old)
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("module", [deb, tarball], ids=["deb", "tar"])
def test_the_same_folder_gives_the_same_bytes_wherever_it_is_packed(
    module: object, tmp_path: Path, anywhere: None
) -> None:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is not installed")
    made = []
    for name, mine in (("one", False), ("another place/two", True)):
        folder = tmp_path / name
        (folder / "work").mkdir(parents=True)
        tree = _tree(folder, mine=mine)
        before = {path: path.lstat() for path in tree.rglob("*")}
        job = Job(tree, folder / "output", folder / "work", "0.1.0", EPOCH)
        build = module.build  # type: ignore[attr-defined]
        made.append(build(job))
        # What it was made from is as it was.
        after = {path: path.lstat() for path in tree.rglob("*")}
        assert [(s.st_mode, s.st_mtime, s.st_nlink) for s in after.values()] == [
            (s.st_mode, s.st_mtime, s.st_nlink) for s in before.values()
        ]
        os.umask(0o077)
        os.environ["TZ"] = "America/Lima"
        time.tzset()
    assert made[0].name == made[1].name
    assert made[0].read_bytes() == made[1].read_bytes()


def test_a_package_brings_files_and_no_program_that_root_runs(tmp_path: Path) -> None:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is not installed")
    (tmp_path / "work").mkdir()
    made = deb.build(Job(_tree(tmp_path), tmp_path, tmp_path / "work", "0.2.0rc1", EPOCH))
    assert made.name == "wallet-gui_0.2.0rc1_amd64.deb"
    control = tmp_path / "control"
    subprocess.run(["dpkg-deb", "--control", str(made), str(control)], check=True)
    assert sorted(path.name for path in control.iterdir()) == ["control", "md5sums"]
    text = (control / "control").read_text()
    # Sorts before 0.2.0.
    assert "\nVersion: 0.2.0~rc1\n" in text
    assert "@" not in text.replace(deb.MAINTAINER, "")
    assert "\nDepends: libc6 (>= 2." in text
    assert ", xkb-data" in text
    contents = tmp_path / "contents"
    subprocess.run(["dpkg-deb", "--extract", str(made), str(contents)], check=True)
    assert (contents / "usr/bin/wallet-gui").readlink() == Path("../lib/wallet-gui/wallet-gui")
    program = contents / "usr/lib/wallet-gui"
    modes = {path.name: path.stat().st_mode & 0o7777 for path in program.rglob("*")}
    assert modes["wallet-gui"] == modes["_internal"] == 0o755
    assert modes["libz.so.1"] == modes["word.txt"] == 0o644
    done = subprocess.run(
        ["md5sum", "--check", "--quiet", str(control / "md5sums")], cwd=contents, check=False
    )
    assert done.returncode == 0
    listed = {line.split("  ", 1)[1] for line in (control / "md5sums").read_text().splitlines()}
    assert listed == {
        str(path.relative_to(contents))
        for path in contents.rglob("*")
        if path.is_file() and not path.is_symlink()
    }
    changes = subprocess.run(
        ["gzip", "-dc", str(contents / "usr/share/doc/wallet-gui/changelog.gz")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    # The version of this package comes first, also when the changelog has not got it yet.
    assert changes.startswith("wallet-gui (0.2.0~rc1) stable; urgency=medium\n\n  * ")
    assert " -- " + deb.MAINTAINER in changes


def test_a_library_that_nobody_brings_ends_the_build() -> None:
    needs = shared_libraries.Needs(frozenset({"libc.so.6", "libunheard.so.3"}), (2, 36))
    with pytest.raises(ValueError, match=r"libunheard\.so\.3"):
        deb.dependencies(needs)


def test_names_that_debian_13_changed_are_known_to_both() -> None:
    needs = shared_libraries.Needs(frozenset({"libgio-2.0.so.0", "libglib-2.0.so.0"}), (2, 36))
    assert deb.dependencies(needs) == [
        "libc6 (>= 2.36)",
        "libglib2.0-0t64 | libglib2.0-0",
        "xkb-data",
    ]


def test_needs_are_those_that_the_folder_does_not_meet_itself(tmp_path: Path) -> None:
    needs = shared_libraries.outside(_tree(tmp_path))
    assert needs.sonames == {"libc.so.6"}
    assert needs.glibc >= (2, 14)
    with pytest.raises(ValueError, match="no program"):
        shared_libraries.outside(tmp_path / "work")


# --- the real ones


@pytest.mark.slow
@pytest.mark.parametrize("target", ["deb", "tar"])
def test_a_download_is_small(target: str, packages: Callable[[str], Path]) -> None:
    size = packages(target).stat().st_size
    print(f"{target}: {size / 1e6:.1f} MB")
    assert size < LARGEST_DOWNLOAD


@pytest.mark.slow
def test_the_portable_folder_runs_where_it_is_unpacked(
    packages: Callable[[str], Path], tmp_path: Path
) -> None:
    place = tmp_path / "Meine Programme \u20bf"
    place.mkdir()
    with lzma.open(packages("tar")) as packed, tarfile.open(fileobj=packed) as archive:
        members = archive.getmembers()
        archive.extractall(place, filter="tar")
    assert {(member.uid, member.gid, member.uname, member.gname) for member in members} == {
        (0, 0, "", "")
    }
    assert len({member.mtime for member in members}) == 1
    [folder] = place.iterdir()
    assert members[0].name == folder.name
    assert [member.name for member in members] == sorted(
        (member.name for member in members), key=lambda name: name.split("/")
    )
    assert len((folder / "README").read_text().splitlines()) == 3
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(place), "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [str(folder / "wallet-gui"), "--smoke-test"],
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All checks passed" in done.stdout


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A root with the programs that judge packages and descriptions."""
    with skipping_where_missing():
        bare_root.require()
    with quick_folder(tmp_path_factory.mktemp("tools") / "place") as place:
        with skipping_where_missing():
            root = bare_root.create(place / "root", "bookworm", TOOLS)
        with bare_root.mounted(root):
            yield root


@pytest.mark.slow
def test_debians_own_judge_of_packages_finds_nothing(
    packages: Callable[[str], Path], tools: Path
) -> None:
    made = packages("deb")
    shutil.copy(made, tools / "root" / made.name)
    done = bare_root.run(tools, ["lintian", "--allow-root", f"/root/{made.name}"], check=False)
    assert (done.stdout, done.returncode) == ("", 0)


@pytest.mark.slow
def test_the_desktops_own_judges_find_nothing(tools: Path) -> None:
    share = tools / "root" / "share"
    desktop_files.place(share)
    entries = [f"/root/share/applications/{name}" for name in desktop_files.ENTRIES]
    done = bare_root.run(tools, ["desktop-file-validate", *entries], check=False)
    assert (done.stdout, done.returncode) == ("", 0)
    for homepage in ("", "https://wallet.example"):
        name = f"{desktop_files.APP_ID}.metainfo.xml"
        (share / "metainfo" / name).write_text(desktop_files.metainfo(homepage))
        command = ["appstreamcli", "validate", "--no-net", f"/root/share/metainfo/{name}"]
        done = bare_root.run(tools, command, check=False)
        assert done.returncode == 0, done.stdout
        assert "Validation was successful" in done.stdout


@pytest.mark.slow
def test_the_flatpak_manifest_is_read(tools: Path) -> None:
    source = ROOT / "packaging" / "linux" / "flatpak"
    shutil.copytree(source, tools / "root" / "a/b/flatpak")
    command = ["flatpak-builder", "--show-manifest"]
    manifest = f"/root/a/b/flatpak/{desktop_files.APP_ID}.yaml"
    done = bare_root.run(tools, [*command, manifest], check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert f'"id" : "{desktop_files.APP_ID}"' in done.stdout
    assert "--require-hashes" in done.stdout
