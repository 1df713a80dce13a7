"""The backup command in real processes, with and without --offline, without any network."""

import json
import shutil
from pathlib import Path

import pytest

from tests.functional.command_line import CommandLine


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    made = CommandLine(tmp_path / "data", None)
    made.json("create", "--wallet", "mine", "--words-file", str(tmp_path / "words"))
    return made


def words_of(tmp_path: Path) -> list[str]:
    return (tmp_path / "words").read_text().split()


def test_a_copy_is_made_and_tried(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "stick").mkdir()
    copied = cli.json("backup", "copy", str(tmp_path / "stick" / "mine"), password=False)
    copy = Path(copied["copy"])
    assert copy.name == "mine.wallet"
    again = cli.run("backup", "copy", str(copy), password=False)
    assert again.returncode == 0  # the very same bytes are there already
    checked = cli.json("backup", "check", str(copy))
    assert checked["same"]
    assert checked["recorded"]
    assert "first 20 addresses" in checked["sentence"]
    refused = cli.run("backup", "copy", str(copy), password=False)
    assert refused.returncode == 1
    assert "Nothing was overwritten" in refused.stderr
    cli.json("address", "--label", "newer")
    differences = cli.json("backup", "check", str(copy))["differences"]
    assert any("lacks 1 label" in text for text in differences)


def test_damage_and_other_wallets_are_told(cli: CommandLine, tmp_path: Path) -> None:
    copy = tmp_path / "copy.wallet"
    cli.json("backup", "copy", str(copy), password=False)
    data = copy.read_bytes()
    copy.write_bytes(data[:-40])
    damaged = cli.run("backup", "check", str(copy), password=False)
    assert damaged.returncode == 3
    assert "Save a new copy while the wallet is intact" in damaged.stderr
    cli.json("create", "--wallet", "other", "--words-file", str(tmp_path / "more"))
    other = Path(cli.json("wallets")[1]["path"])
    shutil.copy(other, copy)
    found = cli.json("backup", "check", str(copy), "--wallet", "mine", status=1)
    assert not found["same"]
    assert "another wallet" in found["error"]


@pytest.mark.parametrize("options", [(), ("--offline",)], ids=["online", "offline"])
def test_the_words_are_compared(cli: CommandLine, tmp_path: Path, options: tuple[str, ...]) -> None:
    paper = tmp_path / "words"
    right = cli.json("backup", *options, "words", "--words-file", str(paper))
    assert right["right"]
    assert right["recorded"]
    words = words_of(tmp_path)
    mistaken = ["zoo" if word != "zoo" else "zero" for word in words[:2]] + words[2:]
    paper.write_text(" ".join(mistaken))
    done = cli.run("backup", *options, "words", "--words-file", str(paper))
    assert done.returncode == 1
    assert "Words 1 and 2 are not the ones" in done.stderr
    assert not set(words) & set(done.stderr.split())
    assert done.stdout == ""


def test_the_sheet_is_drawn(cli: CommandLine, tmp_path: Path) -> None:
    for options in ((), ("--offline",)):
        drawn = cli.json("backup", *options, "sheet", str(tmp_path / "sheet"), "--paper", "Letter")
        assert Path(drawn["sheet"]) == tmp_path / "sheet.pdf"
        assert (tmp_path / "sheet.pdf").read_bytes().startswith(b"%PDF-")
        (tmp_path / "sheet.pdf").unlink()


def test_what_is_missing_is_asked_for(cli: CommandLine) -> None:
    done = cli.run("backup", "check")
    assert done.returncode == 2
    assert "Name the file" in done.stderr
    assert json.loads(cli.run("backup", "check", "--json").stdout)["status"] == 2
