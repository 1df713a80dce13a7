"""No test may contact the internet: whoever looks up a name or connects outwards is caught.

An audit hook refuses it, in this process and (by `sitecustomize` in this folder, found through
PYTHONPATH) in the programs that tests start. It also writes down what was tried, so that a test
fails even when the program took the refusal for a network that is down.
"""

import ipaddress
import os
import sys
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).resolve().parent
VARIABLE: Final = "TESTS_CONTACT_RECORD"
PYTHON_PATH: Final = os.pathsep.join([str(FOLDER), str(FOLDER.parents[1])])
"""For the environment of programs that a test starts: the guard, and the repository."""


class InternetContact(RuntimeError):  # not an OSError, which the program expects of a network
    """A test reached for the internet."""


def is_outside(host: object) -> bool:
    """Whether a host is anything but this computer, named or by its address."""
    if host in {None, "", b"", "localhost", b"localhost"}:
        return False
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    try:
        return not ipaddress.ip_address(text.partition("%")[0]).is_loopback
    except ValueError:
        return True


def is_name(host: object) -> bool:
    """Whether a host has to be looked up."""
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return is_outside(host)
    return False


def check(event: str, arguments: tuple[Any, ...]) -> None:
    """Take an audit event; raise InternetContact."""
    if event in {"socket.connect", "socket.sendto"}:
        address = arguments[1]
        found = isinstance(address, tuple) and is_outside(address[0])
        what = f"{event} {address!r}"
    elif event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        found = is_name(arguments[0])
        what = f"{event} {arguments[0]!r}"
    else:
        return
    if found:
        record = os.environ.get(VARIABLE)
        if record:
            with Path(record).open("a", encoding="utf-8") as file:
                file.write(what + "\n")
        raise InternetContact(f"{what}: tests must not contact the internet")


def install() -> None:
    """Guard this process for the rest of its life."""
    sys.addaudithook(check)
