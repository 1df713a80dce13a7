"""Starts the offline window: the network is blocked before this module is even imported."""

import argparse
import logging
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Final

from PySide6.QtCore import QObject, QTimer
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

logger = logging.getLogger(__name__)

APPLICATION_ID: Final = "wallet-gui-offline"
_EXIT_USAGE: Final = 2
_SMOKE_TEST_LIMIT_MS: Final = 60_000
_SMOKE_TEST_LOOK_MS: Final = 200


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
        "--smoke-test", action="store_true", help="open the window, check it, and end"
    )
    parser.add_argument("--version", action="version", version=f"wallet-gui {__version__}")
    return parser.parse_args(arguments)


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
    params = NETWORKS[options.network]
    directory = DataDirectory(options.data_dir, params)
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
        return _run(options, settings, keeper, protections, vault_command)
    finally:
        lock.release()


def _run(
    options: argparse.Namespace,
    settings: Settings,
    keeper: Keeper,
    protections: Protections,
    vault_command: tuple[str, ...],
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
    if options.smoke_test:
        _end_when_ready(qt, window)
    window.show()
    window.start()
    try:
        return qt.exec()
    finally:
        bench.close()


def _end_when_ready(qt: QApplication, window: OfflineWindow) -> None:
    """End by itself: with status 0 once the window can be used, with 1 if that takes a minute."""

    def give_up() -> None:
        sys.stderr.write("wallet-gui: The window did not open.\n")
        qt.exit(1)

    window.ready.connect(lambda: QTimer.singleShot(_SMOKE_TEST_LOOK_MS, qt, lambda: qt.exit(0)))
    QTimer.singleShot(_SMOKE_TEST_LIMIT_MS, qt, give_up)


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
