"""Watches one start of a program from outside: first picture, last change, answer to a key, memory.

The picture is read from the memory of an Xvfb of its own (`-fbdir`), so that watching asks nothing
of the program. A program has no network: it starts in a network namespace without any.
"""

import contextlib
import mmap
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT = 1280, 900
# One row in so many is looked at; the finest letters are higher.
EACH_ROW: Final = 4
POLL: Final = 0.002
# A start is over when nothing but small things changed for so long: a blinking cursor, the words of
# a status bar, which go on telling how it stands with the network.
QUIET: Final = 2.5
SMALL: Final = 0.002
# The first picture fills at least this share of the screen: more than a frame around nothing.
PICTURE: Final = 0.02
LIMIT: Final = 60.0
_TICK: Final = os.sysconf("SC_CLK_TCK")
_KIB: Final = 1024
_TABS, _TAB_WAIT = 5, 2.0
_CLOSING: Final = 10.0
# What comes after the answer to a first question may take long where much else runs.
_LONG_QUIET: Final = 8.0
USER: Final = 1000

Picture = npt.NDArray[np.uint32]


class NoWindow(Exception):
    """The program showed nothing in time; the text says what it printed."""


@dataclass(frozen=True, slots=True)
class Start:
    """One start. Seconds from exec; memory of all its processes in bytes, some seconds later."""

    shown: float
    shown_cpu: float
    usable: float
    usable_cpu: float
    answer: float
    resident: int
    proportional: int
    processes: int


@dataclass(frozen=True, slots=True)
class Launch:
    """What is started: a command in a root, with a home that is laid out anew from `template`."""

    root: Path
    command: tuple[str, ...]
    template: Path | None = None
    environment: tuple[tuple[str, str], ...] = ()
    user: int = USER


class Screen:
    """An Xvfb with a window manager, and its picture."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="screen-"))
        self._processes: list[subprocess.Popen[bytes]] = []
        reader, writer = os.pipe()
        size = f"{WIDTH}x{HEIGHT}x24"
        screen = ("-noreset", "-screen", "0", size, "-nolisten", "tcp", "-fbdir", str(self._folder))
        self._start("Xvfb", "-displayfd", str(writer), *screen, pass_fds=(writer,))
        os.close(writer)
        with os.fdopen(reader) as stream:
            self.display = f":{stream.readline().strip()}"
        self.environment = {**os.environ, "DISPLAY": self.display}
        self._start("openbox", environment=self.environment)
        with (self._folder / "Xvfb_screen0").open("rb") as file:
            self._memory = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        # XWD: the header's size, and the number of colour entries (12 bytes each) after it.
        (header,) = struct.unpack(">I", self._memory[:4])
        (colours,) = struct.unpack(">I", self._memory[76:80])
        (self._stride,) = struct.unpack(">I", self._memory[48:52])
        self._offset = header + 12 * colours
        time.sleep(0.5)

    def _start(
        self,
        *command: str,
        pass_fds: tuple[int, ...] = (),
        environment: dict[str, str] | None = None,
    ) -> None:
        self._processes.append(
            subprocess.Popen(
                command,
                pass_fds=pass_fds,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )

    def picture(self) -> Picture:
        """Every fourth row of what is on screen."""
        size = self._stride * HEIGHT
        whole = np.frombuffer(self._memory, np.uint32, size // 4, self._offset)
        return whole.reshape(HEIGHT, self._stride // 4)[::EACH_ROW, :WIDTH].copy()

    def press(self, key: str) -> None:
        subprocess.run(("xdotool", "key", key), env=self.environment, check=True)

    def save(self, path: Path) -> None:
        """Write the screen as a PNG, to see what was measured."""
        subprocess.run(("import", "-window", "root", str(path)), env=self.environment, check=True)

    def close(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
            process.wait(10)
        shutil.rmtree(self._folder, ignore_errors=True)


@contextlib.contextmanager
def screen() -> Iterator[Screen]:
    made = Screen()
    try:
        yield made
    finally:
        made.close()


def changed(before: Picture, after: Picture) -> float:
    """The share of the picture that differs."""
    return float(np.count_nonzero(before != after)) / before.size


@contextlib.contextmanager
def running(launch: Launch, on: Screen) -> Iterator[tuple[subprocess.Popen[bytes], Path, float]]:
    """Start a program as an ordinary user without a network; ends every process of it after."""
    home = Path(tempfile.mkdtemp(prefix="home-", dir=launch.root / "tmp"))
    if launch.template is not None:
        shutil.copytree(launch.template, home, dirs_exist_ok=True, symlinks=True)
    (home / "run").mkdir(exist_ok=True)
    for path in (home, *home.rglob("*")):
        os.chown(path, launch.user, launch.user, follow_symlinks=False)
    inside = f"/{home.relative_to(launch.root)}"
    environment = {
        "HOME": inside,
        "XDG_RUNTIME_DIR": f"{inside}/run",
        "DISPLAY": on.display,
        "LANG": "C.UTF-8",
        "PATH": "/usr/bin:/bin:/usr/sbin",
        **dict(launch.environment),
    }
    (home / "run").chmod(0o700)
    prefix = (
        "unshare",
        "-n",
        "chroot",
        f"--userspec={launch.user}:{launch.user}",
        str(launch.root),
    )
    begin = time.monotonic()
    with (home / "output").open("wb") as output:
        process = subprocess.Popen(
            (*prefix, *launch.command),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
        )
    try:
        yield process, home, begin
    finally:
        for pid in (*reversed(tree(process.pid)), process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(10)
        shutil.rmtree(home, ignore_errors=True)


def tree(pid: int) -> list[int]:
    """A process and all that descend from it."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = [pid]
    for known in found:
        found.extend(parents.get(known, ()))
    return found


