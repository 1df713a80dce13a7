"""Starts the window: shows it first, then lets the engine load and open what takes time.

Nothing that the first window does not need is imported here or below: cryptography, databases and
the network code are loaded by the engine's thread while the window is on screen already.
"""

import argparse
import asyncio
import gc
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QProcess, Qt, QTimer, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from wallet_gui import __version__
from wallet_gui.app.instance import HandOver, Instance, is_psbt_file, psbt_path
from wallet_gui.app.peer_address import parse_peer
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.gui.engine import Engine
from wallet_gui.gui.main_window import MainWindow
from wallet_gui.primitives.params import MAINNET, NETWORKS, REGTEST, ChainParams
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.uri import PaymentUri
from wallet_gui.process_protection import protect_memory
from wallet_gui.program_start import own_program
from wallet_gui.storage.errors import StorageError
from wallet_gui.storage.settings import DataDirectory, Settings, SettingsFile
from wallet_gui.widgets.file_open import FileOpenFilter
from wallet_gui.widgets.fonts import change_scale, install_fonts
from wallet_gui.widgets.notice import ERROR
from wallet_gui.widgets.resources import resource
from wallet_gui.widgets.sentences import sentence
from wallet_gui.widgets.shutdown_signals import ShutdownSignals
from wallet_gui.widgets.theme import ThemeSwitch

if TYPE_CHECKING:
    from wallet_gui.app.online import Online
    from wallet_gui.widgets.smoke_test import SmokeTest

logger = logging.getLogger(__name__)

