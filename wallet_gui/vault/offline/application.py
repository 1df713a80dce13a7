"""Starts the offline window: the network is blocked before this module is even imported."""

import argparse
import logging
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from wallet_gui import __version__
from wallet_gui.curve import CurveError, self_test
from wallet_gui.custody.keeper import Keeper
from wallet_gui.custody.requests import VaultLook
from wallet_gui.custody.vault_dialog import VaultDialog
from wallet_gui.primitives.params import MAINNET, NETWORKS
from wallet_gui.storage.errors import InUse, StorageError
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.settings import DataDirectory, Settings, SettingsFile
from wallet_gui.vault.hardening import Protections
from wallet_gui.vault.offline.bench import Bench
from wallet_gui.vault.offline.proof import look
from wallet_gui.vault.offline.window import OfflineWindow
from wallet_gui.widgets.clipboard import clipboard
from wallet_gui.widgets.fonts import install_fonts
from wallet_gui.widgets.resources import resource
from wallet_gui.widgets.shutdown_signals import ShutdownSignals
from wallet_gui.widgets.theme import ThemeSwitch

if TYPE_CHECKING:
    from wallet_gui.widgets.smoke_test import SmokeTest

logger = logging.getLogger(__name__)

APPLICATION_ID: Final = "wallet-gui-offline"
_EXIT_USAGE: Final = 2


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line; exits with status 2 and a sentence when it is wrong."""
    parser = argparse.ArgumentParser(
        prog="wallet-gui --offline",
        allow_abbrev=False,
        description="The window of a computer that keeps keys and has no network. The network is "
        "blocked in its process, and it shows the proof.",
    )
    parser.add_argument("--offline", action="store_true", required=True)
    parser.add_argument("--network", choices=sorted(NETWORKS), default=MAINNET.name)
    parser.add_argument("--data-dir", type=Path, default=None, help="where everything is kept")
    parser.add_argument(
        "--smoke-test",
        action="store_true",
        help="open the window in a temporary folder, check fonts, arithmetic, vault and that there "
        "is no network, and end; the exit status tells whether all is well",
    )
    parser.add_argument("--version", action="version", version=f"wallet-gui {__version__}")
    options = parser.parse_args(arguments)
    if options.smoke_test and options.data_dir:
        parser.error(
            "--smoke-test works in a temporary folder of its own: it takes --network, and no "
            "folder."
        )
    return options


def main(
    arguments: list[str], protections: Protections, vault_command: tuple[str, ...] = ()
) -> int:
    """Run the window until it is closed; returns the exit status.

    `protections` are those that `hardening.harden` put in place as the first thing of the process.
    `vault_command` starts another vault than the program's own, for tests.
    """
    options = parse_arguments(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    sys.excepthook = _log_exception
    if not _has_screen():
        sys.stderr.write(
            "wallet-gui: there is no screen to open a window on. Start it in a desktop session, or "
            "use the command line: wallet-gui --offline psbt sign.\n"
        )
        return 1
    if options.smoke_test:
        return _smoke_test(options, protections, vault_command)
    return _open(options, options.data_dir, protections, vault_command)


def _smoke_test(
    options: argparse.Namespace, protections: Protections, vault_command: tuple[str, ...]
) -> int:
    """Open the window in a folder that is gone afterwards, check it, and end."""
    # Here and not above: a window that is used needs none of it.
    from wallet_gui.widgets.smoke_test import run_smoke_test  # noqa: PLC0415

    try:
        return run_smoke_test(
            lambda folder, test: _open(options, folder, protections, vault_command, test)
        )
    except StorageError as error:
        sys.stderr.write(f"wallet-gui: {error}\n")
        return 1


def _open(
    options: argparse.Namespace,
    root: Path | None,
    protections: Protections,
    vault_command: tuple[str, ...],
    test: "SmokeTest | None" = None,
) -> int:
    """Open the window on the data folder `root`; returns the exit status."""
    params = NETWORKS[options.network]
    directory = DataDirectory(root, params)
    try:
        self_test()
        directory.create()
        settings = SettingsFile(directory.settings_path).load()
        # Not the lock of the online window: both may run, and a wallet has a lock of its own.
        lock = FileLock(directory.root / "offline", "The offline window of this data folder")
        lock.acquire()
    except InUse as error:
        sys.stderr.write(f"wallet-gui: {error}\n")
        return 1
    except (StorageError, CurveError) as error:
        sys.stderr.write(f"wallet-gui: {error}\n")
        return _EXIT_USAGE
    try:
        vault = VaultDialog(command=vault_command)
        keeper = Keeper(directory, params, vault, lambda: _vault_look(directory, settings))
        return _run(settings, keeper, protections, vault_command, test)
    finally:
        lock.release()


def _run(
    settings: Settings,
    keeper: Keeper,
    protections: Protections,
    vault_command: tuple[str, ...],
    test: "SmokeTest | None",
) -> int:
    # Qt gets no argument of ours: it would take some of them for its own.
    qt = QApplication(["wallet-gui"])
    qt.setApplicationName("wallet-gui")
    qt.setApplicationDisplayName("")
    qt.setDesktopFileName(APPLICATION_ID)
    qt.setWindowIcon(QIcon(str(resource("icons", "wallet-gui.svg"))))
    install_fonts(qt, settings.text_scale)
    ThemeSwitch(qt, settings.appearance)
    ShutdownSignals(qt)
    owner = QObject(qt)
    bench = Bench(keeper, owner)
    window = OfflineWindow(bench, protections, lambda: look(protections, vault_command))
    window.idle_lock.set_minutes(settings.lock_after_minutes)
    window.sidebar.hide_button.setChecked(settings.hide_amounts)
    # Nothing that was copied here is needed on this computer once the window is gone.
    qt.aboutToQuit.connect(clipboard().forget)
    if test is not None:
        _check_when_ready(qt, window, test, keeper, protections)
    window.show()
    window.start()
    try:
        return qt.exec()
    finally:
        bench.close()


def _check_when_ready(
    qt: QApplication,
    window: OfflineWindow,
    test: "SmokeTest",
    keeper: Keeper,
    protections: Protections,
) -> None:
    from wallet_gui.vault.offline.smoke_test import checks  # noqa: PLC0415 - see _smoke_test
    from wallet_gui.widgets.smoke_checks import FirstFrame  # noqa: PLC0415

    first_frame = FirstFrame(window, test.began)
    folder = keeper.directory.root

    def begin() -> None:
        test.run(qt, checks(test, window, first_frame, folder, keeper.params, protections))

    window.ready.connect(begin, Qt.ConnectionType.SingleShotConnection)


def _vault_look(directory: DataDirectory, settings: Settings) -> VaultLook:
    return VaultLook(
        directory=str(directory.wallets_directory),
        appearance=settings.appearance,
        text_scale=settings.text_scale,
        headless=None,
    )


def _has_screen() -> bool:
    """Whether Qt will find a screen; without one it would end the process with a core dump."""
    names = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    return sys.platform != "linux" or any(os.environ.get(name) for name in names)


def _log_exception(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    # The text of a foreign exception may quote anything: only its kind and its place are logged.
    place = ""
    while trace is not None:
        place = f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}"
        trace = trace.tb_next
    logger.error("Unexpected %s in %s", kind.__name__, place, exc_info=None if place else error)
