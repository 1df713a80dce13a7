"""A screen of its own for real windows: Xvfb, a window manager, an accessibility bus and a driver.

The driver is a second program (`accessible.py`, on the system's python3 with Debian's python3-gi):
it sees and does what a screen reader sees and does, and nothing else. Words and windows are found
by their accessible names.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pytest
from PySide6.QtGui import QImage

from tests.journey import x_server
from tests.patience import PATIENCE

DRIVER = Path(__file__).with_name("accessible.py")
SYSTEM_PYTHON = "/usr/bin/python3"
PROGRAMS = ("Xvfb", "openbox", "dbus-daemon", "xdotool")
BUS_LAUNCHER = Path("/usr/libexec/at-spi-bus-launcher")
_USUAL_SIZE: Final = "1360x900x24"


def why_not() -> str:
    """Why no real window can be driven here; empty when it can."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if not BUS_LAUNCHER.exists():
        missing.append("at-spi2-core")
    if missing:
        return f"{', '.join(missing)} is missing"
    probe = subprocess.run(
        [SYSTEM_PYTHON, "-c", "import gi; gi.require_version('Atspi', '2.0')"],
        check=False,
        capture_output=True,
    )
    return "" if probe.returncode == 0 else "python3-gi with gir1.2-atspi-2.0 is missing"


@contextmanager
def screen_in(folder: Path, size: str = _USUAL_SIZE) -> Iterator["Screen"]:
    """A screen that keeps its things in this new folder; skips the test where none can be."""
    skip_without_windows()
    folder.mkdir()
    with Screen(folder, size) as screen:
        yield screen


def skip_without_windows() -> None:
    reason = why_not()
    if reason:
        pytest.skip(f"no real window can be driven here: {reason}")


