"""The package in a Debian with nothing else in it: installed, used by an ordinary user, removed.

Links come the way a browser hands them on: through the desktop's own tools, which look the entry
up. A link's author may write anything; nothing but the payment form may come of it (CVE-2021-3401).
"""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from installers import bare_root

from tests.journey.screen import skip_without_windows
from tests.packaging.installed_debian import InstalledDebian, bare_debian, loaded
from tests.packaging.skipping import skipping_where_missing
from tests.packaging.user_screen import UserScreen, folder_of_a_user
from tests.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
ADDRESSES = (  # BIP173 and BIP86, test vectors
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
)
PASSWORD = "four lamps walk home slowly"
WINDOW, VAULT, OFFLINE = "Wallet GUI", "Vault", "Offline"
PROGRAM = "wallet-gui"
# How files of the two forms begin.
PSBT_BYTES = b"psbt\xff\x01\x00"
PSBT_TEXT = b"cHNidP8BAHUCAAAAASaBcTce3/KF6Tet7qSze3gADAVmy7OtZGQXE8pCFxv2AAAAAAD+////"
STYLE = b"* { background-color: #ff0000; color: #ff0000; }"

pytestmark = [pytest.mark.slow]


@pytest.fixture
def deb(packages: Callable[[str], Path]) -> Path:
    skip_without_windows()
    with skipping_where_missing():
        bare_root.require()
    return packages("deb")


@contextmanager
def _said(what: str) -> Iterator[None]:
    start = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - start:.1f} s")


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_installed_used_and_removed(suite: str, deb: Path, tmp_path: Path) -> None:
    with (
        _said("all"),
        folder_of_a_user() as desktop,
        UserScreen(desktop, uid=1000) as screen,
        bare_debian(tmp_path / "root", suite, screen.mounts()) as machine,
    ):
        assert machine.uid == 1000
        with _said("installing"):
            shutil.copy(deb, machine.root / "root" / deb.name)
            machine.install(f"/root/{deb.name}")
        assert not (machine.root / "usr/bin/python3").exists()
        with _said("smoke tests"):
            _passes_its_own_test(machine, screen)
        # What asks in the name of a desktop; nothing of it is needed by the program.
        machine.install("libglib2.0-bin")
        unused = machine.files() - machine.files_of(PROGRAM)
        with _said("what the desktop knows"):
            _is_known_to_the_desktop(machine)
        machine.environment = {
            name: value
            for name, value in screen.environment.items()
            if name not in {"HOME", "PATH", "XDG_DATA_HOME"}
        }
        with _said("links"):
            _opens_links(machine, screen, tmp_path)
        with _said("the offline window"):
            _opens_the_offline_window(machine, screen, tmp_path)
        with _said("removing"):
            _leaves_no_trace(machine, unused)


def _passes_its_own_test(machine: InstalledDebian, screen: UserScreen) -> None:
    assert machine.use(PROGRAM, "--version").stdout.startswith("wallet-gui ")
    offscreen = {"QT_QPA_PLATFORM": "offscreen"}
    on_screen = {"DISPLAY": screen.environment["DISPLAY"], "QT_QPA_PLATFORM": "xcb"}
    for mode, environment in (([], offscreen), ([], on_screen), (["--offline"], on_screen)):
        done = machine.use(PROGRAM, *mode, "--smoke-test", environment=environment)
        assert done.returncode == 0, (environment, mode, done.stdout, done.stderr)
        assert "FAILED" not in done.stdout
        assert "All checks passed" in done.stdout
        assert f"platform {environment['QT_QPA_PLATFORM']}" in done.stdout
    # It has looked after a folder of its own, and left the user's alone.
    assert not (machine.home / ".local").exists()


