"""Every row of the fault plan is there, its tests exist, and its drives find nothing bad."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.hostile.fault_drives import Report, failures
from tests.hostile.fault_rows import LEVELS, ROWS, Driven

TESTS = Path(__file__).resolve().parents[1]
COMMAND = [sys.executable, str(TESTS.parent / "packaging" / "fault_plan.py")]
DRIVES = [
    pytest.param(driven, id=f"{number} {driven.name}")
    for number, row in ROWS.items()
    for driven in row.drives
    # Those two have tests of their own that go as far.
    if driven.count("ci") and number != 1
]


@cache
def names_in(file: str) -> frozenset[str]:
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def test_every_row_is_there() -> None:
    assert list(ROWS) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 17, 20, 22, 23]
    assert all(row.shown_by and row.drives for row in ROWS.values())


@pytest.mark.parametrize("number", ROWS)
def test_the_names_in_a_row_exist(number: int) -> None:
    for file, names in ROWS[number].shown_by.items():
        assert names
        assert set(names) <= names_in(file), file


def test_each_level_does_more() -> None:
    for row in ROWS.values():
        for driven in row.drives:
            assert len(driven.counts) == len(LEVELS)
            assert list(driven.counts) == sorted(driven.counts)
            assert driven.count("release") > 0


@pytest.mark.parametrize("driven", DRIVES)
def test_each_drive(driven: Driven, tmp_path: Path) -> None:
    report = driven.drive(tmp_path, driven.count("ci"), 1)
    print(dict(report))
    assert report.total() >= driven.count("ci")
    assert not failures(report)


def test_what_is_bad_is_found() -> None:
    assert failures(Report({"BAD lost": 1, "BAD other": 0, "kills": 7})) == {"BAD lost": 1}


def test_the_command_counts_and_prints(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "5", "--count", "300", "--seed", "7", "--folder", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "300 wrong passwords" in done.stdout
    assert "seed 7" in done.stdout
    assert done.stdout.rstrip().endswith("nothing failed")
    refused = subprocess.run([*COMMAND, "10"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "rows" in refused.stderr
    listed = subprocess.run([*COMMAND, "--list"], capture_output=True, text=True, check=True)
    assert all(row.title in listed.stdout for row in ROWS.values())
