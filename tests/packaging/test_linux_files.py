"""What a Linux desktop is told about the program, and what a person reads in its manual."""

import contextlib
import io
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import icons
import pytest
from installers import changelog, desktop_files, manual
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from tests.patience import PATIENCE
from wallet_gui.__main__ import is_link_or_file
from wallet_gui.cli.arguments import make_parser
from wallet_gui.gui.application import parse_arguments as window_arguments
from wallet_gui.vault.offline.application import parse_arguments as offline_arguments

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "packaging" / "linux" / "tarball" / "add-to-menu.sh"
FLATPAK = ROOT / "packaging" / "linux" / "flatpak"
MIME = "{http://www.freedesktop.org/standards/shared-mime-info}"
_OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z0-9-]*")


@pytest.fixture
def share(tmp_path: Path) -> Path:
    folder = tmp_path / "share"
    old = os.umask(0o077)
    try:
        desktop_files.place(folder)
    finally:
        os.umask(old)
    return folder


def test_everybody_may_read_what_is_placed(share: Path) -> None:
    found = {str(path.relative_to(share)) for path in share.rglob("*") if path.is_file()}
    assert found == {
        "applications/wallet-gui.desktop",
        "applications/wallet-gui-offline.desktop",
        "icons/hicolor/scalable/apps/wallet-gui.svg",
        *(f"icons/hicolor/{size}x{size}/apps/wallet-gui.png" for size in icons.SIZES),
        "man/man1/wallet-gui.1",
        f"metainfo/{desktop_files.APP_ID}.metainfo.xml",
        "mime/packages/wallet-gui.xml",
    }
    for path in (share, *share.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644)


# --- icons


@pytest.mark.parametrize("size", icons.SIZES)
def test_each_picture_is_what_the_drawing_gives(size: int, qapp: QApplication) -> None:
    picture = QImage(str(icons.picture_path(size)))
    assert (picture.width(), picture.height()) == (size, size)
    drawn = icons.draw(size)
    assert picture.hasAlphaChannel()
    assert picture.convertToFormat(drawn.format()) == drawn, "run packaging/icons.py again"


# --- types, description


def test_a_psbt_is_known_by_the_name_that_the_program_asks_for(share: Path) -> None:
    [kind] = ET.parse(share / "mime/packages/wallet-gui.xml").getroot()  # noqa: S314 - our own
    assert kind.get("type") == "application/psbt"
    assert [node.get("pattern") for node in kind.iter(f"{MIME}glob")] == ["*.psbt"]
    assert is_link_or_file("payment.psbt")
    # What has another name is not opened, whatever is in it: no desktop may offer that.
    assert not list(kind.iter(f"{MIME}match"))
    assert not is_link_or_file("payment")


@pytest.mark.parametrize("homepage", ["", "https://wallet.example"])
def test_the_description_names_releases_and_no_address_that_is_not_ours(homepage: str) -> None:
    root = ET.fromstring(desktop_files.metainfo(homepage))  # noqa: S314 - our own
    newest = changelog.entries()[0]
    releases = root.findall("releases/release")
    assert [node.get("version") for node in releases] == [
        entry.version for entry in changelog.entries()
    ]
    assert releases[0].get("date") == newest.date
    assert tuple(node.text for node in releases[0].iter("li")) == newest.lines
    addresses = [node.text or "" for node in root.iter() if node.tag in {"url", "image"}]
    assert all(address.startswith(f"{homepage}/") for address in addresses)
    assert len(addresses) == (1 + len(desktop_files.SCREENSHOTS) if homepage else 0)
    for name in desktop_files.SCREENSHOTS:
        assert (ROOT / "packaging" / "screenshots" / name).exists()
    identity = root.find("id")
    assert identity is not None
    assert identity.text == desktop_files.APP_ID


# --- the manual


def _shown_options(text: str) -> set[str]:
    return set(_OPTION.findall(re.sub(r"\\f[BIR]", "", text)))


def test_the_manual_names_every_option_and_every_command() -> None:
    page = manual.page().replace("\\-", "-")
    parser = make_parser()
    for name, command in parser.commands.items():
        assert f'\n.SS "{name}' in page
        for action in command._actions:
            for option in action.option_strings:
                assert f"\\fB{option}\\fR" in page, (name, option)
    for show in (window_arguments, offline_arguments):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), pytest.raises(SystemExit):
            show(["--help", "--offline"])
        assert _shown_options(printed.getvalue()) <= _shown_options(page)
    for number in (0, 1, 2, 3, 4, 130):
        assert f"\n.B {number}\n" in page


