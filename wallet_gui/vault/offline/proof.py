"""Tries out, now, whether this process has a network; nothing here is remembered or assumed.

The kernel is asked through the C library, since Python's own socket module is not loaded; what
that module announces before each of its steps is announced here, and must be refused.
"""

import ctypes
import errno
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from wallet_gui.custody.vault_errors import VaultError
from wallet_gui.custody.vault_start import start_vault
from wallet_gui.vault.hardening import Protections

NETWORK_MODULES: Final = (
    "socket",
    "_socket",
    "ssl",
    "_ssl",
    "asyncio",
    "_asyncio",
    "asyncssh",
    "http",
    "ftplib",
    "smtplib",
    "xmlrpc",
    "urllib.request",
    "PySide6.QtNetwork",
    "PySide6.QtWebSockets",
    "wallet_gui.app.online",
    "wallet_gui.chain",
)
_NETWORK_LIBRARIES: Final = ("Qt6Network", "libssl", "libcurl", "libssh")
_INTERNET: Final = ((2, "IPv4"), (10 if sys.platform == "linux" else 30, "IPv6"))
_STREAM, _DATAGRAM = 1, 2
_FILTER_MODE: Final = "2"
_PR_GET_DUMPABLE: Final = 3
_NAME: Final = b"wallet-gui.invalid"
"""RFC 6761 keeps .invalid for names that nobody has: asking for it tells nobody anything."""

_ANNOUNCED: Final = (
    ("socket.connect", "connecting"),
    ("socket.bind", "listening"),
    ("socket.sendto", "sending"),
    ("socket.getaddrinfo", "looking up a name"),
)
_CHILD_SECONDS: Final = 5.0


