"""Window or vault killed at any moment: nothing acknowledged is lost, and no process stays."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile import kill_processes, processes
from tests.unit.vault.samples import PASSWORD, WORDS
from tests.vault_with_cheap_kdf import CHEAP_VAULT
from wallet_gui.transfer.messages import (
    STDIN,
    HeadlessOptions,
    Request,
    RestoreWallet,
    UnlockWallet,
    to_json,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = (sys.executable, "-m", "wallet_gui")
KILLS = 12


def test_random_kills_lose_nothing_and_leave_nobody(tmp_path: Path) -> None:
    said = kill_processes.run(tmp_path / "rounds", KILLS)
    print(dict(said))
    assert said["kills"] == KILLS
    assert said["lost"] == said["unreadable"] == said["orphans"] == 0
    assert said["secrets in files"] == said["changed what it should not"] == 0


class Asker:
    """A client process that asked, and the vault that it started."""

    def __init__(self, request: Request, command: tuple[str, ...]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.asking_client", json.dumps(command)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
            cwd=ROOT,
        )
        assert self.process.stdin is not None
        self.process.stdin.write(to_json(request))
        self.process.stdin.close()
        processes.seconds_until(lambda: bool(processes.vaults_of(self.process.pid)))
        (self.vault,) = processes.vaults_of(self.process.pid)

    def wait_for(self, words: bytes) -> None:
        assert self.process.stdout is not None
        while words not in (line := self.process.stdout.readline()):
            assert line, "it ended"

    def kill_the_client(self) -> float:
        """Return after how many seconds the vault was gone."""
        self.process.kill()
        self.process.wait()
        return processes.seconds_until(lambda: not processes.is_alive(self.vault))

    def end(self) -> None:
        processes.kill(self.vault)
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def askers() -> Iterator[list[Asker]]:
    started: list[Asker] = []
    yield started
    for asker in started:
        asker.end()


@pytest.fixture
def options(tmp_path: Path) -> HeadlessOptions:
    for name, text in (("password", PASSWORD), ("words", WORDS)):
        (tmp_path / name).touch(0o600)
        (tmp_path / name).write_text(text)
    return HeadlessOptions(
        password_file=str(tmp_path / "password"), words_file=str(tmp_path / "words")
    )


@pytest.mark.alone
def test_a_vault_that_computes_argon2_ends_with_its_client(
    tmp_path: Path, options: HeadlessOptions, askers: list[Asker]
) -> None:
    # The product's own cost: seconds during which the interpreter runs no line of Python.
    request = RestoreWallet(str(tmp_path / "w"), "New", "regtest", headless=options)
    asker = Asker(request, PRODUCT)
    askers.append(asker)
    asker.wait_for(b"Protecting")
    time.sleep(0.3)
    assert asker.kill_the_client() < kill_processes.PROMISED_SECONDS
    assert not list(tmp_path.rglob("*.wallet*"))


@pytest.mark.alone
def test_a_vault_with_a_window_ends_with_its_client(tmp_path: Path, askers: list[Asker]) -> None:
    asker = Asker(RestoreWallet(str(tmp_path / "w"), "New", "regtest"), CHEAP_VAULT)
    askers.append(asker)
    time.sleep(1.5)
    assert processes.is_alive(asker.vault)  # it waits for the person
    assert asker.kill_the_client() < kill_processes.PROMISED_SECONDS


@pytest.mark.alone
def test_a_vault_that_waits_for_a_line_ends_with_its_client(
    tmp_path: Path, askers: list[Asker]
) -> None:
    request = UnlockWallet(str(tmp_path / "x.wallet"), headless=HeadlessOptions(STDIN))
    # A terminal at which nobody ever types.
    asker = Asker(request, ("/bin/sh", "-c", 'exec "$@" </dev/ptmx', "sh", *CHEAP_VAULT))
    askers.append(asker)
    time.sleep(1)
    assert processes.is_alive(asker.vault)
    assert asker.kill_the_client() < kill_processes.PROMISED_SECONDS