def test_the_manual_is_of_this_release_and_reads_without_a_warning(tmp_path: Path) -> None:
    page = manual.page()
    newest = changelog.entries()[0]
    assert page.startswith(
        f'.TH WALLET\\-GUI 1 {newest.date} "Wallet GUI {newest.version}" "User Commands"\n'
    )
    groff = shutil.which("groff")
    if groff is None:
        pytest.skip("groff is not installed")
    done = subprocess.run(
        [groff, "-man", "-Tutf8", "-ww", "-P-cbu"],
        input=page,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    # As a person reads it, where minuses are minuses and can be copied.
    assert "       wallet-gui create --wallet savings\n" in done.stdout
    for heading in ("NAME", "SYNOPSIS", "OPTIONS", "COMMANDS", "EXIT STATUS", "FILES", "EXAMPLES"):
        assert f"\n{heading}\n" in done.stdout


# --- the portable folder's menu entry


@pytest.fixture
def portable(tmp_path: Path, share: Path) -> Path:
    """A folder with a name that quoting must survive, and a program that tells its arguments."""
    folder = tmp_path / 'my "own" $HOME `id` 100 & | \\ folder\'s'
    folder.mkdir()
    shutil.copytree(share, folder / "share")
    shutil.copy(SCRIPT, folder)
    program = folder / "wallet-gui"
    told = tmp_path / "told"
    program.write_text(
        f"#!/bin/sh\nprintf '%s\\n' \"$@\" end >'{told}.new'; mv '{told}.new' '{told}'"
    )
    program.chmod(0o755)
    return folder


def _add_to_menu(folder: Path, home: Path, *arguments: str) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    script = folder / SCRIPT.name
    subprocess.run(["sh", str(script), *arguments], env=environment, check=True, cwd=home)


def test_the_folder_is_put_into_the_menu_and_taken_out_again(
    portable: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    data = home / ".local" / "share"
    (data / "applications").mkdir(parents=True)
    foreign = data / "applications" / "other.desktop"
    foreign.write_text("[Desktop Entry]\n")
    for _ in range(2):  # a second time changes nothing
        _add_to_menu(portable, home)
    assert (data / "mime/packages/wallet-gui.xml").exists()
    assert (data / "icons/hicolor/48x48/apps/wallet-gui.png").exists()
    entries = [data / "applications" / name for name in desktop_files.ENTRIES]
    assert all(entry.exists() for entry in entries)
    _add_to_menu(portable, home, "--remove")
    assert not [path for path in data.rglob("*") if "wallet-gui" in path.name]
    assert foreign.exists()
    cache = data / "applications/mimeinfo.cache"
    assert not cache.exists() or "wallet-gui" not in cache.read_text()


def test_the_menu_starts_the_folders_program(portable: Path, tmp_path: Path) -> None:
    gio = shutil.which("gio")
    if gio is None:
        pytest.skip("gio is not installed (Debian: libglib2.0-bin)")
    home, told = tmp_path / "home", tmp_path / "told"
    home.mkdir()
    _add_to_menu(portable, home)
    for name, arguments in zip(
        desktop_files.ENTRIES, (["--", "bitcoin:bc1q?label=a b"], ["--offline"]), strict=True
    ):
        entry = home / ".local" / "share" / "applications" / name
        subprocess.run([gio, "launch", str(entry), *arguments[1:]], check=True)
        deadline = time.monotonic() + PATIENCE
        while not told.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert told.read_text().splitlines() == [*arguments, "end"]
        told.unlink()


def test_a_folder_that_no_menu_can_name_is_refused(portable: Path, tmp_path: Path) -> None:
    folder = portable.rename(tmp_path / "100 %u")
    done = subprocess.run(
        ["sh", str(folder / SCRIPT.name)],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "rename" in done.stderr
    assert not (tmp_path / ".local").exists()


# --- Flatpak


def test_the_flatpak_reads_no_files_but_those_that_are_chosen() -> None:
    manifest = (FLATPAK / f"{desktop_files.APP_ID}.yaml").read_text()
    assert f"id: {desktop_files.APP_ID}\n" in manifest
    permissions = re.findall(r"^  - (--\S+)$", manifest, re.MULTILINE)
    assert "--share=network" in permissions
    # No file system, no whole bus, no device but the one that draws.
    assert not [word for word in permissions if re.match(r"--(filesystem|persist)", word)]
    assert not [word for word in permissions if re.match(r"--socket=(session|system)-bus", word)]
    assert [word for word in permissions if word.startswith("--device")] == ["--device=dri"]
    # Whatever is installed is compared with the locks.
    installs = re.findall(r"pip3 install[^\n]*(?:\n {8}[^\n]*)*", manifest)
    assert len(installs) == 3
    for line in installs:
        assert "--no-index" in line
        assert "--require-hashes" in line or line.endswith("${FLATPAK_DEST} .")
    fetching = (FLATPAK / "fetch.sh").read_text()
    assert "--require-hashes" in fetching
    # A module must not be fetched while it is built, as nobody would check what comes.
    assert "--share=network" not in manifest.partition("modules:")[2]
    assert "url:" not in manifest


def test_the_flatpak_hands_out_names_that_begin_with_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "share"
    subprocess.run(["/usr/bin/env", "python3", str(FLATPAK / "place.py"), str(folder)], check=True)
    app = desktop_files.APP_ID
    assert {path.name for path in (folder / "applications").iterdir()} == {
        "wallet-gui.desktop",  # flatpak-builder renames this one
        f"{app}.offline.desktop",
    }
    assert f"\nIcon={app}\n" in (folder / "applications" / f"{app}.offline.desktop").read_text()
    assert [path.name for path in (folder / "mime/packages").iterdir()] == [f"{app}.xml"]
