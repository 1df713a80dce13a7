"""The packages are built once more under other circumstances, and come out the same."""

import importlib
import shutil
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from installers import containers, freeze, twice
from installers.job import Job

MODULES: Final = {"tar": "tarball", "deb": "deb", "rpm": "rpm", "appimage": "appimage"}


@pytest.mark.slow
def test_built_again_elsewhere_everything_is_the_same(
    packages: Callable[[str], Path],
    frozen_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The folder may be of an earlier commit with the same sources, and so may be each package.
    date = int((frozen_folder.parent / "made-from").read_text().split()[1])
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(date))
    # First, while the others may still be made.
    again = twice.build(twice.SECOND, ["folder", *MODULES], tmp_path / "work")
    made = tmp_path / "made"
    made.mkdir()
    for target, module in MODULES.items():
        package = packages(target)
        if date_of(package) == date:
            shutil.copy2(package, made)
            continue
        work = tmp_path / target
        work.mkdir()
        job = Job(frozen_folder, made, work, freeze.version(), date)
        assert date_of(importlib.import_module(f"installers.{module}").build(job)) == date
    found = twice.compare(twice.Built(frozen_folder, made), again)
    assert len(found) == len(MODULES) + 1
    assert [str(it) for those in found.values() for it in those] == []


def date_of(package: Path) -> int:
    """Return the SOURCE_DATE_EPOCH that a package was made with."""
    data = package.read_bytes()
    if package.name.endswith(".tar.xz"):
        with tarfile.open(package) as archive:
            first = archive.next()
            assert first is not None
            return int(first.mtime)
    parts = {part.name: part for part in containers.parts(data) or []}
    if package.suffix == ".deb":
        return int(parts["debian-binary"].facts.split()[0])
    if package.suffix == ".rpm":
        (build_time,) = struct.unpack(">I", parts["header tag 1006"].data[:4])
        return int(build_time)
    (made,) = struct.unpack_from("<I", parts["image"].data, 8)
    return int(made)