def _is_known_to_the_desktop(machine: InstalledDebian) -> None:
    for scheme in ("x-scheme-handler/bitcoin", "application/psbt"):
        # The entry is the default, and so is asked for by name, not only listed.
        first = machine.use("gio", "mime", scheme).stdout.splitlines()[0]
        assert first.endswith("wallet-gui.desktop"), first
    files = {
        machine.write("by-name.psbt", b"anything"): True,
        machine.write("BY-NAME.PSBT", b"anything"): True,
        machine.write("by-magic", PSBT_BYTES): True,
        machine.write("by-text", PSBT_TEXT): True,
        machine.write("letter", b"psbt is a format"): False,
    }
    for path, expected in files.items():
        shown = machine.use("gio", "info", "--attributes=standard::content-type", path).stdout
        assert ("application/psbt" in shown) == expected, (path, shown)
    icons = machine.root / "usr/share/icons/hicolor"
    assert (icons / "scalable/apps/wallet-gui.svg").exists()
    assert len(list(icons.glob("*x*/apps/wallet-gui.png"))) >= 8


# --- links


def _opens_links(machine: InstalledDebian, screen: UserScreen, folder: Path) -> None:
    evil = f"/home/{machine.home.name}/evil"
    style = machine.write("evil/style.qss", STYLE)
    plugin = machine.root / "usr/lib/wallet-gui/_internal/PySide6/Qt/plugins/platforms"
    for copied in ("", "platforms/"):
        machine.write(f"evil/{copied}libqoffscreen.so", (plugin / "libqoffscreen.so").read_bytes())
    injected = f"-platformpluginpath {evil} -platform offscreen -stylesheet {style}"
    injected += f" --data-dir {evil}/data --network regtest --vault"
    password = machine.write("password", PASSWORD.encode() + b"\n")
    seed = f"/home/{machine.home.name}/words"
    made = machine.use(
        *(PROGRAM, "create", "--wallet", "savings"),
        *("--password-file", password, "--words-file", seed),
    )
    assert made.returncode == 0, made.stderr

    # The label is the payee's words, whatever they look like.
    first, second = ADDRESSES
    spoken = injected.replace(" ", "%20")
    link = f"bitcoin:{first}?amount=0.015&label=Ada%20{spoken}&message=--offline"
    assert machine.hand_over("gio", "open", link) == 0
    process = _the_window(machine, link)
    screen.wait_for("Open a wallet to make the payment of the link.", WINDOW)
    screen.press("Open wallet savings", WINDOW)
    screen.fill("Password", PASSWORD, VAULT)
    screen.press("Unlock", VAULT)
    _form_says(screen, first, "0.01500000", f"Ada {injected}"[:80])
    screen.save_picture(folder / "first.png")

    # With the window open: the link goes there, by each way that desktops have.
    entry = "/usr/share/applications/wallet-gui.desktop"
    for number, opener in enumerate((("xdg-open",), ("gio", "open"), ("gio", "launch", entry)), 2):
        link = f"bitcoin:{second}?amount=0.0{number}&label={spoken}"
        assert machine.hand_over(*opener, link) == 0
        _form_says(screen, second, f"0.0{number}000000", injected[:60])
        _alone(machine, process)

    # Raw spaces in the link, and words after it: refused, and the form stays as it was.
    raw = f"bitcoin:{first}?amount=0.5 {injected}"
    for opener in (("xdg-open",), ("gio", "open"), ("gio", "launch", entry)):
        machine.hand_over(*opener, raw)
        _alone(machine, process)
    # Each word is opened by itself, as a file where it is no link.
    words = ["--", f"bitcoin:{second}?amount=0.05", *injected.split()]
    assert machine.hand_over("gio", "launch", entry, *words) == 0
    for words_after in (injected.split(), ["--data-dir", f"{evil}/data"], ["--", "--offline"]):
        done = machine.use(PROGRAM, f"bitcoin:{first}?amount=0.6", *words_after)
        assert (done.returncode, done.stdout) == (2, ""), words_after
        assert "options cannot follow" in done.stderr
    _alone(machine, process)
    _form_says(screen, second, "0.05000000", "")
    assert machine.windows()[process][1:2] == ["--"]

    # A file, too, with a name like options.
    assert machine.hand_over("gio", "open", machine.write("pay --vault.psbt", _a_payment())) == 0
    screen.wait_for("Payment to be signed", WINDOW)
    _alone(machine, process)

    # No library, no folder and no style of the link's choice.
    assert not {path for path in loaded(process) if "evil" in path}
    assert sorted(path.name for path in (machine.home / "evil").iterdir()) == [
        "libqoffscreen.so",
        "platforms",
        "style.qss",
    ]
    screen.save_picture(folder / "last.png")
    _close(machine, screen, WINDOW)