class Finding(Enum):
    """How a check came out."""

    HOLDS = "holds"
    FAILS = "does not hold"
    CANNOT = "cannot be had here"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried, and what came of it, in words."""

    title: str
    finding: Finding
    detail: str


def look(protections: Protections, vault_command: tuple[str, ...] = ()) -> tuple[Check, ...]:
    """Try everything; takes up to some seconds, since a vault is started and looked at."""
    return (
        _filter(protections),
        _sockets(),
        _announced(),
        _name(),
        _modules(),
        _memory(protections),
        _vault(vault_command),
        _interfaces(),
    )


def _held(holds: object) -> Finding:
    return Finding.HOLDS if holds else Finding.FAILS


# --- the kernel


def status_field(name: str, process: int | None = None) -> str:
    """Read a field of /proc/PID/status; "" where there is none."""
    path = Path("/proc") / ("self" if process is None else str(process)) / "status"
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return ""
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith(name + ":")), ""
    )


def _filter(protections: Protections) -> Check:
    title = "The system's filter for this process"
    if sys.platform != "linux":
        return Check(
            title,
            Finding.CANNOT,
            "This system has no filter that a program can set for itself. Here only Python's own "
            "network is blocked: take the cable out and switch the radio off.",
        )
    mode = status_field("Seccomp")
    if mode == _FILTER_MODE:
        detail = "The kernel says: Seccomp 2, a filter, which cannot be taken off again."
    else:
        detail = f"The kernel says: Seccomp {mode or 'unknown'}. {protections.kernel_refusal}"
    return Check(title, _held(mode == _FILTER_MODE), detail)


def _sockets() -> Check:
    title = "Sockets asked of the system just now"
    if sys.platform == "win32":
        return Check(
            title, Finding.CANNOT, "Windows lets every process make sockets; none was made."
        )
    library = ctypes.CDLL(None, use_errno=True)
    told = []
    is_refused = True
    for family, family_name in _INTERNET:
        for kind, kind_name in ((_STREAM, "TCP"), (_DATAGRAM, "UDP")):
            ctypes.set_errno(0)
            handle = library.socket(family, kind, 0)
            if handle >= 0:
                os.close(handle)
                is_refused = False
                told.append(f"{kind_name} over {family_name}: given, and closed unused")
            else:
                reason = os.strerror(ctypes.get_errno())
                told.append(f"{kind_name} over {family_name}: refused ({reason})")
    return Check(title, _held(is_refused), "; ".join(told) + ".")


def _announced() -> Check:
    refused = []
    for event, words in _ANNOUNCED:
        try:
            sys.audit(event, None, (_NAME.decode(), 0))
        except PermissionError as error:
            if error.errno == errno.EACCES:
                refused.append(words)
    wanted = [words for _, words in _ANNOUNCED]
    return Check(
        "Python's own network",
        _held(refused == wanted),
        f"Refused before it begins: {', '.join(refused) or 'nothing'}.",
    )


def _name() -> Check:
    title = "Looking up a name"
    if sys.platform == "win32":
        return Check(title, Finding.CANNOT, "Not tried on Windows.")
    library = ctypes.CDLL(None, use_errno=True)
    library.gai_strerror.restype = ctypes.c_char_p
    found = ctypes.c_void_p()
    code = library.getaddrinfo(_NAME, b"8333", None, ctypes.byref(found))
    if code == 0:
        library.freeaddrinfo(found)
        return Check(title, Finding.FAILS, f"The system found an address for {_NAME.decode()}.")
    reason = (library.gai_strerror(code) or b"refused").decode(errors="replace")
    return Check(title, Finding.HOLDS, f"{_NAME.decode()}: {reason}.")


# --- what is loaded


def loaded_network_modules() -> tuple[str, ...]:
    """Name the modules and libraries of this process with which one could reach a network."""
    modules = {
        name
        for name in tuple(sys.modules)
        for wanted in NETWORK_MODULES
        if name == wanted or name.startswith(wanted + ".")
    }
    return (*sorted(modules), *_mapped_libraries())


def _mapped_libraries() -> tuple[str, ...]:
    try:
        text = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    names = {line.rsplit("/", 1)[-1] for line in text.splitlines() if "/" in line}
    return tuple(sorted(name for name in names if any(lib in name for lib in _NETWORK_LIBRARIES)))


def _modules() -> Check:
    found = loaded_network_modules()
    count = len(sys.modules)
    detail = (
        f"Of {count} loaded modules these can speak to a network: {', '.join(found)}."
        if found
        else f"None of the {count} loaded modules can speak to a network."
    )
    return Check("Network code in memory", _held(not found), detail)


# --- memory, vault, machine


def _memory(protections: Protections) -> Check:
    title = "This window's memory"
    told = protections.sentences()[1:]
    if sys.platform != "linux":
        return Check(title, Finding.CANNOT, " ".join(told))
    zero = ctypes.c_ulong(0)
    dumpable = ctypes.CDLL(None).prctl(_PR_GET_DUMPABLE, zero, zero, zero, zero)
    holds = dumpable == 0 and protections.no_core_dumps
    return Check(
        title, _held(holds), f"{' '.join(told)} It holds no secret: those stay in the vault."
    )


def _vault(command: tuple[str, ...]) -> Check:
    """Start a vault, look at it from outside, and let it go without a question."""
    title = "The vault, started and looked at just now"
    if sys.platform != "linux":
        return Check(
            title, Finding.CANNOT, "How the vault is protected is shown at the top of its window."
        )
    try:
        process, pipe = start_vault(command, headless=True)
    except VaultError as error:
        return Check(title, Finding.FAILS, str(error))
    try:
        is_filtered = _wait(lambda: status_field("Seccomp", process.pid) == _FILTER_MODE)
        # The kernel gives the files of a process that may not be read to root; root sees no change.
        is_closed = os.getuid() == 0 or _wait(lambda: _owner(process.pid) == 0)
    finally:
        pipe.close()
        process.kill()
        process.wait()
    network = "the filter is on" if is_filtered else "there is no filter"
    memory = "nobody else reads its memory" if is_closed else "its memory can be read"
    if os.getuid() == 0:
        memory = "this program runs as root, who may read all memory"
    detail = f"In its process {network}, and {memory}. It lives for one question and ends."
    return Check(title, _held(is_filtered and is_closed), detail)


def _owner(process: int) -> int:
    try:
        return Path(f"/proc/{process}/environ").stat().st_uid
    except OSError:
        return -1


def _wait(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _CHILD_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _interfaces() -> Check:
    title = "This computer"
    try:
        folders = sorted(Path("/sys/class/net").iterdir())
    except OSError:
        return Check(
            title,
            Finding.CANNOT,
            "Whether this computer has a network was not looked at. Take the cable out and switch "
            "the radio off.",
        )
    up = [folder.name for folder in folders if folder.name != "lo" and _is_up(folder)]
    if up:
        return Check(
            title,
            Finding.FAILS,
            f"It has a network: {', '.join(name[:20] for name in up)}. This program cannot use it, "
            "others can. A computer that keeps much money has none.",
        )
    return Check(title, Finding.HOLDS, "No network of this computer is up.")


def _is_up(folder: Path) -> bool:
    try:
        return (folder / "operstate").read_text(encoding="ascii").strip() in {"up", "unknown"}
    except (OSError, UnicodeDecodeError):
        return False
