"""The version stands in one place, the changelog knows it, and the checklist keeps its promises."""

import re
import subprocess
from pathlib import Path

import pytest
from installers.changelog import CHANGELOG, entries
from installers.licences import own_version

import wallet_gui

ROOT = Path(__file__).resolve().parents[2]
RELEASE = ROOT / "packaging" / "release.md"
# What has versions of others in it.
LISTS = {"dependencies.toml", "changelog.md"}


def product_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", "wallet_gui", "packaging", "resources", "*.toml", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("this is no checkout of git")
    return [ROOT / name for name in listed.stdout.split("\0") if name]


def test_the_version_stands_in_one_file_only() -> None:
    number = re.compile(rf"(?<![0-9.]){re.escape(wallet_gui.__version__)}(?![0-9]|\.[0-9])")
    carries = []
    for path in product_files():
        if path.suffix in {".png", ".lock", ".icns", ".ico", ".otf", ".ttf", ".bin"}:
            continue
        if path.name in LISTS or path.parent.name == "licences" or not path.exists():
            continue
        if number.search(path.read_text(encoding="utf-8")):
            carries.append(path.relative_to(ROOT).as_posix())
    assert carries == ["wallet_gui/__init__.py"], (
        "The version stands in wallet_gui/__init__.py; everything else asks for it there."
    )


def test_the_version_is_read_from_there() -> None:
    assert own_version() == wallet_gui.__version__
    # As PEP 440, Debian and RPM all sort it: three numbers, and rcN before the release.
    assert re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+(rc[0-9]+)?", own_version())


def test_the_changelog_begins_with_this_version() -> None:
    found = entries()
    assert found[0].version == wallet_gui.__version__.partition("rc")[0]
    assert [entry.date for entry in found] == sorted((e.date for e in found), reverse=True)
    assert all(line.endswith(".") for entry in found for line in entry.lines)


def test_a_changelog_of_several_versions_is_read(tmp_path: Path) -> None:
    path = tmp_path / "changelog.md"
    path.write_text(
        "# Changes\n\n## 0.2.0 - 2027-01-31\n\n- One thing\n  in two lines.\n- Another.\n\n"
        "## 0.1.0 - 2026-11-21\n\n- First.\n"
    )
    newest, oldest = entries(path)
    assert newest.lines == ("One thing in two lines.", "Another.")
    assert (oldest.version, oldest.date) == ("0.1.0", "2026-11-21")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("# C\n\n## 0.2.0 (soon)\n\n- A.\n", "not a heading"),
        ("# C\n\n## 0.2.0 - 2027-02-31\n\n- A.\n", "day"),
        ("# C\n\n## 0.2.0 - 2027-01-31\n\nNothing.\n", "nothing is said about"),
    ],
)
def test_a_spoiled_changelog_is_told(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "changelog.md").write_text(text)
    with pytest.raises(ValueError, match=problem):
        entries(tmp_path / "changelog.md")


def test_the_checklist_names_files_and_programs_that_exist() -> None:
    text = RELEASE.read_text(encoding="utf-8")
    named = set(
        re.findall(r"`((?:packaging|resources|wallet_gui|tests|\.github|\.ci)/[\w./-]+)`", text)
    )
    assert named
    missing = sorted(name for name in named if not (ROOT / name).exists())
    assert missing == []
    assert CHANGELOG.name in text
