"""The workflows: what they run is pinned and reviewed, and secrets are where they have to be."""

import json
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from installers.contents import reviewed

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
_USES = re.compile(r"uses: ([\w./-]+)@([0-9a-f]{40})  # (v[0-9.]+)")
STYLE = {
    "extends": "default",
    # `on` is GitHub's key, and no truth value.
    "rules": {"line-length": {"max": 100}, "truthy": {"check-keys": False}},
}


def name(path: Path) -> str:
    return path.name


def program(wanted: str) -> str:
    """A program of the locked packages, beside this Python or on the PATH."""
    beside = Path(sys.executable).parent / wanted
    found = str(beside) if beside.exists() else shutil.which(wanted)
    if found is None:
        pytest.skip(f"{wanted} is not installed (packaging/requirements-test.lock has it)")
    return found


def read(path: Path) -> dict[str, Any]:
    yaml: Any = pytest.importorskip("yaml", reason="PyYAML (packaging/requirements-test.lock)")
    # `on` is a truth value to YAML 1.1.
    found: dict[str, Any] = yaml.safe_load(path.read_text().replace("\non:", "\n'on':"))
    return found


def steps(workflow: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for job_name, job in workflow["jobs"].items():
        for step in job["steps"]:
            yield job_name, step


@pytest.mark.parametrize("path", WORKFLOWS, ids=name)
def test_actions_are_pinned_by_commit_and_reviewed(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = _USES.findall(text)
    assert len(found) == text.count("uses:"), (
        "An action is named by its commit's full hash, with the version behind it."
    )
    known = reviewed()["action"]
    for action, commit, version in found:
        assert action in known, f"{action}: add it to packaging/dependencies.toml, with its reason."
        assert (commit, version) == (known[action]["commit"], known[action]["version"])


def test_reviewed_actions_are_used() -> None:
    used = {found[0] for path in WORKFLOWS for found in _USES.findall(path.read_text())}
    assert used == set(reviewed()["action"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=name)
def test_rights_are_given_job_by_job(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] == {}
    for job_name, job in workflow["jobs"].items():
        rights = job["permissions"]
        allowed = {"contents": "read"}
        if (path.name, job_name) == ("release.yml", "draft"):
            allowed = {"contents": "write", "id-token": "write", "attestations": "write"}
        assert rights in ({}, allowed)
        assert "timeout-minutes" in job


@pytest.mark.parametrize("path", WORKFLOWS, ids=name)
def test_secrets_are_far_from_pull_requests(path: Path) -> None:
    workflow = read(path)
    triggers = set(workflow["on"])
    assert "pull_request_target" not in triggers
    assert "workflow_run" not in triggers
    for job_name, step in steps(workflow):
        if "secrets." in json.dumps(step):
            assert "pull_request" not in triggers
            assert workflow["jobs"][job_name]["environment"] == "release"
            assert step["if"] == "github.ref_type == 'tag'"
            # In the environment of one step, not on a command line that is logged.
            assert "secrets." not in step["run"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=name)
def test_nothing_from_outside_is_pasted_into_commands(path: Path) -> None:
    for _, step in steps(read(path)):
        assert "${{" not in step.get("run", "")
        if "checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False


def test_the_release_key_is_not_in_ci() -> None:
    for path in WORKFLOWS:
        text = path.read_text(encoding="utf-8")
        assert "minisign" not in text
        assert "--key" not in text


@pytest.mark.parametrize("path", WORKFLOWS, ids=name)
def test_files_that_are_run_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    text = text.replace("packaging/windows/python.txt", "")  # made on the day that keys are
    named = re.findall(r"(?<![\w/])((?:packaging|\.ci|\.github)/[\w./-]+)", text)
    assert named
    assert [each for each in named if not (ROOT / each.rstrip(".)")).exists()] == []


def test_tests_are_run_as_anywhere_else() -> None:
    assert ".ci/run" in (FOLDER / "tests.yml").read_text(encoding="utf-8")


def test_the_script_for_the_bare_debian_is_sound_shell() -> None:
    script = FOLDER / "bare-debian.sh"
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
    assert script.stat().st_mode & 0o111


def test_programs_for_building_are_those_of_the_tests(capsys: pytest.CaptureFixture[str]) -> None:
    listed = runpy.run_path(str(ROOT / "packaging" / "run.py"))
    runpy.run_path(
        str(ROOT / "packaging" / "installers" / "build_programs.py"), run_name="__main__"
    )
    printed = capsys.readouterr().out.split()
    assert set(listed["PACKAGE_PROGRAMS"].values()) <= set(printed)


def test_zizmor_finds_nothing() -> None:
    done = subprocess.run(
        [program("zizmor"), "--offline", "--persona=pedantic", "--no-progress", str(FOLDER)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_yamllint_finds_nothing() -> None:
    done = subprocess.run(
        [program("yamllint"), "--strict", "-d", json.dumps(STYLE), str(FOLDER)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
