"""What Linux desktops say on D-Bus when nobody is at the screen: logind and the screen savers.

The window waits for no answer: what is asked at all is answered by a signal. Sources: systemd's
org.freedesktop.login1(5), the freedesktop.org and GNOME screen saver interfaces.
"""

from typing import Any, Final

from PySide6.QtCore import SLOT, QObject, Signal, Slot
from PySide6.QtDBus import QDBusConnection, QDBusMessage, QDBusVariant

_LOGIND: Final = "org.freedesktop.login1"
_MANAGER_PATH: Final = "/org/freedesktop/login1"
_MANAGER: Final = "org.freedesktop.login1.Manager"
_SESSION: Final = "org.freedesktop.login1.Session"
_PROPERTIES: Final = "org.freedesktop.DBus.Properties"
_SCREEN_SAVERS: Final = (
    ("org.freedesktop.ScreenSaver", "/org/freedesktop/ScreenSaver"),
    ("org.freedesktop.ScreenSaver", "/ScreenSaver"),  # KDE
    ("org.gnome.ScreenSaver", "/org/gnome/ScreenSaver"),
    ("org.cinnamon.ScreenSaver", "/org/cinnamon/ScreenSaver"),
    ("org.mate.ScreenSaver", "/org/mate/ScreenSaver"),
)


class LockBus(QObject):
    """Emits `locked` and `asleep`; every subscription tells whether the bus took it."""

    locked = Signal()
    asleep = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._logind: QDBusConnection | None = None

    def listen_to_logind(self, bus: QDBusConnection, session: str) -> bool:
        """Subscribe to sleep and to the lock of a login session.

        `session` is its path; "" means any, which can only lock too often.
        """
        self._logind = bus
        return bus.isConnected() and all(
            (
                bus.connect(
                    _LOGIND,
                    _MANAGER_PATH,
                    _MANAGER,
                    "PrepareForSleep",
                    self,
                    _slot("prepare_for_sleep(bool)"),
                ),
                bus.connect(_LOGIND, session, _SESSION, "Lock", self, _slot("lock()")),
                bus.connect(
                    _LOGIND,
                    session,
                    _PROPERTIES,
                    "PropertiesChanged",
                    self,
                    _slot("properties_changed(QDBusMessage)"),
                ),
            )
        )

    def listen_to_screen_savers(self, bus: QDBusConnection) -> bool:
        """Subscribe to every screen saver that is known; which of them runs does not matter."""
        return bus.isConnected() and all(
            bus.connect("", path, interface, "ActiveChanged", self, _slot("active_changed(bool)"))
            for interface, path in _SCREEN_SAVERS
        )

    @Slot(bool)
    def prepare_for_sleep(self, begins: bool) -> None:  # noqa: FBT001 - a D-Bus signal
        if begins:
            self.asleep.emit()

    @Slot(bool)
    def active_changed(self, is_active: bool) -> None:  # noqa: FBT001 - a D-Bus signal
        if is_active:
            self.locked.emit()

    @Slot()
    def lock(self) -> None:
        self.locked.emit()

    @Slot(QDBusMessage)
    def properties_changed(self, message: QDBusMessage) -> None:
        """Ask for the one property that matters; the answer comes by `hinted`."""
        if self._logind is None or message.arguments()[:1] != [_SESSION]:
            return
        question = QDBusMessage.createMethodCall(
            message.service(), message.path(), _PROPERTIES, "Get"
        )
        question.setArguments([_SESSION, "LockedHint"])
        self._logind.callWithCallback(question, self, _slot("hinted(QDBusMessage)"))

    @Slot(QDBusMessage)
    def hinted(self, reply: QDBusMessage) -> None:
        (value,) = reply.arguments() or [None]
        if isinstance(value, QDBusVariant):
            value = value.variant()
        if value is True:
            self.locked.emit()


def _slot(name: str) -> Any:
    # Text, which is what works; the declarations of QtDBus ask for bytes.
    return SLOT(name)


def session_path(session: str) -> str:
    """Return the path of a login session from XDG_SESSION_ID; "" when that is no usable id.

    Bus paths have letters and digits only, and logind escapes a digit at the beginning.
    """
    if not session.isalnum() or not session.isascii():
        return ""
    first = f"_{ord(session[0]):02x}" if session[0].isdigit() else session[0]
    return f"/org/freedesktop/login1/session/{first}{session[1:]}"
