"""The offline window and command line as real processes: what they can do, and what they cannot."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.vault.samples import PASSWORD, make_wallet
from tests.vault_with_cheap_kdf import CHEAP_VAULT
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.sealing import FLOOR
from wallet_gui.vault.password_cost import PasswordCost
from wallet_gui.wallet import psbt_roles

ROOT = Path(__file__).resolve().parents[2]
ENTRY = ROOT / "tests" / "functional" / "offline_with_cheap_kdf.py"
CHEAP = PasswordCost(preferred=FLOOR, fallback=FLOOR)
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="/proc and seccomp are Linux's")
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "offscreen"}
GENEROUS = 60.0


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def password(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.touch(0o600)
    path.write_text(PASSWORD + "\n")
    return path


def command(*arguments: str, data: Path) -> list[str]:
    return [
        *(sys.executable, str(ENTRY)),
        *("--network", "regtest", "--data-dir", str(data), "--offline", *arguments),
    ]


def run(*arguments: str, data: Path, entry: list[str] | None = None) -> Any:
    done = subprocess.run(
        entry or command(*arguments, "--json", data=data),
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
        timeout=GENEROUS,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return {**_dict(json.loads(done.stdout)), "status": done.returncode}


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {"value": value}


def wait(holds: Any, seconds: float = GENEROUS) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def status(process: int, name: str) -> str:
    text = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace")
    return next(line.split()[1] for line in text.splitlines() if line.startswith(f"{name}:"))


def is_alive(process: int) -> bool:
    try:
        return status(process, "State") != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
    threads = Path(f"/proc/{process}/task").iterdir()
    found = {int(number) for number in text.split()}
    for thread in threads:
        found |= {int(n) for n in (thread / "children").read_text(encoding="ascii").split()}
    return sorted(found)


# --- the command line


def test_a_wallet_is_made_and_signs_a_payment_without_a_network(
    data: Path, password: Path, tmp_path: Path
) -> None:
    sample = make_wallet(data / "regtest" / "wallets", cost=CHEAP)
    plan = sample.plan()
    pay, back = tmp_path / "pay.psbt", tmp_path / "back.psbt"
    pay.write_bytes(plan.psbt.serialize())
    secret = ("--password-file", str(password))
    made = run("psbt", "sign", str(pay), "--yes", "--output", str(back), *secret, data=data)
    assert made["status"] == 0, made
    signed = Psbt.parse(back.read_bytes())
    assert psbt_roles.extract(psbt_roles.finalize(signed)).txid == plan.psbt.tx.txid
    shown = run("psbt", "inspect", str(back), data=data)
    assert shown["status"] == 0
    listed = run("wallets", data=data)["value"]
    assert [entry["name"] for entry in listed] == ["Savings"]
    address = run("address", "--label", "Ada", *secret, data=data)["address"]
    signature = run("message", "sign", address, "I am here", *secret, "--yes", data=data)
    assert signature["status"] == 0, signature
    copy = tmp_path / "copy.wallet"
    assert run("backup", "copy", str(copy), *secret, data=data)["status"] == 0
    assert run("backup", "check", str(copy), *secret, data=data)["same"]
    sheet = run("backup", "sheet", str(tmp_path / "sheet.pdf"), *secret, data=data)
    assert sheet["status"] == 0, sheet
    exported = run("descriptor", "export", *secret, data=data)
    assert len(exported["descriptors"]) == 2
    key = run("descriptor", "key", *secret, data=data)
    assert key["key"].startswith("[")


@pytest.mark.parametrize(
    "arguments",
    [
        ("balance",),
        ("history", "--no-sync"),
        ("sync",),
        ("peers",),
        ("doctor", "ssh://me@host"),
        ("ssh-key",),
        ("check-update",),
        ("send", "bcrt1qqqqq", "1"),
        ("psbt", "create", "--to", "bcrt1qs758ursh4q9z627kt3pp5yysm78ddny6txaqgw=1"),
        ("connections",),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_what_needs_the_chain_is_refused_with_a_sentence(
    data: Path, arguments: tuple[str, ...]
) -> None:
    said = run(*arguments, data=data)
    assert said["status"] == 1
    assert "--offline" in said["error"]


def test_options_about_connecting_are_refused(data: Path) -> None:
    said = run("--peer", "127.0.0.1:1", "wallets", data=data)
    assert said["status"] == 2
    assert "--peer" in said["error"]


def test_no_network_module_is_loaded_by_any_command(data: Path, password: Path) -> None:
    """Each command is run in a process that tells at its end what it has imported."""
    make_wallet(data / "regtest" / "wallets", cost=CHEAP)
    secret = ["--password-file", str(password)]
    script = (
        "import sys\n"
        "from wallet_gui.vault.hardening import harden\n"
        "harden()\n"
        "from wallet_gui.cli.main import main\n"
        f"main(sys.argv[1:], {CHEAP_VAULT!r})\n"
        "from wallet_gui.vault.offline.proof import NETWORK_MODULES\n"
        "print('LOADED', [n for n in NETWORK_MODULES if n in sys.modules])\n"
    )
    for arguments in (
        ["wallets"],
        ["address", *secret],
        ["descriptor", "export", *secret],
        ["descriptor", "key", *secret],
        ["message", "verify", "bcrt1qqqqq", "text", "--signature", "AAAA"],
        ["psbt", "inspect", "nothing"],
        ["create", "--wallet", "a b", *secret, "--words-file", str(data / "words")],
        ["help"],
    ):
        done = subprocess.run(
            [
                *(sys.executable, "-c", script, "--offline", "--network", "regtest"),
                *("--data-dir", str(data), *arguments),
            ],
            capture_output=True,
            text=True,
            check=False,
            env=ENVIRONMENT,
            timeout=GENEROUS,
        )
        if arguments != ["help"]:  # it ends the process once it has printed
            assert "LOADED []" in done.stdout, (arguments, done.stdout, done.stderr)


def test_the_command_line_does_not_begin_where_the_network_is_open(data: Path) -> None:
    script = "import sys\nfrom wallet_gui.cli.main import main\nmain(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", script, "--offline", "--data-dir", str(data), "wallets"],
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
        timeout=GENEROUS,
    )
    assert done.returncode != 0
    assert "was not blocked" in done.stderr


# --- the window

# Started in place of the product's entry: the same, but it tells what it is before it runs.
WINDOW = """
import ctypes, json, os, sys
FLOORS = 'wallet_gui.keys', 'wallet_gui.app'
from wallet_gui.vault.hardening import harden
protections = harden()
from PySide6.QtCore import QTimer
from wallet_gui.vault.offline import application, window
from wallet_gui.vault.offline.proof import loaded_network_modules, look
started = window.OfflineWindow.start
def start(self):
    started(self)
    def tell():
        library = ctypes.CDLL(None, use_errno=True)
        said = {
            "modules": loaded_network_modules(),
            "floors": [n for n in sys.modules if n.startswith(FLOORS)],
            "sockets": [library.socket(family, kind, 0) for family in (2, 10) for kind in (1, 2)],
            "dumpable": library.prctl(3, 0, 0, 0, 0),
            "checks": [[c.title, c.finding.value] for c in look(protections, tuple(VAULT))],
        }
        print(json.dumps(said), flush=True)
        for path in sys.argv[1:]:
            if path.endswith(".wallet"):
                self._bench.open(path, lambda error: print(repr(error), flush=True))
    QTimer.singleShot(500, self, tell)