def _opens_the_offline_window(machine: InstalledDebian, screen: UserScreen, folder: Path) -> None:
    entry = "/usr/share/applications/wallet-gui-offline.desktop"
    assert machine.hand_over("gio", "launch", entry) == 0
    screen.wait_for("Offline: no network", OFFLINE)
    [words] = machine.windows().values()
    assert words[1:] == ["--offline"]
    screen.save_picture(folder / "offline.png")
    _close(machine, screen, OFFLINE)


def _close(machine: InstalledDebian, screen: UserScreen, title: str) -> None:
    screen.close_window(title)
    deadline = time.monotonic() + PATIENCE
    while machine.windows() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert machine.windows() == {}


def _a_payment() -> bytes:
    """BIP174's first valid example."""
    vectors = json.loads((ROOT / "tests" / "vectors" / "bip174.json").read_text())
    words = vectors["valid"][0][1].split()
    pieces = vectors["pieces"]
    return bytes.fromhex("".join(pieces[w[1:]] if w.startswith("$") else w for w in words))


def _the_window(machine: InstalledDebian, link: str) -> int:
    """Return the process of the one window; it was given the link in one piece, after "--"."""
    deadline = time.monotonic() + PATIENCE
    while not machine.windows() and time.monotonic() < deadline:
        time.sleep(0.1)
    [(process, words)] = machine.windows().items()
    assert words[1:] == ["--", link]
    return process


def _alone(machine: InstalledDebian, process: int) -> None:
    """A later start ends by itself, and the first window goes on."""
    deadline = time.monotonic() + PATIENCE
    while list(machine.windows()) != [process] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert list(machine.windows()) == [process]


def _form_says(screen: UserScreen, address: str, amount: str, label: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        shown = [
            screen.text(name, WINDOW)
            for name in ("Pay to: address or bitcoin link", "Amount in BTC", "Label")
        ]
        if shown[:2] == [address, amount.rstrip("0")] or shown[:2] == [address, amount]:
            assert shown[2].startswith(label)
            return
        assert time.monotonic() < deadline, shown
        time.sleep(0.1)


# --- afterwards


def _leaves_no_trace(machine: InstalledDebian, unused: set[str]) -> None:
    """`unused` is what was there before the program was used, without what its package brought."""
    before = {path for path in machine.files() if path.startswith("home/")}
    machine.administer("apt-get", "-qq", "purge", "--yes", PROGRAM)
    after = machine.files()
    # What is the user's stays.
    assert {path for path in after if path.startswith("home/")} == before
    assert f"home/{machine.home.name}/.local/share/wallet-gui" in after
    # Nothing else is new, nor does a name or a text tell of it, such as in the list of entries.
    outside = {path for path in after if not path.startswith(("home/", "root/", "var/log/"))}
    assert outside - unused == set()
    assert {path for path in outside if "wallet-gui" in path or "psbt" in path} == set()
    assert machine.mentions(["wallet-gui", "application/psbt"]) == []
    # What is gone is what triggers had made for it.
    gone = {path for path in unused - after if not path.startswith(("home/", "root/"))}
    assert {path for path in gone if not path.startswith("usr/share/mime/")} == set()
    known = machine.administer("dpkg-query", "--show", "--showformat=${Package}\n")
    assert PROGRAM not in known.split()
