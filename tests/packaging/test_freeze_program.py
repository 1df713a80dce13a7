"""The frozen program does what the sources do: window, command line, vault, sheet, engine."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from wallet_gui import __version__
from wallet_gui.wallet.backup_sheet import SheetAccount, SheetContents

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="made on Linux here"),
]

# BIP39's all-zero entropy; the address is that of BIP84's path on regtest.
WORDS = "abandon " * 11 + "about"
FIRST_ADDRESS = "bcrt1q6rz28mcfaxtmd6v789l9rrlrusdprr9pz3cppk"
SSH = """#!/bin/sh
env > "$SAID"
exit 255
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def surroundings(tmp_path: Path) -> dict[str, str]:
    """The environment of a login, with a home of its own."""
    home = tmp_path / "home"
    home.mkdir()
    given = {"LANG": "C.UTF-8", "QT_QPA_PLATFORM": "offscreen"}
    return {"PATH": os.environ["PATH"], "HOME": str(home), **given}


@pytest.fixture
def run(frozen_folder: Path, surroundings: dict[str, str]) -> Run:
    def run(*arguments: str, stdin: str = "", **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [frozen_folder / "wallet-gui", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE * 4,
            env={**surroundings, **more},
            check=False,
        )

    return run


def test_version(run: Run) -> None:
    done = run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"wallet-gui {__version__}\n", "")


def test_through_a_link_and_from_another_folder(
    frozen_folder: Path, surroundings: dict[str, str], tmp_path: Path
) -> None:
    link = tmp_path / "wallet-gui"
    link.symlink_to(frozen_folder / "wallet-gui")
    done = subprocess.run(
        ["wallet-gui", "--version"],
        cwd="/",
        env={**surroundings, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == f"wallet-gui {__version__}\n"


def test_window_opens_and_checks_itself(run: Run) -> None:
    done = run("--smoke-test")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "engine: ok" in done.stdout
    assert "vault: ok" in done.stdout


def test_vault_process_makes_a_wallet_and_opens_it(run: Run, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.touch(0o600)
    password.write_text("correct horse battery staple 71\n")
    where = ["--network", "regtest", "--data-dir", str(tmp_path / "data"), "--offline"]
    secret = ["--password-file", str(password)]
    words = tmp_path / "words"
    words.touch(0o600)
    words.write_text(WORDS + "\n")
    made = run("restore", *where, *secret, "--words-file", str(words))
    assert made.returncode == 0, made.stderr
    address = run("address", *where, *secret)
    assert address.stdout.strip() == FIRST_ADDRESS, address.stderr
    password.write_text("another password\n")
    assert run("address", *where, *secret).returncode == 3


def test_vault_without_a_window_before_it_ends_with_a_sentence(run: Run) -> None:
    done = run("--vault", "--headless")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr


def test_sheet_process_draws(frozen_folder: Path, surroundings: dict[str, str]) -> None:
    account = SheetAccount("Native SegWit (wpkh)", "m/84h/1h/0h")
    contents = SheetContents("Savings", "73c5da0a", "regtest", (account,), word_count=12)
    done = subprocess.run(
        [frozen_folder / "wallet-gui", "--draw-sheet", "A4"],
        input=contents.to_json().encode(),
        capture_output=True,
        env=surroundings,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"%PDF-")
    assert b"Inter" in done.stdout


def test_offline_window_opens_and_has_no_network(
    frozen_folder: Path, surroundings: dict[str, str], tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [frozen_folder / "wallet-gui", "--offline", "--data-dir", str(tmp_path / "data")],
        env=surroundings,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + PATIENCE
        maps = Path(f"/proc/{process.pid}/maps")
        while "QtWidgets" not in maps.read_text() and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.1)
        assert "QtWidgets" in maps.read_text()
        libraries = set(re.findall(r" (/\S+\.so[.\d]*)$", maps.read_text(), re.MULTILINE))
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert re.search(r"^Seccomp:\s+2$", status, re.MULTILINE)
    finally:
        process.terminate()
        _, said = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in said
    # Everything that is loaded is the folder's own or the system's; what both have, the folder's.
    folder = str(frozen_folder.resolve())
    own = {path.name for path in frozen_folder.rglob("*.so*")}
    for path in libraries:
        assert path.startswith((folder, "/usr/lib/", "/lib/", "/lib64/"))
        assert path.startswith(folder) or Path(path).name not in own, path


def test_programs_of_others_get_the_environment_that_we_got(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "ssh").write_text(SSH)
    (folder / "ssh").chmod(0o755)
    said = tmp_path / "said"
    given = {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "SAID": str(said),
        "QT_PLUGIN_PATH": "/usr/lib/somewhere/plugins",
        "LD_LIBRARY_PATH": "/usr/lib/somewhere",
    }
    where = ["--network", "regtest", "--data-dir", str(tmp_path / "data")]
    done = run("doctor", *where, "--node", "ssh://me@127.0.0.1", "--ssh", "system", **given)
    assert done.returncode == 1, done.stderr
    environment = dict(line.split("=", 1) for line in said.read_text().splitlines() if "=" in line)
    for name, value in given.items():
        assert environment[name] == value
    added = set(environment) - set(given) - {"HOME", "LANG", "QT_QPA_PLATFORM"}
    assert added <= {"LC_ALL", "PWD", "OLDPWD", "SHLVL", "_"}, added


def test_wrong_command_line_has_its_sentence_and_status(run: Run) -> None:
    done = run("nothing-of-the-kind")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert not done.stdout