APPLICATION_ID = "wallet-gui"
_EXIT_USAGE = 2


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line of the window; exits with status 2 and a sentence when it is wrong."""
    parser = argparse.ArgumentParser(
        prog="wallet-gui",
        allow_abbrev=False,
        description="A Bitcoin wallet that needs nobody's server. Without a command it opens the "
        "window; the commands are create, restore, address, balance, history, send, sync, peers, "
        "connections, psbt.",
    )
    parser.add_argument(
        "link", nargs="?", default="", help="a bitcoin: link to pay, or a .psbt file to open"
    )
    parser.add_argument("--network", choices=sorted(NETWORKS), default=MAINNET.name)
    parser.add_argument(
        "--peer", action="append", default=[], metavar="HOST:PORT", help="connect to this peer"
    )
    parser.add_argument("--data-dir", type=Path, default=None, help="where everything is kept")
    parser.add_argument(
        "--playground", action="store_true", help="a private network with play money"
    )
    parser.add_argument(
        "--smoke-test",
        action="store_true",
        help="open the window in a temporary folder, check fonts, arithmetic, vault and the peers "
        "that are named, and end; the exit status tells whether all is well",
    )
    parser.add_argument("--version", action="version", version=f"wallet-gui {__version__}")
    options = parser.parse_args(arguments)
    if options.smoke_test and (options.data_dir or options.playground or options.link):
        parser.error(
            "--smoke-test works in a temporary folder of its own: it takes --network and --peer, "
            "and no folder, link or file."
        )
    return options


class Application(QObject):
    """Owns the window, the engine and the online side, and ends them in order.

    `started` comes once the files are open and the window can be used, or with the sentence that
    says why it cannot.
    """

    started = Signal(str)

    def __init__(
        self,
        qt: QApplication,
        directory: DataDirectory,
        settings: Settings,
        instance: Instance,
        params: ChainParams,
        *,
        peers: tuple[PeerAddress, ...] | None = None,
        playground: bool = False,
        unread_settings: str = "",
        connects: bool = True,
    ) -> None:
        """Make everything; without `connects` nobody but `peers` is connected to."""
        super().__init__(qt)
        self._qt = qt
        self._directory = directory
        self._settings = settings
        self._instance = instance
        self._params = params
        self._peers = peers
        self._playground = playground
        self._unread_settings = unread_settings
        # Nobody is contacted but who is named, whatever the settings say.
        only_named = P2POptions(own_peers=peers or (), only_own_peers=True)
        self._options = None if connects else only_named
        self._online: Online | None = None
        self._has_started = False
        self._engine = Engine()
        install_fonts(qt, settings.text_scale)
        self._theme = ThemeSwitch(qt, settings.appearance)
        self.window = MainWindow(self._engine, params)
        self.window.pages_made.connect(self._follow_settings)
        self.window.idle_lock.set_minutes(settings.lock_after_minutes)
        self.window.status.hide_button.setChecked(settings.hide_amounts)
        self.window.status.hide_wanted.connect(lambda hidden: self._change(hide_amounts=hidden))
        self.window.wizard.play_wanted.connect(self._start_playground)
        self.window.wizard.offline_wanted.connect(self._start_offline)
        self.window.link_received.connect(self._take_link, Qt.ConnectionType.QueuedConnection)

    def start(self) -> None:
        """Show the window, then open the files and connect in the engine."""
        words = "Opening."
        if self._playground:
            words = "Starting the playground: a bitcoind with play money."
        self.window.wizard.set_busy(words)
        self.window.show()
        # Once the first picture is on screen: loading competes with drawing for the interpreter.
        QTimer.singleShot(0, self, self._start_engine)

    def _start_engine(self) -> None:
        self.window.lock_flow.start()
        self._engine.start()
        self._engine.call(
            self._instance.listen(self.window.link_received.emit), self, on_failure=_no_channel
        )
        self._engine.call(
            asyncio.to_thread(
                load_online,
                self._directory,
                self._params,
                self._engine,
                playground=self._playground,
            ),
            self,
            self._loaded,
            self._failed,
        )

    def _loaded(self, online: "Online") -> None:
        self._online = online
        online.settings = self._settings
        online.unread_settings = self._unread_settings
        self.window.attach(online)
        self._engine.call(
            online.start(self._peers, options=self._options), self, self._started, self._failed
        )

    def _started(self, _: object) -> None:
        if self._online is None:
            return
        self._has_started = True
        if self.window.has_pages:
            self._show_stored()
        self.window.source_flow.show_stored()
        # A start that names its peers has decided for itself, and so has the playground.
        is_free = self._peers is None and self._online.playground is None
        self.window.wizard.offer_source(offered=is_free and not self._online.has_chosen_source())
        self.window.list_wallets()
        _collect_garbage_again()
        self.started.emit("")

    def _follow_settings(self) -> None:
        """Listen to the page of the settings, which is made when it is needed."""
        page = self.window.settings
        page.theme_wanted.connect(self._choose_theme)
        page.scale_wanted.connect(self._choose_scale)
        page.lock_minutes_wanted.connect(self._choose_lock)
        self._show_stored()

    def _show_stored(self) -> None:
        """Show what is stored; what is stored about connections is known after the start."""
        settings = self._settings if self._online is None else self._online.settings
        self.window.settings.show_settings(
            settings.appearance, settings.text_scale, settings.lock_after_minutes
        )
        if self._online is None or not self._has_started:
            return
        choice = self._online.network_choice()
        if self._peers is not None:
            choice = replace(choice, own_peers=self._peers)
        self.window.network_flow.show_choice(choice)

    def _failed(self, error: BaseException) -> None:
        # Nothing works without the files and the curve: the buttons stay held back.
        self.window.wizard.set_busy(sentence(error))
        self.window.wizard.say(sentence(error), ERROR)
        _collect_garbage_again()
        self.started.emit(sentence(error))

    def _change(self, **changes: object) -> None:
        """Store settings; what could not be stored is said."""
        if self._online is None:
            return
        self._engine.call(
            self._online.change_settings(**changes),
            self,
            on_failure=lambda error: self.window.notice.say(sentence(error), ERROR),
        )

    def _choose_theme(self, choice: str) -> None:
        self._theme.choose(choice)
        self._change(appearance=choice)

    def _choose_scale(self, percent: int) -> None:
        change_scale(self._qt, percent)
        self._theme.choose(self._theme.choice)
        self._change(text_scale=percent)

    def _choose_lock(self, minutes: int) -> None:
        self.window.idle_lock.set_minutes(minutes)
        self._change(lock_after_minutes=minutes)

    def _start_playground(self) -> None:
        """Open a window of its own on the private network; this one stays as it is."""
        if not self._start_another("--playground"):
            self.window.wizard.say(
                "The playground could not be started. Start the program with --playground.", ERROR
            )

    def _start_offline(self) -> None:
        """Open the window that reaches no network, as a process of its own."""
        if not self._start_another("--offline", "--network", self._params.name):
            self.window.wizard.say(
                "The offline signer could not be started. Start the program with --offline.", ERROR
            )

    def _start_another(self, *options: str) -> bool:
        program, *beginning = own_program(outlives_us=True)
        arguments = [*beginning, *options, "--data-dir", str(self._directory.root)]
        return QProcess.startDetached(program, arguments)[0]

    def _take_link(self, text: str) -> None:
        """Handle the link of a later start; a wrong one gets a sentence, nothing else."""
        self.window.come_to_front()
        if text:
            self.take(text)

    def take(self, text: str) -> None:
        """Open a PSBT file, or fill the send page from a bitcoin: link."""
        if is_psbt_file(text):
            self.window.psbt_file_wanted.emit(text)
            return
        try:
            uri = PaymentUri.parse(text, self._params)
        except ParseError as error:
            self.window.notice.say(str(error), ERROR)
        else:
            # What was said about an earlier link does not hold for this one.
            self.window.notice.clear()
            self.window.pay(uri)

    async def _close(self) -> None:
        try:
            if self._online is not None:
                await self._online.stop()
        finally:
            await self._instance.close()

    def stop(self) -> None:
        """Store, disconnect and end the engine; called once the event loop has ended."""
        self._engine.finish(self._close())
        self._engine.stop()


def _no_channel(error: BaseException) -> None:
    # This window can be used all the same; later starts say that it is there.
    logger.warning("No channel for later starts: %s", type(error).__name__)


def _collect_garbage_again() -> None:
    """Leave what the start has loaded out of the search for garbage: it stays to the end."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def load_online(
    directory: DataDirectory, params: ChainParams, engine: Engine, *, playground: bool
) -> "Online":
    """Load everything behind the window and check the curve; blocking, for a worker thread."""
    # Here and not above, so that the window is on screen before all this is read from disk.
    from wallet_gui.app.online import Online  # noqa: PLC0415
    from wallet_gui.app.playground import Playground  # noqa: PLC0415
    from wallet_gui.chain.p2p.backend import P2PBackend  # noqa: PLC0415
    from wallet_gui.curve import self_test  # noqa: PLC0415

    self_test()
    return Online(
        directory,
        params,
        P2PBackend,
        engine.publish,
        playground=Playground(directory.root / "node") if playground else None,
    )


