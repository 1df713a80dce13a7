"""A Windows of wine with a screen, into which the setup program is installed as a person would."""

import contextlib
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from installers import wine_root
from installers.wine_root import Wine

from tests.journey import x_server
from tests.patience import PATIENCE

HOME: Final = "C:\\users\\root"
INSTALLED: Final = f"{HOME}\\AppData\\Local\\Programs\\Wallet GUI"
WINDOW: Final = f"{INSTALLED}\\wallet-gui-window.exe"
CONSOLE: Final = f"{INSTALLED}\\wallet-gui.exe"
UNINSTALL: Final = f"{INSTALLED}\\uninstall.exe"
DATA: Final = f"{HOME}\\AppData\\Local\\wallet-gui"
CLASSES: Final = "HKEY_CURRENT_USER\\Software\\Classes"

Registry = dict[str, dict[str, str]]
"""Key -> name of a value ("@" is the one without a name) -> the value as an export writes it."""


@dataclass(frozen=True)
class Desktop:
    """What a person has: programs to start, files, and settings that programs keep."""

    wine: Wine
    display: str
    picture: Path

    @property
    def environment(self) -> dict[str, str]:
        return {"DISPLAY": self.display}

    def run(self, *command: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, whatever its exit status."""
        settings = {"check": False, "timeout": PATIENCE, "errors": "replace", **options}
        return self.wine.run(command, self.environment, **settings)

    def type_in(self, line: str) -> int:
        """Run a line of the command prompt as it is, for programs that read it unquoted."""
        self.wine.place("C:\\line.bat").write_text(f"{line}\r\nexit %errorlevel%\r\n")
        return self.run("cmd", "/c", "C:\\line.bat").returncode

    def start(self, *command: str) -> subprocess.Popen[str]:
        return self.wine.start(
            command, self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def settle(self) -> None:
        """Wait until every program has ended, those too that nobody waited for."""
        self.wine.server("-w")

    def add(self, key: str, name: str, value: str) -> None:
        """Write a value into the registry, as another program does."""
        which = ["/ve"] if name == "@" else ["/v", name]
        done = self.run("reg", "add", key, *which, "/d", value, "/f")
        assert done.returncode == 0, done.stderr

    def forget(self, key: str) -> None:
        done = self.run("reg", "delete", key, "/f")
        assert done.returncode == 0, done.stderr

    def registry(self) -> Registry:
        """What this person's part of the registry holds."""
        path = self.wine.place("C:\\export.reg")
        done = self.run("reg", "export", "HKEY_CURRENT_USER", "C:\\export.reg", "/y")
        assert done.returncode == 0, done.stderr
        text = path.read_text(encoding="utf-16")
        path.unlink()
        return parsed(text)

    def files(self) -> set[str]:
        """Every file and folder of the person's own, but for what is temporary."""
        home = self.wine.place(HOME)
        found = {str(path.relative_to(home)) for path in home.rglob("*")}
        return {
            name for name in found if "/Temp" not in name and "Microsoft/Windows/INet" not in name
        }

    def looks(self) -> bytes:
        """What is on the screen."""
        return self.picture.read_bytes()

    def wait_for_change(self, before: bytes) -> None:
        """Return when something else is on the screen, and stays."""
        deadline = time.monotonic() + PATIENCE
        seen = before
        while time.monotonic() < deadline:
            time.sleep(0.5)
            now = self.looks()
            if now not in (before, seen):
                seen = now
            elif now == seen != before:
                return
        raise AssertionError("nothing changed on the screen")


def parsed(text: str) -> Registry:
    """Read what `reg export` writes."""
    found: Registry = {}
    key: dict[str, str] = {}
    for line in re.sub(r"\\\r?\n\s*", "", text).splitlines():
        if line.startswith("["):
            key = found.setdefault(line.strip("[]"), {})
        elif match := re.fullmatch(r'(@|"(?:[^"\\]|\\.)*")=(.*)', line):
            key[plain(match[1])] = plain(match[2])
    return found


def plain(text: str) -> str:
    """Take a text out of its quotes; numbers have none."""
    if not text.startswith('"'):
        return text
    return re.sub(r"\\(.)", r"\1", text[1:-1])


@contextlib.contextmanager
def desktop(folder: Path) -> Iterator[Desktop]:
    """Make a root, a screen and a Windows in it; raises installers.job.Missing."""
    wine_root.require()
    with screen(folder) as display, wine_root.entered(folder / "root") as wine:
        yield Desktop(wine, display, x_server.picture_file(folder))


@contextlib.contextmanager
def screen(folder: Path) -> Iterator[str]:
    """Start a screen whose picture lies in a folder; gives its name."""
    process, display = x_server.start(folder, "1280x900x24")
    try:
        yield display
    finally:
        process.terminate()
        process.wait()
