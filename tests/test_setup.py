import ast
import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
RUNTIME_LOCK = ROOT / "requirements.lock"
TEST_LOCK = ROOT / "packaging" / "requirements-test.lock"
BUILD_LOCK = ROOT / "packaging" / "requirements-build.lock"
LOCKS = [RUNTIME_LOCK, TEST_LOCK, BUILD_LOCK]


@pytest.fixture
def run() -> ModuleType:
    """The set-up command as a module, fresh for each test."""
    spec = importlib.util.spec_from_file_location("run", ROOT / "packaging" / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# The locks


def locked(path: Path) -> list[Requirement]:
    text = path.read_text().replace("\\\n", " ")
    lines = [line.split(" --hash", 1)[0] for line in text.splitlines()]
    return [Requirement(line.strip()) for line in lines if line.strip() and line.lstrip()[0] != "#"]


def wanted() -> dict[str, list[Requirement]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    return {
        RUNTIME_LOCK.name: [Requirement(text) for text in project["project"]["dependencies"]],
        TEST_LOCK.name: [Requirement(text) for text in groups["test"] + groups["lint"]],
        BUILD_LOCK.name: [Requirement(text) for text in groups["build"]],
    }


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_lock_pins_hashes_and_names_no_address(path: Path) -> None:
    text = path.read_text()
    assert "://" not in text
    assert "index-url" not in text
    entries = re.split(r"\n(?=\S)", text.strip())
    for entry in entries:
        assert re.match(r"^[a-z0-9-]+==\S+ ", entry), entry[:60]
        assert "--hash=sha256:" in entry, entry[:60]


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_lock_holds_what_the_project_asks_for(path: Path) -> None:
    pins = locked(path)
    for requirement in wanted()[path.name]:
        versions = [
            next(iter(pin.specifier)).version
            for pin in pins
            if canonicalize_name(pin.name) == canonicalize_name(requirement.name)
        ]
        assert any(requirement.specifier.contains(version) for version in versions), requirement


@pytest.mark.parametrize("path", [TEST_LOCK, BUILD_LOCK], ids=lambda path: path.name)
def test_locks_agree(path: Path) -> None:
    runtime = {(pin.name, str(pin.specifier)) for pin in locked(RUNTIME_LOCK)}
    names = {name for name, _ in runtime}
    for pin in locked(path):
        assert pin.name not in names or (pin.name, str(pin.specifier)) in runtime


def test_product_needs_nothing_of_what_builds_its_packages() -> None:
    runtime = {pin.name for pin in locked(RUNTIME_LOCK)}
    assert not runtime & {pin.name for pin in locked(BUILD_LOCK)}


# The set-up command


def test_programs_for_the_packages_are_wished_for_where_they_lack(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert {"mmdebstrap", "minisign"} <= set(run.missing_package_programs())
    for program in run.PACKAGE_PROGRAMS:
        (tmp_path / program).touch(0o755)
    assert run.missing_package_programs() == []


def test_old_python_can_read_the_setup() -> None:
    source = (ROOT / "packaging" / "run.py").read_text()
    ast.parse(source, feature_version=(3, 8))


def test_unfit_python_is_told_which_one_is_needed(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run.sys, "version_info", (3, 9, 18, "final", 0))
    monkeypatch.setenv("PATH", "")
    assert run.main([]) == 1
    assert "Python 3.11 to 3.13 is needed, this is 3.9" in capsys.readouterr().err


def test_unfit_python_goes_on_in_a_fit_one(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fit = tmp_path / "python3.12"
    fit.write_text("#!/bin/sh\n")
    fit.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(run.sys, "version_info", (3, 14, 0, "final", 0))
    became: list[list[str]] = []
    monkeypatch.setattr(run, "become", became.append)
    with pytest.raises(run.Stop):
        run.choose_python(["balance"])
    assert became == [[str(fit), run.__file__, "balance"]]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="sonames are Linux's")
def test_missing_libraries_are_found(run: ModuleType) -> None:
    assert run.missing_libraries(["libc.so.6", "libnowhere.so.9"]) == ["libnowhere.so.9"]


def test_without_apt_the_packages_are_named(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(run.Stop, match=r"your system calls these .* libegl1 libgl1"):
        run.install_system_packages(["libegl1", "libgl1"], "Qt needs libraries.")


def test_without_rights_the_line_is_shown(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    apt = tmp_path / "apt-get"
    apt.write_text("#!/bin/sh\n")
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(run.os, "geteuid", lambda: 1000)
    with pytest.raises(run.Stop, match=r"sudo apt-get install --yes .*libegl1"):
        run.install_system_packages(["libegl1"], "Qt needs libraries.")


def test_environment_is_made_once_and_again_when_damaged(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    steps: list[str] = []
    packages = (
        tmp_path / f"venv/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    )

    def step(command: list[str], _failure: str) -> None:
        steps.append(command[2])
        if "--clear" in command:
            shutil.rmtree(tmp_path / "venv", ignore_errors=True)
        (packages / "pip").mkdir(parents=True, exist_ok=True)
        (tmp_path / "venv/bin").mkdir(exist_ok=True)
        (tmp_path / "venv/bin/python").touch()

    monkeypatch.setattr(run, "VENV", tmp_path / "venv")
    monkeypatch.setattr(run, "run", step)
    lock = tmp_path / "a.lock"
    lock.write_text("one==1")
    run.prepare_venv([lock])
    assert steps == ["venv", "pip"]
    run.prepare_venv([lock])
    assert steps == ["venv", "pip"]
    lock.write_text("one==2")
    run.prepare_venv([lock])
    assert steps == ["venv", "pip", "pip"]
    (packages / "pip").rmdir()
    run.prepare_venv([lock])
    assert steps == ["venv", "pip", "pip", "venv", "pip"]
    assert (packages / "wallet-gui-source.pth").read_text().strip() == str(ROOT)


@pytest.mark.parametrize(
    ("arguments", "window"),
    [
        ([], True),
        (["--playground"], True),
        (["bitcoin:bc1q"], True),
        (["--network", "regtest", "balance"], False),
        (["history", "--json"], False),
        (["--version"], False),
    ],
)
def test_command_line_needs_no_libraries_of_qt(
    run: ModuleType, arguments: list[str], *, window: bool
) -> None:
    assert run.opens_window(arguments) is window


def test_continuous_integration_runs_the_second_command() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert "python3 packaging/run.py test" in script.read_text()
    subprocess.run(["bash", "-n", script], check=True)
