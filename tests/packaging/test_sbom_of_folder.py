"""What the folder that all packages are made from really contains, and under whose licence."""

import re
from pathlib import Path
from typing import Any

import pytest
from installers import contents, sbom

from wallet_gui import __version__

pytestmark = pytest.mark.slow

# Reviewed, locked and installed where it is needed, but kept out of the packages.
NOT_SHIPPED = {"numpy", "pycparser"}
LICENCES = Path("_internal") / "licences"


@pytest.fixture(scope="module")
def bill(frozen_folder: Path) -> dict[str, Any]:
    return sbom.describe(frozen_folder, __version__, 1_760_000_000)


def components(bill: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {component["name"]: component for component in bill["components"]}


def test_no_file_is_unaccounted_for(frozen_folder: Path, bill: dict[str, Any]) -> None:
    listed = [
        each["name"]
        for component in (bill["metadata"]["component"], *bill["components"])
        for each in component["components"]
        if each["type"] == "file"
    ]
    there = list(contents.files_of(frozen_folder))
    assert sorted(listed) == sorted(there)
    assert len(there) > 100


def test_what_ships_is_what_was_reviewed(bill: dict[str, Any]) -> None:
    """A dependency of a dependency that gets in fails here, whatever brought it."""
    shipped = set(components(bill))
    known = contents.reviewed()
    packages = {name for name, each in components(bill).items() if "pkg:pypi/" in each["purl"]}
    expected = set(known["runtime"]) - NOT_SHIPPED | {"pyinstaller"}
    assert packages - {"pyinstaller-hooks-contrib"} == expected, (
        "Review what is new and add it to packaging/dependencies.toml; take out what is gone."
    )
    libraries = {name for name, each in components(bill).items() if "pkg:deb/" in each["purl"]}
    if libraries:
        assert libraries == set(known["system"])
    assert {"inter", "jetbrains-mono"} <= shipped


def test_what_is_compiled_in_is_named(frozen_folder: Path, bill: dict[str, Any]) -> None:
    inside = {
        name: {each["name"]: each for each in component["components"] if each["type"] == "library"}
        for name, component in components(bill).items()
    }
    assert inside["pyside6-essentials"]["qt"]["version"] == "6.11.3"
    icu = inside["pyside6-essentials"]["icu"]["version"]
    assert (frozen_folder / f"_internal/PySide6/Qt/lib/libicuuc.so.{icu}").is_file()
    assert inside["coincurve"]["libsecp256k1"]["version"] == "0.6.0"
    # cryptography brings an OpenSSL of its own, and says which.
    assert re.fullmatch(r"[0-9.]+", inside["cryptography"]["openssl"]["version"])


def test_versions_are_those_of_the_locks(bill: dict[str, Any]) -> None:
    locked = sbom.locked_hashes(sbom.LOCK.read_text(encoding="utf-8"))
    for name, component in components(bill).items():
        if component["purl"].startswith("pkg:pypi/") and not name.startswith("pyinstaller"):
            assert (name, component["version"]) in locked


def test_the_texts_of_all_licences_go_along(frozen_folder: Path, bill: dict[str, Any]) -> None:
    folder = frozen_folder / LICENCES
    for name in (*components(bill), "wallet-gui"):
        texts = list((folder / name).iterdir())
        assert texts, name
        assert sum(len(text.read_bytes()) for text in texts) > 500, name
    assert "Eclipse Public License" in (folder / "asyncssh" / "LICENSE").read_text()
    assert "LESSER GENERAL PUBLIC" in (folder / "pyside6-essentials" / "LGPL-3.0.txt").read_text()
    assert "SIL OPEN FONT LICENSE" in (folder / "inter" / "OFL.txt").read_text().upper()
    overview = (folder / "README.txt").read_text()
    assert "you may put your own build" in overview
    # Such a build is loaded from where it says.
    assert list((frozen_folder / "_internal" / "PySide6" / "Qt" / "lib").glob("libQt6Core.so.6"))


def test_no_licence_is_in_doubt(bill: dict[str, Any]) -> None:
    for name, component in components(bill).items():
        (licence,) = component["licenses"]
        assert "expression" in licence, name
