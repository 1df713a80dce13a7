"""The version stands in one place, the changelog knows it, and the checklist keeps its promises."""

import re
import subprocess
from pathlib import Path

import pytest
from installers.changelog import FILE, entries
from installers.licences import own_version
from installers.tag import WrongTag, main, notes

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
    # Three numbers and nothing behind them: Debian, RPM and Python sort candidates differently.
    assert re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", own_version())


def test_the_changelog_begins_with_this_version() -> None:
    found = entries()
    assert found[0].version == wallet_gui.__version__
    assert [entry.date for entry in found] == sorted((e.date for e in found), reverse=True)
    assert all(entry.lines for entry in found)


def test_the_checklist_names_files_and_programs_that_exist() -> None:
    text = RELEASE.read_text(encoding="utf-8")
    named = set(
        re.findall(r"`((?:packaging|resources|wallet_gui|tests|\.github|\.ci)/[\w./-]+)`", text)
    )
    assert named
    missing = sorted(name for name in named if not (ROOT / name).exists())
    assert missing == []
    assert FILE.name in text


def test_a_tag_is_the_version_and_its_notes_are_the_changelog_s(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tag = f"v{wallet_gui.__version__}"
    assert notes(tag) == "".join(f"- {line}\n" for line in entries()[0].lines)
    with pytest.raises(WrongTag, match=r"The tag is v9\.9\.9 and"):
        notes("v9.9.9")
    assert main([tag]) == 0
    assert main(["v9.9.9"]) == 1
    assert "Raise the version first" in capsys.readouterr().err


def test_a_version_that_nothing_was_written_about_is_no_release(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("installers.tag.own_version", lambda: "9.9.9")
    with pytest.raises(WrongTag, match="Write down what changed"):
        notes("v9.9.9")
