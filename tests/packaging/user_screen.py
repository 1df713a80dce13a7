"""A screen whose desktop belongs to an ordinary user, for programs that run in another root.

The X server, the bus and the screen reader's driver run on this machine; their sockets lie in
folders that are mounted into the root at the same places, so that a program there needs no network
to reach them, not even its own machine's.
"""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.journey.screen import BUS_LAUNCHER, DRIVER, SYSTEM_PYTHON, Screen

X_SOCKETS = Path("/tmp/.X11-unix")  # noqa: S108 - where X servers and clients meet


class UserScreen(Screen):
    """As Screen; everything but the X server runs as the user `uid`, who owns `folder`."""

    def __init__(self, folder: Path, uid: int, size: str = "1360x900x24") -> None:
        super().__init__(folder, size)
        self._uid = uid

    def _start(self) -> None:
        os.chown(self._folder, self._uid, self._uid)
        self._folder.chmod(0o700)
        display = self._start_x_server()
        environment = {
            "PATH": os.environ["PATH"],
            "DISPLAY": display,
            "QT_LINUX_ACCESSIBILITY_ALWAYS_ON": "1",
            "XDG_RUNTIME_DIR": str(self._folder),
            "XDG_DATA_HOME": str(self._folder),
            "HOME": str(self._folder),
            "LC_ALL": "C.UTF-8",
        }
        address = f"unix:path={self._folder}/bus"
        bus = self._start_as_user(
            ["dbus-daemon", "--session", "--nofork", "--print-address=1", f"--address={address}"],
            environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        if bus.stdout is None or not bus.stdout.readline():
            raise RuntimeError("dbus-daemon did not start")
        environment["DBUS_SESSION_BUS_ADDRESS"] = address
        self.environment = environment
        self._start_as_user([str(BUS_LAUNCHER), "--launch-immediately"], environment)
        self._start_as_user(["openbox", "--sm-disable"], environment)
        self._wait_for_window_manager()
        # As text, for the user may not be allowed to read the folder that it lies in.
        self._driver = self._start_as_user(
            [SYSTEM_PYTHON, "-c", DRIVER.read_text(encoding="utf-8")],
            environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def _start_as_user(
        self, command: list[str], environment: dict[str, str], **options: Any
    ) -> subprocess.Popen[str]:
        process: subprocess.Popen[str] = subprocess.Popen(
            command,
            env=environment,
            cwd="/",
            user=self._uid,
            group=self._uid,
            extra_groups=[],
            text=True,
            **options,
        )
        self._processes.append(process)
        return process

    def mounts(self) -> dict[Path, str]:
        """Return the folders that the root has to see, and where."""
        return {X_SOCKETS: str(X_SOCKETS).lstrip("/"), self._folder: str(self._folder).lstrip("/")}


@contextlib.contextmanager
def folder_of_a_user() -> Iterator[Path]:
    """A folder to which everybody finds the way, as to no folder of pytest; empty again after."""
    with tempfile.TemporaryDirectory(prefix="wallet-gui-desktop-") as name:
        yield Path(name)