class Screen:
    """Starts everything on entering and ends it, by process id, on leaving."""

    def __init__(self, folder: Path, size: str = _USUAL_SIZE) -> None:
        self._folder = folder
        self._size = size
        self._processes: list[subprocess.Popen[Any]] = []
        self.environment: dict[str, str] = {}
        self._driver: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _start(self) -> None:
        display = self._start_x_server()
        environment = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("QT_", "DBUS_", "WAYLAND_"))
        }
        environment |= {
            "DISPLAY": display,
            "QT_QPA_PLATFORM": "xcb",
            "QT_LINUX_ACCESSIBILITY_ALWAYS_ON": "1",
            "NO_AT_BRIDGE": "0",
            "XDG_RUNTIME_DIR": str(self._folder),
            "HOME": str(self._folder),
            "LC_ALL": "C.UTF-8",
            # Whoever crashes says where.
            "PYTHONFAULTHANDLER": "1",
        }
        self._folder.chmod(0o700)
        bus = subprocess.Popen(
            ["dbus-daemon", "--session", "--nofork", "--print-address=1"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._processes.append(bus)
        if bus.stdout is None:
            raise RuntimeError("dbus-daemon has no output")
        environment["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().strip()
        self.environment = environment
        self.start([str(BUS_LAUNCHER), "--launch-immediately"], environment)
        self.start(["openbox", "--sm-disable"], environment)
        self._wait_for_window_manager()
        self._driver = subprocess.Popen(
            [SYSTEM_PYTHON, str(DRIVER)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._processes.append(self._driver)

    def _start_x_server(self) -> str:
        process, display = x_server.start(self._folder, self._size)
        self._processes.append(process)
        return display

    def _wait_for_window_manager(self) -> None:
        """Wait until windows can be given the keyboard, placed and found."""
        deadline = time.monotonic() + PATIENCE
        question = ["xdotool", "get_num_desktops"]
        while subprocess.run(
            question, env=self.environment, check=False, capture_output=True
        ).returncode:
            if time.monotonic() > deadline:
                raise RuntimeError("the window manager did not start")
            time.sleep(0.05)

    def start(
        self,
        command: list[str],
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[Any]:
        """Start a program on this screen."""
        process: subprocess.Popen[Any] = subprocess.Popen(
            command,
            env=dict(environment or self.environment),
            stdout=sys.stderr,
            stderr=subprocess.STDOUT,
        )
        self._processes.append(process)
        return process

    def _end(self) -> None:
        # The last one first, each waited for: a window must not see its screen go.
        for process in reversed(self._processes):
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()
        self._processes.clear()

    # --- what a person does -----------------------------------------------------------------------

    def ask(self, **command: Any) -> Any:
        """Send one command to the driver; raises LookupError when it did not find its target."""
        driver = self._driver
        if driver is None or driver.stdin is None or driver.stdout is None:
            raise RuntimeError("the screen is not on")
        driver.stdin.write(json.dumps(command) + "\n")
        driver.stdin.flush()
        answer = json.loads(driver.stdout.readline())
        if "error" in answer:
            raise LookupError(f"{command}: {answer['error']}")
        return answer["value"]

    def press(self, name: str, window: str = "", seconds: float = PATIENCE) -> None:
        """Press the button of that accessible name, as soon as it is there and enabled."""
        self._patiently(seconds, do="press", name=name, window=window)

    def fill(self, name: str, text: str, window: str = "", seconds: float = PATIENCE) -> None:
        """Put text into the field of that accessible name."""
        self._patiently(seconds, do="fill", name=name, text=text, window=window)

    def wait_for(self, name: str, window: str = "", seconds: float = PATIENCE) -> str:
        """Wait for something on screen whose accessible name holds `name`; gives the full name."""
        return str(self._patiently(seconds, do="find", name=name, window=window))

    def text(self, name: str, window: str = "", seconds: float = PATIENCE) -> str:
        """What stands in the field of that accessible name."""
        return str(self._patiently(seconds, do="text", name=name, window=window))

    def names(self, window: str = "") -> list[str]:
        """Every accessible name on screen."""
        return [str(name) for name in self.ask(do="names", window=window)]

    def key(self, *keys: str) -> None:
        """Press keys through the X server, as the keyboard does."""
        subprocess.run(
            ["xdotool", "key", "--clearmodifiers", *keys], env=self.environment, check=True
        )

    def type(self, text: str) -> None:
        """Type text through the X server into what has the focus."""
        subprocess.run(
            ["xdotool", "type", "--clearmodifiers", "--delay", "5", "--", text],
            env=self.environment,
            check=True,
        )

    def focus(self, name: str, window: str = "", seconds: float = PATIENCE) -> None:
        """Give the keyboard focus to the control of that accessible name."""
        self._patiently(seconds, do="focus", name=name, window=window)

    def close_window(self, title: str) -> None:
        """Close a window with the keyboard, through the window manager."""
        self.activate(title)
        self.key("alt+F4")

    def activate(self, title: str) -> None:
        """Give the keyboard to a window, through the window manager."""
        self._on_window(title, "windowactivate", "--sync")

    def place(self, title: str, x: int, y: int, width: int, height: int) -> None:
        """Move a window, frame and all, to a place of the screen, in pixels."""
        self._on_window(title, "windowsize", "%1", str(width), str(height))
        self._on_window(title, "windowmove", "%1", str(x), str(y))

    def wheel(self, title: str, notches: int) -> None:
        """Turn the mouse's wheel over the middle of a window, towards the person."""
        middle = ("mousemove", "--window", "%1", "--polar", "0", "0")
        self._on_window(title, *middle, "click", "--repeat", str(notches), "5")

    def _on_window(self, title: str, *action: str) -> None:
        """Do something to a window; what accessibility shows, the X server may show a bit later."""
        command = ["xdotool", "search", "--onlyvisible", "--name", title, *action]
        deadline = time.monotonic() + PATIENCE
        while subprocess.run(command, env=self.environment, check=False).returncode:
            if time.monotonic() > deadline:
                raise LookupError(f"no window {title!r} took {action}")
            time.sleep(0.1)

    def picture(self) -> QImage:
        """What the screen shows now."""
        return x_server.picture(self._folder)

    def save_picture(self, path: Path) -> None:
        assert self.picture().save(str(path)), path

    def _patiently(self, seconds: float, **command: Any) -> Any:
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.ask(**command)
            except LookupError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.1)
