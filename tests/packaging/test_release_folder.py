"""What the licences and the checklist promise about the packaged program, tried with it."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest
from installers import sums
from installers.job import Job

from tests.packaging.frozen_copy import copy_of, replace
from tests.packaging.minisign import make_key
from tests.patience import PATIENCE
from wallet_gui import __version__
from wallet_gui.storage.release_keys import built_in

pytestmark = pytest.mark.slow


def run(folder: Path, home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    home.mkdir(exist_ok=True)
    environment = {
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PATH": os.environ["PATH"],
        "QT_QPA_PLATFORM": "offscreen",
        "TMPDIR": str(home),
    }
    return subprocess.run(
        [str(folder / "wallet-gui"), *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=PATIENCE,
        check=False,
    )


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


LIBRARY = Path("_internal") / "PySide6" / "Qt" / "lib" / "libQt6Gui.so.6"


@pytest.fixture(scope="module")
def changed_folder(frozen_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program with another file in the place of one of Qt's libraries."""
    folder = copy_of(frozen_folder, tmp_path_factory.mktemp("changed") / "wallet-gui")
    replace(folder / LIBRARY, (folder / LIBRARY).read_bytes() + b"built by somebody else")
    return folder


def test_another_build_of_qt_works_and_nothing_is_written_beside_it(
    changed_folder: Path, tmp_path: Path
) -> None:
    """The LGPL asks for the one; a signed application on macOS for the other."""
    before = digests(changed_folder)
    done = run(changed_folder, tmp_path / "home", "--smoke-test")
    assert done.returncode == 0, done.stdout + done.stderr
    assert digests(changed_folder) == before


def test_it_is_that_library_which_is_loaded(changed_folder: Path, tmp_path: Path) -> None:
    (changed_folder / LIBRARY).unlink()
    assert run(changed_folder, tmp_path / "home", "--smoke-test").returncode != 0


def test_the_packaged_program_believes_the_keys_that_it_was_built_with(
    changed_folder: Path, tmp_path: Path
) -> None:
    """As `build.py --release-keys` puts them there; two makers, each with a key of his own."""
    anna, ben = make_key(tmp_path, "anna"), make_key(tmp_path, "ben")
    download = tmp_path / f"wallet-gui_{__version__}_amd64.deb"
    download.write_bytes(b"a package")
    job = Job(changed_folder, tmp_path, tmp_path, __version__, 0)
    sums.build(job)
    sums.sign(job, anna.secret)
    home = tmp_path / "home"
    if not built_in().keys:
        done = run(changed_folder, home, "verify", str(download))
        assert done.returncode == 1
        assert "no release key built in" in done.stderr
    keys = changed_folder / "_internal" / "wallet_gui" / "resources" / "release-keys.txt"
    replace(keys, f"key {anna.text} anna\nkey {ben.text} ben\n".encode())
    done = run(changed_folder, home, "verify", str(download))
    assert done.returncode == 0, done.stderr
    assert f"is genuine: Wallet GUI {__version__}." in done.stdout
    ask = ("--offline", "verify", "--at-least", "2", str(download))
    assert "1 of the 2 keys" in run(changed_folder, home, *ask).stderr
    sums.sign(job, ben.secret, "ben")
    done = run(changed_folder, home, *ask)
    assert done.returncode == 0, done.stderr
    download.write_bytes(b"another package")
    done = run(changed_folder, home, *ask)
    assert done.returncode == 1
    assert "is NOT what was released" in done.stderr
