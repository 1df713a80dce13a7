"""Everything in a frozen folder is somebody's, under a licence whose text goes along."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from installers import contents, licences
from installers.contents import Part, Unknown
from installers.frozen_archive import NotFrozen, module_names

import wallet_gui
from tests.packaging import frozen_by_hand


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return tmp_path / "site"


@pytest.fixture
def tree(tmp_path: Path, site: Path) -> Path:
    return frozen_by_hand.make(tmp_path / "wallet-gui", site)


def survey(tree: Path, site: Path) -> dict[str, Part]:
    return {part.name: part for part in contents.survey(tree, "0.1.0", site)}


def test_modules_are_read_from_the_executable(tree: Path) -> None:
    scripts, modules = module_names(tree / "wallet-gui")
    assert scripts == sorted(frozen_by_hand.SCRIPTS)
    assert modules == sorted(frozen_by_hand.MODULES)


def test_another_program_is_no_frozen_one(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"\x7fELF")
    with pytest.raises(NotFrozen, match="holds no archive"):
        module_names(tmp_path / "other")


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=2**32 - 1), st.integers(min_value=0, max_value=3))
def test_a_spoiled_archive_is_told(
    tmp_path_factory: pytest.TempPathFactory, value: int, field: int
) -> None:
    path = tmp_path_factory.mktemp("spoiled") / "wallet-gui"
    data = bytearray(frozen_by_hand.executable(["a"], ["b"]))
    at = len(data) - 88 + 8 + 4 * field
    data[at : at + 4] = value.to_bytes(4, "big")
    path.write_bytes(bytes(data))
    if field == 3:  # Python's version, which says nothing about the layout
        assert module_names(path) == (["b"], ["a"])
        return
    try:
        found = module_names(path)
    except NotFrozen:
        return
    assert found == (["b"], ["a"]) or not found[1]


def test_each_file_and_module_has_an_owner(tree: Path, site: Path) -> None:
    parts = survey(tree, site)
    assert parts["bcrypt"].files
    assert parts["cffi"].licence == "MIT-0"
    assert parts["platformdirs"].modules == ["platformdirs", "platformdirs.unix"]
    assert parts["wallet-gui"].modules == ["__main__", "wallet_gui", "wallet_gui.curve"]
    assert parts["inter"].files == ["_internal/wallet_gui/resources/fonts/Inter-Regular.otf"]
    assert parts["pyinstaller"].modules == ["pyiboot01_bootstrap", "pyimod02_importers"]
    python = parts.get("python") or parts["python3.11"]
    assert python.modules == ["argparse", "json"]
    assert all(part.texts for part in parts.values())
    # Needed by cffi only to build: not there.
    assert "pycparser" not in parts


def test_files_of_windows_are_told_by_their_names(tree: Path, site: Path) -> None:
    inner = tree / "_internal"
    (tree / "wallet-gui").rename(tree / "wallet-gui.exe")
    (tree / "wallet-gui-window.exe").write_bytes((tree / "wallet-gui.exe").read_bytes())
    for name in (
        "python313.dll",
        "VCRUNTIME140.dll",
        "VCRUNTIME140_1.dll",
        "_ssl.pyd",
        "libssl-3.dll",
    ):
        (inner / name).write_bytes(b"?")
    parts = survey(tree, site)
    assert {"wallet-gui.exe", "wallet-gui-window.exe"} <= set(parts["wallet-gui"].files)
    assert len(parts["vc-runtime"].files) == 2
    assert "Microsoft" in parts["vc-runtime"].texts["vc-runtime.txt"].decode()
    assert "_internal/libssl-3.dll" in parts["python"].files
    # In both programs, and named once.
    named = [module for part in parts.values() for module in part.modules]
    assert named.count("json") == 1
    assert parts["wallet-gui"].modules == ["__main__", "wallet_gui", "wallet_gui.curve"]


def test_the_parts_of_a_mac_s_application_are_found(tmp_path: Path, site: Path) -> None:
    folder = frozen_by_hand.make(tmp_path / "folder", site)
    contents_folder = tmp_path / "Wallet GUI.app" / "Contents"
    for name in ("MacOS", "_CodeSignature", "Frameworks/Python.framework/Versions/3.13"):
        (contents_folder / name).mkdir(parents=True)
    (folder / "_internal").rename(contents_folder / "Resources")
    (folder / "wallet-gui").rename(contents_folder / "MacOS" / "wallet-gui")
    (contents_folder / "Info.plist").write_bytes(b"<plist/>")
    (contents_folder / "_CodeSignature" / "CodeResources").write_bytes(b"<plist/>")
    (contents_folder / "Frameworks/Python.framework/Versions/3.13/Python").write_bytes(b"?")
    (contents_folder / "Frameworks" / "base_library.zip").symlink_to(
        "../Resources/base_library.zip"
    )
    written = licences.write(contents_folder.parent, site=site)
    assert written == contents_folder / "Resources" / "licences"
    own = survey(contents_folder.parent, site)["wallet-gui"]
    assert "Contents/Info.plist" in own.files
    assert "wallet_gui.curve" in own.modules


def test_a_stranger_among_the_files_stops_the_build(tree: Path, site: Path) -> None:
    (tree / "_internal" / "surprise.bin").write_bytes(b"?")
    with pytest.raises(Unknown, match=r"surprise\.bin .*dependencies\.toml"):
        survey(tree, site)


def test_a_library_from_nowhere_stops_the_build(tree: Path, site: Path) -> None:
    (tree / "_internal" / "libnobody-knows.so.7").write_bytes(b"?")
    with pytest.raises(Unknown, match=r"libnobody-knows\.so\.7"):
        survey(tree, site)


def test_an_unreviewed_package_stops_the_build(tree: Path, site: Path) -> None:
    info = site / "surprise-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: surprise\nVersion: 1.0\n")
    (info / "RECORD").write_text("surprise/__init__.py,,\n")
    executable = frozen_by_hand.executable(["surprise"], [])
    (tree / "wallet-gui").write_bytes(executable)
    with pytest.raises(Unknown, match="Python package surprise would be shipped"):
        survey(tree, site)


def test_a_module_of_no_package_stops_the_build(tree: Path, site: Path) -> None:
    (tree / "wallet-gui").write_bytes(frozen_by_hand.executable(["stranger"], []))
    with pytest.raises(Unknown, match="module stranger"):
        survey(tree, site)


def test_a_package_without_a_licence_text_stops_the_build(tree: Path, site: Path) -> None:
    for text in site.glob("bcrypt-*.dist-info/**/LICENSE"):
        text.unlink()
    with pytest.raises(Unknown, match="bcrypt brings no licence text"):
        survey(tree, site)


def digest(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_texts_and_list_are_written_alike_each_time(tree: Path, site: Path) -> None:
    folder = licences.write(tree, site=site)
    first = digest(folder)
    assert first["bcrypt/LICENSE"]
    assert first["inter/OFL.txt"]
    # What an earlier run left behind is not taken for licences of today.
    (folder / "left-over.txt").write_text("old")
    assert digest(licences.write(tree, site=site)) == first
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in folder.rglob("*") if path.is_file())


def test_the_overview_names_every_part_and_how_to_replace_qt(tree: Path, site: Path) -> None:
    text = (licences.write(tree, site=site) / "README.txt").read_text()
    for part in survey(tree, site).values():
        assert f"\n{part.name} " in text
        assert part.licence in text
    assert "you may put your own build" in text
    assert f"Wallet GUI {wallet_gui.__version__} " in text


def test_the_list_says_whose_each_file_is(tree: Path, site: Path) -> None:
    listed = json.loads((licences.write(tree, site=site) / "contents.json").read_bytes())
    named = [path for part in listed["parts"] for path in part["files"]]
    there = [path for path in contents.files_of(tree) if "/licences/" not in path]
    assert sorted(named) == there


def test_the_program_tells_what_is_unknown(
    tree: Path, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert licences.main([str(tree), "--site", str(site)]) == 0
    (tree / "_internal" / "surprise.bin").write_bytes(b"?")
    assert licences.main([str(tree), "--site", str(site)]) == 1
    assert "surprise.bin is in the frozen folder" in capsys.readouterr().err
    assert licences.main([str(site)]) == 1
    assert "is no frozen folder" in capsys.readouterr().err