def main(arguments: list[str]) -> int:
    """Run the window until it is closed; returns the exit status."""
    options = parse_arguments(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    sys.excepthook = _log_exception
    os.umask(0o077)
    protect_memory()
    if not _has_screen():
        sys.stderr.write(
            "wallet-gui: there is no screen to open a window on. Start it in a desktop session, or "
            "use the command line: wallet-gui help.\n"
        )
        return 1
    if options.smoke_test:
        return _smoke_test(options)
    params = REGTEST if options.playground else NETWORKS[options.network]
    root = options.data_dir
    if options.playground:
        root = DataDirectory(options.data_dir, params).root / "playground"
    return _open(options, params, root)


def _smoke_test(options: argparse.Namespace) -> int:
    """Open the window in a folder that is gone afterwards, check it, and end."""
    # Here and not above: a window that is used needs none of it.
    from wallet_gui.widgets.smoke_test import run_smoke_test  # noqa: PLC0415

    try:
        return run_smoke_test(
            lambda folder, test: _open(options, NETWORKS[options.network], folder, test)
        )
    except StorageError as error:
        sys.stderr.write(f"wallet-gui: {error}\n")
        return 1


def _open(
    options: argparse.Namespace,
    params: ChainParams,
    root: Path | None,
    test: "SmokeTest | None" = None,
) -> int:
    """Open the window on the data folder `root`; returns the exit status."""
    try:
        peers = tuple(parse_peer(text, params) for text in options.peer) or None
        directory = DataDirectory(root, params)
        directory.create()
        settings_file = SettingsFile(directory.settings_path)
        settings = settings_file.load()
        link = options.link
        if is_psbt_file(link):
            link = psbt_path(link)
        instance = Instance(directory.instance_lock(), directory.root / "instance.socket")
        if not instance.acquire():
            return _hand_over(instance, link)
    except (ParseError, StorageError) as error:
        sys.stderr.write(f"wallet-gui: {error}\n")
        return _EXIT_USAGE
    # Qt sees the program's name only: a link may not smuggle in Qt's own options.
    qt = QApplication(["wallet-gui"])
    qt.setApplicationName("wallet-gui")
    qt.setApplicationDisplayName("")
    qt.setDesktopFileName(APPLICATION_ID)
    qt.setWindowIcon(QIcon(str(resource("icons", "wallet-gui.svg"))))
    application = Application(
        qt,
        directory,
        settings,
        instance,
        params,
        peers=peers,
        playground=options.playground,
        unread_settings=" ".join(settings_file.notices),
        connects=test is None,
    )
    ShutdownSignals(qt)
    if sys.platform == "darwin":
        # There a link comes as an event, also the one that the program was started for.
        events = FileOpenFilter(application)
        events.opened.connect(application.take)
        qt.installEventFilter(events)
    if test is not None:
        _check_when_started(qt, application, test, directory.root, params, peers or ())
    application.start()
    if options.link:
        application.take(link)
    try:
        return qt.exec()
    finally:
        application.stop()


def _check_when_started(
    qt: QApplication,
    application: Application,
    test: "SmokeTest",
    folder: Path,
    params: ChainParams,
    peers: Sequence[PeerAddress],
) -> None:
    from wallet_gui.gui.smoke_test import checks  # noqa: PLC0415 - see _smoke_test
    from wallet_gui.widgets.smoke_checks import FirstFrame  # noqa: PLC0415

    first_frame = FirstFrame(application.window, test.began)

    def begin(problem: str) -> None:
        if problem:
            test.fail(problem, qt)
        else:
            test.run(qt, checks(test, application.window, first_frame, folder, params, peers))

    application.started.connect(begin)


def _has_screen() -> bool:
    """Whether Qt will find a screen; without one it would end the process with a core dump."""
    names = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    return sys.platform != "linux" or any(os.environ.get(name) for name in names)


def _hand_over(instance: Instance, link: str) -> int:
    outcome = instance.hand_over(link)
    if outcome is HandOver.DONE:
        return 0
    if outcome is HandOver.REFUSED:
        sys.stderr.write(
            "wallet-gui: the window that runs takes a bitcoin: link or a .psbt file, of at most "
            "2 KiB. Open it in that window instead.\n"
        )
        return _EXIT_USAGE
    sys.stderr.write(
        "wallet-gui: another window uses this data folder. Close it, or give another folder with "
        "--data-dir.\n"
    )
    return 1


def _log_exception(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    # The text of a foreign exception may quote anything: only its kind and its place are logged.
    place = ""
    while trace is not None:
        place = f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}"
        trace = trace.tb_next
    logger.error("Unexpected %s in %s", kind.__name__, place, exc_info=None if place else error)
