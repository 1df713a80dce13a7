"""The packages are built once more under other circumstances, and come out the same."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from installers import twice
from installers.job import Missing

TARGETS: Final = ("tar", "deb", "rpm", "appimage")


@pytest.mark.slow
def test_built_again_elsewhere_everything_is_the_same(
    packages: Callable[[str], Path], frozen_folder: Path, tmp_path: Path
) -> None:
    made = tmp_path / "made"
    made.mkdir()
    for target in TARGETS:
        shutil.copy2(packages(target), made)
    try:
        again = twice.build(twice.SECOND, ["folder", *TARGETS], tmp_path / "work")
    except Missing as missing:
        pytest.skip(str(missing))
    found = twice.compare(twice.Built(frozen_folder, made), again)
    assert len(found) == len(TARGETS) + 1
    assert [str(it) for those in found.values() for it in those] == []
