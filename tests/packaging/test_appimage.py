"""The AppImage of the wallet: what is in it, and that the wallet works out of it."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from installers import bare_root, deb, freeze, shared_libraries, tool_root

from tests.packaging.little_appimage import Workshop
from tests.packaging.skipping import skipping_where_missing
from tests.patience import PATIENCE

NOBODY: Final = 65534
DOCUMENTS: Final = "usr/share/doc/wallet-gui"


@pytest.fixture(scope="module")
def image(packages: Callable[[str], Path]) -> Iterator[Path]:
    """The AppImage, where every user of this machine may read it."""
    made = packages("appimage")
    with tempfile.TemporaryDirectory(prefix="wallet-gui-test-") as name:
        Path(name).chmod(0o755)
        copy = Path(name) / made.name
        shutil.copy(made, copy)
        copy.chmod(0o755)
        (Path(name) / "temporary").mkdir()
        (Path(name) / "temporary").chmod(0o1777)
        yield copy


@pytest.fixture(scope="module")
def folder(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is in it, unpacked by itself."""
    place = tmp_path_factory.mktemp("extracted")
    subprocess.run([image, "--appimage-extract"], cwd=place, check=True, stdout=subprocess.DEVNULL)
    return place / "squashfs-root"


def _environment(image: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(image.parent / "temporary"),
        "TMPDIR": str(image.parent / "temporary"),
        "QT_QPA_PLATFORM": "offscreen",
    }


def _left(image: Path) -> list[str]:
    """Return the mounts and unpacked copies that are still there after a moment."""
    folder = image.parent / "temporary"
    for _ in range(150):
        if not list(folder.glob(".mount_*")):
            break
        time.sleep(0.1)
    return [path.name for path in folder.glob(".mount_*")]


def test_its_name_says_version_and_machine(image: Path) -> None:
    assert image.name == f"wallet-gui-{freeze.version()}-x86_64.AppImage"
    assert image.read_bytes()[8:11] == b"AI\x02"


def test_it_holds_the_frozen_folder_and_nothing_else_to_run(
    folder: Path, frozen_folder: Path
) -> None:
    inside = folder / "usr/lib/wallet-gui"
    names = {path.relative_to(frozen_folder) for path in frozen_folder.rglob("*")}
    assert {path.relative_to(inside) for path in inside.rglob("*")} == names
    for name in names:
        here, there = inside / name, frozen_folder / name
        if here.is_file() and not here.is_symlink():
            assert here.read_bytes() == there.read_bytes()
    runs = {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o111
    }
    assert runs == {"usr/lib/wallet-gui/wallet-gui"}


def test_desktops_find_what_the_specification_asks_for(folder: Path) -> None:
    assert (folder / "AppRun").resolve() == folder / "usr/lib/wallet-gui/wallet-gui"
    assert [path.name for path in folder.glob("*.desktop")] == ["wallet-gui.desktop"]
    entry = (folder / "wallet-gui.desktop").read_text()
    assert "\nIcon=wallet-gui\n" in entry
    for name in ("wallet-gui.png", ".DirIcon"):
        icon = (folder / name).read_bytes()
        assert icon[:8] == b"\x89PNG\r\n\x1a\n"
        assert int.from_bytes(icon[16:20], "big") == 256
    assert len(list((folder / "usr/share/metainfo").glob("*.metainfo.xml"))) == 1
    if shutil.which("desktop-file-validate"):
        subprocess.run(["desktop-file-validate", folder / "wallet-gui.desktop"], check=True)


def test_licences_of_what_is_linked_into_the_runtime_are_in_it(folder: Path) -> None:
    texts = {path.name: path.read_text() for path in (folder / DOCUMENTS / "runtime").iterdir()}
    assert "LGPL" in texts["libfuse3-dev.txt"]
    assert "LGPL" in texts["libc6-dev.txt"]
    assert "Vasilevsky" in texts["libsquashfuse-dev.txt"]
    assert "BSD" in texts["libzstd-dev.txt"]


