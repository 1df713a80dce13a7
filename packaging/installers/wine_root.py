"""A Debian with wine in it: Windows programs are built there, and tried.

Wine lacks one library that Windows 10 brings (icuuc.dll); a stand-in for it is compiled in the
root from packaging/windows/icuuc_for_wine.c and is never shipped.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from installers import bare_root
from installers.job import Missing

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = ROOT / "packaging" / "windows" / "icuuc_for_wine.c"
# The release whose wine is new enough: that of Debian 12 lacks what cryptography needs.
SUITE = "trixie"
PACKAGES = (
    "wine64",
    "fonts-dejavu-core",
    "gcc-mingw-w64-x86-64-win32",
    "nsis",
    "osslsigncode",
    "python3-minimal",
)
COMPILER = "x86_64-w64-mingw32-gcc"
# Nothing is asked and nothing is shown when a program crashes, and no .NET is looked for.
OVERRIDES = "mscoree,mshtml,winemenubuilder.exe,winedbg.exe="
_MAKING_A_PREFIX = 120.0


@dataclass(frozen=True)
class Wine:
    """A root that is mounted, with one Windows in it: its drive C and its registry."""

    root: Path
    name: str = "wine"

    @property
    def drive(self) -> Path:
        """Where drive C of this Windows lies, on this machine."""
        return self.root / self.name / "drive_c"

    def place(self, path: str) -> Path:
        r"""Return where a file of drive C lies, such as C:\folder\file."""
        drive, _, rest = path.partition(":\\")
        if drive != "C":
            raise ValueError(f"{path} is not on drive C.")
        return self.drive.joinpath(*rest.split("\\"))

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment of a program; nothing of the caller's gets in but the screen."""
        return bare_root.environment(
            env={
                "PATH": "/usr/lib/wine:" + bare_root.ENVIRONMENT["PATH"],
                "WINEPREFIX": f"/{self.name}",
                "WINEDLLOVERRIDES": OVERRIDES,
                "WINEDEBUG": "-all",
                "DISPLAY": os.environ.get("DISPLAY", ""),
                "TZ": "UTC",
                **(more or {}),
            }
        )

    def command_line(self, command: Sequence[str]) -> list[str]:
        """Return what starts a Windows program, for those who need Popen."""
        return bare_root.command_line(self.root, ["wine64", *command])

    def run(
        self, command: Sequence[str], env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        r"""Run a Windows program, such as ["C:\\program.exe"]; as bare_root.run does."""
        return bare_root.run(self.root, ["wine64", *command], env=self.environment(env), **options)

    def start(
        self, command: Sequence[str], env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[str]:
        """Start a Windows program and go on."""
        return subprocess.Popen(
            self.command_line(command), env=self.environment(env), text=True, **options
        )

    def run_tool(self, command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a program of the Debian around this Windows; as bare_root.run does."""
        return bare_root.run(self.root, command, **options)

    def make(self) -> None:
        """Make this Windows; takes some seconds."""
        self.run(["wineboot", "--init"], timeout=_MAKING_A_PREFIX)
        self.server("-w")
        library = self.drive / "windows" / "system32" / "icuuc.dll"
        bare_root.run(
            self.root,
            [
                *(COMPILER, "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-s"),
                *("-o", "/" + str(library.relative_to(self.root)), "-x", "c", "-"),
            ],
            input=STAND_IN.read_text(encoding="utf-8"),
        )

    def server(self, option: str) -> None:
        """Ask the server of this Windows to end its programs (-k), or wait until they have (-w)."""
        subprocess.run(
            bare_root.command_line(self.root, ["wineserver", option]),
            env=self.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )


@contextlib.contextmanager
def entered(path: Path) -> Iterator[Wine]:
    """Make a root with one Windows in it, and remove both at the end. Raises Missing."""
    root = bare_root.create(path, SUITE, PACKAGES)
    try:
        with bare_root.mounted(root):
            wine = Wine(root)
            wine.make()
            try:
                yield wine
            finally:
                wine.server("-k")
    finally:
        bare_root.remove(root)


def require() -> None:
    """Raise Missing where there can be no such root."""
    bare_root.require()
    if os.uname().machine != "x86_64":
        raise Missing("Windows programs for x86-64 run under wine on that processor only.")
