"""The command that runs the tests: each test once, and packages made before they are asked for."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import private_packages
import pytest
import run

from tests.functional import sshd_parts
from tests.packaging.conftest import MADE

ROOT = Path(__file__).resolve().parents[2]


def test_every_test_is_in_one_of_two_parts() -> None:
    parts = run.pytest_commands("python", [])
    side_by_side, alone = parts.values()
    assert side_by_side[side_by_side.index("-m", 3) :] == ["-m", "not alone"]
    # The second part collects only these files: a mark must stand in the file itself.
    assert alone[alone.index("-m", 3) :] == ["-m", "alone", *run.files_alone()]
    assert "tests/journey/test_memory_canary.py" in run.files_alone()
    others = {path for path in (ROOT / "tests").rglob("*.py") if not path.name.startswith("test_")}
    assert [path for path in others if ".alone" in path.read_text(encoding="utf-8")] == []


def test_arguments_are_pytests() -> None:
    assert run.pytest_commands("python", ["-x", "tests/unit"]) == {
        "pytest": ["python", "-m", "pytest", "-x", "tests/unit"]
    }


@pytest.mark.parametrize(
    ("statuses", "tried"),
    [([0] * 6, run.PACKAGES), ([3, 1, 0, 0, 0, 0], run.PACKAGES), ([0, -2], ["folder", "tar"])],
    ids=["made", "missing and failed", "interrupted"],
)
def test_packages_are_made_where_the_tests_look_for_them(
    monkeypatch: pytest.MonkeyPatch, statuses: list[int], tried: list[str]
) -> None:
    commands: list[list[str]] = []

    def note(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        assert "PYTHONSAFEPATH" not in options["env"]
        commands.append(command)
        return subprocess.CompletedProcess(command, statuses[len(commands) - 1])

    monkeypatch.setattr(subprocess, "run", note)
    run.make_packages("python", {"PATH": "/bin", "PYTHONSAFEPATH": "1"})
    assert [command[3] for command in commands] == tried
    assert {command[-1] for command in commands} == {str(MADE)}


@pytest.mark.parametrize(("is_ci", "missing"), [(True, ["bitcoind", "sshd"]), (False, [])])
def test_ci_does_not_pass_without_the_servers(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    is_ci: bool,
    missing: list[str],
) -> None:
    def unavailable(command: list[str], **_options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, private_packages.UNAVAILABLE)

    monkeypatch.setattr(subprocess, "run", unavailable)
    monkeypatch.setenv("CI", "true" if is_ci else "")
    assert run.fetch_servers() == missing
    assert private_packages.UNAVAILABLE == sshd_parts.UNAVAILABLE
    assert "need bitcoind will be skipped" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "variable"), [("bitcoind", "BITCOIND"), ("sshd", "SSHD")])
def test_servers_are_found_whatever_python_may_import(name: str, variable: str) -> None:
    """The tests run with this setting, by which Python adds no script's folder by itself."""
    found = subprocess.run(
        [sys.executable, ROOT / "packaging" / f"{name}.py"],
        env={**os.environ, "PYTHONSAFEPATH": "1", variable: sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stderr) == (0, "")
    assert sys.executable in found.stdout
