"""The backup command in real processes, with and without --offline, without any network."""

import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.functional.command_line import REPOSITORY, CommandLine


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


class OfflineLine(CommandLine):
    """The command line of `--offline`; what it blocks is not watched, but blocked."""

    def __init__(self, online: CommandLine) -> None:
        super().__init__(online.root, None)
        self.program = [
            sys.executable,
            str(REPOSITORY / "tests/functional/offline_with_cheap_kdf.py"),
        ]

    def start(
        self, command: str, *arguments: str, password: bool = True
    ) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self.arguments(command, "--offline", *arguments, password=password),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )


@pytest.fixture(params=[False, True], ids=["online", "offline"])
def either(request: pytest.FixtureRequest, cli: CommandLine) -> CommandLine:
    return OfflineLine(cli) if request.param else cli


def test_the_words_are_compared(either: CommandLine, tmp_path: Path) -> None:
    paper = tmp_path / "words"
    right = either.json("backup", "words", "--words-file", str(paper))
    assert right["right"]
    assert right["recorded"]
    words = words_of(tmp_path)
    mistaken = ["zoo" if word != "zoo" else "zero" for word in words[:2]] + words[2:]
    paper.write_text(" ".join(mistaken))
    done = either.run("backup", "words", "--words-file", str(paper))
    assert done.returncode == 1
    assert "Words 1 and 2 are not the ones" in done.stderr
    assert not any(f"{one} {other}" in done.stderr for one, other in itertools.pairwise(words))
    assert done.stdout == ""


def test_a_copy_is_tried_and_the_sheet_is_drawn(either: CommandLine, tmp_path: Path) -> None:
    copied = either.json("backup", "copy", str(tmp_path / "copy"), password=False)
    assert either.json("backup", "check", copied["copy"])["same"]
    drawn = either.json("backup", "sheet", str(tmp_path / "sheet"), "--paper", "Letter")
    assert Path(drawn["sheet"]) == tmp_path / "sheet.pdf"
    assert (tmp_path / "sheet.pdf").read_bytes().startswith(b"%PDF-")


def test_what_is_missing_is_asked_for(cli: CommandLine) -> None:
    done = cli.run("backup", "check")
    assert done.returncode == 2
    assert "Name the file" in done.stderr
    assert json.loads(cli.run("backup", "check", "--json").stdout)["status"] == 2
