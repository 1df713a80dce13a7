"""What the tests of packages are about: the frozen folder and the packages, made when out of date.

They are made by `packaging/build.py`, so that a test sees what a release would be. Several workers
of pytest share one: the command waits until no other builds.
"""

import functools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.packaging.little_appimage import Workshop, make_folder, opened_workshop
from tests.packaging.skipping import skip

ROOT: Final = Path(__file__).resolve().parents[2]
MADE: Final = ROOT / "build" / "packages" / "made"
_MISSING: Final = 3  # the command's status when a program or a right is not there


@functools.cache
def built(target: str) -> tuple[int, str, str]:
    """Build a target once in this process; returns status, standard output and what was said."""
    # As a person would start it: nothing of pytest's or of this folder's Python gets in.
    environment = {name: text for name, text in os.environ.items() if "PYTHON" not in name}
    command = [sys.executable, "-I", str(ROOT / "packaging" / "build.py"), target, "--reuse"]
    done = subprocess.run(
        [*command, "--output", str(MADE)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def build_or_skip(target: str) -> Path:
    """Return where a target is; skip the test when something that its build needs is not here."""
    status, made, said = built(target)
    if status == _MISSING:
        skip(said.splitlines()[-1])
    assert status == 0, said[-3000:]
    return Path(made.splitlines()[-1])


@pytest.fixture(scope="session")
def frozen_folder() -> Path:
    """The folder with the executable `wallet-gui` that PyInstaller makes; not to be changed."""
    if not sys.platform.startswith("linux"):
        pytest.skip("the packages of other systems are made there")
    return build_or_skip("folder")


@pytest.fixture(scope="session")
def packages() -> Callable[[str], Path]:
    """Return the artefact of a target (`deb`, `tar`...); not to be changed."""
    return build_or_skip


@pytest.fixture(scope="module")
def workshop() -> Iterator[Workshop]:
    with opened_workshop() as opened:
        yield opened


@pytest.fixture(scope="module")
def app_dir(workshop: Workshop) -> Path:
    """The AppDir of the little program."""
    return make_folder(workshop)


@pytest.fixture(scope="module")
def little(workshop: Workshop, app_dir: Path) -> Path:
    """The AppImage of the little program."""
    return workshop.write("little.AppImage", workshop.pack(app_dir))