def test_rights_owners_and_times_are_those_of_no_machine(image: Path, workshop: Workshop) -> None:
    offset = subprocess.run(
        [image, "--appimage-offset"], check=True, capture_output=True, text=True
    ).stdout.strip()
    shutil.copy(image, tool_root.inside(workshop.root) / "image")
    listing = ["unsquashfs", "-lln", "-UTC", "-o", offset, f"{tool_root.PLACE}/image"]
    listed = bare_root.run(workshop.root, listing).stdout
    lines = [line.split() for line in listed.splitlines() if "squashfs-root" in line]
    assert {line[0] for line in lines} <= {"drwxr-xr-x", "-rw-r--r--", "-rwxr-xr-x", "lrwxrwxrwx"}
    assert {line[1] for line in lines} == {"0/0"}
    assert len({(line[3], line[4]) for line in lines}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("way", ["mounted", "unpacked", "ordinary user"])
def test_the_smoke_test_passes_out_of_it(image: Path, way: str) -> None:
    settings = _environment(image)
    line = [str(image), "--smoke-test"]
    if way == "unpacked":
        settings["APPIMAGE_EXTRACT_AND_RUN"] = "1"
    if way == "ordinary user":
        if os.geteuid() != 0:
            pytest.skip("this is an ordinary user already")
        line = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *line]
    done = subprocess.run(
        line, env=settings, capture_output=True, text=True, timeout=PATIENCE, check=False, cwd="/"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "vault: ok" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("All checks passed")
    assert _left(image) == []


@pytest.mark.slow
@pytest.mark.parametrize("unpacked", ["", "1"])
def test_nothing_is_left_of_a_killed_wallet_with_its_vault(image: Path, unpacked: str) -> None:
    settings = {**_environment(image), "APPIMAGE_EXTRACT_AND_RUN": unpacked}
    with subprocess.Popen(
        [image, "--smoke-test"], env=settings, stdout=subprocess.DEVNULL, cwd="/"
    ) as process:
        vault = 0
        begun = time.monotonic()
        while not vault and process.poll() is None and time.monotonic() < begun + PATIENCE:
            time.sleep(0.02)
            vault = next(iter(_running(image, "--vault")), 0)
        assert vault, "no vault was started"
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert _left(image) == []
    assert _running(image) == []


def _running(image: Path, option: str = "") -> list[int]:
    """Return the processes that run a program out of the AppImage, those with this option."""
    found = []
    for place in Path("/proc").iterdir():
        if not place.name.isdigit():
            continue
        try:
            words = (place / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:  # it has ended meanwhile
            continue
        from_here = words[0].startswith(f"{image.parent}/temporary/.mount_")
        if from_here and (not option or option in words):
            found.append(int(place.name))
    return found


def test_arguments_of_a_link_reach_the_program_as_they_are(image: Path) -> None:
    settings = _environment(image)
    for arguments, reason in (
        (["--", "bitcoin:x", "--version"], "after -- stands one bitcoin: link"),
        (["bitcoin:x", "--appimage-extract"], "options cannot follow"),
    ):
        done = subprocess.run(
            [image, *arguments],
            env=settings,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            cwd=image.parent / "temporary",
        )
        assert done.returncode == 2
        assert reason in done.stderr
    assert not (image.parent / "temporary" / "squashfs-root").exists()
    assert _left(image) == []


@pytest.mark.slow
def test_it_runs_on_a_debian_that_is_newer_than_where_it_was_made(
    image: Path, frozen_folder: Path, tmp_path: Path
) -> None:
    wanted = deb.dependencies(shared_libraries.outside(frozen_folder))
    names = [name.partition("|")[0].partition("(")[0].strip() for name in wanted]
    root = tmp_path / "root"
    with skipping_where_missing():
        bare_root.create(root, "trixie", [*names, "xkb-data", "fonts-dejavu-core"])
    try:
        shutil.copy(image, root / "opt/wallet.AppImage")
        settings = {"QT_QPA_PLATFORM": "offscreen", "HOME": "/tmp"}  # noqa: S108 - in the root
        with bare_root.mounted(root):
            bare_root.run(root, ["useradd", "--create-home", "anna"])
            done = bare_root.run(
                root,
                ["/opt/wallet.AppImage", "--smoke-test"],
                user="anna",
                env=settings,
                check=False,
                timeout=PATIENCE,
            )
        assert done.returncode == 0, done.stdout + done.stderr
        time.sleep(1)
        assert not list((root / "tmp").glob(".mount_*"))
    finally:
        bare_root.remove(root)
