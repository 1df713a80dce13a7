"""Starts Qt in the vault for one request, and brings back the reply."""

import signal
import sys
import threading
import traceback
from types import TracebackType

from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from wallet_gui.transfer.messages import Reply, Request
from wallet_gui.vault.channel import Channel
from wallet_gui.vault.creation import Entropy
from wallet_gui.vault.errors import internal_failure
from wallet_gui.vault.flows import start_flow
from wallet_gui.vault.hardening import Protections
from wallet_gui.vault.password_cost import PasswordCost
from wallet_gui.vault.window import TITLE, VaultWindow
from wallet_gui.widgets.fonts import install_fonts
from wallet_gui.widgets.resources import resource
from wallet_gui.widgets.theme import ThemeSwitch


def run(
    request: Request,
    protections: Protections,
    cost: PasswordCost,
    channel: Channel,
    entropy: Entropy,
) -> Reply:
    """Show the window until the request is answered. Raises the EXPECTED errors before it."""
    # Asked to stop from outside, it stops at once: Python's handler would wait for Qt.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Qt gets no argument of ours: it would take some of them for its own.
    application = QApplication(["wallet-gui"])
    application.setApplicationName("wallet-gui")
    application.setApplicationDisplayName(TITLE)
    application.setDesktopFileName("wallet-gui")
    application.setWindowIcon(QIcon(str(resource("icons", "wallet-gui.svg"))))
    install_fonts(application, request.text_scale)
    ThemeSwitch(application, request.appearance)
    window = VaultWindow(protections, channel.progress)
    window.finished.connect(application.quit)
    _report_bugs_to(window)
    flow = start_flow(window, request, cost, entropy)
    window.show()
    window.raise_()
    window.activateWindow()
    application.exec()
    flow.deleteLater()
    return window.reply


def _report_bugs_to(window: VaultWindow) -> None:
    """Let a bug in a slot or a thread end the vault with a sentence, without telling any value."""

    def places(trace: TracebackType | None) -> None:
        sys.stderr.write("".join(traceback.format_tb(trace)))

    def in_slot(
        _kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        places(trace)
        window.finish(internal_failure(error))

    def in_thread(arguments: threading.ExceptHookArgs) -> None:
        places(arguments.exc_traceback)

    sys.excepthook = in_slot
    threading.excepthook = in_thread
