"""Whether the window hears that the screen was locked: stand-ins, and a real message bus."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QObject
from PySide6.QtDBus import QDBusConnection
from pytestqt.qtbot import QtBot

from tests.gui.desktop_bus import SESSION
from tests.sandbox.contact_guard import PYTHON_PATH
from wallet_gui.widgets.lock_bus import LockBus, session_path
from wallet_gui.widgets.lock_windows import LockMessages
from wallet_gui.widgets.screen_watch import ScreenWatch

DESKTOP = Path(__file__).with_name("desktop_bus.py")
Say = Callable[[str], None]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    program = shutil.which("dbus-daemon")
    if program is None:
        pytest.skip("dbus-daemon is not installed")
    with subprocess.Popen(
        [program, "--session", "--nofork", "--nopidfile", "--print-address=1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as daemon:
        assert daemon.stdout is not None
        yield daemon.stdout.readline().strip()
        daemon.terminate()


@pytest.fixture
def say(address: str) -> Iterator[Say]:
    """A desktop on the bus that does what it is told."""
    with subprocess.Popen(
        [sys.executable, str(DESKTOP), address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": PYTHON_PATH},
    ) as desktop:
        assert desktop.stdin is not None
        assert desktop.stdout is not None
        assert desktop.stdout.readline() == "ready\n"
        commands = desktop.stdin

        def command(text: str) -> None:
            commands.write(f"{text}\n")
            commands.flush()

        yield command
        command("end")


@pytest.fixture
def bus(qapp: QObject, address: str) -> Iterator[QDBusConnection]:
    name = "wallet_gui_test"
    yield QDBusConnection.connectToBus(address, name)
    QDBusConnection.disconnectFromBus(name)


def test_logind_says_sleep_and_lock(qtbot: QtBot, say: Say, bus: QDBusConnection) -> None:
    owner = QObject()
    heard = LockBus(owner)
    assert heard.listen_to_logind(bus, SESSION)
    with qtbot.waitSignal(heard.asleep), qtbot.assertNotEmitted(heard.locked):
        say("sleep on")
    with qtbot.assertNotEmitted(heard.asleep, wait=200):
        say("sleep off")
    with qtbot.waitSignal(heard.locked):
        say("lock")
    with qtbot.waitSignal(heard.locked):
        say("hint on")
    with qtbot.assertNotEmitted(heard.locked, wait=200):
        say("hint off")


@pytest.mark.parametrize(
    ("interface", "path"),
    [
        ("org.freedesktop.ScreenSaver", "/ScreenSaver"),
        ("org.freedesktop.ScreenSaver", "/org/freedesktop/ScreenSaver"),
        ("org.gnome.ScreenSaver", "/org/gnome/ScreenSaver"),
    ],
)
def test_screen_savers_say_that_they_cover_the_screen(
    qtbot: QtBot, say: Say, bus: QDBusConnection, interface: str, path: str
) -> None:
    owner = QObject()
    heard = LockBus(owner)
    assert heard.listen_to_screen_savers(bus)
    with qtbot.waitSignal(heard.locked):
        say(f"saver {interface} {path} on")
    with qtbot.assertNotEmitted(heard.locked, wait=200):
        say(f"saver {interface} {path} off")


def test_another_program_cannot_pose_as_logind(
    qtbot: QtBot, say: Say, bus: QDBusConnection, address: str
) -> None:
    owner = QObject()
    heard = LockBus(owner)
    assert heard.listen_to_logind(bus, SESSION)
    with qtbot.waitSignal(heard.locked):
        say("lock")
    other = QDBusConnection.connectToBus(address, "other")
    from PySide6.QtDBus import QDBusMessage  # noqa: PLC0415 - only here

    with qtbot.assertNotEmitted(heard.locked, wait=300):
        other.send(QDBusMessage.createSignal(SESSION, "org.freedesktop.login1.Session", "Lock"))
    QDBusConnection.disconnectFromBus("other")


def test_a_bus_that_is_not_there_is_no_source(qapp: QObject) -> None:
    owner = QObject()
    nowhere = QDBusConnection.connectToBus("unix:path=/nonexistent", "nowhere")
    heard = LockBus(owner)
    assert not heard.listen_to_logind(nowhere, "")
    assert not heard.listen_to_screen_savers(nowhere)
    QDBusConnection.disconnectFromBus("nowhere")


@pytest.mark.parametrize(
    ("session", "path"),
    [
        ("2", "/org/freedesktop/login1/session/_32"),
        ("c1", "/org/freedesktop/login1/session/c1"),
        ("", ""),
        ("../evil", ""),
        ("é", ""),
    ],
)
def test_a_session_is_named_as_logind_names_it(session: str, path: str) -> None:
    assert session_path(session) == path


def test_windows_messages(qtbot: QtBot) -> None:
    owner = QObject()
    messages = LockMessages(owner)
    with qtbot.waitSignal(messages.locked):
        messages.take(0x02B1, 7)
    with qtbot.waitSignal(messages.asleep):
        messages.take(0x0218, 4)
    with qtbot.assertNotEmitted(messages.locked), qtbot.assertNotEmitted(messages.asleep):
        messages.take(0x02B1, 8)  # unlocked
        messages.take(0x0218, 18)  # awake again
        messages.take(0x000F, 7)


def test_a_system_that_says_nothing_is_no_source(
    qapp: QObject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    owner = QObject()
    watch = ScreenWatch(owner)
    watch.start(0)
    assert watch.sources == ()


def test_starting_without_any_bus_harms_nothing(
    qapp: QObject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent")
    owner = QObject()
    watch = ScreenWatch(owner)
    watch.start(0)
    assert watch.sources == ()


_WATCHING = """
import sys
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QWidget
from wallet_gui.widgets.screen_watch import ScreenWatch
application = QApplication([])
window = QWidget()
watch = ScreenWatch(window)
watch.start(int(window.winId()))
print(*watch.sources, sep=", ", flush=True)
watch.left.connect(lambda words: print(words, flush=True))
QTimer.singleShot(20_000, application.quit)
application.exec()
"""


def test_the_watch_finds_the_buses_of_the_desktop(address: str, say: Say) -> None:
    buses = {"DBUS_SESSION_BUS_ADDRESS": address, "DBUS_SYSTEM_BUS_ADDRESS": address}
    with subprocess.Popen(
        [sys.executable, "-c", _WATCHING],
        stdout=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            **buses,
            "PYTHONPATH": PYTHON_PATH,
            "QT_QPA_PLATFORM": "offscreen",
            "XDG_SESSION_ID": "7",
        },
    ) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline() == "logind, screen saver\n"
        for command, words in (
            ("sleep on", ScreenWatch.ASLEEP),
            ("saver org.gnome.ScreenSaver /org/gnome/ScreenSaver on", ScreenWatch.LOCKED),
            ("hint on", ScreenWatch.LOCKED),
        ):
            say(command)
            assert watching.stdout.readline() == f"{words}\n"
        watching.terminate()


def test_no_bus_is_started_where_there_is_none(
    qapp: QObject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    owner = QObject()
    watch = ScreenWatch(owner)
    watch.start(0)
    assert watch.sources == ()
