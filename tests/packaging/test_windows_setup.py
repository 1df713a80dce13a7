"""The setup program for Windows under wine: installed, used, replaced and removed by one person.

Wine is no Windows: what it cannot show (SmartScreen, how Windows asks which program opens a link,
real console windows) is in the release checklist.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from installers import authenticode, freeze, windows
from installers.job import Job

from tests.functional.bitcoind import Node
from tests.packaging.skipping import skipping_where_missing
from tests.packaging.wine_desktop import (
    CLASSES,
    CONSOLE,
    DATA,
    HOME,
    INSTALLED,
    UNINSTALL,
    WINDOW,
    Desktop,
    Registry,
    desktop,
)
from tests.patience import PATIENCE
from tests.smoke import CHECKS, Told, smoke_test

pytestmark = [pytest.mark.slow]

SETUP = "C:\\setup.exe"
OPENS = f'"{WINDOW}" -- "%1"'
OURS = "HKEY_CURRENT_USER\\Software\\Wallet GUI"
PROGRAMS = "HKEY_CURRENT_USER\\Software\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\Wallet GUI"
REGISTERED = "HKEY_CURRENT_USER\\Software\\RegisteredApplications"
OTHER = '"C:\\Program Files\\Other Wallet\\other.exe" "%1"'
START_MENU = "AppData/Roaming/Microsoft/Windows/Start Menu/Programs"
PASSWORD = "four lamps walk home slowly"
LINK = "bitcoin:bcrt1qcr8te4kr609gcawutmrza0j4xv80jy8zkrh0ed?amount=1"
RUNS = 3


@pytest.fixture(scope="module")
def setup(packages: Callable[[str], Path]) -> Path:
    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is missing")
    return packages("windows")


@pytest.fixture(scope="module")
def person(setup: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desktop]:
    """Somebody whose links another wallet has, and who has never had ours."""
    with ExitStack() as stack:
        with skipping_where_missing():
            made = stack.enter_context(desktop(tmp_path_factory.mktemp("windows")))
        shutil.copyfile(setup, made.wine.place(SETUP))
        made.run("cmd", "/c", "ver")  # what wine writes at its first use
        yield made


@pytest.fixture(scope="module")
def other_wallet(person: Desktop) -> None:
    person.add(f"{CLASSES}\\bitcoin", "@", "URL:Other Wallet")
    person.add(f"{CLASSES}\\bitcoin", "URL Protocol", "")
    person.add(f"{CLASSES}\\bitcoin\\shell\\open\\command", "@", OTHER)
    person.add(f"{CLASSES}\\.psbt", "@", "OtherWallet.psbt")
    person.add(f"{CLASSES}\\.psbt\\OpenWithProgids", "OtherWallet.psbt", "")
    person.add(REGISTERED, "Other Wallet", "Software\\Other Wallet\\Capabilities")


@pytest.fixture(scope="module")
def before(person: Desktop, other_wallet: None) -> tuple[set[str], Registry]:
    person.settle()
    return person.files(), person.registry()


@pytest.fixture(scope="module")
def installed(person: Desktop, before: tuple[set[str], Registry]) -> Registry:
    done = person.run(SETUP, "/S")
    assert done.returncode == 0, done.stderr
    person.settle()
    return person.registry()


def fill(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


# In this order: one person's use of the program from the first day to the last.


def test_it_is_installed_for_one_person_with_everything_windows_lists(
    person: Desktop, installed: Registry
) -> None:
    entry = installed[PROGRAMS]
    assert entry["DisplayName"] == "Wallet GUI"
    assert entry["DisplayVersion"] == freeze.version()
    assert entry["Publisher"] == "The Wallet GUI developers"
    assert entry["InstallLocation"] == INSTALLED
    assert entry["UninstallString"] == f'"{UNINSTALL}"'
    assert entry["QuietUninstallString"] == f'"{UNINSTALL}" /S'
    folder = person.wine.place(INSTALLED)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    told = int(entry["EstimatedSize"].removeprefix("dword:"), 16) * 1024
    assert 0 <= size - told < 1_000_000  # the uninstaller is not counted
    files = person.files()
    assert f"{START_MENU}/Wallet GUI.lnk" in files
    offline = person.wine.place(f"{HOME}\\{START_MENU}\\Wallet GUI Offline.lnk".replace("/", "\\"))
    assert "--offline".encode("utf-16-le") in offline.read_bytes()
    # Nothing outside of the person's own folders.
    assert not person.wine.place("C:\\Program Files\\Wallet GUI").exists()


def test_links_and_files_are_offered_and_the_other_wallet_keeps_its_own(
    installed: Registry, before: tuple[set[str], Registry]
) -> None:
    assert installed[REGISTERED]["Wallet GUI"] == "Software\\Wallet GUI\\Capabilities"
    can = f"{OURS}\\Capabilities"
    assert installed[can]["ApplicationName"] == "Wallet GUI"
    assert installed[f"{can}\\URLAssociations"] == {"bitcoin": "WalletGUI.bitcoin"}
    assert installed[f"{can}\\FileAssociations"] == {".psbt": "WalletGUI.psbt"}
    for name in ("WalletGUI.bitcoin", "WalletGUI.psbt"):
        assert installed[f"{CLASSES}\\{name}\\shell\\open\\command"]["@"] == OPENS
    assert "URL Protocol" in installed[f"{CLASSES}\\WalletGUI.bitcoin"]
    assert set(installed[f"{CLASSES}\\.psbt\\OpenWithProgids"]) == {
        "OtherWallet.psbt",
        "WalletGUI.psbt",
    }
    for key, values in before[1].items():
        assert installed[key].items() >= values.items(), key


def test_command_line_prints_and_asks(person: Desktop, installed: Registry) -> None:
    assert person.run(CONSOLE, "--version").stdout.strip() == f"wallet-gui {freeze.version()}"
    wrong = person.run(CONSOLE, "balance", "--colour")
    assert wrong.returncode == 2
    assert "--colour" in wrong.stderr
    refused = person.run(CONSOLE, LINK, "--data-dir", "C:\\elsewhere")
    assert refused.returncode == 2
    assert "options cannot follow a link" in refused.stderr


def patient_smoke_test(person: Desktop, command: list[str], options: list[str]) -> Told:
    """Try again when its minute was not enough, for wine on a machine that does other things too.

    What it found wrong is never tried again.
    """
    for last in (False, False, True):
        told = smoke_test(
            *options,
            env=person.wine.environment(person.environment),
            command=person.wine.command_line(command),
        )
        said = [*told.problems.values(), told.last]
        if last or told.is_good or not any("within 60 seconds" in text for text in said):
            return told
    raise AssertionError


@pytest.mark.functional
def test_it_passes_its_own_test_with_a_real_node(
    person: Desktop, installed: Registry, module_node: Node
) -> None:
    module_node.mature()
    peer = f"{module_node.host}:{module_node.p2p_port}"
    for command, wanted in (([CONSOLE], CHECKS), ([CONSOLE, "--offline"], ("vault", "window"))):
        peers = [] if "--offline" in command else ["--network", "regtest", "--peer", peer]
        told = patient_smoke_test(person, command, peers)
        assert told.is_good, told
        assert set(wanted) <= set(told.found)
        if peers:
            assert "engine-win32-x64.dll" in told.found["engine"]
            assert f"peer {peer}" in told.found


@pytest.mark.functional
def test_a_wallet_is_created_and_finds_its_payment_by_p2p(
    person: Desktop, installed: Registry, module_node: Node
) -> None:
    regtest = ["--network", "regtest", "--wallet", "savings", "--password-file", "-"]
    words = "C:\\words.txt"
    secret = f"{PASSWORD}\n"
    created = person.run(CONSOLE, "create", *regtest, "--words-file", words, input=secret)
    assert created.returncode == 0, created.stderr
    assert len(person.wine.place(words).read_text().split()) == 12
    assert created.stderr == ""
    address = person.run(CONSOLE, "address", *regtest, input=secret).stdout.strip()
    assert address.startswith("bcrt1")
    module_node.mature()
    module_node.fund(address, 123_456)
    module_node.mine()
    module_node.wait_for_filters()
    peer = f"{module_node.host}:{module_node.p2p_port}"
    told = person.run(
        *(CONSOLE, "balance", *regtest, "--peer", peer, "--only-peers", "--json"), input=secret
    )
    assert told.returncode == 0, told.stderr
    assert "123456" in told.stdout


def test_a_second_start_hands_its_link_over_and_a_running_program_is_not_replaced(
    person: Desktop, installed: Registry
) -> None:
    """The links come through the registry; nothing that stands in one is an option."""
    empty = person.looks()
    window = person.start(WINDOW, "--network", "regtest")
    try:
        person.wait_for_change(empty)
        assert person.run(SETUP, "/S").returncode == RUNS
        # Without this option it would go on in a copy of itself, whose status nobody gets.
        assert person.type_in(f'"{UNINSTALL}" /S _?={INSTALLED}') == RUNS
        assert person.wine.place(WINDOW).exists()
        seen = person.looks()
        handed = person.run(WINDOW, "--", LINK)
        assert handed.returncode == 0, handed.stderr
        person.wait_for_change(seen)
        seen = person.looks()
        # As a page could write it, were its quotes not escaped by the browser.
        hostile = person.run(WINDOW, "--", "bitcoin:x", "--data-dir", "C:\\evil")
        assert hostile.returncode == 2
        assert not person.wine.place("C:\\evil").exists()
        assert window.poll() is None
    finally:
        window.kill()
        person.wine.server("-k")
        window.wait()


def test_removing_leaves_the_wallets_and_the_other_wallet(
    person: Desktop, installed: Registry, before: tuple[set[str], Registry]
) -> None:
    fill(person.wine.place(f"{DATA}\\regtest\\wallets\\mine.wallet"), "a wallet")
    fill(person.wine.place(f"{INSTALLED}\\my notes.txt"), "of the person")
    done = person.run(UNINSTALL, "/S")
    assert done.returncode == 0
    wait_until_gone(person.wine.place(UNINSTALL))
    person.settle()
    added = person.files() - before[0]
    kept = {name for name in added if not name.startswith("AppData/Local/wallet-gui")}
    assert kept == {
        "AppData/Local/Programs",
        "AppData/Local/Programs/Wallet GUI",
        "AppData/Local/Programs/Wallet GUI/my notes.txt",
    }
    assert "AppData/Local/wallet-gui/regtest/wallets/mine.wallet" in added
    assert ours(person.registry()) == ours(before[1])


def test_another_version_is_replaced_without_a_rest_and_links_nobody_has_are_ours(
    person: Desktop, installed: Registry, setup: Path, tmp_path: Path
) -> None:
    for key in ("bitcoin", ".psbt"):
        person.forget(f"{CLASSES}\\{key}")
    old = tmp_path / "tree"
    program = person.wine.drive / "windows" / "system32" / "winver.exe"
    for name in ("wallet-gui-window.exe", "wallet-gui.exe", "_internal/old/stale.dll"):
        (old / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(program, old / name)
    (tmp_path / "work").mkdir()
    job = Job(old, tmp_path, tmp_path / "work", "9.0", freeze.epoch())
    made = windows.make_setup(person.wine.root, old, job)
    shutil.copyfile(made, person.wine.place("C:\\other.exe"))
    assert person.run("C:\\other.exe", "/S").returncode == 0
    folder = person.wine.place(INSTALLED)
    stale = folder / "_internal" / "old" / "stale.dll"
    assert stale.exists()
    assert person.registry()[PROGRAMS]["DisplayVersion"] == "9.0"
    assert person.registry()[f"{CLASSES}\\bitcoin\\shell\\open\\command"]["@"] == OPENS

    # To another folder, whose name has blanks.
    elsewhere = "C:\\my programs\\wallet"
    assert person.type_in(f"{SETUP} /S /D={elsewhere}") == 0
    assert not stale.parent.exists()
    assert {path.name for path in folder.iterdir()} == {"my notes.txt"}
    there = person.registry()
    assert there[PROGRAMS]["DisplayVersion"] == freeze.version()
    assert there[PROGRAMS]["InstallLocation"] == elsewhere
    command = there[f"{CLASSES}\\bitcoin\\shell\\open\\command"]["@"]
    assert command == f'"{elsewhere}\\wallet-gui-window.exe" -- "%1"'
    said = person.run(f"{elsewhere}\\wallet-gui.exe", "--version").stdout
    assert said.strip() == f"wallet-gui {freeze.version()}"

    assert person.run(f"{elsewhere}\\uninstall.exe", "/S").returncode == 0
    wait_until_gone(person.wine.place(f"{elsewhere}\\uninstall.exe"))
    person.settle()
    assert not person.wine.place(elsewhere).exists()
    left = person.registry()
    assert not [key for key in left if "bitcoin" in key.lower() or key.endswith(".psbt")]
    assert not [key for key in left if "Wallet GUI" in key or "WalletGUI" in key]


def test_a_signature_adds_nothing_but_itself(person: Desktop, setup: Path, tmp_path: Path) -> None:
    """By the tool that signs releases, with a key of this test's own."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make_certificate(key, certificate)
    inside = person.wine.root / "signing"
    inside.mkdir()
    for path in (key, certificate, setup):
        shutil.copyfile(path, inside / path.name)
    person.wine.run_tool(
        [
            *("osslsigncode", "sign", "-certs", "/signing/certificate.pem"),
            *("-key", "/signing/key.pem", "-h", "sha256"),
            *("-in", f"/signing/{setup.name}", "-out", "/signing/signed.exe"),
        ]
    )
    signed = (inside / "signed.exe").read_bytes()
    assert signed != setup.read_bytes()
    assert authenticode.without_signature(signed) == setup.read_bytes()


def ours(registry: Registry) -> Registry:
    """What programs of wallets have in the registry; wine's own notes change all the time."""
    return {
        key: values
        for key, values in registry.items()
        if key.startswith((CLASSES, OURS, REGISTERED, PROGRAMS)) or "Other Wallet" in key
    }


def make_certificate(key_file: Path, certificate_file: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    key_file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    certificate_file.write_bytes(certificate.public_bytes(pem))


def wait_until_gone(path: Path) -> None:
    """The uninstaller goes on in a copy of itself, for a program cannot remove its own file."""
    deadline = time.monotonic() + PATIENCE
    while path.exists():
        assert time.monotonic() < deadline, f"{path} is still there"
        time.sleep(0.2)