window.OfflineWindow.start = start
arguments = [argument for argument in sys.argv[1:] if not argument.endswith(".wallet")]
sys.exit(application.main(arguments, protections, tuple(VAULT)))
"""


@pytest.fixture
def window(data: Path) -> Iterator[subprocess.Popen[str]]:
    """A running offline window that has asked its vault for the password of a wallet."""
    sample = make_wallet(data / "regtest" / "wallets", cost=CHEAP)
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", f"VAULT = {list(CHEAP_VAULT)!r}\n{WINDOW}", "--offline"),
            *("--network", "regtest", "--data-dir", str(data), str(sample.path)),
        ],
        stdout=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def told(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    return dict(json.loads(process.stdout.readline()))


@ON_LINUX
def test_the_window_has_no_network_and_shows_it(window: subprocess.Popen[str]) -> None:
    said = told(window)
    # Seen from outside, and not by its own word.
    assert status(window.pid, "Seccomp") == "2"
    assert status(window.pid, "NoNewPrivs") == "1"
    assert said["sockets"] == [-1, -1, -1, -1]
    assert said["dumpable"] == 0
    assert said["modules"] == []
    assert said["floors"] == []
    findings = dict(said["checks"])
    assert findings.pop("This computer") in {"holds", "does not hold", "cannot be had here"}
    assert set(findings.values()) == {"holds"}, findings
    limits = Path(f"/proc/{window.pid}/limits").read_text(encoding="ascii")
    assert "Max core file size        0                    0" in limits


@ON_LINUX
def test_its_vault_is_protected_too_and_dies_with_it(window: subprocess.Popen[str]) -> None:
    told(window)
    wait(lambda: children(window.pid))
    (vault,) = children(window.pid)
    wait(lambda: status(vault, "Seccomp") == "2")
    os.kill(window.pid, signal.SIGKILL)
    window.wait()
    wait(lambda: not is_alive(vault), 10)


@ON_LINUX
def test_the_window_lives_on_when_its_vault_is_killed(window: subprocess.Popen[str]) -> None:
    told(window)
    wait(lambda: children(window.pid))
    (vault,) = children(window.pid)
    os.kill(vault, signal.SIGKILL)
    assert window.stdout is not None
    assert "VaultError" in window.stdout.readline()
    assert window.poll() is None
    wait(lambda: not children(window.pid))


def test_a_second_window_on_one_folder_says_so_and_ends(
    window: subprocess.Popen[str], data: Path
) -> None:
    told(window)
    second = subprocess.run(
        command(data=data),
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
        timeout=GENEROUS,
    )
    assert second.returncode == 1
    assert "in use" in second.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--smoke-test", "--offline"),
        ("--offline", "--network", "signet", "--smoke-test"),
    ],
)
def test_the_products_own_entry_passes_its_smoke_test(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "wallet_gui", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
        timeout=GENEROUS,
    )
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    # Every line but the last one is a check that held.
    assert all(": ok, " in line for line in lines[:-1]), done.stdout
    names = {line.split(":")[0] for line in lines[:-1]}
    assert {"curve", "vectors", "vault", "wallet", "window", "no network"} <= names
    assert lines[-1].startswith("All checks passed in ")


@pytest.mark.parametrize("wrong", ["bitcoin:bcrt1q", "--playground", "--peer"])
def test_what_has_no_place_offline_is_refused(data: Path, wrong: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "wallet_gui", "--offline", "--data-dir", str(data), wrong],
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
        timeout=GENEROUS,
    )
    assert done.returncode == 2
    assert wrong.split(":", maxsplit=1)[0] in done.stderr