def processor_time(pids: list[int]) -> float:
    """CPU seconds, of the children that ended too."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += sum(int(fields[index]) for index in (11, 12, 13, 14))
    return total / _TICK


def memory(pids: list[int], field: str) -> int:
    """Bytes of `Rss` or `Pss` over several processes."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith(f"{field}:"):
                    total += int(line.split()[1]) * _KIB
    return total


def watch(launch: Launch, on: Screen, *, memory_after: float, picture: Path | None = None) -> Start:
    """Start a program and follow it until it is quiet, answers a key, and has settled.

    Raises NoWindow.
    """
    empty = on.picture()
    with running(launch, on) as (process, home, begin):
        seen, shown, shown_cpu = empty, 0.0, 0.0
        usable, usable_cpu = begin, 0.0
        while True:
            now = time.monotonic()
            current = on.picture()
            if changed(seen, current) > SMALL:
                cpu = processor_time(tree(process.pid))
                if not shown and changed(empty, current) > PICTURE:
                    shown, shown_cpu = now, cpu
                seen, usable, usable_cpu = current, now, cpu
            if shown and now - usable > QUIET:
                break
            if process.poll() is not None or now - begin > LIMIT:
                said = (home / "output").read_text(errors="replace").strip()[-800:]
                raise NoWindow(f"{launch.command[0]} showed no window: {said}")
            time.sleep(POLL)
        answer = _answer(on)
        time.sleep(max(0.0, usable + memory_after - time.monotonic()))
        pids = tree(process.pid)
        if picture is not None:
            on.save(picture)
        return Start(
            shown - begin,
            shown_cpu,
            usable - begin,
            usable_cpu,
            answer,
            memory(pids, "Rss"),
            memory(pids, "Pss"),
            len(pids),
        )


def _answer(on: Screen) -> float:
    """Seconds until a key changes the picture; the time of sending it is in it.

    Where the first Tab moves the focus to something that shows none, the next one is measured.
    """
    for _ in range(_TABS):
        before = on.picture()
        pressed = time.monotonic()
        on.press("Tab")
        while time.monotonic() - pressed < _TAB_WAIT:
            if changed(before, on.picture()):
                return time.monotonic() - pressed
            time.sleep(POLL)
    raise NoWindow("The window does not answer a key.")


def answered_home(launch: Launch, on: Screen, key: str, keep: Path) -> Path:
    """Start once, answer the first question with a key, and keep the home it leaves behind."""
    with running(launch, on) as (process, home, _begin):
        _wait_quiet(on, process)
        if key:
            on.press(key)
            _wait_quiet(on, process)
        # Some store what was answered when their window is closed.
        on.press("alt+F4")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_CLOSING)
        shutil.rmtree(keep, ignore_errors=True)
        # Sockets and locks of the process that runs are none of the next one's.
        shutil.copytree(home, keep, symlinks=True, ignore=_only_files)
    return keep


def _only_files(folder: str, names: list[str]) -> set[str]:
    return {
        name
        for name in names
        if not (Path(folder, name).is_dir() or Path(folder, name).is_file())
        or name in {"run", "output", "daemon"}
    }


def _wait_quiet(on: Screen, process: subprocess.Popen[bytes]) -> None:
    begin = last = time.monotonic()
    first = seen = on.picture()
    while time.monotonic() - last < _LONG_QUIET or changed(first, seen) < SMALL:
        current = on.picture()
        if changed(seen, current) > SMALL:
            seen, last = current, time.monotonic()
        if process.poll() is not None or time.monotonic() - begin > LIMIT:
            raise NoWindow(f"{process.args!r} showed no window.")
        time.sleep(POLL)
