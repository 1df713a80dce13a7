"""How this program starts itself again, and in which environment it starts programs not its own.

As a packaged application it is a folder with one executable (PyInstaller), which loads code from
that folder alone: what in the environment would make Qt or OpenSSL load libraries from elsewhere is
taken out as the first thing. ssh and bitcoind get it back, for it may be meant for them.
"""

import os
import sys
from pathlib import Path
from typing import Final

import wallet_gui

LOADERS: Final = (
    # Folders from which Qt loads plugins, and lists of plugins (doc.qt.io, "Deploying Plugins").
    "QT_PLUGIN_PATH",
    "QT_QPA_PLATFORM_PLUGIN_PATH",
    "QT_QPA_GENERIC_PLUGINS",
    "QML_IMPORT_PATH",
    "QML2_IMPORT_PATH",
    # Files and folders that name engines and providers for OpenSSL (openssl-env(7)).
    "OPENSSL_CONF",
    "OPENSSL_CONF_INCLUDE",
    "OPENSSL_ENGINES",
    "OPENSSL_MODULES",
)
"""Environment variables that make a library load code from a place that they name."""
_OF_THE_APPIMAGE: Final = ("APPIMAGE", "APPDIR", "ARGV0", "OWD")
"""What the runtime of an AppImage tells its program; ARGV0 would rename what a shell starts."""
_OF_THE_EXECUTABLE: Final = "_PYI_"  # what PyInstaller's loader leaves behind; no child needs it

_taken: dict[str, str] = {}


def is_frozen() -> bool:
    """Whether this is a packaged application and no Python that runs sources."""
    return bool(getattr(sys, "frozen", False))


def forget_loaders() -> None:
    """Take out what makes libraries load foreign code; to be called before they are loaded."""
    for name in LOADERS:
        value = os.environ.pop(name, None)
        if value is not None:
            _taken[name] = value
    for name in [name for name in os.environ if name.startswith(_OF_THE_EXECUTABLE)]:
        del os.environ[name]


def foreign_environment() -> dict[str, str]:
    """Return the environment for a program that is not ours: the one that we were started with."""
    given = {**os.environ, **_taken}
    if _is_our_appimage():
        for name in _OF_THE_APPIMAGE:
            given.pop(name, None)
    return given


def own_program(*, outlives_us: bool = False) -> list[str]:
    """Return the beginning of a command line that starts this program.

    An AppImage is a file that is unmounted when the process that it started ends: what is to go on
    after that has to start from the file.
    """
    if not is_frozen():
        return [sys.executable, "-m", "wallet_gui"]
    image = os.environ.get("APPIMAGE", "")
    if outlives_us and _is_our_appimage() and Path(image).is_file():
        return [image]
    # On Windows, of the two programs in the folder the one that opens no console.
    twin = Path(sys.executable).with_name("wallet-gui-window.exe")
    if outlives_us and sys.platform == "win32" and twin.is_file():
        return [str(twin)]
    return [sys.executable]


def own_environment() -> dict[str, str]:
    """Return the environment for this program's own processes."""
    environment = dict(os.environ)
    if not is_frozen():
        # The child must find the same package, also when it was started from elsewhere.
        root = str(Path(wallet_gui.__file__).resolve().parent.parent)
        paths = [root, environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(part for part in paths if part)
    return environment


def _is_our_appimage() -> bool:
    """Whether this program runs from an AppImage, and not in the terminal of another's."""
    mounted = os.environ.get("APPDIR", "")
    return (
        is_frozen()
        and bool(mounted)
        and Path(sys.executable).is_relative_to(Path(mounted).resolve())
    )
