"""Looks at other processes through /proc (Linux): children, environment, memory, their end."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_WAIT = 30.0


def parent_of(pid: int) -> int | None:
    """Return the parent of a process; None when it is gone or only waits to be collected."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[1])


def is_alive(pid: int) -> bool:
    return parent_of(pid) is not None


def everyone() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]  # noqa: PTH208


def children_of(pid: int) -> list[int]:
    return [other for other in everyone() if parent_of(other) == pid]


def family_of(pid: int) -> list[int]:
    """Return a process and all that it started, directly or not."""
    found = [pid]
    for each in found:
        found += children_of(each)
    return found


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def vaults_of(pid: int) -> list[int]:
    """Return the vaults that a process started and that run."""
    return [child for child in children_of(pid) if b"--vault" in command_line(child).split(b"\0")]


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def seconds_until(condition: Callable[[], bool], limit: float = _WAIT) -> float:
    """Wait until something is so; returns how long that took. TimeoutError beyond the limit."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > limit:
            raise TimeoutError(f"not so within {limit} s")
        time.sleep(0.01)
    return time.monotonic() - began


def memory(pid: int) -> Iterator[tuple[str, bytes]]:
    """Read every readable part of a process's memory, each with its name in /proc/PID/maps.

    The process is stopped meanwhile, so that nothing moves from an unread into a read part.
    """
    os.kill(pid, signal.SIGSTOP)
    try:
        maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
        with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as file:
            for line in maps:
                place, rights, *_, name = [*line.split(None, 5), ""][:6]
                begin, end = (int(part, 16) for part in place.split("-"))
                if "r" not in rights or name.strip() in {"[vvar]", "[vsyscall]", "[vvar_vclock]"}:
                    continue
                try:
                    file.seek(begin)
                    yield f"{place} {name.strip()}", _read(file.fileno(), end - begin)
                except OSError:
                    continue  # a device, or a file that has become shorter
    finally:
        os.kill(pid, signal.SIGCONT)


def _read(handle: int, size: int) -> bytes:
    parts = []
    while size > 0 and (part := os.read(handle, size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
