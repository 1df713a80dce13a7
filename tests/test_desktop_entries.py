import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from wallet_gui.__main__ import is_command_line, is_offline

ENTRIES = sorted(
    (Path(__file__).resolve().parents[1] / "packaging" / "linux").glob("*.desktop"),
)


def read(path: Path) -> configparser.ConfigParser:
    entry = configparser.ConfigParser(interpolation=None)
    entry.optionxform = str  # type: ignore[assignment,method-assign]
    entry.read(path, encoding="utf-8")
    return entry


def test_both_windows_have_an_entry() -> None:
    assert [path.name for path in ENTRIES] == ["wallet-gui-offline.desktop", "wallet-gui.desktop"]


@pytest.mark.parametrize("path", ENTRIES, ids=lambda path: path.name)
def test_an_entry_says_what_the_specification_asks(path: Path) -> None:
    entry = read(path)["Desktop Entry"]
    assert entry["Type"] == "Application"
    assert entry["Name"]
    assert entry["Icon"] == "wallet-gui"
    assert entry["Categories"].endswith(";")
    # What the window calls itself, by which the desktop finds its entry.
    assert entry["StartupWMClass"] == path.stem


@pytest.mark.parametrize("path", ENTRIES, ids=lambda path: path.name)
def test_an_entry_opens_a_window_and_the_right_one(path: Path) -> None:
    words = read(path)["Desktop Entry"]["Exec"].replace(" %u", "").split()
    assert words[0] == "wallet-gui"
    assert not is_command_line(words[1:])
    assert is_offline(words[1:]) == ("offline" in path.stem)


def test_links_go_to_the_online_window_only() -> None:
    offline, online = (read(path)["Desktop Entry"] for path in ENTRIES)
    assert online["MimeType"] == "x-scheme-handler/bitcoin;application/psbt;"
    # What comes from a web page stands where no option is taken any more.
    assert online["Exec"].split() == ["wallet-gui", "--", "%u"]
    assert "MimeType" not in offline
    assert "%" not in offline["Exec"]


@pytest.mark.parametrize("path", ENTRIES, ids=lambda path: path.name)
def test_the_desktops_own_validator_finds_nothing(path: Path) -> None:
    program = shutil.which("desktop-file-validate")
    if program is None:
        pytest.skip("desktop-file-validate is not installed")
    done = subprocess.run([program, str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
