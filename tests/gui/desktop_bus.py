"""A desktop that locks its screen and goes to sleep, on a bus of its own: a process for tests.

Reads commands from standard input, one a line, and does what logind and a screen saver would do.
"""

import sys
import threading
from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication, Qt, Signal, Slot
from PySide6.QtDBus import QDBusConnection, QDBusMessage, QDBusVariant, QDBusVirtualObject

SESSION = "/org/freedesktop/login1/session/_37"


class Desktop(QDBusVirtualObject):
    """Owns the name of logind, answers for its session, and says what it is told to say."""

    commanded = Signal(str)

    def __init__(self, bus: QDBusConnection) -> None:
        super().__init__()
        self._bus = bus
        self._is_hinted = False
        self.commanded.connect(self.do, Qt.ConnectionType.QueuedConnection)

    def introspect(self, _path: str) -> str:
        return ""

    def handleMessage(  # noqa: N802 - Qt names it
        self, message: QDBusMessage, connection: QDBusConnection
    ) -> bool:
        if message.member() != "Get":
            return False
        connection.send(message.createReply(QDBusVariant(self._is_hinted)))
        return True

    @Slot(str)
    def do(self, command: str) -> None:
        match command.split():
            case ["sleep", state]:
                self._say(
                    "/org/freedesktop/login1",
                    "org.freedesktop.login1.Manager",
                    "PrepareForSleep",
                    [state == "on"],
                )
            case ["lock"]:
                self._say(SESSION, "org.freedesktop.login1.Session", "Lock", [])
            case ["hint", state]:
                self._is_hinted = state == "on"
                changed = ["org.freedesktop.login1.Session", {"LockedHint": self._is_hinted}, []]
                self._say(SESSION, "org.freedesktop.DBus.Properties", "PropertiesChanged", changed)
            case ["saver", interface, path, state]:
                self._say(path, interface, "ActiveChanged", [state == "on"])
            case _:
                QCoreApplication.quit()

    def _say(self, path: str, interface: str, name: str, arguments: Sequence[object]) -> None:
        signal = QDBusMessage.createSignal(path, interface, name)
        signal.setArguments(list(arguments))
        self._bus.send(signal)


def main(address: str) -> int:
    application = QCoreApplication([])
    bus = QDBusConnection.connectToBus(address, "desktop")
    desktop = Desktop(bus)
    if not bus.registerService("org.freedesktop.login1"):
        return 1
    bus.registerVirtualObject(SESSION, desktop)

    def obey() -> None:
        for line in sys.stdin:
            desktop.commanded.emit(line.strip())

    commands = threading.Thread(target=obey, daemon=True)
    print("ready", flush=True)
    commands.start()
    return int(application.exec())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
